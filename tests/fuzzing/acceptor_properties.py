"""What holds of any stream that comes to a port: the network shell on memory transports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import zip_longest
from unittest.mock import patch

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from sdcc.dimse.messages import Response
from sdcc.dimse.status import Status
from sdcc.interfaces import Outcome
from sdcc.network import exchange
from sdcc.network.limits import WaitingBytes
from sdcc.upper_layer.pdu import Abort, AssociateAC, AssociateRJ, ReleaseRP

from ..network.conftest import Peer, World

#: The limits are small, so that streams of a few kilobytes reach them.
WAITING_BYTES = {"of_one": 2048, "of_all": 3072, "spared": 256}
EXCHANGE = {"TURN": 40, "QUEUE_LIMIT": 1024}
#: More than a stream needs of anything.
TURNS = 200
#: Characters of a line of the log, whatever a peer calls itself and what it sends.
LONGEST_LINE = 500
ANSWERS = (Abort, AssociateAC, AssociateRJ, ReleaseRP, Response)


class Reading(Enum):
    """When a peer reads what it is answered."""

    AT_ONCE = auto()
    #: When it can send no more otherwise.
    LATE = auto()
    NEVER = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a stream meets with besides itself."""

    disk_is_fast: bool = True
    reading: Reading = Reading.AT_ONCE
    #: The peers close when all is sent; otherwise they say nothing more.
    peers_leave: bool = False
    #: After so many pieces the server is asked to stop.
    stop_after: int | None = None


def streams_end_and_leave_nothing(streams: Sequence[Sequence[bytes]], circumstances: Circumstances) -> None:
    """Whatever comes over several connections at once: no fault of the program, nothing ill in the log,
    and every timer, slot and byte is given back, at the latest when a peer has been idle for long enough.
    """
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)
    try:
        with patch.multiple(exchange, **EXCHANGE):
            _let_them_come(streams, circumstances)
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert [event for event in events if "log_failure" in event] == []
    ill = [line for line in map(formatEvent, events) if not line.isprintable() or len(line) > LONGEST_LINE]
    assert ill == []


def _let_them_come(streams: Sequence[Sequence[bytes]], circumstances: Circumstances) -> None:
    world = World(waiting=WaitingBytes(**WAITING_BYTES))
    world.storage.are_fast = circumstances.disk_is_fast
    peers = [world.peer() for _ in streams]
    stopped: Deferred[None] | None = None
    for turn, pieces in enumerate(zip_longest(*streams)):
        for peer, piece in zip(peers, pieces, strict=True):
            if piece is not None:
                _send(world, peer, piece, circumstances.reading)
        if turn == circumstances.stop_after:
            stopped = ensureDeferred(world.server.stop())
    _do_what_is_due(world)
    if not circumstances.peers_leave:
        _wait(world)
        assert all(peer.is_gone for peer in peers)
        assert world.limits.total == 0
    for peer in peers:
        assert [answer for answer in peer.received() if not isinstance(answer, ANSWERS)] == []
        peer.lose()
    _do_what_is_due(world)
    _assert_nothing_is_left(world)
    assert stopped is None or stopped.called


def _send(world: World, peer: Peer, piece: bytes, reading: Reading) -> None:
    for _ in range(TURNS):
        if not peer.is_paused or peer.is_gone:
            break
        if reading is not Reading.NEVER:
            peer.protocol.resumeProducing()
        _do_what_is_due(world)
    else:
        assert reading is Reading.NEVER, "nothing will ever be read again"
        return
    if not peer.is_gone:
        peer.send(piece)
    if reading is not Reading.AT_ONCE and not peer.is_gone:
        peer.protocol.pauseProducing()


def _do_what_is_due(world: World) -> None:
    """The disk has written, operations are done, and what the server put off is served."""
    for operation in world.storage.operations:
        if operation.waiting:
            operation.written()
        if operation.state == "completing" and not operation.done.called:
            operation.done.callback(Outcome(status=Status.SUCCESS))
    world.clock.advance(0)


def _wait(world: World) -> None:
    """As long as an association may be idle, and then as long as a peer may take to close."""
    settings = world.configuration.association
    for seconds in (settings.artim_timeout, settings.idle_timeout, settings.artim_timeout):
        _do_what_is_due(world)
        world.clock.advance(seconds)


def _assert_nothing_is_left(world: World) -> None:
    assert world.clock.getDelayedCalls() == []
    assert world.limits.total == 0
    assert world.waiting.total == 0
    assert world.waiting.held == []
    assert world.server._connections == {}
    assert {operation.state for operation in world.storage.operations} <= {"completing", "abandoned"}
