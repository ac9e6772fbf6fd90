"""Attributes of real, made and broken Data Sets."""

from __future__ import annotations

import dataclasses
import datetime
import io
import warnings
from pathlib import Path

import pydicom
import pydicom.data.data_manager
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataset import Dataset

from sdcc.archive import attributes
from sdcc.archive.attributes import REQUIRED, parse
from sdcc.conformance import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    STORAGE_TRANSFER_SYNTAXES,
)
from sdcc.indexed import ATTRIBUTES, ITEM_ATTRIBUTES
from sdcc.interfaces import CannotUnderstand, Instance, Series, Study

from ..interop.objects import header
from .readings import fields, wanted

UNCOMPRESSED = [IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN]


def parse_bytes(data, transfer_syntax_uid=EXPLICIT_VR_LITTLE_ENDIAN):
    return parse(lambda offset, length: data[offset : offset + length], len(data), transfer_syntax_uid)


# --- the table -----------------------------------------------------------------------------


@pytest.mark.parametrize("level", [Study, Series, Instance])
def test_the_table_has_every_field(level):
    """Each field of a level comes from one attribute, and no attribute goes elsewhere."""
    named = [field for owner, field, _ in ATTRIBUTES.values() if owner is level]

    assert sorted(named) == sorted(field.name for field in dataclasses.fields(level))


@pytest.mark.parametrize("tag", ATTRIBUTES, ids=lambda tag: f"{tag:08X}")
def test_the_table_agrees_with_the_data_dictionary(tag):
    """PS3.6: a field is named as its attribute's keyword, and read as its VR."""
    _, field, vr = ATTRIBUTES[tag]

    assert field.replace("_", "") == keyword_for_tag(tag).lower()
    assert vr == dictionary_VR(tag)


def test_the_table_has_the_items_of_every_sequence():
    """Also named as PS3.6 names them, and text, as JSON holds them."""
    assert ITEM_ATTRIBUTES.keys() == {tag for tag, (_, _, vr) in ATTRIBUTES.items() if vr == "SQ"}
    for of_items in ITEM_ATTRIBUTES.values():
        assert [*of_items] == sorted(of_items)
        for tag, (name, vr) in of_items.items():
            assert name.replace("_", "") == keyword_for_tag(tag).lower()
            assert vr == dictionary_VR(tag)
            assert vr in ("SH", "LO")


def test_the_required_ones_have_no_default():
    required = {
        field.name
        for level in (Study, Series, Instance)
        for field in dataclasses.fields(level)
        if field.default is dataclasses.MISSING
    }

    assert required == {ATTRIBUTES[tag].field for tag in REQUIRED}


# --- what pydicom ships, as pydicom reads it -------------------------------------------------

FILES = Path(pydicom.data.data_manager.DATA_ROOT)
#: What pydicom reads otherwise, and why that is right.
DIFFERENCES = {
    # "1A" is no integer; pydicom gives it as it is.
    "badVR.dcm": {"NumberOfFrames"},
    # Times with colons, of ACR-NEMA; pydicom gives them as they are.
    "ExplVR_BigEnd.dcm": {"StudyTime"},
}


def shipped():
    """Of each file in one of the nine Transfer Syntaxes: path, its UID, where the Data Set begins."""
    for path in sorted(FILES.rglob("*")):
        if not path.is_file() or path.read_bytes()[128:132] != b"DICM":
            continue
        meta = pydicom.filereader.read_file_meta_info(path)
        length = meta.get("FileMetaInformationGroupLength")
        if length is not None and meta.get("TransferSyntaxUID") in STORAGE_TRANSFER_SYNTAXES:
            yield pytest.param(path, str(meta.TransferSyntaxUID), 132 + 12 + length, id=path.name)


