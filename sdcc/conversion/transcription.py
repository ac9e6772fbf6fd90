"""A Data Set's elements written in another encoding (PS3.5 section 7); their values stay what they are.

Byte order apart nothing of a value is changed, and it is not held in memory either; one of odd length, which
there must not be (PS3.5 7.1.1), is padded. Sequences and items get undefined lengths, so that what is
written need not be known beforehand. Group Lengths and Length to End, retired long ago, would be wrong and
are left out.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sdcc.conformance import EXPLICIT_VR_BIG_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from sdcc.conversion.faults import CannotEncode
from sdcc.conversion.structure import (
    ITEM,
    ITEM_DELIMITATION,
    SEQUENCE_DELIMITATION,
    UNDEFINED,
    Bytes,
    Element,
    name,
)
from sdcc.data_set import elements
from sdcc.data_set.elements import NO_VR, SHORT_VRS, Encoding

ENCODINGS: Mapping[str, Encoding] = {
    IMPLICIT_VR_LITTLE_ENDIAN: elements.IMPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN: elements.EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN: elements.EXPLICIT_VR_BIG_ENDIAN,
}

LENGTH_TO_END = 0x00080001

#: Bytes copied at once; a multiple of every unit.
_BLOCK = 1 << 20
#: Bytes of the longest value of SHORT_VRS.
_LONGEST_SHORT = 0xFFFE
#: Bytes that the byte order turns round (PS3.5 7.3), of those VRs that have more than one.
_UNITS: Mapping[bytes, int] = {
    **dict.fromkeys((b"AT", b"OW", b"SS", b"US"), 2),
    **dict.fromkeys((b"FL", b"OF", b"OL", b"SL", b"UL"), 4),
    **dict.fromkeys((b"FD", b"OD", b"OV", b"SV", b"UV"), 8),
}

#: Those padded with a space, others with NUL (PS3.5 6.2).
_TEXT_VRS = frozenset(b"AE AS CS DA DS DT IS LO LT PN SH ST TM UC UR UT".split())

Write = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class Value:
    """What takes the place of an element, or is put between others."""

    vr: bytes
    #: Bytes in the target's byte order.
    length: int
    blocks: Iterable[bytes]


#: What is to stand in one Data Set, by tag, in place of what is there; None: nothing.
Changes = Mapping[int, Value | None]


def _none(found: Sequence[Element]) -> Changes:
    return {}


class Transcriber:
    """Writes elements of one Data Set in one target encoding.

    :param changes: asked of the elements of each Data Set, those of items included.
    """

    def __init__(
        self,
        data: Bytes,
        source: Encoding,
        target: Encoding,
        write: Write,
        changes: Callable[[Sequence[Element]], Changes] = _none,
    ) -> None:
        self._data = data
        self._changes = changes
        self._source = source
        self._target = target
        self._write = write
        order = "<" if target.byte_order == "little" else ">"
        self._is_implicit = target is elements.IMPLICIT_VR_LITTLE_ENDIAN
        self._implicit = struct.Struct(order + "HHI").pack
        self._short = struct.Struct(order + "HH2sH").pack
        self._long = struct.Struct(order + "HH2s2xI").pack

    def data_set(self, found: Sequence[Element]) -> None:
        """All of a Data Set."""
        changes = self._changes(found)
        pending = dict(sorted(changes.items()))
        for element in found:
            while pending and (first := next(iter(pending))) <= element.tag:
                self._change(first, pending.pop(first))
            if element.tag not in changes and not _is_retired_length(element.tag):
                self._copy(element)
        for tag, value in pending.items():
            self._change(tag, value)

    def _change(self, tag: int, value: Value | None) -> None:
        if value is None:
            return
        self._header(tag, value.vr, value.length)
        for block in value.blocks:
            self._write(block)

    def _copy(self, element: Element) -> None:
        if self._can_stay(element):
            self._bytes(element.begin, element.end)
        elif element.vr == b"UN" and element.is_of_undefined_length:
            self._unknown_sequence(element)
        elif element.items is not None:
            self._sequence(element.tag, element.items)
        elif element.is_of_undefined_length:
            raise CannotEncode(f"{name(element.tag)} is encapsulated where it cannot be decoded")
        else:
            self._value(element)

    def _can_stay(self, element: Element) -> bool:
        is_even = not (element.end - element.begin) % 2
        return self._source is self._target and is_even and not element.holds_encapsulated

    def _unknown_sequence(self, element: Element) -> None:
        """It is in Implicit VR Little Endian in all encodings (PS3.5 6.2.2), but for what delimits it."""
        if (element.stop - element.start) % 2 or element.holds_encapsulated:
            raise CannotEncode(f"{name(element.tag)} has no VR and holds what cannot stay")
        self._header(element.tag, b"UN", UNDEFINED)
        self._bytes(element.start, element.stop)
        self._delimitation(SEQUENCE_DELIMITATION, 0)

    def _sequence(self, tag: int, items: Iterable[Sequence[Element]]) -> None:
        self._header(tag, b"SQ", UNDEFINED)
        for item in items:
            self._delimitation(ITEM, UNDEFINED)
            self.data_set(item)
            self._delimitation(ITEM_DELIMITATION, 0)
        self._delimitation(SEQUENCE_DELIMITATION, 0)

    def _value(self, element: Element) -> None:
        length = element.stop - element.start
        padding = length % 2
        vr = element.vr
        if vr in SHORT_VRS and length + padding > _LONGEST_SHORT and not self._is_implicit:
            vr = b"UN"  # PS3.5 6.2.2; and so in Little Endian, as it is nowhere else so long
        self._header(element.tag, vr, length + padding)
        unit = _UNITS.get(vr, 1)
        if unit == 1 or self._source.byte_order == self._target.byte_order:
            self._bytes(element.start, element.stop)
        else:
            for block in self._blocks(element.start, element.stop):
                self._write(turned_round(block, unit))
        if padding:
            self._write(b" " if vr in _TEXT_VRS else bytes(1))

    def _header(self, tag: int, vr: bytes, length: int) -> None:
        group, number = tag >> 16, tag & 0xFFFF
        if self._is_implicit:
            self._write(self._implicit(group, number, length))
        elif vr == NO_VR:
            raise CannotEncode(f"{name(tag)} has no valid VR")
        elif vr in SHORT_VRS:
            self._write(self._short(group, number, vr, length))
        else:
            self._write(self._long(group, number, vr, length))

    def _delimitation(self, tag: int, length: int) -> None:
        self._write(self._implicit(tag >> 16, tag & 0xFFFF, length))

    def _bytes(self, start: int, stop: int) -> None:
        for block in self._blocks(start, stop):
            self._write(block)

    def _blocks(self, start: int, stop: int) -> Iterator[bytes]:
        for at in range(start, stop, _BLOCK):
            yield self._data[at : min(stop, at + _BLOCK)]


def turned_round(data: bytes, unit: int) -> bytes:
    """Every `unit` bytes in the other order; what is left over at the end stays."""
    whole = len(data) - len(data) % unit
    turned = bytearray(data)
    for at in range(unit):
        turned[at:whole:unit] = data[unit - 1 - at : whole : unit]
    return bytes(turned)


def _is_retired_length(tag: int) -> bool:
    return not tag & 0xFFFF or tag == LENGTH_TO_END
