"""The Identifiers of requests (PS3.4 C.4.1.1.3, C.4.2.1.4): gathered, parsed, and judged as far as all
are alike.

What they ask for is read by :mod:`~sdcc.services.query_retrieve.questions` and
:mod:`~sdcc.services.query_retrieve.retrievals`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydicom.datadict import keyword_for_tag

from sdcc import conformance
from sdcc.data_set import elements
from sdcc.data_set.elements import Element, Encoding
from sdcc.data_set.text import DEFAULT_REPERTOIRE, SPECIFIC_CHARACTER_SET, Repertoire, repertoire
from sdcc.data_set.whole import NotReadable, read_elements
from sdcc.dimse.status import Status
from sdcc.interfaces import Session
from sdcc.queries import (
    Level,
    Matching,
    SingleValue,
)
from sdcc.services.query_retrieve.keys import (
    KEYS,
    LONGEST_CHARACTER_SET,
    MODELS,
    QUERY_RETRIEVE_LEVEL,
    UNIQUE_KEYS,
)
from sdcc.services.query_retrieve.matching import BadValue, read_matching
from sdcc.upper_layer.negotiation import PresentationContext

#: Bytes of an Identifier: a list of four thousand UIDs. All of them are in memory at once.
LONGEST_IDENTIFIER = 256 * 1024
#: Elements: they are read at once, and each answer repeats them.
MOST_ELEMENTS = 1000
#: Where SOP Class Extended Negotiation says what was agreed on (PS3.4 C.5.1.1, C.5.2.1).
RELATIONAL, COMBINED_DATE_TIME = 0, 1

_ENCODINGS = {
    conformance.IMPLICIT_VR_LITTLE_ENDIAN: elements.IMPLICIT_VR_LITTLE_ENDIAN,
    conformance.EXPLICIT_VR_LITTLE_ENDIAN: elements.EXPLICIT_VR_LITTLE_ENDIAN,
}


class BadIdentifier(Exception):
    """An Identifier that is not performed. The text is for an Error Comment: nothing of a value is in it.

    :ivar status: of the response.
    :ivar tag: of the offending element; None: all of it.
    """

    def __init__(self, status: Status, tag: int | None, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.tag = tag


def mismatch(tag: int, reason: str) -> BadIdentifier:
    """An Identifier that breaks the rules of its SOP Class by one attribute."""
    return BadIdentifier(Status.IDENTIFIER_DOES_NOT_MATCH, tag, f"{keyword_for_tag(tag)}: {reason}")


class GatheredIdentifier:
    """The bytes of a request's Identifier, as long as they are not too many.

    :ivar size: of all that came.
    """

    def __init__(self, session: Session) -> None:
        self._on_written = session.on_written
        self._data = bytearray()
        self.size = 0

    def write(self, data: memoryview) -> None:
        self.size += len(data)
        if self.size <= LONGEST_IDENTIFIER:
            self._data += data
        else:
            self._data.clear()
        self._on_written(len(data))

    @property
    def kept(self) -> bytes:
        """Nothing, where it was too long."""
        return bytes(self._data)

    def whole(self) -> bytes:
        """:raises BadIdentifier: it was too long."""
        if self.size > LONGEST_IDENTIFIER:
            raise BadIdentifier(
                Status.CANNOT_UNDERSTAND, None, f"Identifier: {LONGEST_IDENTIFIER >> 10} KiB are allowed"
            )
        return self.kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """An Identifier as far as it can be read without its keys."""

    level: Level
    #: Those of its Information Model down to its own.
    levels: tuple[Level, ...]
    #: By tag, as they came.
    elements: Mapping[int, Element]
    encoding: Encoding
    #: The value of Specific Character Set, where it can be understood; empty: the default repertoire.
    character_set: bytes
    characters: Repertoire
    is_relational: bool
    combines_date_and_time: bool

    def matching(self, tag: int) -> Matching | None:
        """How a key of :data:`KEYS` must match; None: it is absent, or Universal Matching.

        :raises BadIdentifier: its value is none of its VR.
        """
        if (element := self.elements.get(tag)) is None:
            return None
        try:
            return read_matching(KEYS[tag].vr, element, self.characters, self.encoding)
        except BadValue as fault:
            raise mismatch(tag, str(fault)) from None


def read_identifier(data: bytes, context: PresentationContext) -> Identifier:
    """Parse an Identifier, as far as its level.

    :raises BadIdentifier: it is no Data Set, or its level none of the SOP Class.
    """
    encoding = _ENCODINGS[context.transfer_syntax]
    try:
        found = read_elements(data, encoding)
    except NotReadable as fault:
        raise BadIdentifier(Status.CANNOT_UNDERSTAND, fault.tag, f"Identifier: {fault}") from None
    if len(found) > MOST_ELEMENTS:
        raise BadIdentifier(Status.CANNOT_UNDERSTAND, None, f"Identifier: {MOST_ELEMENTS} keys are allowed")
    model = MODELS[context.abstract_syntax]
    level = _level(found.get(QUERY_RETRIEVE_LEVEL), model)
    character_set = found.get(SPECIFIC_CHARACTER_SET, Element(b"", b"")).value.strip(b" \0")
    characters = repertoire(character_set) if len(character_set) <= LONGEST_CHARACTER_SET else None
    is_understood = characters is not None and characters.fault is None
    return Identifier(
        level=level,
        levels=model[: model.index(level) + 1],
        elements=found,
        encoding=encoding,
        character_set=character_set if is_understood else b"",
        characters=characters or DEFAULT_REPERTOIRE,
        is_relational=_is_agreed(context, RELATIONAL),
        combines_date_and_time=_is_agreed(context, COMBINED_DATE_TIME),
    )


def _level(element: Element | None, model: tuple[Level, ...]) -> Level:
    text = element.value.decode("ascii", "replace").strip(" \0") if element else ""
    if text not in model:
        reason = f"{', '.join(model[:-1])} or {model[-1]}" if text else "absent"
        raise mismatch(QUERY_RETRIEVE_LEVEL, reason)
    return Level(text)


def _is_agreed(context: PresentationContext, position: int) -> bool:
    return context.extended[position : position + 1] == b"\1"


def demand_unique_keys(identifier: Identifier) -> None:
    """PS3.4 C.4.1.2.1: one value in the Unique Key of each level above, unless the query is relational."""
    if identifier.is_relational:
        return
    for level in identifier.levels[:-1]:
        tag = UNIQUE_KEYS[level]
        if not isinstance(identifier.matching(tag), SingleValue):
            raise mismatch(tag, f"one value is needed at {identifier.level} level")