def as_pydicom_reads(path):
    """The same attributes from pydicom, in the index's types."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return wanted(pydicom.dcmread(path))


@pytest.mark.parametrize(("path", "transfer_syntax_uid", "begin"), [*shipped()])
def test_every_shipped_file_is_read_as_pydicom_reads_it(path, transfer_syntax_uid, begin):
    data = path.read_bytes()[begin:]
    expected = as_pydicom_reads(path)
    if any(keyword_for_tag(tag) not in expected for tag in REQUIRED):
        with pytest.raises(CannotUnderstand):
            parse_bytes(data, transfer_syntax_uid)
        return

    found = fields(parse_bytes(data, transfer_syntax_uid))

    differing = {
        keyword for keyword in expected.keys() | found.keys() if expected.get(keyword) != found.get(keyword)
    }
    assert differing == DIFFERENCES.get(path.name, set())


# --- one object in every encoding ----------------------------------------------------------


OF_THE_PATIENT_AND_THE_STEP = {
    "IssuerOfPatientID": "Hospital",
    "PatientBirthDate": "19700101",
    "PatientSex": "M",
    "PatientBirthTime": "0405",
    "OtherPatientIDs": ["A", "B"],
    "PatientAge": "054Y",
    "PatientSize": "1.80",
    "PatientWeight": "75.5",
    "EthnicGroup": "Group",
    "Occupation": "Baker",
    "AdditionalPatientHistory": "First line\r\nand second",
    "PatientComments": "Comment",
    "AdmittingDiagnosesDescription": ["Diagnosis", "Another"],
    "NameOfPhysiciansReadingStudy": "Reader^A",
    "PerformedProcedureStepStartDate": "20240302",
    "PerformedProcedureStepStartTime": "0931",
    "PerformedProcedureStepID": "PPS1",
}


def example():
    """A Data Set with every attribute, and with sequences and private elements between them."""
    data_set = Dataset()
    data_set.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    data_set.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data_set.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    data_set.SOPInstanceUID = "1.2.3.4"
    data_set.StudyDate = data_set.SeriesDate = "20240229"
    data_set.AcquisitionDate = data_set.ContentDate = "20240301"
    data_set.StudyTime = data_set.SeriesTime = "0930"
    data_set.AcquisitionTime = data_set.ContentTime = "093015.25"
    data_set.AccessionNumber = "A1"
    data_set.Modality = "CT"
    data_set.Manufacturer = "Maker"
    data_set.InstitutionName = "Hospital"
    data_set.ReferringPhysicianName = "Referrer^A"
    data_set.StationName = "CT01"
    data_set.StudyDescription = "Head"
    data_set.SeriesDescription = "Head 5.0"
    data_set.InstitutionalDepartmentName = "Radiology"
    data_set.PerformingPhysicianName = ["Performer^A", "Performer^B"]
    data_set.OperatorsName = "Operator^A"
    data_set.ManufacturerModelName = "Model"
    data_set.ProcedureCodeSequence = [code("C1", "First"), code("C2", "検査")]
    data_set.RequestAttributesSequence = requests()
    data_set.ReferencedImageSequence = [Dataset(), Dataset()]
    data_set.ReferencedImageSequence[0].StudyInstanceUID = "9.9"
    data_set.ReferencedImageSequence[0].PatientName = "Nobody"
    data_set.ReferencedImageSequence.is_undefined_length = True
    data_set.ReferencedImageSequence[1].is_undefined_length_sequence_item = True
    data_set.private_block(0x0009, "SDCC TEST", create=True).add_new(0x01, "OB", bytes(2000))
    data_set.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    data_set.PatientID = "12345"
    for keyword, value in OF_THE_PATIENT_AND_THE_STEP.items():
        setattr(data_set, keyword, value)
    data_set.BodyPartExamined = "HEAD"
    data_set.ProtocolName = "Routine"
    data_set.StudyInstanceUID = "1.2.3"
    data_set.SeriesInstanceUID = "1.2.3.1"
    data_set.StudyID = "S1"
    data_set.SeriesNumber = -2
    data_set.InstanceNumber = 3
    data_set.FrameOfReferenceUID = "1.2.3.5"
    data_set.Laterality = "L"
    data_set.SamplesPerPixel = 1
    data_set.PhotometricInterpretation = "MONOCHROME2"
    data_set.NumberOfFrames = 4
    data_set.Rows = 512
    data_set.Columns = 258
    data_set.BitsAllocated = 16
    data_set.PixelData = bytes(64)
    data_set["PixelData"].VR = "OW"
    return data_set


def code(value, meaning):
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "99TEST", meaning
    return item


def requests():
    """With a sequence in its item, and of undefined length as that is."""
    item = Dataset()
    item.ScheduledProtocolCodeSequence = [code("P1", "Nothing of it")]
    item.RequestedProcedureID = "R1"
    item.is_undefined_length_sequence_item = True
    sequence = pydicom.Sequence([item])
    sequence.is_undefined_length = True
    return sequence


def encoded(data_set, transfer_syntax_uid=EXPLICIT_VR_LITTLE_ENDIAN):
    """The bytes of a Data Set, as pydicom writes it."""
    buffer = io.BytesIO()
    pydicom.dcmwrite(
        buffer,
        data_set,
        implicit_vr=transfer_syntax_uid == IMPLICIT_VR_LITTLE_ENDIAN,
        little_endian=transfer_syntax_uid != EXPLICIT_VR_BIG_ENDIAN,
    )
    return buffer.getvalue()


@pytest.mark.parametrize("transfer_syntax_uid", STORAGE_TRANSFER_SYNTAXES)
def test_the_attributes_are_the_same_in_every_transfer_syntax(transfer_syntax_uid):
    parsed = parse_bytes(encoded(example(), transfer_syntax_uid), transfer_syntax_uid)

    assert parsed.fault is None
    assert parsed.study == Study(
        study_instance_uid="1.2.3",
        patient_id="12345",
        issuer_of_patient_id="Hospital",
        patient_name="Yamada^Tarou=山田^太郎=やまだ^たろう",
        patient_birth_date=datetime.date(1970, 1, 1),
        patient_sex="M",
        study_id="S1",
        study_date=datetime.date(2024, 2, 29),
        study_time=datetime.time(9, 30),
        accession_number="A1",
        referring_physician_name="Referrer^A",
        study_description="Head",
        patient_birth_time=datetime.time(4, 5),
        other_patient_ids="A\\B",
        ethnic_group="Group",
        patient_age="054Y",
        patient_size="1.80",
        patient_weight="75.5",
        occupation="Baker",
        patient_comments="Comment",
        additional_patient_history="First line\r\nand second",
        admitting_diagnoses_description="Diagnosis\\Another",
        name_of_physicians_reading_study="Reader^A",
        procedure_code_sequence=(
            '[{"code_value": "C1", "coding_scheme_designator": "99TEST", "code_meaning": "First"},'
            ' {"code_value": "C2", "coding_scheme_designator": "99TEST", "code_meaning": "検査"}]'
        ),
    )
    assert parsed.series == Series(
        series_instance_uid="1.2.3.1",
        modality="CT",
        series_number=-2,
        series_date=datetime.date(2024, 2, 29),
        series_time=datetime.time(9, 30),
        series_description="Head 5.0",
        body_part_examined="HEAD",
        laterality="L",
        protocol_name="Routine",
        manufacturer="Maker",
        manufacturer_model_name="Model",
        station_name="CT01",
        institution_name="Hospital",
        institutional_department_name="Radiology",
        performing_physician_name="Performer^A\\Performer^B",
        operators_name="Operator^A",
        frame_of_reference_uid="1.2.3.5",
        performed_procedure_step_start_date=datetime.date(2024, 3, 2),
        performed_procedure_step_start_time=datetime.time(9, 31),
        performed_procedure_step_id="PPS1",
        request_attributes_sequence='[{"requested_procedure_id": "R1"}]',
    )
    assert parsed.instance == Instance(
        sop_instance_uid="1.2.3.4",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        instance_number=3,
        acquisition_date=datetime.date(2024, 3, 1),
        acquisition_time=datetime.time(9, 30, 15, 250000),
        content_date=datetime.date(2024, 3, 1),
        content_time=datetime.time(9, 30, 15, 250000),
        image_type="ORIGINAL\\PRIMARY\\AXIAL",
        number_of_frames=4,
        samples_per_pixel=1,
        photometric_interpretation="MONOCHROME2",
        rows=512,
        columns=258,
        bits_allocated=16,
    )


# --- what is wrong with a Data Set ---------------------------------------------------------


def element(tag, vr, value):
    """An element of Explicit VR Little Endian, its length odd if the value's is."""
    return header(tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def minimal(*others, **replaced):
    """The four UIDs, replaced or left out (None) by keyword, and other elements."""
    uids = {
        "SOPClassUID": b"1.2.840.10008.5.1.4.1.1.7",
        "SOPInstanceUID": b"1.2.3.4",
        "StudyInstanceUID": b"1.2.3",
        "SeriesInstanceUID": b"1.2.3.1",
        **replaced,
    }
    of_uids = [
        (tag, "UI", uids[keyword_for_tag(tag)]) for tag in REQUIRED if uids[keyword_for_tag(tag)] is not None
    ]
    return b"".join(element(*each) for each in sorted([*of_uids, *others]))


@pytest.mark.parametrize("keyword", [keyword_for_tag(tag) for tag in REQUIRED])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "no {} in the Data Set"),
        (b"", "no {} in the Data Set"),
        (b"\0", "no {} in the Data Set"),
        (b"1" * 600, "{}: too long"),
    ],
)
def test_each_uid_is_required(keyword, value, reason):
    tag = next(tag for tag in REQUIRED if keyword_for_tag(tag) == keyword)
    with pytest.raises(CannotUnderstand) as raised:
        parse_bytes(minimal(**{keyword: value}))

    assert str(raised.value) == reason.format(f"{keyword} ({tag >> 16:04X},{tag & 0xFFFF:04X})")
    assert len(str(raised.value)) <= 64


