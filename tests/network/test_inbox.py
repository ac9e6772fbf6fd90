"""What a peer has sent, up to what may be looked at next."""

from __future__ import annotations

from typing import Any

import pytest

from sdcc.dimse.command import CommandError
from sdcc.dimse.fragments import CommandReceived, DataSetPiece
from sdcc.dimse.messages import CancelRequest, EchoRequest, Response, StoreRequest
from sdcc.network.inbox import FRAGMENT_COST, Inbox
from sdcc.upper_layer.framing import Framer

#: Bytes of a P-DATA-TF before its one fragment.
PDU_HEADERS = 12
RESPONSE = Response(command_field=0x8001, message_id_being_responded_to=1, status=0, has_data_set=True)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox({1, 3, 5})


def put(inbox: Inbox, *sent: bytes) -> None:
    for item in Framer(0).feed(b"".join(sent)):
        assert isinstance(item, list)
        inbox.add(item)


def taken(inbox: Inbox, *, may_begin: bool) -> list[Any]:
    """All that is given of what waits: the kinds of messages, and data."""
    found = []
    while inbox.fragments:
        received = inbox.take(may_begin=may_begin)
        if received is not None:
            found.append(shown(received))
    return found


def shown(received: Any) -> Any:
    return bytes(received.data) if isinstance(received, DataSetPiece) else type(received.message)


def test_messages_come_in_their_order(inbox: Inbox, build: Any) -> None:
    put(inbox, build.echo(), build.store(b"data"), build.cancel(1))
    assert taken(inbox, may_begin=True) == [EchoRequest, StoreRequest, b"data", CancelRequest]
    assert (inbox.size, inbox.is_empty) == (0, True)


def test_requests_that_may_not_begin_are_put_off_and_nothing_else(inbox: Inbox, build: Any) -> None:
    put(inbox, build.store(b"data"), build.cancel(1), build.message(3, RESPONSE, b"let go by"), build.echo())
    assert taken(inbox, may_begin=False) == [CancelRequest, Response]
    assert not inbox.is_empty
    commands = (build.store(None), build.echo())
    lengths = sum(len(command) - PDU_HEADERS for command in commands) + len(b"data")
    assert inbox.size == 3 * FRAGMENT_COST + lengths
    assert [shown(inbox.take_put_off()) for _ in range(3)] == [StoreRequest, b"data", EchoRequest]
    assert (inbox.size, inbox.is_empty) == (0, True)


def test_a_long_command_that_was_put_off_counts_as_long_as_it_is(inbox: Inbox, build: Any) -> None:
    """Its texts stay in memory."""
    command = StoreRequest(
        message_id=1, affected_sop_class_uid="1.2", affected_sop_instance_uid="9" * 60_000, has_data_set=False
    )
    put(inbox, build.message(3, command))
    taken(inbox, may_begin=False)
    assert inbox.size > 60_000
    inbox.take_put_off()
    assert inbox.size == 0


def test_data_that_was_put_off_keeps_nothing_else_of_its_read_in_memory(inbox: Inbox, build: Any) -> None:
    put(inbox, build.cancel(1) * 1000, build.store(b"data"))
    taken(inbox, may_begin=False)
    inbox.take_put_off()
    piece = inbox.take_put_off()
    assert isinstance(piece, DataSetPiece)
    assert (bytes(piece.data), len(piece.data.obj)) == (b"data", 4)


def test_what_comes_behind_a_request_that_was_put_off_does_not_overtake_it(inbox: Inbox, build: Any) -> None:
    stored = build.store(bytes(1000), maximum_length=306)
    first_half = len(stored) - 112  # its last PDU comes later
    put(inbox, stored[:first_half])
    assert taken(inbox, may_begin=False) == []
    put(inbox, stored[first_half:], build.echo())
    assert taken(inbox, may_begin=True) == []
    received = [inbox.take_put_off() for _ in range(len(inbox.put_off))]
    assert isinstance(received[0], CommandReceived)
    assert b"".join(bytes(one.data) for one in received if isinstance(one, DataSetPiece)) == bytes(1000)
    assert shown(received[-1]) is EchoRequest


def test_whether_it_is_inside_a_request_that_was_not_put_off(inbox: Inbox, build: Any) -> None:
    beginning = build.store(b"data")[:-16]
    put(inbox, beginning)
    taken(inbox, may_begin=True)
    assert (inbox.is_inside_message, inbox.is_inside_request) == (True, True)
    other = Inbox({3})
    put(other, beginning)
    taken(other, may_begin=False)
    assert (other.is_inside_message, other.is_inside_request) == (True, False)


def test_what_breaks_the_standard_is_the_peers_fault(inbox: Inbox, build: Any) -> None:
    put(inbox, build.message(9, RESPONSE, b""))
    with pytest.raises(CommandError):
        inbox.take(may_begin=True)


def test_what_is_cleared_is_gone(inbox: Inbox, build: Any) -> None:
    put(inbox, build.store(b"data"))
    taken(inbox, may_begin=False)
    put(inbox, build.echo())
    inbox.clear()
    assert (inbox.size, inbox.is_empty) == (0, True)
