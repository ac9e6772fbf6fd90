"""Identifiers as far as all are alike: which are refused before anything is asked, and what text means."""

from __future__ import annotations

import pytest

from sdcc.dimse.messages import MAXIMUM_COMMENT_LENGTH
from sdcc.dimse.status import Status
from sdcc.queries import PersonName
from sdcc.services.query_retrieve.identifiers import MOST_ELEMENTS, BadIdentifier
from sdcc.services.query_retrieve.questions import read_question

from .asking import IMPLICIT, PATIENT_ROOT, STUDY_ROOT, ask, conditions, context, identifier, refused

# --- the level ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "model", "comment"),
    [
        ("PATIENT", STUDY_ROOT, "QueryRetrieveLevel: STUDY, SERIES or IMAGE"),
        ("study", STUDY_ROOT, "QueryRetrieveLevel: STUDY, SERIES or IMAGE"),
        ("DOE^JANE", PATIENT_ROOT, "QueryRetrieveLevel: PATIENT, STUDY, SERIES or IMAGE"),
        ("STUDY\\SERIES", PATIENT_ROOT, "QueryRetrieveLevel: PATIENT, STUDY, SERIES or IMAGE"),
        ("", PATIENT_ROOT, "QueryRetrieveLevel: absent"),
        (None, PATIENT_ROOT, "QueryRetrieveLevel: absent"),
    ],
)
def test_the_level_is_one_of_the_model(level, model, comment):
    fault = refused({"PatientID": "P1", **({} if level is None else {"level": level})}, model=model)

    assert (fault.status, fault.tag, str(fault)) == (0xA900, 0x00080052, comment)
    assert len(comment) <= MAXIMUM_COMMENT_LENGTH


# --- the Data Set ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "comment"),
    [
        (b"\x08", "Identifier: (0000,0000) no whole element follows"),
        (identifier({"level": "STUDY"})[:-1], "Identifier: (0008,0052) runs past the end"),
        (identifier({"level": "STUDY"}, IMPLICIT), "Identifier: (0008,0052) has no valid VR"),
        (identifier({"level": "STUDY"}) * 2, "Identifier: (0008,0052) is there twice"),
    ],
)
def test_what_is_no_data_set_cannot_be_processed(data, comment):
    with pytest.raises(BadIdentifier) as raised:
        read_question(data, context())
    assert (raised.value.status, str(raised.value)) == (Status.CANNOT_UNDERSTAND, comment)


def test_there_may_be_many_keys_but_not_any_number():
    keys = {(0x00400000 + number, "LO"): "" for number in range(1, MOST_ELEMENTS)}

    assert len(ask({"level": "STUDY", **keys}).returned) == MOST_ELEMENTS + 1
    fault = refused({"level": "STUDY", **keys, "StudyDate": ""})
    assert (fault.status, fault.tag) == (Status.CANNOT_UNDERSTAND, None)
    assert str(fault) == "Identifier: 1000 keys are allowed"


# --- character sets -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("character_set", "name", "meant"),
    [
        ("ISO_IR 100", b"M\xfcller", "Müller"),
        ("ISO_IR_100", b"M\xfcller", "Müller"),
        ("ISO_IR 192", "Müller".encode(), "Müller"),
        ("\\ISO 2022 IR 87", b"\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", "山田^太郎"),
        ("GB18030", b"\xcd\xf5^\xd0\xa1\xb6\xab", "王^小东"),
    ],
)
def test_text_is_read_in_the_character_sets_named(character_set, name, meant):
    question = ask({"level": "STUDY", "SpecificCharacterSet": character_set, "PatientName": name})

    assert conditions(question) == {"patient_name": PersonName((meant,))}
    assert question.identifier.character_set.decode() == character_set


@pytest.mark.parametrize("character_set", ["ISO_IR 999", "\\".join(["", *["ISO 2022 IR 87"] * 40])])
def test_a_character_set_that_is_unknown_leaves_the_default_repertoire(character_set):
    keys = {"level": "STUDY", "SpecificCharacterSet": character_set}
    question = ask({**keys, "PatientName": "DOE"})

    assert conditions(question) == {"patient_name": PersonName(("DOE",))}
    assert question.identifier.character_set == b""
    fault = refused({**keys, "PatientName": b"M\xfcller"})
    assert str(fault) == "PatientName: bytes outside its character set"
