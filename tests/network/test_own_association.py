"""One association of ours, from the answer to its request to its end, whatever the peer does meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from sdcc.dimse.fragments import DataSetPiece, fragments
from sdcc.dimse.messages import EchoRequest, StoreRequest
from sdcc.interfaces import AssociationLost
from sdcc.network.lost import AssociationAborted, NoResponse
from sdcc.upper_layer.pdu import Abort, PDataTF, ReleaseRP, ReleaseRQ

from .calls import (
    CONTEXT,
    MESSAGE_OF_PEER,
    RUBBISH,
    STORED,
    TIMEOUTS,
    Awaited,
    Blocks,
    Line,
    accept,
    answer,
    blocks,
    echo,
    established,
    mebibytes,
    store,
)

# --- sending ---


def test_a_data_set_arrives_as_it_is_in_fragments_that_the_peer_takes(new_line: Callable[[], Line]) -> None:
    """None of them odd, which some peers refuse, but perhaps the last."""
    line = established(new_line(), maximum_length=1001)
    stored = store(line, blocks(b"a" * 333, b"b" * 3000, b"", b"c" * 7))
    message, *pieces = line.received()
    assert isinstance(message, StoreRequest)
    assert b"".join(piece.data for piece in pieces) == b"a" * 333 + b"b" * 3000 + b"c" * 7
    assert [len(piece.data) for piece in pieces] == [994, 994, 994, 358]
    assert not stored.is_there
    line.send(answer(command_field=STORED, status=0xB000))
    assert stored.value.status == 0xB000


def test_a_peer_that_would_take_any_length_makes_nobody_hold_that_much(new_line: Callable[[], Line]) -> None:
    line = established(new_line(), maximum_length=0xFFFFFFFF)
    store(line, mebibytes(3))
    line.reactor.advance(0)  # others have their turn after each mebibyte
    _, *pieces = line.received()
    assert sum(len(piece.data) for piece in pieces) >= 2 << 20


def test_objects_whose_answers_come_are_sent_in_the_turns_of_these(new_line: Callable[[], Line]) -> None:
    """Without another turn of the reactor after each mebibyte."""
    line = established(new_line(), maximum_length=0xFFFFFFFF)
    for number in range(1, 5):
        stored = store(line, blocks(bytes(700 << 10)))
        assert sum(len(piece.data) for piece in line.received()[1:]) == 700 << 10
        line.send(answer(command_field=STORED, message_id=number))
        assert stored.value.status == 0


def test_a_message_without_a_data_set_is_one_as_well(line: Line) -> None:
    asked = echo(line)
    [message] = line.received()
    assert isinstance(message, EchoRequest)
    line.send(answer())
    assert asked.value.status == 0


def test_no_more_is_read_than_the_transport_takes(line: Line) -> None:
    source = Blocks()
    store(line, source.iterate())
    line.producer.pauseProducing()
    source.give(b"first")
    assert source.asked == 1
    line.producer.resumeProducing()
    assert source.asked == 2


def test_a_slow_peer_is_waited_for_as_long_as_it_gets_on(line: Line) -> None:
    source = Blocks()
    stored = store(line, source.iterate())
    for _ in range(20):
        line.producer.pauseProducing()
        source.give(bytes(16384))
        line.reactor.advance(TIMEOUTS.dimse - 1)
        line.producer.resumeProducing()
    source.give(None)
    line.reactor.advance(TIMEOUTS.dimse - 1)
    line.send(answer(command_field=STORED))
    assert stored.value.status == 0


def test_a_peer_that_takes_no_more_is_given_up(line: Line) -> None:
    source = Blocks()
    stored = store(line, source.iterate())
    line.producer.pauseProducing()
    source.give(bytes(16384))
    line.reactor.advance(TIMEOUTS.dimse)
    assert stored.error(NoResponse) == "no more of C-STORE-RQ taken within 12 s"
    assert source.is_closed
    assert line.transport.disconnected, "what it does not read must not keep the connection"
    assert line.is_left_clean()


def test_a_disk_that_is_slow_is_not_the_fault_of_the_peer(line: Line) -> None:
    source = Blocks()
    stored = store(line, source.iterate())
    source.give(b"first")
    line.reactor.advance(10 * TIMEOUTS.dimse)
    source.give(None)
    line.send(answer(command_field=STORED))
    assert stored.value.status == 0


def test_a_data_set_that_cannot_be_begun_costs_no_association(line: Line) -> None:
    async def unreadable() -> AsyncIterator[bytes]:
        raise FileNotFoundError("gone")
        yield

    assert store(line, unreadable()).error(FileNotFoundError) == "gone"
    assert line.received() == []
    stored = store(line)
    line.send(answer(command_field=STORED, message_id=2))
    assert stored.value.status == 0


def test_a_data_set_that_breaks_off_costs_the_association(line: Line) -> None:
    """The peer must not take what came for the whole."""

    async def breaking() -> AsyncIterator[bytes]:
        yield bytes(20000)
        raise OSError("a bad sector")

    assert store(line, breaking()).error(OSError) == "a bad sector"
    *_, last = line.received()
    assert last == Abort(0, 0)
    assert line.is_left_clean()


# --- what the peer may do ---


def test_a_response_that_comes_before_the_data_set_is_whole_counts_when_it_is(line: Line) -> None:
    source = Blocks()
    stored = store(line, source.iterate())
    source.give(b"first")
    line.send(answer(command_field=STORED, status=0xA700))
    assert not stored.is_there
    source.give(None)
    assert stored.value.status == 0xA700
    *_, last = line.received()
    assert last == DataSetPiece(b"first", True)


def test_a_response_with_a_data_set_counts_when_that_is_whole(line: Line) -> None:
    stored = store(line)
    response = answer(command_field=STORED, has_data_set=True)
    line.send(response)
    assert not stored.is_there
    _, first, last = fragments(1, b"", [bytes(100)], maximum_length=64 + 6)
    line.send(first)
    assert not stored.is_there
    line.send(last)
    assert stored.value.status == 0


def test_a_response_counts_though_the_association_ends_with_it(line: Line) -> None:
    stored = store(line)
    line.send(answer(command_field=STORED) + Abort(0, 0).encode())
    assert stored.value.status == 0
    assert store(line).error(AssociationAborted) == "the peer aborted, source 0, reason 0"


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (answer(command_field=STORED, message_id=9), "no response to our request"),
        (answer(), "no response to our request"),
        (MESSAGE_OF_PEER, "the peer sent C-ECHO-RQ over an association on which it may request nothing"),
        (RUBBISH, "PDU type 99H is none of 01H to 07H"),
        (PDataTF.header(context_id=3, is_command=True, is_last=True, length=0), "was not accepted"),
        (accept(), "A-ASSOCIATE-AC is not expected in this state"),
        (Abort(2, 6).encode(), "the peer aborted, source 2, reason 6"),
        (ReleaseRQ().encode(), "the peer released the association"),
    ],
)
@pytest.mark.parametrize("is_whole", [True, False])
def test_whatever_ends_it_is_told_to_whoever_waits_and_whoever_asks_next(
    line: Line, sent: bytes, words: str, is_whole: bool
) -> None:
    source = Blocks()
    stored = store(line, source.iterate())
    source.give(b"first")
    if is_whole:
        source.give(None)
    line.send(sent)
    if not is_whole:
        source.give(bytes(20000))
    assert words in stored.error(AssociationLost)
    assert words in store(line).error(AssociationLost)
    assert source.is_closed
    line.association.abort()
    assert line.is_left_clean()


def test_the_loss_of_the_connection_is_told(line: Line) -> None:
    stored = store(line)
    line.close()
    assert stored.error(AssociationAborted) == "the connection was lost"
    assert line.is_left_clean()


def test_a_peer_that_does_not_answer_is_given_up(line: Line) -> None:
    stored = store(line)
    line.reactor.advance(TIMEOUTS.dimse)
    assert stored.error(NoResponse) == "no answer to C-STORE-RQ within 12 s"
    assert line.received()[-1] == Abort(0, 0)
    assert line.is_left_clean()


def test_a_message_before_any_request_is_none(new_line: Callable[[], Line]) -> None:
    line = new_line()
    opened = Awaited(line.caller.open("PEER", "SDCC", (CONTEXT,)))
    line.connect()
    line.send(accept() + MESSAGE_OF_PEER)
    assert opened.error(AssociationLost) == "the peer sent a message before any request"
    assert line.is_left_clean()


# --- in the log ---


def test_its_course_is_in_the_log(new_line: Callable[[], Line], lines: list[str]) -> None:
    line = established(new_line())
    store(line)
    line.send(answer(command_field=STORED))
    Awaited(line.association.release())
    line.send(ReleaseRP().encode())
    line.close()
    established(line)
    line.send(Abort(0, 0).encode())
    assert lines == [
        "SDCC->PEER(1) opened, 1 of 1 contexts accepted",
        "SDCC->PEER(1) released, operations: 1",
        "SDCC->PEER(2) opened, 1 of 1 contexts accepted",
        "SDCC->PEER(2) aborted: the peer aborted, source 0, reason 0",
    ]
