"""The peers: what senders do on their good days and on their bad ones.

Each kind is a coroutine over one association; :data:`KINDS` says how often it comes. What a peer is told it
tells the history. An answer that no server may give is an AssertionError here, and ends the run.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

from twisted.internet.defer import Deferred

from ..interop import objects, wire
from .conditions import Conditions
from .history import History, Version
from .network import Network
from .requestor import CT, ECHO, STORE, Gone, Requestor
from .schedule import Schedule

#: SOP Instance UIDs that all peers send again and again.
SHARED = 3
#: What a store may be answered with, besides Success.
REFUSALS = (0xA700, 0xA900, 0xC000, 0x0110)
#: How often a peer tries.
ATTEMPTS = 3
#: How long an echo takes at most on a healthy association that is used for nothing else, in seconds.
ECHO_BOUND = 0.1
#: What strangers say, in words of no protocol of ours.
GARBAGE = (
    b"GET / HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01",
    b"\x01\x00\xff\xff\xff\xff",
    b"\x04\x00\x00\x00\x00\x08\x00\x00\x00\x02\x01\x03",
)


@dataclass(slots=True)
class Crowd:
    """What all peers of a world share."""

    schedule: Schedule
    network: Network
    history: History
    conditions: Conditions
    #: Ports of the servers.
    ports: list[int]
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def random(self) -> Random:
        return self.schedule.random


class Peer:
    """One peer, and its one association."""

    def __init__(self, crowd: Crowd, *, is_healthy: bool = False) -> None:
        self.crowd = crowd
        self.random = crowd.random
        self.number = next(crowd.numbers)
        self.requestor = Requestor(
            crowd.network, crowd.schedule, self.random.choice(crowd.ports), is_healthy=is_healthy
        )
        self._message_ids = itertools.count(1)
        #: Requests that are not answered yet: message ID, and the version that is stored or None.
        self._asked: list[tuple[int, Version | None]] = []

    def pause(self, seconds: float) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        self.crowd.schedule.later(self.random.uniform(0, seconds), done.callback, None)
        return done

    # --- requests ---

    def store_rq(self, *, is_wrong: bool = False, batches: int | None = None) -> tuple[Version, bytes]:
        """A C-STORE with its Data Set, of which no two are alike.

        :param is_wrong: the Data Set is another object's.
        :param batches: how large it is; None: anything.
        """
        uid = f"1.2.3.{self.random.randint(1, SHARED)}" if self.random.random() < 0.7 else self._new_uid()
        study = f"1.2.{self.random.randint(1, 2)}"
        batches = self.random.choice((0, 1, 2, 4)) if batches is None else batches
        size = batches * self.crowd.conditions.batch
        pixels = f"{next(self.crowd.numbers):08}".encode() + self.random.randbytes(size)
        instance = f"{uid}.9" if is_wrong else uid
        data_set = objects.data_set(instance=instance, study=study, series=f"{study}.1", pixels=pixels)
        version = self.crowd.history.begin(uid, self.requestor.port, data_set)
        message_id = next(self._message_ids)
        length = self.crowd.conditions.maximum_pdu_length - 6
        request = wire.p_datas(
            STORE[0], wire.COMMAND, wire.store_rq(CT, uid, message_id), length
        ) + wire.p_datas(STORE[0], wire.DATA, data_set, length)
        self._asked.append((message_id, version))
        self.crowd.schedule.note(self, "begins to send", version, "wrongly" if is_wrong else "")
        return version, request

    def send_store(self, *, is_wrong: bool = False, batches: int | None = None) -> None:
        version, request = self.store_rq(is_wrong=is_wrong, batches=batches)
        version.is_whole = not is_wrong
        self.requestor.connection.send(request)

    def send_echo(self) -> None:
        message_id = next(self._message_ids)
        self._asked.append((message_id, None))
        self.requestor.connection.send(wire.p_datas(ECHO[0], wire.COMMAND, wire.echo_rq(message_id)))

    def send_something(self) -> None:
        if self.random.random() < 0.75:
            self.send_store(is_wrong=self.random.random() < 0.05)
        else:
            self.send_echo()

    async def answers(self) -> None:
        """Wait until everything that was asked is answered."""
        while self._asked:
            response = await self.requestor.response()
            message_id, version = self._asked.pop(0)
            status = response[wire.STATUS]
            assert response[0x0120] == message_id, f"{response} answers another request than {message_id}"
            self.crowd.schedule.note(
                self, "is answered", f"{status:04X}", response.get(wire.ERROR_COMMENT, "")
            )
            if version is None:
                assert status == 0x0000, response
            elif status == 0x0000:
                self.crowd.history.acknowledge(version)
            else:
                assert status in REFUSALS, response

    def _new_uid(self) -> str:
        return f"1.2.4.{next(self.crowd.numbers)}"

    def __str__(self) -> str:
        return f"peer {self.number}"


# --- what they do --------------------------------------------------------------------------


async def stores(peer: Peer) -> None:
    """Ask, wait for the answer, ask again; as a modality does."""
    await peer.requestor.associate(ECHO, STORE)
    for _ in range(peer.random.randint(1, 4)):
        peer.send_something()
        await peer.answers()
        if peer.random.random() < 0.3:
            await peer.pause(2.0)
    await _leave(peer)


async def pipelines(peer: Peer) -> None:
    """Ask for many things at once: more than may wait in memory."""
    await peer.requestor.associate(ECHO, STORE)
    for _ in range(peer.random.randint(2, 6)):
        peer.send_something()
    if peer.random.random() < 0.8:
        await peer.answers()
    await _leave(peer)


async def breaks_off(peer: Peer) -> None:
    """Send a part of an object, and then leave in one way or another."""
    await peer.requestor.associate(ECHO, STORE)
    if peer.random.random() < 0.5:
        peer.send_something()
    _, request = peer.store_rq()
    if peer.random.random() < 0.5:
        sent = request[: peer.random.randrange(len(request))]
        ends = RUDE_ENDS[1:]  # an A-ABORT inside a PDU would be a part of it
    else:
        pdus = wire.pdus(request)
        sent = b"".join(pdus[: peer.random.randrange(len(pdus))])
        ends = RUDE_ENDS
    peer.requestor.connection.send(sent)
    await peer.pause(2.0)
    await peer.random.choice(ends)(peer)


async def is_deaf(peer: Peer) -> None:
    """Ask, and read no answer for a while."""
    await peer.requestor.associate(ECHO, STORE)
    peer.requestor.connection.to_peer.stop_reading()
    for _ in range(peer.random.randint(5, 20)):
        peer.send_echo()
    if peer.random.random() < 0.5:
        peer.send_store()
    await peer.pause(30.0)
    peer.requestor.connection.to_peer.read_on()
    await peer.answers()
    await _leave(peer)


async def says_nothing(peer: Peer) -> None:
    """Open a connection, and perhaps an association, and keep it."""
    if peer.random.random() < 0.5:
        peer.requestor.connect()
    else:
        await peer.requestor.associate(ECHO)
    await peer.requestor.receive()


async def says_garbage(peer: Peer) -> None:
    peer.requestor.connect()
    if peer.random.random() < 0.5:
        peer.requestor.connection.send(wire.associate_rq(ECHO, STORE))
    peer.requestor.connection.send(peer.random.choice(GARBAGE) + peer.random.randbytes(40))
    await peer.requestor.receive()


async def stores_one(peer: Peer) -> None:
    """Store, where nothing may stand in the way."""
    await peer.requestor.associate(ECHO, STORE)
    peer.send_store(batches=1)
    await peer.answers()
    await peer.requestor.release()


async def echoes(peer: Peer) -> None:
    """Ask for nothing but echoes, on a good connection: whatever others do, the answer comes at once."""
    await peer.requestor.associate(ECHO)
    schedule = peer.crowd.schedule
    for _ in range(peer.random.randint(1, 3)):
        asked_at, stalled = schedule.now, schedule.stalled
        peer.send_echo()
        await peer.answers()
        seconds = schedule.now - asked_at - (schedule.stalled - stalled)
        assert seconds <= ECHO_BOUND, f"{peer}: an echo took {seconds:.3f} s"
        await peer.pause(3.0)
    await peer.requestor.release()


async def _leave(peer: Peer) -> None:
    """End an association between two requests."""
    if peer.random.random() < 0.4:
        await peer.random.choice(RUDE_ENDS)(peer)
        return
    if peer.random.random() < 0.7:
        await peer.answers()
        await peer.requestor.release()
        return
    # What was asked before the release is answered before it.
    peer.requestor.connection.send(wire.pdu(wire.RELEASE_RQ, bytes(4)))
    await peer.answers()
    peer.requestor.close()


async def _abort(peer: Peer) -> None:
    peer.requestor.abort()


async def _reset(peer: Peer) -> None:
    peer.requestor.connection.reset()


async def _cut(peer: Peer) -> None:
    peer.requestor.connection.cut()


async def _half_close(peer: Peer) -> None:
    peer.requestor.connection.finish()
    await peer.answers()


async def _fall_silent(peer: Peer) -> None:
    await peer.answers()


Kind = Callable[[Peer], Awaitable[None]]
#: How an association ends without a release.
RUDE_ENDS: tuple[Kind, ...] = (_abort, _reset, _cut, _half_close, _fall_silent)
#: What a peer does, and how often.
KINDS: dict[Kind, int] = {
    stores: 6,
    pipelines: 3,
    breaks_off: 3,
    echoes: 2,
    is_deaf: 1,
    says_nothing: 1,
    says_garbage: 1,
}


async def live(crowd: Crowd, kind: Kind) -> None:
    """A peer comes, does as its kind, and is gone. Where it is cut off, it tries again."""
    for _ in range(ATTEMPTS):
        peer = Peer(crowd, is_healthy=kind in (echoes, stores_one))
        await peer.pause(4.0)
        crowd.schedule.note(peer, kind.__name__)
        try:
            await kind(peer)
        except Gone:
            crowd.schedule.note(peer, "is cut off")
            peer.requestor.close()
        else:
            peer.requestor.close()
            return


def some_kind(random: Random) -> Kind:
    return random.choices([*KINDS], [*KINDS.values()])[0]
