"""A server on memory transports and a clock that stands still, with operations a test decides."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from sdcc import conformance
from sdcc.config import AssociationSettings, Configuration, Local
from sdcc.dimse.command import CommandField
from sdcc.dimse.fragments import CommandReceived, DataSetPiece, MessageAssembler, fragments
from sdcc.dimse.messages import (
    ActionRequest,
    CancelRequest,
    EchoRequest,
    FindRequest,
    GetRequest,
    Response,
    StoreRequest,
)
from sdcc.interfaces import IOperation, IServiceProvider, Outcome, Session
from sdcc.network.acceptor import Acceptor, Circumstances
from sdcc.network.addresses import literal
from sdcc.network.gathering import Gathering
from sdcc.network.limits import AssociationLimits, WaitingBytes
from sdcc.network.observers import NOBODY, Observers
from sdcc.network.server import AssociationServer
from sdcc.services.registry import Registry
from sdcc.services.verification import VerificationProvider
from sdcc.upper_layer.framing import Framer
from sdcc.upper_layer.items import MaximumLength, ProposedContext, RoleSelection
from sdcc.upper_layer.pdu import PDU, AssociateRQ

from .calls import Awaited, Line, established

CT = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT = conformance.IMPLICIT_VR_LITTLE_ENDIAN


def request(
    *contexts: ProposedContext,
    called: str = "SDCC",
    calling: str = "CT01",
    maximum_length: int = 16384,
    negotiated: tuple[Any, ...] = (),
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
        user_information=(MaximumLength(maximum_length), *negotiated),
        **{"application_context_name": conformance.DICOM_APPLICATION_CONTEXT, **fields},
    )


#: By ID, of :func:`asking`.
CONTEXTS = {
    1: conformance.VERIFICATION.uid,
    3: CT,
    5: conformance.STUDY_ROOT_FIND,
    7: conformance.STUDY_ROOT_GET,
    9: conformance.STORAGE_COMMITMENT,
}


def asking(**fields: Any) -> AssociateRQ:
    """A-ASSOCIATE-RQ of who queries, retrieves over the same association, and asks for commitment."""
    contexts = (
        ProposedContext(id=number, abstract_syntax=uid, transfer_syntaxes=(IMPLICIT,))
        for number, uid in CONTEXTS.items()
    )
    return request(*contexts, negotiated=(RoleSelection(sop_class_uid=CT, scu=True, scp=True),), **fields)


def message(context_id: int, command: Any, data_set: bytes | None = None) -> bytes:
    """P-DATA-TF PDUs; of a Data Set, the command says whether there is one."""
    chunks = None if data_set is None else (data_set,)
    return b"".join(fragments(context_id, command.encode(), chunks, maximum_length=16384))


def echo(message_id: int = 1) -> bytes:
    return message(1, EchoRequest(message_id=message_id, affected_sop_class_uid=conformance.VERIFICATION.uid))


def find(message_id: int = 1, identifier: bytes = b"who") -> bytes:
    return message(5, FindRequest(message_id=message_id, affected_sop_class_uid=CONTEXTS[5]), identifier)


def get(message_id: int = 1) -> bytes:
    return message(7, GetRequest(message_id=message_id, affected_sop_class_uid=CONTEXTS[7]), b"which")


def action(message_id: int = 1) -> bytes:
    command = ActionRequest(
        message_id=message_id,
        affected_sop_class_uid=CONTEXTS[9],
        affected_sop_instance_uid=conformance.STORAGE_COMMITMENT_INSTANCE,
        action_type_id=1,
    )
    return message(9, command, b"these")


def cancel(message_id: int, context_id: int = 5) -> bytes:
    return message(context_id, CancelRequest(message_id_being_responded_to=message_id))


def answer(
    asked: Any, context_id: int = 3, *, status: int = 0, data_set: bytes | None = None, **fields: Any
) -> bytes:
    """The response to a request that SDCC made."""
    response = Response(
        **{
            "command_field": asked.command_field | 0x8000,
            "message_id_being_responded_to": asked.message_id,
            "status": status,
            "has_data_set": data_set is not None,
            **fields,
        }
    )
    return message(context_id, response, data_set)


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
    """TCP, as far as the protocols use it.

    :ivar unread_limit: bytes that the peer may leave unread before the producer is paused; None: any number.
    """

    unread_limit: int | None = None

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.unread_limit is not None and self.io.tell() > self.unread_limit and self.producer:
            self.producer.pauseProducing()

    def clear(self) -> None:
        was_full = self.unread_limit is not None and self.io.tell() > self.unread_limit
        super().clear()
        if was_full and self.producer:
            self.producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Whether there is one or not."""
        self.producer = None

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


@implementer(IOperation)
class Talk:
    """An operation that says what the test has it say."""

    def __init__(self, request: Any, session: Session, script: Callable[[Talk], Awaitable[Outcome]]) -> None:
        self.request = request
        self.session = session
        self.conversation = session.conversation
        self.requests = session.conversation.requests
        self.data = bytearray()
        self.state = "open"
        self._script = script

    def write(self, data: memoryview) -> None:
        self.data += data
        self.session.on_written(len(data))

    async def complete(self) -> Outcome:
        self.state = "completing"
        try:
            return await self._script(self)
        finally:
            self.state = "ended"

    async def abandon(self) -> None:
        self.state = "abandoned"


