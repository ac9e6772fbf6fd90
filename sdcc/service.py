"""SDCC as it starts and stops: in which order.

Starting: the ports are bound first, while the process may still have the privileges for it;
then storage and index are made ready, as the user that the process stays. Stopping: no new
connections, associations drained, then the index, then the storage, then the threads.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from sdcc import __version__
from sdcc.administration.administration import Administration, Condition, OpenPort
from sdcc.administration.control_socket import ControlFactory, ControlSocket
from sdcc.administration.tables import shown
from sdcc.config import Configuration, ports
from sdcc.inspection.look import Look
from sdcc.interfaces.administration import CannotDo, Facts
from sdcc.network.server import BACKLOG
from sdcc.parts import Parts
from sdcc.threads import LooseThreads
from sdcc.world import REAL, Reactor, World

if TYPE_CHECKING:
    from sdcc.manhole.server import ManholeServer

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
        self._control: ControlSocket | None = None
        self._manhole: ManholeServer | None = None
        self._world = world

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

        :raises CannotStart: the storage directory or the index cannot be used, or the manhole not opened.
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
        administration = self._administration()
        self._open_manhole(administration)
        for threads in parts.threads:
            threads.start()
        parts.objects.start()
        parts.index.start()
        parts.transactions.start()
        self._look = parts.look()
        if self._look is not None:
            self._look.start()
        self._control = ControlSocket(
            ControlFactory(administration, self._reactor), self._reactor, self._world.listen_control
        )
        self._control.open(parts.objects.own_folder)
        log.info(
            "SDCC {version} is ready: objects in {directory}; index: {index}",
            version=__version__,
            directory=directory,
            index=self._configuration.index_name,
        )

    def _open_manhole(self, administration: Administration) -> None:
        """Where one is configured: whoever has none is spared conch, too.

        :raises CannotStart: it cannot be opened.
        """
        if self._configuration.manhole is None:
            return
        from sdcc.manhole.server import CannotOpen, ManholeServer  # noqa: PLC0415

        self._manhole = ManholeServer(
            self._configuration.manhole,
            self._configuration.storage.directory,
            administration,
            shown=shown,
            reactor=self._reactor,
            run_in_thread=LooseThreads(self._reactor, "manhole").run,
        )
        try:
            self._manhole.start()
        except CannotOpen as error:
            raise CannotStart(f"[manhole] {error}") from None

    # --- its administration ---

    def _administration(self) -> Administration:
        return self._parts.administration(
            condition=self._condition,
            ports=self._open_ports,
            reload=self.reload,
            drain=self.drain,
            log_levels=dict,
            set_log_level=_set_no_log_level,
        )

    def _open_ports(self) -> list[OpenPort]:
        return [
            OpenPort(tuple(locals_), *address_of(port), any(local.tls for local in locals_.values()))
            for port, (_, locals_) in zip(self._ports, ports(self._configuration.locals), strict=True)
        ]

    def _condition(self) -> Condition:
        return SimpleNamespace(state="stopping" if self._is_stopping else "ready", reasons=())

    async def reload(self) -> Facts:
        """See :class:`~sdcc.interfaces.administration.IAdministration`."""
        raise CannotDo("this version cannot read its configuration again")

    def drain(self, is_on: bool = True) -> Facts:
        """See :class:`~sdcc.interfaces.administration.IAdministration`."""
        raise CannotDo("this version cannot drain")

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
            *([self._manhole.stop] if self._manhole else []),
            parts.transactions.interrupt,
            parts.server.stop,
            parts.caller.stop,
            parts.converter.stop,
            parts.transactions.stop,
            *([self._look.stop] if self._look else []),
            *([self._control.stop] if self._control else []),
            parts.index.stop,
            self._hand_doubts_on,
            parts.storage.settle,
            parts.journal.stop,
            parts.objects.stop,
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


def _set_no_log_level(name: str, level: str) -> None:
    raise ValueError("this version cannot set levels")


def address_of(port: IListeningPort) -> tuple[str, int]:
    address = port.getHost()
    assert isinstance(address, IPv4Address | IPv6Address)
    return address.host, address.port
