"""Rows that do not hang together with others, as every database is asked for them. Knows no database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any, Literal, Protocol

from sdcc.interfaces import LooseRow

#: So many rows of a level a statement looks at, loose or not: how long it takes depends on no table's size.
RANGE = 10_000

#: From the bottom up: whoever removes rows in this order leaves none without the one above.
LEVELS: tuple[Literal["instance", "series", "study"], ...] = ("instance", "series", "study")

# Each condition is a value that is looked up for a row. Of an EXISTS PostgreSQL makes a join, and for that
# it may read the whole of another table.
_HAS_NO_STUDY = "(SELECT 1 FROM study WHERE study.study_key = series.study_key) IS NULL"
#: What stands in WHERE of a statement about a level's table.
IS_LOOSE = {
    "instance": """(
        SELECT 1 FROM series JOIN study USING (study_key)
        WHERE series.series_key = instance.series_key) IS NULL""",
    "series": "(SELECT 1 FROM instance WHERE instance.series_key = series.series_key LIMIT 1) IS NULL",
    "study": "(SELECT 1 FROM series WHERE series.study_key = study.study_key LIMIT 1) IS NULL",
}

_LOOSE = {
    "instance": f"""
        SELECT sop_instance_uid, path, instance_key, 1 = 0 FROM instance
        WHERE {IS_LOOSE["instance"]}""",
    "series": f"""
        SELECT series_instance_uid, NULL, series_key, NOT {_HAS_NO_STUDY} FROM series
        WHERE ({IS_LOOSE["series"]} OR {_HAS_NO_STUDY})""",
    "study": f"""
        SELECT study_instance_uid, NULL, study_key, 1 = 1 FROM study
        WHERE (
            SELECT 1 FROM series
            WHERE series.study_key = study.study_key AND NOT {IS_LOOSE["series"]} LIMIT 1) IS NULL""",
}
_IN_RANGE = " AND {level}_key > {{p}} AND {level}_key <= {{p}} ORDER BY {level}_key"
_FIND = {level: _LOOSE[level] + _IN_RANGE.format(level=level) for level in LEVELS}
#: The last key of a range: by rows, since keys may have gaps of any width.
_END = {
    level: f"""
        SELECT max({level}_key) FROM (
            SELECT {level}_key FROM {level} WHERE {level}_key > {{p}} ORDER BY {level}_key LIMIT {{p}}
        ) AS keys"""
    for level in LEVELS
}


class Select(Protocol):
    """Executes a statement that reads, in which `{p}` stands for each parameter; gives its rows."""

    def __call__(self, statement: str, *parameters: int) -> Awaitable[Sequence[Sequence[Any]]]: ...


async def find(select: Select) -> AsyncIterator[LooseRow]:
    """Every loose row, a level after the other, and in each by their keys, which begin at 1."""
    for level in LEVELS:
        after = 0
        while True:
            [(end,)] = await select(_END[level], after, RANGE)
            if end is None:
                break
            for uid, path, key, is_empty in await select(_FIND[level], after, end):
                yield LooseRow(level=level, key=key, uid=uid, path=path, is_empty=bool(is_empty))
            after = end


def keys(rows: Sequence[LooseRow], level: str) -> list[int]:
    """The keys of the rows that are of a level."""
    return [row.key for row in rows if row.level == level]
