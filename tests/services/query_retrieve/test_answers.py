"""Matches as Identifiers, read by pydicom; and byte for byte where that is the point."""

from __future__ import annotations

from datetime import date, time
from io import BytesIO

import pydicom
import pytest
from pydicom.datadict import keyword_for_tag

from sdcc.conformance import CHARACTER_SETS
from sdcc.services.query_retrieve.answers import Answers
from sdcc.services.query_retrieve.keys import KEYS

from ...data_set.test_text import MULTI_BYTE, SINGLE_BYTE, last_part
from ...interop.objects import element
from .asking import EXPLICIT, IMPLICIT, PATIENT_ROOT, RELATIONAL, ask

JANE = {"patient_name": "DOE^JANE", "patient_id": "P1"}


def answer(keys, match, *, syntax=EXPLICIT, **options):
    """The bytes of an answer to these keys."""
    question = ask(keys, syntax=syntax, **options)
    nothing = dict.fromkeys(question.query.wanted)
    return Answers(question, transfer_syntax_uid=syntax, retrieve_ae="SDCC").identifier(nothing | match)


def read(data, syntax=EXPLICIT):
    return pydicom.dcmread(BytesIO(pydicom_file(data, syntax)), force=True)


def pydicom_file(data, syntax):
    """With the little that pydicom must know of a Data Set."""
    return b"\0" * 128 + b"DICM" + element(0x0002, 0x0010, "UI", syntax) + data


#: What the index gives, and what is then in the answer.
VALUES = {
    "AS": ("045Y", "045Y"),
    "CS": ("CT", "CT"),
    "DA": (date(2024, 2, 29), "20240229"),
    "DS": ("1.80", "1.80"),
    "IS": (7, "7"),
    "LO": ("Text", "Text"),
    "LT": ("Text", "Text"),
    "PN": ("DOE^JANE", "DOE^JANE"),
    "SH": ("Text", "Text"),
    "SQ": ("[]", "[]"),
    "TM": (time(10, 15, 30, 250_000), "101530.250000"),
    "UI": ("1.2.3", "1.2.3"),
    "US": (512, 512),
}


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_every_key_has_its_value_as_its_vr_demands(syntax):
    match = {key.field: VALUES[key.vr][0] for key in KEYS.values()}
    keys = {"level": "IMAGE", **{keyword_for_tag(tag): "" for tag in KEYS}}

    found = read(answer(keys, match, syntax=syntax, extended=RELATIONAL), syntax)

    assert found.keys() == {*KEYS, 0x00080052, 0x00080054}
    for tag, key in KEYS.items():
        assert (found[tag].VR, str(found[tag].value)) == (key.vr, str(VALUES[key.vr][1]))


def test_every_byte_in_explicit_vr():
    keys = {
        **{"level": "STUDY", "StudyDate": "", "StudyTime": "", "PatientName": "", "StudyInstanceUID": ""},
        **{
            "ReasonForStudy": "",
            "ProcedureCodeSequence": "",
            "NumberOfStudyRelatedSeries": "",
            "AccessionNumber": "",
        },
    }
    match = {
        **{"study_date": date(987, 1, 2), "study_time": time(9, 5), "patient_name": "DOE^JAN"},
        **{"study_instance_uid": "1.2", "number_of_study_related_series": 12},
    }
    assert answer(keys, match) == (
        b"\x08\x00\x20\x00DA\x08\x0009870102"
        b"\x08\x00\x30\x00TM\x06\x00090500"
        b"\x08\x00\x50\x00SH\x00\x00"
        b"\x08\x00\x52\x00CS\x06\x00STUDY "
        b"\x08\x00\x54\x00AE\x04\x00SDCC"
        b"\x08\x00\x32\x10SQ\x00\x00\x00\x00\x00\x00"
        b"\x10\x00\x10\x00PN\x08\x00DOE^JAN "
        b"\x20\x00\x0d\x00UI\x04\x001.2\x00"
        b"\x20\x00\x06\x12IS\x02\x0012"
        b"\x32\x00\x30\x10LO\x00\x00"
    )


def test_every_byte_in_implicit_vr():
    assert answer({"level": "PATIENT", "PatientID": ""}, JANE, syntax=IMPLICIT, model=PATIENT_ROOT) == (
        b"\x08\x00\x52\x00\x08\x00\x00\x00PATIENT "
        b"\x08\x00\x54\x00\x04\x00\x00\x00SDCC"
        b"\x10\x00\x20\x00\x02\x00\x00\x00P1"
    )


