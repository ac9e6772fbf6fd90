"""SDCC put together: the one place that chooses implementations and holds them in order.

Starting: the ports are bound first, while the process may still have the privileges for it;
then storage and index are made ready, as the user that the process stays. Stopping: no new
connections, associations drained, then the index, then the storage, then the threads.
"""

from __future__ import annotations

import datetime
import resource
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IListeningPort,
    IReactorFromThreads,
    IReactorTCP,
)
from twisted.logger import Logger

from sdcc import __version__
from sdcc.archive.commitments import CommitmentJournal
from sdcc.archive.filesystem import FileSystem, IFileSystem
from sdcc.archive.incoming import host_and_pid
from sdcc.archive.objects import ObjectStore
from sdcc.archive.tokens import Tokens
from sdcc.config import Configuration, Local
from sdcc.conformance import SOPClass
from sdcc.conversion.converter import Converter
from sdcc.conversion.converter import Reactor as ConversionReactor
from sdcc.index.postgres import PostgreSQLIndex
from sdcc.index.postgres_driver import Reactor as IndexReactor
from sdcc.index.sqlite import SQLiteIndex
from sdcc.inspection.files import Files
from sdcc.inspection.look import Look
from sdcc.interfaces import IIndex, IServiceProvider, RunInThread
from sdcc.network.acceptor import Acceptor, Circumstances
from sdcc.network.addresses import Resolver
from sdcc.network.caller import Caller
from sdcc.network.limits import AssociationLimits, WaitingBytes
from sdcc.network.server import BACKLOG, MAXIMUM_WAITING, AssociationServer
from sdcc.network.timeouts import Timeouts
from sdcc.services.commitment.provider import CommitmentProvider
from sdcc.services.commitment.reports import Reports
from sdcc.services.commitment.safekeeping import Safekeeping
from sdcc.services.commitment.transactions import Transactions
from sdcc.services.query_retrieve.query import QueryProvider
from sdcc.services.query_retrieve.retrieve import RetrieveProvider
from sdcc.services.registry import Registry
from sdcc.services.storage import StorageProvider
from sdcc.services.verification import VerificationProvider
from sdcc.threads import LooseThreads, Threads

T = TypeVar("T")

#: Not of a class, whose name would take the place of this one.
log = Logger(namespace="sdcc")

#: In the storage directory: what is not known of registrations while PostgreSQL is away.
DOUBTS = "doubts"
#: Bytes of randomness in a token: no two are ever the same.
TOKEN_LENGTH = 12


class CannotStart(Exception):
    """SDCC cannot run as it is configured; the text is for the administrator."""


class Reactor(IReactorTCP, IReactorFromThreads, IndexReactor, ConversionReactor):
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
    """All that the server touches of the world, but for the reactor: what it is made of by default is real.

    With a simulated one, and a simulated reactor, the whole server runs in one thread.
    """

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


