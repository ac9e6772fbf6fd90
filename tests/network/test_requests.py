"""Requests of this side, and the responses to them."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from sdcc import conformance
from sdcc.dimse.fragments import CommandReceived, DataSetPiece, MessageAssembler
from sdcc.dimse.messages import EchoRequest, FindRequest, Response, StoreRequest
from sdcc.interfaces import AssociationLost, IConversation, IRequests, OperationFacts
from sdcc.network.conversation import Conversation, Silence
from sdcc.network.requests import Requests, own_contexts
from sdcc.network.sending import Sender
from sdcc.upper_layer.framing import Framer
from sdcc.upper_layer.negotiation import PresentationContext
from sdcc.upper_layer.pdu import Pieces

CT = "1.2.840.10008.5.1.4.1.1.2"
STORE = StoreRequest(message_id=9, affected_sop_class_uid=CT, affected_sop_instance_uid="1.2.3")
FIND = FindRequest(message_id=9, affected_sop_class_uid=conformance.STUDY_ROOT_FIND)
ECHO = EchoRequest(message_id=9, affected_sop_class_uid=conformance.VERIFICATION.uid)


class Bench:
    def __init__(self) -> None:
        self.aborts: list[str] = []
        self.framer = Framer(0)
        self.assembler = MessageAssembler(range(256))
        self.sent: list[Any] = []
        self.data = b""
        self.clock = Clock()
        self.sender = Sender(
            send=self._sent, abort=self.aborts.append, maximum_length=16384, clock=self.clock
        )
        self.invoked: list[OperationFacts] = []
        self.requests = Requests(self.sender, {}, clock=self.clock, invoked=self.invoked.append)

    def _sent(self, pdus: Pieces) -> None:
        for item in self.framer.feed(b"".join(pdus)):
            assert isinstance(item, list)
            received = [self.assembler.add(*fragment) for fragment in item]
            self.sent += [one.message for one in received if isinstance(one, CommandReceived)]
            self.data += b"".join(one.data for one in received if isinstance(one, DataSetPiece))

    def request(self, message: Any, data_set: Any = None) -> Deferred[Response]:
        return ensureDeferred(self.requests.request(1, message, data_set))

    def answer(self, status: int = 0, **fields: Any) -> bool:
        """Answer what was sent last."""
        asked = self.sent[-1]
        response = {
            "command_field": asked.command_field | 0x8000,
            "message_id_being_responded_to": asked.message_id,
        }
        return self.requests.take(Response(status=status, **(response | fields)))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def failure(deferred: Deferred[Any], *kinds: type[Exception]) -> str:
    found: Any = deferred.result
    deferred.addErrback(lambda _: None)
    assert found.check(*kinds), found
    return str(found.value)


def test_the_contracts_are_kept(bench: Bench) -> None:
    context = PresentationContext(id=1, abstract_syntax=CT, transfer_syntax="1.2")

    async def respond(outcome: object) -> None: ...

    assert verifyObject(IRequests, bench.requests)
    assert verifyObject(IConversation, Conversation(context, bench.requests, respond))
    assert verifyObject(IConversation, Silence(bench.requests))


def test_a_request_has_an_id_of_its_own_and_says_whether_it_has_a_data_set(bench: Bench, build: Any) -> None:
    for number, (message, data_set) in enumerate(
        [(STORE, build.chunks(b"data")), (ECHO, None), (STORE, None)]
    ):
        answered = bench.request(message, data_set)
        assert bench.sent[-1].message_id == number + 1
        assert bench.sent[-1].has_data_set is (data_set is not None)
        assert bench.answer(status=number)
        assert answered.result.status == number


def test_ids_begin_again_after_the_last(bench: Bench) -> None:
    for _ in range(0xFFFF):
        bench.requests._next_id()
    bench.request(ECHO)
    assert bench.sent[-1].message_id == 1
    bench.answer()


@pytest.mark.parametrize(
    "fields", [{"message_id_being_responded_to": 2}, {"command_field": 0x8001}, {"command_field": 0x8020}]
)
def test_what_is_no_answer_is_not_taken(bench: Bench, fields: dict[str, int]) -> None:
    answered = bench.request(ECHO)
    assert not bench.answer(**fields)
    assert not answered.called
    assert bench.answer()
    assert not bench.answer(), "nor is a second one"
    assert answered.called


def test_responses_before_the_last_are_passed_over(bench: Bench, build: Any) -> None:
    answered = bench.request(FIND, build.chunks(b"who"))
    assert bench.answer(0xFF00)
    assert bench.answer(0xFF01)
    assert not answered.called
    assert bench.answer(0xFE00)
    assert answered.result.status == 0xFE00


def test_a_response_may_come_before_the_request_is_whole(bench: Bench, build: Any) -> None:
    """A peer that knows already that it cannot take the object; the object goes out all the same."""

    async def paused_within() -> Any:
        yield b"beginning"
        bench.sender.pause()
        yield b"end"

    answered = bench.request(STORE, paused_within())
    assert bench.answer(0xA700)
    assert not bench.answer(0x0000), "nor is a second one taken"
    assert not answered.called
    bench.sender.resume()
    assert answered.result.status == 0xA700
    assert bench.data == b"beginningend"


def test_it_awaits_the_peer_from_the_end_of_the_request_to_its_response(bench: Bench, build: Any) -> None:
    assert (bench.requests.is_under_way, bench.requests.is_awaiting) == (False, False)
    bench.sender.pause()
    bench.request(STORE, build.chunks(b"data"))
    assert (bench.requests.is_under_way, bench.requests.is_awaiting) == (True, False)
    bench.sender.resume()
    assert (bench.requests.is_under_way, bench.requests.is_awaiting) == (True, True)
    bench.answer()
    assert (bench.requests.is_under_way, bench.requests.is_awaiting) == (False, False)


def test_one_request_at_a_time(bench: Bench) -> None:
    first, second = bench.request(ECHO), bench.request(ECHO)
    assert len(bench.sent) == 1
    bench.answer()
    assert first.called
    assert len(bench.sent) == 2
    bench.answer()
    assert second.called


def test_whoever_waits_or_comes_later_is_told_that_the_association_is_lost(bench: Bench) -> None:
    asked, waiting = bench.request(ECHO), bench.request(ECHO)
    bench.sender.end("the peer has left")
    bench.requests.end("the peer has left")
    late = bench.request(ECHO)
    for one in (asked, waiting, late):
        assert failure(one, AssociationLost) == "the peer has left"
    assert len(bench.sent) == 1
    assert bench.aborts == []


def test_who_gives_up_ends_the_association(bench: Bench) -> None:
    """Its answer, which may come, would be one to nothing."""
    asked = bench.request(ECHO)
    asked.cancel()
    failure(asked, CancelledError)
    assert len(bench.aborts) == 1


def test_a_data_set_that_cannot_be_read_leaves_the_association_as_it_was(bench: Bench) -> None:
    async def unreadable() -> Any:
        raise OSError("gone")
        yield b""

    failure(bench.request(STORE, unreadable()), OSError)
    assert (bench.sent, bench.aborts) == ([], [])
    answered = bench.request(ECHO)
    bench.answer()
    assert answered.called


def test_a_fault_of_what_gives_the_data_set_is_not_taken_for_the_peers(bench: Bench) -> None:
    async def faulty() -> Any:
        raise ValueError("planted")
        yield b""

    assert failure(bench.request(STORE, faulty()), ValueError) == "planted"


@pytest.mark.parametrize(
    ("uid", "scu", "scp", "as_requestor", "as_acceptor"),
    [
        (CT, True, False, True, False),
        (CT, False, True, False, True),
        (CT, True, True, True, True),
        (CT, False, False, False, False),
        (conformance.STORAGE_COMMITMENT, True, False, True, True),
        (conformance.STORAGE_COMMITMENT, False, True, True, True),
        (conformance.STORAGE_COMMITMENT, False, False, False, False),
    ],
)
def test_on_which_contexts_a_side_makes_requests(
    uid: str, scu: bool, scp: bool, as_requestor: bool, as_acceptor: bool
) -> None:
    """As SCU; and an SCP of Storage Commitment reports its events, whichever side it is."""
    context = PresentationContext(
        id=1, abstract_syntax=uid, transfer_syntax="1.2", requestor_is_scu=scu, requestor_is_scp=scp
    )
    assert (1 in own_contexts({1: context}, is_requestor=True)) is as_requestor
    assert (1 in own_contexts({1: context}, is_requestor=False)) is as_acceptor
