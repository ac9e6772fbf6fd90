"""A small disk of the server's own gets full, under its floor or wholly, and has room again."""

from __future__ import annotations

import pytest

from ..interop.halves import CONTEXTS
from ..interop.objects import CT, MR
from ..interop.server import CONFIGURATION, STORAGE, until
from ..interop.wire import ASSOCIATE_AC, ERROR_COMMENT, EXPLICIT, STATUS, Peer
from .injection import injected
from .service import INDEX_ELSEWHERE, OUT_OF_RESOURCES, Witness, is_stored, refuses, serves, store
from .volumes import filled

MIB = 1 << 20
STORING = ((1, CT, EXPLICIT), (5, MR, EXPLICIT))


@pytest.fixture
def small(mounts, tmp_path):
    """Makes a small disk in the test's directory; who also asks for `start` asks for it after this."""

    def small(name, size):
        mounts.small(tmp_path / name, size)
        return tmp_path / name

    return small


def test_full_in_the_middle_of_an_object(small, start, connect):
    disk = small(STORAGE, 8 * MIB)
    server = start(INDEX_ELSEWHERE + CONFIGURATION)
    witness, peer = Witness(server, connect(server.address)), connect(server.address)
    peer.associate(*CONTEXTS)
    refuses(server, peer, witness, "disk full", size=20 * MIB)
    assert is_stored(peer), "the room of the object that was too large is there again"
    with filled(disk):
        refuses(server, peer, witness, "disk full", size=200)
    serves(peer, witness)
    peer.release()


def test_the_disk_of_the_index_is_full(small, start, connect):
    disk = small("index", MIB)
    server = start('[index]\nurl = "sqlite:///index/index.sqlite"\n' + CONFIGURATION)
    witness, peer = Witness(server, connect(server.address)), connect(server.address)
    peer.associate(*CONTEXTS)
    assert is_stored(peer)
    with filled(disk):
        answers = (store(peer, size=200) for _ in range(1000))
        refused = next(answer for answer in answers if answer[STATUS] != 0)
        assert (refused[STATUS], refused[ERROR_COMMENT]) == (
            OUT_OF_RESOURCES,
            "index: database or disk is full",
        )
        assert peer.echo(3) == 0
        until(lambda: server.objects() == server.registered().keys(), "what was refused is removed")
    serves(peer, witness)
    until(lambda: "works again" in server.log(), "the log says so")
    assert (server.log().count("index.sqlite fails"), server.log().count("works again")) == (1, 1)
    peer.release()


def test_objects_and_index_on_one_full_disk(small, start, connect):
    """To the last byte, whichever of the two hits it."""
    disk = small(STORAGE, 4 * MIB)
    server = start()
    peer = connect(server.address)
    peer.associate(*CONTEXTS)
    with filled(disk, left=MIB):
        answers = [store(peer, size=40_000) for _ in range(60)]
        statuses = [answer[STATUS] for answer in answers]
        assert set(statuses) == {0, OUT_OF_RESOURCES}
        assert {answer.get(ERROR_COMMENT) for answer in answers} <= {
            None,
            "disk full",
            "index: database or disk is full",
            "index: disk I/O error",
        }
        assert peer.echo(3) == 0
    until(lambda: is_stored(peer), "objects are taken again")
    assert len(server.registered()) > statuses.count(0)
    peer.release()


def refusal(server, *contexts):
    """The codes that an association is refused with; None: it is accepted."""
    with Peer(server.address) as peer:
        answer = peer.associate(*contexts)
        if answer.type != ASSOCIATE_AC:
            return answer.codes
        peer.release()
        return None


def test_under_the_floor_of_free_space(small, start, connect, strace):
    """Who could do nothing but store is turned away at once; the log says it once."""
    disk = small(STORAGE, 16 * MIB)
    configuration = CONFIGURATION.replace("minimum_free = 0", 'minimum_free = "4 MiB"')
    server = start(INDEX_ELSEWHERE + configuration)
    witness, peer = Witness(server, connect(server.address)), connect(server.address)
    peer.associate(*CONTEXTS)
    under = "free space is under minimum_free"
    refuses(server, peer, witness, under, size=14 * MIB)
    until(lambda: is_stored(peer), "the free space is looked at")
    assert refusal(server, *STORING) is None
    with filled(disk, left=3 * MIB):
        until(lambda: refusal(server, *STORING) == "2/3/1", "the free space is looked at")
        assert refusal(server, *CONTEXTS) is None
        refuses(server, peer, witness, under)
        with injected(strace, server, calls=("statfs",)) as looks:
            until(lambda: looks.count("statfs") == 2, "the free space is looked at again")
        assert refusal(server, *STORING) == "2/3/1"
    until(lambda: refusal(server, *STORING) is None, "the free space is looked at")
    serves(peer, witness)
    until(lambda: "Objects are taken again" in server.log(), "the log says so")
    lines = [line for line in server.log().splitlines() if "FreeSpace" in line]
    assert [line.partition("] ")[2].partition(":")[0] for line in lines] == [
        "No object is taken",
        "Objects are taken again",
    ]
    peer.release()
