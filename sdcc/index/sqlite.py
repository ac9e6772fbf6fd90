"""The index on SQLite: the default, with nothing to install.

The reactor's side. All SQL runs in threads that are given: one for the writer, any for readers.
Several processes of one host may share the database file.
"""

from __future__ import annotations

import datetime
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from sdcc.index import finding, loose, sqlite_mending
from sdcc.index.dialects import SQLITE
from sdcc.index.grouping import GroupCommit, Result, Settled
from sdcc.index.restoring import Found, Superseded, found
from sdcc.index.sqlite_file import prepare
from sdcc.index.sqlite_readers import Readers
from sdcc.index.sqlite_statements import START, Position, at, paths, read
from sdcc.index.sqlite_study_states import SQLiteStudyStates
from sdcc.index.sqlite_writer import Doubt, Writer, reason
from sdcc.interfaces import (
    IIndex,
    IndexFigures,
    LooseRow,
    OutcomeUnknown,
    OutOfResources,
    Registered,
    RunInThread,
    StoredObject,
)
from sdcc.queries import Holding, Match, Query

T = TypeVar("T")

#: Objects that :meth:`SQLiteIndex.instances` holds in memory at a time.
PAGE = 1000
#: Seconds from a failed transaction to a trial whether the database works again.
TRIAL_INTERVAL = 1.0
#: How much of the timeout may go in waiting for another process that writes. Less than all of it, so that
#: an object that never got its turn is refused for certain, and not with an unknown outcome.
LOCK_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class _Doubtful:
    stored: StoredObject
    registered: Registered
    settled: Deferred[Registered | None] = field(default_factory=Deferred)


