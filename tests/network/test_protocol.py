"""An association from its first byte to its last, on a memory transport."""

from __future__ import annotations

import struct
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, ensureDeferred

from sdcc.config import Local, Remote
from sdcc.dimse.fragments import fragments
from sdcc.dimse.messages import CancelRequest, Response
from sdcc.interfaces import Outcome
from sdcc.network.addresses import ip_address
from sdcc.network.exchange import QUEUE_LIMIT
from sdcc.network.limits import WaitingBytes
from sdcc.upper_layer.pdu import Abort, AssociateAC, AssociateRJ, ReleaseRP, ReleaseRQ

SUCCESS = Outcome(status=0x0000)


def data_pdu(context_id: int, flags: int, data: bytes) -> bytes:
    return struct.pack(">BxIIBB", 4, len(data) + 6, len(data) + 2, context_id, flags) + data


# --- opening and refusing ---


def test_an_association_is_answered_and_logged(world: Any, build: SimpleNamespace, lines: list[str]) -> None:
    peer = world.peer()
    peer.send(build.request())
    [answer] = peer.received()
    assert isinstance(answer, AssociateAC)
    assert answer.maximum_length == 16384
    assert lines == ["SDCC<-CT01(1) opened from 127.0.0.1, 2 of 2 contexts accepted"]


def test_only_who_has_an_association_is_read_in_large_pieces(world: Any, build: SimpleNamespace) -> None:
    accepted, refused = world.peer(), world.peer()
    accepted.send(build.request())
    refused.send(build.request(called="NOBODY"))
    assert accepted.transport.bufferSize == 256 * 1024
    assert not hasattr(refused.transport, "bufferSize"), "it is as its transport has it"


def test_a_refusal_says_its_rule_and_frees_everything(
    world: Any, build: SimpleNamespace, lines: list[str]
) -> None:
    peer = world.peer()
    peer.send(build.request(called="NOBODY"))
    assert peer.received() == [AssociateRJ(1, 1, 7)]
    [line] = lines
    assert line.startswith("NOBODY<-CT01(1) refused 1/1/7: called AE title 'NOBODY'")
    assert world.limits.total == 0
    world.clock.advance(30)
    assert peer.is_gone


def test_a_wrong_protocol_version_is_logged_too(world: Any, build: SimpleNamespace, lines: list[str]) -> None:
    peer = world.peer()
    peer.send(build.request(protocol_version=2))
    assert peer.received() == [AssociateRJ(1, 2, 2)]
    assert lines == ["SDCC<-CT01(1) refused 1/2/2: protocol version 0002H lacks bit 0 (from 127.0.0.1)"]


def test_titles_of_strangers_cannot_forge_a_line(
    world: Any, build: SimpleNamespace, lines: list[str]
) -> None:
    world.peer().send(build.request(calling="A\nSDCC<-B(2) ok"))
    assert len(lines) == 1
    assert "\n" not in lines[0]


def test_half_a_request_is_logged_when_its_sender_leaves(
    world: Any, build: SimpleNamespace, lines: list[str]
) -> None:
    peer = world.peer()
    peer.send(build.request().encode()[:100])
    peer.lose()
    assert lines == ["127.0.0.1:40000 left before its A-ASSOCIATE-RQ was whole"]


def test_one_more_than_the_limit_is_refused_until_one_ends(new_world: Any, build: SimpleNamespace) -> None:
    world = new_world(locals=(Local(),))
    first = world.peer().associate()
    second = world.peer()
    second.send(build.request())
    assert second.received() == [AssociateRJ(2, 3, 2)]
    first.send(ReleaseRQ())
    third = world.peer()
    third.send(build.request())
    assert isinstance(third.received()[0], AssociateAC), "the slot is free from A-RELEASE-RP on"


@pytest.mark.parametrize("how", ["abort", "lost", "invalid"])
def test_an_association_that_breaks_frees_its_slot(world: Any, lines: list[str], how: str) -> None:
    peer = world.peer().associate()
    assert world.limits.total == 1
    if how == "abort":
        peer.send(Abort(0, 0))
    elif how == "lost":
        peer.lose()
    else:
        peer.send(b"\xff\0\0\0\0\4")
    assert world.limits.total == 0
    assert sum("aborted" in line for line in lines) == 1


