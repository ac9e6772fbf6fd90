"""A disk or database does not answer for a while: memory stays bounded, others are served, nothing fails."""

from __future__ import annotations

import pytest

from ..interop.halves import CONTEXTS, begin
from ..interop.objects import new_uid
from ..interop.server import CONFIGURATION, until
from ..interop.wire import IMPLICIT, VERIFICATION, Peer
from .crowd import Crowd
from .injection import injected

MIB = 1 << 20
ASSOCIATIONS, SIZE = 60, 8 * MIB
#: No byte is written and no file synced until strace lets go.
HANGING = "writev,fsync:delay_enter=3600s"
#: What may wait in memory to be written, in all, and what each association may have waiting beyond that.
WAITING, SPARED = 128 * MIB, MIB // 2
#: Peers that leave in the middle of an object, of which the server has read over 256 KiB.
LEAVING = 400
#: For all else: threads, associations, what is being read.
CONSTANT = 16 * MIB


def echoes(server):
    """C-ECHO on an association of its own."""
    with Peer(server.address) as peer:
        peer.associate((3, VERIFICATION, IMPLICIT))
        status = peer.echo(3)
        peer.release()
        return status == 0


@pytest.fixture
def server(start):
    server = start()
    assert echoes(server), "what is made when first used is made"
    return server


@pytest.fixture
def grown(server):
    """Gives by how many bytes the server's memory has grown at most since the test began."""
    server.forget_peak_rss()
    before = server.rss()
    return lambda: server.peak_rss() - before


def test_a_disk_that_hangs(server, grown, strace):
    with injected(strace, server, HANGING):
        crowd = Crowd(server, ASSOCIATIONS, SIZE)
        crowd.wait_until_held()
        assert crowd.finished < ASSOCIATIONS
        assert echoes(server)
        assert crowd.statuses == []
    crowd.end()
    assert crowd.statuses == [0] * ASSOCIATIONS
    assert grown() < WAITING + ASSOCIATIONS * SPARED + CONSTANT, f"{grown() / MIB:.0f} MiB"


def test_peers_that_leave_a_disk_that_hangs_and_call_again(server, grown, strace):
    """What they have sent of their objects is let go of at once, and does not gather."""
    with injected(strace, server, HANGING):
        for _ in range(LEAVING):
            with Peer(server.address) as peer:
                peer.associate(*CONTEXTS)
                begin(peer, new_uid())
                peer.abort()
        assert echoes(server)
    until(lambda: not server.incoming(), "nothing is left of their objects")
    assert grown() < 4 * CONSTANT, f"{grown() / MIB:.0f} MiB"


def test_a_database_that_hangs(engine, start):
    server = start(engine.configuration + CONFIGURATION)
    until(lambda: server.takes_objects, "objects are taken")
    with engine.held(server):
        crowd = Crowd(server, ASSOCIATIONS, 1000)
        until(lambda: len(server.objects()) == ASSOCIATIONS, "all but the index is done")
        assert echoes(server)
        assert crowd.statuses == []
    crowd.end()
    assert crowd.statuses == [0] * ASSOCIATIONS
    assert len(server.registered()) == ASSOCIATIONS
