"""A server on memory transports and a clock that stands still, with operations a test decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer

from sdcc import conformance
from sdcc.config import AssociationSettings, Configuration, Local
from sdcc.dimse.command import CommandField
from sdcc.dimse.fragments import CommandReceived, MessageAssembler, fragments
from sdcc.dimse.messages import EchoRequest, Response, StoreRequest
from sdcc.interfaces import IOperation, IServiceProvider, Outcome, Session
from sdcc.network.acceptor import Acceptor, Circumstances
from sdcc.network.addresses import literal
from sdcc.network.gathering import Gathering
from sdcc.network.limits import AssociationLimits, WaitingBytes
from sdcc.network.server import AssociationServer
from sdcc.services.registry import Registry
from sdcc.services.verification import VerificationProvider
from sdcc.upper_layer.framing import Framer
from sdcc.upper_layer.items import MaximumLength, ProposedContext
from sdcc.upper_layer.pdu import PDU, AssociateRQ

from .calls import Awaited, Line, established

CT = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT = conformance.IMPLICIT_VR_LITTLE_ENDIAN


def request(
    *contexts: ProposedContext,
    called: str = "SDCC",
    calling: str = "CT01",
    maximum_length: int = 16384,
    **fields: Any,
) -> AssociateRQ:
    """A-ASSOCIATE-RQ, for Verification (context 1) and CT (context 3) unless others are given."""
    return AssociateRQ(
        called_ae_title=called,
        calling_ae_title=calling,
        presentation_contexts=contexts
        or (
            ProposedContext(
                id=1, abstract_syntax=conformance.VERIFICATION.uid, transfer_syntaxes=(IMPLICIT,)
            ),
            ProposedContext(id=3, abstract_syntax=CT, transfer_syntaxes=(IMPLICIT,)),
        ),
        user_information=(MaximumLength(maximum_length),),
        **{"application_context_name": conformance.DICOM_APPLICATION_CONTEXT, **fields},
    )


def echo(message_id: int = 1) -> bytes:
    message = EchoRequest(message_id=message_id, affected_sop_class_uid=conformance.VERIFICATION.uid)
    return b"".join(fragments(1, message.encode(), maximum_length=16384))


def store(data_set: bytes | None = b"data set", message_id: int = 1, *, maximum_length: int = 16384) -> bytes:
    message = StoreRequest(
        message_id=message_id,
        affected_sop_class_uid=CT,
        affected_sop_instance_uid="1.2.3",
        has_data_set=data_set is not None,
    )
    chunks = None if data_set is None else (data_set,)
    return b"".join(fragments(3, message.encode(), chunks, maximum_length=maximum_length))


class Transport(StringTransport):
    """TCP, as far as the protocols use it."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass

    def setTcpKeepAlive(self, enabled: bool) -> None:
        pass


@implementer(IOperation)
@dataclass
class Operation:
    """A C-STORE that ends when the test says so."""

    session: Session
    data: bytearray = field(default_factory=bytearray)
    pieces: list[int] = field(default_factory=list)
    waiting: int = 0
    done: Deferred[Outcome] = field(default_factory=Deferred)
    state: str = "open"
    #: Whether bytes count as written at once.
    is_fast: bool = True

    def write(self, data: memoryview) -> None:
        self.data += data
        self.pieces.append(len(data))
        self.waiting += len(data)
        if self.is_fast:
            self.written()

    def written(self) -> None:
        count, self.waiting = self.waiting, 0
        self.session.on_written(count)

    async def complete(self) -> Outcome:
        self.state = "completing"
        return await self.done

    async def abandon(self) -> None:
        self.state = "abandoned"
        self.written()


@implementer(IServiceProvider)
class Storage:
    service = conformance.STORAGE_SERVICE
    command_fields = frozenset({CommandField.C_STORE_RQ})

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.are_fast = True

    def begin(self, request: StoreRequest, transfer_syntax_uid: str, session: Session) -> Operation:
        operation = Operation(session, is_fast=self.are_fast)
        self.operations.append(operation)
        return operation