def test_a_peer_that_leaves_while_its_name_is_resolved_leaves_nothing(
    new_world: Any, build: SimpleNamespace
) -> None:
    world = new_world(remotes=(Remote(ae_title="CT01", address="ct01.example"),))
    world.names["ct01.example"] = Deferred()
    peer = world.peer()
    peer.send(build.request())
    assert peer.received() == []
    peer.send(Abort(0, 0))
    world.names["ct01.example"].callback(frozenset({ip_address("127.0.0.1")}))
    assert world.limits.total == 0


@pytest.mark.parametrize(
    ("pdu", "reason"),
    [
        ("echo", 2),
        ("request", 2),
        (AssociateRJ(1, 1, 1), 2),
        (ReleaseRQ(), 2),
        (ReleaseRP(), 2),
        (b"\x42\0\0\0\0\4", 1),
        (b"\4\0\xff\xff\xff\xff", 6),
    ],
    ids=["data", "request", "rejection", "release", "release response", "unknown", "too long"],
)
def test_whatever_comes_before_the_answer_is_out_of_place(
    new_world: Any, build: SimpleNamespace, pdu: Any, reason: int
) -> None:
    world = new_world(remotes=(Remote(ae_title="CT01", address="ct01.example"),))
    world.names["ct01.example"] = Deferred()
    peer = world.peer()
    peer.send(build.request(), getattr(build, pdu)() if isinstance(pdu, str) else pdu)
    assert peer.received() == [Abort(2, reason)]
    world.names["ct01.example"].callback(frozenset({ip_address("127.0.0.1")}))
    assert peer.received() == []
    assert world.limits.total == 0


@pytest.mark.parametrize(
    ("sent", "cause"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "PDU type 47H is none of 01H to 07H"),
        (ReleaseRQ().encode(), "a PDU out of place"),
    ],
)
def test_what_is_no_request_is_aborted_and_logged_once(
    world: Any, lines: list[str], sent: bytes, cause: str
) -> None:
    peer = world.peer()
    peer.send(sent, b"more")
    assert peer.received() == [Abort(0, 0)]
    peer.lose()
    assert lines == [f"127.0.0.1:40000 aborted before an A-ASSOCIATE-RQ: {cause}"]


def test_connections_without_an_association_are_limited_and_leave_the_others_alone(
    new_world: Any, build: SimpleNamespace, lines: list[str]
) -> None:
    world = new_world(maximum_waiting=2)
    peer = world.peer().associate()
    silent = [world.peer(), world.peer()]
    assert world.server.port(world.locals).buildProtocol(None) is None
    assert world.server.port(world.locals).buildProtocol(None) is None
    assert sum("new connections are closed: 2 are open" in line for line in lines) == 1
    peer.send(build.echo())
    assert peer.statuses() == [0]
    silent[0].lose()
    again = world.peer()
    again.send(build.request())
    assert isinstance(again.received()[0], AssociateAC)


def test_a_connection_that_only_looks_makes_no_line(world: Any, lines: list[str]) -> None:
    """Load balancers and monitors do so all day."""
    world.peer().lose()
    assert lines == []


# --- operations ---


def test_c_echo(world: Any, build: SimpleNamespace, lines: list[str]) -> None:
    peer = world.peer().associate()
    peer.send(build.echo())
    assert peer.statuses() == [0x0000]
    assert lines[-1] == "SDCC<-CT01(1) C-ECHO 0000 0.0 ms"


def test_c_store_is_answered_when_it_is_done(world: Any, build: SimpleNamespace, lines: list[str]) -> None:
    peer = world.peer().associate()
    peer.send(build.store(bytes(525_000), maximum_length=16384))
    [operation] = world.storage.operations
    assert bytes(operation.data) == bytes(525_000)
    assert peer.statuses() == []
    world.clock.advance(0.0021)
    operation.done.callback(SUCCESS)
    assert peer.statuses() == [0x0000]
    assert lines[-1] == "SDCC<-CT01(1) C-STORE CT 1.2.3 0000 525 KB 2.1 ms"


