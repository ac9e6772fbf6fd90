"""Messages on their way out: whole, one after the other, and no more than the transport takes."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.task import Clock

from sdcc.dimse.fragments import fragments
from sdcc.interfaces import AssociationLost
from sdcc.network.sending import MESSAGE_SHARE, PORTION, TURN, Sender

COMMAND = b"a Command Set"


class Bench:
    """A sender whose transport is a list."""

    def __init__(self, maximum_length: int = 16384) -> None:
        self.maximum_length = maximum_length
        self.clock = Clock()
        self.sent: list[bytes] = []
        self.aborts: list[str] = []
        self.progress = 0
        self.sender = Sender(
            send=lambda pieces: self.sent.append(b"".join(pieces)),
            abort=self.aborts.append,
            maximum_length=maximum_length,
            clock=self.clock,
            progressed=self._progressed,
        )

    def _progressed(self) -> None:
        self.progress += 1

    def stream(
        self, data_set: AsyncIterator[bytes], context_id: int = 3, length: int | None = None
    ) -> Deferred[int]:
        return ensureDeferred(self.sender.stream(context_id, COMMAND, data_set, length))

    def whole(self, *data: bytes, context_id: int = 3) -> bytes:
        return b"".join(fragments(context_id, COMMAND, data, maximum_length=self.maximum_length))


@pytest.fixture
def bench() -> Bench:
    return Bench()


class Source:
    """A Data Set that gives a chunk when the test says so."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_closed = False
        self.next: Deferred[bytes | None] = Deferred()

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            while True:
                self.asked += 1
                chunk = await self.next
                if chunk is None:
                    return
                yield chunk
        finally:
            self.is_closed = True

    def give(self, chunk: bytes | None) -> None:
        given, self.next = self.next, Deferred()
        given.callback(chunk)

    def fail(self, error: Exception) -> None:
        self.next.errback(error)


def lost(deferred: Deferred[Any]) -> str:
    """Why it was lost."""
    failure: Any = deferred.result
    deferred.addErrback(lambda _: None)
    assert failure.check(AssociationLost), failure
    return str(failure.value)


@pytest.mark.parametrize("data", [(), (b"",), (b"one",), (b"one", b"", b"two"), (bytes(100_000), b"end")])
def test_a_streamed_message_is_what_the_whole_one_would_be(
    bench: Bench, data: tuple[bytes, ...], build: Any
) -> None:
    assert bench.stream(build.chunks(*data)).called
    assert b"".join(bench.sent) == bench.whole(*data)


