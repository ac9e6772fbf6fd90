"""SDCC put together: the one place that chooses implementations and holds them in order.

Starting: the ports are bound first, while the process may still have the privileges for it;
then storage and index are made ready, as the user that the process stays. Stopping: no new
connections, associations drained, then the index, then the storage, then the threads.
"""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IListeningPort,
    IReactorFromThreads,
    IReactorTCP,
    IReactorTime,
)
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from sdcc import __version__
from sdcc.archive.filesystem import FileSystem
from sdcc.archive.objects import ObjectStore
from sdcc.config import Configuration, Local
from sdcc.index.sqlite import SQLiteIndex
from sdcc.network.acceptor import Acceptor, Circumstances
from sdcc.network.addresses import Resolver
from sdcc.network.limits import AssociationLimits, WaitingBytes
from sdcc.network.server import AssociationServer
from sdcc.services.registry import Registry
from sdcc.services.storage import StorageProvider
from sdcc.services.verification import VerificationProvider

T = TypeVar("T")

#: Bytes of randomness in a token: no two are ever the same.
TOKEN_LENGTH = 12


class CannotStart(Exception):
    """SDCC cannot run as it is configured; the text is for the administrator."""


class Reactor(IReactorTCP, IReactorTime, IReactorFromThreads):
    """What is used of a reactor."""


class Threads:
    """A pool of threads, to be given work once it is started.

    Threads do not survive the fork of a daemon, so there are none before `start`.
    """

    def __init__(self, reactor: Reactor, name: str, size: int) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(0, size, name)

    def run(self, call: Callable[..., T], *arguments: object) -> Deferred[T]:
        return deferToThreadPool(self._reactor, self._pool, call, *arguments)

    def start(self) -> None:
        self._pool.start()

    def stop(self) -> None:
        """Every job has been waited for by whoever gave it, so this does not block."""
        self._pool.stop()


class SDCC(Service):
    """The server, as a Twisted service."""

    log = Logger(namespace="sdcc")

    def __init__(self, configuration: Configuration, reactor: Reactor) -> None:
        self._configuration = configuration
        self._reactor = reactor
        self._ports: list[IListeningPort] = []
        self._is_stopping = False
        self._storage_threads = Threads(reactor, "storage", configuration.storage.threads)
        self._index_threads = Threads(reactor, "index", 1)
        self._lookup_threads = Threads(reactor, "lookup", 2)
        self._threads = (self._storage_threads, self._index_threads, self._lookup_threads)
        self._objects = ObjectStore(
            configuration.storage.directory,
            filesystem=FileSystem(),
            run_in_thread=self._storage_threads.run,
            clock=reactor,
            minimum_free=configuration.storage.minimum_free,
            maximum_object_size=configuration.storage.maximum_object_size,
            new_token=partial(secrets.token_hex, TOKEN_LENGTH),
            now=partial(datetime.datetime.now, datetime.UTC),
        )
        index_path = configuration.index_path
        assert index_path is not None, "config.load refuses what this version does not provide"
        self._index = SQLiteIndex(
            index_path,
            run_in_thread=self._index_threads.run,
            read_in_thread=self._lookup_threads.run,
            clock=reactor,
            timeout=configuration.index.timeout,
        )
        self._storage = StorageProvider(self._objects, self._index)
        self._server = self._association_server()

    def _association_server(self) -> AssociationServer:
        configuration, reactor = self._configuration, self._reactor
        limits = AssociationLimits(configuration.association.maximum_open)
        sop_classes = configuration.sop_classes
        circumstances = Circumstances(
            is_stopping=lambda: self._is_stopping,
            storage_refusal=lambda: self._objects.refusal or self._index.refusal,
        )
        return AssociationServer(
            acceptor=Acceptor(
                configuration, limits, circumstances, Resolver(self._lookup_threads.run, reactor)
            ),
            registry=Registry(sop_classes, (VerificationProvider(), self._storage)),
            sop_classes=sop_classes,
            limits=limits,
            waiting=WaitingBytes(),
            settings=configuration.association,
            clock=reactor,
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
                listening = self._reactor.listenTCP(port, self._server.port(locals_), interface=interface)
            except CannotListenError as error:
                reason = f"AE {titles}: cannot listen on {interface}:{port}: {error.socketError}"
                raise CannotStart(reason) from None
            self._ports.append(listening)
            self.log.info(
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
        except OSError as error:
            raise CannotStart(f"[storage] directory {directory}: {error.strerror or error}") from None
        try:
            self._index.prepare()
        except (OSError, ValueError) as error:
            raise CannotStart(f"[index] {error}") from None
        for threads in self._threads:
            threads.start()
        self._objects.start()
        self.log.info(
            "SDCC {version} is ready: objects in {directory}, index SQLite {index}",
            version=__version__,
            directory=directory,
            index=self._configuration.index_path,
        )

    # --- stopping ---

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        self._is_stopping = True
        self.log.info("SDCC is stopping")
        for port in self._ports:
            await maybeDeferred(port.stopListening)
        await self._server.stop()
        await self._index.stop()
        await self._storage.settle()
        await self._objects.stop()
        for threads in self._threads:
            threads.stop()
        self.log.info("SDCC has stopped")


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
