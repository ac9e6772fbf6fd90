"""The walk over a Data Set's leading elements (PS3.5 section 7), which keeps the wanted ones.

Only headers and wanted values are read; all else is passed over by its length. Nested Data Sets
are walked, without recursion, where nothing but their delimitation tells their end. Nothing here
knows what an element means, or where the bytes come from.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, NamedTuple

#: `read(offset, length)` gives these bytes of the Data Set; fewer only at its end.
Read = Callable[[int, int], bytes]

#: Bytes of a wanted value that are kept.
LONGEST_VALUE = 4096
#: Bytes read at once: to begin with, after a leap over a value, and at most.
FIRST_READ, READ_AFTER_LEAP, LONGEST_READ = 16 * 1024, 1024, 64 * 1024
#: Bytes read in search of headers: half a million of the smallest, a second of work. After that a Data Set is
#: given up.
MOST_READ = 4 * 1024 * 1024
#: Elements beyond the last one wanted that are passed in search of a required one.
MOST_STRAYS = 16

#: The length of what only its delimitation ends.
UNDEFINED = 0xFFFFFFFF
_LONGEST_HEADER = 12
_PIXEL_DATA = 0x7FE00010
#: The first of the tags that are no element's.
ITEM = 0xFFFEE000
_ITEM_DELIMITATION, SEQUENCE_DELIMITATION = 0xFFFEE00D, 0xFFFEE0DD
_BETWEEN_ITEMS = (ITEM, SEQUENCE_DELIMITATION)
_DELIMITATIONS = (_ITEM_DELIMITATION, SEQUENCE_DELIMITATION)

#: In Explicit VR, those whose length has 16 bits; that of others has 32, after two bytes that are nothing.
SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_IN_PLACE_OF_A_VR = (b"\0\0", b"??", b"  ", b"--")
#: Given for the VR of an element of Explicit VR that has none.
NO_VR = b"??"

#: A tag, its VR (empty in Implicit VR), where the value begins, its length.
_Header = tuple[int, bytes, int, int]
#: Reads the header that begins at an offset of some bytes; struct.error where not all of it is there.
_ReadHeader = Callable[[bytes, int], _Header]
#: Passes the plain elements that begin at an offset of some bytes, and keeps those of them that are wanted;
#: gives the offset of the first that is not plain.
_PassPlain = Callable[[bytes, int, frozenset[int], "dict[int, Element]"], int]


class Element(NamedTuple):
    """A wanted element."""

    #: Empty in Implicit VR.
    vr: bytes
    value: bytes


@dataclass(slots=True)
class LeadingElements:
    """What a walk has found."""

    #: By tag, the outermost Data Set's only. Of two with the same tag, the first.
    elements: dict[int, Element] = field(default_factory=dict)
    #: What was wrong but could be passed: of each kind the first tag.
    faults: dict[str, int] = field(default_factory=dict)
    #: What ended the walk early, in at most 24 characters, and the tag where it happened.
    broken: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """A Transfer Syntax as far as elements are concerned (PS3.5 Annex A)."""

    byte_order: Literal["little", "big"]
    read_header: _ReadHeader
    pass_plain: _PassPlain


def _implicit_vr(order: str) -> _ReadHeader:
    """PS3.5 7.1.3."""
    unpack = struct.Struct(order + "HHI").unpack_from

    def read_header(data: bytes, at: int) -> _Header:
        group, number, length = unpack(data, at)
        return group << 16 | number, b"", at + 8, length

    return read_header


def _explicit_vr(order: str) -> _ReadHeader:
    """PS3.5 7.1.2, and a reading for what is no VR."""
    unpack = struct.Struct(order + "HH2sH").unpack_from
    unpack_length = struct.Struct(order + "I").unpack_from

    def read_header(data: bytes, at: int) -> _Header:
        group, number, vr, length = unpack(data, at)
        tag = group << 16 | number
        if vr in SHORT_VRS:
            return tag, vr, at + 8, length
        if vr in _LONG_VRS:
            return tag, vr, at + 12, unpack_length(data, at + 8)[0]
        if group == 0xFFFE:
            return tag, b"", at + 8, unpack_length(data, at + 4)[0]
        if vr.isalpha() and vr.isupper() and not length:
            # A VR that the standard has yet to define: its length has 32 bits.
            return tag, vr, at + 12, unpack_length(data, at + 8)[0]
        if vr in _IN_PLACE_OF_A_VR or vr.isalpha():
            return tag, NO_VR, at + 8, length
        # Half of a 32-bit length: some senders copy elements of Implicit VR as they are.
        return tag, NO_VR, at + 8, unpack_length(data, at + 4)[0]

    return read_header


@lru_cache(maxsize=4)
def _as_little_endian(tags: frozenset[int]) -> Mapping[int, int]:
    """Tags by the number that their four bytes make if read at once: the group in its lower half."""
    return {tag >> 16 | (tag & 0xFFFF) << 16: tag for tag in tags}


def _pass_little_endian(header: str, plain_vrs: frozenset[bytes]) -> _PassPlain:
    """Little Endian, in which most come: a call for each element took most of the time.

    Plain is what has one of these VRs and is not beyond the last that is wanted; of the wanted, what is not
    long, not there twice, and all at hand with the header that follows.

    :param header: of 8 bytes: the tag as one number, the VR, and the length.
    """
    unpack = struct.Struct(header).unpack_from

    def pass_plain(data: bytes, at: int, wanted: frozenset[int], elements: dict[int, Element]) -> int:
        tags, last = _as_little_endian(wanted), max(wanted)
        last_group, last_number = last >> 16, last & 0xFFFF
        room = len(data) - _LONGEST_HEADER
        end = at
        try:
            while True:
                tag_bytes, vr, length = unpack(data, end)
                at = end
                if vr not in plain_vrs:
                    return at
                end = at + 8 + length
                if tag_bytes in tags:
                    tag = tags[tag_bytes]
                    if tag in elements or length > LONGEST_VALUE or end > room:
                        return at
                    elements[tag] = Element(vr, data[at + 8 : end])
                    at = end
                elif (group := tag_bytes & 0xFFFF) >= last_group and (
                    group > last_group or tag_bytes >> 16 > last_number
                ):
                    return at
        except struct.error:
            return at  # where what follows is not at hand

    return pass_plain


def _pass_none(data: bytes, at: int, wanted: frozenset[int], elements: dict[int, Element]) -> int:
    """What is rare can take its time."""
    return at


IMPLICIT_VR_LITTLE_ENDIAN = Encoding(
    "little", _implicit_vr("<"), _pass_little_endian("<I0sI", frozenset((b"",)))
)
EXPLICIT_VR_LITTLE_ENDIAN = Encoding("little", _explicit_vr("<"), _pass_little_endian("<I2sH", SHORT_VRS))
EXPLICIT_VR_BIG_ENDIAN = Encoding("big", _explicit_vr(">"), _pass_none)


class Broken(Exception):
    """A walk cannot go on. The text, of at most 24 characters, says why."""


class Window:
    """The part of the Data Set at hand, which moves on as more is asked for."""

    __slots__ = ("_allowance", "_length", "_read", "_size", "begin", "data")

    def __init__(self, read: Read, size: int) -> None:
        self._read = read
        self._size = size
        self._length = min(FIRST_READ, size)
        self._allowance = MOST_READ
        self.begin = 0
        self.data = read(0, self._length)

    def move(self, position: int) -> None:
        """Begin at `position`, as what is at hand from there on holds no whole header."""
        if position == self.begin:
            raise Broken("no whole element follows")
        leapt = position > self.begin + len(self.data) + READ_AFTER_LEAP
        self._length = READ_AFTER_LEAP if leapt else min(2 * self._length, LONGEST_READ)
        self._allowance -= self._length
        if self._allowance < 0:
            raise Broken("too many elements")
        self.begin = position
        self.data = self._read(position, min(self._length, self._size - position))

    def value(self, position: int, length: int) -> bytes:
        """The value that begins at `position`, of which all, a part or nothing may be at hand."""
        start = position - self.begin
        value = self.data[start : start + length] if start >= 0 else b""
        return value if len(value) == length else self._read(position, length)


def read_leading_elements(
    read: Read,
    size: int,
    encoding: Encoding,
    wanted: frozenset[int],
    required: frozenset[int],
    *,
    sequences: frozenset[int] = frozenset(),
) -> LeadingElements:
    """Walk a Data Set of `size` bytes until the highest wanted tag is passed, or Pixel Data met.

    Elements beyond are only passed while one of `required` is missing, and few of them. Raises
    nothing of its own, whatever the bytes; time and reads are in proportion to the headers passed.

    :param sequences: those of `wanted` whose values, items of whatever depth, are kept as they lie, though
        it be their delimitation that ends them.
    """
    found = LeadingElements()
    read_header = encoding.read_header
    window = Window(read, size)
    last, strays = max(wanted), 0
    position = tag = 0
    try:
        while position < size:
            begin = encoding.pass_plain(window.data, position - window.begin, wanted, found.elements)
            position = window.begin + begin
            try:
                header = read_header(window.data, begin)
            except struct.error:
                window.move(position)
                continue
            tag, vr, start, length = header
            if last < tag < ITEM:
                strays += 1
                if tag == _PIXEL_DATA or strays > MOST_STRAYS or found.elements.keys() >= required:
                    break
            position = value_at = window.begin + start
            if length == UNDEFINED:
                position = end_of_sequence(window, position, size, read_header, vr)
                if tag in sequences:
                    length = position - value_at
            else:
                position += length
                if position > size:
                    raise Broken("runs past the end")
            if tag in wanted:
                _keep(found, window, (tag, vr, value_at, length))
            if vr is NO_VR or tag >= ITEM:
                found.faults.setdefault("has no valid VR" if vr is NO_VR else "item out of place", tag)
    except Broken as reason:
        found.broken = str(reason), tag
    return found


def _keep(found: LeadingElements, window: Window, header: _Header) -> None:
    """Here the header's value begins at a position in the Data Set."""
    tag, vr, position, length = header
    if tag in found.elements:
        found.faults.setdefault("is there twice", tag)
    elif length == UNDEFINED:
        found.faults.setdefault("is a sequence", tag)
    else:
        found.elements[tag] = Element(vr, window.value(position, min(length, LONGEST_VALUE)))
        if length > LONGEST_VALUE:
            found.faults.setdefault("too long, cut", tag)


