"""How far a command has come, where there is no terminal. A bar is seen in `test_reindex.py`."""

from __future__ import annotations

from io import StringIO

from twisted.internet.task import Clock

from sdcc.control.progress import BYTES, INTERVAL, Progress


def test_without_a_terminal_there_is_a_line_now_and_then() -> None:
    stream, clock = StringIO(), Clock()
    progress = Progress(1000, seconds=clock.seconds, stream=stream)
    for _ in range(200):
        progress.advance()
        clock.advance(INTERVAL / 80)
    progress.close()
    assert stream.getvalue().splitlines() == [
        "81 of 1000 files,  8.10 files/s, 01:53 left",
        "161 of 1000 files,  8.05 files/s, 01:44 left",
    ]


def test_more_may_come_than_were_counted() -> None:
    stream, clock = StringIO(), Clock()
    progress = Progress(1, seconds=clock.seconds, stream=stream)
    for _ in range(3):
        clock.advance(INTERVAL)
        progress.advance()
    assert stream.getvalue().splitlines()[-1] == "3 of 3 files,  0.10 files/s, 00:00 left"


def test_what_is_said_stands_by_itself() -> None:
    stream = StringIO()
    Progress(1, seconds=Clock().seconds, stream=stream).say("a line")
    assert stream.getvalue() == "a line\n"


def test_bytes_are_counted_in_thousands() -> None:
    stream, clock = StringIO(), Clock()
    progress = Progress(3_000_000, seconds=clock.seconds, stream=stream, unit=BYTES)
    clock.advance(INTERVAL)
    progress.advance(1_500_000)
    assert stream.getvalue() == "1.50MB of 3.00MB, 150kB/s, 00:10 left\n"
