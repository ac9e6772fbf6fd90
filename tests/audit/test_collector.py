"""Lines to a collector that comes and goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock

from sdcc.audit.collector import FIRST_RETRY, LAST_RETRY, OPEN_TIMEOUT, SHORTEST_PAUSE, Collector, TooLong


class Line:
    """A way to a collector that does as the test says.

    :ivar room: how many lines it takes for now.
    :ivar fault: what opening and sending raise.
    :ivar opening: what opening waits for.
    """

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.room = 1000
        self.fault: Exception | None = None
        self.opening: Deferred[None] | None = None
        self.opened = self.closed = 0
        self.resumed: Callable[[], None]
        self.lost: Callable[[str], None]

    async def open(self, resumed: Callable[[], None], lost: Callable[[str], None]) -> None:
        self.opened += 1
        if self.opening is not None:
            await self.opening
        if self.fault is not None:
            raise self.fault
        self.resumed, self.lost = resumed, lost

    @property
    def takes_more(self) -> bool:
        return self.room > 0

    def send(self, line: bytes) -> None:
        if line == b"too long":
            raise TooLong
        if self.fault is not None:
            raise self.fault
        self.room -= 1
        self.sent.append(line)

    async def close(self) -> None:
        self.closed += 1


class Scene:
    def __init__(self) -> None:
        self.line = Line()
        self.clock = Clock()
        self.collector = Collector(self.line, "udp:collector:514", self.clock)

    def stop(self) -> None:
        assert ensureDeferred(self.collector.stop()).called
        assert self.clock.getDelayedCalls() == []


@pytest.fixture
def scene() -> Any:
    scene = Scene()
    yield scene
    scene.stop()


def refused() -> OSError:
    return OSError(111, "Connection refused")


def test_lines_are_sent_as_they_come_from_the_start_on(scene: Scene) -> None:
    scene.collector.write(b"1")
    scene.collector.start()
    scene.collector.write(b"2")
    assert scene.line.sent == [b"1", b"2"]


def test_what_is_not_taken_now_is_sent_later(scene: Scene) -> None:
    scene.collector.start()
    scene.line.room = 1
    for line in (b"1", b"2", b"3"):
        scene.collector.write(line)
    assert scene.line.sent == [b"1"]
    scene.line.room = 1000
    scene.line.resumed()
    assert scene.line.sent == [b"1", b"2", b"3"]


def test_a_collector_that_is_away_is_asked_ever_more_rarely_and_told_of_once(
    scene: Scene, lines: list[str]
) -> None:
    scene.line.fault = refused()
    scene.collector.start()
    scene.collector.write(b"1")
    pauses = []
    for _ in range(8):
        [call] = scene.clock.getDelayedCalls()
        pauses.append(call.getTime() - scene.clock.seconds())
        scene.clock.advance(pauses[-1])
    assert pauses == [1, 2, 4, 8, 16, 32, LAST_RETRY, LAST_RETRY]
    scene.line.fault = None
    scene.clock.advance(LAST_RETRY)
    assert scene.line.sent == [b"1"]
    assert lines == [
        "The audit trail cannot be written to udp:collector:514: Connection refused. "
        "Messages wait, up to 16 MiB",
        "The audit trail is written to udp:collector:514 again; messages lost: 0",
    ]


def test_a_line_that_fails_is_sent_again(scene: Scene) -> None:
    scene.collector.start()
    scene.line.fault = refused()
    scene.collector.write(b"1")
    scene.collector.write(b"2")
    scene.line.fault = None
    scene.clock.advance(FIRST_RETRY)
    assert scene.line.sent == [b"1", b"2"]


def test_a_connection_that_is_lost_is_opened_again(scene: Scene) -> None:
    scene.collector.start()
    scene.line.lost("the connection was lost")
    scene.line.lost("the connection was lost")
    scene.collector.write(b"1")
    assert scene.line.sent == []
    scene.clock.advance(FIRST_RETRY)
    assert (scene.line.sent, scene.line.opened) == ([b"1"], 2)


def test_a_collector_that_keeps_up_again_is_told_of(
    scene: Scene, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its next outage would not be, nor what was lost in this one."""
    monkeypatch.setattr(scene.collector._backlog, "_maximum", 2)
    scene.collector.start()
    scene.line.room = 0
    for line in (b"1", b"2", b"3"):
        scene.collector.write(line)
    scene.line.room = 1000
    scene.line.resumed()
    scene.line.lost("the connection was lost")
    scene.clock.advance(FIRST_RETRY)
    assert scene.line.sent == [b"1", b"2"]
    assert [line.removeprefix("The audit trail ").partition(" udp:collector:514")[::2] for line in lines] == [
        ("cannot be written to", ": it does not keep up. Messages wait, up to 0 MiB"),
        ("is written to", " again; messages lost: 1"),
        ("cannot be written to", ": the connection was lost. Messages wait, up to 0 MiB"),
        ("is written to", " again; messages lost: 0"),
    ]


