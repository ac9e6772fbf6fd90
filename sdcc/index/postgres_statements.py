"""The SQL of the index on PostgreSQL.

A group of objects is one JSON parameter of one statement: one round trip and one transaction. What happens
in it is in `schema/postgres-*.sql`.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from sdcc.index.doubts import Doubt
from sdcc.index.postgres_session import DATA_EXCEPTION, Refused, Session, transaction
from sdcc.index.restoring import Found, Held, Superseded, answers, standing, superseded
from sdcc.index.rows import (
    INSTANCE,
    LEVELS,
    SERIES,
    STUDY,
    Column,
    Row,
    encoder,
    gather,
    registrations,
    stored_object,
)
from sdcc.interfaces import Registered, StoredObject

#: received_at and instance_key, by which objects are in order of reception.
Position = tuple[datetime.datetime, int]
#: Before every object.
START: Position = (datetime.datetime.min.replace(tzinfo=datetime.UTC), 0)


def at(received_since: datetime.datetime) -> Position:
    """Before every object that was received then or later."""
    return received_since, 0


# --- registration --------------------------------------------------------------------------

_encode_key = encoder([column for column in INSTANCE.columns if column.name in ("sop_instance_uid", "path")])

_REGISTER = "SELECT uid, path_before FROM sdcc_register(%s)"
#: What the index holds under the UIDs of a group, and then the group's files that are gone. Nothing of it
#: changes until the transaction ends.
_BEGIN = """
    BEGIN;
    SELECT sdcc_lock(1, %s);
    SELECT sop_instance_uid, path, received_at FROM instance WHERE sop_instance_uid = ANY (%s)
    UNION ALL SELECT NULL, path, NULL FROM gone WHERE path = ANY (%s)
"""
_SETTLE = "SELECT path, is_registered, path_before FROM sdcc_settle(%s)"


def _records(columns: Sequence[Column]) -> Callable[[Iterable[Row]], list[dict[str, str | int]]]:
    """What makes JSON objects of rows, with the values that are not NULL."""
    names = [column.name for column in columns]
    encode = encoder(columns)
    return lambda rows: [
        {name: value for name, value in zip(names, values, strict=True) if value is not None}
        for values in map(encode, rows)
    ]


_study_records = _records(STUDY.columns)
_series_records = _records((STUDY.columns[0], *SERIES.columns))
_instance_records = _records((STUDY.columns[0], SERIES.columns[0], *INSTANCE.columns))

_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


async def register(session: Session, group: Sequence[StoredObject]) -> list[Registered | Superseded]:
    """Commit the rows of a group; how each is answered.

    A group that is registered already gives the same again and changes nothing; but what was found
    on disk then gives way to itself.

    :raises Refused: for a row of the group, or for another reason.
    :raises Lost: nobody knows whether the group was committed.
    """
    if not any(isinstance(stored, Found) for stored in group):
        return [*await _register(session, group)]
    async with transaction(session):
        gives_way = await _begin(session, group)
        registered = await _register(session, standing(group, gives_way))
    return answers(gives_way, registered)


async def _begin(session: Session, group: Sequence[StoredObject]) -> list[bool]:
    """Begin a transaction; of each of the group whether it gives way to what is registered, or is gone."""
    with _refusing():
        keys = [*map(_encode_key, ((stored.instance.sop_instance_uid, stored.file.path) for stored in group))]
    uids, files = [uid for uid, _ in keys], [path for _, path in keys]
    held, gone = {}, set()
    for uid, path, received_at in await session.run(_BEGIN, uids, uids, files):
        if uid is None:
            gone.add(path)
        else:
            held[uid] = Held(path, received_at)
    return superseded(group, held, gone)


async def _register(session: Session, group: Sequence[StoredObject]) -> list[Registered]:
    with _refusing():
        gathered = gather(group)
        given = {
            STUDY.table: _study_records(gathered.studies),
            SERIES.table: _series_records(gathered.series),
            INSTANCE.table: _instance_records(gathered.instances),
        }
    return registrations(group, dict(await session.run(_REGISTER, _json(given))))


@contextmanager
def _refusing() -> Iterator[None]:
    """For values that are none of their columns'."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise Refused(DATA_EXCEPTION, str(error)) from error


async def settle(session: Session, doubts: Sequence[Doubt]) -> list[Registered | None]:
    """What became of objects; after this, those that are not registered never will be."""
    given = [{"sop_instance_uid": doubt.sop_instance_uid, "path": doubt.path} for doubt in doubts]
    outcomes = {
        path: Registered(path_before) if is_registered else None
        for path, is_registered, path_before in await session.run(_SETTLE, _json(given))
    }
    return [outcomes[doubt.path] for doubt in doubts]


# --- reading -------------------------------------------------------------------------------

_NAMES = tuple(name for level in LEVELS for name in level.names[: level.fields])
_PATHS = "SELECT sop_instance_uid, path FROM instance WHERE sop_instance_uid = ANY (%s)"
_ROWS = f"""
    SELECT {", ".join(_NAMES)}, instance_key
    FROM instance JOIN series USING (series_key) JOIN study USING (study_key)
    WHERE (received_at, instance_key) > (%s, %s)
"""
_IN_ORDER = "ORDER BY received_at, instance_key LIMIT %s"
#: Not left to the planner, who might look for the objects of one study among all that were ever received.
_OF_STUDY = (
    f"WITH of_study AS MATERIALIZED ({_ROWS} {{faulty}} AND study_instance_uid = %s) SELECT * FROM of_study"
)
_FAULTY = "AND fault IS NOT NULL"


async def read(
    session: Session,
    after: Position,
    limit: int,
    study_instance_uid: str | None = None,
    faulty: bool = False,
) -> tuple[list[StoredObject], Position]:
    """The next objects in order of reception, and where they end.

    :param faulty: only those of which something could not be read.
    """
    of_fault = _FAULTY if faulty else ""
    if study_instance_uid is None:
        rows = await session.run(f"{_ROWS} {of_fault} {_IN_ORDER}", *after, limit)
    else:
        statement = f"{_OF_STUDY.format(faulty=of_fault)} {_IN_ORDER}"
        rows = await session.run(statement, *after, study_instance_uid, limit)
    if rows:
        after = rows[-1][_NAMES.index("received_at")], rows[-1][-1]
    return [stored_object(dict(zip(_NAMES, row, strict=False))) for row in rows], after


async def paths(session: Session, sop_instance_uids: Sequence[str]) -> dict[str, str]:
    return dict(await session.run(_PATHS, [*sop_instance_uids]))
