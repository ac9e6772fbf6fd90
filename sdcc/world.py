"""What the server is made of that touches the world: by default all of it is real.

With a simulated one, and a simulated reactor, the whole server runs in one thread.
"""

from __future__ import annotations

import datetime
import secrets
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads

from sdcc.administration import place
from sdcc.archive.filesystem import FileSystem, IFileSystem
from sdcc.archive.incoming import host_and_pid
from sdcc.config import Configuration
from sdcc.conversion.converter import Reactor as ConversionReactor
from sdcc.index.postgres import PostgreSQLIndex
from sdcc.index.postgres_driver import Reactor as IndexReactor
from sdcc.index.sqlite import SQLiteIndex
from sdcc.interfaces import IIndex, RunInThread
from sdcc.network.passed import Reactor as PortReactor
from sdcc.network.passed import descriptors
from sdcc.signals import SetSignal
from sdcc.threads import Threads

T = TypeVar("T")

#: In the storage directory: what is not known of registrations while PostgreSQL is away.
DOUBTS = "doubts"
#: Bytes of randomness in a token: no two are ever the same.
TOKEN_LENGTH = 12


class Reactor(PortReactor, IReactorFromThreads, IndexReactor, ConversionReactor):
    """What is used of a reactor."""


def index_of(
    configuration: Configuration,
    reactor: IndexReactor,
    *,
    run_in_thread: RunInThread,
    read_in_thread: RunInThread,
    lookup_in_thread: RunInThread,
    remove: Callable[[str], Awaitable[None]],
    doubts: Path | None = None,
) -> SQLiteIndex | PostgreSQLIndex:
    """The index that the configuration names.

    :param run_in_thread: runs one call at a time, in order.
    :param read_in_thread: for what may take longer.
    :param lookup_in_thread: for looking up host names, which may hang.
    :param remove: removes a file that no row names.
    :param doubts: of PostgreSQL; None: the server's own.
    """
    settings = configuration.index
    if (path := configuration.index_path) is not None:
        return SQLiteIndex(
            path,
            run_in_thread=run_in_thread,
            read_in_thread=read_in_thread,
            clock=reactor,
            timeout=settings.timeout,
        )
    return PostgreSQLIndex(
        settings.url,
        doubts=doubts or configuration.storage.directory / DOUBTS,
        remove=remove,
        run_in_thread=run_in_thread,
        lookup_in_thread=lookup_in_thread,
        reactor=reactor,
        connections=settings.connections,
        timeout=settings.timeout,
    )


class WorkerThreads(Protocol):
    """What is used of :class:`~sdcc.threads.Threads`."""

    def run(self, call: Callable[..., T], /, *arguments: object) -> Awaitable[T]: ...

    def start(self) -> None: ...

    def stop(self) -> Deferred[None] | None: ...


class IndexOf(Protocol):
    """:func:`index_of`, or what takes its place."""

    def __call__(
        self,
        configuration: Configuration,
        reactor: IndexReactor,
        *,
        run_in_thread: RunInThread,
        read_in_thread: RunInThread,
        lookup_in_thread: RunInThread,
        remove: Callable[[str], Awaitable[None]],
    ) -> IIndex: ...


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _new_token() -> str:
    return secrets.token_hex(TOKEN_LENGTH)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """All that the server touches of the world, but for the reactor."""

    filesystem: IFileSystem = field(default_factory=FileSystem)
    #: Of a reactor, a name, and how many threads there are at most.
    threads: Callable[[Reactor, str, int], WorkerThreads] = Threads
    #: The time, aware, UTC.
    now: Callable[[], datetime.datetime] = _now
    #: Gives letters and digits, always as many, that it never gave before, nor ever will.
    new_token: Callable[[], str] = _new_token
    #: Tells the administrator whose folder in `incoming` it is.
    process: Callable[[], str] = host_and_pid
    index_of: IndexOf = index_of
    #: Sets what hears a signal.
    set_signal: SetSignal = signal.signal
    #: Listens for the administrator in a folder.
    listen_control: Callable[..., place.Close] = place.listen
    #: Gives the descriptors of the sockets that the process was started with.
    passed: Callable[[], Sequence[int]] = descriptors


REAL = World()
