"""What holds of any stream that comes to a port: the network shell on memory transports."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from sdcc.dimse.status import Status
from sdcc.interfaces import Outcome
from sdcc.network.limits import WaitingBytes
from sdcc.upper_layer.pdu import Abort, AssociateAC, AssociateRJ, ReleaseRP

from ..network.conftest import Peer, World

#: Small, so that streams of a few kilobytes reach them.
WAITING_BYTES = {"of_one": 2048, "of_all": 4096, "spared": 256}
#: More than a stream needs of anything.
TURNS = 200


def a_stream_ends_and_leaves_nothing(
    pieces: Sequence[bytes], *, disk_is_fast: bool = True, peer_leaves: bool = False
) -> None:
    """Whatever comes: no fault of the program, nothing ill in the log, and every timer, slot and byte is
    given back: at the latest when the peer has been idle for as long as it may."""
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)
    try:
        world = World(waiting=WaitingBytes(**WAITING_BYTES))
        world.storage.are_fast = disk_is_fast
        peer = world.peer()
        _send(world, peer, pieces)
        if not peer_leaves:
            _wait(world, peer)
            assert peer.is_gone
            assert world.limits.total == 0
        peer.lose()
        _do_what_is_due(world)
        _assert_nothing_is_left(world)
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert [event for event in events if "log_failure" in event] == []
    ill = [line for line in map(formatEvent, events) if not line.isprintable()]
    assert ill == []


def _send(world: World, peer: Peer, pieces: Sequence[bytes]) -> None:
    for piece in pieces:
        for _ in range(TURNS):
            if not peer.is_paused:
                break
            _do_what_is_due(world)
        assert not peer.is_paused, "nothing will ever be read again"
        if peer.is_gone:
            return
        peer.send(piece)
        for answer in peer.received():
            assert not isinstance(answer, Exception)
    _do_what_is_due(world)


def _do_what_is_due(world: World) -> None:
    """The disk has written, operations are done, and what the server put off is served."""
    for operation in world.storage.operations:
        if operation.waiting:
            operation.written()
        if operation.state == "completing" and not operation.done.called:
            operation.done.callback(Outcome(status=Status.SUCCESS))
    world.clock.advance(0)


def _wait(world: World, peer: Peer) -> None:
    """As long as an association may be idle, and then as long as a peer may take to close."""
    settings = world.configuration.association
    for seconds in (settings.artim_timeout, settings.idle_timeout, settings.artim_timeout):
        _do_what_is_due(world)
        world.clock.advance(seconds)
    for answer in peer.received():
        assert isinstance(answer, Abort | AssociateAC | AssociateRJ | ReleaseRP) or hasattr(answer, "status")


def _assert_nothing_is_left(world: World) -> None:
    assert world.clock.getDelayedCalls() == []
    assert world.limits.total == 0
    assert world.waiting.total == 0
    assert world.waiting.held == []
    assert world.server._connections == set()
    assert {operation.state for operation in world.storage.operations} <= {"completing", "abandoned"}
