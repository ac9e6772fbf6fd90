"""Every file that pydicom brings, sent as the bytes that it is: what is stored is what was sent."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass

import pydicom
import pytest
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID

from .objects import SHIPPED, TRANSFER_SYNTAXES, data_set_of, new_uid
from .peers import requested, store

ON_EVERY_INDEX = True

#: Storage SOP Classes whose objects belong to no study (PS3.4 Annex GG), and the class of a DICOMDIR.
NOT_TAKEN = {"1.2.840.10008.5.1.4.39.1", "1.2.840.10008.1.3.10"}
SUCCESS, CANNOT_UNDERSTAND = 0x0000, 0xC000


@pytest.fixture(scope="module")
def configuration(configuration):
    return configuration + 'additional_sop_classes = "standard"\n'


@dataclass(frozen=True, kw_only=True)
class Object:
    """What a file holds, by pydicom, and by the bytes after its file meta."""

    name: str
    #: As the Data Set has it, else as the file meta has it.
    sop_class: str
    uids: dict[str, str]
    transfer_syntax: str
    modality: str | None
    bytes: bytes

    @property
    def status(self):
        """What it is to be answered with."""
        return SUCCESS if all(self.uids.values()) else CANNOT_UNDERSTAND


def shipped():
    """The objects whose Transfer Syntax and SOP Class are taken."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's, of files that are broken on purpose
        for path in sorted(SHIPPED.rglob("*")):
            try:
                read = pydicom.dcmread(path, stop_before_pixels=True) if path.is_file() else None
            except InvalidDicomError:
                continue
            if read is None or read.file_meta.get("TransferSyntaxUID") not in TRANSFER_SYNTAXES:
                continue
            sop_class = read.get("SOPClassUID") or read.file_meta.get("MediaStorageSOPClassUID")
            if "Storage" not in UID(sop_class or "").name or sop_class in NOT_TAKEN:
                continue
            yield Object(
                name=str(path.relative_to(SHIPPED)),
                sop_class=sop_class,
                uids={
                    name: read.get(name)
                    for name in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
                },
                transfer_syntax=read.file_meta.TransferSyntaxUID,
                modality=read.get("Modality") or None,
                bytes=data_set_of(path),
            )


def rounds(objects):
    """The objects in groups in which no SOP Instance UID comes twice: the later would take its place."""
    left = list(objects)
    while left:
        group, rest, seen = [], [], set()
        for each in left:
            instance = each.uids["SOPInstanceUID"]
            (rest if instance in seen else group).append(each)
            if instance:
                seen.add(instance)
        yield group
        left = rest


@pytest.fixture(scope="module")
def results(server):
    """(object, status, row, Data Set on disk) of everything sent; None where nothing is stored."""
    objects = list(shipped())
    contexts = {(sent.sop_class, (sent.transfer_syntax,)) for sent in objects}
    found = []
    for group in rounds(objects):
        association = requested(server.address, contexts)
        assert association.rejected_contexts == []
        statuses = [
            store(
                association,
                sent.bytes,
                sop_class=sent.sop_class,
                sop_instance=sent.uids["SOPInstanceUID"] or new_uid(),
                transfer_syntax=sent.transfer_syntax,
            ).Status
            for sent in group
        ]
        association.release()
        rows = server.instances()
        for sent, status in zip(group, statuses, strict=True):
            row = rows.get(sent.uids["SOPInstanceUID"])
            found.append((sent, status, row, data_set_of(row["path"]) if row else None))
    return found


def test_the_files_are_many_and_of_every_kind(results):
    """A filter that lets nothing pass would pass every other test."""
    sent = [sent for sent, *_ in results]
    assert len(sent) > 100
    assert {each.transfer_syntax for each in sent} == set(TRANSFER_SYNTAXES)
    assert {each.status for each in sent} == {SUCCESS, CANNOT_UNDERSTAND}


def test_each_is_answered_by_whether_it_has_its_four_uids(results):
    assert {sent.name: f"{status:04X}" for sent, status, *_ in results} == {
        sent.name: f"{sent.status:04X}" for sent, *_ in results
    }


def test_each_data_set_is_stored_byte_for_byte(results):
    kept = [(sent, data) for sent, _, _, data in results if sent.status == SUCCESS]
    assert [sent.name for sent, data in kept if data != sent.bytes] == []


def test_each_row_says_what_was_sent(results):
    for sent, _, row, _ in results:
        if sent.status != SUCCESS:
            assert row is None, sent.name
            continue
        assert row["sha256"] == hashlib.sha256(sent.bytes).hexdigest(), sent.name
        assert {
            "SOPClassUID": row["sop_class_uid"],
            "SOPInstanceUID": row["sop_instance_uid"],
            "StudyInstanceUID": row["study_instance_uid"],
            "SeriesInstanceUID": row["series_instance_uid"],
        } == sent.uids, sent.name
        assert row["transfer_syntax_uid"] == sent.transfer_syntax, sent.name
        assert row["modality"] == sent.modality, sent.name
