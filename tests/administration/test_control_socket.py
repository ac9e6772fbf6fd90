"""Questions over a unix socket, on memory transports."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.python.failure import Failure

from sdcc.administration.control_socket import (
    FAULT,
    IDLE,
    LONGEST_LINE,
    MAXIMUM_OPEN,
    ControlFactory,
    ControlSocket,
)
from sdcc.interfaces.administration import CannotDo, Facts

STATUS = b'{"command": "status"}\n'


class Told:
    """An administration that answers as a test says."""

    def __init__(self) -> None:
        self.reloads: list[Deferred[Facts]] = []
        self.is_broken = False

    def status(self) -> Facts:
        if self.is_broken:
            raise RuntimeError("a fault")
        return {"state": "ready"}

    def abort(self, number: int) -> Facts:
        raise CannotDo(f"no association {number}")

    async def reload(self) -> Facts:
        self.reloads.append(Deferred())
        return await self.reloads[-1]


class Surroundings:
    def __init__(self, uid: int) -> None:
        self.told = Told()
        self.clock = Clock()
        self.factory = ControlFactory(self.told, self.clock, uid_of=lambda transport: uid)

    def connect(self) -> Client:
        protocol = self.factory.buildProtocol(None)
        assert protocol is not None
        transport = StringTransport()
        protocol.makeConnection(transport)
        return Client(protocol, transport)


class Client:
    def __init__(self, protocol: Any, transport: StringTransport) -> None:
        self.protocol = protocol
        self.transport = transport

    def send(self, data: bytes) -> None:
        self.protocol.dataReceived(data)

    def received(self) -> list[Facts]:
        lines = self.transport.value().decode("ascii").splitlines()
        self.transport.clear()
        return [json.loads(line) for line in lines]

    @property
    def is_gone(self) -> bool:
        return self.transport.disconnecting or self.transport.disconnected


@pytest.fixture
def around() -> Surroundings:
    return Surroundings(os.geteuid())


@pytest.fixture
def lines() -> Iterator[list[str]]:
    found: list[str] = []

    def observe(event: LogEvent) -> None:
        found.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield found
    globalLogPublisher.removeObserver(observe)


def test_a_line_is_answered_by_a_line_and_another_may_follow(around: Surroundings) -> None:
    client = around.connect()
    for _ in range(2):
        client.send(STATUS)
        assert client.transport.value() == b'{"result": {"state": "ready"}}\n'
        client.transport.clear()
    assert not client.is_gone


def test_a_line_may_come_in_any_pieces(around: Surroundings) -> None:
    client = around.connect()
    for byte in STATUS:
        assert client.received() == []
        client.send(bytes([byte]))
    assert client.received() == [{"result": {"state": "ready"}}]


def test_several_questions_at_once_are_answered_in_turn(around: Surroundings) -> None:
    """And while one is being answered nothing more is read."""
    client = around.connect()
    client.send(b'{"command": "reload"}\n' + STATUS + STATUS)
    assert client.received() == []
    assert client.transport.producerState == "paused"
    around.told.reloads[0].callback({"changed": []})
    assert client.received() == [{"result": {"changed": []}}, *([{"result": {"state": "ready"}}] * 2)]
    assert client.transport.producerState == "producing"


def test_what_cannot_be_done_is_an_error_and_the_next_question_is_heard(around: Surroundings) -> None:
    client = around.connect()
    client.send(b'{"command": "abort", "arguments": {"number": 7}}\n')
    client.send(b"nonsense\n")
    client.send(STATUS)
    assert client.received() == [
        {"error": "no association 7"},
        {"error": "no JSON"},
        {"result": {"state": "ready"}},
    ]


def test_a_fault_of_the_program_is_an_error_and_in_the_log(around: Surroundings, lines: list[str]) -> None:
    client = around.connect()
    around.told.is_broken = True
    client.send(STATUS)
    around.told.is_broken = False
    client.send(STATUS)
    assert client.received() == [{"error": FAULT}, {"result": {"state": "ready"}}]
    assert lines == ["a question of the administrator's failed"]


def test_who_has_something_done_is_in_the_log_in_one_line(around: Surroundings, lines: list[str]) -> None:
    client = around.connect()
    client.send(STATUS)
    assert lines == []
    client.send(b'{"command": "abort", "arguments": {"number": 7}}\n')
    client.send(b'{"command": "log_level", "arguments": {"name": "a\\nb\\u001b", "level": "info"}}\n')
    assert lines[0] == f"user {os.geteuid()} asks: abort number=7"
    assert lines[1].isprintable()


# --- whoever means harm ---


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_that_is_too_long_is_the_last(around: Surroundings, end: bytes) -> None:
    client = around.connect()
    client.send(b" " * (LONGEST_LINE + 1) + end)
    assert client.received() == [{"error": f"a line is no longer than {LONGEST_LINE} bytes"}]
    assert client.is_gone
    client.send(STATUS)
    assert client.received() == []


def test_another_user_is_not_heard(lines: list[str]) -> None:
    around = Surroundings(uid=os.geteuid() + 1)
    client = around.connect()
    assert client.is_gone
    client.send(STATUS)
    assert client.received() == []
    assert lines == [f"user {os.geteuid() + 1} may not ask over the control socket"]


def test_root_is_heard_whoever_the_server_runs_as(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    client = Surroundings(uid=0).connect()
    client.send(STATUS)
    assert client.received() == [{"result": {"state": "ready"}}]


def test_no_more_connect_than_may_until_one_leaves(around: Surroundings) -> None:
    clients = [around.connect() for _ in range(MAXIMUM_OPEN)]
    assert around.factory.buildProtocol(None) is None
    clients[0].protocol.connectionLost(Failure(ConnectionDone()))
    assert around.factory.buildProtocol(None) is not None


def test_who_says_nothing_is_let_go_but_not_who_waits_for_an_answer(around: Surroundings) -> None:
    silent, waiting = around.connect(), around.connect()
    waiting.send(b'{"command": "reload"}\n')
    around.clock.advance(IDLE - 1)
    assert not silent.transport.disconnected
    around.clock.advance(1)
    assert silent.transport.disconnected
    assert not waiting.transport.disconnected
    around.told.reloads[0].callback({})
    around.clock.advance(IDLE)
    assert waiting.transport.disconnected


def test_who_does_not_read_is_not_read_from(around: Surroundings) -> None:
    """The transport says so to whom it takes for the producer of the answers."""
    client = around.connect()
    client.transport.producer.pauseProducing()
    assert client.transport.producerState == "paused"
    client.transport.producer.resumeProducing()
    assert client.transport.producerState == "producing"


def test_who_leaves_while_it_is_answered_leaves_nothing(around: Surroundings, lines: list[str]) -> None:
    client = around.connect()
    client.send(b'{"command": "reload"}\n')
    client.protocol.connectionLost(Failure(ConnectionDone()))
    around.told.reloads[0].callback({})
    assert client.received() == []
    assert around.clock.getDelayedCalls() == []
    assert not around.factory.connections
    assert lines == [f"user {os.geteuid()} asks: reload"]


# --- from start to stop ---


def listener(error: OSError | None = None) -> tuple[list[str], Callable[..., Any]]:
    """What happens, and what makes it happen."""
    happened: list[str] = []

    def listen(reactor: object, folder: str, factory: object) -> Callable[[], Deferred[None]]:
        if error is not None:
            raise error
        happened.append(folder)
        return lambda: succeed(happened.append("closed"))

    return happened, listen


def test_a_stop_closes_the_socket_and_ends_every_connection(around: Surroundings) -> None:
    happened, listen = listener()
    control = ControlSocket(around.factory, None, listen)
    control.open("/folder")
    client = around.connect()
    Deferred.fromCoroutine(control.stop())
    assert happened == ["/folder", "closed"]
    assert client.is_gone


@pytest.mark.parametrize("folder", ["/folder", None])
def test_a_server_that_cannot_listen_says_so_and_runs_on(
    around: Surroundings, lines: list[str], folder: str | None
) -> None:
    _, listen = listener(PermissionError(1, "Operation not permitted"))
    control = ControlSocket(around.factory, None, listen)
    control.open(folder)
    [line] = lines
    assert line.startswith("sdccctl cannot ask this server: ")
    stopped = Deferred.fromCoroutine(control.stop())
    assert stopped.called