def test_elements_broken_before_a_uid_are_named():
    """The Error Comment tells the sender's engineer where to look."""
    whole = minimal((0x00091001, "OB", b""))
    with pytest.raises(CannotUnderstand, match=r"^\(0009,1001\) runs past the end, no StudyInstanceUID$"):
        parse_bytes(whole.replace(b"OB\0\0", b"OB\0\0\xf0\xff\xff\xff"))


def test_elements_broken_after_the_uids_are_a_fault():
    parsed = parse_bytes(minimal() + element(0x00280002, "US", b"\1\0") + b"\x28\0\4\0CS\x10\0MONO")

    assert parsed.fault == "PhotometricInterpretation (0028,0004): runs past the end"
    assert parsed.instance.samples_per_pixel == 1


@pytest.mark.parametrize(
    ("tag", "vr", "value", "kept", "fault"),
    [
        (0x00080005, "CS", b"ISO_IR 999", None, "SpecificCharacterSet (0008,0005): unknown term"),
        (0x00080020, "DA", b"yesterday ", None, "StudyDate (0008,0020): not a date"),
        (0x00080030, "TM", b"noon", None, "StudyTime (0008,0030): not a time"),
        (
            0x00100010,
            "PN",
            b"R\xfcdiger",
            "R\ufffddiger",
            "PatientName (0010,0010): bytes outside its character set",
        ),
        (0x00100020, "LO", b"1" * 513, "1" * 512, "PatientID (0010,0020): too long, cut"),
        (0x00100020, "LO", b"1" * 5000, "1" * 512, "PatientID (0010,0020): too long, cut"),
        (0x00200013, "IS", b"1A", None, "InstanceNumber (0020,0013): not an integer"),
        (0x00200052, "UI", b"1.2.X", "1.2.X", "FrameOfReferenceUID (0020,0052): not a UID"),
        (0x00280010, "IS", b"512 ", None, "Rows (0028,0010): not of VR US"),
        (0x00091001, "??", b"1", None, "(0009,1001): has no valid VR"),
    ],
)
def test_a_bad_value_is_a_fault(tag, vr, value, kept, fault):
    """It never fails an object; the fault names the attribute and never tells its value."""
    parsed = parse_bytes(minimal((tag, vr, value)))

    assert parsed.fault == fault
    assert fields(parsed).get(keyword_for_tag(tag)) == kept


