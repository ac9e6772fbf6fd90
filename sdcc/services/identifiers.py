"""What an Identifier asks (PS3.4 C.4.1.1.3, C.4.2.1.4): from the bytes of a request to a query of the index.

Pure functions of bytes and of the Presentation Context that they came on.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydicom.datadict import keyword_for_tag

from sdcc import conformance
from sdcc.data_set import elements
from sdcc.data_set.elements import Element, Encoding
from sdcc.data_set.text import DEFAULT_REPERTOIRE, SPECIFIC_CHARACTER_SET, Repertoire, repertoire
from sdcc.data_set.whole import NotReadable, read_elements
from sdcc.dimse.status import Status
from sdcc.queries import (
    Condition,
    DateRange,
    DateTimeCondition,
    Level,
    Matching,
    Query,
    SingleValue,
    TimeRange,
    WildCard,
)
from sdcc.services.keys import (
    INSTANCE_AVAILABILITY,
    KEYS,
    MODELS,
    QUERY_RETRIEVE_LEVEL,
    RETRIEVE_AE_TITLE,
    UNIQUE_KEYS,
)
from sdcc.services.matching import BadValue, read_matching
from sdcc.upper_layer.negotiation import PresentationContext

#: Elements: they are read at once, and each answer repeats them.
MOST_ELEMENTS = 1000
#: Bytes of a Specific Character Set, thirty terms.
LONGEST_CHARACTER_SET = 512
#: Where SOP Class Extended Negotiation says what was agreed on (PS3.4 C.5.1.1, C.5.2.1).
RELATIONAL, COMBINED_DATE_TIME = 0, 1

#: Query/Retrieve View and Timezone Offset From UTC: they say how to answer, which is not negotiated here.
_NO_KEYS = frozenset({SPECIFIC_CHARACTER_SET, QUERY_RETRIEVE_LEVEL, 0x00080053, 0x00080201})
#: That are no key of the models, and returned all the same.
_OF_THE_SERVER = {RETRIEVE_AE_TITLE: b"AE", INSTANCE_AVAILABILITY: b"CS"}
_ENCODINGS = {
    conformance.IMPLICIT_VR_LITTLE_ENDIAN: elements.IMPLICIT_VR_LITTLE_ENDIAN,
    conformance.EXPLICIT_VR_LITTLE_ENDIAN: elements.EXPLICIT_VR_LITTLE_ENDIAN,
}
#: The attributes of a date and of the time that belongs to it: their tags.
_PAIRS = tuple(
    (date, time)
    for date, dates in KEYS.items()
    for time, times in KEYS.items()
    if (dates.vr, times.vr) == ("DA", "TM")
    and dates.field.removesuffix("date") == times.field.removesuffix("time")
)


class BadIdentifier(Exception):
    """An Identifier that is not performed. The text is for an Error Comment: nothing of a value is in it.

    :ivar status: of the response.
    :ivar tag: of the offending element; None: all of it.
    """

    def __init__(self, status: Status, tag: int | None, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.tag = tag


def _mismatch(tag: int, reason: str) -> BadIdentifier:
    return BadIdentifier(Status.IDENTIFIER_DOES_NOT_MATCH, tag, f"{keyword_for_tag(tag)}: {reason}")


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
            raise _mismatch(tag, str(fault)) from None


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
        raise _mismatch(QUERY_RETRIEVE_LEVEL, reason)
    return Level(text)


def _is_agreed(context: PresentationContext, position: int) -> bool:
    return context.extended[position : position + 1] == b"\1"


# --- C-FIND ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a C-FIND-RQ asks of the index, and of the answers."""

    identifier: Identifier
    query: Query
    #: The tags of all that each answer has, with the VR, in ascending order.
    returned: Mapping[int, bytes]
    #: By tag, the field of a match that is the value; of all others it is empty, or not of the index.
    fields: Mapping[int, str]
    #: Whether the keys asked for are all supported, and matched where they have a value.
    is_supported: bool


