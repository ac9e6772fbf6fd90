"""The head of a DICOM file (PS3.10 7.1): preamble, prefix and File Meta Information, to bytes and back.

It says of an object what its announcement says, and nothing of the moment: the same object
always gets the same head. The Data Set that follows is nobody's business here.
"""

from __future__ import annotations

import struct

from sdcc.conformance import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from sdcc.interfaces import Announcement, Provenance
from sdcc.printable import ae_value

PREAMBLE = bytes(128)
PREFIX = b"DICM"

#: (0002,0000) UL, with its value: how many bytes of the group follow it.
_GROUP_LENGTH = struct.Struct("<HH2sHL")
#: The header of an element in Explicit VR Little Endian (PS3.5 7.1.2), and that of OB.
_SHORT = struct.Struct("<HH2sH")
_LONG = struct.Struct("<HH2s2xL")

_GROUP_LENGTH_OFFSET = len(PREAMBLE) + len(PREFIX)
#: The group length, which these first bytes of a file end with, counts what follows them.
COUNTED_FROM = _GROUP_LENGTH_OFFSET + _GROUP_LENGTH.size

#: A file of :func:`file_head` has fewer bytes before its Data Set.
LONGEST_HEAD = 1024

#: The VRs of group 0002 whose elements have the header of OB.
_LONG_VRS = (b"OB", b"UN", b"OW", b"UC", b"UR", b"UT")

#: (0002,0001) File Meta Information Version.
_VERSION = _LONG.pack(0x0002, 0x0001, b"OB", 2) + b"\x00\x01"


def file_head(announcement: Announcement) -> bytes:
    """Everything of a file that comes before its Data Set.

    :raises ValueError: a UID is longer than its element can be.
    """
    provenance = announcement.provenance
    calling_ae = _ae_title(provenance.calling_ae)
    group = b"".join(
        (
            _VERSION,
            _unique_identifier(0x0002, announcement.sop_class_uid),
            _unique_identifier(0x0003, announcement.sop_instance_uid),
            _unique_identifier(0x0010, announcement.transfer_syntax_uid),
            _unique_identifier(0x0012, IMPLEMENTATION_CLASS_UID),
            _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME.encode("ascii"), pad=b" "),
            _element(0x0016, b"AE", calling_ae, pad=b" "),  # Source
            _element(0x0017, b"AE", calling_ae, pad=b" "),  # Sending
            _element(0x0018, b"AE", _ae_title(provenance.called_ae), pad=b" "),  # Receiving
        )
    )
    return PREAMBLE + PREFIX + _GROUP_LENGTH.pack(0x0002, 0x0000, b"UL", 4, len(group)) + group


def data_set_offset(head: bytes) -> int:
    """Where the Data Set begins in a file whose first :data:`COUNTED_FROM` bytes these are.

    :raises ValueError: this is no DICOM file, or its File Meta Information has no group length.
    """
    if len(head) < COUNTED_FROM or not head.startswith(PREFIX, len(PREAMBLE)):
        raise ValueError("no DICOM file: the prefix DICM is missing")
    *element, length = _GROUP_LENGTH.unpack_from(head, _GROUP_LENGTH_OFFSET)
    if element != [0x0002, 0x0000, b"UL", 4]:
        raise ValueError("the File Meta Information does not begin with its group length")
    return COUNTED_FROM + int(length)


def announced(group: bytes) -> Announcement:
    """What a File Meta Information says of its object; the calling AE's address is in none.

    :param group: what lies between :data:`COUNTED_FROM` and the Data Set, in whatever order.
    :raises ValueError: it cannot be read, or has not all three UIDs.
    """
    values = _values(group)
    if missing := [f"(0002,{number:04X})" for number in (0x0002, 0x0003, 0x0010) if not values.get(number)]:
        raise ValueError(f"the File Meta Information has no {', '.join(missing)}")
    return Announcement(
        sop_class_uid=values[0x0002],
        sop_instance_uid=values[0x0003],
        transfer_syntax_uid=values[0x0010],
        provenance=Provenance(
            calling_ae=ae_value(values.get(0x0016, "")),
            called_ae=ae_value(values.get(0x0018, "")),
            calling_address="",
        ),
    )


def _values(group: bytes) -> dict[int, str]:
    """By element number, as text without its padding."""
    values, at = {}, 0
    while at < len(group):
        try:
            _, number, vr, length = _SHORT.unpack_from(group, at)
            header = _SHORT
            if vr in _LONG_VRS:
                header = _LONG
                _, number, vr, length = _LONG.unpack_from(group, at)
        except struct.error:
            length, header = len(group), _SHORT
        at += header.size
        if at + length > len(group):
            raise ValueError("the File Meta Information is cut short")
        values[number] = group[at : at + length].decode("ascii", "replace").strip(" \0")
        at += length
    return values


def _element(number: int, vr: bytes, value: bytes, *, pad: bytes) -> bytes:
    if len(value) % 2:
        value += pad
    return _SHORT.pack(0x0002, number, vr, len(value)) + value


def _unique_identifier(number: int, uid: str) -> bytes:
    value = uid.encode("ascii", "replace")
    if len(value) > 0xFFFE:
        raise ValueError(f"(0002,{number:04X}): a UID of {len(value)} bytes; at most 64 are allowed")
    return _element(number, b"UI", value, pad=b"\0")


def _ae_title(title: str) -> bytes:
    return ae_value(title).encode("ascii")
