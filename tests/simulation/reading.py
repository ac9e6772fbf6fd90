"""What an index reads, of the simulated database: the part of an engine that is SQL and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from twisted.internet.defer import Deferred

from sdcc.interfaces import Registered, StoredObject

from .database import Database


class Reading:
    """To stand before an engine's own class.

    :ivar database: what is read.
    :ivar pause: fires when the database has answered.
    """

    database: Database
    pause: Callable[[], Deferred[None]]

    async def restore(self, stored: StoredObject) -> Registered | None:
        await self.pause()
        return self.database.restore(stored)

    async def paths(self, sop_instance_uids: Sequence[str]) -> Mapping[str, str]:
        await self.pause()
        rows = self.database.rows
        return {uid: rows[uid].file.path for uid in sop_instance_uids if uid in rows}

    async def instances(
        self, study_instance_uid: str | None = None, *, faulty: bool = False
    ) -> AsyncIterator[StoredObject]:
        await self.pause()
        for stored in sorted(self.database.rows.values(), key=lambda stored: stored.file.received_at):
            if study_instance_uid in (None, stored.study.study_instance_uid) and (stored.fault or not faulty):
                yield stored
