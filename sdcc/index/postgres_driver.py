"""Sessions with a PostgreSQL server, through txpostgres.

The only module that knows the driver. Everything is asynchronous; no thread waits for the server.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import psycopg2
import psycopg2.errorcodes
import psycopg2.extensions
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorFDSet, IReactorTime
from twisted.logger import Logger
from txpostgres import txpostgres

from sdcc.index.postgres_address import hosts, resolve, without_quotations, without_secrets
from sdcc.index.postgres_session import Lost, Refused, Session, Unreachable, closing_on_error
from sdcc.interfaces import RunInThread

#: How much of the timeout the server may take for a lock, and for a statement. Less than all of it, so that a
#: registration that never got its turn is refused for certain, and not with an unknown outcome.
LOCK_SHARE = 0.6
STATEMENT_SHARE = 0.8
#: Seconds for a statement that may take long: hours.
UNHURRIED = 24 * 3600.0
#: Seconds of silence after which the kernel asks whether the server is there, and between such questions.
KEEPALIVE = 10

_DATA_EXCEPTION = "22"
_QUERY_CANCELED = "57014"
_FATAL = ("FATAL", "PANIC")


class Reactor(IReactorFDSet, IReactorTime):
    """What is used of a reactor."""


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
        self._is_unhurried = False

    async def run(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        if self._connection.closed:
            raise Lost("the connection is closed")
        timeout = UNHURRIED if self._is_unhurried else self._timeout
        timer = self._clock.callLater(timeout, self.close)
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
            raise Lost(f"no answer within {timeout:g} s") from None
        finally:
            if timer.active():
                timer.cancel()

    @contextmanager
    def unhurried(self) -> Iterator[None]:
        self._is_unhurried = True
        try:
            yield
        finally:
            self._is_unhurried = False

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
