"""The Data Sets of Storage Commitment: pydicom writes what is read here, and reads what is written."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence

from sdcc.conformance import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from sdcc.dimse.status import Status
from sdcc.interfaces import Reference
from sdcc.services.commitment import references
from sdcc.services.commitment.references import (
    Failure,
    NotAcceptable,
    digest,
    event_information,
    read_action_information,
)

CT = "1.2.840.10008.5.1.4.1.1.2"
A, B, C = (Reference(CT, f"1.2.3.{number}") for number in (10, 110, 12))
SYNTAXES = (IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN)


def encoded(dataset, syntax):
    file = DicomBytesIO()
    file.is_little_endian = True
    file.is_implicit_VR = syntax == IMPLICIT_VR_LITTLE_ENDIAN
    write_dataset(file, dataset)
    return file.getvalue()


def item(reference, **more):
    dataset = Dataset()
    dataset.ReferencedSOPClassUID = reference.sop_class_uid
    dataset.ReferencedSOPInstanceUID = reference.sop_instance_uid
    for keyword, value in more.items():
        setattr(dataset, keyword, value)
    return dataset


def action(*items, uid="1.2.3", **more):
    dataset = Dataset()
    dataset.TransactionUID = uid
    dataset.ReferencedSOPSequence = Sequence(items)
    for keyword, value in more.items():
        setattr(dataset, keyword, value)
    return dataset


def refusal(data, syntax=EXPLICIT_VR_LITTLE_ENDIAN):
    with pytest.raises(NotAcceptable) as raised:
        read_action_information(data, syntax)
    assert len(str(raised.value)) <= 64, "it is an Error Comment"
    return raised.value.status, str(raised.value)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("sequence_is_undefined", [False, True])
@pytest.mark.parametrize("items_are_undefined", [False, True])
def test_references_are_read_whatever_their_encoding(syntax, sequence_is_undefined, items_are_undefined):
    """With what else may stand there: a file-set's names, and the retired sequence of procedure steps."""
    step = Sequence([item(C)])
    step.is_undefined_length = True
    step[0].is_undefined_length_sequence_item = True
    items = [item(A, StorageMediaFileSetID="SET"), item(B, ReferencedPerformedProcedureStepSequence=step)]
    dataset = action(*items, ReferencedPerformedProcedureStepSequence=step, StorageMediaFileSetUID="1.9")
    dataset["ReferencedSOPSequence"].is_undefined_length = sequence_is_undefined
    for one in dataset.ReferencedSOPSequence:
        one.is_undefined_length_sequence_item = items_are_undefined
    read = read_action_information(encoded(dataset, syntax), syntax)
    assert (read.transaction_uid, read.references) == ("1.2.3", (A, B))


def test_a_reference_that_comes_twice_counts_once():
    """PS3.4 J.3.2.1.1.3 forbids it; to refuse the others for it would help nobody."""
    data = encoded(action(item(A), item(B), item(A)), EXPLICIT_VR_LITTLE_ENDIAN)
    assert read_action_information(data, EXPLICIT_VR_LITTLE_ENDIAN).references == (A, B)


def test_the_digest_tells_references_apart_whatever_their_order():
    assert digest((A, B)) == digest((B, A)) != digest((A, C))
    data = encoded(action(item(B), item(A)), EXPLICIT_VR_LITTLE_ENDIAN)
    assert read_action_information(data, EXPLICIT_VR_LITTLE_ENDIAN).digest == digest((A, B))


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        (lambda d: d.pop("TransactionUID"), 0x0115, "Transaction UID (0008,1195) is absent"),
        (lambda d: setattr(d, "TransactionUID", ""), 0x0115, "Transaction UID (0008,1195) has no value"),
        (
            lambda d: d["TransactionUID"].__dict__.update(_value="1.x"),
            0x0115,
            "Transaction UID (0008,1195) is no UID",
        ),
        (lambda d: d.pop("ReferencedSOPSequence"), 0x0115, "Referenced SOP Sequence (0008,1199) is absent"),
        (
            lambda d: setattr(d, "ReferencedSOPSequence", Sequence()),
            0x0115,
            "Referenced SOP Sequence (0008,1199) has no items",
        ),
        (
            lambda d: d.ReferencedSOPSequence[1].pop("ReferencedSOPClassUID"),
            0x0115,
            "Referenced SOP Class UID (0008,1150) is absent",
        ),
        (
            lambda d: setattr(d.ReferencedSOPSequence[1], "ReferencedSOPInstanceUID", ""),
            0x0115,
            "Referenced SOP Instance UID (0008,1155) has no value",
        ),
        (
            lambda d: d.ReferencedSOPSequence[0]["ReferencedSOPInstanceUID"].__dict__.update(
                _value="caf\xe9"
            ),
            0x0115,
            "Referenced SOP Instance UID (0008,1155) is no UID",
        ),
    ],
)
def test_what_is_missing_or_wrong_is_named(syntax, change, status, words):
    dataset = action(item(A), item(B))
    change(dataset)
    assert refusal(encoded(dataset, syntax), syntax) == (status, words)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_no_data_set_that_is_cut_off_is_taken_for_a_shorter_one(syntax):
    dataset = action(item(A), item(B))
    dataset["ReferencedSOPSequence"].is_undefined_length = True
    for whole in (encoded(action(item(A), item(B)), syntax), encoded(dataset, syntax)):
        for length in range(len(whole)):
            refusal(whole[:length], syntax)


