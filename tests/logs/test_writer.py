"""What becomes of lines on their way out: in order, none lost untold, and nobody waits for a disk."""

from __future__ import annotations

import errno
import threading

import pytest

from sdcc.logs.writer import Writer


class Outlet:
    """Takes everything, or as much as the test says.

    :ivar room: bytes that it takes yet; None: any number.
    """

    def __init__(self):
        self.text = b""
        self.room = None
        self.writes = 0
        self.is_open = False
        self.reopened = 0
        self.within = lambda: None

    def open(self):
        if self.room == 0:
            raise OSError(errno.EACCES, "Permission denied")
        self.is_open = True

    def write(self, data):
        self.writes += 1
        self.within()
        if self.room is None:
            self.text += data
            return len(data)
        if data and not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = data[: self.room]
        self.room -= len(taken)
        self.text += taken
        return len(taken)

    def reopen(self):
        self.reopened += 1

    def close(self):
        pass


class Rig:
    def __init__(self, **options):
        self.outlet = Outlet()
        self.last = b""
        self.writer = Writer(
            self.outlet, last_resort=self._take_last, line_of=lambda text: f"! {text}\n", **options
        )

    def _take_last(self, lines):
        self.last += lines

    def put(self, *lines):
        for line in lines:
            self.writer.put(f"{line}\n")

    @property
    def lines(self):
        return self.outlet.text.decode().splitlines()


@pytest.fixture
def rig():
    return Rig()


def test_lines_wait_until_there_is_where_to_write(rig):
    rig.put("a", "b")
    assert rig.outlet.writes == 0
    rig.writer.begin()
    assert rig.lines == ["a", "b"]
    rig.put("c")
    assert rig.lines == ["a", "b", "c"], "without a thread, each at once"


def test_a_thread_writes_them_in_order_and_a_stop_waits_for_all(rig):
    rig.writer.begin()
    rig.writer.start()
    threads = set()
    rig.outlet.within = lambda: threads.add(threading.current_thread().name)
    rig.put(*range(5000))
    rig.writer.stop()
    assert rig.lines == [str(number) for number in range(5000)]
    assert "log" in threads
    rig.put("after the stop")
    assert rig.lines[-1] == "after the stop"


def test_it_is_stopped_without_having_been_started_or_more_than_once(rig):
    rig.put("what keeps it from starting")
    rig.writer.stop()
    assert rig.outlet.is_open
    assert rig.lines == ["what keeps it from starting"]
    rig.writer.stop()
    assert rig.lines == ["what keeps it from starting"]


def test_what_is_logged_while_it_writes_comes_after(rig):
    """A signal handler's line, which interrupts the very thread that writes."""
    rig.writer.begin()

    def once():
        rig.outlet.within = lambda: None
        rig.put("within")

    rig.outlet.within = once
    rig.put("outer")
    assert rig.lines == ["outer", "within"]


def test_a_disk_that_hangs_stops_nobody_and_what_found_no_room_is_counted():
    rig = Rig(limit=3)
    hangs, goes_on = threading.Event(), threading.Event()

    def hang():
        hangs.set()
        goes_on.wait(30)

    rig.outlet.within = hang
    rig.writer.begin()
    rig.writer.start()
    rig.put("a")
    assert hangs.wait(30)
    rig.put("b", "c", "d", "lost", "lost")
    goes_on.set()
    rig.writer.stop()
    assert rig.lines == [
        *("a", "b", "c", "d"),
        "! The log could not be written, lines lost: 2 (it takes them too slowly)",
    ]


def test_a_stop_does_not_wait_for_ever_for_a_disk_that_hangs(monkeypatch):
    """The thread is one that never ends."""

    class Thread:
        waited = ()

        def join(self, timeout=None):
            self.waited += (timeout,)

        def is_alive(self):
            return True

    thread = Thread()
    rig = Rig(spawn=lambda work: thread)
    rig.writer.begin()
    rig.writer.start()
    rig.put("a")
    rig.writer.stop()
    rig.writer.stop()
    assert thread.waited == (5.0, 0), "once is enough"
    rig.put("b")
    assert rig.lines == [], "nor does a line"


def test_a_full_disk_is_survived_without_half_a_line_and_told_when_it_is_over(rig):
    rig.writer.begin()
    rig.outlet.room = 7
    rig.put("first", "second", "third")
    assert rig.outlet.text == b"first\ns"
    assert rig.writer.fault == "No space left on device"
    rig.outlet.room = None
    rig.put("fourth")
    assert rig.lines == [
        *("first", "second", "third", "fourth"),
        "! The log could not be written, lines lost: 0 (No space left on device)",
    ]
    assert rig.writer.fault is None
    rig.put("fifth")
    assert rig.lines[-1] == "fifth", "told once"


def test_what_a_full_disk_leaves_no_room_for_is_counted_where_it_is_missing():
    rig = Rig(limit=3)
    rig.writer.begin()
    rig.outlet.room = 0
    rig.put(*range(6))
    rig.outlet.room = None
    rig.writer.stop()
    assert rig.lines == [
        *("0", "1", "2", "3"),
        "! The log could not be written, lines lost: 2 (No space left on device)",
    ]


def test_a_thread_tries_again_what_could_not_be_written(monkeypatch):
    monkeypatch.setattr("sdcc.logs.writer.RETRY", 0.001)
    rig = Rig()
    tried = threading.Semaphore(0)
    rig.outlet.within = tried.release
    rig.writer.begin()
    rig.outlet.room = 0
    rig.writer.start()
    rig.put("a")
    for _ in range(3):
        assert tried.acquire(timeout=30)
    assert rig.lines == []
    rig.outlet.room = None
    rig.writer.stop()
    assert rig.lines[0] == "a"


@pytest.mark.parametrize("is_begun", [False, True])
def test_what_cannot_be_written_at_the_end_goes_to_the_last_resort(rig, is_begun):
    if is_begun:
        rig.writer.begin()
    rig.outlet.room = 0
    rig.put("a", "b")
    rig.writer.stop()
    rig.put("c")
    assert rig.last == b"a\nb\nc\n"


def test_to_begin_where_nothing_can_be_written_is_an_error(rig):
    rig.outlet.room = 0
    with pytest.raises(OSError, match="Permission denied"):
        rig.writer.begin()


def test_to_reopen_wakes_a_thread_that_has_nothing_to_write(rig):
    rig.writer.begin()
    rig.writer.start()
    written = threading.Event()
    rig.outlet.within = written.set
    rig.writer.reopen()
    assert written.wait(30)
    assert rig.outlet.reopened == 1
    rig.writer.stop()
    assert rig.lines == []


def test_what_is_no_unicode_is_escaped(rig):
    rig.writer.begin()
    rig.put("山\udce9")
    assert rig.outlet.text == "山\\udce9\n".encode()
