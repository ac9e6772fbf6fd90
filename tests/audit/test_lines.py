"""Lines to real collectors of a few lines each: TCP, UDP and a local socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol

from sdcc.audit.collector import Collector, TooLong
from sdcc.audit.lines import LocalLine, TCPLine, UDPLine


async def loopback(host: str) -> list[Any]:
    return [ip_address("127.0.0.1")]


async def nowhere(host: str) -> list[Any]:
    return []


def ignore(*arguments: object) -> None:
    """Nothing is resumed or lost here."""


class TCPCollector(Factory):
    """Reads as long as it may; tells when so many bytes have come."""

    noisy = False

    def __init__(self) -> None:
        self.received = b""
        self.waiting: tuple[int, Deferred[bytes]] | None = None
        self.connections: list[Any] = []
        self.port: Any = reactor.listenTCP(0, self, interface="127.0.0.1")
        self.number = self.port.getHost().port

    def buildProtocol(self, addr: object) -> Protocol:
        factory = self

        class Connection(Protocol):
            def connectionMade(self) -> None:
                factory.connections.append(self.transport)

            def dataReceived(self, data: bytes) -> None:
                factory.received += data
                factory.look()

        return Connection()

    def look(self) -> None:
        if self.waiting is not None and len(self.received) >= self.waiting[0]:
            _, waiting = self.waiting
            self.waiting = None
            waiting.callback(self.received)

    def bytes(self, count: int) -> Deferred[bytes]:
        self.waiting = count, Deferred()
        _, waiting = self.waiting
        waiting.addTimeout(30, reactor)
        self.look()
        return waiting


@pytest_twisted.ensureDeferred
async def test_tcp_counts_its_octets_and_a_stop_sends_all_of_it() -> None:
    server = TCPCollector()
    line = TCPLine("collector", server.number, reactor, loopback)
    collector = Collector(line, "tcp:collector", reactor)
    collector.start()
    collector.write(b"first")
    assert await server.bytes(7) == b"5 first"
    long = b"x" * 1_000_000
    collector.write(long)
    collector.write("letzte Zeile\u00f6".encode())
    await collector.stop()
    assert await server.bytes(1_000_032) == b"5 first1000000 " + long + b"14 letzte Zeile\xc3\xb6"
    await server.port.stopListening()


@pytest_twisted.ensureDeferred
async def test_tcp_comes_back_when_the_collector_does(lines: list[str]) -> None:
    server = TCPCollector()
    lost: Deferred[str] = Deferred()
    line = TCPLine("collector", server.number, reactor, loopback)
    await line.open(ignore, lost.callback)
    line.send(b"1")
    await server.bytes(3)
    server.connections[0].abortConnection()
    assert await lost == "the connection was lost"
    assert not line.takes_more
    await line.open(ignore, ignore)
    line.send(b"2")
    assert await server.bytes(6) == b"1 11 2"
    await line.close()
    await server.port.stopListening()


@pytest_twisted.ensureDeferred
async def test_a_tcp_collector_that_is_not_there_says_why() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(OSError, match="Connection refused"):
        await TCPLine("collector", port, reactor, loopback).open(ignore, ignore)
    with pytest.raises(OSError, match="the host name collector has no address"):
        await TCPLine("collector", port, reactor, nowhere).open(ignore, ignore)


@pytest.fixture
def udp() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        bound.settimeout(10)
        yield bound


@pytest_twisted.ensureDeferred
async def test_udp_is_a_datagram_a_message(udp: socket.socket) -> None:
    line = UDPLine("collector", udp.getsockname()[1], loopback)
    await line.open(ignore, ignore)
    line.send(b"first")
    line.send(b"second")
    assert [udp.recv(100), udp.recv(100)] == [b"first", b"second"]
    with pytest.raises(TooLong):
        line.send(bytes(70_000))
    await line.close()


@pytest_twisted.ensureDeferred
async def test_a_local_socket_may_be_away_and_come_back(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    line = LocalLine(path)
    with pytest.raises(FileNotFoundError):
        await line.open(ignore, ignore)
    for number in range(2):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
            syslog.bind(path)
            await line.open(ignore, ignore)
            line.send(b"%d" % number)
            assert syslog.recv(100) == b"%d" % number
        with pytest.raises(ConnectionRefusedError):
            line.send(b"lost")
        Path(path).unlink()
    await line.close()


@pytest_twisted.ensureDeferred
async def test_a_local_socket_that_is_full_takes_it_later(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind(str(tmp_path / "log"))
        line = LocalLine(str(tmp_path / "log"))
        await line.open(ignore, ignore)
        with pytest.raises(BlockingIOError):
            fill(line)
        await line.close()


def fill(line: LocalLine) -> None:
    for _ in range(100_000):
        line.send(bytes(1000))