async def succeed(talk: Talk) -> Outcome:
    return Outcome(status=0x0000)


@implementer(IServiceProvider)
class Talks:
    """A service whose operations follow :attr:`script`."""

    def __init__(self, service: str, *command_fields: int) -> None:
        self.service = service
        self.command_fields = frozenset(command_fields)
        self.script: Callable[[Talk], Awaitable[Outcome]] = succeed
        self.operations: list[Talk] = []

    def begin(self, request: Any, transfer_syntax_uid: str, session: Session) -> Talk:
        self.operations.append(Talk(request, session, self.script))
        return self.operations[-1]


async def chunks(*data: bytes) -> AsyncIterator[bytes]:
    for chunk in data:
        yield chunk


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
        """PDUs and DIMSE messages since the last call; :attr:`data_sets` has what came with them."""
        found: list[Any] = []
        sent = self.transport.value()
        self.data_sets: list[bytearray] = []
        for item in self._framer.feed(sent):
            if isinstance(item, list):
                for fragment in item:
                    received = self._assembler.add(*fragment)
                    if isinstance(received, CommandReceived):
                        found.append(received.message)
                        self.data_sets.append(bytearray())
                    elif isinstance(received, DataSetPiece):
                        if not self.data_sets:  # its command came before the last call
                            self.data_sets.append(bytearray())
                        self.data_sets[-1] += received.data
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

    def ask(self, **keywords: Any) -> Peer:
        """Have the association of :func:`asking`."""
        self.send(asking(**keywords))
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
        observers: Observers = NOBODY,
        at_cut: Callable[[], None] = lambda: None,
        **configured: Any,
    ) -> None:
        settings = AssociationSettings(artim_timeout=30, idle_timeout=300, drain_timeout=20)
        self.configuration = replace(
            Configuration(locals=(Local(max_associations=4),), association=settings), **configured
        )
        self.clock = Clock()
        self.storage = Storage()
        self.query = Talks("query", CommandField.C_FIND_RQ)
        self.retrieve = Talks("retrieve", CommandField.C_GET_RQ, CommandField.C_MOVE_RQ)
        self.commitment = Talks("commitment", CommandField.N_ACTION_RQ)
        self.locals = {local.ae_title: local for local in self.configuration.locals}
        self.limits = AssociationLimits(self.configuration.association.maximum_open)
        self.is_stopping = False
        self.storage_refusal: str | None = None
        sop_classes = self.configuration.sop_classes
        self.acceptor = Acceptor(
            self.configuration,
            sop_classes,
            self.limits,
            Circumstances(
                is_stopping=lambda: self.is_stopping,
                is_draining=lambda: self.server.is_draining,
                storage_refusal=lambda: self.storage_refusal,
            ),
            self.resolve,
        )
        self.names: dict[str, Deferred[Any]] = {}
        self.waiting = waiting or WaitingBytes()
        self.registry = Registry(
            sop_classes,
            (VerificationProvider(), self.storage, self.query, self.retrieve, self.commitment),
        )
        self.server = AssociationServer(
            acceptor=self.acceptor,
            registry=self.registry,
            sop_classes=self.registry.sop_classes,
            limits=self.limits,
            waiting=self.waiting,
            settings=self.configuration.association,
            clock=self.clock,
            maximum_waiting=maximum_waiting,
            gathering=gathering,
            observers=observers,
            at_cut=at_cut,
        )

    def reconfigure(self, **configured: Any) -> None:
        """What a reload does here; the port's own local AEs stay as they were when it was opened."""
        self.configuration = replace(self.configuration, **configured)
        self.registry.extend(self.configuration.sop_classes)
        self.acceptor.reconfigure(self.configuration, self.configuration.sop_classes)
        self.server.reconfigure(self.configuration.association)

    async def resolve(self, host: str) -> Any:
        known = literal(host)
        return await self.names[host] if known is None else known

    def peer(self, address: str = "127.0.0.1") -> Peer:
        return Peer(self, address)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def new_world() -> type[World]:
    return World


@pytest.fixture
def build() -> SimpleNamespace:
    """The builders of what a peer sends."""
    return SimpleNamespace(
        **{builder.__name__: builder for builder in (request, asking, echo, store, find, get, action)},
        **{builder.__name__: builder for builder in (cancel, answer, message, chunks)},
        CT=CT,
        IMPLICIT=IMPLICIT,
        Transport=Transport,
    )


@pytest.fixture
def new_line(build: SimpleNamespace) -> Iterator[Callable[[], Line]]:
    yield lambda: Line(build.Transport)
    Awaited.give_all_up()


@pytest.fixture
def line(new_line: Callable[[], Line]) -> Line:
    return established(new_line())
