"""What the conformance statement says of a query's keys: from the table that reads them.

Part of :mod:`sdcc.statement`, in a file of its own because it alone knows the services.
"""

from __future__ import annotations

from pydicom.datadict import dictionary_description

from sdcc.indexed import ITEM_ATTRIBUTES
from sdcc.queries import Level
from sdcc.restructuredtext import table
from sdcc.services.query_retrieve.keys import INSTANCE_AVAILABILITY, KEYS, RETRIEVE_AE_TITLE, UNIQUE_KEYS

_TEXT = "single value, list, wild card"
#: How the keys of a VR are matched, besides universally (PS3.4 C.2.2.2).
MATCHINGS = {
    "AE": _TEXT,
    "AS": "single value, list",
    "CS": _TEXT,
    "DA": "single value, range",
    "DS": "single value, list, as text",
    "IS": "single value, as a number",
    "LO": _TEXT,
    "LT": "single value, wild card",
    "PN": "single value, wild card",
    "SH": _TEXT,
    "SQ": "sequence",
    "TM": "single value, range",
    "UI": "single value, list",
    "US": "single value",
}
_RETURNED = "returned only"


def query_keys() -> str:
    """A table of all keys, level by level."""
    rows = [
        (level.value, dictionary_description(tag), _written(tag), _matching(tag))
        for level in Level
        for tag, key in sorted(KEYS.items())
        if key.level is level
    ]
    rows += [
        ("every", dictionary_description(tag), _written(tag), _RETURNED)
        for tag in (RETRIEVE_AE_TITLE, INSTANCE_AVAILABILITY)
    ]
    return table(("Level", "Attribute", "Tag", "Matching"), rows)


def answers_limit(maximum: int) -> str:
    """A sentence on `[query] maximum_answers`."""
    if not maximum:
        return "The number of answers is not limited."
    return f"A query with more than {maximum} matches ends with A700 after so many answers."


def _written(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _matching(tag: int) -> str:
    key = KEYS[tag]
    if not key.is_matched:
        return _RETURNED
    if tag in ITEM_ATTRIBUTES:
        of_items = ", ".join(
            [f"{dictionary_description(each)} {_written(each)}" for each in ITEM_ATTRIBUTES[tag]]
        )
        return f"{MATCHINGS[key.vr]}, of {of_items}: each {_TEXT}"
    return f"{MATCHINGS[key.vr]}{'; the Unique Key' if tag in UNIQUE_KEYS.values() else ''}"
