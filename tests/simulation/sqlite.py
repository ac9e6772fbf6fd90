"""The product's index on SQLite, with a simulated database in the place of the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

from sdcc.index.doubts import Doubt as ToSettle
from sdcc.index.restoring import Superseded
from sdcc.index.sqlite import SQLiteIndex
from sdcc.index.sqlite_writer import Doubt, Written
from sdcc.interfaces import OutOfResources, Registered, StoredObject, Unstorable

from .conditions import ROOT
from .database import GivenUp
from .reading import Reading
from .troubles import Troubles


class Writer:
    """See :class:`sdcc.index.sqlite_writer.Writer`: each call is made in the index's thread."""

    def __init__(self, troubles: Troubles) -> None:
        self._troubles = troubles

    def commit(self, group: Sequence[StoredObject]) -> Written:
        troubles = self._troubles
        match troubles.fault(group):
            case None:
                return Written(results=self._committed(group))
            case "in doubt":
                doubts = [
                    Doubt(answer, "index: disk I/O error") for answer in troubles.database.answers(group)
                ]
                troubles.database.fail_to_commit(group)
                return Written(results=[*doubts], fault="index: disk I/O error")
            case "refused":
                return Written(results=[OutOfResources("index: no such row") for _ in group])
            case _:
                locked = "index: database is locked"
                return Written(results=[OutOfResources(locked) for _ in group], fault=locked)

    def _committed(self, group: Sequence[StoredObject]) -> list[Registered | Superseded | OutOfResources]:
        """By halves, where an object of it is refused."""
        try:
            return [*self._troubles.commit(group)]
        except GivenUp:
            if len(group) == 1:
                return [Unstorable("index: a file was given up")]
        middle = len(group) // 2
        return [*self._committed(group[:middle]), *self._committed(group[middle:])]

    def settle(self, doubtful: Sequence[StoredObject]) -> list[bool]:
        """
        :raises sqlite3.Error: nothing is settled.
        """
        if self._troubles.fault([]) is not None:
            # At a stop nobody tries it again: which of two files loses is for the next start to find out.
            rows = self._troubles.database.rows
            uids = {stored.instance.sop_instance_uid for stored in doubtful}
            self._troubles.excuse(*(stored.file.path for stored in doubtful))
            self._troubles.excuse(*(rows[uid].file.path for uid in uids if uid in rows))
            raise sqlite3.OperationalError("disk I/O error")
        doubts = [ToSettle(stored.instance.sop_instance_uid, stored.file.path) for stored in doubtful]
        return [self._troubles.database.settle(doubt) is not None for doubt in doubts]

    def close(self) -> None:
        pass


class SQLite(Reading, SQLiteIndex):
    def __init__(self, troubles: Troubles, **given: Any) -> None:
        with patch("sdcc.index.sqlite.Writer", lambda path, lock_timeout: Writer(troubles)):
            super().__init__(ROOT / "index.sqlite", **given)
        self.database, self.pause = troubles.database, troubles.pause

    def prepare(self) -> None:
        self.database.decide()
        with patch("sdcc.index.sqlite.prepare"):
            super().prepare()
