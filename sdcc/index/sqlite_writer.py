"""The one writer of a SQLite index: its connection, its transactions, and what a failure of one means.

Blocks; used by one thread at a time. Knows neither Twisted nor the queue before it.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sdcc.index.restoring import Superseded
from sdcc.index.sqlite_file import identity, open_writer, touch, transaction
from sdcc.index.sqlite_statements import ROW_FAULTS, register, settle
from sdcc.interfaces import OutOfResources, Registered, StoredObject, Unstorable

T = TypeVar("T")

#: (0000,0902) Error Comment, VR LO.
MAXIMUM_REASON = 64


@dataclass(frozen=True, slots=True)
class Doubt:
    """COMMIT failed: the answer that holds if the transaction turns out to be durable all the same.

    The log may have reached the disk though its sync failed. Until another transaction overwrites it
    there, a crash would bring the transaction back.
    """

    registered: Registered
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of a group."""

    #: One for each object, in the group's order.
    results: list[Registered | Superseded | OutOfResources | Doubt]
    #: Why the database, and not a row, failed; None: it did not.
    fault: str | None = None


class Writer:
    """Opens the database when first used, and anew after each fault of it.

    Also when its files are not those that were opened: what is written to files without a name is lost.

    :param lock_timeout: seconds to wait while another process writes.
    """

    def __init__(self, path: Path, lock_timeout: float) -> None:
        self._path = path
        self._lock_timeout = lock_timeout
        self._connection: sqlite3.Connection | None = None
        #: What was opened.
        self._files: object = None

    def commit(self, group: Sequence[StoredObject]) -> Written:
        """Commit a group in one transaction; where one object's row spoils it for others, by halves."""
        registered: list[Registered | Superseded] | None = None
        try:
            connection = self._open()
            with transaction(connection):
                registered = register(connection, group)
        except ROW_FAULTS as error:
            if len(group) > 1:
                return self._commit_halves(group)
            return Written(results=[Unstorable(reason(error))])
        except sqlite3.Error as error:
            self._drop()
            fault = reason(error)
            if registered is not None:
                return Written(results=[_in_doubt(answer, fault) for answer in registered], fault=fault)
            return Written(results=[OutOfResources(fault) for _ in group], fault=fault)
        return Written(results=[*registered])

    def settle(self, doubtful: Sequence[StoredObject]) -> list[bool]:
        """Which of the doubtful objects were registered; after this, the others never will be.

        To make sure of it, a transaction is committed that changes nothing.

        :raises sqlite3.Error: the database still fails; nothing is settled.
        """

        def look(connection: sqlite3.Connection) -> list[bool]:
            touch(connection)
            return [
                settle(connection, stored.instance.sop_instance_uid, stored.file.path) for stored in doubtful
            ]

        return self.change(look)

    def change(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Change something in a transaction of its own.

        :raises sqlite3.Error: the database fails; nothing is changed, as far as is known.
        """
        try:
            connection = self._open()
            with transaction(connection):
                return change(connection)
        except sqlite3.Error:
            self._drop()
            raise

    def close(self) -> None:
        """Write the log back into the database, and close it."""
        if self._connection is not None:
            # What cannot be written back stays in the log, where the next start finds it.
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._drop()

    def _commit_halves(self, group: Sequence[StoredObject]) -> Written:
        middle = len(group) // 2
        first = self.commit(group[:middle])
        if first.fault is not None:
            rest = [OutOfResources(first.fault) for _ in group[middle:]]
            return Written(results=[*first.results, *rest], fault=first.fault)
        second = self.commit(group[middle:])
        return Written(results=[*first.results, *second.results], fault=second.fault)

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and self._files != identity(self._path):
            self._drop()
        if self._connection is None:
            self._connection = open_writer(self._path, self._lock_timeout)
            self._files = identity(self._path)
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _in_doubt(answer: Registered | Superseded, reason: str) -> Doubt | Superseded:
    return Doubt(answer, reason) if isinstance(answer, Registered) else answer


def reason(error: Exception) -> str:
    """What the peer and the log are told; SQLite's messages name columns, never values."""
    return f"index: {error}"[:MAXIMUM_REASON]
