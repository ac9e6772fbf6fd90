"""Where a search begins: the index that is likely to lead to the fewest rows, and the range of it to walk.

A range has an order, so that a page goes on where the last one ended, whatever was registered meanwhile.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from sdcc.index import matching
from sdcc.index.attributes import PATIENT_NAME_COLUMNS
from sdcc.index.dialects import Dialect
from sdcc.index.matching import Term
from sdcc.index.rows import INSTANCE, SERIES, STUDY, Level
from sdcc.queries import (
    Condition,
    DateRange,
    DateTimeCondition,
    PersonName,
    Query,
    SingleValue,
    UIDList,
    WildCard,
)

#: UIDs that are looked up in one statement.
LOOKED_UP = 500


class Rank(IntEnum):
    """How few rows an approach is likely to lead to, the fewest first."""

    SOP_INSTANCE_UID = 0
    SERIES_INSTANCE_UID = 1
    STUDY_INSTANCE_UID = 2
    #: Of a patient, or of an order.
    IDENTIFIER = 3
    NAME = 4
    DAY = 5
    BEGINNING_OF_NAME = 6
    BEGINNING_OF_IDENTIFIER = 7
    DATES = 8
    ALL_STUDIES = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Rows of a table in an order that an index has."""

    table: Level
    #: What they are ordered by before their keys; None: by their keys alone.
    order: str | None = None
    #: Where the first page begins; another begins behind a row.
    begin: Term | None = None
    #: What must hold besides, beyond a query's conditions.
    limits: tuple[Term, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Approach:
    """Streams that lead to everything that matches, each row in one of them."""

    rank: Rank
    streams: Sequence[Stream]
    #: The condition that this sees to, so that nobody else needs to.
    sees_to: Condition | DateTimeCondition | None = None


def best(dialect: Dialect, query: Query) -> Approach:
    found = [approach for asked in query.conditions for approach in _approaches(dialect, asked)]
    everything = Approach(rank=Rank.ALL_STUDIES, streams=[Stream(table=STUDY)])
    return min(found, key=lambda approach: approach.rank, default=everything)


_UIDS = {
    "sop_instance_uid": (Rank.SOP_INSTANCE_UID, INSTANCE),
    "series_instance_uid": (Rank.SERIES_INSTANCE_UID, SERIES),
    "study_instance_uid": (Rank.STUDY_INSTANCE_UID, STUDY),
}
_IDENTIFIERS = ("patient_id", "accession_number")


def _approaches(dialect: Dialect, asked: Condition | DateTimeCondition) -> Iterator[Approach]:
    match asked:
        case Condition(field, SingleValue(str(uid))) if field in _UIDS:
            yield _lookup(dialect, asked, (uid,))
        case Condition(field, UIDList(uids)) if field in _UIDS:
            yield _lookup(dialect, asked, uids)
        case Condition(field, SingleValue(str(text)) | WildCard(text)) if field in _IDENTIFIERS:
            yield from _identifier(dialect, asked, text)
        case Condition("patient_name", PersonName() as name):
            yield from _name(dialect, name)
        case Condition("study_date", SingleValue(datetime.date() as day)):
            yield _dates(dialect, Rank.DAY, day, day, asked)
        case Condition("study_date", DateRange(first, last)):
            yield _dates(dialect, Rank.DAY if first == last else Rank.DATES, first, last, asked)
        case DateTimeCondition(date_field="study_date", first=first, last=last):
            yield _dates(dialect, Rank.DATES, first and first.date(), last and last.date(), None)


def _lookup(dialect: Dialect, asked: Condition, uids: Sequence[str]) -> Approach:
    rank, table = _UIDS[asked.field]
    column, each = f"{table.table}.{asked.field}", tuple(dict.fromkeys(uids))
    portions = [each[start : start + LOOKED_UP] for start in range(0, len(each), LOOKED_UP)]
    streams = [
        Stream(table=table, limits=(matching.one_of(dialect, column, portion),)) for portion in portions
    ]
    return Approach(rank=rank, streams=streams, sees_to=asked)


def _dates(
    dialect: Dialect,
    rank: Rank,
    first: datetime.date | None,
    last: datetime.date | None,
    sees_to: Condition | None,
) -> Approach:
    date = "study.study_date"
    stream = Stream(
        table=STUDY,
        order=date,
        begin=matching.within(dialect, date, first, None) if first else None,
        limits=(matching.within(dialect, date, None, last),) if last else (),
    )
    return Approach(rank=rank, streams=[stream], sees_to=sees_to)


def _identifier(dialect: Dialect, asked: Condition, text: str) -> Iterator[Approach]:
    column = dialect.in_order.format(text=f"study.{asked.field}")
    if isinstance(asked.matching, SingleValue) or matching.is_literal(text):
        stream = Stream(table=STUDY, limits=(matching.equals(dialect, column, text),))
        yield Approach(rank=Rank.IDENTIFIER, streams=[stream], sees_to=asked)
    elif prefix := matching.literal_prefix(text):
        yield Approach(rank=Rank.BEGINNING_OF_IDENTIFIER, streams=[_beginning(dialect, column, prefix)])


def _beginning(dialect: Dialect, column: str, prefix: str, *others: Term) -> Stream:
    """Texts that begin so."""
    end = matching.behind(prefix)
    before_end = Term(f"{column} < {dialect.mark}", (end,)) if end else Term("1 = 1")
    return Stream(
        table=STUDY,
        order=column,
        begin=Term(f"{column} >= {dialect.mark}", (prefix,)),
        limits=(before_end, *others),
    )


def _name(dialect: Dialect, name: PersonName) -> Iterator[Approach]:
    """A pattern of one group may fit any group of a name: a stream for each, less what those before give."""
    groups = matching.name_groups(name)
    columns = PATIENT_NAME_COLUMNS
    if len(groups) == 1:
        candidates = [(columns, groups[0])]
    else:
        candidates = [((column,), group) for column, group in zip(columns, groups, strict=False)]
    for columns, patterns in candidates:
        # of two patterns one begins as the other does
        if not (prefix := min(map(matching.literal_prefix, patterns), key=len, default="")):
            continue
        fits = [matching.like_any(dialect, column, patterns) for column in columns]
        streams = [
            _beginning(dialect, column, prefix, *map(_untrue, fits[:place]))
            for place, column in enumerate(columns)
        ]
        is_whole = all(map(matching.is_literal, patterns))
        yield Approach(rank=Rank.NAME if is_whole else Rank.BEGINNING_OF_NAME, streams=streams)


def _untrue(term: Term) -> Term:
    return Term(f"({term.sql}) IS NOT TRUE", term.parameters)
