"""From the value of a key to how it must match (PS3.4 C.2.2.2): one reading for each Value Representation.

Pure functions of a value. Which attribute it is the value of is not known here.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping

from sdcc.data_set.elements import Element, Encoding
from sdcc.data_set.text import DEFAULT_REPERTOIRE, Repertoire
from sdcc.data_set.values import READERS, date, integer, time
from sdcc.queries import DateRange, Matching, PersonName, SingleValue, TimeRange, UIDList, WildCard

#: Characters of a text to match; there is none so long in the index.
LONGEST_TEXT = 1024
#: The VRs whose text is in the character sets that the Identifier names; that of all others is ASCII.
IN_CHARACTER_SETS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})

_LAST_OF_DAY = "235959.999999"


class BadValue(Exception):
    """A value by which nothing can be matched. The text says what is wrong, and holds nothing of it."""


def read_matching(vr: str, element: Element, characters: Repertoire, encoding: Encoding) -> Matching | None:
    """How an attribute of a VR must match; None: Universal Matching.

    An asterisk alone is universal whatever the VR: it is often sent, and can mean nothing else.

    :raises BadValue: see there.
    """
    if vr == "US":
        return _unsigned_short(element, characters, encoding)
    repertoire = characters if vr in IN_CHARACTER_SETS else DEFAULT_REPERTOIRE
    is_single = READINGS[vr] is _long_text
    text, fault = repertoire.decode(element.value, person_name=vr == "PN", is_single=is_single)
    if "\ufffd" in text:
        raise BadValue(fault or "bytes outside its character set")
    if not text.strip("*"):
        return None
    if len(text) > LONGEST_TEXT and vr != "UI":
        raise BadValue("too long")
    return READINGS[vr](text)


def _unsigned_short(element: Element, characters: Repertoire, encoding: Encoding) -> Matching | None:
    if len(element.value) > 2:
        raise BadValue("one value is allowed")
    number, fault = READERS["US"](element, characters, encoding)
    if fault:
        raise BadValue(fault)
    return None if number is None else SingleValue(number)


def _single_or_list(text: str) -> Matching | None:
    """Of several values one is enough."""
    values = tuple(filter(None, text.split("\\")))
    if len(values) > 1:
        return UIDList(values)
    return SingleValue(values[0]) if values else None


def _text(text: str) -> Matching | None:
    if "*" not in text and "?" not in text:
        return _single_or_list(text)
    if "\\" in text:
        raise BadValue("a wild card in one of several values")
    return WildCard(text)


def _long_text(text: str) -> Matching | None:
    """A backslash is a character like any other in it."""
    return WildCard(text) if "*" in text or "?" in text else SingleValue(text)


def _person_name(text: str) -> Matching | None:
    """Components left empty at the end of a group are not written (PS3.5 6.2.1)."""
    if "\\" in text:
        raise BadValue("one name is allowed")
    groups = [group.strip(" ").rstrip("^") for group in text.split("=")]
    if len(groups) > 3:
        raise BadValue("more than three component groups")
    groups = ["" if not group.strip("*") else group for group in groups]
    while groups and not groups[-1]:
        del groups[-1]
    return PersonName(tuple(groups)) if groups else None


def _integer(text: str) -> Matching | None:
    try:
        return SingleValue(integer(text))
    except ValueError:
        raise BadValue("not an integer") from None


def _date(text: str) -> Matching | None:
    try:
        first, last, is_range = _ends(text)
        if is_range:
            return DateRange(date(first) if first else None, date(last) if last else None)
        return SingleValue(date(first))
    except ValueError:
        raise BadValue("not a date or a range of dates") from None


def _time(text: str) -> Matching | None:
    """What a time leaves out is any: it is the whole hour, minute, second or part of it."""
    try:
        first, last, is_range = _ends(text)
        if not is_range:
            last = first
        begin, end = time(first) if first else None, _end_of(last) if last else None
    except ValueError:
        raise BadValue("not a time or a range of times") from None
    return SingleValue(begin) if begin is not None and begin == end else TimeRange(begin, end)


def _ends(text: str) -> tuple[str, str, bool]:
    """The two ends of a range, either of them perhaps empty, and whether it is one.

    :raises ValueError: it is none, nor a single value.
    """
    first, hyphen, last = (part.strip(" ") for part in text.partition("-"))
    if not first and not last:
        raise ValueError
    return first, last, bool(hyphen)


def _end_of(text: str) -> datetime.time:
    """The last moment of a TM. :raises ValueError: it is none."""
    time(text)
    digits = text.replace(":", "")
    return time(digits + _LAST_OF_DAY[len(digits) :])


READINGS: Mapping[str, Callable[[str], Matching | None]] = {
    "AE": _text,
    "AS": _single_or_list,
    "CS": _text,
    "DA": _date,
    "DS": _single_or_list,
    "IS": _integer,
    "LO": _text,
    "LT": _long_text,
    "PN": _person_name,
    "SH": _text,
    "ST": _long_text,
    "TM": _time,
    "UC": _text,
    "UI": _single_or_list,
    "UR": _long_text,
    "UT": _long_text,
}