class SDCC(Service):
    """The server, as a Twisted service."""

    def __init__(self, configuration: Configuration, reactor: Reactor, world: World = World()) -> None:
        self._configuration = configuration
        self._reactor = reactor
        self._ports: list[IListeningPort] = []
        self._is_stopping = False
        self._storage_threads = world.threads(reactor, "storage", configuration.storage.threads)
        self._index_threads = world.threads(reactor, "index", 1)
        self._reading_threads = world.threads(reactor, "reading", 2)
        self._threads = (self._storage_threads, self._index_threads, self._reading_threads)
        #: A resolver may hang for long.
        self._lookup_threads = LooseThreads(reactor, "lookup")
        self._tokens = Tokens(world.new_token())
        self._objects = ObjectStore(
            configuration.storage.directory,
            filesystem=world.filesystem,
            run_in_thread=self._storage_threads.run,
            read_in_thread=self._reading_threads.run,
            clock=reactor,
            minimum_free=configuration.storage.minimum_free,
            maximum_object_size=configuration.storage.maximum_object_size,
            new_token=self._tokens,
            now=world.now,
            process=world.process,
        )
        self._index = world.index_of(
            configuration,
            reactor,
            run_in_thread=self._index_threads.run,
            read_in_thread=self._reading_threads.run,
            lookup_in_thread=self._lookup_threads.run,
            remove=self._objects.remove,
        )
        self._resolver = Resolver(self._lookup_threads.run, reactor)
        #: Of associations to the `[[remote]]`.
        self._caller = Caller(
            configuration.remotes,
            reactor,
            resolve=self._resolver,
            maximum_pdu_length=configuration.association.maximum_pdu_length,
            timeouts=Timeouts.of(configuration.association),
        )
        self._look: Look | None = None
        self._world = world
        self._waiting = WaitingBytes()
        self._storage = StorageProvider(self._objects, self._index, lambda: self._waiting.refusal)
        self._journal = CommitmentJournal(
            str(configuration.storage.directory.absolute()),
            filesystem=world.filesystem,
            run_in_thread=self._storage_threads.run,
            new_token=self._tokens,
        )
        self._transactions = Transactions(
            self._journal,
            Safekeeping(self._index, self._objects, reactor),
            Reports(self._journal, self._storage_threads.run),
            self._caller,
            clock=reactor,
            now=world.now,
        )
        self._commitment = CommitmentProvider(
            self._transactions, self._storage_threads.run, lambda: self._objects.refusal
        )
        self._query = QueryProvider(self._index, maximum_answers=configuration.query.maximum_answers)
        self._converter = Converter(reactor, self._objects.scratch)
        self._retrieve = RetrieveProvider(self._objects, self._index, self._converter, self._caller, reactor)
        self._server = self._association_server()

    def _association_server(self) -> AssociationServer:
        configuration, reactor = self._configuration, self._reactor
        limits = AssociationLimits(configuration.association.maximum_open)
        providers = (
            VerificationProvider(),
            self._storage,
            self._query,
            self._retrieve,
            self._commitment,
        )
        sop_classes = provided(configuration.sop_classes, providers)
        circumstances = Circumstances(
            is_stopping=lambda: self._is_stopping,
            storage_refusal=lambda: self._storage.refusal,
        )
        return AssociationServer(
            acceptor=Acceptor(
                configuration,
                sop_classes,
                limits,
                circumstances,
                self._resolver,
            ),
            registry=Registry(sop_classes, providers),
            sop_classes=sop_classes,
            limits=limits,
            waiting=self._waiting,
            settings=configuration.association,
            clock=reactor,
            maximum_waiting=min(MAXIMUM_WAITING, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2),
            at_cut=self._caller.stop,
        )

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Interface and port of each open port, in the configuration's order."""
        return tuple(map(address_of, self._ports))

    # --- starting ---

    def privilegedStartService(self) -> None:
        """Bind every port.

        :raises CannotStart: one cannot be bound.
        """
        for (interface, port), locals_ in ports(self._configuration.locals):
            titles = ", ".join(locals_)
            try:
                factory = self._server.port(locals_)
                listening = self._reactor.listenTCP(port, factory, backlog=BACKLOG, interface=interface)
            except CannotListenError as error:
                reason = f"AE {titles}: cannot listen on {interface}:{port}: {error.socketError}"
                raise CannotStart(reason) from None
            self._ports.append(listening)
            log.info(
                "AE {titles} on {interface}:{port}",
                titles=titles,
                interface=interface,
                port=address_of(listening)[1],
            )

    def startService(self) -> None:
        """Make storage and index ready. This blocks, but nothing else runs yet.

        :raises CannotStart: the storage directory or the index cannot be used.
        """
        if not self._ports:
            self.privilegedStartService()
        super().startService()
        directory = self._configuration.storage.directory
        try:
            self._objects.prepare()
            self._journal.prepare()
        except OSError as error:
            raise CannotStart(f"[storage] directory {directory}: {error.strerror or error}") from None
        try:
            self._index.prepare()
        except (OSError, ValueError) as error:
            raise CannotStart(f"[index] {error}") from None
        for threads in self._threads:
            threads.start()
        self._objects.start()
        self._index.start()
        self._transactions.start()
        self._begin_to_look()
        log.info(
            "SDCC {version} is ready: objects in {directory}; index: {index}",
            version=__version__,
            directory=directory,
            index=self._configuration.index_name,
        )

    def _begin_to_look(self) -> None:
        """Look through what a server may have spoilt that did not stop in order; one file at a time.

        What this process has received itself it registers or removes itself.
        """
        since = self._objects.doubtful_since
        if since is None:
            return
        world, storage, now = self._world, self._configuration.storage, lambda: self._world.now().timestamp()
        files = Files(
            str(storage.directory),
            filesystem=world.filesystem,
            walk_in_thread=self._reading_threads.run,
            read_in_thread=self._reading_threads.run,
            ahead=1,
            timeout=self._configuration.index.timeout,
            clock=self._reactor,
            now=now,
            settled_before=now() if self._objects.was_alone else float("-inf"),
            is_own=self._tokens.are_in,
            new_token=world.new_token,
        )
        self._look = Look(
            self._index, files, since=since, done=self._objects.looked_through, clock=self._reactor
        )
        self._look.start()

    # --- stopping ---

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        self._is_stopping = True
        log.info("SDCC is stopping")
        steps = (
            *(port.stopListening for port in self._ports),
            self._transactions.interrupt,
            self._server.stop,
            self._caller.stop,
            self._converter.stop,
            self._transactions.stop,
            *([self._look.stop] if self._look else []),
            self._index.stop,
            self._hand_doubts_on,
            self._storage.settle,
            self._journal.stop,
            self._objects.stop,
            *(threads.stop for threads in self._threads),
        )
        for step in steps:
            try:
                await maybeDeferred(step)
            except Exception:  # the boundary: what is left must be stopped all the same
                log.failure("a step of the stop failed")
        log.info("SDCC has stopped")

    def _hand_doubts_on(self) -> None:
        if self._index.leaves_doubts:
            log.warn("The index does not say what became of some objects: the next start looks through them")
            self._objects.doubt()


def provided(
    sop_classes: Mapping[str, SOPClass], providers: Iterable[IServiceProvider]
) -> Mapping[str, SOPClass]:
    """The SOP Classes that there is a provider for: only these are negotiated."""
    services = {provider.service for provider in providers}
    return {uid: sop_class for uid, sop_class in sop_classes.items() if sop_class.service in services}


def address_of(port: IListeningPort) -> tuple[str, int]:
    address = port.getHost()
    assert isinstance(address, IPv4Address | IPv6Address)
    return address.host, address.port


def ports(locals_: tuple[Local, ...]) -> list[tuple[tuple[str, int], Mapping[str, Local]]]:
    """The local AEs, by title, of each interface and port, in the configuration's order.

    Each AE on "any free port" has a port of its own.
    """
    found: dict[tuple[str, int, int], dict[str, Local]] = {}
    for number, local in enumerate(locals_):
        key = (local.interface, local.port, 0 if local.port else number)
        found.setdefault(key, {})[local.ae_title] = local
    return [((interface, port), aes) for (interface, port, _), aes in found.items()]