def test_a_failure_is_logged_with_its_reason(world: Any, build: SimpleNamespace, lines: list[str]) -> None:
    peer = world.peer().associate()
    peer.send(build.store())
    world.storage.operations[0].done.callback(Outcome(status=0xA700, comment="disk full"))
    [response] = peer.received()
    assert (response.status, response.error_comment) == (0xA700, "disk full")
    assert lines[-1] == "SDCC<-CT01(1) C-STORE CT 1.2.3 A700 8 B 0.0 ms: disk full"


def test_a_note_is_for_the_log_alone(world: Any, build: SimpleNamespace, lines: list[str]) -> None:
    peer = world.peer().associate()
    peer.send(build.store())
    world.storage.operations[0].done.callback(Outcome(status=0xA700, comment="disk full", note="7 answers"))
    [response] = peer.received()
    assert response.error_comment == "disk full"
    assert lines[-1].endswith("ms: disk full; 7 answers")


def test_a_fault_of_the_program_costs_one_operation(
    world: Any, build: SimpleNamespace, lines: list[str]
) -> None:
    peer = world.peer().associate()
    peer.send(build.store())
    world.storage.operations[0].done.errback(RuntimeError("planted"))
    assert peer.statuses() == [0x0110]
    peer.send(build.echo())
    assert peer.statuses() == [0x0000]
    assert any("planted" in line or "failed" in line for line in lines)


def test_a_fault_of_the_program_before_that_costs_one_association(
    world: Any, build: SimpleNamespace, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    peer, other = world.peer().associate(), world.peer().associate()
    monkeypatch.setattr(world.storage, "begin", None)
    peer.send(build.store())
    assert peer.received() == [Abort(0, 0)]
    assert any("aborted source 0: fault of the program" in line for line in lines)
    other.send(build.echo())
    assert other.statuses() == [0x0000]


@given(st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_however_the_bytes_are_split_the_same_is_answered(
    new_world: Any, build: SimpleNamespace, data: st.DataObject
) -> None:
    world = new_world()
    peer = world.peer().associate()
    stream = build.echo(1) + build.store(b"first" * 300, 2, maximum_length=128) + build.echo(3)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=20))
    places = [0, *sorted(cuts), len(stream)]
    for start, end in pairwise(places):
        peer.send(stream[start:end])
    [operation] = world.storage.operations
    assert bytes(operation.data) == b"first" * 300
    assert peer.statuses() == [0x0000]
    operation.done.callback(SUCCESS)
    assert peer.statuses() == [0x0000, 0x0000]


def test_requests_sent_at_once_are_served_in_turn(world: Any, build: SimpleNamespace) -> None:
    peer = world.peer().associate()
    peer.send(build.store(b"one", 1) + build.store(b"two", 2) + build.echo(3))
    assert [bytes(o.data) for o in world.storage.operations] == [b"one"]
    world.storage.operations[0].done.callback(SUCCESS)
    assert [bytes(o.data) for o in world.storage.operations] == [b"one", b"two"]
    world.storage.operations[1].done.callback(SUCCESS)
    assert [r.message_id_being_responded_to for r in peer.received()] == [1, 2, 3]


def test_a_thousand_echoes_in_one_chunk(world: Any, build: SimpleNamespace) -> None:
    peer = world.peer().associate()
    peer.send(build.echo() * 1000)
    statuses = peer.statuses()
    assert 0 < len(statuses) < 100, "others have their turn in between"
    while world.clock.getDelayedCalls()[0].getTime() == world.clock.seconds():
        world.clock.advance(0)
    assert statuses + peer.statuses() == [0] * 1000


def test_a_cancel_for_nothing_is_ignored(world: Any, build: SimpleNamespace) -> None:
    peer = world.peer().associate()
    cancel = CancelRequest(message_id_being_responded_to=7)
    peer.send(b"".join(fragments(1, cancel.encode(), maximum_length=16384)))
    peer.send(build.echo())
    assert peer.statuses() == [0x0000]