@implementer(IIndex)
class SQLiteIndex:
    """An index in one file.

    :meth:`instances` alone may be used with no :meth:`prepare`: it reads what is there, and creates nothing.

    :param run_in_thread: for the writer; runs one call at a time, in order.
    :param read_in_thread: for readers; may be the same.
    :param timeout: seconds that a registration may take.
    """

    _log = Logger()

    def __init__(
        self,
        path: Path,
        *,
        run_in_thread: RunInThread,
        read_in_thread: RunInThread,
        clock: IReactorTime,
        timeout: float,
    ) -> None:
        self._path = path
        self._run_in_thread = run_in_thread
        self._read_in_thread = read_in_thread
        self._clock = clock
        self._lock_timeout = timeout * LOCK_SHARE
        self._writer = Writer(path, self._lock_timeout)
        self._readers = Readers(path, self._lock_timeout)
        self._queue = GroupCommit(self._commit, clock=clock, timeout=timeout, doubt=self._take_note)
        self._closed: str | None = "index is not open yet"
        self._fault: str | None = None
        self._doubts: list[_Doubtful] = []
        self._trial: IDelayedCall | None = None
        self.study_states = SQLiteStudyStates(self._page, self._change)

    @property
    def refusal(self) -> str | None:
        """See :class:`~sdcc.interfaces.IIndex`; while the database fails, it is tried again by itself."""
        return self._closed or self._fault or self._queue.late

    @property
    def leaves_doubts(self) -> bool:
        return bool(self._doubts)

    @property
    def figures(self) -> IndexFigures:
        return IndexFigures(self._queue.groups, len(self._doubts))

    def prepare(self) -> None:
        prepare(self._path, self._lock_timeout)
        self._closed = None

    def start(self) -> None:
        """Nothing is left to do."""

    async def stop(self) -> None:
        self._closed = "index is stopped"
        await self._queue.rest()
        if self._trial is not None:
            self._trial.cancel()
            self._trial = None
        if self._doubts:
            await self._settle()
        await self._run_in_thread(self._close)  # after what the end of a commit has still begun

    def _close(self) -> None:
        """The writer last: then nothing keeps it from bringing its log into the database."""
        self._readers.keep_none()
        self._writer.close()

    async def register(self, stored: StoredObject) -> Registered:
        if self._closed is not None:
            raise OutOfResources(self._closed)
        return await self._queue.submit(stored)

    async def restore(self, stored: StoredObject, *, over: str | None = None) -> Registered | None:
        try:
            return await self.register(found(stored, over))
        except Superseded:
            return None

    async def paths(self, sop_instance_uids: Sequence[str]) -> Mapping[str, str]:
        return await self._read_in_thread(self._paths, sop_instance_uids)

    async def instances(
        self,
        study_instance_uid: str | None = None,
        *,
        faulty: bool = False,
        received_since: datetime.datetime | None = None,
    ) -> AsyncIterator[StoredObject]:
        """See :class:`~sdcc.interfaces.IIndex`.

        Each page of objects is read by itself, so that no long read keeps the log from being written back.
        An object that is replaced meanwhile may come twice, as it was and as it is.

        :param faulty: only objects of which something could not be read.
        :param received_since: only what was received then or later; aware.
        :raises FileNotFoundError: there is no database yet.
        :raises ValueError: the file is something else, or of another version.
        :raises OSError: it cannot be read.
        """
        position = START if received_since is None else at(received_since)
        while True:
            page, position = await self._read_in_thread(self._read, position, study_instance_uid, faulty)
            for stored in page:
                yield stored
            if len(page) < PAGE:
                return

    def find(self, query: Query) -> AsyncGenerator[Match | None, None]:
        return finding.find(SQLITE, query, self._page)

    async def holdings(self, query: Query) -> Sequence[Holding]:
        return await finding.holdings(SQLITE, query, self._page)

    async def disown(self, sop_instance_uid: str, path: str) -> bool:
        return await self._change(sqlite_mending.disown, sop_instance_uid, path)

    async def unregister(self, sop_instance_uid: str, path: str) -> bool:
        return await self._change(sqlite_mending.unregister, sop_instance_uid, path)

    def loose_rows(self) -> AsyncIterator[LooseRow]:
        return loose.find(self._select)

    async def remove_loose(self, rows: Sequence[LooseRow]) -> None:
        await self._change(sqlite_mending.remove_loose, rows)

    async def _change(self, change: Callable[..., T], *arguments: object) -> T:
        """Change something in a transaction of its own, between two groups."""
        if (refusal := self._closed or self._fault) is not None:
            raise OutOfResources(refusal)
        try:
            return await self._run_in_thread(
                self._writer.change, lambda connection: change(connection, *arguments)
            )
        except sqlite3.Error as error:
            self._failed(reason(error))
            raise OutOfResources(reason(error)) from None

    async def _select(self, statement: str, *parameters: int) -> list[tuple[Any, ...]]:
        return await self._page(statement.format(p="?"), parameters)

    async def _page(self, statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        return await self._read_in_thread(self._selected, statement, parameters)

    def _selected(self, statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        with self._readers.one() as connection:
            return connection.execute(statement, parameters).fetchall()

    def _read(
        self, after: Position, study_instance_uid: str | None, faulty: bool
    ) -> tuple[list[StoredObject], Position]:
        with self._readers.one() as connection:
            return read(connection, after, PAGE, study_instance_uid, faulty)

    def _paths(self, sop_instance_uids: Sequence[str]) -> dict[str, str]:
        with self._readers.one() as connection:
            return paths(connection, sop_instance_uids)

    async def _commit(self, group: Sequence[StoredObject]) -> Sequence[Result]:
        if self._fault is not None:
            await self._settle()
        if self._fault is not None:
            return [OutOfResources(self._fault) for _ in group]
        if not group:
            return []
        written = await self._run_in_thread(self._writer.commit, group)
        if written.fault is not None:
            self._failed(written.fault)
        return [
            self._in_doubt(stored, result) if isinstance(result, Doubt) else result
            for stored, result in zip(group, written.results, strict=True)
        ]

    def _in_doubt(self, stored: StoredObject, doubt: Doubt) -> OutcomeUnknown:
        doubtful = _Doubtful(stored, doubt.registered)
        self._doubts.append(doubtful)
        return OutcomeUnknown(doubt.reason, doubtful.settled)

    async def _take_note(self, stored: StoredObject, settled: Settled) -> None:
        """What fails after the answer is not over: another process may have registered the file it found."""
        if not isinstance(stored, Found):  # whose file is nobody's to remove
            settled.addCallback(self._conclude, stored)

    def _conclude(
        self, outcome: Registered | None, stored: StoredObject
    ) -> Registered | Deferred[Registered | None]:
        return outcome or Deferred.fromCoroutine(self._give_up(stored))

    async def _give_up(self, stored: StoredObject) -> Registered | None:
        """See to it that no row ever names a file; None: none does."""
        try:
            [is_registered] = await self._run_in_thread(self._writer.settle, [stored])
        except sqlite3.Error as error:
            doubtful = _Doubtful(stored, Registered())
            self._doubts.append(doubtful)
            self._failed(reason(error))
            return await doubtful.settled
        return Registered() if is_registered else None

    async def _settle(self) -> None:
        """Try the database; where it works again, tell the outcomes that were in doubt."""
        doubts = self._doubts
        try:
            registered = await self._run_in_thread(
                self._writer.settle, [doubtful.stored for doubtful in doubts]
            )
        except sqlite3.Error as error:
            self._failed(reason(error))
            return
        self._log.info("Index: {path} works again", path=self._path)
        self._fault = None
        self._readers.keep()
        self._doubts = []
        for doubtful, is_registered in zip(doubts, registered, strict=True):
            doubtful.settled.callback(doubtful.registered if is_registered else None)

    def _failed(self, fault: str) -> None:
        if self._fault is None:
            self._log.error("Index: {path} fails: {fault}", path=self._path, fault=fault)
            self._run_in_thread(self._readers.keep_none)
        self._fault = fault
        if self._trial is None and self._closed is None:
            self._trial = self._clock.callLater(TRIAL_INTERVAL, self._try_again)

    def _try_again(self) -> None:
        self._trial = None
        self._queue.wake()