def test_a_uid_of_another_form_is_kept():
    parsed = parse_bytes(minimal(StudyInstanceUID=b"../../etc "))

    assert parsed.study.study_instance_uid == "../../etc"
    assert parsed.fault == "StudyInstanceUID (0020,000D): not a UID"


def test_all_faults_are_told_within_a_limit():
    """In the order of tags, and not at any length."""
    bad = [(tag, vr, b"\xff" * 700) for tag, (_, _, vr) in ATTRIBUTES.items() if tag not in REQUIRED]
    fault = parse_bytes(minimal(*bad)).fault

    assert len(fault) <= attributes.LONGEST_FAULT
    assert fault.startswith(
        "ImageType (0008,0008): bytes outside its character set; StudyDate (0008,0020): not a date; "
    )
    assert fault.endswith("...")


def test_the_character_set_may_come_late():
    """Even an element out of order tells what the others are in."""
    late = element(0x00080005, "CS", b"ISO_IR 100")
    parsed = parse_bytes(minimal((0x00100010, "PN", b"R\xfcdiger")) + late)

    assert parsed.study.patient_name == "Rüdiger"
    assert parsed.fault is None


# --- any bytes -----------------------------------------------------------------------------


def assert_understood_or_refused(data, transfer_syntax_uid):
    """Either way in words that fit where they go."""
    try:
        words, limit = parse_bytes(data, transfer_syntax_uid).fault, attributes.LONGEST_FAULT
    except CannotUnderstand as refusal:
        words, limit = str(refusal), 64

    assert words is None or 0 < len(words) <= limit
    assert words is None or (words.isascii() and "\\" not in words)


