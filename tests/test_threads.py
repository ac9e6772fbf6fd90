"""Work given to threads comes back to the reactor's, and no stop waits for what may hang."""

from __future__ import annotations

import threading
import time
import weakref

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import gatherResults

from sdcc.threads import LooseThreads, Threads


class Reactor:
    """What threads use of one, whose turn comes when the test says so."""

    def __init__(self):
        self.calls = []
        self.is_called = threading.Event()

    def callFromThread(self, call, *arguments):
        self.calls.append(call)
        self.is_called.set()

    def turn(self):
        """Gives how many calls there were."""
        calls, self.calls = self.calls, []
        for call in calls:
            call()
        return len(calls)


@pytest.fixture
def two():
    threads = Threads(reactor, "test", 2)
    threads.start()
    yield threads
    threads.stop()


@pytest_twisted.ensureDeferred
async def test_a_pool_works_between_its_start_and_its_stop(two):
    assert await two.run(threading.current_thread) is not threading.current_thread()
    with pytest.raises(ZeroDivisionError):
        await two.run(divmod, 1, 0)
    assert await two.run(divmod, 7, 2) == (3, 1), "a thread outlives a job that fails"


@pytest_twisted.ensureDeferred
async def test_jobs_run_side_by_side_as_far_as_there_are_threads(two):
    both = threading.Barrier(2)
    assert sorted(await gatherResults([two.run(both.wait, 30) for _ in range(2)])) == [0, 1]


@pytest_twisted.ensureDeferred
async def test_what_finds_no_free_thread_is_done_in_its_order():
    threads, seen = Threads(reactor, "test", 1), []
    jobs = [threads.run(seen.append, number) for number in range(100)]
    threads.start()
    await gatherResults(jobs)
    threads.stop()
    assert seen == [*range(100)]


@pytest_twisted.ensureDeferred
async def test_what_was_given_before_a_stop_is_done():
    threads, seen = Threads(reactor, "test", 1), []
    threads.start()
    jobs = [threads.run(seen.append, number) for number in range(100)]
    threads.stop()
    assert seen == [*range(100)]
    await gatherResults(jobs)


def test_the_reactor_is_told_once_of_what_has_ended_before_its_turn():
    turns = Reactor()
    threads = Threads(turns, "test", 1)
    results = []

    def give(count):
        for number in range(count):
            threads.run(int, number).addCallback(results.append)

    give(50)
    threads.start()
    threads.stop()
    assert turns.turn() == 1
    assert results == [*range(50)]
    assert turns.turn() == 0


def test_what_ends_during_the_reactors_turn_waits_for_the_next():
    turns = Reactor()
    threads = Threads(turns, "test", 1)
    results = []

    def give_another(result):
        results.append(result)
        turns.is_called.clear()
        threads.run(str, "second").addCallback(results.append)
        assert turns.is_called.wait(30), "the reactor is told"

    threads.run(str, "first").addCallback(give_another)
    threads.start()
    assert turns.is_called.wait(30)
    turns.turn()
    assert results == ["first"]
    turns.turn()
    assert results == ["first", "second"]
    threads.stop()


def test_a_pool_that_never_started_can_be_stopped():
    Threads(reactor, "test", 2).stop()


@pytest_twisted.ensureDeferred
async def test_an_idle_thread_keeps_nothing_of_its_last_job(two):
    class Bytes(bytearray):
        """One that can be watched."""

    def watched():
        data = Bytes(b"data")
        return two.run(len, data), weakref.ref(data)

    done, data = watched()
    assert await done == 4
    deadline = time.monotonic() + 5  # it may be on its way to sleep yet
    while data() is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert data() is None


@pytest_twisted.ensureDeferred
async def test_a_loose_thread_gives_its_result_or_its_exception():
    threads = LooseThreads(reactor, "test")
    worker = await threads.run(threading.current_thread)
    assert worker.daemon, "the process ends without it"
    with pytest.raises(ZeroDivisionError):
        await threads.run(divmod, 1, 0)
