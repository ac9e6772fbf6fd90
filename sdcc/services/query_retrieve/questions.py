"""What a C-FIND asks (PS3.4 C.4.1): from an Identifier to a query of the index, and to the answers' form."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sdcc.data_set.elements import Element
from sdcc.indexed import ITEM_ATTRIBUTES
from sdcc.queries import Condition, DateRange, DateTimeCondition, Level, Matching, Query, TimeRange
from sdcc.services.query_retrieve.identifiers import (
    Identifier,
    demand_unique_keys,
    mismatch,
    read_identifier,
)
from sdcc.services.query_retrieve.keys import (
    INSTANCE_AVAILABILITY,
    KEYS,
    QUERY_RETRIEVE_LEVEL,
    RETRIEVE_AE_TITLE,
    is_key,
)
from sdcc.services.query_retrieve.matching import BadValue
from sdcc.services.query_retrieve.sequence_keys import SequenceKey, read_sequence_key
from sdcc.upper_layer.negotiation import PresentationContext

#: That are no key of the models, and returned all the same.
_OF_THE_SERVER = {RETRIEVE_AE_TITLE: b"AE", INSTANCE_AVAILABILITY: b"CS"}
#: The attributes of a date and of the time that belongs to it: their tags.
_PAIRS = tuple(
    (date, time)
    for date, dates in KEYS.items()
    for time, times in KEYS.items()
    if (dates.vr, times.vr) == ("DA", "TM")
    and dates.field.removesuffix("date") == times.field.removesuffix("time")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a C-FIND-RQ asks of the index, and of the answers."""

    identifier: Identifier
    query: Query
    #: The tags of all that each answer has, with the VR, in ascending order.
    returned: Mapping[int, bytes]
    #: By tag, the field of a match that is the value; of all others it is empty, or not of the index.
    fields: Mapping[int, str]
    #: By tag of those fields that are sequences.
    sequences: Mapping[int, SequenceKey]
    #: Whether the keys asked for are all supported, and matched where they have a value.
    is_supported: bool


def read_question(data: bytes, context: PresentationContext) -> Question:
    """What a C-FIND asks.

    Attributes of levels above the query's are keys too, whether relational queries were agreed to or not.

    :raises BadIdentifier: see there.
    """
    identifier = read_identifier(data, context)
    demand_unique_keys(identifier)
    # The patient's attributes are always there: in the Study Root they are the study's.
    levels = (Level.PATIENT, *identifier.levels)
    returned = {QUERY_RETRIEVE_LEVEL: b"CS", RETRIEVE_AE_TITLE: _OF_THE_SERVER[RETRIEVE_AE_TITLE]}
    fields: dict[int, str] = {}
    sequences: dict[int, SequenceKey] = {}
    matchings: dict[str, Matching] = {}
    is_supported = True
    for tag, element in identifier.elements.items():
        if not is_key(tag):
            continue
        has_value = bool(element.value.strip(b" \0*"))
        key = KEYS.get(tag)
        returned[tag] = key.vr.encode() if key else _OF_THE_SERVER.get(tag, element.vr)
        if key is None or key.level not in levels:
            is_supported = is_supported and tag in _OF_THE_SERVER and not has_value
            continue
        fields[tag] = key.field
        if not key.is_matched:
            is_supported = is_supported and not has_value
        elif tag in ITEM_ATTRIBUTES:
            sequence = sequences[tag] = _sequence_key(identifier, tag, element)
            is_supported = is_supported and sequence.is_supported
            if sequence.matching is not None:
                matchings[key.field] = sequence.matching
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
        sequences=sequences,
        is_supported=is_supported,
    )


def _sequence_key(identifier: Identifier, tag: int, element: Element) -> SequenceKey:
    try:
        return read_sequence_key(element, ITEM_ATTRIBUTES[tag], identifier.characters, identifier.encoding)
    except BadValue as fault:
        raise mismatch(tag, str(fault)) from None


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
