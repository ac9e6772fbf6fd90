"""Values of the Value Representations that the index knows (PS3.5 6.2), as Python's.

Each reader gives a value, or None, and what was wrong in a few words. It raises nothing for what
the bytes are, and knows no attribute.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from typing import Any

from sdcc.data_set.elements import NO_VR, Element, Encoding
from sdcc.data_set.text import DEFAULT_REPERTOIRE, Repertoire
from sdcc.uid import is_uid

#: Characters of a value, or of several with a backslash between, that are kept.
LONGEST_TEXT = 512

#: `(element, repertoire, encoding)` to the value, None for an empty one, and what was wrong, or None.
Reader = Callable[[Element, Repertoire, Encoding], tuple[Any, str | None]]

#: ACR-NEMA had points within a date and colons within a time.
_DATE = re.compile(r"([0-9]{4})(\.?)([0-9]{2})\2([0-9]{2})")
_TIME = re.compile(r"([0-9]{2})(?::?([0-9]{2})(?::?([0-9]{2})(?:\.([0-9]{1,6}))?)?)?")
_INTEGER = re.compile(r"[+-]?[0-9]{1,12}")


def _text(element: Element, repertoire: Repertoire, _: Encoding) -> tuple[str | None, str | None]:
    return _bounded(*repertoire.decode(element.value))


def _long_text(element: Element, repertoire: Repertoire, _: Encoding) -> tuple[str | None, str | None]:
    return _bounded(*repertoire.decode(element.value, is_single=True))


def _person_name(element: Element, repertoire: Repertoire, _: Encoding) -> tuple[str | None, str | None]:
    return _bounded(*repertoire.decode(element.value, person_name=True))


def _code_string(element: Element, _: Repertoire, __: Encoding) -> tuple[str | None, str | None]:
    return _bounded(*DEFAULT_REPERTOIRE.decode(element.value))


def _bounded(text: str, fault: str | None) -> tuple[str | None, str | None]:
    if len(text) > LONGEST_TEXT:
        return text[:LONGEST_TEXT], fault or "too long, cut"
    return (text if text.strip("\\") else None), fault


def _uid(element: Element, _: Repertoire, __: Encoding) -> tuple[str | None, str | None]:
    """What has not the form of a UID is kept, but never cut: that would make it another's."""
    text, fault = DEFAULT_REPERTOIRE.decode(element.value)
    if len(text) > LONGEST_TEXT:
        return None, "too long"
    if text and not is_uid(text):
        fault = fault or "not a UID"
    return text or None, fault


def _unsigned_short(element: Element, _: Repertoire, encoding: Encoding) -> tuple[int | None, str | None]:
    vr, value = element
    if not value:
        return None, None
    if len(value) % 2 or vr not in (b"US", b"", b"UN", NO_VR):
        return None, "not of VR US"
    # What is in UN is as Implicit VR Little Endian has it (PS3.5 6.2.2).
    return int.from_bytes(value[:2], "little" if vr == b"UN" else encoding.byte_order), None


def _single(convert: Callable[[str], Any], fault: str) -> Reader:
    """A reader of the first of several values, by a function that raises ValueError for a bad one."""

    def read(element: Element, _: Repertoire, __: Encoding) -> tuple[Any, str | None]:
        text = element.value.split(b"\\", 1)[0].decode("ascii", "replace").strip(" \0")
        try:
            return (convert(text) if text else None), None
        except ValueError:
            return None, fault

    return read


def date(text: str) -> datetime.date:
    """A DA; :raises ValueError: it is none."""
    if found := _DATE.fullmatch(text):
        return datetime.date(int(found[1]), int(found[3]), int(found[4]))
    raise ValueError


def time(text: str) -> datetime.time:
    """A TM, whose absent parts are 0; a leap second, 60, becomes 59, as Python has none.

    :raises ValueError: it is none.
    """
    if found := _TIME.fullmatch(text):
        hour, minute, second, fraction = found.groups("0")
        return datetime.time(
            int(hour), int(minute), 59 if second == "60" else int(second), int(fraction.ljust(6, "0"))
        )
    raise ValueError


def integer(text: str) -> int:
    """An IS; :raises ValueError: it is none."""
    if _INTEGER.fullmatch(text) and -(2**31) <= (value := int(text)) < 2**31:
        return value
    raise ValueError


READERS: Mapping[str, Reader] = {
    "AS": _code_string,
    "CS": _code_string,
    "DA": _single(date, "not a date"),
    "DS": _code_string,
    "IS": _single(integer, "not an integer"),
    "LO": _text,
    "LT": _long_text,
    "PN": _person_name,
    "SH": _text,
    "TM": _single(time, "not a time"),
    "UI": _uid,
    "US": _unsigned_short,
}
