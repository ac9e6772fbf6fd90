"""The simulated network, and the server's transport at one end of it."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from .network import Connection, Network
from .reactor import Reactor
from .schedule import Schedule, Trace


class End:
    """A peer, or a protocol."""

    def __init__(self) -> None:
        self.received = b""
        self.ended: Any = None
        self.calls: list[str] = []
        self.transport: Any = None

    def data_arrived(self, data: bytes) -> None:
        self.received += data

    def end_arrived(self, how: str) -> None:
        self.ended = how

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport
        transport.registerProducer(self, True)

    dataReceived = data_arrived
    connectionLost = end_arrived

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")


class Bench:
    def __init__(self) -> None:
        self.schedule = Schedule(Random(0), Trace())
        self.network = Network(self.schedule, latency=1.0, piece=7, pipe=10, send_buffer=20)
        life = SimpleNamespace(
            is_dead=False,
            connected=lambda transport: None,
            disconnected=lambda transport: None,
            was_given=lambda transport, size: None,
        )
        self.peer, self.server = End(), End()
        factory: Any = SimpleNamespace(
            buildProtocol=lambda address: self.server, doStart=lambda: None, doStop=lambda: None
        )
        Reactor(self.schedule, life, self.network.ports).listenTCP(104, factory)
        connection = self.network.connect(104, self.peer)
        assert connection is not None
        self.connection: Connection = connection

    def settle(self) -> None:
        while self.schedule.step():
            pass


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_bytes_come_in_order_whatever_the_pieces_and_the_end_comes_last(bench: Bench) -> None:
    bench.connection.send(bytes(range(100)))
    bench.connection.finish()
    bench.settle()
    assert bench.server.received == bytes(range(100))
    assert bench.server.ended.type.__name__ == "ConnectionDone"


def test_a_reset_overtakes_what_was_sent(bench: Bench) -> None:
    bench.connection.send(bytes(100))
    bench.connection.reset()
    bench.settle()
    assert len(bench.server.received) == 0
    assert bench.server.ended.type.__name__ == "ConnectionLost"


def test_what_is_cut_says_nothing_to_either_end(bench: Bench) -> None:
    bench.connection.send(b"1")
    bench.connection.cut()
    bench.settle()
    assert (bench.server.received, bench.server.ended, bench.peer.ended) == (b"", None, None)


def test_who_reads_not_sees_no_end(bench: Bench) -> None:
    bench.server.transport.pauseProducing()
    bench.connection.finish()
    bench.settle()
    assert bench.server.ended is None
    bench.server.transport.resumeProducing()
    bench.settle()
    assert bench.server.ended is not None


def test_the_producer_is_paused_over_its_buffer_and_resumed_when_all_is_written(bench: Bench) -> None:
    bench.connection.to_peer.stop_reading()
    bench.server.transport.write(bytes(21))
    bench.settle()
    assert bench.server.calls == ["pause"]
    bench.connection.to_peer.read_on()
    bench.settle()
    assert bench.server.calls == ["pause", "resume"]
    assert bench.peer.received == bytes(21)


def test_a_transport_that_is_lost_writes_first_what_it_holds(bench: Bench) -> None:
    bench.server.transport.write(bytes(50))
    bench.server.transport.loseConnection()
    bench.settle()
    assert (len(bench.peer.received), bench.peer.ended) == (50, "FIN")


def test_nothing_passes_while_the_network_is_split(bench: Bench) -> None:
    bench.network.split(60.0)
    bench.connection.send(b"1")
    bench.settle()
    assert bench.server.received == b"1"
    assert bench.schedule.now >= 60.0