def test_a_release_is_answered_after_what_was_asked_before(world: Any, build: SimpleNamespace) -> None:
    peer = world.peer().associate()
    peer.send(build.store(), ReleaseRQ())
    assert peer.received() == []
    world.storage.operations[0].done.callback(SUCCESS)
    response, released = peer.received()
    assert response.status == 0x0000
    assert isinstance(released, ReleaseRP)


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (data_pdu(1, 0b10, b"data"), "Data Set"),
        (data_pdu(9, 0b11, b"comm"), "not accepted"),
        (data_pdu(1, 0b11, b"\xff" * 20), ""),
        (data_pdu(1, 0b11, b""), ""),
    ],
    ids=["a Data Set of nothing", "a context that is not", "no Command Set", "an empty Command Set"],
)
def test_what_breaks_dimse_is_aborted_by_the_service_user(
    world: Any, lines: list[str], sent: bytes, words: str
) -> None:
    peer = world.peer().associate()
    peer.send(sent)
    assert peer.received() == [Abort(0, 0)]
    assert "aborted source 0" in lines[-1]
    assert words in lines[-1]


def test_a_response_to_nothing_is_aborted(world: Any, build: SimpleNamespace) -> None:
    peer = world.peer().associate()
    response = Response(command_field=0x8030, message_id_being_responded_to=1, status=0)
    peer.send(b"".join(fragments(1, response.encode(), maximum_length=16384)))
    assert peer.received() == [Abort(0, 0)]


def test_a_peer_that_can_take_no_answer_is_aborted(
    world: Any, build: SimpleNamespace, lines: list[str]
) -> None:
    peer = world.peer().associate(maximum_length=4)
    peer.send(build.echo())
    assert peer.received() == [Abort(0, 0)]
    assert lines[-1] == "SDCC<-CT01(1) C-ECHO 0000 0.0 ms, not answered"


def test_answers_are_no_longer_than_the_peer_takes(world: Any, build: SimpleNamespace) -> None:
    peer = world.peer().associate(maximum_length=64)
    peer.send(build.echo())
    assert max(map(len, [peer.transport.value()])) > 64
    stream = peer.transport.value()
    position = 0
    while position < len(stream):
        [length] = struct.unpack_from(">I", stream, position + 2)
        assert length <= 64
        position += 6 + length


# --- ends in the middle ---


@pytest.mark.parametrize("how", ["abort", "lost"])
def test_an_end_in_the_middle_of_an_object_abandons_it(world: Any, build: SimpleNamespace, how: str) -> None:
    peer = world.peer().associate()
    whole_pdus = build.store(bytes(10_000), maximum_length=1006)[: -(6 + 1006)]
    peer.send(whole_pdus)
    if how == "abort":
        peer.send(Abort(0, 0))
    else:
        peer.lose()
    [operation] = world.storage.operations
    assert operation.state == "abandoned"
    assert world.waiting.total == 0


def test_a_whole_object_is_finished_though_its_peer_has_gone(
    world: Any, build: SimpleNamespace, lines: list[str]
) -> None:
    peer = world.peer().associate()
    peer.send(build.store())
    peer.lose()
    [operation] = world.storage.operations
    assert operation.state == "completing"
    stopped = ensureDeferred(world.server.stop())
    assert not stopped.called, "a stop waits for it"
    operation.done.callback(SUCCESS)
    assert stopped.called
    assert lines[-1] == "SDCC<-CT01(1) C-STORE CT 1.2.3 0000 8 B 0.0 ms, not answered"


def test_after_an_abort_of_ours_the_peer_may_say_what_it_likes(world: Any, build: SimpleNamespace) -> None:
    peer = world.peer().associate()
    peer.send(b"\xff\0\0\0\0\4")
    peer.received()
    peer.send(build.echo(), build.request(), b"anything")
    assert peer.received() == []
    world.clock.advance(30)
    assert peer.transport.disconnected or peer.transport.disconnecting


# --- limits ---


def test_a_peer_ahead_of_the_disk_is_paused(new_world: Any, build: SimpleNamespace) -> None:
    world = new_world(waiting=WaitingBytes(of_one=100_000, of_all=1_000_000))
    world.storage.are_fast = False
    peer = world.peer().associate()
    stream = build.store(bytes(300_000))
    peer.send(stream[:80_000])
    assert not peer.is_paused
    peer.send(stream[80_000:140_000])
    assert peer.is_paused
    world.storage.operations[0].written()
    assert not peer.is_paused


