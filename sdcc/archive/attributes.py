"""The attributes that the index needs, read out of a Data Set.

Which they are :mod:`sdcc.indexed` says. Pure functions of bytes, made for a worker thread. Only a UID
that cannot be had is an error: whatever else is wrong becomes a fault, in words that never hold a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydicom.datadict import keyword_for_tag
from twisted.logger import Logger

from sdcc import conformance
from sdcc.archive import sequences
from sdcc.data_set import elements
from sdcc.data_set.text import SPECIFIC_CHARACTER_SET, Repertoire, repertoire
from sdcc.data_set.values import READERS, Reader
from sdcc.indexed import ATTRIBUTES, ITEM_ATTRIBUTES
from sdcc.interfaces import CannotUnderstand, Instance, Series, Study

_log = Logger()

#: Characters of a :attr:`ParsedDataSet.fault`.
LONGEST_FAULT = 500
#: Values that are remembered, as the next objects of a series hold most of them again, and bytes of one at
#: most: half a megabyte, whatever is sent.
REMEMBERED, LONGEST_REMEMBERED = 1024, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedDataSet:
    """What the index is told of a Data Set."""

    study: Study
    series: Series
    instance: Instance
    #: What could not be read, in words; None: everything could.
    fault: str | None


#: The attributes without which an object cannot be kept.
REQUIRED = (0x00080016, 0x00080018, 0x0020000D, 0x0020000E)

_WANTED = frozenset((SPECIFIC_CHARACTER_SET, *ATTRIBUTES))
_SEQUENCE_READERS = {tag: sequences.reader(of_items) for tag, of_items in ITEM_ATTRIBUTES.items()}

#: Every other Transfer Syntax is Explicit VR Little Endian outside the Pixel Data.
_ENCODINGS = {
    conformance.IMPLICIT_VR_LITTLE_ENDIAN: elements.IMPLICIT_VR_LITTLE_ENDIAN,
    conformance.EXPLICIT_VR_BIG_ENDIAN: elements.EXPLICIT_VR_BIG_ENDIAN,
}


def parse(read: elements.Read, size: int, transfer_syntax_uid: str) -> ParsedDataSet:
    """Read the attributes of a Data Set of `size` bytes.

    :param read: gives the Data Set's bytes from an offset, fewer than asked for only at its end.
    :raises CannotUnderstand: one of :data:`REQUIRED` is missing, or not reached. The text is fit
        for an Error Comment.
    """
    encoding = _ENCODINGS.get(transfer_syntax_uid, elements.EXPLICIT_VR_LITTLE_ENDIAN)
    leading = elements.read_leading_elements(
        read, size, encoding, _WANTED, frozenset(REQUIRED), sequences=frozenset(ITEM_ATTRIBUTES)
    )
    faults: dict[int, str] = {}
    character_set = leading.elements.pop(SPECIFIC_CHARACTER_SET, None)
    characters = repertoire(character_set.value if character_set else b"")
    if characters.fault:
        faults[SPECIFIC_CHARACTER_SET] = characters.fault
    fields: dict[type, dict[str, Any]] = {Study: {}, Series: {}, Instance: {}}
    for tag, element in leading.elements.items():
        level, field, _ = ATTRIBUTES[tag]
        value, fault = _read(tag, element, characters, encoding)
        if value is not None:
            fields[level][field] = value
        if fault:
            faults[tag] = fault
    for tag in REQUIRED:
        level, field, _ = ATTRIBUTES[tag]
        if field not in fields[level]:
            raise CannotUnderstand(_why_missing(tag, faults.get(tag), leading.broken))
    return ParsedDataSet(
        study=Study(**fields[Study]),
        series=Series(**fields[Series]),
        instance=Instance(**fields[Instance]),
        fault=_in_words(faults, leading),
    )


def _read(
    tag: int, element: elements.Element, characters: Repertoire, encoding: elements.Encoding
) -> tuple[Any, str | None]:
    """A value, or None, and what was wrong."""
    vr = ATTRIBUTES[tag].vr
    read = _remembered if len(element.value) <= LONGEST_REMEMBERED else _afresh
    try:
        return read(_SEQUENCE_READERS.get(tag) or READERS[vr], element, characters, encoding)
    except Exception:  # The boundary: no fault of the program loses an object whose UIDs are known.
        _log.failure("A value of VR {vr} could not be read", vr=vr)
        return None, "could not be read"


def _afresh(
    read: Reader, element: elements.Element, characters: Repertoire, encoding: elements.Encoding
) -> tuple[Any, str | None]:
    return read(element, characters, encoding)


_remembered = lru_cache(maxsize=REMEMBERED)(_afresh)


def _name(tag: int) -> str:
    return f"{keyword_for_tag(tag)} ({tag >> 16:04X},{tag & 0xFFFF:04X})".lstrip()


def _why_missing(tag: int, fault: str | None, broken: tuple[str, int] | None) -> str:
    if fault:
        return f"{_name(tag)}: {fault}"
    if broken:
        reason, at = broken
        return f"({at >> 16:04X},{at & 0xFFFF:04X}) {reason}, no {keyword_for_tag(tag)}"
    return f"no {_name(tag)} in the Data Set"


def _in_words(faults: Mapping[int, str], leading: elements.LeadingElements) -> str | None:
    every = [*faults.items(), *((tag, fault) for fault, tag in leading.faults.items())]
    if leading.broken:
        fault, tag = leading.broken
        every.insert(0, (tag, fault))
    words = "; ".join([f"{_name(tag)}: {fault}" for tag, fault in dict.fromkeys(every)])
    if len(words) > LONGEST_FAULT:
        words = words[: LONGEST_FAULT - 3] + "..."
    return words or None
