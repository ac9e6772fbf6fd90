"""The SQL that mends an index on SQLite: rows whose files are gone, and rows that hang on nothing.

Blocks, within transactions and connections that others begin and end. A file that no row is to name any more
is noted in `gone`, so that another process that was held up for long does not register it after all.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from sdcc.index import loose
from sdcc.index.loose import IS_LOOSE, LEVELS
from sdcc.index.sqlite_statements import give_up, remove_empty
from sdcc.interfaces import LooseRow

_WHERE_IT_STANDS = """
    SELECT series_key, study_key FROM instance LEFT JOIN series USING (series_key)
    WHERE sop_instance_uid = ? AND path = ?
"""
_UNREGISTER = "DELETE FROM instance WHERE sop_instance_uid = ? AND path = ?"


def disown(connection: sqlite3.Connection, sop_instance_uid: str, path: str) -> bool:
    """See :class:`~sdcc.interfaces.IIndex`."""
    return give_up(connection, sop_instance_uid, path)


def unregister(connection: sqlite3.Connection, sop_instance_uid: str, path: str) -> bool:
    """See :class:`~sdcc.interfaces.IIndex`."""
    found = connection.execute(_WHERE_IT_STANDS, (sop_instance_uid, path)).fetchone()
    if found is None:
        return False
    series_key, study_key = found
    connection.execute(_UNREGISTER, (sop_instance_uid, path))
    remove_empty(connection, [series_key], [study_key])
    return give_up(connection, sop_instance_uid, path)


def remove_loose(connection: sqlite3.Connection, rows: Sequence[LooseRow]) -> None:
    """See :class:`~sdcc.interfaces.IIndex`."""
    for level in LEVELS:
        is_one = f"{level}_key IN (SELECT value FROM json_each(?))"
        keys = json.dumps(loose.keys(rows, level))
        connection.execute(f"DELETE FROM {level} WHERE {is_one} AND {IS_LOOSE[level]}", (keys,))
