"""The SQL of the index on SQLite.

Blocks, within transactions and connections that others begin and end.

A group of objects is a few statements, not some for each object: every call of SQLite lets go of Python's
global lock and has to win it back from the reactor's thread, which under load costs many times what the call
does. The values of all their rows are parameters, which is half the work of having them read out of JSON.
"""

from __future__ import annotations

import datetime
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from sdcc.index.dialects import SQLITE
from sdcc.index.restoring import Held, Superseded, answers, standing, superseded
from sdcc.index.rows import (
    INSTANCE,
    LEVELS,
    SERIES,
    STUDY,
    Column,
    Level,
    Row,
    encoder,
    gather,
    registrations,
    stored_object,
    utc_text,
)
from sdcc.interfaces import Registered, StoredObject

T = TypeVar("T")

#: received_at and instance_key, by which objects are in order of reception.
Position = tuple[str, int]
#: Before every object.
START: Position = ("", 0)


def at(received_since: datetime.datetime) -> Position:
    """Before every object that was received then or later."""
    return utc_text(received_since), 0


#: What :func:`register` raises when it is a row that cannot be stored, and not the database that is at fault.
ROW_FAULTS = (ValueError, TypeError, OverflowError, sqlite3.IntegrityError, sqlite3.DataError)

#: Rows in one statement, at most: there is a statement for each number of rows, which a connection keeps
#: compiled.
MAXIMUM_ROWS = 16


# --- registration --------------------------------------------------------------------------

_STUDY_KEY = "(SELECT study_key FROM study WHERE study_instance_uid = ?)"
_SERIES_KEY = f"(SELECT series_key FROM series WHERE study_key = {_STUDY_KEY} AND series_instance_uid = ?)"


def _merge(level: Level, *emptied: str) -> str:
    """The newest object's values, the earlier ones where it holds none; no row is rewritten as it was.

    What is reckoned from others is as it was where they are. COLLATE BINARY, because a column's own collation
    may take different texts for the same.

    :param emptied: other columns, which hold nothing afterwards.
    """
    merged = {name: f"coalesce(excluded.{name}, {name})" for name in level.names[1:]}
    fields = level.names[1 : level.fields]
    values = merged | dict.fromkeys(emptied, "NULL")
    return f"""
        UPDATE SET {", ".join(f"{name} = {value}" for name, value in values.items())}
        WHERE ({", ".join(f"{merged[name]} COLLATE BINARY" for name in fields)}) IS NOT ({", ".join(fields)})
        {" ".join(f"OR {name} IS NOT NULL" for name in emptied)}
    """


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Registration:
    """How rows of a level are written."""

    #: INSERT and what goes before the rows' values; a row, with its parameters; what if there is one already.
    insert: str
    row: str
    on_conflict: str
    encode: Callable[[Row], list[str | int | None]]


def _registration(
    level: Level, above: Mapping[str, str], keys: Sequence[Column], on_conflict: str
) -> _Registration:
    """
    :param above: the column that names the level above, and the SQL of it.
    :param keys: of the parameters in that SQL, which are the first of a row.
    """
    values = [*above.values(), *["?"] * len(level.names)]
    return _Registration(
        insert=f"INSERT INTO {level.table} ({', '.join((*above, *level.names))})",
        row=f"({', '.join(values)})",
        on_conflict=f"ON CONFLICT {on_conflict}",
        encode=encoder((*keys, *level.columns)),
    )


_STUDIES = _registration(STUDY, {}, (), f"(study_instance_uid) DO {_merge(STUDY, 'stable_at')}")
_SERIES = _registration(
    SERIES,
    {"study_key": _STUDY_KEY},
    STUDY.columns[:1],
    f"(study_key, series_instance_uid) DO {_merge(SERIES)}",
)
_INSTANCES = _registration(
    INSTANCE,
    {"series_key": _SERIES_KEY},
    (STUDY.columns[0], SERIES.columns[0]),
    f"""(sop_instance_uid) DO
    UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in ("series_key", *INSTANCE.names))}""",
)


