"""A key that is a sequence: how its items must match, and what those of an answer have (PS3.4 C.2.2.2.6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from sdcc.data_set.elements import LONGEST_VALUE, Element, Encoding
from sdcc.data_set.text import SPECIFIC_CHARACTER_SET, Repertoire, repertoire
from sdcc.data_set.whole import SEQUENCE_VRS, NotReadable, encoding_of_items, items, read_elements
from sdcc.indexed import ItemAttribute
from sdcc.queries import Condition, SequenceMatching
from sdcc.services.query_retrieve.keys import LONGEST_CHARACTER_SET, is_key
from sdcc.services.query_retrieve.matching import BadValue, read_matching

#: Keys in an item: each item of each answer has them all.
MOST_KEYS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceKey:
    """What the item of a sequence in an Identifier asks."""

    #: None: Universal Matching.
    matching: SequenceMatching | None
    #: The tags of all that each item of an answer has, with the VR, in ascending order.
    returned: Mapping[int, bytes]
    #: By tag, the name in an item of the index; what has none is empty.
    fields: Mapping[int, str]
    #: Nothing was named: the sequence is returned as the index holds it, without what its items lack.
    is_whole: bool
    #: Whether all that was named is supported.
    is_supported: bool


def read_sequence_key(
    element: Element, of_items: Mapping[int, ItemAttribute], characters: Repertoire, encoding: Encoding
) -> SequenceKey:
    """
    :param of_items: what the index holds of the items of such a sequence, by tag.
    :raises BadValue: see there.
    """
    encoding = encoding_of_items(element, encoding)
    keys = _read_item(element, encoding)
    if (own := keys.get(SPECIFIC_CHARACTER_SET)) and len(own.value) <= LONGEST_CHARACTER_SET:
        characters = repertoire(own.value)
    returned: dict[int, bytes] = {}
    conditions: list[Condition] = []
    for tag, of_item in sorted(keys.items()):
        if not is_key(tag):
            continue
        if (attribute := of_items.get(tag)) is None:
            returned[tag] = of_item.vr
            continue
        returned[tag] = attribute.vr.encode()
        try:
            matching = read_matching(attribute.vr, of_item, characters, encoding)
        except BadValue as fault:
            raise BadValue(f"({tag >> 16:04X},{tag & 0xFFFF:04X}) {fault}") from None
        if matching is not None:
            conditions.append(Condition(attribute.name, matching))
    is_whole = not returned
    return SequenceKey(
        matching=SequenceMatching(tuple(conditions)) if conditions else None,
        returned={tag: vr.encode() for tag, (_, vr) in of_items.items()} if is_whole else returned,
        fields={tag: name for tag, (name, _) in of_items.items()},
        is_whole=is_whole,
        is_supported=returned.keys() <= of_items.keys(),
    )


def _read_item(element: Element, encoding: Encoding) -> Mapping[int, Element]:
    """The elements of the one item that there may be."""
    if element.vr not in SEQUENCE_VRS:
        raise BadValue("not a sequence")
    if len(element.value) > LONGEST_VALUE:
        raise BadValue(f"{LONGEST_VALUE} bytes are allowed")
    try:
        found = [read_elements(item, encoding) for item in islice(items(element.value, encoding), 2)]
    except NotReadable as fault:
        raise BadValue(str(fault)) from None
    if len(found) > 1:
        raise BadValue("one item is allowed")
    if found and len(found[0]) > MOST_KEYS:
        raise BadValue(f"{MOST_KEYS} keys are allowed")
    return found[0] if found else {}
