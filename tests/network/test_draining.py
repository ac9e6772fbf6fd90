"""Draining without a stop: nobody new, whoever is idle leaves, and what is under way takes its time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred

from sdcc import conformance
from sdcc.config import Remote
from sdcc.dimse.messages import EventReportRequest
from sdcc.interfaces import AssociationLost, Outcome
from sdcc.network.addresses import ip_address
from sdcc.upper_layer.pdu import Abort, AssociateAC, AssociateRJ

SUCCESS = Outcome(status=0x0000)
DRAINED = "SDCC is drained: no association is open"


def test_who_is_idle_is_aborted_and_who_is_busy_when_it_is_done(
    world: Any, lines: list[str], build: SimpleNamespace
) -> None:
    idle, busy = world.peer().associate(), world.peer().associate()
    busy.send(build.store())
    world.server.drain()
    assert idle.received() == [Abort(0, 0)]
    assert idle.is_gone
    world.clock.advance(250)
    assert not busy.is_gone, "there is no timeout"
    world.storage.operations[0].done.callback(SUCCESS)
    response, abort = busy.received()
    assert (response.status, abort) == (0x0000, Abort(0, 0))
    assert busy.is_gone
    assert "SDCC<-CT01(1) aborted source 0: SDCC is draining" in lines


def test_a_request_that_comes_after_the_one_under_way_is_not_begun(
    world: Any, build: SimpleNamespace
) -> None:
    """Its sender sees an A-ABORT, and knows that it was not stored."""
    peer = world.peer().associate()
    peer.send(build.store())
    world.server.drain()
    peer.send(build.store(message_id=2))
    world.storage.operations[0].done.callback(SUCCESS)
    assert len(world.storage.operations) == 1
    assert peer.received()[-1] == Abort(0, 0)


def test_who_comes_is_refused_and_may_have_been_connected_before(
    world: Any, lines: list[str], build: SimpleNamespace
) -> None:
    connected = world.peer()
    world.server.drain()
    for peer in (connected, world.peer()):
        peer.send(build.request())
        assert peer.received() == [AssociateRJ(2, 3, 1)]
    assert "SDCC<-CT01(1) refused 2/3/1: draining (from 127.0.0.1)" in lines


def test_who_waits_for_a_look_up_when_it_begins_is_refused_too(
    new_world: Any, build: SimpleNamespace
) -> None:
    world = new_world(remotes=(Remote(ae_title="CT01", address="ct01.example"),))
    world.names["ct01.example"] = lookup = Deferred()
    peer = world.peer()
    peer.send(build.request())
    world.server.drain()
    lookup.callback(frozenset({ip_address("127.0.0.1")}))
    assert peer.received() == [AssociateRJ(2, 3, 1)]


def test_the_log_says_once_when_the_last_has_gone(
    world: Any, lines: list[str], build: SimpleNamespace
) -> None:
    one, other = world.peer().associate(), world.peer().associate()
    for peer in (one, other):
        peer.send(build.store())
    stranger = world.peer()
    world.server.drain()
    assert "SDCC is draining, associations: 2" in lines
    for peer, operation in zip((one, other), world.storage.operations, strict=True):
        assert DRAINED not in lines
        operation.done.callback(SUCCESS)
        peer.lose()
    assert lines.count(DRAINED) == 1
    stranger.lose()
    assert lines.count(DRAINED) == 1


def test_a_peer_that_leaves_is_waited_for_as_long_as_its_object_is_being_stored(
    world: Any, lines: list[str], build: SimpleNamespace
) -> None:
    peer = world.peer().associate()
    peer.send(build.store())
    world.server.drain()
    peer.lose()
    assert DRAINED not in lines
    world.storage.operations[0].done.callback(SUCCESS)
    assert lines.count(DRAINED) == 1


def test_with_nobody_there_it_is_drained_at_once(world: Any, lines: list[str]) -> None:
    world.server.drain()
    world.server.drain()
    assert lines == ["SDCC is draining, associations: 0", DRAINED]


@pytest.mark.parametrize("drained", [True, False])
def test_it_can_be_undone(world: Any, lines: list[str], build: SimpleNamespace, drained: bool) -> None:
    """Who is left goes on, with what it has sent meanwhile too."""
    busy = world.peer().associate()
    busy.send(build.store())
    world.server.drain()
    busy.send(build.echo(2))
    if drained:
        world.storage.operations[0].done.callback(SUCCESS)
        busy.lose()
    world.server.go_on()
    assert not world.server.is_draining
    if not drained:
        world.storage.operations[0].done.callback(SUCCESS)
        assert busy.statuses() == [0, 0]
        assert not busy.is_gone
    new = world.peer()
    new.send(build.request())
    assert isinstance(new.received()[0], AssociateAC)
    world.server.go_on()
    assert lines.count("SDCC takes associations again") == 1


def test_when_it_is_undone_what_has_come_is_begun_also_while_a_peer_is_yet_to_answer_us(
    world: Any, build: SimpleNamespace
) -> None:
    peer = world.peer().ask()
    peer.send(build.action())
    [asked] = world.commitment.operations
    report = EventReportRequest(
        message_id=1,
        affected_sop_class_uid=conformance.STORAGE_COMMITMENT,
        affected_sop_instance_uid=conformance.STORAGE_COMMITMENT_INSTANCE,
        event_type_id=1,
    )
    reporting = ensureDeferred(asked.requests.request(9, report))
    reporting.addErrback(lambda failure: failure.trap(AssociationLost))
    world.server.drain()
    peer.send(build.echo(2))
    peer.received()
    world.server.go_on()
    assert peer.statuses() == [0]
    peer.lose()


def test_it_can_be_done_again(world: Any, lines: list[str], build: SimpleNamespace) -> None:
    for _ in range(2):
        world.server.drain()
        world.server.go_on()
    assert lines.count(DRAINED) == 2


def test_a_stop_while_it_drains_has_its_timeout(world: Any, lines: list[str], build: SimpleNamespace) -> None:
    peer = world.peer().associate()
    peer.send(build.store(bytes(1000))[:500])
    world.server.drain()
    stopped = ensureDeferred(world.server.stop())
    world.clock.advance(19)
    assert not peer.is_gone
    world.clock.advance(1)
    assert peer.is_gone
    peer.lose()
    assert stopped.called
    assert "drain_timeout, 20 s, is over, associations that are cut: 1" in lines
    assert DRAINED not in lines


def test_a_stop_may_be_cut_short(world: Any, lines: list[str], build: SimpleNamespace) -> None:
    peer = world.peer().associate()
    peer.send(build.store(bytes(1000))[:500])
    stopped = ensureDeferred(world.server.stop())
    world.server.cut()
    assert Abort(0, 0) in peer.received()
    peer.lose()
    assert stopped.called
    assert world.clock.getDelayedCalls() == [], "drain_timeout's among them"