@lru_cache(maxsize=3 * MAXIMUM_ROWS)
def _insertion(registration: _Registration, count: int) -> str:
    rows = ", ".join([registration.row] * count)
    return f"{registration.insert} VALUES {rows} {registration.on_conflict}"


@lru_cache(maxsize=MAXIMUM_ROWS)
def _earlier(count: int) -> str:
    """What the index holds under the UIDs of a group, and then the group's files that are gone."""
    marks = ", ".join("?" * count)
    return f"""
        SELECT sop_instance_uid, path, series_key, study_key, received_at
        FROM instance JOIN series USING (series_key) WHERE sop_instance_uid IN ({marks})
        UNION ALL SELECT NULL, path, NULL, NULL, NULL FROM gone WHERE path IN ({marks})
    """


_NOTE_REPLACED = """
    INSERT OR IGNORE INTO gone (path, successor)
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?)
"""
_PRUNE_GONE = """
    DELETE FROM gone WHERE path IN (
        SELECT path FROM gone WHERE since < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-30 days')
        ORDER BY since LIMIT 1000)
"""
_GIVE_UP = "INSERT OR IGNORE INTO gone (path) VALUES (?)"
_WAS_REPLACED = "SELECT count(*) FROM gone WHERE path = ? AND successor IS NOT NULL"
_REMOVE_EMPTY_SERIES = """
    DELETE FROM series WHERE series_key IN (SELECT value FROM json_each(?))
    AND NOT EXISTS (SELECT 1 FROM instance WHERE instance.series_key = series.series_key)
"""
_REMOVE_EMPTY_STUDIES = """
    DELETE FROM study WHERE study_key IN (SELECT value FROM json_each(?))
    AND NOT EXISTS (SELECT 1 FROM series WHERE series.study_key = study.study_key)
"""
_COUNT = "SELECT count(*) FROM instance WHERE sop_instance_uid = ? AND path = ?"


def register(connection: sqlite3.Connection, group: Sequence[StoredObject]) -> list[Registered | Superseded]:
    """Write the rows of a group; how each is answered once they are committed.

    :raises ROW_FAULTS: a row of the group cannot be stored, or names a file that is gone.
    :raises sqlite3.Error: the database is at fault.
    """
    found = _find(connection, group)
    earlier = [row for row in found if row[0] is not None]
    gone = {row[1] for row in found if row[0] is None}
    gives_way = superseded(
        group,
        {row[0]: Held(path=row[1], received_at=datetime.datetime.fromisoformat(row[4])) for row in earlier},
        gone,
    )
    group = standing(group, gives_way)
    if gone and not gone.isdisjoint(stored.file.path for stored in group):
        raise ValueError("a file that was given up or replaced cannot be registered")
    gathered = gather(group)
    _write(connection, _STUDIES, gathered.studies)
    _write(connection, _SERIES, gathered.series)
    _write(connection, _INSTANCES, gathered.instances)
    before = {row[0]: row[1] for row in earlier}
    if earlier:
        _note_replaced(connection, group, before)
        remove_empty(connection, *({row[place] for row in earlier} for place in (2, 3)))
    return answers(gives_way, registrations(group, before))


def _find(connection: sqlite3.Connection, group: Sequence[StoredObject]) -> list[tuple[Any, ...]]:
    """See :func:`_earlier`."""
    found = []
    for some in _portions(group):
        uids = [stored.instance.sop_instance_uid for stored in some]
        files = [stored.file.path for stored in some]
        found += connection.execute(_earlier(len(some)), uids + files).fetchall()
    return found


def _write(connection: sqlite3.Connection, registration: _Registration, rows: Sequence[Row]) -> None:
    for some in _portions(rows):
        values = [value for row in some for value in registration.encode(row)]
        connection.execute(_insertion(registration, len(some)), values)


