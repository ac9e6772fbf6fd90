"""What waits while nothing can be written, and what the log says of it."""

from __future__ import annotations

from sdcc.audit import backlog
from sdcc.audit.backlog import Backlog

BROKEN = "The audit trail cannot be written to audit.log: disk full. Messages wait, up to 0 MiB"


def test_the_oldest_is_taken_first_and_what_was_not_written_is_again() -> None:
    waiting = Backlog("audit.log")
    for record in (b"1", b"2", b"3"):
        waiting.add(record)
    assert waiting.take() == [b"1", b"2", b"3"]
    assert not waiting
    waiting.put_back([b"2", b"3"])
    waiting.add(b"4")
    assert waiting.take() == [b"2", b"3", b"4"]


def test_no_more_is_taken_at_once_than_a_batch_but_always_one() -> None:
    waiting = Backlog("audit.log")
    long = bytes(backlog.BATCH * 2)
    for record in (b"1", long, b"3"):
        waiting.add(record)
    assert [waiting.take(), waiting.take(), waiting.take()] == [[b"1"], [long], [b"3"]]


def test_what_is_too_much_is_lost_and_counted_when_it_is_over(lines: list[str]) -> None:
    waiting = Backlog("audit.log", maximum=10)
    waiting.broken("disk full")
    for _ in range(4):
        waiting.add(b"12345")
    assert waiting.take() == [b"12345"] * 2
    waiting.mended()
    waiting.mended()
    assert lines == [BROKEN, "The audit trail is written to audit.log again; messages lost: 2"]


def test_room_is_given_back() -> None:
    waiting = Backlog("audit.log", maximum=10)
    for _ in range(3):
        waiting.add(bytes(10))
        waiting.put_back(waiting.take())
        assert waiting.take() == [bytes(10)]


def test_each_outage_is_told_once(lines: list[str]) -> None:
    waiting = Backlog("audit.log", maximum=10)
    for _ in range(2):
        waiting.broken("disk full")
        waiting.broken("no such file")
        waiting.mended()
    assert lines == [BROKEN, "The audit trail is written to audit.log again; messages lost: 0"] * 2


def test_a_flood_that_is_too_fast_is_an_outage_as_well(lines: list[str]) -> None:
    waiting = Backlog("audit.log", maximum=1)
    waiting.add(b"12")
    assert lines == [
        "The audit trail cannot be written to audit.log: it does not keep up. Messages wait, up to 0 MiB"
    ]


def test_what_waits_at_the_end_is_lost(lines: list[str]) -> None:
    waiting = Backlog("audit.log", maximum=10)
    waiting.add(bytes(10))
    waiting.lose()
    waiting.close()
    assert lines == ["Messages of the audit trail that were not written to audit.log: 2"]
    waiting.close()
    assert not waiting
