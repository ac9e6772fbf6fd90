"""The index on PostgreSQL: one session writes, others read. No thread waits for the server."""

from __future__ import annotations

import datetime
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import DeferredSemaphore
from zope.interface import implementer

from sdcc.index import finding, loose, postgres_mending, postgres_schema
from sdcc.index.dialects import POSTGRESQL
from sdcc.index.doubts import Journal
from sdcc.index.postgres_driver import Reactor, Sessions
from sdcc.index.postgres_session import Lost, Refused, Session, Unreachable, closing_on_error
from sdcc.index.postgres_statements import START, at, paths, read
from sdcc.index.postgres_study_states import PostgreSQLStudyStates
from sdcc.index.postgres_writer import Remove, Writer
from sdcc.index.restoring import Superseded, found
from sdcc.interfaces import (
    IIndex,
    IndexFigures,
    LooseRow,
    OutOfResources,
    Registered,
    RunInThread,
    StoredObject,
)
from sdcc.queries import Holding, Match, Query

T = TypeVar("T")

#: Objects that :meth:`PostgreSQLIndex.instances` holds in memory at a time.
PAGE = 1000


@implementer(IIndex)
class PostgreSQLIndex:
    """An index in a PostgreSQL database, which several processes may share.

    :meth:`instances` alone may be used with neither :meth:`prepare` nor :meth:`start`: it creates nothing.

    :param url: as libpq understands it; what it leaves open is taken from libpq's environment.
    :param doubts: a directory for what is not known of registrations while the database is away.
    :param remove: removes the file of an object that was in doubt, and that no row names.
    :param run_in_thread: for `doubts`; runs one call at a time, in order.
    :param lookup_in_thread: for the look-up of host names, which may take long.
    :param connections: at most, though never under 2: one writes, the others read.
    :param timeout: seconds that a registration may take.
    """

    def __init__(
        self,
        url: str,
        *,
        doubts: Path,
        remove: Remove,
        run_in_thread: RunInThread,
        lookup_in_thread: RunInThread,
        reactor: Reactor,
        connections: int,
        timeout: float,
    ) -> None:
        self._sessions = Sessions(url, reactor=reactor, lookup_in_thread=lookup_in_thread, timeout=timeout)
        self._journal = Journal(doubts, run_in_thread=run_in_thread)
        self._writer = Writer(
            partial(self._sessions.open, to_write=True),
            journal=self._journal,
            remove=remove,
            clock=reactor,
            timeout=timeout,
        )
        self._readers = DeferredSemaphore(max(1, connections - 1))
        self._idle_readers: list[Session] = []
        self._closed: str | None = "index is not open yet"
        self.study_states = PostgreSQLStudyStates(self._page, self._change)

    #: They are in the journal.
    leaves_doubts = False

    @property
    def refusal(self) -> str | None:
        """See :class:`~sdcc.interfaces.IIndex`; while the database is away, it is tried again by itself."""
        return self._closed or self._writer.refusal

    @property
    def figures(self) -> IndexFigures:
        return self._writer.figures

    def prepare(self) -> None:
        self._sessions.check()
        self._journal.prepare()

    def start(self) -> None:
        self._closed = None
        self._writer.start()

    async def stop(self) -> None:
        self._closed = "index is stopped"
        await self._writer.rest()
        await self._writer.stop(self._sessions.close)

    async def register(self, stored: StoredObject) -> Registered:
        if self._closed is not None:
            raise OutOfResources(self._closed)
        return await self._writer.submit(stored)

    async def restore(self, stored: StoredObject, *, over: str | None = None) -> Registered | None:
        """See :class:`~sdcc.interfaces.IIndex`.

        Where a connection was lost in between, None may mean that this very call has registered it.
        """
        try:
            return await self.register(found(stored, over))
        except Superseded:
            return None

    async def paths(self, sop_instance_uids: Sequence[str]) -> Mapping[str, str]:
        return await self._read(lambda session: paths(session, sop_instance_uids))

    async def instances(
        self,
        study_instance_uid: str | None = None,
        *,
        faulty: bool = False,
        received_since: datetime.datetime | None = None,
    ) -> AsyncIterator[StoredObject]:
        """See :class:`~sdcc.interfaces.IIndex`.

        An object that is replaced meanwhile may come twice, as it was and as it is.

        :param faulty: only objects of which something could not be read.
        :param received_since: only what was received then or later; aware.
        :raises ValueError: the database is none for this program, or of another version.
        :raises OSError: it cannot be reached or read.
        """
        position = START if received_since is None else at(received_since)
        while True:
            next_page = partial(
                read, after=position, limit=PAGE, study_instance_uid=study_instance_uid, faulty=faulty
            )
            page, position = await self._read(next_page)
            for stored in page:
                yield stored
            if len(page) < PAGE:
                return

    def find(self, query: Query) -> AsyncGenerator[Match | None, None]:
        return finding.find(POSTGRESQL, query, self._page)

    async def holdings(self, query: Query) -> Sequence[Holding]:
        return await finding.holdings(POSTGRESQL, query, self._page)

    async def disown(self, sop_instance_uid: str, path: str) -> bool:
        return await self._change(lambda session: postgres_mending.disown(session, sop_instance_uid, path))

    async def unregister(self, sop_instance_uid: str, path: str) -> bool:
        return await self._change(
            lambda session: postgres_mending.unregister(session, sop_instance_uid, path)
        )

    def loose_rows(self) -> AsyncIterator[LooseRow]:
        return loose.find(self._select)

    async def remove_loose(self, rows: Sequence[LooseRow]) -> None:
        await self._change(lambda session: postgres_mending.remove_loose(session, rows))

    async def _change(self, change: Callable[[Session], Awaitable[T]]) -> T:
        if self._closed is not None:
            raise OutOfResources(self._closed)
        return await self._writer.change(change)

    async def _select(self, statement: str, *parameters: int) -> list[tuple[Any, ...]]:
        return await self._page(statement.format(p="%s"), parameters)

    async def _page(self, statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        return await self._read(lambda session: session.run(statement, *parameters))

    async def _read(self, query: Callable[[Session], Awaitable[T]]) -> T:
        await self._readers.acquire()
        try:
            session = self._idle_readers.pop() if self._idle_readers else await self._open_reader()
            with closing_on_error(session):
                answer = await query(session)
            self._idle_readers.append(session)
        except (Unreachable, Lost, Refused) as error:
            raise OSError(f"the index cannot be read: {error}") from None
        finally:
            self._readers.release()
        return answer

    async def _open_reader(self) -> Session:
        def lost(_: Lost) -> None:
            if session in self._idle_readers:
                self._idle_readers.remove(session)

        session = await self._sessions.open(lost, to_write=False)
        with closing_on_error(session):
            await postgres_schema.check(session)
        return session
