"""What is sent is DICOM: PDUs within the maximum, a Command Set, and the object that was meant."""

from __future__ import annotations

import io
import struct
from collections import Counter

import pydicom
import pytest

from benchmarks.clients import file_of
from benchmarks.messages import CONTEXT_IDS, Template, echoes, endless
from benchmarks.objects import CT, SHAPES, Shape, uid

from ..interop.wire import COMMAND, LAST, MAXIMUM_LENGTH, P_DATA, elements, pdus


@pytest.fixture(scope="module", params=["small", "several PDUs"])
def template(request):
    """Of an object that fits into a PDU, and of one that fills several."""
    return Template(SHAPES["warm-up"] if request.param == "small" else Shape(CT, 200, 100, 16))


def taken_apart(message):
    """The Command Set's values and the Data Set's bytes of a message's parts; each PDU is one fragment."""
    found, fragments = {0: b"", COMMAND: b""}, []
    for pdu in pdus(b"".join(message)):
        pdu_type, length, item_length, context_id, control = struct.unpack_from(">BxLLBB", pdu)
        assert (pdu_type, context_id, item_length) == (P_DATA, CONTEXT_IDS[CT], length - 4)
        assert length <= MAXIMUM_LENGTH
        found[control & COMMAND] += pdu[12:]
        fragments.append(control)
    assert fragments == sorted(fragments, key=lambda control: (not control & COMMAND, control & LAST))
    assert [control for control in fragments if control & LAST] == [COMMAND | LAST, LAST]
    return elements(found[COMMAND]), found[0]


def test_a_message_is_an_object_of_its_own(template):
    command, data_set = taken_apart(template.message(7, 1, 22, 333))
    assert command[0x0110] == "\x07"  # Message ID, two bytes of text to this reader
    assert command[0x1000] == uid(3, 333)
    assert command[0x0002] == CT
    assert data_set == template.data_set(1, 22, 333)
    read = pydicom.dcmread(io.BytesIO(data_set), force=True)
    assert (read.StudyInstanceUID, read.SeriesInstanceUID, read.SOPInstanceUID) == (
        uid(1, 1),
        uid(2, 22),
        uid(3, 333),
    )


def test_objects_differ_by_their_uids_alone(template):
    one, other = (template.data_set(1, 2, number) for number in (3, 4))
    assert len(one) == len(other) == template.data_bytes
    assert one.replace(uid(3, 3).encode(), uid(3, 4).encode()) == other


def test_an_object_has_what_a_modality_fills_in(template):
    read = pydicom.dcmread(io.BytesIO(template.data_set(1, 2, 3)), force=True)
    assert len(read) > 70
    assert sum(element.VR == "SQ" for element in read) >= 4
    assert len(read.PixelData) == template.shape.pixel_bytes


def test_a_studys_objects_belong_to_several_series_and_have_uids_of_their_own(template):
    read = [taken_apart(message) for message in template.messages(10, study=5)]
    data_sets = [pydicom.dcmread(io.BytesIO(data_set), force=True) for _, data_set in read]
    assert len({command[0x1000] for command, _ in read}) == 10
    assert {each.StudyInstanceUID for each in data_sets} == {uid(1, 5)}
    assert sorted(Counter(each.SeriesInstanceUID for each in data_sets).values()) == [1, 3, 3, 3]


def test_studies_follow_each_other_without_end(template):
    messages = endless(template, iter([8, 9]))
    uids = [taken_apart(next(messages))[0][0x1000] for _ in range(101)]
    assert len(set(uids)) == 101
    assert uids[-1] == uid(3, 900_000)


def test_echoes_are_one_pdu_each():
    for message in echoes(3):
        (pdu,) = pdus(b"".join(message))
        assert elements(pdu[12:])[0x0100] == 0x0030


def test_a_file_is_what_the_message_has(template):
    read = pydicom.dcmread(io.BytesIO(file_of(template, 1, 2, 3)))
    assert read.file_meta.MediaStorageSOPInstanceUID == read.SOPInstanceUID == uid(3, 3)
    assert file_of(template, 1, 2, 3).endswith(template.data_set(1, 2, 3))
