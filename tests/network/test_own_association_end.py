"""The end of an association of ours: in order, at once, or while something is under way; nothing is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import CancelledError

from sdcc.interfaces import AssociationLost
from sdcc.network.lost import AssociationAborted
from sdcc.upper_layer.pdu import Abort, ReleaseRP, ReleaseRQ

from .calls import (
    CONTEXT,
    MESSAGE_OF_PEER,
    RUBBISH,
    TIMEOUTS,
    Awaited,
    Blocks,
    Line,
    established,
    store,
)

# --- its end ---


def test_it_is_released_in_order(line: Line) -> None:
    released = Awaited(line.association.release())
    assert line.received() == [ReleaseRQ()]
    line.send(ReleaseRP().encode())
    assert not released.is_there
    assert line.is_left_clean()
    assert released.value is None
    assert store(line).error(AssociationLost) == "the association was released"


def test_both_may_release_at_once(line: Line) -> None:
    """PS3.8 7.2.2: this side, the requestor, answers first."""
    released = Awaited(line.association.release())
    line.send(ReleaseRQ().encode())
    assert line.received() == [ReleaseRQ(), ReleaseRP()]
    line.send(ReleaseRP().encode())
    assert line.is_left_clean()
    assert released.value is None


@pytest.mark.parametrize("sent", [Abort(0, 0).encode(), RUBBISH, MESSAGE_OF_PEER])
def test_a_release_never_fails(line: Line, sent: bytes) -> None:
    released = Awaited(line.association.release())
    line.send(sent)
    assert released.value is None
    assert line.is_left_clean()


def test_a_release_that_is_not_answered_ends_all_the_same(line: Line) -> None:
    released = Awaited(line.association.release())
    line.reactor.advance(TIMEOUTS.acse)
    assert released.value is None
    assert line.is_left_clean()


def test_a_release_while_a_request_is_under_way_gives_it_up(line: Line) -> None:
    stored = store(line)
    released = Awaited(line.association.release())
    assert released.value is None
    assert stored.error(AssociationAborted) == "SDCC gave it up"
    assert line.is_left_clean()


@pytest.mark.parametrize("lose", [lambda line: line.close(), lambda line: line.association.abort()])
def test_it_may_be_ended_again_and_again(line: Line, lose: Callable[[Line], Any]) -> None:
    lose(line)
    line.association.abort()
    assert Awaited(line.association.release()).value is None
    assert line.is_left_clean()


# --- cancelled ---


def begin_to_open(line: Line) -> Awaited:
    opening = Awaited(line.caller.open("PEER", "SDCC", (CONTEXT,)))
    line.connect()
    return opening


def begin_to_send(line: Line) -> Awaited:
    established(line)
    source = Blocks()
    sending = store(line, source.iterate())
    source.give(bytes(20000))
    return sending


def begin_to_send_to_one_who_does_not_read(line: Line) -> Awaited:
    established(line)
    line.producer.pauseProducing()
    return store(line)


def await_the_answer(line: Line) -> Awaited:
    return store(established(line))


def begin_to_release(line: Line) -> Awaited:
    return Awaited(established(line).association.release())


@pytest.mark.parametrize(
    "begin",
    [begin_to_open, begin_to_send, await_the_answer, begin_to_release],
    ids=lambda begin: begin.__name__,
)
def test_what_is_cancelled_leaves_nothing(
    new_line: Callable[[], Line], begin: Callable[[Line], Awaited]
) -> None:
    line = new_line()
    outcome = begin(line)
    outcome.deferred.cancel()
    outcome.error(CancelledError)
    assert line.is_left_clean()


def test_what_is_cancelled_before_anything_was_sent_leaves_the_association(
    new_line: Callable[[], Line],
) -> None:
    line = new_line()
    outcome = begin_to_send_to_one_who_does_not_read(line)
    outcome.deferred.cancel()
    outcome.error(CancelledError)
    line.association.abort()
    assert line.transport.disconnected
    assert line.is_left_clean()
