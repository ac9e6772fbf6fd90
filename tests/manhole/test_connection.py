"""What an SSH client may cost, with a clock and a transport in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.conch.ssh.keys import Key
from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from sdcc.manhole.authorized_keys import AuthorizedKey
from sdcc.manhole.connection import (
    IDLE_TIMEOUT,
    LOGIN_GRACE,
    MAXIMUM_BEFORE_LOGIN,
    MAXIMUM_SESSIONS,
    MAXIMUM_WAITING,
    Connection,
    Surroundings,
)
from sdcc.manhole.host_key import host_key
from sdcc.manhole.server import ConnectionFactory

PEER = IPv4Address("TCP", "192.168.10.9", 40000)
KEY = AuthorizedKey(number=1, blob=b"", comment="anna", fault="")


class Transport(StringTransport):
    """A client that never closes by itself, and takes everything."""

    protocol: Any = None

    def abortConnection(self) -> None:
        super().abortConnection()
        self.protocol.connectionLost()


class Factory:
    def __init__(self, directory: Path) -> None:
        self.clock = Clock()
        self.surroundings = Surroundings(
            authorized_keys=directory / "keys", read_keys=self.no_keys, namespace=dict, clock=self.clock
        )
        self.conch = ConnectionFactory(host_key(directory), self.surroundings)
        self.conch.doStart()

    async def no_keys(self) -> list[AuthorizedKey]:
        return []

    def connect(self) -> tuple[Connection | None, Transport]:
        transport = Transport(peerAddress=PEER)
        connection = self.conch.buildProtocol(PEER)
        if connection is not None:
            transport.protocol = connection
            connection.makeConnection(transport)
        return connection, transport

    def log_in(self) -> tuple[Connection, Transport]:
        connection, transport = self.connect()
        assert connection is not None
        assert connection.log_in(KEY) is None
        connection.logoutFunction = connection.log_out
        return connection, transport


@pytest.fixture
def factory(tmp_path: Path) -> Factory:
    return Factory(tmp_path)


def test_a_client_that_does_not_log_in_is_cut_off(factory: Factory, lines: list[str]) -> None:
    _, transport = factory.connect()
    factory.clock.advance(LOGIN_GRACE - 0.1)
    assert not transport.disconnected
    factory.clock.advance(0.1)
    assert transport.disconnected
    assert lines == ["Manhole: the connection from 192.168.10.9 is cut: it has not logged in within 30 s"]


def test_a_client_that_has_logged_in_is_ended_when_it_is_idle(factory: Factory, lines: list[str]) -> None:
    connection, transport = factory.log_in()
    factory.clock.advance(IDLE_TIMEOUT - 1)
    connection.is_active()
    factory.clock.advance(IDLE_TIMEOUT - 1)
    assert not transport.disconnecting
    factory.clock.advance(1)
    assert transport.disconnecting
    assert lines[-1].endswith("(anna) from 192.168.10.9 is idle")
    assert not transport.disconnected, "it may take the last words"
    factory.clock.advance(LOGIN_GRACE)
    assert transport.disconnected
    assert factory.clock.getDelayedCalls() == []


def test_a_client_that_leaves_leaves_nothing(factory: Factory) -> None:
    connection, _ = factory.log_in()
    connection.connectionLost()
    assert factory.clock.getDelayedCalls() == []
    assert factory.conch.connections == set()
    assert connection.log_in(KEY) == "it has gone"


def test_a_login_that_comes_while_it_is_cut_off_is_none(factory: Factory) -> None:
    """As a socket tells of its end only later."""
    connection, transport = factory.connect()
    assert connection is not None
    transport.protocol = Protocol()
    factory.clock.advance(LOGIN_GRACE)
    assert connection in factory.conch.connections
    assert connection.log_in(KEY) == "it has gone"


def test_only_so_many_may_wait_to_log_in(factory: Factory) -> None:
    waiting = [factory.connect()[0] for _ in range(MAXIMUM_WAITING)]
    assert factory.connect()[0] is None
    assert waiting[0] is not None
    waiting[0].connectionLost()
    assert factory.connect()[0] is not None


def test_only_so_many_may_have_logged_in(factory: Factory) -> None:
    (first, _), *_ = [factory.log_in() for _ in range(MAXIMUM_SESSIONS)]
    late, _ = factory.connect()
    assert late is not None
    assert late.log_in(KEY) == "4 have logged in, which is the most"
    first.connectionLost()
    assert late.log_in(KEY) is None


def test_a_client_says_little_before_its_login(factory: Factory, lines: list[str]) -> None:
    connection, transport = factory.connect()
    assert connection is not None
    connection.dataReceived(b"SSH-2.0-Flood\r\n")
    ignored = b"\0\0\0\x0c\x0a\x02" + b"\0" * 10  # MSG_IGNORE, which conch drops
    while not transport.disconnected:
        connection.dataReceived(ignored * 1000)
    [line] = lines
    sent = int(line.removesuffix(" bytes before a login").rpartition(" ")[2])
    assert MAXIMUM_BEFORE_LOGIN < sent <= MAXIMUM_BEFORE_LOGIN + len(ignored) * 1000


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-x\r\n\0\0\0\x0c\x0a\x14" + b"\0" * 10,  # a KEXINIT without its lists
        b"SSH-2.0-x\r\n\0\0\0\x0c\x0a\x05" + b"\xff" * 10,  # a service whose name has no end
        b"SSH-2.0-x\r\n\0\0\0\x0c\x0a\x15" + b"\0" * 10,  # NEWKEYS before there are any
    ],
)
def test_what_is_no_ssh_is_cut_off_with_a_line(factory: Factory, lines: list[str], data: bytes) -> None:
    connection, transport = factory.connect()
    assert connection is not None
    connection.dataReceived(data)
    assert transport.disconnected
    [line] = lines
    assert line.startswith("Manhole: the connection from 192.168.10.9 is cut: this is no SSH: ")


def test_only_strong_algorithms_are_offered(factory: Factory) -> None:
    _, transport = factory.connect()
    offered = transport.value()
    assert b"ssh-ed25519" in offered
    assert b"curve25519-sha256" in offered
    assert b"aes256-ctr" in offered
    assert not [name for name in (b"sha1", b"md5", b"cbc", b"3des", b"zlib", b"ssh-dss") if name in offered]


def test_the_host_key_is_the_one_of_the_directory(factory: Factory, tmp_path: Path) -> None:
    [key] = factory.conch.privateKeys.values()
    assert key == Key.fromFile(str(tmp_path / "manhole_host_key"))
