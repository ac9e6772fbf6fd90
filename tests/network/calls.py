"""Associations that SDCC opens, on memory transports and a clock that stands still; what a peer answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, ClassVar

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from sdcc import conformance
from sdcc.config import Remote
from sdcc.dimse.command import CommandField
from sdcc.dimse.fragments import CommandReceived, MessageAssembler, fragments
from sdcc.dimse.messages import EchoRequest, Response, StoreRequest
from sdcc.network.addresses import literal
from sdcc.network.caller import Caller
from sdcc.network.observers import NOBODY, Observers
from sdcc.network.timeouts import Timeouts
from sdcc.upper_layer.framing import Framer
from sdcc.upper_layer.items import AnsweredContext, MaximumLength, ProposedContext
from sdcc.upper_layer.pdu import AssociateAC

PEER = Remote(ae_title="PEER", address="127.0.0.1", port=104)
#: All different, so that a test sees which of them it was.
TIMEOUTS = Timeouts(connection=8, acse=10, dimse=12, artim=5)


def accept(
    maximum_length: int = 16384,
    *,
    context_id: int = 1,
    result: int = 0,
    transfer_syntax: str = conformance.IMPLICIT_VR_LITTLE_ENDIAN,
) -> bytes:
    return AssociateAC(
        called_ae_title="PEER",
        calling_ae_title="SDCC",
        application_context_name=conformance.DICOM_APPLICATION_CONTEXT,
        presentation_contexts=(
            AnsweredContext(id=context_id, result=result, transfer_syntax=transfer_syntax),
        ),
        user_information=(MaximumLength(maximum_length),),
    ).encode()


def answer(status: int = 0, command_field: int = 0x8030, message_id: int = 1, **fields: Any) -> bytes:
    response = Response(
        command_field=command_field, message_id_being_responded_to=message_id, status=status, **fields
    )
    return b"".join(fragments(1, response.encode(), maximum_length=16384))


class Line:
    """A caller, and the peer's end of the connection that it opens."""

    def __init__(
        self,
        transport: type[Any],
        *remotes: Remote,
        resolve: Any = None,
        observers: Observers = NOBODY,
    ) -> None:
        self.reactor = MemoryReactorClock()
        self._transport = transport
        self.caller = Caller(
            remotes or (PEER,),
            self.reactor,
            resolve=resolve or self._literal,
            maximum_pdu_length=16384,
            timeouts=TIMEOUTS,
            observers=observers,
        )
        self.is_closed = False
        self._framer = Framer(0)
        self._assembler = MessageAssembler(range(256))

    @staticmethod
    async def _literal(host: str) -> Any:
        return literal(host) or frozenset()

    def connect(self) -> None:
        """The peer takes the connection."""
        *_, (_, _, factory, _, _) = self.reactor.tcpClients
        self.protocol = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 104))
        self.transport = self._transport()
        self.protocol.makeConnection(self.transport)

    def send(self, *data: bytes) -> None:
        for part in data:
            self.protocol.dataReceived(part)
            self.reactor.advance(0)

    def close(self) -> None:
        """The connection is lost."""
        self.is_closed = True
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self.reactor.advance(0)

    @property
    def producer(self) -> Any:
        """What the transport tells whether it takes more."""
        return self.transport.producer

    def received(self) -> list[Any]:
        """PDUs, messages and Data Set pieces since the last call."""
        found: list[Any] = []
        for item in self._framer.feed(self.transport.value()):
            if isinstance(item, list):
                parts = [self._assembler.add(*fragment) for fragment in item]
                found += [
                    part.message if isinstance(part, CommandReceived) else part for part in parts if part
                ]
            else:
                found.append(item)
        self.transport.clear()
        return found

    def is_left_clean(self) -> bool:
        """Whether the connection is closed or about to be, and nothing is left when it is."""
        if not self.is_closed:
            if not (self.transport.disconnecting or self.transport.disconnected):
                return False
            self.close()
        return self.reactor.getDelayedCalls() == []


class Awaited:
    """What a coroutine comes to, once it has."""

    _all: ClassVar[list[Awaited]] = []

    def __init__(self, coroutine: Any) -> None:
        self._all.append(self)
        self.deferred = Deferred.fromCoroutine(coroutine)
        self.results: list[Any] = []
        self.deferred.addBoth(self.results.append)

    @classmethod
    def give_all_up(cls) -> None:
        """No coroutine is left waiting when a test is over."""
        while cls._all:
            cls._all.pop().deferred.cancel()

    @property
    def is_there(self) -> bool:
        return bool(self.results)

    @property
    def value(self) -> Any:
        [value] = self.results
        assert not isinstance(value, Failure), value
        return value

    def error(self, kind: type[BaseException]) -> str:
        [failure] = self.results
        failure.trap(kind)
        return str(failure.value)


# --- requests over one ---

CT = "1.2.840.10008.5.1.4.1.1.2"
CONTEXT = ProposedContext(id=1, abstract_syntax=CT, transfer_syntaxes=("1.2.840.10008.1.2",))
STORE = StoreRequest(message_id=1, affected_sop_class_uid=CT, affected_sop_instance_uid="1.2.3")
STORED = CommandField.C_STORE_RQ | 0x8000
RUBBISH = b"\x99\0\0\0\0\x02??"
MESSAGE_OF_PEER = b"".join(
    fragments(1, EchoRequest(message_id=7, affected_sop_class_uid="1.2").encode(), maximum_length=16384)
)


class Blocks:
    """A Data Set in blocks that a test gives when it likes; whether it was closed."""

    def __init__(self) -> None:
        self.asked = 0
        self.next: Deferred[bytes | None] = Deferred()
        self.is_closed = False

    async def iterate(self) -> AsyncIterator[bytes]:
        try:
            while True:
                self.asked += 1
                block = await self.next
                self.next = Deferred()
                if block is None:
                    return
                yield block
        finally:
            self.is_closed = True

    def give(self, block: bytes | None) -> None:
        self.next.callback(block)


async def blocks(*given: bytes) -> AsyncIterator[bytes]:
    for block in given:
        yield block


async def mebibytes(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield bytes(1 << 20)
    await Deferred()


def established(line: Line, maximum_length: int = 16384) -> Line:
    opened = Awaited(line.caller.open("PEER", "SDCC", (CONTEXT,)))
    line.connect()
    line.send(accept(maximum_length))
    line.association = opened.value
    line.received()
    return line


def store(line: Line, data_set: AsyncIterator[bytes] | None = None) -> Awaited:
    return Awaited(line.association.request(1, STORE, blocks(b"data") if data_set is None else data_set))


def echo(line: Line) -> Awaited:
    return Awaited(line.association.request(1, EchoRequest(message_id=1, affected_sop_class_uid="1.2.3")))
