"""All elements of a small Data Set that lies in memory, as an Identifier does; the items of a sequence."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from sdcc.data_set.elements import (
    IMPLICIT_VR_LITTLE_ENDIAN,
    ITEM,
    NO_VR,
    SEQUENCE_DELIMITATION,
    UNDEFINED,
    Broken,
    Element,
    Encoding,
    Window,
    end_of_item,
    end_of_sequence,
)

#: What a sequence may come as; it is not known in Implicit VR.
SEQUENCE_VRS = (b"SQ", b"", b"UN")
_DELIMITATION_LENGTH = 8


class NotReadable(Exception):
    """The bytes are no Data Set. The text says where and why, and fits into an Error Comment."""

    def __init__(self, tag: int, reason: str) -> None:
        super().__init__(f"({tag >> 16:04X},{tag & 0xFFFF:04X}) {reason}")
        self.tag = tag


def read_elements(data: bytes, encoding: Encoding) -> Mapping[int, Element]:
    """The elements by tag. A sequence's value is its items, of whatever depth, as they lie.

    :raises NotReadable: see there.
    """
    found: dict[int, Element] = {}
    size = len(data)
    window = _window(data)
    position = tag = 0
    try:
        while position < size:
            try:
                tag, vr, start, length = encoding.read_header(data, position)
            except struct.error:
                raise Broken("no whole element follows") from None
            if tag >= ITEM:
                raise Broken("item out of place")
            if vr is NO_VR:
                raise Broken("has no valid VR")
            if tag in found:
                raise Broken("is there twice")
            if length == UNDEFINED:
                position = end_of_sequence(window, start, size, encoding.read_header, vr)
            else:
                position = start + length
            if position > size:
                raise Broken("runs past the end")
            found[tag] = Element(vr, data[start:position])
    except Broken as reason:
        raise NotReadable(tag, str(reason)) from None
    return found


def encoding_of_items(element: Element, encoding: Encoding) -> Encoding:
    """How the items of a sequence are encoded that stands among elements of an encoding (PS3.5 6.2.2)."""
    return IMPLICIT_VR_LITTLE_ENDIAN if element.vr == b"UN" else encoding


def items(value: bytes, encoding: Encoding) -> Iterator[bytes]:
    """The elements of each item of a sequence's value, as they lie.

    :raises NotReadable: what follows the items given so far is none.
    """
    size = len(value)
    window = _window(value)
    position = 0
    try:
        while position < size:
            try:
                tag, _, start, length = encoding.read_header(value, position)
            except struct.error:
                raise Broken("no whole item follows") from None
            if tag == SEQUENCE_DELIMITATION:
                return
            if tag != ITEM:
                raise Broken("item out of place")
            if length == UNDEFINED:
                position = end_of_item(window, start, size, encoding.read_header)
                yield value[start : position - _DELIMITATION_LENGTH]
            else:
                position = start + length
                if position > size:
                    raise Broken("runs past the end")
                yield value[start:position]
    except Broken as reason:
        raise NotReadable(ITEM, str(reason)) from None


def _window(data: bytes) -> Window:
    """All of it is at hand."""
    window = Window(lambda offset, length: data[offset : offset + length], len(data))
    window.data = data
    return window
