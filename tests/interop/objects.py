"""Objects to send: made by hand in Explicit VR Little Endian, and those that pydicom brings."""

from __future__ import annotations

import hashlib
import struct
from itertools import count
from pathlib import Path

import pydicom

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
MULTIFRAME_US = "1.2.840.10008.5.1.4.1.1.3.1"

#: Statement 2.3.2.2.1, typed from it.
TRANSFER_SYNTAXES = [
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.5",
]
#: Where pydicom keeps its files; those that it would have to download are not here.
SHIPPED = Path(pydicom.__file__).parent / "data"

_numbers = count(1)


def new_uid():
    """A UID that no other object of this run has."""
    return f"1.2.826.0.1.3680043.9.7307.{next(_numbers)}"


def element(group, number, vr, value):
    """An element in Explicit VR Little Endian, padded to even length."""
    if isinstance(value, str):
        value = value.encode() + (b"\0" if vr == "UI" else b" ") * (len(value) % 2)
    return header(group, number, vr, len(value)) + value


def header(group, number, vr, length):
    if vr in ("OB", "OW", "SQ", "UN", "UT"):
        return struct.pack("<HH2s2xL", group, number, vr.encode(), length)
    return struct.pack("<HH2sH", group, number, vr.encode(), length)


def head(*, instance, sop_class=CT, study="1.2.3", series="1.2.3.1"):
    """The elements before the Pixel Data; those that are None are left out."""
    return b"".join(
        element(group, number, vr, value)
        for group, number, vr, value in (
            (0x0008, 0x0016, "UI", sop_class),
            (0x0008, 0x0018, "UI", instance),
            (0x0010, 0x0010, "PN", "Sent^By^Test"),
            (0x0020, 0x000D, "UI", study),
            (0x0020, 0x000E, "UI", series),
        )
        if value is not None
    )


def data_set(*, pixels=b"\x01\x02" * 64, **values):
    """A whole Data Set; `values` as :func:`head` has them."""
    return head(**values) + element(0x7FE0, 0x0010, "OW", pixels)


def _end_of_meta(data):
    """Where the first element beyond group 0002 of a PS3.10 file begins; `data` is its head, or all of it."""
    assert data[128:132] == b"DICM"
    position = 132
    while data[position : position + 2] == b"\x02\x00":
        vr, length = struct.unpack_from("<2sH", data, position + 4)
        position += 8
        if vr in (b"OB", b"UN"):
            (length,) = struct.unpack_from("<L", data, position)
            position += 4
        position += length
    return position


def data_set_of(path):
    """The bytes of a file's Data Set."""
    data = Path(path).read_bytes()
    return data[_end_of_meta(data) :]


def data_set_sha256(path):
    """The same bytes' hash, however many they are."""
    with Path(path).open("rb") as file:
        file.seek(_end_of_meta(file.read(4096)))
        return hashlib.file_digest(file, "sha256").hexdigest()
