"""Sequences of a Data Set as the index holds them: of each item some attributes, as JSON's text.

Tolerant, as :mod:`sdcc.archive.attributes` is: what cannot be read is left out, and told of. Nothing here
raises for what the bytes are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache

from pydicom.datadict import keyword_for_tag

from sdcc.data_set.elements import LONGEST_VALUE, Element, Encoding, read_leading_elements
from sdcc.data_set.text import SPECIFIC_CHARACTER_SET, Repertoire, repertoire
from sdcc.data_set.values import READERS, Reader
from sdcc.data_set.whole import SEQUENCE_VRS, NotReadable, encoding_of_items, items
from sdcc.indexed import ItemAttribute

#: Items of a sequence that are kept.
MOST_ITEMS = 64
#: Sequences of each attribute that are remembered, as the next objects of a series hold the same. None has
#: more than elements.LONGEST_VALUE bytes: all have a quarter of a megabyte at most.
REMEMBERED = 64


def reader(of_items: Mapping[int, ItemAttribute]) -> Reader:
    """What reads a sequence with these attributes, by tag, in its items.

    An item without any of them is left out; None: there is no other.
    """

    @lru_cache(maxsize=REMEMBERED)
    def read(element: Element, characters: Repertoire, encoding: Encoding) -> tuple[str | None, str | None]:
        if element.vr not in SEQUENCE_VRS:
            return None, "not a sequence"
        encoding = encoding_of_items(element, encoding)
        kept: list[dict[str, str]] = []
        first_fault = None
        try:
            for number, item in enumerate(items(element.value, encoding)):
                if number == MOST_ITEMS:
                    first_fault = first_fault or "too many items, cut"
                    break
                values, fault = _read_item(item, of_items, characters, encoding)
                first_fault = first_fault or fault
                if values:
                    kept.append(values)
        except NotReadable as fault:
            if len(element.value) < LONGEST_VALUE:  # else it was cut, which is told by whoever did
                first_fault = first_fault or str(fault)
        return (json.dumps(kept, ensure_ascii=False) if kept else None), first_fault

    return read


def _read_item(
    item: bytes, of_items: Mapping[int, ItemAttribute], characters: Repertoire, encoding: Encoding
) -> tuple[dict[str, str], str | None]:
    """The values by their names, and what was wrong first.

    :param characters: of the Data Set around it, unless the item names others (PS3.3 C.12.1.1.2).
    """
    wanted = frozenset((SPECIFIC_CHARACTER_SET, *of_items))
    leading = read_leading_elements(
        lambda offset, length: item[offset : offset + length], len(item), encoding, wanted, frozenset()
    )
    faults = [*leading.faults.items()]
    if leading.broken:
        faults.append(leading.broken)
    if own := leading.elements.pop(SPECIFIC_CHARACTER_SET, None):
        characters = repertoire(own.value)
        if characters.fault:
            faults.append((characters.fault, SPECIFIC_CHARACTER_SET))
    values = {}
    for tag, element in leading.elements.items():
        name, vr = of_items[tag]
        value, fault = READERS[vr](element, characters, encoding)
        if value is not None:
            values[name] = value
        if fault:
            faults.append((fault, tag))
    return values, f"in an item, {_named(*faults[0])}" if faults else None


def _named(fault: str, tag: int) -> str:
    return f"{keyword_for_tag(tag) or f'({tag >> 16:04X},{tag & 0xFFFF:04X})'} {fault}"
