"""The server's end of a connection: what Twisted's TCP transport is to a protocol.

Where they matter to the server, it has the real one's ways: it pauses the producer when its buffer is full
and resumes it when all is written, sees the peer's end only while it reads, and closes when all is written.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure

from sdcc.network.protocol import AcceptorProtocol

from .reactor import Reactor
from .schedule import Schedule


class Outgoing(Protocol):
    """The stream to the peer, as far as it concerns a transport."""

    in_flight: int

    def send(self, data: bytes) -> None: ...

    def end(self, how: str) -> None: ...

    def cut(self) -> None: ...


class Incoming(Protocol):
    """The stream from the peer."""

    is_broken: bool

    def stop_reading(self) -> None: ...

    def read_on(self) -> None: ...

    def close(self) -> None: ...


class Transport:
    """
    :param room: bytes of the stream that the kernel takes from us before the peer reads.
    """

    def __init__(
        self, schedule: Schedule, peer: IPv4Address, outgoing: Outgoing, *, room: int, send_buffer: int
    ) -> None:
        self._schedule = schedule
        self._peer = peer
        self._outgoing = outgoing
        self._room = room
        self._send_buffer = send_buffer
        self._incoming: Incoming
        self._reactor: Reactor
        self.protocol: AcceptorProtocol | None = None
        self._producer: IPushProducer | None = None
        self._is_producer_paused = False
        self._is_closing = False
        self._is_aborting = False
        self._is_flush_planned = False
        self.buffer = bytearray()

    # --- the network ---

    def reads_from(self, incoming: Incoming) -> None:
        self._incoming = incoming

    def open(self, protocol: AcceptorProtocol, reactor: Reactor) -> None:
        self.protocol = protocol
        self._reactor = reactor
        reactor.life.connected(self)
        protocol.makeConnection(self)

    def data_arrived(self, data: bytes) -> None:
        if self.protocol is not None and not self._is_aborting:
            self.protocol.dataReceived(data)
            self._reactor.life.was_given(self, len(data))

    def end_arrived(self, how: str) -> None:
        if not self._is_aborting:
            self._lose(ConnectionDone() if how == "FIN" else ConnectionLost())

    def vanish(self, how: str | None) -> None:
        """The process is dead: the system ends the connection, or with its machine nobody does."""
        self.protocol = None
        self._incoming.close()
        if how is None:
            self._outgoing.cut()
        else:
            self._outgoing.end(how)

    # --- the protocol ---

    def write(self, data: bytes) -> None:
        if self.protocol is None:
            return
        self.buffer += data
        if self._producer is not None and len(self.buffer) > self._send_buffer:
            self._is_producer_paused = True
            self._producer.pauseProducing()
        self._plan_flush()

    def loseConnection(self) -> None:
        if self.protocol is not None and not self._is_closing:
            self._is_closing = True
            self._incoming.stop_reading()
            self._plan_flush()

    def abortConnection(self) -> None:
        if self.protocol is None:
            self._outgoing.end("RST")
        elif not self._is_aborting:
            self._is_aborting = True
            self._incoming.stop_reading()
            self._reactor.later(0, self._lose, ConnectionAborted())

    def pauseProducing(self) -> None:
        self._incoming.stop_reading()

    def resumeProducing(self) -> None:
        if self.protocol is not None and not self._is_closing and not self._is_aborting:
            self._incoming.read_on()

    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None:
        assert streaming
        self._producer = producer

    def unregisterProducer(self) -> None:
        self._producer = None
        self._is_producer_paused = False

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass

    def setTcpKeepAlive(self, enabled: bool) -> None:
        pass

    def getPeer(self) -> IPv4Address:
        return self._peer

    # --- writing ---

    def _plan_flush(self) -> None:
        if not self._is_flush_planned:
            self._is_flush_planned = True
            self._reactor.later(0, self._flush_planned)

    def _flush_planned(self) -> None:
        self._is_flush_planned = False
        self.flush()

    def flush(self) -> None:
        """Give the stream what it has room for."""
        if self.protocol is None or self._is_aborting:
            return
        if self._incoming.is_broken:
            self._lose(ConnectionLost())
            return
        if self.buffer:
            size = max(0, self._room - self._outgoing.in_flight)
            data = bytes(self.buffer[:size])
            del self.buffer[: len(data)]
            self._outgoing.send(data)
        if self.buffer:
            return
        if self._is_producer_paused:
            self._is_producer_paused = False
            assert self._producer is not None
            self._producer.resumeProducing()
        elif self._is_closing:
            self._lose(ConnectionDone())

    def _lose(self, reason: Exception) -> None:
        protocol, self.protocol = self.protocol, None
        if protocol is None:
            return
        self._incoming.close()
        self._outgoing.end("FIN" if isinstance(reason, ConnectionDone) else "RST")
        self._reactor.life.disconnected(self)
        protocol.connectionLost(Failure(reason))
