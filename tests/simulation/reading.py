"""What an index reads of the simulated database, and mends in it: of an engine, the part that is SQL."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred

from sdcc.interfaces import StoredObject

from .database import Database


class Reading:
    """To stand before an engine's own class.

    :ivar database: what is read.
    :ivar pause: fires when the database has answered.
    """

    database: Database
    pause: Callable[[], Deferred[None]]

    async def paths(self, sop_instance_uids: Sequence[str]) -> Mapping[str, str]:
        await self.pause()
        rows = self.database.rows
        return {uid: rows[uid].file.path for uid in sop_instance_uids if uid in rows}

    async def instances(
        self,
        study_instance_uid: str | None = None,
        *,
        faulty: bool = False,
        received_since: datetime.datetime | None = None,
    ) -> AsyncIterator[StoredObject]:
        await self.pause()
        for stored in sorted(self.database.rows.values(), key=lambda stored: stored.file.received_at):
            if (
                study_instance_uid in (None, stored.study.study_instance_uid)
                and (stored.fault or not faulty)
                and (received_since is None or stored.file.received_at >= received_since)
            ):
                yield stored

    async def disown(self, sop_instance_uid: str, path: str) -> bool:
        await self.pause()
        return self.database.disown(sop_instance_uid, path)

    async def unregister(self, sop_instance_uid: str, path: str) -> bool:
        await self.pause()
        return self.database.unregister(sop_instance_uid, path)

    async def loose_rows(self) -> AsyncIterator[Any]:
        """There never are any: the rows are objects."""
        await self.pause()
        for row in ():
            yield row

    async def remove_loose(self, rows: Sequence[Any]) -> None:
        await self.pause()
