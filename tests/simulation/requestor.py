"""A peer's end of one connection: PDUs sent and awaited. What is in them is made in `interop.wire`."""

from __future__ import annotations

import struct

from twisted.internet.defer import Deferred

from ..interop import wire
from .network import Connection, Network
from .schedule import Schedule

#: How long a peer waits for an answer, or for the end of its connection, in seconds: longer than any server
#: that works takes. What a network that is cut keeps from it is another matter.
PATIENCE = 300.0
#: The contexts that are proposed: Presentation-context-ID, Abstract Syntax, Transfer Syntax.
ECHO = (1, wire.VERIFICATION, wire.IMPLICIT)
CT = "1.2.840.10008.5.1.4.1.1.2"
STORE = (3, CT, wire.EXPLICIT)


class Gone(Exception):
    """The connection, or the association, is no more; or the peer has lost its patience."""


class Requestor:
    """One connection, seen from the peer."""

    def __init__(self, network: Network, schedule: Schedule, port: int, *, is_healthy: bool = False) -> None:
        self._network = network
        self._schedule = schedule
        self.port = port
        self.is_healthy = is_healthy
        self._connection: Connection | None = None
        self._received = bytearray()
        self._is_ended = False
        self._waiting: Deferred[None] | None = None

    # --- from the network ---

    def data_arrived(self, data: bytes) -> None:
        self._received += data
        self._wake()

    def end_arrived(self, how: str) -> None:
        self._is_ended = True
        self._wake()

    # --- for the peer ---

    @property
    def connection(self) -> Connection:
        assert self._connection is not None
        return self._connection

    def connect(self) -> None:
        """:raises Gone: nobody listens."""
        self._connection = self._network.connect(self.port, self, is_healthy=self.is_healthy)
        if self._connection is None:
            raise Gone

    async def associate(self, *contexts: tuple[int, str, str]) -> None:
        """:raises Gone: it was refused, or worse."""
        self.connect()
        self.connection.send(wire.associate_rq(*contexts))
        answer = await self.receive()
        if answer.type != wire.ASSOCIATE_AC:
            assert answer.type in (wire.ASSOCIATE_RJ, wire.ABORT), answer
            self.close()
            raise Gone

    async def response(self) -> dict[int, int | str]:
        """The next response's Command Set."""
        answer = await self.receive()
        if answer.type == wire.ABORT:
            raise Gone
        assert answer.type == wire.P_DATA, answer
        elements: dict[int, int | str] = wire.elements(answer.body[6:])
        return elements

    async def release(self) -> None:
        self.connection.send(wire.pdu(wire.RELEASE_RQ, bytes(4)))
        answer = await self.receive()
        assert answer.type in (wire.RELEASE_RP, wire.ABORT), answer
        self.close()

    def abort(self) -> None:
        self.connection.send(wire.pdu(wire.ABORT, bytes(4)))
        self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    async def receive(self) -> wire.PDU:
        """The next PDU.

        :raises Gone: none comes.
        """
        end = self._schedule.now + PATIENCE
        while True:
            if len(self._received) >= 6:
                pdu_type, length = struct.unpack_from(">BxL", self._received)
                if len(self._received) >= 6 + length:
                    body = bytes(self._received[6 : 6 + length])
                    del self._received[: 6 + length]
                    return wire.PDU(pdu_type, body)
            if self._is_ended or self._schedule.now >= end:
                assert self._is_ended or self.connection.route.is_cut, "an answer has not come, nor the end"
                self.close()
                raise Gone
            await self._something(end - self._schedule.now)

    async def _something(self, patience: float) -> None:
        self._waiting = Deferred()
        timer = self._schedule.later(patience, self._wake)
        await self._waiting
        timer.cancel()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)
