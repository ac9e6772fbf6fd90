"""The index on PostgreSQL: sessions with the server, through txpostgres, and the index that stands on them.

The only module that knows the driver. Everything is asynchronous; no thread waits for the server.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import psycopg2
import psycopg2.errorcodes
import psycopg2.extensions
from twisted.internet.defer import CancelledError, DeferredSemaphore
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorFDSet, IReactorTime
from twisted.logger import Logger
from txpostgres import txpostgres
from zope.interface import implementer

from sdcc.index import finding, loose, postgres_mending, postgres_schema
from sdcc.index.dialects import POSTGRESQL
from sdcc.index.doubts import Journal
from sdcc.index.postgres_address import hosts, resolve, without_quotations, without_secrets
from sdcc.index.postgres_session import Lost, Refused, Session, Unreachable, closing_on_error
from sdcc.index.postgres_statements import START, at, paths, read
from sdcc.index.postgres_writer import Remove, Writer
from sdcc.index.restoring import Superseded, found
from sdcc.interfaces import IIndex, LooseRow, OutOfResources, Registered, RunInThread, StoredObject
from sdcc.queries import Holding, Match, Query

T = TypeVar("T")

#: Objects that :meth:`PostgreSQLIndex.instances` holds in memory at a time.
PAGE = 1000
#: How much of the timeout the server may take for a lock, and for a statement. Less than all of it, so that a
#: registration that never got its turn is refused for certain, and not with an unknown outcome.
LOCK_SHARE = 0.6
STATEMENT_SHARE = 0.8
#: Seconds of silence after which the kernel asks whether the server is there, and between such questions.
KEEPALIVE = 10

_DATA_EXCEPTION = "22"
_QUERY_CANCELED = "57014"
_FATAL = ("FATAL", "PANIC")


class Reactor(IReactorFDSet, IReactorTime):
    """What is used of a reactor."""


# --- sessions ------------------------------------------------------------------------------


class _Connection(txpostgres.Connection):
    """A connection of txpostgres that leaves nothing behind, and says so when it is lost while idle."""

    def __init__(self, reactor: Reactor, on_lost: Callable[[Lost], None]) -> None:
        super().__init__(reactor=reactor)
        self._on_lost = on_lost

    def doRead(self) -> None:
        try:
            super().doRead()
        except psycopg2.Error as error:
            self.close()
            self._on_lost(Lost(str(error)))

    def close(self) -> None:
        """Close, in the reactor's books first: the descriptor's number is soon another's."""
        if self._connection is None:
            return
        for cursor in self._cursors:
            self.reactor.removeReader(cursor)
            self.reactor.removeWriter(cursor)
        super().close()
        # txpostgres takes a connection that broke for closed, which still has its descriptor.
        self._connection.close()


