"""Streams made of sound ones, from several connections at once, to a server over real sockets.

By itself a program for long runs: it starts a server in a directory of its own, attacks it for as
many seconds as it is told, and looks whether it is healthy then.

    python -m tests.fuzzing.attack SECONDS [SEED]
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

from ..interop.conftest import running
from ..interop.objects import CT, data_set, data_set_of, new_uid
from ..interop.server import CONFIGURATION, PATIENCE, Server, until
from ..interop.wire import ASSOCIATE_AC, ASSOCIATE_RQ, EXPLICIT, IMPLICIT, STATUS, VERIFICATION, Peer
from .associations import association
from .parts import first_pdu_length, mutated, segments

CONNECTIONS = 4
#: Of associations: twice as many, as the server may notice late that one has gone.
SLOTS = 2 * CONNECTIONS
ATTACKED = CONFIGURATION.replace("max_associations = 100", f"max_associations = {SLOTS}")
#: What no peer can make a server say.
FAULT = re.compile("Traceback|Unhandled|fault of the program|see the log")
#: What a server's memory may have grown by, which has seen a few hundred streams before.
GROWTH = 16 << 20


# --- one stream ----------------------------------------------------------------------------


def send_stream(address: tuple[str, int], random: Random) -> str:
    """Make a stream, send it and leave; says how its request was answered."""
    data = mutated(random, association(random), association(random))
    answer = "nothing"
    # the server may leave at any time, and mostly has a reason to
    with (
        contextlib.closing(socket.create_connection(address, PATIENCE)) as connection,
        contextlib.suppress(ConnectionError),
    ):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = data[: first_pdu_length(data)]
        connection.sendall(request)
        if _is_whole_request(request):
            answer = _answer(connection)
        for piece in segments(random, data[len(request) :]):
            connection.sendall(piece)
        random.choice(LEAVING)(connection)
    return answer


def _is_whole_request(data: bytes) -> bool:
    """Whether it is sure that it is answered, even if by an A-ABORT."""
    return len(data) >= 6 and data[0] == ASSOCIATE_RQ and len(data) == 6 + int.from_bytes(data[2:6], "big")


def _answer(connection: socket.socket) -> str:
    head = connection.recv(1)
    return {b"": "closed", bytes([ASSOCIATE_AC]): "accepted"}.get(head, "refused or aborted")


def _close(connection: socket.socket) -> None:
    """What the server has sent is not read: the peer's TCP says so with an RST."""


def _half_close(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # ENOTCONN, where the server has reset the connection
        connection.shutdown(socket.SHUT_WR)
    while connection.recv(65536):
        pass


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _listen(connection: socket.socket) -> None:
    """Until nothing has come for a little while, and then leave."""
    connection.settimeout(0.02)
    with contextlib.suppress(TimeoutError):
        while connection.recv(65536):
            pass


LEAVING: tuple[Callable[[socket.socket], None], ...] = (_close, _half_close, _listen, _reset)


# --- many ----------------------------------------------------------------------------------


def attack(
    address: tuple[str, int], seed: int, *, streams: int = sys.maxsize, seconds: float = 1e9
) -> Counter[str]:
    """Until so many streams have been sent, or for so long; counts how they were answered."""
    deadline = time.monotonic() + seconds

    def one_connection_after_the_other(number: int) -> Counter[str]:
        answers: Counter[str] = Counter()
        for index in range(number, streams, CONNECTIONS):
            if time.monotonic() > deadline:
                break
            answers[send_stream(address, Random(f"{seed} {index}"))] += 1
        return answers

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        return sum(threads.map(one_connection_after_the_other, range(CONNECTIONS)), Counter())


# --- the server afterwards -----------------------------------------------------------------


class Health:
    """What a server has before an attack, to be compared with what it has afterwards."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._descriptors = self.descriptors()
        self._rss = server.rss()

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self._server.process.pid}/fd"))

    @property
    def growth(self) -> int:
        return self._server.rss() - self._rss

    def assert_as_before(self) -> None:
        server = self._server
        until(lambda: self.descriptors() <= self._descriptors, "all descriptors are given back")
        until(lambda: not server.incoming(), "nothing is being received")
        with contextlib.ExitStack() as stack:
            peers = [stack.enter_context(Peer(server.address)) for _ in range(SLOTS)]
            for peer in peers:
                answer = peer.associate((1, VERIFICATION, IMPLICIT), (3, CT, EXPLICIT))
                assert answer.type == ASSOCIATE_AC, f"a slot is not given back: {answer}"
            for peer in peers:
                assert peer.echo() == 0
                uid = new_uid()
                sent = data_set(instance=uid)
                assert peer.store(3, CT, uid, sent)[STATUS] == 0
                assert data_set_of(server.instances()[uid]["path"]) == sent
                peer.release()
        assert self.growth < GROWTH, f"{self.growth} bytes more than before"
        ill = [line for line in server.log().splitlines() if FAULT.search(line) or not line.isprintable()]
        assert ill == []


def main(seconds: str, seed: str = "0") -> None:
    with tempfile.TemporaryDirectory() as directory, running(Path(directory), ATTACKED) as server:
        attack(server.address, -1, streams=500)
        health = Health(server)
        answers = attack(server.address, int(seed), seconds=float(seconds))
        health.assert_as_before()
        print(f"{answers.total()} streams: {dict(answers)}; {health.growth} bytes of memory more")


if __name__ == "__main__":
    main(*sys.argv[1:])
