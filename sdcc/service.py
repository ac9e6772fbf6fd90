"""SDCC as it starts and stops: in which order. And what it is told meanwhile.

Starting: the ports are bound first, while the process may still have the privileges for it;
then storage and index are made ready, as the user that the process stays. Stopping: no new
connections, associations drained, then the index, then the storage, then the threads; `[http]` says to
almost the last that it is stopping.

SIGHUP has the configuration read again. SIGTERM and SIGINT are the reactor's, which stops the service; while
it stops, another of them ends what it waits for.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence

from twisted.application.service import Service
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from sdcc import __version__
from sdcc.config import Configuration, load
from sdcc.doors import CannotOpen, Doors
from sdcc.health import Health
from sdcc.inspection.look import Look
from sdcc.interfaces.administration import CannotDo, Facts
from sdcc.logs.log import Log
from sdcc.parts import Parts
from sdcc.ports import CannotListen, Ports
from sdcc.reloading import Reloading
from sdcc.signals import Signals
from sdcc.tls import NotUsable
from sdcc.world import REAL, Reactor, World

#: Not of a class, whose name would take the place of this one.
log = Logger(namespace="sdcc")

#: Seconds that what is under way in threads has, when the stop is to be one at once.
LAST_SECONDS = 2.0


class CannotStart(Exception):
    """SDCC cannot run as it is configured; the text is for the administrator."""


class SDCC(Service):
    """The server, as a Twisted service.

    :param own_log: whose levels may be changed; None: the process logs otherwise.
    """

    def __init__(
        self,
        configuration: Configuration,
        reactor: Reactor,
        world: World = REAL,
        own_log: Log | None = None,
    ) -> None:
        self._reactor = reactor
        self._parts = Parts(configuration, reactor, world, is_stopping=lambda: self._is_stopping)
        parts = self._parts
        self._reloading = Reloading(
            configuration,
            read=load,
            run_in_thread=parts.run_loosely,
            prepare=[parts.prepare_security],
            reconfigure=self._reconfigure,
            changed=self._record_changes,
        )
        self._own_log = own_log
        self._signals = Signals(world.set_signal, reactor)
        self._is_stopping = False
        #: Fires when what is left of a stop is not waited for any more.
        self._given_up: Deferred[None] = Deferred()
        self._last_call: IDelayedCall | None = None
        self._look: Look | None = None
        self._ports = Ports(configuration, parts.server, parts.security, reactor, passed=world.passed())
        self.health = Health(
            is_stopping=lambda: self._is_stopping,
            is_draining=lambda: self.is_draining,
            storage_refusal=lambda: parts.storage.refusal,
            is_crowded=lambda: parts.limits.total >= parts.limits.maximum_open,
        )
        administration = parts.administration(
            condition=self.health.condition,
            ports=lambda: self._ports.facts,
            reload=self.reload,
            drain=self.drain,
            log_levels=own_log.levels if own_log else dict,
            set_log_level=own_log.set_level if own_log else _no_level,
        )
        self._doors = Doors(
            configuration,
            parts,
            administration=administration,
            health=self.health,
            reactor=reactor,
            world=world,
        )

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Interface and port of each open port, in the configuration's order."""
        return self._ports.addresses

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
        """Read the certificates, which others may not, and bind every port, or take it as it was passed.

        :raises CannotStart: they cannot be used, a port cannot be bound, or nobody wants what was passed.
        """
        try:
            if self._parts.security is not None:
                self._parts.security.load()
            self._ports.open()
            self._doors.open_web()
        except (NotUsable, CannotListen, CannotOpen) as error:
            raise CannotStart(str(error)) from None

    def startService(self) -> None:
        """Make storage and index ready. This blocks, but nothing else runs yet.

        :raises CannotStart: the storage directory or the index cannot be used, or the manhole not opened.
        """
        if not self._ports:
            self.privilegedStartService()
        super().startService()
        self._signals.hear(signal.SIGHUP, self._hang_up)
        try:
            self._prepare()
            self._doors.open_manhole()
        except (CannotStart, CannotOpen) as error:
            self._signals.restore()
            self._parts.objects.unprepare()
            raise CannotStart(str(error)) from None
        parts = self._parts
        for threads in parts.threads:
            threads.start()
        if parts.security is not None:
            parts.security.watch()
        parts.objects.start()
        parts.index.start()
        parts.transactions.start()
        if parts.completion is not None:
            parts.completion.start()
        self._look = parts.look()
        if self._look is not None:
            self._look.start()
        if parts.audit is not None:
            parts.audit.started()
        self._doors.open_control()
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

    def _reconfigure(self, configuration: Configuration) -> None:
        self._parts.reconfigure(configuration)
        if self._own_log is not None:
            self._own_log.reconfigure(configuration.log)

    def _record_changes(self, keys: Sequence[str]) -> None:
        if self._parts.audit is not None:
            self._parts.audit.configuration_changed(keys)

    def drain(self, is_on: bool = True) -> Facts:
        """See :class:`~sdcc.interfaces.administration.IAdministration`."""
        server = self._parts.server
        if not self._is_stopping:
            (server.drain if is_on else server.go_on)()
        return {"state": str(self.health.condition().state), "open": server.open_associations}

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
            self._ports.close,
            self._doors.close_manhole,
            *([parts.completion.interrupt] if parts.completion else []),
            parts.transactions.interrupt,
            parts.server.stop,
            parts.caller.stop,
            parts.converter.stop,
            parts.transactions.stop,
            *([parts.completion.stop] if parts.completion else []),
            *([self._look.stop] if self._look else []),
            *([parts.security.stop] if parts.security else []),
            self._doors.close_control,
            parts.index.stop,
            self._hand_doubts_on,
            parts.storage.settle,
            parts.journal.stop,
            parts.objects.stop,
            *([parts.audit.stopped] if parts.audit else []),
            self._doors.close_web,
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


def _no_level(name: str, level: str) -> None:
    raise ValueError("the log is not SDCC's, because twistd was given a --logger: it has no levels")
