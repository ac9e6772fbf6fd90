"""The SQL that mends an index on PostgreSQL: rows whose files are gone, and rows that hang on nothing.

Whoever changes rows holds the locks that registration takes, in its order. A file that no row is to name any
more is noted in `gone`, so that a statement that was given up long ago does not register it after all.
"""

from __future__ import annotations

from collections.abc import Sequence

from sdcc.index import loose
from sdcc.index.loose import IS_LOOSE, LEVELS
from sdcc.index.postgres_session import Session, transaction
from sdcc.interfaces import LooseRow

_LOCK_OBJECT = "BEGIN; SELECT sdcc_lock(1, ARRAY[%s])"
_IS_REGISTERED = "SELECT EXISTS (SELECT FROM instance WHERE sop_instance_uid = %s AND path = %s)"
_DISOWN = "INSERT INTO gone (path) VALUES (%s) ON CONFLICT DO NOTHING"
_WHERE_IT_STANDS = """
    SELECT series_key, study_key, study_instance_uid
    FROM instance LEFT JOIN series USING (series_key) LEFT JOIN study USING (study_key)
    WHERE sop_instance_uid = %s AND path = %s
"""
_UNREGISTER = """
    SELECT sdcc_lock(2, ARRAY[%s]);
    DELETE FROM instance WHERE sop_instance_uid = %s AND path = %s;
    DELETE FROM series WHERE series_key = %s
        AND NOT EXISTS (SELECT FROM instance WHERE instance.series_key = series.series_key);
    DELETE FROM study WHERE study_key = %s
        AND NOT EXISTS (SELECT FROM series WHERE series.study_key = study.study_key)
"""
_LOCK_LOOSE = """
    BEGIN;
    SELECT sdcc_lock(1, ARRAY(SELECT sop_instance_uid FROM instance WHERE instance_key = ANY (%s)));
    SELECT sdcc_lock(2, ARRAY(
        SELECT study_instance_uid FROM study WHERE study_key = ANY (%s)
        UNION SELECT study_instance_uid FROM study JOIN series USING (study_key) WHERE series_key = ANY (%s)))
"""


async def disown(session: Session, sop_instance_uid: str, path: str) -> bool:
    """See :class:`~sdcc.interfaces.IIndex`.

    :raises Refused: nothing is changed.
    :raises Lost: nobody knows.
    """
    async with transaction(session):
        await session.run(_LOCK_OBJECT, sop_instance_uid)
        [(is_registered,)] = await session.run(_IS_REGISTERED, sop_instance_uid, path)
        if not is_registered:
            await session.run(_DISOWN, path)
    return not is_registered


async def unregister(session: Session, sop_instance_uid: str, path: str) -> bool:
    """See :class:`~sdcc.interfaces.IIndex`; it raises what :func:`disown` does."""
    async with transaction(session):
        await session.run(_LOCK_OBJECT, sop_instance_uid)
        found = await session.run(_WHERE_IT_STANDS, sop_instance_uid, path)
        for series_key, study_key, study_instance_uid in found:
            await session.run(
                _UNREGISTER, study_instance_uid or "", sop_instance_uid, path, series_key, study_key
            )
            await session.run(_DISOWN, path)
    return bool(found)


async def remove_loose(session: Session, rows: Sequence[LooseRow]) -> None:
    """See :class:`~sdcc.interfaces.IIndex`; it raises what :func:`disown` does."""
    keys = {level: loose.keys(rows, level) for level in LEVELS}
    async with transaction(session):
        await session.run(_LOCK_LOOSE, keys["instance"], keys["study"], keys["series"])
        for level in LEVELS:
            await session.run(
                f"DELETE FROM {level} WHERE {level}_key = ANY (%s) AND {IS_LOOSE[level]}", keys[level]
            )
