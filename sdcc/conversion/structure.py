"""The elements of a Data Set: where each begins and ends, down to the innermost, and its VR.

Values are not looked at, but for what tells the VR of others. Where Implicit VR leaves the VR open, the
data dictionaries of pydicom say it, as far as they can.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from mmap import mmap
from typing import NamedTuple

from pydicom.datadict import dictionary_VR, private_dictionary_VR

from sdcc.conversion.faults import CannotEncode
from sdcc.data_set import elements
from sdcc.data_set.elements import Encoding

Bytes = bytes | mmap

PIXEL_DATA = 0x7FE00010
PIXEL_REPRESENTATION = 0x00280103
_LUT_DESCRIPTOR = 0x00283002
ITEM, ITEM_DELIMITATION, SEQUENCE_DELIMITATION = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
UNDEFINED = 0xFFFFFFFF

#: Sequences within sequences: the standard's own have a handful.
DEEPEST = 50
#: Elements of all levels together: the functional groups of ten thousand frames.
MOST_ELEMENTS = 1_000_000
#: Bytes of a value that tells the VR of others.
_LONGEST_VALUE = 64


@dataclass(frozen=True, slots=True)
class Element:
    """An element by its place."""

    tag: int
    #: "UN" where it is not known; :data:`~sdcc.data_set.elements.NO_VR` where there should be one.
    vr: bytes
    #: Of its header; of its value; of that and its delimitation.
    begin: int
    start: int
    stop: int
    end: int
    #: Of a sequence; None: it is none.
    items: tuple[tuple[Element, ...], ...] | None = None

    @property
    def is_of_undefined_length(self) -> bool:
        return self.end != self.stop

    @property
    def holds_encapsulated(self) -> bool:
        """Whether it is, or has within, what only its own Transfer Syntax can say."""
        if self.items is None:
            return self.is_of_undefined_length
        return any(inner.holds_encapsulated for item in self.items for inner in item)


def read(data: Bytes, begin: int, encoding: Encoding) -> tuple[Element, ...]:
    """The elements of the Data Set that is all that follows `begin`.

    :raises CannotEncode: it does not keep to the rules of PS3.5 section 7.
    """
    return _Reader(data).data_set(begin, len(data), _Around(encoding))[0]


def name(tag: int) -> str:
    """`(0028,0010)`"""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


class _Around(NamedTuple):
    """What holds for the elements of one Data Set from without."""

    encoding: Encoding
    #: Sequences that it lies in.
    depth: int = 0
    #: Pixel Representation.
    is_signed: bool = False


class _Reader:
    def __init__(self, data: Bytes) -> None:
        self._data = data
        self._count = 0

    def data_set(self, position: int, end: int, around: _Around) -> tuple[tuple[Element, ...], int]:
        """The elements up to `end` or an Item Delimitation, and where what follows them begins."""
        found: list[Element] = []
        level = _Level(self._data, around)
        while position < end:
            tag, vr, start, length = self._header(position, end, around.encoding)
            if tag == ITEM_DELIMITATION and around.depth:
                return tuple(found), start
            if tag >> 16 == ITEM >> 16:
                raise CannotEncode(f"{name(tag)} is out of place")
            if around.encoding is elements.IMPLICIT_VR_LITTLE_ENDIAN:
                vr = level.vr(tag, length)
            inner = _Around(around.encoding, around.depth + 1, level.is_signed)
            if length == UNDEFINED:
                element = self._undefined(Element(tag, vr, position, start, end, end), inner)
            else:
                stop = start + length
                element = self._defined(Element(tag, vr, position, start, stop, stop), end, inner)
            level.note(element)
            found.append(element)
            position = element.end
        return tuple(found), position

    def _defined(self, element: Element, end: int, inner: _Around) -> Element:
        if element.stop > end:
            raise CannotEncode(f"{name(element.tag)} runs past the end")
        if element.vr != b"SQ":
            return element
        try:
            items, _, _ = self._items(element, inner)
        except CannotEncode:
            # The private dictionary may mean another version of what the creator made.
            if inner.encoding is elements.IMPLICIT_VR_LITTLE_ENDIAN and element.tag >> 16 & 1:
                return replace(element, vr=b"UN")
            raise
        return replace(element, items=items)

    def _undefined(self, element: Element, inner: _Around) -> Element:
        """:param element: ends, for the time being, where it must have ended."""
        if element.tag == PIXEL_DATA and element.vr != b"SQ":
            stop, after = self._fragments(element, inner.encoding)
            return replace(element, stop=stop, end=after)
        if element.vr == b"UN":  # PS3.5 6.2.2
            inner = inner._replace(encoding=elements.IMPLICIT_VR_LITTLE_ENDIAN)
        items, stop, after = self._items(element, inner)
        if after == stop:
            raise CannotEncode(f"{name(element.tag)} has no end")
        return replace(element, stop=stop, end=after, items=items)

    def _items(self, element: Element, inner: _Around) -> tuple[tuple[tuple[Element, ...], ...], int, int]:
        """The items, where they end, and where what follows the sequence begins."""
        if inner.depth > DEEPEST:
            raise CannotEncode(f"sequences lie more than {DEEPEST} deep")
        items: list[tuple[Element, ...]] = []
        position, end = element.start, element.stop
        while position < end:
            item, _, start, length = self._header(position, end, inner.encoding)
            if item == SEQUENCE_DELIMITATION:
                return tuple(items), position, start
            if item != ITEM:
                raise CannotEncode(f"{name(element.tag)} holds what is no item")
            stop = end if length == UNDEFINED else start + length
            if stop > end:
                raise CannotEncode(f"an item of {name(element.tag)} runs past the end")
            found, position = self.data_set(start, stop, inner)
            items.append(found)
        return tuple(items), end, end

    def _fragments(self, element: Element, encoding: Encoding) -> tuple[int, int]:
        """Where encapsulated Pixel Data ends (PS3.5 A.4), and where what follows it begins."""
        position, end = element.start, element.stop
        while position < end:
            item, _, start, length = self._header(position, end, encoding)
            if item == SEQUENCE_DELIMITATION:
                return position, start
            if item != ITEM or start + length > end:
                break
            position = start + length
        raise CannotEncode("the encapsulated Pixel Data has no end")

    def _header(self, position: int, end: int, encoding: Encoding) -> tuple[int, bytes, int, int]:
        self._count += 1
        if self._count > MOST_ELEMENTS:
            raise CannotEncode(f"there are more than {MOST_ELEMENTS} elements")
        try:
            header = encoding.read_header(self._data, position)  # type: ignore[arg-type]
        except struct.error:
            raise CannotEncode("the last element is cut short") from None
        if header[2] > end:
            raise CannotEncode("the last element is cut short")
        return header


class _Level:
    """What the elements of one Data Set so far say of the VRs of those that follow."""

    def __init__(self, data: Bytes, around: _Around) -> None:
        self._data = data
        self._order = around.encoding.byte_order
        self.is_signed = around.is_signed
        self._has_one_value = False
        self._creators: dict[int, str] = {}

    def note(self, element: Element) -> None:
        tag = element.tag
        if tag == PIXEL_REPRESENTATION:
            self.is_signed = self._number(element) == 1
        elif tag == _LUT_DESCRIPTOR:
            self._has_one_value = self._number(element) == 1
        elif tag >> 16 & 1 and 0x10 <= tag & 0xFFFF <= 0xFF:
            value = self._data[element.start : min(element.stop, element.start + _LONGEST_VALUE)]
            self._creators[tag] = value.decode("ascii", "replace").strip(" \0")

    def vr(self, tag: int, length: int) -> bytes:
        """Of an element in Implicit VR."""
        vr = self._listed(tag)
        if length == UNDEFINED and tag != PIXEL_DATA:
            return b"SQ"
        match vr:
            case "US or SS" | "US or SS or OW":
                return b"SS" if self.is_signed else b"US"
            case "OB or OW":
                return b"OW"
            case "US or OW":
                return b"US" if self._has_one_value else b"OW"
        return vr.encode("ascii")

    def _listed(self, tag: int) -> str:
        group, number = tag >> 16, tag & 0xFFFF
        if number == 0:
            return "UL"
        try:
            if not group & 1:
                return dictionary_VR(tag)
            if 0x10 <= number <= 0xFF:
                return "LO"
            return private_dictionary_VR(tag, self._creators[group << 16 | number >> 8])
        except KeyError:
            return "UN"

    def _number(self, element: Element) -> int:
        return int.from_bytes(self._data[element.start : element.start + 2], self._order)
