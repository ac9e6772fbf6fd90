"""Two associations, joined back to back, do what PS3.8 section 7 promises their users."""

from __future__ import annotations

from collections import deque

import pytest

from sdcc.upper_layer.association import Association
from sdcc.upper_layer.errors import LocalError
from sdcc.upper_layer.machine import (
    AbortIndication,
    AssociateConfirmation,
    AssociateIndication,
    AssociateRejected,
    DataIndication,
    Effect,
    Output,
    ProviderAbortIndication,
    ReleaseConfirmation,
    ReleaseIndication,
    Role,
    State,
)
from sdcc.upper_layer.pdu import AssociateAC, AssociateRJ, AssociateRQ, PDataTF, PresentationDataValue

REQUEST = AssociateRQ(
    called_ae_title="SDCC",
    calling_ae_title="CT01",
    application_context_name="1.2.840.10008.3.1.1.1",
    presentation_contexts=(),
)
ANSWER = AssociateAC(
    called_ae_title=REQUEST.called_ae_title,
    calling_ae_title=REQUEST.calling_ae_title,
    application_context_name=REQUEST.application_context_name,
    presentation_contexts=(),
)
REJECTION = AssociateRJ(1, 1, 7)


def data_pdu(data: bytes) -> bytes:
    return PDataTF((PresentationDataValue(context_id=1, is_command=True, is_last=True, data=data),)).encode()


class Pair:
    """A requestor and an acceptor; what one sends waits for `deliver`."""

    def __init__(self) -> None:
        self.requestor = Association(Role.REQUESTOR, maximum_length=4096)
        self.acceptor = Association(Role.ACCEPTOR, maximum_length=4096)
        self.indicated: dict[Association, list[object]] = {self.requestor: [], self.acceptor: []}
        self.wire: deque[tuple[Association, bytes]] = deque()

    def peer(self, side: Association) -> Association:
        return self.acceptor if side is self.requestor else self.requestor

    def perform(self, side: Association, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, bytes | list):
                self.wire.append((self.peer(side), output if isinstance(output, bytes) else b"".join(output)))
            else:
                self.indicated[side].append(output)

    def deliver(self) -> None:
        while self.wire:
            side, data = self.wire.popleft()
            self.perform(side, side.receive_data(data))

    def take(self, side: Association) -> list[object]:
        taken, self.indicated[side] = self.indicated[side], []
        return taken

    def connect(self) -> None:
        self.perform(self.requestor, self.requestor.associate(REQUEST))
        assert self.take(self.requestor) == [Effect.OPEN_TRANSPORT]
        self.perform(self.acceptor, self.acceptor.transport_opened())
        self.perform(self.requestor, self.requestor.transport_opened())
        self.deliver()

    def establish(self) -> None:
        self.connect()
        self.perform(self.acceptor, self.acceptor.accept(ANSWER))
        self.deliver()
        self.take(self.requestor)
        self.take(self.acceptor)


@pytest.fixture
def pair() -> Pair:
    return Pair()


def test_an_association_is_asked_for_and_accepted(pair: Pair) -> None:
    pair.connect()
    started, stopped, indication = pair.take(pair.acceptor)
    assert (started, stopped) == (Effect.START_ARTIM, Effect.STOP_ARTIM)
    assert isinstance(indication, AssociateIndication)
    assert indication.request.calling_ae == "CT01"
    assert pair.acceptor.may_answer
    pair.perform(pair.acceptor, pair.acceptor.accept(ANSWER))
    pair.deliver()
    [confirmation] = pair.take(pair.requestor)
    assert isinstance(confirmation, AssociateConfirmation)
    assert isinstance(confirmation.answer, AssociateAC)
    assert (pair.requestor.state, pair.acceptor.state) == (State.STA6, State.STA6)


def test_an_association_is_rejected(pair: Pair) -> None:
    pair.connect()
    pair.take(pair.acceptor)
    pair.perform(pair.acceptor, pair.acceptor.reject(REJECTION))
    pair.deliver()
    assert pair.take(pair.requestor) == [AssociateConfirmation(REJECTION), Effect.CLOSE_TRANSPORT]
    assert pair.take(pair.acceptor) == [Effect.START_ARTIM]
    assert pair.acceptor.state is State.STA13
    assert pair.acceptor.transport_closed() == [Effect.STOP_ARTIM]


