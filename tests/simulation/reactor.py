"""The reactor of one process: its timers and its ports, which end with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IListeningPort, IReactorTime
from twisted.internet.protocol import ServerFactory
from zope.interface import implementer

from .schedule import Event, Schedule

#: The most that a timer is late, in seconds.
LATENESS = 0.0001


class Life(Protocol):
    """What a reactor asks of its process."""

    is_dead: bool
    #: It has stopped using its index, in order.
    has_left: bool

    def connected(self, transport: Any) -> None: ...

    def disconnected(self, transport: Any) -> None: ...

    def was_given(self, transport: Any, size: int) -> None:
        """The protocol has taken a piece of so many bytes."""


@implementer(IDelayedCall)
class DelayedCall:
    def __init__(self, reactor: Reactor, time: float, call: Callable[..., Any]) -> None:
        self._reactor = reactor
        self._time = time
        self._call = call
        self._event = self._plan()

    def getTime(self) -> float:
        return self._time

    def active(self) -> bool:
        return self._event.is_pending

    def cancel(self) -> None:
        assert self.active(), "this call is not to come any more"
        self._event.cancel()
        self._reactor.calls.pop(self, None)

    def delay(self, secondsLater: float) -> None:  # noqa: N803  # Twisted's name
        self._move(self._time + secondsLater)

    def reset(self, secondsFromNow: float) -> None:  # noqa: N803
        self._move(self._reactor.seconds() + secondsFromNow)

    def _move(self, time: float) -> None:
        self.cancel()
        self._time = time
        self._event = self._plan()

    def _plan(self) -> Event:
        self._reactor.calls[self] = None
        return self._reactor.later(self._time - self._reactor.seconds(), self._run)

    def _run(self) -> None:
        del self._reactor.calls[self]
        self._call()


@implementer(IListeningPort)
class Port:
    def __init__(self, reactor: Reactor, ports: dict[int, Port], number: int, factory: ServerFactory) -> None:
        self.reactor = reactor
        self.factory = factory
        self._ports = ports
        self._number = number

    def startListening(self) -> None:
        assert self._number not in self._ports, "two servers at one port"
        self._ports[self._number] = self
        self.factory.doStart()

    def stopListening(self) -> Deferred[None]:
        self.close()
        self.factory.doStop()
        return succeed(None)

    def close(self) -> None:
        """As the system does for a dead process."""
        self._ports.pop(self._number, None)

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", self._number)


@implementer(IReactorTime)
class Reactor:
    """As much of a reactor as the server uses.

    :param ports: all that anybody listens at.
    """

    def __init__(self, schedule: Schedule, life: Life, ports: dict[int, Port]) -> None:
        self._schedule = schedule
        self.life = life
        self._ports = ports
        #: What is to come of the server's own making, in the order in which it asked.
        self.calls: dict[DelayedCall, None] = {}
        self.listening: list[Port] = []
        #: What would have happened: whoever waits for it is to wait for ever, and not to be told by its loss.
        self._never: list[object] = []

    # --- for the server ---

    def seconds(self) -> float:
        return self._schedule.now

    def callLater(
        self, delay: float, call: Callable[..., Any], *arguments: Any, **keywords: Any
    ) -> DelayedCall:
        late = self._schedule.random.uniform(0, LATENESS) if not self.life.is_dead else 0.0
        return DelayedCall(self, self.seconds() + delay + late, lambda: call(*arguments, **keywords))

    def getDelayedCalls(self) -> list[DelayedCall]:
        return list(self.calls)

    def callFromThread(self, call: Callable[..., Any], *arguments: Any, **keywords: Any) -> None:
        self.later(0, lambda: call(*arguments, **keywords))

    def listenTCP(self, port: int, factory: ServerFactory, backlog: int = 50, interface: str = "") -> Port:
        listening = Port(self, self._ports, port, factory)
        listening.startListening()
        self.listening.append(listening)
        return listening

    # --- for the simulation ---

    def later(self, delay: float, call: Callable[..., Any], *arguments: Any) -> Event:
        """Something that happens to this process, unless it dies before."""
        if self.life.is_dead:
            self._never.append((call, arguments))
            return Event(self.seconds(), call, arguments)
        return self._schedule.later(delay, self._happen, call, arguments)

    def _happen(self, call: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        if self.life.is_dead:
            self._never.append((call, arguments))
        else:
            call(*arguments)