def test_what_is_performed_for_a_peer_that_has_left_still_counts(world: Any, build: SimpleNamespace) -> None:
    """Or who comes and goes would fill the memory while the disk stands still."""
    for _ in range(3):
        peer = world.peer().associate()
        peer.send(build.store())
        peer.lose()
    assert (world.limits.total, world.waiting.operations) == (0, 3)
    for operation in world.storage.operations:
        operation.done.callback(SUCCESS)
    assert world.waiting.operations == 0


def test_requests_ahead_of_the_answers_are_paused(world: Any, build: SimpleNamespace) -> None:
    peer = world.peer().associate()
    peer.send(build.store())
    peer.send(build.store(bytes(QUEUE_LIMIT), 2))
    assert peer.is_paused
    world.storage.operations[0].done.callback(SUCCESS)
    assert not peer.is_paused


def test_a_peer_that_does_not_read_is_served_no_more(world: Any, build: SimpleNamespace) -> None:
    peer = world.peer().associate()
    peer.protocol.pauseProducing()
    peer.send(build.echo())
    assert peer.received() == []
    assert peer.is_paused
    peer.protocol.resumeProducing()
    assert peer.statuses() == [0]
    assert not peer.is_paused


# --- timers ---


def test_a_connection_that_says_nothing_is_closed_by_artim(world: Any) -> None:
    peer = world.peer()
    world.clock.advance(29)
    assert not peer.is_gone
    world.clock.advance(1)
    assert peer.is_gone
    assert peer.received() == []


def test_a_request_that_never_ends_is_closed_by_artim(world: Any, build: SimpleNamespace) -> None:
    peer = world.peer()
    for byte in build.request().encode()[:60]:
        peer.send(bytes([byte]))
        world.clock.advance(0.5)
    assert peer.is_gone


def test_an_idle_association_is_aborted(world: Any, lines: list[str]) -> None:
    peer = world.peer().associate()
    world.clock.advance(300)
    assert peer.received() == [Abort(0, 0)]
    assert lines[-1] == "SDCC<-CT01(1) aborted source 0: no progress for 300 s"
    assert world.limits.total == 0
    world.clock.advance(30)
    assert peer.transport.disconnecting


def test_a_byte_a_minute_is_no_progress_even_before_the_pdu_says_what_it_is(
    world: Any, build: SimpleNamespace, lines: list[str]
) -> None:
    peer = world.peer().associate()
    for byte in build.request().encode()[:6]:
        peer.send(bytes([byte]))
        world.clock.advance(60)
    assert peer.received() == [Abort(0, 0)]
    assert lines[-1] == "SDCC<-CT01(1) aborted source 0: no progress for 300 s"


def test_an_association_is_not_idle_while_it_waits_for_us(world: Any, build: SimpleNamespace) -> None:
    peer = world.peer().associate()
    peer.send(build.store())
    world.clock.advance(299)
    world.clock.advance(299)
    assert peer.received() == []
    world.storage.operations[0].done.callback(SUCCESS)
    assert peer.statuses() == [0]
    world.clock.advance(299)
    assert peer.received() == []


def test_a_peer_that_we_held_back_is_not_idle_for_that(new_world: Any, build: SimpleNamespace) -> None:
    world = new_world(waiting=WaitingBytes(of_one=1000, of_all=100_000))
    world.storage.are_fast = False
    peer = world.peer().associate()
    peer.send(build.store(bytes(5000), maximum_length=1006)[:4000])
    assert peer.is_paused
    world.clock.advance(299)
    world.storage.operations[0].written()
    world.clock.advance(299)
    assert peer.received() == []
    world.clock.advance(1)
    assert peer.received() == [Abort(0, 0)]


def test_nothing_is_left_on_the_clock_after_the_end(world: Any, build: SimpleNamespace) -> None:
    peer = world.peer().associate()
    peer.send(build.echo(), ReleaseRQ())
    peer.lose()
    assert world.clock.getDelayedCalls() == []


