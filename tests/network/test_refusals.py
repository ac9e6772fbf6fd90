"""What a flood of refusals leaves in the log."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.task import Clock

from sdcc.config import Local
from sdcc.network.refusals import LINES, RefusalLog

A, B, C = "192.0.2.1", "192.0.2.2", "192.0.2.3"


def flood(log: RefusalLog, count: int, address: str = A) -> None:
    for number in range(count):
        log.warn(address, "refused {number} of {address}", number=number, address=address)


def more(total: int, count: int, address: str = A) -> str:
    return f"{total} more peers were not let in within 10 s, {count} of them from {address}"


def test_so_many_lines_are_written_and_the_others_are_counted(lines: list[str]) -> None:
    clock = Clock()
    log = RefusalLog(clock, lines=2)
    flood(log, 10)
    assert lines == [f"refused 0 of {A}", f"refused 1 of {A}"]
    clock.advance(9)
    flood(log, 2)
    clock.advance(1)
    assert lines[2:] == [more(10, 10)]


def test_a_flood_costs_nobody_else_a_line(lines: list[str]) -> None:
    clock = Clock()
    log = RefusalLog(clock, lines=1)
    flood(log, 3)
    flood(log, 2, B)
    assert lines == [f"refused 0 of {A}", f"refused 0 of {B}"]
    clock.advance(10)
    assert lines[2:] == [more(3, 2)]


def test_addresses_beyond_those_told_apart_share_their_lines(lines: list[str]) -> None:
    clock = Clock()
    log = RefusalLog(clock, lines=1, addresses=1)
    for address in (A, B, C, A):
        flood(log, 1, address)
    assert lines == [f"refused 0 of {A}", f"refused 0 of {B}"]
    clock.advance(10)
    assert lines[2:] == [more(2, 1, "elsewhere")]


def test_what_is_still_to_be_told_is_told_at_a_stop(lines: list[str]) -> None:
    clock = Clock()
    log = RefusalLog(clock, lines=1)
    log.close()
    flood(log, 3)
    log.close()
    assert lines[1:] == [more(2, 2)]
    assert clock.getDelayedCalls() == []


def test_the_next_period_begins_with_its_first_line(lines: list[str]) -> None:
    clock = Clock()
    log = RefusalLog(clock, lines=1)
    flood(log, 2)
    clock.advance(15)
    flood(log, 1)
    clock.advance(9)
    flood(log, 1)
    assert lines == [f"refused 0 of {A}", more(1, 1), f"refused 0 of {A}"]
    clock.advance(1)
    assert lines[3:] == [more(1, 1)]


def test_few_lines_leave_nothing_on_the_clock(lines: list[str]) -> None:
    clock = Clock()
    log = RefusalLog(clock, lines=2)
    for _ in range(5):
        flood(log, 2)
        clock.advance(10)
    assert len(lines) == 10
    assert clock.getDelayedCalls() == []


def test_all_who_are_not_let_in_are_counted_together(
    new_world: Any, build: SimpleNamespace, lines: list[str]
) -> None:
    """Refused, aborted or gone; those who are let in have their lines all the same."""
    world = new_world(locals=(Local(),))
    held = world.peer().associate()
    for number in range(2 * LINES):
        peer = world.peer()
        peer.send((build.request(), b"GET / HTTP/1.1", b"\1\0")[number % 3])
        peer.lose()
    assert len(lines) == 1 + LINES
    held.send(build.echo())
    assert "C-ECHO 0000" in lines[-1]
    world.clock.advance(10)
    assert lines[-1] == more(LINES, LINES, "127.0.0.1")
