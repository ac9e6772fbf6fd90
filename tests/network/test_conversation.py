"""Operations that say and hear something before they end, over a whole association on a memory transport."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import LogLevel, capturedLogs

from sdcc import conformance
from sdcc.config import Remote
from sdcc.dimse.messages import EventReportRequest, Response, StoreRequest
from sdcc.interfaces import AssociationLost, Outcome, SubOperations
from sdcc.network.exchange import QUEUE_LIMIT
from sdcc.upper_layer.pdu import Abort, ReleaseRP, ReleaseRQ

SUCCESS = Outcome(status=0x0000)
STORE = StoreRequest(
    message_id=0, affected_sop_class_uid="1.2.840.10008.5.1.4.1.1.2", affected_sop_instance_uid="1.2.3"
)
EVENT = EventReportRequest(
    message_id=0,
    affected_sop_class_uid=conformance.STORAGE_COMMITMENT,
    affected_sop_instance_uid=conformance.STORAGE_COMMITMENT_INSTANCE,
    event_type_id=1,
)


def match(number: int) -> Outcome:
    return Outcome(status=0xFF00, data_set=b"match %d" % number)


async def until_told(talk: Any) -> Outcome:
    """Ends with what `talk.done` fires with."""
    talk.done = Deferred()
    outcome: Outcome = await talk.done
    return outcome


async def without_end(talk: Any) -> Outcome:
    """Answers until it is cancelled."""
    talk.sent = 0
    while not talk.conversation.is_cancelled:
        await talk.conversation.respond(match(talk.sent))
        talk.sent += 1
    return Outcome(status=0xFE00)


async def one_store(talk: Any) -> Outcome:
    talk.response = await talk.requests.request(3, STORE, talk.data_set)
    return Outcome(status=talk.response.status)


def store_after_store(build: SimpleNamespace) -> Any:
    async def script(talk: Any) -> Outcome:
        while True:
            await talk.requests.request(3, STORE, build.chunks(b"object"))

    return script


# --- responses before the last ---


def test_the_pending_responses_of_a_find_come_with_their_identifiers(
    world: Any, build: SimpleNamespace, lines: list[str]
) -> None:
    async def three(talk: Any) -> Outcome:
        for number in range(3):
            await talk.conversation.respond(match(number))
        return SUCCESS

    world.query.script = three
    peer = world.peer().ask()
    peer.send(build.find(7, b"who is there"))
    responses = peer.received()
    assert [response.status for response in responses] == [0xFF00, 0xFF00, 0xFF00, 0x0000]
    assert [bytes(data) for data in peer.data_sets] == [b"match 0", b"match 1", b"match 2", b""]
    assert {response.message_id_being_responded_to for response in responses} == {7}
    assert {response.command_field for response in responses} == {0x8020}
    assert [response.has_data_set for response in responses] == [True, True, True, False]
    assert bytes(world.query.operations[0].data) == b"who is there"
    assert lines[-1] == "SDCC<-CT01(1) C-FIND 0000 12 B 0.0 ms after 3 pending"


def test_the_last_response_may_have_a_data_set_and_counters(world: Any, build: SimpleNamespace) -> None:
    async def failed(talk: Any) -> Outcome:
        counters = SubOperations(remaining=None, completed=1, failed=2, warning=0)
        return Outcome(status=0xB000, data_set=b"failed UIDs", sub_operations=counters)

    world.retrieve.script = failed
    peer = world.peer().ask()
    peer.send(build.get())
    [response] = peer.received()
    assert (response.completed_sub_operations, response.failed_sub_operations) == (1, 2)
    assert response.remaining_sub_operations is None
    assert peer.data_sets == [b"failed UIDs"]


def test_an_identifier_is_cut_to_the_length_that_the_peer_takes(world: Any, build: SimpleNamespace) -> None:
    async def long(talk: Any) -> Outcome:
        await talk.conversation.respond(Outcome(status=0xFF00, data_set=bytes(1000)))
        return SUCCESS

    world.query.script = long
    peer = world.peer().ask(maximum_length=128)
    peer.send(build.find())
    sent = peer.transport.value()
    lengths, position = [], 0
    while position < len(sent):
        lengths.append(int.from_bytes(sent[position + 2 : position + 6]))
        position += 6 + lengths[-1]
    assert max(lengths) == 128
    assert [response.status for response in peer.received()] == [0xFF00, 0x0000]
    assert peer.data_sets[0] == bytes(1000)


def test_a_peer_that_does_not_read_is_told_no_more_until_it_does(world: Any, build: SimpleNamespace) -> None:
    world.query.script = without_end
    peer = world.peer().ask()
    peer.transport.unread_limit = 1000
    peer.send(build.find())
    [talk] = world.query.operations
    before = talk.sent
    world.clock.advance(1)
    assert talk.sent == before
    assert len(peer.transport.value()) < 1500
    assert len(peer.received()) == before + 1
    assert talk.sent > before


def test_many_answers_let_others_have_their_turn(world: Any, build: SimpleNamespace) -> None:
    async def many(talk: Any) -> Outcome:
        for talk.sent in range(10_000):
            await talk.conversation.respond(match(talk.sent))
        return SUCCESS

    world.query.script = many
    greedy = world.peer().ask()
    greedy.send(build.find())
    [talk] = world.query.operations
    seen = [0, talk.sent]

    def others() -> None:
        seen.append(talk.sent)
        if talk.state != "ended":
            world.clock.callLater(0, others)

    others()
    world.clock.advance(0)
    assert greedy.statuses() == [0xFF00] * 10_000 + [0x0000]
    assert max(after - before for before, after in pairwise(seen)) < 100


def test_a_peer_that_reads_nothing_more_is_ended_by_the_idle_timer(
    world: Any, build: SimpleNamespace, lines: list[str]
) -> None:
    world.query.script = without_end
    peer = world.peer().ask()
    peer.transport.unread_limit = 1000
    peer.send(build.find())
    world.clock.advance(299)
    assert world.limits.total == 1
    world.clock.advance(1)
    assert "SDCC<-CT01(1) aborted source 0: no progress for 300 s" in lines
    assert world.query.operations[0].state == "ended"
    assert world.limits.total == 0


def test_a_peer_that_talks_instead_of_reading_is_idle(world: Any, build: SimpleNamespace) -> None:
    world.query.script = without_end
    peer = world.peer().ask()
    peer.transport.unread_limit = 1000
    peer.send(build.find())
    for _ in range(3):
        world.clock.advance(100)
        peer.send(build.cancel(77))
    assert world.limits.total == 0


def test_a_peer_that_talks_instead_of_answering_is_idle(world: Any, build: SimpleNamespace) -> None:
    world.retrieve.script = store_after_store(build)
    peer = world.peer().ask()
    peer.send(build.get())
    for _ in range(3):
        world.clock.advance(100)
        peer.send(build.cancel(77), build.echo(2))
    assert world.limits.total == 0


def test_a_peer_that_answers_slowly_is_not_idle(world: Any, build: SimpleNamespace) -> None:
    world.retrieve.script = store_after_store(build)
    peer = world.peer().ask()
    peer.send(build.get())
    for _ in range(5):
        world.clock.advance(299)
        [asked] = peer.received()
        peer.send(build.answer(asked))
    assert world.limits.total == 1


def test_a_peer_that_reads_on_slowly_is_not_idle(world: Any, build: SimpleNamespace) -> None:
    world.query.script = without_end
    peer = world.peer().ask()
    peer.transport.unread_limit = 1000
    peer.send(build.find())
    for _ in range(5):
        world.clock.advance(299)
        assert peer.statuses()
    assert world.limits.total == 1


def test_an_operation_that_takes_long_is_not_held_against_its_peer(
    world: Any, build: SimpleNamespace
) -> None:
    world.query.script = until_told
    peer = world.peer().ask()
    peer.send(build.find())
    for _ in range(5):
        world.clock.advance(299)
    world.query.operations[0].done.callback(SUCCESS)
    assert peer.statuses() == [0x0000]


def test_what_has_one_response_cannot_have_another(world: Any, build: SimpleNamespace) -> None:
    peer = world.peer().ask()
    peer.send(build.store())
    conversation = world.storage.operations[0].session.conversation
    assert conversation.context is None
    assert ensureDeferred(conversation.respond(SUCCESS)).result.check(RuntimeError)
    world.storage.operations[0].done.callback(SUCCESS)
    assert peer.statuses() == [0x0000]


def test_an_operation_knows_what_was_negotiated_for_it(world: Any, build: SimpleNamespace) -> None:
    peer = world.peer().ask()
    peer.send(build.find(), build.action())
    assert world.query.operations[0].conversation.context.id == 5
    assert world.commitment.operations[0].conversation.context.abstract_syntax == "1.2.840.10008.1.20.1"


def test_a_peer_that_can_take_no_answer_at_all_is_aborted(world: Any, build: SimpleNamespace) -> None:
    world.query.script = without_end
    peer = world.peer().ask(maximum_length=4)
    peer.send(build.find())
    assert peer.received() == [Abort(0, 0)]
    assert world.query.operations[0].state == "ended"


def test_after_its_end_an_operation_says_nothing_more(world: Any, build: SimpleNamespace) -> None:
    peer = world.peer().ask()
    peer.send(build.find())
    assert peer.statuses() == [0x0000]
    late = ensureDeferred(world.query.operations[0].conversation.respond(match(1)))
    assert late.result.check(AssociationLost)
    late.addErrback(lambda _: None)
    assert peer.received() == []


# --- what is heard meanwhile ---


def test_a_cancel_is_seen_by_the_operation_that_it_is_for(world: Any, build: SimpleNamespace) -> None:
    world.query.script = until_told
    peer = world.peer().ask()
    peer.send(build.find(7))
    [talk] = world.query.operations
    assert not talk.conversation.is_cancelled
    peer.send(build.cancel(7))
    assert talk.conversation.is_cancelled
    with capturedLogs() as events:
        talk.done.callback(Outcome(status=0xFE00))
    assert peer.statuses() == [0xFE00]
    assert [event["log_level"] for event in events] == [LogLevel.info], "it ended as its peer wanted"


def test_a_cancel_for_anything_else_is_ignored(world: Any, build: SimpleNamespace) -> None:
    """PS3.7 9.3.2.3: for another message, or one that has been answered."""
    world.query.script = until_told
    peer = world.peer().ask()
    peer.send(build.find(7), build.cancel(8))
    first = world.query.operations[0]
    assert not first.conversation.is_cancelled
    first.done.callback(SUCCESS)
    peer.send(build.cancel(7), build.find(9), build.cancel(7))
    assert not world.query.operations[1].conversation.is_cancelled
    world.query.operations[1].done.callback(SUCCESS)
    assert peer.statuses() == [0x0000, 0x0000]


def test_a_cancel_is_heard_though_its_sender_reads_nothing(world: Any, build: SimpleNamespace) -> None:
    world.query.script = without_end
    peer = world.peer().ask()
    peer.transport.unread_limit = 1000
    peer.send(build.find())
    assert not peer.is_paused
    peer.send(build.cancel(1))
    assert world.query.operations[0].conversation.is_cancelled


def test_a_request_that_comes_meanwhile_waits(world: Any, build: SimpleNamespace) -> None:
    """Also one that is not whole, and others behind it; a C-CANCEL-RQ behind them is heard at once."""
    world.query.script = until_told
    peer = world.peer().ask()
    stored = build.store(b"object" * 1000, 2, maximum_length=600)
    peer.send(build.find(1), stored[:3000])
    peer.send(stored[3000:], build.echo(3), build.cancel(1))
    [talk] = world.query.operations
    assert talk.conversation.is_cancelled
    assert world.storage.operations == []
    talk.done.callback(SUCCESS)
    [operation] = world.storage.operations
    assert bytes(operation.data) == b"object" * 1000
    operation.done.callback(SUCCESS)
    assert [response.message_id_being_responded_to for response in peer.received()] == [1, 2, 3]


def test_a_request_whose_end_comes_later_is_put_together(world: Any, build: SimpleNamespace) -> None:
    world.query.script = until_told
    peer = world.peer().ask()
    stored = build.store(b"object" * 1000, 2, maximum_length=600)
    peer.send(build.find(1), stored[:3000])
    world.query.operations[0].done.callback(SUCCESS)
    [operation] = world.storage.operations
    assert operation.state == "open"
    peer.send(stored[3000:])
    assert bytes(operation.data) == b"object" * 1000


def test_what_waits_is_bounded(world: Any, build: SimpleNamespace) -> None:
    world.query.script = until_told
    peer = world.peer().ask()
    peer.send(build.find(1), build.store(bytes(QUEUE_LIMIT // 2), 2))
    assert not peer.is_paused
    peer.send(build.store(bytes(QUEUE_LIMIT // 2), 3))
    assert peer.is_paused
    world.query.operations[0].done.callback(SUCCESS)
    assert not peer.is_paused


def test_a_release_meanwhile_is_answered_after_the_last_response(world: Any, build: SimpleNamespace) -> None:
    world.query.script = until_told
    peer = world.peer().ask()
    peer.send(build.find(), ReleaseRQ())
    assert peer.received() == []
    world.query.operations[0].done.callback(SUCCESS)
    response, released = peer.received()
    assert response.status == 0x0000
    assert isinstance(released, ReleaseRP)


def test_a_response_to_nothing_is_aborted_meanwhile_too(world: Any, build: SimpleNamespace) -> None:
    world.query.script = until_told
    peer = world.peer().ask()
    peer.send(build.find(), build.answer(STORE))
    assert peer.received() == [Abort(0, 0)]


def test_nothing_is_heard_while_a_c_store_completes(world: Any, build: SimpleNamespace) -> None:
    """Not even what breaks the standard: a C-STORE is as fast as it can be."""
    peer = world.peer().ask()
    peer.send(build.store(), build.answer(STORE))
    assert peer.received() == []
    world.storage.operations[0].done.callback(SUCCESS)
    response, aborted = peer.received()
    assert (response.status, aborted) == (0x0000, Abort(0, 0))


# --- requests of ours over the same association ---


def test_a_sub_operation_of_c_get(world: Any, build: SimpleNamespace) -> None:
    """Its Data Set goes out whole, with a Message ID of ours, and its response comes back to it."""

    async def two(talk: Any) -> Outcome:
        for data in (b"first", b"second"):
            response = await talk.requests.request(3, STORE, build.chunks(data, b" object"))
            await talk.conversation.respond(Outcome(status=0xFF00))
            assert isinstance(response, Response)
        return SUCCESS

    world.retrieve.script = two
    peer = world.peer().ask()
    peer.send(build.get(1))
    found = []
    for _ in range(2):
        *_, asked = peer.received()
        found.append((asked.message_id, bytes(peer.data_sets[-1]), asked.has_data_set))
        peer.send(build.answer(asked))
    assert found == [(1, b"first object", True), (2, b"second object", True)]
    assert [response.status for response in peer.received()] == [0xFF00, 0x0000]


def test_sub_operations_whose_answers_come_are_sent_in_the_turns_of_these(
    world: Any, build: SimpleNamespace
) -> None:
    """Without another turn of the reactor after each mebibyte."""

    async def many(talk: Any) -> Outcome:
        for _ in range(5):
            await talk.requests.request(3, STORE, build.chunks(bytes(700 << 10)))
        return SUCCESS

    world.retrieve.script = many
    peer = world.peer().ask()
    peer.send(build.get(1))
    for _ in range(5):
        *_, asked = peer.received()
        assert len(peer.data_sets[-1]) == 700 << 10
        peer.send(build.answer(asked))
    assert [response.status for response in peer.received()] == [0x0000]


def test_only_contexts_on_which_it_is_scu_are_offered_and_those_with_events(
    world: Any, build: SimpleNamespace
) -> None:
    peer = world.peer().ask()
    peer.send(build.find())
    assert set(world.query.operations[0].requests.contexts) == {3, 9}


@pytest.mark.parametrize(
    "wrong",
    [{"message_id_being_responded_to": 77}, {"command_field": 0x8030}],
    ids=["another message", "another command"],
)
def test_a_response_that_is_none_to_the_request_is_aborted(
    world: Any, build: SimpleNamespace, wrong: dict[str, int]
) -> None:
    async def get(talk: Any) -> Outcome:
        talk.data_set = build.chunks(b"object")
        return await one_store(talk)

    world.retrieve.script = get
    peer = world.peer().ask()
    peer.send(build.get())
    [asked] = peer.received()
    peer.send(build.answer(asked, **wrong))
    assert peer.received() == [Abort(0, 0)]
    assert world.retrieve.operations[0].state == "ended"


def test_the_data_set_of_a_response_is_let_go_by(world: Any, build: SimpleNamespace) -> None:
    async def get(talk: Any) -> Outcome:
        talk.data_set = build.chunks(b"object")
        return await one_store(talk)

    world.retrieve.script = get
    peer = world.peer().ask()
    peer.send(build.get())
    [asked] = peer.received()
    peer.send(build.answer(asked, status=0xB000, data_set=bytes(40_000)), build.echo(9))
    assert peer.statuses() == [0xB000, 0x0000]


def test_a_large_object_is_asked_for_as_the_peer_reads(world: Any, build: SimpleNamespace) -> None:
    read = 0

    async def pieces() -> Any:
        nonlocal read
        for _ in range(1000):
            read += 1
            yield bytes(10_000)

    async def get(talk: Any) -> Outcome:
        talk.data_set = pieces()
        return await one_store(talk)

    world.retrieve.script = get
    peer = world.peer().ask()
    peer.transport.unread_limit = 50_000
    peer.send(build.get())
    size = 0
    for _ in range(1000):
        before = read
        assert len(peer.transport.value()) < 80_000
        peer.received()
        size += sum(map(len, peer.data_sets))
        world.clock.advance(0)
        assert read - before < 20
    assert size == 10_000_000
    peer.send(build.answer(STORE, message_id_being_responded_to=1))
    assert peer.statuses() == [0x0000]


def test_a_peer_that_never_answers_a_sub_operation_is_idle(
    world: Any, build: SimpleNamespace, lines: list[str]
) -> None:
    """From the end of the request on: before, it was our turn."""

    async def slow(talk: Any) -> Outcome:
        talk.is_read = Deferred()
        await talk.is_read
        talk.data_set = build.chunks(b"object")
        return await one_store(talk)

    world.retrieve.script = slow
    peer = world.peer().ask()
    peer.send(build.get())
    world.clock.advance(299)
    world.clock.advance(299)
    [talk] = world.retrieve.operations
    talk.is_read.callback(None)
    world.clock.advance(299)
    assert world.limits.total == 1
    world.clock.advance(1)
    assert world.limits.total == 0
    assert "SDCC<-CT01(1) aborted source 0: no progress for 300 s" in lines
    assert talk.state == "ended"
    assert talk.conversation.is_cancelled


def test_an_object_that_cannot_be_read_costs_no_association(world: Any, build: SimpleNamespace) -> None:
    async def unreadable() -> Any:
        raise OSError("gone")
        yield b""

    async def get(talk: Any) -> Outcome:
        try:
            await talk.requests.request(3, STORE, unreadable())
        except OSError:
            return Outcome(status=0xB000)
        return SUCCESS

    world.retrieve.script = get
    peer = world.peer().ask()
    peer.send(build.get())
    assert peer.statuses() == [0xB000]


def test_an_object_that_breaks_off_ends_the_association(world: Any, build: SimpleNamespace) -> None:
    """A message that has begun cannot be taken back."""

    async def broken() -> Any:
        yield bytes(100_000)
        raise OSError("gone")

    async def get(talk: Any) -> Outcome:
        try:
            await talk.requests.request(3, STORE, broken())
        except OSError:
            talk.saw = "OSError"
        return SUCCESS

    world.retrieve.script = get
    peer = world.peer().ask()
    peer.send(build.get())
    assert peer.received()[-1] == Abort(0, 0)
    assert world.retrieve.operations[0].saw == "OSError"
    assert world.limits.total == 0


def event_report(world: Any, build: SimpleNamespace, *data: bytes) -> Any:
    """N-EVENT-REPORT after the N-ACTION has been answered; gives what its Deferred is."""
    requests = world.commitment.operations[0].requests
    return ensureDeferred(requests.request(9, EVENT, build.chunks(*(data or (b"these are safe",)))))


def test_an_event_is_reported_while_no_operation_is_performed(world: Any, build: SimpleNamespace) -> None:
    peer = world.peer().ask()
    peer.send(build.action())
    assert peer.statuses() == [0x0000]
    reported = event_report(world, build)
    [asked] = peer.received()
    assert (asked.command_field, asked.event_type_id, peer.data_sets) == (0x0100, 1, [b"these are safe"])
    assert not reported.called
    peer.send(build.answer(asked, 9, event_type_id=1))
    assert reported.result.status == 0x0000


def test_a_peer_that_never_answers_a_report_is_idle(world: Any, build: SimpleNamespace) -> None:
    peer = world.peer().ask()
    peer.send(build.action())
    reported = event_report(world, build)
    world.clock.advance(300)
    assert reported.result.check(AssociationLost)
    reported.addErrback(lambda _: None)
    assert world.limits.total == 0


def test_an_event_crosses_an_object_that_is_arriving(world: Any, build: SimpleNamespace) -> None:
    peer = world.peer().ask()
    peer.send(build.action())
    peer.received()
    stored = build.store(b"object" * 10_000, 5)
    peer.send(stored[:30_000])
    reported = event_report(world, build)
    [asked] = peer.received()
    peer.send(stored[30_000:])
    world.storage.operations[0].done.callback(SUCCESS)
    assert bytes(world.storage.operations[0].data) == b"object" * 10_000
    assert peer.statuses() == [0x0000]
    peer.send(build.answer(asked, 9))
    assert reported.result.status == 0x0000


def test_an_event_is_answered_behind_an_object_that_is_being_stored(
    world: Any, build: SimpleNamespace
) -> None:
    """That the peer has not answered it is not held against it while our part is to answer its C-STORE."""
    peer = world.peer().ask()
    peer.send(build.action())
    peer.received()
    reported = event_report(world, build)
    [asked] = peer.received()
    peer.send(build.store())
    world.clock.advance(299)
    world.clock.advance(299)
    world.storage.operations[0].done.callback(SUCCESS)
    peer.send(build.answer(asked, 9))
    assert reported.result.status == 0x0000


def test_a_long_event_crosses_an_object_whose_sender_reads_nothing_before_it_is_sent(
    world: Any, build: SimpleNamespace
) -> None:
    """Or both would wait for ever."""
    peer = world.peer().ask()
    peer.send(build.action())
    peer.received()
    peer.transport.unread_limit = 1000
    reported = event_report(world, build, *[bytes(100_000)] * 10)
    stored = build.store(bytes(500_000), 5)
    peer.send(stored[:400_000])
    assert not peer.is_paused
    peer.send(stored[400_000:])
    [operation] = world.storage.operations
    assert len(operation.data) == 500_000
    operation.done.callback(SUCCESS)
    found = []
    for _ in range(1000):
        found += peer.received()
        world.clock.advance(0)
    assert [message.command_field for message in found[-2:]] == [0x0100, 0x8001], "none within the other"
    peer.send(build.answer(found[-2], 9))
    assert reported.result.status == 0x0000


def test_a_response_that_waits_behind_a_report_nobody_reads_is_the_peers_to_await(
    world: Any, build: SimpleNamespace
) -> None:
    peer = world.peer().ask()
    peer.send(build.action())
    peer.received()
    peer.transport.unread_limit = 1000
    reported = event_report(world, build, *[bytes(100_000)] * 10)
    peer.send(build.store())
    world.storage.operations[0].done.callback(SUCCESS)
    world.clock.advance(300)
    assert world.limits.total == 0
    assert reported.result.check(AssociationLost)
    reported.addErrback(lambda _: None)


def test_a_report_that_waited_behind_a_last_response_does_not_have_it_within(
    world: Any, build: SimpleNamespace
) -> None:
    """Though it may begin as soon as what is before both is sent."""

    async def speak_on(talk: Any) -> Outcome:
        for size in (1000, 10):
            ensureDeferred(talk.conversation.respond(Outcome(status=0xFF00, data_set=bytes(size))))
        return SUCCESS

    world.query.script = speak_on
    peer = world.peer().ask()
    peer.send(build.action())
    peer.received()
    peer.transport.unread_limit = 500
    peer.send(build.find())
    reported = event_report(world, build, bytes(100_000))
    found = []
    for _ in range(10):
        found += peer.received()
        world.clock.advance(0)
    assert sorted(message.command_field for message in found) == [0x0100, 0x8020, 0x8020, 0x8020]
    [asked] = [message for message in found if message.command_field == 0x0100]
    peer.send(build.answer(asked, 9))
    assert reported.result.status == 0x0000


def test_two_requests_of_ours_follow_each_other(world: Any, build: SimpleNamespace) -> None:
    peer = world.peer().ask()
    peer.send(build.action())
    peer.received()
    first, second = event_report(world, build, b"one"), event_report(world, build, b"two")
    [asked] = peer.received()
    assert peer.data_sets == [b"one"]
    peer.send(build.answer(asked, 9))
    assert first.result.status == 0x0000
    [asked] = peer.received()
    assert peer.data_sets == [b"two"]
    peer.send(build.answer(asked, 9, status=0x0110))
    assert second.result.status == 0x0110


# --- the end ---


@pytest.mark.parametrize("how", ["abort", "lost"])
def test_when_the_peer_goes_an_operation_ends_and_leaves_nothing(
    world: Any, build: SimpleNamespace, how: str, lines: list[str]
) -> None:
    world.query.script = without_end
    peer = world.peer().ask()
    peer.transport.unread_limit = 1000
    peer.send(build.find())
    if how == "abort":
        peer.send(Abort(0, 0))
    peer.lose()
    [talk] = world.query.operations
    assert talk.conversation.is_cancelled
    assert talk.state == "ended"
    assert (world.limits.total, world.waiting.operations, world.waiting.total) == (0, 0, 0)
    assert not any(call.getTime() <= 300 for call in world.clock.getDelayedCalls())
    assert not any("failed" in line or "Traceback" in line for line in lines)
    assert any("C-FIND 0110" in line and "not answered" in line for line in lines)


def test_when_the_peer_goes_an_operation_that_is_not_speaking_sees_it(
    world: Any, build: SimpleNamespace
) -> None:
    world.query.script = until_told
    peer = world.peer().ask()
    peer.send(build.find())
    peer.lose()
    [talk] = world.query.operations
    assert (talk.state, talk.conversation.is_cancelled) == ("completing", True)
    late = ensureDeferred(talk.conversation.respond(match(1)))
    assert late.result.check(AssociationLost)
    late.addErrback(lambda _: None)
    talk.done.callback(Outcome(status=0xFE00))
    assert world.waiting.operations == 0


def test_when_the_peer_goes_who_wants_to_know_is_told_at_once(world: Any, build: SimpleNamespace) -> None:
    """It may end the operation by that."""

    async def ended_by_it(talk: Any) -> Outcome:
        done: Deferred[Outcome] = Deferred()
        talk.conversation.at_end(lambda: done.callback(SUCCESS))
        return await done

    world.query.script = ended_by_it
    peer = world.peer().ask()
    peer.send(build.find())
    peer.lose()
    assert world.query.operations[0].state == "ended"
    assert (world.limits.total, world.waiting.operations) == (0, 0)


def test_when_the_peer_goes_a_sub_operation_is_lost(world: Any, build: SimpleNamespace) -> None:
    async def get(talk: Any) -> Outcome:
        try:
            await talk.requests.request(3, STORE, build.chunks(b"object"))
        except AssociationLost as lost:
            talk.lost = str(lost)
        return SUCCESS

    world.retrieve.script = get
    peer = world.peer().ask()
    peer.send(build.get())
    peer.lose()
    [talk] = world.retrieve.operations
    assert talk.lost == "the association was aborted by the loss of its connection"
    late = ensureDeferred(talk.requests.request(3, STORE))
    assert late.result.check(AssociationLost)
    late.addErrback(lambda _: None)


def test_a_release_ends_what_was_asked_of_the_peer(world: Any, build: SimpleNamespace) -> None:
    peer = world.peer().ask()
    peer.send(build.action())
    peer.received()
    reported = event_report(world, build)
    peer.received()
    peer.send(ReleaseRQ())
    assert isinstance(peer.received()[-1], ReleaseRP)
    assert str(reported.result.value) == "the peer released the association"
    reported.addErrback(lambda _: None)


def test_an_operation_under_way_may_finish_when_sdcc_stops(world: Any, build: SimpleNamespace) -> None:
    """With its sub-operations; what waits behind it is not begun."""

    async def get(talk: Any) -> Outcome:
        talk.data_set = build.chunks(b"object")
        return await one_store(talk)

    world.retrieve.script = get
    peer = world.peer().ask()
    peer.send(build.get(1))
    [asked] = peer.received()
    stopped = ensureDeferred(world.server.stop())
    peer.send(build.echo(2), build.answer(asked))
    response, aborted = peer.received()
    assert (response.command_field, response.status) == (0x8010, 0x0000)
    assert aborted == Abort(0, 0)
    peer.lose()
    assert stopped.called
    assert world.clock.getDelayedCalls() == []


def test_a_request_that_was_put_off_half_does_not_keep_a_stop_waiting(
    world: Any, build: SimpleNamespace
) -> None:
    world.query.script = until_told
    peer = world.peer().ask()
    peer.send(build.find(1), build.store(bytes(10_000), 2)[:5000])
    ensureDeferred(world.server.stop())
    world.query.operations[0].done.callback(SUCCESS)
    assert [type(answer).__name__ for answer in peer.received()] == ["Response", "Abort"]
    assert world.storage.operations == []


def test_a_report_that_is_under_way_may_be_answered_when_sdcc_stops(
    world: Any, build: SimpleNamespace
) -> None:
    peer = world.peer().ask()
    peer.send(build.action())
    peer.received()
    reported = event_report(world, build)
    [asked] = peer.received()
    ensureDeferred(world.server.stop())
    peer.send(build.echo(), build.answer(asked, 9))
    assert reported.result.status == 0x0000
    assert peer.received() == [Abort(0, 0)]


def test_an_operation_that_does_not_end_in_time_is_cut(world: Any, build: SimpleNamespace) -> None:
    world.query.script = without_end
    peer = world.peer().ask()
    peer.transport.unread_limit = 1000
    peer.send(build.find())
    stopped = ensureDeferred(world.server.stop())
    world.clock.advance(20)
    assert world.query.operations[0].state == "ended"
    peer.lose()
    assert stopped.called
    assert world.clock.getDelayedCalls() == []


def test_who_may_not_query_is_told_so(new_world: Any, build: SimpleNamespace) -> None:
    allowed = frozenset({"storage", "verification"})
    world = new_world(remotes=(Remote(ae_title="CT01", address="127.0.0.1", services=allowed),))
    peer = world.peer().ask()
    peer.send(build.find(), build.get(), build.action())
    assert peer.statuses() == [0x0124] * 3
    services = (world.query, world.retrieve, world.commitment)
    assert [service.operations for service in services] == [[], [], []]