# --- stopping ---


def test_a_stop_ends_idle_associations_now_and_waits_for_the_others(
    world: Any, build: SimpleNamespace
) -> None:
    silent, idle, busy = world.peer(), world.peer().associate(), world.peer().associate()
    stream = build.store(bytes(1000))
    busy.send(stream[:500])
    stopped = ensureDeferred(world.server.stop())
    assert silent.is_gone
    assert idle.received() == [Abort(0, 0)]
    assert idle.is_gone
    assert not busy.is_gone
    busy.send(stream[500:])
    world.storage.operations[0].done.callback(SUCCESS)
    assert busy.received()[0].status == 0
    assert busy.is_gone
    for peer in (silent, idle, busy):
        peer.lose()
    assert stopped.called
    assert world.clock.getDelayedCalls() == []


def test_a_stop_begins_nothing_new_but_answers_a_release(world: Any, build: SimpleNamespace) -> None:
    """What came behind the operation under way is not begun; an A-RELEASE-RQ is answered."""
    pipelined, releasing = world.peer().associate(), world.peer().associate()
    pipelined.send(build.store(message_id=1) + build.store(message_id=2))
    releasing.send(build.store(), ReleaseRQ())
    ensureDeferred(world.server.stop())
    for operation in list(world.storage.operations):
        operation.done.callback(SUCCESS)
    assert len(world.storage.operations) == 2
    assert [type(answer).__name__ for answer in pipelined.received()] == ["Response", "Abort"]
    assert [type(answer).__name__ for answer in releasing.received()] == ["Response", "ReleaseRP"]
    assert pipelined.is_gone


def test_a_stop_does_not_wait_for_who_does_not_read(world: Any, build: SimpleNamespace) -> None:
    peer = world.peer().associate()
    peer.protocol.pauseProducing()
    peer.send(build.echo())
    ensureDeferred(world.server.stop())
    assert peer.is_gone


def test_a_stop_that_closes_a_connection_reads_no_more_of_it(world: Any, build: SimpleNamespace) -> None:
    """In one chunk a message breaks off, more waits than may, and the peer leaves."""
    peer = world.peer().associate()
    response = Response(command_field=0x8001, message_id_being_responded_to=1, status=0).encode()
    peer.send(data_pdu(1, 1, response[:10]))
    ensureDeferred(world.server.stop())
    more = data_pdu(1, 0, bytes(QUEUE_LIMIT // 32)) * 32
    peer.send(data_pdu(1, 3, response[10:]) + more + Abort(0, 0).encode())
    assert peer.is_gone
    assert world.limits.total == 0


def test_a_stop_waits_no_longer_than_drain_timeout(world: Any, build: SimpleNamespace) -> None:
    peer = world.peer().associate()
    peer.send(build.store(bytes(1000))[:500])
    stopped = ensureDeferred(world.server.stop())
    world.clock.advance(20)
    assert Abort(0, 0) in peer.received()
    peer.lose()
    assert stopped.called
    assert world.storage.operations[0].state == "abandoned"


def test_what_is_done_elsewhere_for_associations_ends_when_they_are_cut(
    new_world: Any, build: SimpleNamespace
) -> None:
    ends: list[str] = []
    world = new_world(at_cut=lambda: ends.append("cut"))
    peer = world.peer().associate()
    peer.send(build.store(bytes(1000))[:500])
    ensureDeferred(world.server.stop())
    world.clock.advance(19)
    assert ends == []
    world.clock.advance(1)
    assert ends == ["cut"]


@given(st.binary(max_size=400))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_bytes_at_all_end_in_an_answer_of_the_standard(new_world: Any, data: bytes) -> None:
    """Before an association or within one, nothing raises and nothing stays when the timers have run."""
    for established in (False, True):
        world = new_world()
        peer = world.peer()
        if established:
            peer.associate()
        peer.send(data)
        for answer in peer.received():
            assert isinstance(answer, Abort | AssociateRJ | AssociateAC | ReleaseRP)
        world.clock.advance(300)
        world.clock.advance(30)
        assert peer.is_gone
        assert world.limits.total == 0
