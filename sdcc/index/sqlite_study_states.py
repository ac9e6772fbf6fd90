"""Which studies are stable, and who is still to be told, on SQLite."""

from __future__ import annotations

import datetime
import json
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

from zope.interface import implementer

from sdcc.index import study_states
from sdcc.index.rows import utc_text
from sdcc.index.study_states import Select, StudyStates
from sdcc.interfaces import IStudyStates, Notice, StableStudy

#: Runs a function of a connection, and more arguments, in a transaction of its own.
Change = Callable[..., Awaitable[Any]]

_REMOVE_OBSOLETE = study_states.REMOVE_OBSOLETE.format(p="?")
_UNSTABLE = study_states.FACTS.format(
    condition=f"study_instance_uid IN (SELECT value FROM json_each(?)) AND {study_states.UNSTABLE}"
)
_OF_KEYS = study_states.FACTS.format(condition="study.study_key IN (SELECT value FROM json_each(?))")
_MAKE_STABLE = "UPDATE study SET stable_at = ? WHERE study_key = ?"
_OWE = "INSERT OR REPLACE INTO notice (study_key, means, stable_at, due) VALUES (?, ?, ?, ?)"
_DUE = "SELECT study_key, stable_at FROM notice WHERE means = ? AND due <= ? ORDER BY due LIMIT ?"
_TAKE = "UPDATE notice SET due = ? WHERE means = ? AND study_key = ?"


@implementer(IStudyStates)
class SQLiteStudyStates(StudyStates):
    """See :class:`~sdcc.interfaces.IStudyStates`."""

    mark = "?"
    given = staticmethod(utc_text)
    instant = staticmethod(datetime.datetime.fromisoformat)

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
        def change(connection: sqlite3.Connection) -> Sequence[StableStudy]:
            rows = connection.execute(_UNSTABLE, (json.dumps([*study_instance_uids]),)).fetchall()
            found = study_states.settled(
                rows, self.instant, quiet_since=quiet_since, news_since=news_since, now=now
            )
            connection.executemany(
                _MAKE_STABLE, [(utc_text(study.stable_at), key) for key, study in found.items()]
            )
            at = utc_text(now)
            connection.executemany(
                _OWE, [(key, each, at, at) for key, study in found.items() if study.is_news for each in means]
            )
            return [*found.values()]

        stable: Sequence[StableStudy] = await self._change(change)
        return stable

    async def take(
        self, means: str, *, now: datetime.datetime, until: datetime.datetime, limit: int
    ) -> Sequence[Notice]:
        def change(connection: sqlite3.Connection) -> list[Notice]:
            connection.execute(_REMOVE_OBSOLETE, (means, utc_text(now)))
            due = dict(connection.execute(_DUE, (means, utc_text(now), limit)))
            connection.executemany(_TAKE, [(utc_text(until), means, key) for key in due])
            rows = connection.execute(_OF_KEYS, (json.dumps([*due]),)).fetchall()
            stable_at = {key: self.instant(text) for key, text in due.items()}
            return study_states.notices(means, stable_at, rows, self.instant)

        taken: Sequence[Notice] = await self._change(change)
        return taken

    async def _execute(self, statement: str, *parameters: object) -> None:
        await self._change(lambda connection: connection.execute(statement, parameters))