def end_of_sequence(window: Window, position: int, size: int, read_header: _ReadHeader, vr: bytes) -> int:
    """Behind the delimitation of the sequence of undefined length whose first item is at `position`."""
    return _end(window, position, size, read_header, vr, depth=1)


def end_of_item(window: Window, position: int, size: int, read_header: _ReadHeader) -> int:
    """Behind the delimitation of the item of undefined length whose first element is at `position`."""
    return _end(window, position, size, read_header, b"", depth=2)


def _end(window: Window, position: int, size: int, read_header: _ReadHeader, vr: bytes, *, depth: int) -> int:
    """Where what is of undefined length ends whose content begins at `position` (PS3.5 7.5).

    Depth is odd between the items of a sequence, and even among the elements of an item. A
    sequence of VR UN is encoded in Implicit VR Little Endian throughout (PS3.5 6.2.2).
    """
    outer, outside, unknown_at = read_header, depth - 1, 0
    if vr == b"UN":
        read_header, unknown_at = IMPLICIT_VR_LITTLE_ENDIAN.read_header, depth
    while position < size:
        try:
            tag, vr, start, length = read_header(window.data, position - window.begin)
        except struct.error:
            window.move(position)
            continue
        position = window.begin + start
        if (depth & 1) != (tag in _BETWEEN_ITEMS):
            raise Broken("item out of place")
        if tag in _DELIMITATIONS:
            if depth == unknown_at:
                read_header = outer
            depth -= 1
            if depth == outside:
                return position
        elif length == UNDEFINED:
            depth += 1
            if vr == b"UN":
                read_header, unknown_at = IMPLICIT_VR_LITTLE_ENDIAN.read_header, depth
        else:
            position += length
    raise Broken("has no end")
