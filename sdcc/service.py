"""SDCC as it starts and stops: in which order. And what it is told meanwhile.

Starting: the ports are bound first, while the process may still have the privileges for it;
then storage and index are made ready, as the user that the process stays. Stopping: no new
connections, associations drained, then the index, then the storage, then the threads.

SIGHUP has the configuration read again. SIGTERM and SIGINT are the reactor's, which stops the service; while
it stops, another of them ends what it waits for.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping

from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall, IListeningPort
from twisted.logger import Logger
from twisted.python.failure import Failure

from sdcc import __version__
from sdcc.config import Configuration, Local, load
from sdcc.inspection.look import Look
from sdcc.interfaces.administration import CannotDo, Facts
from sdcc.network import passed
from sdcc.network.server import BACKLOG
from sdcc.parts import Parts
from sdcc.reloading import Reloading
from sdcc.signals import Signals
from sdcc.world import REAL, Reactor, World

#: Not of a class, whose name would take the place of this one.
log = Logger(namespace="sdcc")

#: Seconds that what is under way in threads has, when the stop is to be one at once.
LAST_SECONDS = 2.0


class CannotStart(Exception):
    """SDCC cannot run as it is configured; the text is for the administrator."""


class SDCC(Service):
    """The server, as a Twisted service."""

    def __init__(self, configuration: Configuration, reactor: Reactor, world: World = REAL) -> None:
        self._reactor = reactor
        self._parts = Parts(configuration, reactor, world, is_stopping=lambda: self._is_stopping)
        self._reloading = Reloading(
            configuration,
            read=load,
            run_in_thread=self._parts.run_loosely,
            reconfigure=self._parts.reconfigure,
        )
        self._signals = Signals(world.set_signal, reactor)
        # asked now: twistd has not yet forked, and what was passed was passed to this process
        self._passed = world.passed()
        self._ports: list[IListeningPort] = []
        self._is_stopping = False
        #: Fires when what is left of a stop is not waited for any more.
        self._given_up: Deferred[None] = Deferred()
        self._last_call: IDelayedCall | None = None
        self._look: Look | None = None

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Interface and port of each open port, in the configuration's order."""
        return tuple(map(address_of, self._ports))

    @property
    def configuration(self) -> Configuration:
        """The one in effect: as it was started with, and what reloads have changed."""
        return self._reloading.configuration

    @property
    def is_stopping(self) -> bool:
        return self._is_stopping

    @property
    def is_draining(self) -> bool:
        """Whether :meth:`drain` lets nobody in."""
        return self._parts.server.is_draining

    # --- starting ---

    def privilegedStartService(self) -> None:
        """Bind every port, or take it as systemd has bound it.

        :raises CannotStart: one cannot be bound, or nobody wants what systemd has bound.
        """
        wanted = ports(self.configuration.locals)
        listen = self._listen([address for address, _ in wanted])
        for (interface, port), locals_ in wanted:
            titles = ", ".join(locals_)
            try:
                listening = listen(interface, port, self._parts.server.port(locals_))
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

    def _listen(self, wanted: list[passed.Address]) -> passed.Listen:
        others = (self.configuration.manhole, self.configuration.http)
        theirs = {passed.named_by(other.endpoint) for other in others if other is not None}
        ours = [descriptor for descriptor in self._passed if descriptor not in theirs]
        try:
            return passed.listening(self._reactor, ours, wanted=wanted, backlog=BACKLOG)
        except passed.CannotAdopt as error:
            raise CannotStart(str(error)) from None

    def startService(self) -> None:
        """Make storage and index ready. This blocks, but nothing else runs yet.

        :raises CannotStart: the storage directory or the index cannot be used.
        """
        if not self._ports:
            self.privilegedStartService()
        super().startService()
        self._signals.hear(signal.SIGHUP, self._hang_up)
        try:
            self._prepare()
        except CannotStart:
            self._signals.restore()
            raise
        parts = self._parts
        for threads in parts.threads:
            threads.start()
        parts.objects.start()
        parts.index.start()
        parts.transactions.start()
        self._look = parts.look()
        if self._look is not None:
            self._look.start()
        log.info(
            "SDCC {version} is ready: objects in {directory}; index: {index}",
            version=__version__,
            directory=self.configuration.storage.directory,
            index=self.configuration.index_name,
        )

    def _prepare(self) -> None:
        parts, directory = self._parts, self.configuration.storage.directory
        try:
            parts.objects.prepare()
            parts.journal.prepare()
        except OSError as error:
            raise CannotStart(f"[storage] directory {directory}: {error.strerror or error}") from None
        try:
            parts.index.prepare()
        except (OSError, ValueError) as error:
            raise CannotStart(f"[index] {error}") from None

    # --- running ---

    async def reload(self) -> Facts:
        """See :class:`~sdcc.interfaces.administration.IAdministration`."""
        changes = await self._reloading.reload()
        return {"changed": [*changes.at_once], "after_restart": [*changes.after_restart]}

    def drain(self, is_on: bool = True) -> Facts:
        """See :class:`~sdcc.interfaces.administration.IAdministration`."""
        server = self._parts.server
        if not self._is_stopping:
            (server.drain if is_on else server.go_on)()
        return {"state": self._state, "open": server.open_associations}

    @property
    def _state(self) -> str:
        """In the words of `IAdministration.status`."""
        if self._is_stopping:
            return "stopping"
        if self.is_draining:
            return "draining"
        return "degraded" if self._parts.storage.refusal else "ready"

    def _hang_up(self) -> None:
        log.info("SIGHUP: the configuration is read again")
        ensureDeferred(self.reload()).addErrback(_not_reloaded)

    # --- stopping ---

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return ensureDeferred(self._stop())

    def cut(self) -> None:
        """While it stops: wait for peers no more, and not for long for what is under way in threads.

        Nothing that was answered is lost. An object that was not may be, or may be stored all the same.
        """
        if self._last_call is not None:
            return
        log.warn(
            "SDCC stops at once, associations that are cut: {number}",
            number=self._parts.server.open_associations,
        )
        self._last_call = self._reactor.callLater(LAST_SECONDS, self._given_up.callback, None)
        self._parts.server.cut()

    async def _stop(self) -> None:
        self._is_stopping = True
        self._reloading.stop()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._signals.hear(number, self.cut)
        log.info(
            "SDCC is stopping, associations: {number}, drain_timeout: {seconds:g} s",
            number=self._parts.server.open_associations,
            seconds=self.configuration.association.drain_timeout,
        )
        await self._end_parts()
        self._signals.restore()
        if self._last_call is not None and self._last_call.active():
            self._last_call.cancel()
        log.info("SDCC has stopped")

    async def _end_parts(self) -> None:
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
            *(threads.stop for threads in parts.threads),
        )
        for step in steps:
            await self._unless_given_up(step)
            if self._given_up.called:
                log.warn("SDCC waits no more for what is under way: the next start looks through it")
                return

    async def _unless_given_up(self, step: Callable[[], object]) -> None:
        """Return when a step has ended, or is not waited for any more."""
        over: Deferred[None] = Deferred()

        def end(_: object) -> None:
            if not over.called:
                over.callback(None)

        def failed(failure: Failure) -> None:  # the boundary: what is left must be stopped all the same
            log.failure("a step of the stop failed", failure)

        maybeDeferred(step).addErrback(failed).addBoth(end)
        self._given_up.addCallback(end)
        await over

    def _hand_doubts_on(self) -> None:
        if self._parts.index.leaves_doubts:
            log.warn("The index does not say what became of some objects: the next start looks through them")
            self._parts.objects.doubt()


def _not_reloaded(failure: Failure) -> None:
    """Of a file that cannot be used the log has said why."""
    if failure.check(CannotDo) is None:
        log.failure("the configuration stays as it is", failure)


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