class _Session:
    """See :class:`~sdcc.index.postgres_session.Session`."""

    def __init__(
        self, connection: _Connection, *, clock: IReactorTime, timeout: float, closed: Callable[[], None]
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._timeout = timeout
        self._closed = closed

    async def run(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        if self._connection.closed:
            raise Lost("the connection is closed")
        timer = self._clock.callLater(self._timeout, self.close)
        try:
            cursor = self._connection.cursor()
            await cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []
        except psycopg2.Error as error:
            if self._connection.closed or error.pgcode is None or _is_fatal(error):
                self.close()
                raise Lost(str(error)) from None
            raise Refused(error.pgcode, _words(error)) from None
        except CancelledError:  # what txpostgres makes of the server's QueryCanceledError
            raise Refused(_QUERY_CANCELED, "canceling statement due to statement timeout") from None
        except ConnectionDone:
            raise Lost(f"no answer within {self._timeout:g} s") from None
        finally:
            if timer.active():
                timer.cancel()

    def close(self) -> None:
        self._connection.close()
        self._closed()


def _is_fatal(error: psycopg2.Error) -> bool:
    """Whether the server ends the connection with this message."""
    return error.diag.severity_nonlocalized in _FATAL


def _words(error: psycopg2.Error) -> str:
    """The message without what the row holds, which those about data may quote."""
    if error.pgcode.startswith(_DATA_EXCEPTION):
        return str(psycopg2.errorcodes.lookup(error.pgcode)).replace("_", " ").lower()
    return str(error.diag.message_primary)


_SETTINGS = """
    SET synchronous_commit = {synchronous_commit};
    SET statement_timeout = {statement_timeout};
    SET lock_timeout = {lock_timeout};
    SET idle_in_transaction_session_timeout = {statement_timeout};
    SET default_transaction_isolation = 'read committed';
    SET timezone = 'UTC';
    SET client_min_messages = warning;
    SET jit = off
"""
#: Of who writes. Plans are kept from one group to the next: left to itself, the server plans most of a
#: registration anew each time, which takes longer than all the rest. A plan made for empty tables is to be as
#: good when they are large: it looks up each row by itself.
_PLANS_ARE_KEPT = """
    SET plan_cache_mode = force_generic_plan;
    SET enable_hashjoin = off;
    SET enable_mergejoin = off
"""
_FACTS = """
    SELECT current_setting('server_encoding'), current_setting('synchronous_commit'), current_setting('fsync')
"""


class Sessions:
    """Opens sessions with one database, and closes them all.

    :param lookup_in_thread: for the look-up of host names.
    :param timeout: seconds for a statement, or for opening a session.
    """

    _log = Logger()

    def __init__(self, url: str, *, reactor: Reactor, lookup_in_thread: RunInThread, timeout: float) -> None:
        self._url = url
        self._reactor = reactor
        self._lookup_in_thread = lookup_in_thread
        self._timeout = timeout
        self._connections: set[_Connection] = set()
        self._is_closed = False
        self._is_warned = False

    def check(self) -> None:
        """:raises ValueError: libpq does not understand the URL."""
        _parameters(self._url)

    async def open(self, on_lost: Callable[[Lost], None], *, to_write: bool) -> Session:
        """
        :param on_lost: told if the session is lost while nothing is executed.
        :param to_write: of several servers, only one that can be written will do.
        :raises Unreachable: no session could be opened.
        :raises ValueError: the database is of a kind that cannot hold the index.
        """
        parameters = _parameters(self._url)
        hide = partial(without_secrets, parameters=parameters, environment=os.environ)
        connection = _Connection(self._reactor, on_lost)
        session = _Session(
            connection,
            clock=self._reactor,
            timeout=self._timeout,
            closed=partial(self._connections.discard, connection),
        )
        try:
            places = hosts(parameters, os.environ)
            resolved = await self._lookup_in_thread(resolve, places) if places else {}
            with closing_on_error(session):
                await self._connect(connection, session, {**self._defaults(parameters, to_write), **resolved})
                await self._set_up(session)
                if to_write:
                    await session.run(_PLANS_ARE_KEPT)
        except (psycopg2.Error, Refused, Lost, OSError) as error:
            raise Unreachable(hide(str(error))) from None
        return session

    def close(self) -> None:
        """Close every session, those too that are being opened; nothing is opened after this."""
        self._is_closed = True
        for connection in [*self._connections]:
            connection.close()
        self._connections.clear()

    async def _connect(
        self, connection: _Connection, session: _Session, parameters: Mapping[str, str | int]
    ) -> None:
        if self._is_closed:
            raise Lost("closed")
        self._connections.add(connection)
        timer = self._reactor.callLater(self._timeout, session.close)
        try:
            await connection.connect(self._url, **parameters)
        except ConnectionDone:
            raise Lost(f"no answer within {self._timeout:g} s") from None
        finally:
            if timer.active():
                timer.cancel()

    async def _set_up(self, session: _Session) -> None:
        [(encoding, synchronous_commit, fsync)] = await session.run(_FACTS)
        if encoding != "UTF8":
            raise ValueError(
                f"the database's encoding is {encoding}; create one for SDCC with ENCODING 'UTF8'"
            )
        if fsync != "on" and not self._is_warned:
            self._is_warned = True
            self._log.warn("Index: the server has fsync = off: a power cut may lose what was acknowledged")
        await session.run(
            _SETTINGS.format(
                # Who waits for a standby as well keeps doing so.
                synchronous_commit="on" if synchronous_commit == "off" else synchronous_commit,
                statement_timeout=int(1000 * self._timeout * STATEMENT_SHARE),
                lock_timeout=int(1000 * self._timeout * LOCK_SHARE),
            )
        )

    def _defaults(self, parameters: Mapping[str, str], to_write: bool) -> dict[str, str | int]:
        """What the URL leaves open, as far as the environment does too, and what it cannot choose."""
        defaults: dict[str, str | int] = {
            "fallback_application_name": "sdcc",
            "keepalives_idle": KEEPALIVE,
            "keepalives_interval": KEEPALIVE,
            "tcp_user_timeout": int(1000 * self._timeout),
        }
        if to_write and "PGTARGETSESSIONATTRS" not in os.environ:
            defaults["target_session_attrs"] = "read-write"
        chosen = {key: value for key, value in defaults.items() if key not in parameters}
        return {**chosen, "client_encoding": "UTF8"}


def _parameters(url: str) -> dict[str, str]:
    try:
        return dict(psycopg2.extensions.parse_dsn(url))
    except psycopg2.Error as error:
        raise ValueError(f"url cannot be read: {without_quotations(str(error))}") from None


# --- the index -----------------------------------------------------------------------------


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

    #: They are in the journal.
    leaves_doubts = False

    @property
    def refusal(self) -> str | None:
        """See :class:`~sdcc.interfaces.IIndex`; while the database is away, it is tried again by itself."""
        return self._closed or self._writer.refusal

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