def test_a_length_that_leads_out_of_its_item_or_sequence_is_no_way_to_smuggle():
    data = encoded(action(item(A), item(B)), IMPLICIT_VR_LITTLE_ENDIAN)
    at = data.index(b"\xfe\xff\x00\xe0") + 4
    (length,) = struct.unpack_from("<I", data, at)
    for wrong in (length + 2, length - 2, len(data), 0xFFFFFFFE):
        broken = data[:at] + struct.pack("<I", wrong) + data[at + 4 :]
        assert refusal(broken, IMPLICIT_VR_LITTLE_ENDIAN)[0] in (0x0110, 0x0115)


def test_an_item_that_ends_behind_its_sequence_is_broken():
    dataset = action(item(A), StorageMediaFileSetUID="1.9")
    data = encoded(dataset, IMPLICIT_VR_LITTLE_ENDIAN)
    behind = len(data) - data.index(b"\x88\x00\x40\x01")
    at = data.index(b"\xfe\xff\x00\xe0") + 4
    (length,) = struct.unpack_from("<I", data, at)
    broken = data[:at] + struct.pack("<I", length + behind) + data[at + 4 :]
    assert refusal(broken, IMPLICIT_VR_LITTLE_ENDIAN)[0] == 0x0110


def test_between_items_is_nothing_else():
    data = encoded(action(item(A)), IMPLICIT_VR_LITTLE_ENDIAN)
    assert refusal(data.replace(b"\xfe\xff\x00\xe0", b"\x08\x00\x50\x11"), IMPLICIT_VR_LITTLE_ENDIAN) == (
        0x0110,
        "Referenced SOP Sequence holds what is no item",
    )


def test_there_is_a_limit_to_the_references_of_one_request(monkeypatch):
    monkeypatch.setattr(references, "MAXIMUM_REFERENCES", 2)
    for items in ((item(A), item(B)), (item(A), item(B), item(C))):
        data = encoded(action(*items), EXPLICIT_VR_LITTLE_ENDIAN)
        if len(items) == 2:
            assert read_action_information(data, EXPLICIT_VR_LITTLE_ENDIAN).references == (A, B)
        else:
            assert refusal(data) == (0x0213, "More than 2 references in one request")


# --- what is reported ------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(
    ("committed", "failures"),
    [
        ((A, B), ()),
        ((A,), (Failure(B, 0x0112), Failure(C, Status.PROCESSING_FAILURE))),
        ((), (Failure(A, 0x0119),)),
    ],
)
def test_pydicom_reads_what_is_reported(syntax, committed, failures):
    data = event_information(
        "1.2.3", committed, failures, retrieve_ae_title="SDCC1", transfer_syntax_uid=syntax
    )
    dataset = read_dataset(BytesIO(data), syntax == IMPLICIT_VR_LITTLE_ENDIAN, True)
    assert dataset.TransactionUID == "1.2.3"
    assert dataset.RetrieveAETitle == "SDCC1"
    assert len(dataset) == 2 + bool(committed) + bool(failures), "a sequence without items is not there"
    assert [
        (one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID)
        for one in dataset.get("ReferencedSOPSequence", ())
    ] == [(one.sop_class_uid, one.sop_instance_uid) for one in committed]
    assert [
        (one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID, one.FailureReason)
        for one in dataset.get("FailedSOPSequence", ())
    ] == [(one.reference.sop_class_uid, one.reference.sop_instance_uid, one.reason) for one in failures]
    assert encoded(dataset, syntax) == data, "in order, of even length, as pydicom itself writes it"
