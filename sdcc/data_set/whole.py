"""All elements of a small Data Set that lies in memory, as an Identifier does."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from sdcc.data_set.elements import ITEM, NO_VR, UNDEFINED, Broken, Element, Encoding, Window, end_of_sequence


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
    window = Window(lambda offset, length: data[offset : offset + length], size)
    window.data = data  # all of it is at hand
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