async def given_as(chunks: list[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


@given(
    st.lists(st.binary(max_size=50)),
    st.one_of(st.integers(8, 40), st.sampled_from([0, 16384])),
    st.sampled_from([None, -1, 0, 1]),
)
def test_whatever_length_was_told_no_byte_is_lost_or_made_up(
    chunks: list[bytes], maximum_length: int, error: int | None
) -> None:
    """Odd or none; from chunks of any length, empty ones too. A length that is wrong cuts no chunk: only
    where one ends just there is the message whole."""
    bench = Bench(maximum_length)
    size = sum(map(len, chunks))
    length = None if error is None else size + error
    whole = chunks
    if length is not None and length < size:
        ends = [*itertools.accumulate(map(len, chunks))]
        whole = chunks[: ends.index(length) + 1] if length in ends else chunks
    done = bench.stream(given_as(chunks), length=length)
    assert done.result == sum(map(len, whole))
    assert b"".join(bench.sent) == bench.whole(*whole)


def test_a_message_of_known_length_is_whole_with_its_last_byte(bench: Bench) -> None:
    """Its last PDU does not wait for the end of the source, which is closed."""
    source = Source()
    done = bench.stream(source.chunks(), length=20_000)
    source.give(bytes(10_000))
    source.give(bytes(10_000))
    assert done.called
    assert source.is_closed
    assert b"".join(bench.sent) == bench.whole(bytes(20_000))


def test_nothing_is_sent_before_there_is_something_to_send(bench: Bench) -> None:
    source = Source()
    done = bench.stream(source.chunks())
    assert bench.sent == []
    source.give(b"data")
    assert len(bench.sent) == 1
    source.give(None)
    assert done.called
    assert source.is_closed


def test_a_long_chunk_goes_out_in_portions(bench: Bench, build: Any) -> None:
    bench.stream(build.chunks(bytes(10 * PORTION)))
    assert max(map(len, bench.sent)) < PORTION + 20_000


def test_nothing_more_is_asked_for_while_the_transport_takes_no_more(bench: Bench) -> None:
    source = Source()
    done = bench.stream(source.chunks())
    bench.sender.pause()
    source.give(bytes(100_000))
    assert (source.asked, bench.sent) == (1, [])
    bench.sender.resume()
    assert source.asked == 2
    source.give(None)
    assert done.called
    assert b"".join(bench.sent) == bench.whole(bytes(100_000))


def test_others_have_their_turn(bench: Bench, build: Any) -> None:
    """Both of what is long and of what is many."""
    done = bench.stream(build.chunks(*[bytes(PORTION)] * (2 * TURN // PORTION)))
    assert not done.called
    assert sum(map(len, bench.sent)) <= TURN + PORTION
    bench.clock.advance(0)
    assert done.called
    sent = [ensureDeferred(bench.sender.send(1, COMMAND)) for _ in range(2 * TURN // MESSAGE_SHARE)]
    assert 0 < sum(one.called for one in sent) <= TURN // MESSAGE_SHARE
    bench.clock.advance(0)
    assert all(one.called for one in sent)


def test_what_answers_the_peer_is_not_held_up_by_what_went_before(bench: Bench, build: Any) -> None:
    """Reading from the peer was a turn of the reactor; but others that were promised one have it first."""
    half = TURN // 2 + 1
    for _ in range(10):
        assert bench.stream(build.chunks(bytes(half))).called
        bench.sender.heard()
    before = len(bench.sent)
    long = bench.stream(build.chunks(*[bytes(PORTION)] * (2 * TURN // PORTION)))
    bench.sender.heard()
    assert not long.called
    assert sum(map(len, bench.sent[before:])) <= TURN + PORTION
    bench.clock.advance(0)
    assert long.called


def test_others_have_their_turn_soon_where_the_peer_takes_two_bytes_at_once(build: Any) -> None:
    bench = Bench(maximum_length=8)
    done = bench.stream(build.chunks(bytes(100_000)))
    assert not done.called
    length_of_pdu = 14
    assert len(b"".join(bench.sent)) / length_of_pdu < 10_000
    bench.clock.advance(0)
    assert done.called
    assert b"".join(bench.sent) == bench.whole(bytes(100_000))


def test_a_message_comes_back_when_the_transport_takes_more(bench: Bench) -> None:
    bench.sender.pause()
    done = ensureDeferred(bench.sender.send(1, COMMAND, b"data"))
    assert bench.sent == []
    bench.sender.resume()
    assert done.called
    assert bench.sent == [bench.whole(b"data", context_id=1)]


def test_no_message_begins_inside_another(bench: Bench) -> None:
    first, second = Source(), Source()
    done = [bench.stream(first.chunks(), 1), bench.stream(second.chunks(), 3)]
    done.append(ensureDeferred(bench.sender.send(5, COMMAND, b"third")))
    whole = ensureDeferred(bench.sender.whole())
    assert bench.sender.is_inside_message
    first.give(b"fir")
    first.give(b"st")
    assert second.asked == 0
    first.give(None)
    second.give(b"second")
    assert not whole.called
    second.give(None)
    assert all(one.called for one in (*done, whole))
    assert not bench.sender.is_inside_message
    assert b"".join(bench.sent) == b"".join(
        (
            bench.whole(b"first", context_id=1),
            bench.whole(b"second", context_id=3),
            bench.whole(b"third", context_id=5),
        )
    )


def test_what_cannot_be_read_from_the_beginning_is_not_begun(bench: Bench) -> None:
    source = Source()
    done = bench.stream(source.chunks())
    source.fail(OSError("gone"))
    assert done.result.check(OSError)
    done.addErrback(lambda _: None)
    assert (bench.sent, bench.aborts) == ([], [])
    assert not bench.sender.is_inside_message


@pytest.mark.parametrize("how", ["fails", "is cancelled"])
def test_what_breaks_off_ends_the_association(bench: Bench, how: str) -> None:
    source = Source()
    done = bench.stream(source.chunks())
    source.give(b"beginning")
    if how == "fails":
        source.fail(OSError("gone"))
    else:
        done.cancel()
    assert done.result.check(OSError, CancelledError)
    done.addErrback(lambda _: None)
    assert len(bench.aborts) == 1
    assert source.is_closed


def test_who_waits_is_told_when_the_association_is_lost(bench: Bench) -> None:
    source = Source()
    bench.sender.pause()
    streamed = bench.stream(source.chunks())
    sent = ensureDeferred(bench.sender.send(1, COMMAND))
    room = ensureDeferred(bench.sender.room())
    bench.sender.end("the peer has left")
    assert {lost(streamed), lost(sent), lost(room)} == {"the peer has left"}
    assert lost(bench.stream(source.chunks())) == "the peer has left"
    with pytest.raises(AssociationLost):
        bench.sender.send_at_once(1, COMMAND)
    assert (bench.sent, bench.aborts, source.asked) == ([], [], 0)


def test_a_source_is_closed_when_the_association_is_lost(bench: Bench) -> None:
    """At once, whoever else still knows it."""
    source = Source()
    known_elsewhere = source.chunks()
    done = bench.stream(known_elsewhere)
    source.give(b"beginning")
    bench.sender.end("the peer has left")
    source.give(bytes(100_000))
    assert lost(done) == "the peer has left"
    assert source.is_closed
    assert bench.aborts == []


def test_nothing_is_left_on_the_clock_when_the_association_is_lost(bench: Bench, build: Any) -> None:
    done = bench.stream(build.chunks(*[bytes(PORTION)] * (2 * TURN // PORTION)))
    assert bench.clock.getDelayedCalls() != []
    bench.sender.end("the peer has left")
    assert bench.clock.getDelayedCalls() == []
    assert lost(done) == "the peer has left"


def test_a_peer_that_can_take_no_message_is_sent_none(build: Any) -> None:
    bench = Bench(maximum_length=7)
    assert "maximum length 7" in lost(bench.stream(build.chunks(b"data")))
    assert "maximum length 7" in lost(ensureDeferred(bench.sender.send(1, COMMAND)))
    with pytest.raises(AssociationLost, match="maximum length 7"):
        bench.sender.send_at_once(1, COMMAND)


def test_what_the_peer_must_do_from_now_on_is_told(bench: Bench, build: Any) -> None:
    bench.stream(build.chunks(b"data"))
    assert bench.progress == 1, "a message is whole"
    bench.sender.pause()
    assert bench.progress == 2, "it must read"
    bench.sender.pause()
    assert bench.progress == 2, "that it still must is no news"
    bench.sender.resume()
    assert bench.progress == 3, "it has read"
    ensureDeferred(bench.sender.send(1, COMMAND))
    assert bench.progress == 4


def test_who_gives_up_waiting_is_not_woken(bench: Bench) -> None:
    bench.sender.pause()
    sent = ensureDeferred(bench.sender.send(1, COMMAND))
    sent.cancel()
    sent.addErrback(lambda _: None)
    bench.sender.resume()
    assert bench.sent == []
    assert not bench.sender.is_inside_message


def test_a_command_set_goes_out_with_the_first_of_its_data_set(bench: Bench) -> None:
    """A write of its own costs as much as that of a portion."""
    source = Source()
    bench.stream(source.chunks())
    source.give(bytes(20_000))
    assert len(bench.sent) == 1
    source.give(None)
    assert b"".join(bench.sent) == bench.whole(bytes(20_000))
