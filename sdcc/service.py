"""SDCC as it starts and stops: in which order.

Starting: the ports are bound first, while the process may still have the privileges for it;
then storage and index are made ready, as the user that the process stays. Stopping: no new
connections, associations drained, then the index, then the storage, then the threads.
"""

from __future__ import annotations

from collections.abc import Mapping

from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from sdcc import __version__
from sdcc.config import Configuration, Local
from sdcc.inspection.look import Look
from sdcc.network.server import BACKLOG
from sdcc.parts import Parts
from sdcc.world import REAL, Reactor, World

#: Not of a class, whose name would take the place of this one.
log = Logger(namespace="sdcc")


class CannotStart(Exception):
    """SDCC cannot run as it is configured; the text is for the administrator."""


class SDCC(Service):
    """The server, as a Twisted service."""

    def __init__(self, configuration: Configuration, reactor: Reactor, world: World = REAL) -> None:
        self._configuration = configuration
        self._reactor = reactor
        self._parts = Parts(configuration, reactor, world, is_stopping=lambda: self._is_stopping)
        self._ports: list[IListeningPort] = []
        self._is_stopping = False
        self._look: Look | None = None

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
                factory = self._parts.server.port(locals_)
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
        parts, directory = self._parts, self._configuration.storage.directory
        try:
            parts.objects.prepare()
            parts.journal.prepare()
        except OSError as error:
            raise CannotStart(f"[storage] directory {directory}: {error.strerror or error}") from None
        try:
            parts.index.prepare()
        except (OSError, ValueError) as error:
            raise CannotStart(f"[index] {error}") from None
        for threads in parts.threads:
            threads.start()
        parts.objects.start()
        parts.index.start()
        parts.transactions.start()
        self._look = parts.look()
        if self._look is not None:
            self._look.start()
        if parts.audit is not None:
            parts.audit.started()
        log.info(
            "SDCC {version} is ready: objects in {directory}; index: {index}",
            version=__version__,
            directory=directory,
            index=self._configuration.index_name,
        )

    # --- stopping ---

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        self._is_stopping = True
        log.info("SDCC is stopping")
        parts = self._parts
        steps = (
            *(port.stopListening for port in self._ports),
            parts.transactions.interrupt,
            parts.server.stop,
            parts.caller.stop,
            parts.converter.stop,
            parts.transactions.stop,
            *([self._look.stop] if self._look else []),
            parts.index.stop,
            self._hand_doubts_on,
            parts.storage.settle,
            parts.journal.stop,
            parts.objects.stop,
            *([parts.audit.stopped] if parts.audit else []),
            *(threads.stop for threads in parts.threads),
        )
        for step in steps:
            try:
                await maybeDeferred(step)
            except Exception:  # the boundary: what is left must be stopped all the same
                log.failure("a step of the stop failed")
        log.info("SDCC has stopped")

    def _hand_doubts_on(self) -> None:
        if self._parts.index.leaves_doubts:
            log.warn("The index does not say what became of some objects: the next start looks through them")
            self._parts.objects.doubt()


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