def read_question(data: bytes, context: PresentationContext) -> Question:
    """What a C-FIND asks.

    Attributes of levels above the query's are keys too, whether relational queries were agreed to or not.

    :raises BadIdentifier: see there.
    """
    identifier = read_identifier(data, context)
    _demand_unique_keys(identifier)
    # The patient's attributes are always there: in the Study Root they are the study's.
    levels = (Level.PATIENT, *identifier.levels)
    returned = {QUERY_RETRIEVE_LEVEL: b"CS", RETRIEVE_AE_TITLE: _OF_THE_SERVER[RETRIEVE_AE_TITLE]}
    fields: dict[int, str] = {}
    matchings: dict[str, Matching] = {}
    is_supported = True
    for tag, element in identifier.elements.items():
        if not _is_key(tag):
            continue
        has_value = bool(element.value.strip(b" \0*"))
        key = KEYS.get(tag)
        returned[tag] = key.vr.encode() if key else _OF_THE_SERVER.get(tag, element.vr)
        if key is None or key.level not in levels:
            # Sequence matching has its place here: the index holds no sequence yet.
            is_supported = is_supported and tag in _OF_THE_SERVER and not has_value
            continue
        fields[tag] = key.field
        if not key.is_matched:
            is_supported = is_supported and not has_value
        elif (matching := identifier.matching(tag)) is not None:
            matchings[key.field] = matching
    query = Query(
        level=identifier.level,
        conditions=tuple(_conditions(matchings, identifier)),
        wanted=frozenset(fields.values()),
    )
    return Question(
        identifier=identifier,
        query=query,
        returned=dict(sorted(returned.items())),
        fields=fields,
        is_supported=is_supported,
    )


def _is_key(tag: int) -> bool:
    """Neither private, nor a group length, nor of a group or place that no key has."""
    is_private, is_group_length = bool(tag >> 16 & 1), not tag & 0xFFFF
    return tag > SPECIFIC_CHARACTER_SET and not is_private and not is_group_length and tag not in _NO_KEYS


def _demand_unique_keys(identifier: Identifier) -> None:
    """PS3.4 C.4.1.2.1: one value in the Unique Key of each level above, unless the query is relational."""
    if identifier.is_relational:
        return
    for level in identifier.levels[:-1]:
        tag = UNIQUE_KEYS[level]
        if not isinstance(identifier.matching(tag), SingleValue):
            raise _mismatch(tag, f"one value is needed at {identifier.level} level")


def _conditions(
    matchings: Mapping[str, Matching], identifier: Identifier
) -> Iterator[Condition | DateTimeCondition]:
    """Ranges of a date and of its time become one of instants where that was agreed to (PS3.4 C.2.2.2.5.3).

    A time that is no range, but leaves out its seconds, is not combined.
    """
    left = dict(matchings)
    for date, time in _PAIRS if identifier.combines_date_and_time else ():
        date_field, time_field = KEYS[date].field, KEYS[time].field
        dates, times = left.get(date_field), left.get(time_field)
        is_written = time in identifier.elements and b"-" in identifier.elements[time].value
        if isinstance(dates, DateRange) and isinstance(times, TimeRange) and is_written:
            yield DateTimeCondition(
                date_field=date_field,
                time_field=time_field,
                first=_instant(dates.first, times.first or datetime.time.min),
                last=_instant(dates.last, times.last or datetime.time.max),
            )
            del left[date_field], left[time_field]
    yield from (Condition(field, matching) for field, matching in left.items())


def _instant(date: datetime.date | None, time: datetime.time) -> datetime.datetime | None:
    return None if date is None else datetime.datetime.combine(date, time)


# --- C-MOVE and C-GET -----------------------------------------------------------------------


def read_retrieval(data: bytes, context: PresentationContext) -> Query:
    """Which objects a C-MOVE or C-GET asks for, as a query of IMAGE level that wants nothing yet.

    Keys other than the Unique Keys are let be: they could only make less of it (PS3.4 C.4.2.1.4).

    :raises BadIdentifier: see there; also where the Unique Key of its own level is absent.
    """
    identifier = read_identifier(data, context)
    _demand_unique_keys(identifier)
    conditions = []
    for level in identifier.levels:
        tag = UNIQUE_KEYS[level]
        matching = identifier.matching(tag)
        if matching is None and level is identifier.level:
            raise _mismatch(tag, f"a value is needed at {level} level")
        if isinstance(matching, WildCard):
            raise _mismatch(tag, "a wild card is not allowed")
        if matching is not None:
            conditions.append(Condition(KEYS[tag].field, matching))
    return Query(level=Level.IMAGE, conditions=tuple(conditions))
