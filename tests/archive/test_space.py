"""Free space is known to two seconds, and the log says once when it runs short and once when it is back."""

from __future__ import annotations

import errno

import pytest
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock

from sdcc.archive.space import PATIENCE, UNDER_THE_FLOOR, FreeSpace


class Volume:
    """A file system of which only the free space is asked."""

    free = 1000
    asked = 0

    def free_space(self, path):
        assert path == "/storage"
        self.asked += 1
        if isinstance(self.free, Exception):
            raise self.free
        return self.free


@pytest.fixture
def volume():
    return Volume()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make_space(volume, clock, build):
    def make(*, minimum_free=100, run_in_thread=build.at_once):
        return FreeSpace(
            "/storage",
            filesystem=volume,
            run_in_thread=run_in_thread,
            clock=clock,
            minimum_free=minimum_free,
        )

    return make


def levels(logged):
    return [event["log_level"].name for event in logged if event["log_namespace"].endswith("FreeSpace")]


def test_the_floor_is_judged_within_two_seconds(make_space, volume, clock, build):
    space = make_space()
    space.check()
    space.start()
    for free, shortage in ((100, None), (99, UNDER_THE_FLOOR), (0, UNDER_THE_FLOOR), (100, None)):
        volume.free = free
        clock.advance(2)
        assert space.shortage == shortage
    build.result_of(space.stop())


def test_the_first_check_does_not_wait_for_the_clock(make_space, volume):
    space = make_space()
    volume.free = 99
    space.check()
    assert space.shortage == UNDER_THE_FLOOR


def test_how_much_is_free_is_known_from_the_first_look_on(make_space, volume, clock, build):
    """Without a floor nobody looks before the first two seconds are over."""
    space = make_space(minimum_free=0)
    space.check()
    space.start()
    assert space.free is None
    clock.advance(2)
    assert space.free == 1000
    volume.free = 7
    clock.advance(2)
    assert space.free == 7
    build.result_of(space.stop())


def test_the_log_says_once_that_it_begins_and_once_that_it_ends(make_space, volume, clock, logged, build):
    space = make_space()
    space.check()
    space.start()
    clock.pump([2] * 3)
    assert levels(logged) == []
    volume.free = 99
    clock.pump([2] * 3)
    assert levels(logged) == ["warn"]
    volume.free = OSError(errno.EIO, "Input/output error")
    clock.pump([2] * 3)
    assert levels(logged) == ["warn"]
    volume.free = 1000
    clock.pump([2] * 3)
    assert levels(logged) == ["warn", "info"]
    build.result_of(space.stop())


def test_the_watch_runs_only_between_start_and_stop(make_space, volume, clock, build):
    space = make_space()
    clock.advance(10)
    assert volume.asked == 0
    space.start()
    space.start()
    clock.advance(2)
    assert volume.asked == 1
    build.result_of(space.stop())
    build.result_of(space.stop())
    clock.advance(10)
    assert volume.asked == 1
    assert clock.getDelayedCalls() == []


@pytest.mark.parametrize("free", [0, OSError(errno.EIO, "Input/output error")])
def test_where_there_is_no_floor_every_answer_will_do(make_space, volume, clock, build, free):
    """The objects themselves meet a disk that is full or broken."""
    volume.free = free
    space = make_space(minimum_free=0)
    space.check()
    space.start()
    clock.advance(2)
    assert volume.asked == 1
    assert space.shortage is None
    assert space.take(1 << 60)
    build.result_of(space.stop())


def test_a_disk_that_does_not_answer_takes_no_object(make_space, volume, clock, build):
    space = make_space()
    space.check()
    space.start()
    volume.free = OSError(errno.EIO, "Input/output error")
    clock.advance(2)
    assert space.shortage == "free space is not known: Input/output error"
    volume.free = 1000
    clock.advance(2)
    assert space.shortage is None
    build.result_of(space.stop())


@pytest.mark.parametrize("minimum_free", [0, 100])
def test_a_disk_that_hangs_takes_no_object_until_it_answers(make_space, clock, logged, build, minimum_free):
    """A busy one, that answers late, takes them all the while."""
    threads = build.Threads()
    space = make_space(run_in_thread=threads, minimum_free=minimum_free)
    space.check()
    space.start()
    for wait, shortage in ((PATIENCE - 1, None), (PATIENCE, "disk did not answer within 30 s")):
        clock.advance(2)
        clock.advance(wait)
        assert space.shortage == shortage
        threads.run_all()
        assert space.shortage is None
    assert levels(logged) == ["warn", "info"]
    build.result_of(space.stop())
    assert clock.getDelayedCalls() == []


def test_a_fault_of_the_program_does_not_end_the_watch(make_space, volume, clock, logged, build):
    space = make_space()
    space.start()
    volume.free = TypeError("a bug")
    clock.advance(2)
    assert [event["log_failure"].type for event in logged if "log_failure" in event] == [TypeError]
    logged.clear()
    volume.free = 99
    clock.advance(2)
    assert space.shortage == UNDER_THE_FLOOR
    build.result_of(space.stop())


def test_the_reactor_never_asks_itself_and_no_two_looks_overlap(make_space, volume, clock, build):
    threads = build.Threads()
    space = make_space(run_in_thread=threads)
    space.start()
    clock.pump([2] * 5)
    assert volume.asked == 0
    assert len(threads.waiting) == 1
    threads.run_all()
    clock.advance(2)
    assert len(threads.waiting) == 1
    threads.run_all()
    build.result_of(space.stop())


def test_stop_waits_for_the_look_under_way(make_space, clock, build):
    threads = build.Threads()
    space = make_space(run_in_thread=threads)
    space.start()
    clock.advance(2)
    stopped = ensureDeferred(space.stop())
    assert not stopped.called
    threads.run_all()
    assert stopped.called


def test_what_is_taken_counts_until_the_next_look(make_space, volume, clock, build):
    space = make_space(minimum_free=100)
    space.check()
    space.start()
    assert space.take(600)
    assert not space.take(301)
    assert space.take(300)
    assert not space.take(1)
    assert space.take(0)
    volume.free = 150
    clock.advance(2)
    assert space.take(50)
    assert not space.take(1)
    build.result_of(space.stop())


def test_another_floor_counts_at_once_by_what_is_known(make_space, volume, clock, build, logged):
    space = make_space(minimum_free=100)
    space.check()
    space.start()
    space.reconfigure(minimum_free=2000)
    assert space.shortage == UNDER_THE_FLOOR
    assert not space.take(0)
    space.reconfigure(minimum_free=400)
    assert space.shortage is None
    assert space.take(600)
    assert not space.take(1)
    space.reconfigure(minimum_free=0)
    assert space.take(1 << 40)
    assert levels(logged) == ["warn", "info"]
    build.result_of(space.stop())


def test_a_floor_where_there_was_none_refuses_nothing_before_the_free_space_is_known(
    make_space, volume, clock, build
):
    volume.free = 50
    space = make_space(minimum_free=0)
    space.check()
    space.start()
    space.reconfigure(minimum_free=100)
    assert space.shortage is None
    assert space.take(1)
    clock.advance(2)
    assert space.shortage == UNDER_THE_FLOOR
    build.result_of(space.stop())


def test_another_floor_says_nothing_of_a_disk_that_hangs(make_space, clock, build):
    threads = build.Threads()
    space = make_space(run_in_thread=threads)
    space.check()
    space.start()
    clock.advance(2)
    clock.advance(PATIENCE)
    space.reconfigure(minimum_free=0)
    assert "did not answer" in space.shortage
    threads.run_all()
    assert space.shortage is None
    build.result_of(space.stop())
