"""Rows that do not hang together with others, as every database is asked for them. Knows no database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from sdcc.interfaces import LooseRow

#: The place of a level among :data:`LEVELS`, and a key of it.
Position = tuple[int, int]
#: Before every row.
START: Position = (0, 0)

#: From the bottom up: whoever removes rows in this order leaves none without the one above.
LEVELS: tuple[Literal["instance", "series", "study"], ...] = ("instance", "series", "study")

_IS_OF_STUDY = "EXISTS (SELECT 1 FROM study WHERE study.study_key = series.study_key)"
#: What stands in WHERE of a statement about a level's table.
IS_LOOSE = {
    "instance": f"""NOT EXISTS (
        SELECT 1 FROM series WHERE series.series_key = instance.series_key AND {_IS_OF_STUDY})""",
    "series": "NOT EXISTS (SELECT 1 FROM instance WHERE instance.series_key = series.series_key)",
    "study": "NOT EXISTS (SELECT 1 FROM series WHERE series.study_key = study.study_key)",
}

#: The next loose rows; `{p}` stands for a parameter: the position after which, and how many.
FIND = f"""
    SELECT place, row_key, uid, path, is_empty FROM (
        SELECT 0 AS place, instance_key AS row_key, sop_instance_uid AS uid, path, 1 = 0 AS is_empty
        FROM instance WHERE {IS_LOOSE["instance"]}
        UNION ALL
        SELECT 1, series_key, series_instance_uid, NULL, {_IS_OF_STUDY}
        FROM series WHERE {IS_LOOSE["series"]} OR NOT {_IS_OF_STUDY}
        UNION ALL
        SELECT 2, study_key, study_instance_uid, NULL, 1 = 1
        FROM study WHERE NOT EXISTS (
            SELECT 1 FROM series JOIN instance USING (series_key) WHERE series.study_key = study.study_key)
    ) AS loose
    WHERE (place, row_key) > ({{p}}, {{p}}) ORDER BY place, row_key LIMIT {{p}}
"""


def rows_of(rows: Sequence[Sequence[Any]], after: Position) -> tuple[list[LooseRow], Position]:
    """What :data:`FIND` has found, and where it ends."""
    if rows:
        after = rows[-1][0], rows[-1][1]
    return [
        LooseRow(level=LEVELS[place], key=key, uid=uid, path=path, is_empty=bool(is_empty))
        for place, key, uid, path, is_empty in rows
    ], after


def keys(rows: Sequence[LooseRow], level: str) -> list[int]:
    """The keys of the rows that are of a level."""
    return [row.key for row in rows if row.level == level]