@pytest.fixture(params=UNCOMPRESSED, ids=["implicit", "explicit", "big endian"])
def transfer_syntax_uid(request):
    return request.param


def test_every_truncation_is_understood_or_refused(transfer_syntax_uid):
    data = encoded(example(), transfer_syntax_uid)
    for length in range(len(data)):
        assert_understood_or_refused(data[:length], transfer_syntax_uid)


def test_every_changed_byte_is_understood_or_refused(transfer_syntax_uid):
    data = encoded(example(), transfer_syntax_uid)
    private = data.index(bytes(2000))
    for position in (*range(private), *range(private + 2000, len(data))):
        for byte in (0x00, 0xFF, data[position] ^ 0x01, data[position] ^ 0x20, data[position] ^ 0x80):
            changed = bytearray(data)
            changed[position] = byte
            assert_understood_or_refused(bytes(changed), transfer_syntax_uid)


@settings(deadline=None)
@given(st.sampled_from(UNCOMPRESSED), st.binary(max_size=300))
def test_any_bytes_are_understood_or_refused(transfer_syntax_uid, data):
    assert_understood_or_refused(data, transfer_syntax_uid)


OTHERS = [(tag, vr) for tag, (_, _, vr) in ATTRIBUTES.items() if tag not in REQUIRED]


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(OTHERS), st.binary(max_size=100), st.binary(max_size=30))
def test_any_value_of_the_others_is_understood(other, value, character_set):
    """Whatever is in an attribute or the character set, an object whose UIDs are known is kept."""
    parsed = parse_bytes(minimal((0x00080005, "CS", character_set), (*other, value)))

    assert parsed.study.study_instance_uid == "1.2.3"


def test_a_fault_of_the_program_loses_no_object_whose_uids_are_known(monkeypatch, logged):
    def fail(*arguments):
        raise ZeroDivisionError

    monkeypatch.setitem(attributes.READERS, "PN", fail)
    parsed = parse_bytes(minimal((0x00100010, "PN", b"Yamada^T"), (0x00100020, "LO", b"4711")))
    assert (parsed.study.patient_name, parsed.study.patient_id) == (None, "4711")
    assert parsed.fault == "PatientName (0010,0010): could not be read"
    [event] = logged
    assert event["log_failure"].check(ZeroDivisionError)
    logged.clear()