def test_a_protocol_version_without_bit_0_is_rejected_before_anybody_is_asked(pair: Pair) -> None:
    pair.acceptor.transport_opened()
    wrong = AssociateRQ(
        protocol_version=2,
        called_ae_title="SDCC",
        calling_ae_title="CT01",
        application_context_name="1.2.840.10008.3.1.1.1",
        presentation_contexts=(),
    )
    stop, rejected, sent, start = pair.acceptor.receive_data(wrong.encode())
    assert (stop, start) == (Effect.STOP_ARTIM, Effect.START_ARTIM)
    assert isinstance(rejected, AssociateRejected)
    assert sent == AssociateRJ(1, 2, 2).encode()


def test_data_goes_both_ways(pair: Pair) -> None:
    pair.establish()
    for side in (pair.requestor, pair.acceptor):
        pdu = data_pdu(b"hello")
        pair.perform(side, side.send_data([pdu[:8], memoryview(pdu)[8:]]))
        pair.deliver()
        [indication] = pair.take(pair.peer(side))
        assert isinstance(indication, DataIndication)
        [fragment] = indication.fragments
        assert bytes(fragment.data) == b"hello"


def test_a_release_in_order(pair: Pair) -> None:
    pair.establish()
    pair.perform(pair.requestor, pair.requestor.release())
    pair.deliver()
    assert pair.take(pair.acceptor) == [ReleaseIndication()]
    assert pair.acceptor.may_send_data, "what was asked before may still be answered (AR-7)"
    pair.perform(pair.acceptor, pair.acceptor.answer_release())
    pair.deliver()
    assert pair.take(pair.requestor) == [ReleaseConfirmation(), Effect.CLOSE_TRANSPORT]
    assert pair.acceptor.state is State.STA13


def test_a_release_collision_ends_on_both_sides(pair: Pair) -> None:
    pair.establish()
    pair.perform(pair.requestor, pair.requestor.release())
    pair.perform(pair.acceptor, pair.acceptor.release())
    pair.deliver()
    assert pair.take(pair.requestor) == [ReleaseIndication(collision=True)]
    assert pair.take(pair.acceptor) == [ReleaseIndication(collision=True)]
    pair.perform(pair.requestor, pair.requestor.answer_release())
    pair.deliver()
    assert pair.take(pair.acceptor) == [ReleaseConfirmation()]
    pair.perform(pair.acceptor, pair.acceptor.answer_release())
    pair.deliver()
    assert pair.take(pair.requestor) == [ReleaseConfirmation(), Effect.CLOSE_TRANSPORT]
    assert (pair.requestor.state, pair.acceptor.state) == (State.STA1, State.STA13)


def test_an_abort_reaches_the_other_side(pair: Pair) -> None:
    pair.establish()
    pair.perform(pair.requestor, pair.requestor.abort())
    pair.deliver()
    assert pair.take(pair.acceptor) == [AbortIndication(0, 0), Effect.CLOSE_TRANSPORT]
    assert not pair.acceptor.may_abort


def test_bytes_that_are_no_pdu_abort_with_the_reason(pair: Pair) -> None:
    pair.establish()
    pair.perform(pair.acceptor, pair.acceptor.receive_data(b"GET / HTTP/1.1\r\n\r\n"))
    [aborted, start] = pair.take(pair.acceptor)
    assert isinstance(aborted, ProviderAbortIndication)
    assert aborted.reason == 1
    assert "47H" in aborted.cause
    assert start is Effect.START_ARTIM
    pair.deliver()
    assert pair.take(pair.requestor) == [AbortIndication(2, 1), Effect.CLOSE_TRANSPORT]


def test_a_pdu_out_of_place_aborts_and_what_follows_is_ignored(pair: Pair) -> None:
    pair.establish()
    outputs = pair.acceptor.receive_data(ANSWER.encode() + data_pdu(b"x"))
    assert [type(o) for o in outputs] == [bytes, ProviderAbortIndication, Effect]
    assert pair.acceptor.receive_data(data_pdu(b"more")) == []


def test_artim_expires_only_where_it_runs(pair: Pair) -> None:
    assert pair.acceptor.artim_expired() == []
    pair.acceptor.transport_opened()
    assert pair.acceptor.artim_expired() == [Effect.STOP_ARTIM, Effect.CLOSE_TRANSPORT]


def test_the_loss_of_the_connection_is_indicated_once(pair: Pair) -> None:
    pair.establish()
    assert pair.acceptor.transport_closed() == [ProviderAbortIndication()]
    assert pair.acceptor.transport_closed() == []
    assert pair.acceptor.receive_data(data_pdu(b"late")) == []


def test_misuse_is_an_error_of_ours_and_changes_nothing(pair: Pair) -> None:
    with pytest.raises(LocalError, match="EVT9 cannot happen in STA1"):
        pair.acceptor.send_data([b""])
    assert pair.acceptor.state is State.STA1
