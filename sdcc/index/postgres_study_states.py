"""Which studies are stable, and who is still to be told, on PostgreSQL.

Whoever makes a study stable holds the lock that registration takes, so that no object comes in between
unseen; then, as whoever changes notices, a lock of their own.
"""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

from zope.interface import implementer

from sdcc.index import study_states
from sdcc.index.postgres_session import Session, transaction
from sdcc.index.study_states import Select, StudyStates
from sdcc.interfaces import IStudyStates, Notice, StableStudy

#: Runs a function of a session between two groups.
Change = Callable[[Callable[[Session], Awaitable[Any]]], Awaitable[Any]]

_REMOVE_OBSOLETE = study_states.REMOVE_OBSOLETE.format(p="%s")
#: A few studies are looked up one by one, however few the planner takes a table's rows for.
_BEGIN = """
    BEGIN;
    SET LOCAL enable_seqscan = off;
    SET LOCAL enable_hashjoin = off;
    SET LOCAL enable_mergejoin = off
"""
_LOCK_STUDIES = "SELECT sdcc_lock(2, %s)"
_LOCK_NOTICES = "SELECT pg_advisory_xact_lock(hashtextextended('sdcc_notice', 0))"
_UNSTABLE = study_states.FACTS.format(condition=f"study_instance_uid = ANY (%s) AND {study_states.UNSTABLE}")
_OF_KEYS = study_states.FACTS.format(condition="study.study_key = ANY (%s)")
_MAKE_STABLE = """
    UPDATE study SET stable_at = given.at FROM unnest(%s::bigint[], %s::timestamptz[]) AS given (key, at)
    WHERE study_key = given.key
"""
_OWE = """
    INSERT INTO notice (study_key, means, stable_at, due)
    SELECT key, means, at, at
    FROM unnest(%s::bigint[]) AS key, unnest(%s::text[]) AS means, CAST(%s AS timestamptz) AS at
    ON CONFLICT (study_key, means) DO UPDATE SET stable_at = excluded.stable_at, due = excluded.due
"""
_TAKE = """
    UPDATE notice SET due = %s WHERE means = %s AND study_key IN (
        SELECT study_key FROM notice WHERE means = %s AND due <= %s ORDER BY due LIMIT %s)
    RETURNING study_key, stable_at
"""


def _same(instant: datetime.datetime) -> datetime.datetime:
    return instant


def _in_utc(instant: datetime.datetime) -> datetime.datetime:
    return instant.astimezone(datetime.UTC)


@implementer(IStudyStates)
class PostgreSQLStudyStates(StudyStates):
    """See :class:`~sdcc.interfaces.IStudyStates`."""

    mark = "%s"
    given = staticmethod(_same)
    instant = staticmethod(_in_utc)

    def __init__(self, select: Select, change: Change) -> None:
        super().__init__(select)
        self._change = change

    async def make_stable(
        self,
        study_instance_uids: Sequence[str],
        *,
        quiet_since: datetime.datetime,
        news_since: datetime.datetime,
        now: datetime.datetime,
        means: Collection[str],
    ) -> Sequence[StableStudy]:
        async def change(session: Session) -> Sequence[StableStudy]:
            uids = [*study_instance_uids]
            async with transaction(session):
                await session.run(_BEGIN)
                await session.run(_LOCK_STUDIES, uids)
                rows = await session.run(_UNSTABLE, uids)
                found = study_states.settled(
                    rows, self.instant, quiet_since=quiet_since, news_since=news_since, now=now
                )
                await session.run(_MAKE_STABLE, [*found], [study.stable_at for study in found.values()])
                await session.run(_LOCK_NOTICES)
                news = [key for key, study in found.items() if study.is_news]
                await session.run(_OWE, news, [*means], now)
            return [*found.values()]

        stable: Sequence[StableStudy] = await self._change(change)
        return stable

    async def take(
        self, means: str, *, now: datetime.datetime, until: datetime.datetime, limit: int
    ) -> Sequence[Notice]:
        async def change(session: Session) -> list[Notice]:
            async with transaction(session):
                await session.run(_BEGIN)
                await session.run(_LOCK_NOTICES)
                await session.run(_REMOVE_OBSOLETE, means, now)
                due = dict(await session.run(_TAKE, until, means, means, now, limit))
                rows = await session.run(_OF_KEYS, [*due])
            stable_at = {key: self.instant(at) for key, at in due.items()}
            return study_states.notices(means, stable_at, rows, self.instant)

        taken: Sequence[Notice] = await self._change(change)
        return taken

    async def _execute(self, statement: str, *parameters: object) -> None:
        async def change(session: Session) -> None:
            async with transaction(session):
                await session.run(f"BEGIN; {_LOCK_NOTICES}")
                await session.run(statement, *parameters)

        await self._change(change)
