"""A simulated network: streams that cut at any byte, delay, split, break, or fall silent for ever.

A connection is two streams. At the server's end stands a :class:`~.transport.Transport`, at the other a peer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.address import IPv4Address

from .reactor import Port
from .schedule import Event, Schedule
from .transport import Transport

#: How a stream ends: with what was sent before it, or at once.
FIN, RST = "FIN", "RST"


class Receiver(Protocol):
    """Who stands at the end of a stream."""

    def data_arrived(self, data: bytes) -> None: ...

    def end_arrived(self, how: str) -> None: ...


class Stream:
    """One direction of a connection: bytes on their way, in order, and at last an end."""

    def __init__(
        self, schedule: Schedule, route: Route, receiver: Receiver, room_made: Callable[[], None]
    ) -> None:
        self._schedule = schedule
        self._route = route
        self._receiver = receiver
        self._room_made = room_made
        self._bytes = bytearray()
        self._end: str | None = None
        self._is_over = False
        self._is_read = True
        self._next: Event | None = None

    @property
    def in_flight(self) -> int:
        return len(self._bytes)

    @property
    def is_broken(self) -> bool:
        """Whether whoever writes to this stream's opposite would get an error."""
        return self._end == RST

    def send(self, data: bytes) -> None:
        if self._end is None:
            self._bytes += data
            self._plan()

    def end(self, how: str) -> None:
        if self._end is None or how == RST:
            self._end = how
        if how == RST:
            self._bytes.clear()
        self._plan()

    def cut(self) -> None:
        """Let nothing pass any more, in either direction, and tell neither end."""
        self._route.is_cut = True

    def stop_reading(self) -> None:
        self._is_read = False
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def read_on(self) -> None:
        self._is_read = True
        self._plan()

    def close(self) -> None:
        """Nobody stands at its end any more."""
        self._is_over = True
        self.stop_reading()
        self._bytes.clear()

    def _plan(self) -> None:
        has_something = self._bytes or self._end
        if has_something and self._is_read and not self._is_over and self._next is None:
            self._next = self._schedule.later(self._route.delay(), self._arrive)

    def _arrive(self) -> None:
        self._next = None
        if self._route.is_cut:
            return
        if self._route.blocked_for > 0:
            self._next = self._schedule.later(self._route.blocked_for, self._arrive)
            return
        if self._bytes:
            size = self._route.piece(len(self._bytes))
            data = bytes(self._bytes[:size])
            del self._bytes[:size]
            self._receiver.data_arrived(data)
            self._room_made()
            self._plan()
        elif self._end is not None:
            self._is_over = True
            self._receiver.end_arrived(self._end)


class Route:
    """What the two streams of a connection share.

    :param is_healthy: it is never split, and fast.
    """

    #: Of a healthy one.
    FAST = 0.001

    def __init__(self, network: Network, *, is_healthy: bool) -> None:
        self._network = network
        self._is_healthy = is_healthy
        #: Nothing will ever pass again, and neither end is told.
        self.is_cut = False

    def delay(self) -> float:
        latency = self.FAST if self._is_healthy else self._network.latency
        return self._network.schedule.random.uniform(0, latency)

    @property
    def blocked_for(self) -> float:
        """Seconds until the network is one again."""
        return 0.0 if self._is_healthy else self._network.split_until - self._network.schedule.now

    def piece(self, available: int) -> int:
        if self._is_healthy:
            return available
        return self._network.schedule.random.randint(1, min(available, self._network.piece))


class Network:
    """
    :param latency: the most that a piece of a stream takes, in seconds.
    :param piece: the most bytes that arrive at once.
    :param pipe: the bytes of our answers that are on their way at most.
    :param send_buffer: the bytes that a transport holds before it pauses its producer.
    """

    def __init__(
        self, schedule: Schedule, *, latency: float, piece: int, pipe: int, send_buffer: int
    ) -> None:
        self.schedule = schedule
        self.latency = latency
        self.piece = piece
        self.pipe = pipe
        self.send_buffer = send_buffer
        self.ports: dict[int, Port] = {}
        self.split_until = 0.0
        self._next_port = 40000

    def split(self, seconds: float) -> None:
        """Let nothing pass for a while; nothing is lost."""
        self.schedule.note("the network is split for", seconds, "s")
        self.split_until = self.schedule.now + seconds

    def connect(self, port: int, peer: Receiver, *, is_healthy: bool = False) -> Connection | None:
        """Open a connection; None: nobody listens."""
        listening = self.ports.get(port)
        if listening is None:
            return None
        self._next_port += 1
        address = IPv4Address("TCP", "192.0.2.1", self._next_port)
        protocol = listening.factory.buildProtocol(address)
        connection = Connection(self, peer, address, is_healthy=is_healthy)
        if protocol is None:
            connection.transport.abortConnection()
        else:
            connection.transport.open(protocol, listening.reactor)
        return connection


class Connection:
    """What a peer holds of a connection."""

    def __init__(self, network: Network, peer: Receiver, address: IPv4Address, *, is_healthy: bool) -> None:
        self.name = f"connection {address.port}"
        self.route = Route(network, is_healthy=is_healthy)
        self.to_peer = Stream(network.schedule, self.route, peer, self._room_made)
        self.transport = Transport(
            network.schedule, address, self.to_peer, room=network.pipe, send_buffer=network.send_buffer
        )
        self.to_server = Stream(network.schedule, self.route, self.transport, lambda: None)
        self.transport.reads_from(self.to_server)

    def _room_made(self) -> None:
        self.transport.flush()

    def send(self, data: bytes) -> None:
        self.to_server.send(data)

    def finish(self) -> None:
        """Send no more, and go on listening."""
        self.to_server.end(FIN)

    def close(self) -> None:
        """Listen no more either."""
        self.finish()
        self.to_peer.close()

    def reset(self) -> None:
        self.to_server.end(RST)
        self.to_peer.close()

    def cut(self) -> None:
        """The peer is gone, and nobody tells the server."""
        self.to_peer.cut()
        self.to_peer.close()
