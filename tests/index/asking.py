"""How the tests ask an index what it holds."""

from __future__ import annotations

from typing import Any

from sdcc.queries import Level, Match, Query

#: What is unique of each level's matches.
UNIQUE = {
    Level.PATIENT: "patient_id",
    Level.STUDY: "study_instance_uid",
    Level.SERIES: "series_instance_uid",
    Level.IMAGE: "sop_instance_uid",
}


def find(engine: Any, level: Level, *conditions: Any, wanted: tuple[str, ...] = ()) -> list[Match]:
    """What matches, with its unique key where nothing else is wanted."""
    query = Query(level=level, conditions=conditions, wanted=frozenset(wanted or [UNIQUE[level]]))

    async def collect() -> list[Match]:
        return [match async for match in engine.index.find(query) if match is not None]

    return engine.run(collect())


def uids(engine: Any, level: Level, *conditions: Any) -> list[Any]:
    """The unique keys of what is found, each as often as it is."""
    return sorted(match[UNIQUE[level]] for match in find(engine, level, *conditions))
