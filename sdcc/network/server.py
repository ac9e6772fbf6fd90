"""All ports of a process and the connections that stand on them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import ServerFactory

from sdcc.config import AssociationSettings, Local
from sdcc.conformance import SOPClass
from sdcc.interfaces import Ending
from sdcc.network.acceptor import Acceptor
from sdcc.network.gathering import Gathering
from sdcc.network.limits import AssociationLimits, WaitingBytes
from sdcc.network.observers import NOBODY, Observers
from sdcc.network.protocol import AcceptorProtocol
from sdcc.network.refusals import ELSEWHERE, RefusalLog
from sdcc.network.surroundings import Surroundings
from sdcc.services.registry import Registry

#: Connections that have no association: before A-ASSOCIATE-RQ, or after the end until the peer closes.
MAXIMUM_WAITING = 2000
#: Connections that wait to be accepted. One more is not heard, and asks again after a second or three: a
#: crowd that comes at once must not do that to others.
BACKLOG = 1024


class AssociationServer:
    """Builds the protocols for every port, and ends them when the process stops.

    :param maximum_waiting: connections without an association; one more is closed at once, so that
        descriptors are left for those that have one.
    :param observers: told of each association, and of each that was refused.
    :param at_cut: called at the stop when associations are cut: what is done for them elsewhere ends too.
    """

    def __init__(
        self,
        *,
        acceptor: Acceptor,
        registry: Registry,
        sop_classes: Mapping[str, SOPClass],
        limits: AssociationLimits,
        waiting: WaitingBytes,
        settings: AssociationSettings,
        clock: IReactorTime,
        maximum_waiting: int = MAXIMUM_WAITING,
        gathering: Gathering | None = None,
        observers: Observers = NOBODY,
        at_cut: Callable[[], None] = lambda: None,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._refusals = RefusalLog(clock)
        self._surroundings = Surroundings(
            acceptor=acceptor,
            registry=registry,
            sop_classes=sop_classes,
            limits=limits,
            waiting=waiting,
            settings=settings,
            clock=clock,
            refusals=self._refusals,
            gathering=gathering or Gathering(),
            observers=observers,
            next_number=itertools.count(1).__next__,
        )
        self._limits = limits
        self._maximum_waiting = maximum_waiting
        self._at_cut = at_cut
        self._is_crowded = False
        #: In the order in which they came: so they are ended.
        self._connections: dict[AcceptorProtocol, None] = {}
        self._all_closed: Deferred[None] | None = None

    def port(self, locals_: Mapping[str, Local]) -> PortFactory:
        """The factory for a port that these local AEs, by title, share."""
        return PortFactory(self, locals_)

    def open(self, locals_: Mapping[str, Local]) -> AcceptorProtocol | None:
        """The protocol of a new connection; None: there are too many, and it is closed."""
        was_crowded = self._is_crowded
        self._is_crowded = len(self._connections) - self._limits.total >= self._maximum_waiting
        if self._is_crowded:
            if not was_crowded:
                self._refusals.warn(
                    ELSEWHERE,
                    "new connections are closed: {maximum} are open without an association",
                    maximum=self._maximum_waiting,
                )
            return None
        connection = AcceptorProtocol(self._surroundings, locals_, self._closed)
        self._connections[connection] = None
        return connection

    def _closed(self, connection: AcceptorProtocol) -> None:
        self._connections.pop(connection, None)
        if self._all_closed is not None and not self._connections:
            self._all_closed.callback(None)

    @property
    def associations(self) -> Mapping[int, AcceptorProtocol]:
        """Those that are open, by number."""
        return {connection.number: connection for connection in self._connections if connection.is_open}

    def abort(self, number: int) -> bool:
        """Abort an association, as an administrator asked for it; gives whether there was one."""
        connection = self.associations.get(number)
        if connection is None:
            return False
        connection.abort("an administrator asked for it", Ending.ADMINISTRATOR)
        return True

    async def stop(self) -> None:
        """End idle associations now, others when what is under way is done, all after `drain_timeout`."""
        if self._connections:
            await self._drain()
        self._refusals.close()

    async def _drain(self) -> None:
        self._all_closed = Deferred()
        for connection in list(self._connections):
            connection.drain()
        timer = self._clock.callLater(self._settings.drain_timeout, self._cut)
        await self._all_closed
        if timer.active():
            timer.cancel()

    def _cut(self) -> None:
        for connection in list(self._connections):
            connection.cut()
        self._at_cut()


class PortFactory(ServerFactory):
    """Associations at one port."""

    noisy = False

    def __init__(self, server: AssociationServer, locals_: Mapping[str, Local]) -> None:
        self._server = server
        self._locals = locals_

    def buildProtocol(self, addr: IAddress | None) -> AcceptorProtocol | None:
        return self._server.open(self._locals)