class Peer:
    """The other end of one connection."""

    def __init__(self, world: World, address: str) -> None:
        self.protocol = world.server.open(world.locals)
        self.transport = Transport(peerAddress=IPv4Address("TCP", address, 40000))
        self.protocol.makeConnection(self.transport)
        self._framer = Framer(0)
        self._assembler = MessageAssembler(range(256))

    def send(self, *data: bytes | PDU) -> None:
        for part in data:
            self.protocol.dataReceived(part.encode() if isinstance(part, PDU) else part)

    def received(self) -> list[Any]:
        """PDUs and DIMSE responses since the last call."""
        found: list[Any] = []
        for item in self._framer.feed(self.transport.value()):
            if isinstance(item, list):
                messages = (self._assembler.add(*fragment) for fragment in item)
                found += [m.message for m in messages if isinstance(m, CommandReceived)]
            else:
                found.append(item)
        self.transport.clear()
        return found

    def statuses(self) -> list[int]:
        return [message.status for message in self.received() if isinstance(message, Response)]

    def associate(self, *arguments: Any, **keywords: Any) -> Peer:
        self.send(request(*arguments, **keywords))
        self.received()
        return self

    def lose(self) -> None:
        self.protocol.connectionLost(Failure(ConnectionDone()))

    @property
    def is_paused(self) -> bool:
        return self.transport.producerState == "paused"

    @property
    def is_gone(self) -> bool:
        return self.transport.disconnecting or self.transport.disconnected


class World:
    """One process's server."""

    def __init__(
        self,
        *,
        waiting: WaitingBytes | None = None,
        maximum_waiting: int = 100,
        gathering: Gathering | None = None,
        at_cut: Callable[[], None] = lambda: None,
        **configured: Any,
    ) -> None:
        settings = AssociationSettings(artim_timeout=30, idle_timeout=300, drain_timeout=20)
        self.configuration = replace(
            Configuration(locals=(Local(max_associations=4),), association=settings), **configured
        )
        self.clock = Clock()
        self.storage = Storage()
        self.locals = {local.ae_title: local for local in self.configuration.locals}
        self.limits = AssociationLimits(self.configuration.association.maximum_open)
        self.is_stopping = False
        self.storage_refusal: str | None = None
        sop_classes = self.configuration.sop_classes
        self.acceptor = Acceptor(
            self.configuration,
            self.limits,
            Circumstances(is_stopping=lambda: self.is_stopping, storage_refusal=lambda: self.storage_refusal),
            self.resolve,
        )
        self.names: dict[str, Deferred[Any]] = {}
        self.waiting = waiting or WaitingBytes()
        self.server = AssociationServer(
            acceptor=self.acceptor,
            registry=Registry(sop_classes, (VerificationProvider(), self.storage)),
            sop_classes=sop_classes,
            limits=self.limits,
            waiting=self.waiting,
            settings=self.configuration.association,
            clock=self.clock,
            maximum_waiting=maximum_waiting,
            gathering=gathering,
            at_cut=at_cut,
        )

    async def resolve(self, host: str) -> Any:
        known = literal(host)
        return await self.names[host] if known is None else known

    def peer(self, address: str = "127.0.0.1") -> Peer:
        return Peer(self, address)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """The lines of the log, info and above."""
    found: list[str] = []

    def observe(event: LogEvent) -> None:
        if event["log_level"].name != "debug":
            found.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield found
    globalLogPublisher.removeObserver(observe)


@pytest.fixture
def new_world() -> type[World]:
    return World


@pytest.fixture
def build() -> SimpleNamespace:
    """The builders of what a peer sends."""
    return SimpleNamespace(
        request=request, echo=echo, store=store, CT=CT, IMPLICIT=IMPLICIT, Transport=Transport
    )


@pytest.fixture
def new_line(build: SimpleNamespace) -> Iterator[Callable[[], Line]]:
    yield lambda: Line(build.Transport)
    Awaited.give_all_up()


@pytest.fixture
def line(new_line: Callable[[], Line]) -> Line:
    return established(new_line())
