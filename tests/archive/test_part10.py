"""The head of a DICOM file, byte by byte."""

from __future__ import annotations

from io import BytesIO

import pydicom
import pytest

from sdcc.archive.part10 import COUNTED_FROM, LONGEST_HEAD, data_set_offset, file_head
from sdcc.interfaces import Provenance

#: Typed from PS3.10 7.1: an element a line.
GOLDEN = (
    bytes(128)
    + b"DICM"
    + b"\x02\x00\x00\x00UL\x04\x00" + b"\xb4\x00\x00\x00"  # 14 + 34 + 16 + 28 + 36 + 16 + 3 * 12
    + b"\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00" + b"\x00\x01"
    + b"\x02\x00\x02\x00UI\x1a\x00" + b"1.2.840.10008.5.1.4.1.1.2\x00"
    + b"\x02\x00\x03\x00UI\x08\x00" + b"1.2.3.4\x00"
    + b"\x02\x00\x10\x00UI\x14\x00" + b"1.2.840.10008.1.2.1\x00"
    + b"\x02\x00\x12\x00UI\x1c\x00" + b"1.2.392.100224.1.2002.100.5\x00"
    + b"\x02\x00\x13\x00SH\x08\x00" + b"SDCC 1.1"
    + b"\x02\x00\x16\x00AE\x04\x00" + b"CT01"
    + b"\x02\x00\x17\x00AE\x04\x00" + b"CT01"
    + b"\x02\x00\x18\x00AE\x04\x00" + b"SDCC"
)  # fmt: skip


@pytest.fixture
def head_of(build):
    def head_of(*, calling_ae="CT01", called_ae="SDCC", **changes):
        provenance = Provenance(calling_ae=calling_ae, called_ae=called_ae, calling_address="192.0.2.7")
        return file_head(build.announcement(provenance=provenance, **changes))

    return head_of


def test_the_head_is_what_the_standard_says(head_of):
    assert head_of() == GOLDEN


def test_no_head_is_longer_than_is_said(head_of):
    """Small files are read in one go, and that shows where they end."""
    uids = dict.fromkeys(("sop_class_uid", "sop_instance_uid", "transfer_syntax_uid"), "1." + "2" * 62)
    assert len(head_of(calling_ae="C" * 16, called_ae="D" * 16, **uids)) < LONGEST_HEAD


def test_the_same_object_gets_the_same_head(head_of):
    assert head_of() == head_of()


def test_pydicom_reads_the_head(head_of):
    meta = pydicom.dcmread(BytesIO(head_of())).file_meta
    assert [(int(element.tag), element.VR, element.value) for element in meta] == [
        (0x00020000, "UL", len(GOLDEN) - COUNTED_FROM),
        (0x00020001, "OB", b"\x00\x01"),
        (0x00020002, "UI", "1.2.840.10008.5.1.4.1.1.2"),
        (0x00020003, "UI", "1.2.3.4"),
        (0x00020010, "UI", "1.2.840.10008.1.2.1"),
        (0x00020012, "UI", "1.2.392.100224.1.2002.100.5"),
        (0x00020013, "SH", "SDCC 1.1"),
        (0x00020016, "AE", "CT01"),
        (0x00020017, "AE", "CT01"),
        (0x00020018, "AE", "SDCC"),
    ]


@pytest.mark.parametrize("length", [1, 2, 15, 16, 63, 64])
def test_values_of_every_length_are_padded_to_even(head_of, length):
    uid, title = "1" * length, "A" * min(length, 16)
    head = head_of(sop_instance_uid=uid, calling_ae=title)
    assert len(head) % 2 == 0
    assert data_set_offset(head) == len(head)
    assert b"UI" + bytes([length + length % 2, 0]) + uid.encode() + b"\0" * (length % 2) + b"\x02\x00" in head
    padded = title.encode() + b" " * (len(title) % 2)
    assert b"AE" + bytes([len(padded), 0]) + padded + b"\x02\x00" in head


@pytest.mark.parametrize(
    ("title", "value"),
    [
        ("CT01", b"CT01"),
        ("  CT 01  ", b"CT 01 "),
        ("SIXTEEN CHARS OK", b"SIXTEEN CHARS OK"),
        ("SEVENTEEN CHARS!!", b"SEVENTEEN CHARS!"),
        ("FIFTEEN CHARS A then more", b"FIFTEEN CHARS A "),
        ("A\\B", b"A?B "),
        ("A\0B\x1b\n\x7f", b"A?B???"),
        ("Größe", b"Gr??e "),
        ("診断\ufffd", b"??? "),
        ("../../etc", b"../../etc "),
        ("~[]", b"~[] "),
        ("", b""),
        ("   ", b""),
        ("A" * 100_000, b"A" * 16),
    ],
)
def test_what_no_ae_value_may_hold_is_replaced(head_of, title, value):
    head = head_of(calling_ae=title, called_ae=title)
    source, sending, receiving = (
        b"\x02\x00" + number + b"\x00AE" + bytes([len(value), 0]) + value
        for number in (b"\x16", b"\x17", b"\x18")
    )
    assert head.endswith(source + sending + receiving)
    assert data_set_offset(head) == len(head)


def test_a_uid_that_is_not_ascii_still_makes_a_head_that_is_read(head_of):
    head = head_of(sop_instance_uid="1.2.é")
    assert b"\x02\x00\x03\x00UI\x06\x001.2.?\0\x02\x00" in head
    assert data_set_offset(head) == len(head)


def test_a_uid_longer_than_an_element_is_refused(head_of):
    head_of(sop_instance_uid="1" * 0xFFFE)
    with pytest.raises(ValueError, match=r"\(0002,0003\).*65535 bytes.*at most 64"):
        head_of(sop_instance_uid="1" * 0xFFFF)


def test_the_data_set_begins_after_the_head(head_of):
    head = head_of()
    assert data_set_offset(head[:COUNTED_FROM]) == len(head)
    assert data_set_offset(head + b"a Data Set") == len(head)


@pytest.mark.parametrize("length", [0, 1, 127, 128, 131, 132, 143])
def test_a_head_cut_short_is_no_dicom_file(head_of, length):
    with pytest.raises(ValueError, match="no DICOM file"):
        data_set_offset(head_of()[:length])


@pytest.mark.parametrize(
    ("offset", "damage", "message"),
    [
        (128, b"DICN", "no DICOM file"),
        (132, b"\x02\x00\x01\x00", "group length"),
        (132, b"\x08\x00\x00\x00", "group length"),
        (136, b"OB", "group length"),
        (138, b"\x02\x00", "group length"),
    ],
)
def test_another_file_is_told_apart(head_of, offset, damage, message):
    head = bytearray(head_of())
    head[offset : offset + len(damage)] = damage
    with pytest.raises(ValueError, match=message):
        data_set_offset(bytes(head))