def test_a_way_that_opens_and_takes_nothing_is_no_end_of_an_outage(scene: Scene, lines: list[str]) -> None:
    send = scene.line.send

    def fail(line: bytes) -> None:
        raise refused()

    scene.line.send = fail
    scene.collector.start()
    scene.collector.write(b"1")
    for pause in (1, 2, 4):
        scene.clock.advance(pause)
    assert (scene.line.opened, len(lines)) == (4, 1)
    scene.line.send = send
    scene.clock.advance(8)
    assert (scene.line.sent, len(lines)) == ([b"1"], 2)


def full(line: bytes) -> None:
    raise BlockingIOError(11, "Resource temporarily unavailable")


def test_a_burst_that_fills_the_socket_is_no_outage(scene: Scene, lines: list[str]) -> None:
    send, taken = scene.line.send, 0

    def two(line: bytes) -> None:
        nonlocal taken
        taken += 1
        (full if taken % 3 == 0 else send)(line)

    scene.line.send = two
    scene.collector.start()
    for number in range(9):
        scene.collector.write(b"%d" % number)
    for _ in range(4):
        scene.clock.advance(SHORTEST_PAUSE)
    assert scene.line.sent == [b"%d" % number for number in range(9)]
    assert (scene.line.opened, lines) == (1, [])


def test_a_socket_that_takes_nothing_for_long_is_one(scene: Scene, lines: list[str]) -> None:
    scene.line.send = full
    scene.collector.start()
    scene.collector.write(b"1")
    for _ in range(16):
        scene.clock.advance(SHORTEST_PAUSE)
    assert lines == [
        "The audit trail cannot be written to udp:collector:514: it takes nothing more. "
        "Messages wait, up to 16 MiB"
    ]
    scene.clock.advance(FIRST_RETRY)
    assert scene.line.opened == 2


def test_a_stop_does_not_wait_for_a_full_socket(lines: list[str]) -> None:
    scene = Scene()
    scene.line.send = full
    scene.collector.start()
    scene.collector.write(b"1")
    scene.stop()
    assert scene.line.closed == 1
    assert lines == ["Messages of the audit trail that were not written to udp:collector:514: 1"]


def test_a_line_that_is_too_long_costs_no_other(scene: Scene, lines: list[str]) -> None:
    scene.collector.start()
    scene.collector.write(b"too long")
    scene.collector.write(b"2")
    assert scene.line.sent == [b"2"]
    assert lines == ["A message of the audit trail is too long: 8 bytes"]


def test_who_never_answers_is_given_up_for_now(scene: Scene, lines: list[str]) -> None:
    scene.line.opening = Deferred()
    scene.collector.start()
    scene.clock.advance(OPEN_TIMEOUT)
    assert "no answer in time" in lines[0]
    scene.line.opening = None
    scene.clock.advance(FIRST_RETRY)
    assert scene.line.opened == 2


def test_a_fault_of_the_program_does_not_end_it(scene: Scene, lines: list[str]) -> None:
    scene.line.fault = RuntimeError("a fault of the program")
    scene.collector.start()
    assert "RuntimeError" in lines[0]
    scene.line.fault = None
    scene.clock.advance(FIRST_RETRY)
    scene.collector.write(b"1")
    assert scene.line.sent == [b"1"]


def test_a_stop_sends_what_waits_whatever_is_taken_now(lines: list[str]) -> None:
    scene = Scene()
    scene.collector.start()
    scene.line.room = 0
    scene.collector.write(b"1")
    scene.collector.write(b"2")
    scene.stop()
    assert (scene.line.sent, scene.line.closed) == ([b"1", b"2"], 1)
    assert lines == []


@pytest.mark.parametrize("state", ["opening", "away"])
def test_a_stop_leaves_nothing_and_tells_what_is_lost(state: str, lines: list[str]) -> None:
    scene = Scene()
    if state == "opening":
        scene.line.opening = Deferred()
    else:
        scene.line.fault = refused()
    scene.collector.start()
    scene.collector.write(b"1")
    scene.stop()
    assert scene.line.closed == 0
    assert lines[-1] == "Messages of the audit trail that were not written to udp:collector:514: 1"