def _portions(whole: Sequence[T]) -> Iterator[Sequence[T]]:
    return (whole[start : start + MAXIMUM_ROWS] for start in range(0, len(whole), MAXIMUM_ROWS))


def _note_replaced(
    connection: sqlite3.Connection, group: Sequence[StoredObject], before: Mapping[str, str]
) -> None:
    """Note the files whose places a group has taken, and forget those of long ago.

    :param before: SOP Instance UID to path, before the group.
    """
    after = {stored.instance.sop_instance_uid: stored.file.path for stored in group}
    replaced = [(before[uid], path) for uid, path in after.items() if before.get(uid, path) != path]
    connection.execute(_NOTE_REPLACED, (json.dumps(replaced, ensure_ascii=False),))
    connection.execute(_PRUNE_GONE)


def remove_empty(
    connection: sqlite3.Connection, series_keys: Iterable[int], study_keys: Iterable[int | None]
) -> None:
    """Remove those of these levels that hold nothing any more."""
    connection.execute(_REMOVE_EMPTY_SERIES, (json.dumps([*series_keys]),))
    connection.execute(_REMOVE_EMPTY_STUDIES, (json.dumps([*study_keys]),))


def give_up(connection: sqlite3.Connection, sop_instance_uid: str, path: str) -> bool:
    """Make sure that an object's row never names a file; False: it does."""
    (count,) = connection.execute(_COUNT, (sop_instance_uid, path)).fetchone()
    if not count:
        connection.execute(_GIVE_UP, (path,))
    return not count


def settle(connection: sqlite3.Connection, sop_instance_uid: str, path: str) -> bool:
    """Whether a file was registered, if only until another took its place; if not, it never will be."""
    if not give_up(connection, sop_instance_uid, path):
        return True
    (count,) = connection.execute(_WAS_REPLACED, (path,)).fetchone()
    return bool(count)


# --- reading -------------------------------------------------------------------------------

_NAMES = tuple(name for level in LEVELS for name in level.names[: level.fields])
_DECODED = [
    (column.name, SQLITE.decoders[column.type])
    for level in LEVELS
    for column in level.columns
    if column.type in SQLITE.decoders
]
_PATHS = (
    "SELECT sop_instance_uid, path FROM instance WHERE sop_instance_uid IN (SELECT value FROM json_each(?))"
)
_READ = f"""
    SELECT {", ".join(_NAMES)}, instance_key
    FROM instance JOIN series USING (series_key) JOIN study USING (study_key)
    WHERE (received_at, instance_key) > (:received_at, :instance_key) {{conditions}}
    ORDER BY received_at, instance_key LIMIT :limit
"""
_OF_STUDY = "AND study_instance_uid = :study_instance_uid"
_FAULTY = "AND fault IS NOT NULL"


def read(
    connection: sqlite3.Connection,
    after: Position,
    limit: int,
    study_instance_uid: str | None = None,
    faulty: bool = False,
) -> tuple[list[StoredObject], Position]:
    """The next objects in order of reception, and where they end.

    :param faulty: only those of which something could not be read.
    """
    of_study = "" if study_instance_uid is None else _OF_STUDY
    rows = connection.execute(
        _READ.format(conditions=f"{of_study} {_FAULTY if faulty else ''}"),
        {
            "received_at": after[0],
            "instance_key": after[1],
            "study_instance_uid": study_instance_uid,
            "limit": limit,
        },
    ).fetchall()
    if rows:
        after = rows[-1][_NAMES.index("received_at")], rows[-1][-1]
    return [_decoded(row) for row in rows], after


def paths(connection: sqlite3.Connection, sop_instance_uids: Sequence[str]) -> dict[str, str]:
    return dict(connection.execute(_PATHS, (json.dumps(sop_instance_uids),)))


def _decoded(row: Sequence[Any]) -> StoredObject:
    values = dict(zip(_NAMES, row, strict=False))
    for name, decode in _DECODED:
        if values[name] is not None:
            values[name] = decode(values[name])
    return stored_object(values)