def test_a_key_has_the_vr_of_the_standard_whatever_the_request_called_it():
    data = answer({"level": "STUDY", (0x00100010, "UN"): "", (0x00080056, "LO"): ""}, JANE)

    assert read(data)["PatientName"].VR == "PN"
    assert (read(data)["InstanceAvailability"].VR, read(data).InstanceAvailability) == ("CS", "ONLINE")


def test_the_condition_itself_is_not_what_is_answered():
    assert read(answer({"level": "STUDY", "PatientName": "D*"}, JANE)).PatientName == "DOE^JANE"


def test_several_values_are_several_values():
    match = {"modalities_in_study": "CT\\SR", "sop_classes_in_study": "1.2\\1.3"}
    found = read(answer({"level": "STUDY", "ModalitiesInStudy": "", "SOPClassesInStudy": ""}, match))

    assert list(found.ModalitiesInStudy) == ["CT", "SR"]
    assert list(found.SOPClassesInStudy) == ["1.2", "1.3"]


# --- character sets -------------------------------------------------------------------------


def in_character_set(term, match, **keys):
    named = {} if term is None else {"SpecificCharacterSet": term}
    return answer({"level": "STUDY", "PatientName": "", **named, **keys}, match)


def announced(data):
    """The value of Specific Character Set, as it lies; None: it is absent."""
    return data[8 : 8 + data[6]].rstrip(b" ").decode() if data.startswith(b"\x08\x00\x05\x00CS") else None


@pytest.mark.parametrize("row", CHARACTER_SETS, ids=lambda row: row.term)
def test_the_answer_is_in_the_character_set_of_the_question(row):
    value, meant = {**SINGLE_BYTE, **MULTI_BYTE}[last_part(row.term)]

    data = in_character_set(row.term, {"patient_name": meant})

    assert announced(data) == row.term
    assert b"PN" + (len(value) + len(value) % 2).to_bytes(2, "little") + value in data


#: pydicom reads the standard's terms alone, and its JIS X 0212 only with others before it.
@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        *(
            (row.defined_term, SINGLE_BYTE[last_part(row.term)][1])
            for row in CHARACTER_SETS
            if last_part(row.term) in SINGLE_BYTE
        ),
        ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("ISO 2022 IR 13\\ISO 2022 IR 87", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
        ("\\ISO 2022 IR 87\\ISO 2022 IR 159", "丂丄^龥=山田"),
        ("\\ISO 2022 IR 149", "Hong^Gildong=洪^吉洞=홍^길동"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
        ("ISO_IR 192", "Wang^XiaoDong=王^小東"),
    ],
)
def test_another_program_reads_the_name_that_was_meant(character_set, name):
    found = read(
        in_character_set(character_set, {"patient_name": name, "study_description": "x"}, StudyDescription="")
    )

    assert found.PatientName == name
    assert found.StudyDescription == "x"


@pytest.mark.parametrize("character_set", [None, "ISO_IR 6", "ISO_IR 100", "\\ISO 2022 IR 87", "ISO_IR 999"])
def test_where_it_cannot_hold_a_text_the_whole_answer_is_in_utf_8(character_set):
    match = {"patient_name": "Müller=洪^吉洞", "study_description": "Übersicht", "patient_sex": "F"}
    keys = {"StudyDescription": "", "PatientSex": ""}

    data = in_character_set(character_set, match, **keys)

    assert announced(data) == "ISO_IR 192"
    found = read(data)
    assert (found.PatientName, found.StudyDescription) == (match["patient_name"], match["study_description"])


def test_each_answer_is_judged_by_itself():
    question = ask({"level": "STUDY", "SpecificCharacterSet": "ISO_IR 100", "PatientName": ""})
    answers = Answers(question, transfer_syntax_uid=EXPLICIT, retrieve_ae="SDCC")

    sets = [
        announced(answers.identifier({"patient_name": name})) for name in ("Müller", "Łódź", "Smith", None)
    ]

    assert sets == ["ISO_IR 100", "ISO_IR 192", "ISO_IR 100", "ISO_IR 100"]


@pytest.mark.parametrize("character_set", [None, "", "ISO_IR 999"])
def test_ascii_needs_no_character_set(character_set):
    """PS3.4 C.4.1.1.3.2: it is not there where none but the default repertoire may be used."""
    assert announced(in_character_set(character_set, JANE)) is None


def test_what_could_not_be_read_of_an_object_is_answered_all_the_same():
    """U+FFFD stands in the index for bytes outside the object's character set."""
    match = {"patient_name": "M\ufffdller", "modalities_in_study": "C\ufffd"}
    found = read(in_character_set("ISO_IR 100", match, ModalitiesInStudy=""))

    assert found.PatientName == "M\ufffdller"
    assert found.ModalitiesInStudy == "C?"
