"""Jobs of the simulated threads: each whole or held up, never two at once, and ended with their process."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from .doom import Crash
from .fiber import Fiber
from .reactor import Reactor
from .schedule import Schedule, Trace
from .workers import Workers


class Bench:
    def __init__(self, *, holds: float, size: int = 2) -> None:
        self.schedule = Schedule(Random(0), Trace())
        self.life = SimpleNamespace(is_dead=False)
        self.reactor = Reactor(self.schedule, self.life, {})
        self.workers = Workers(self.schedule, self.reactor, "storage", size, delay=lambda: 1.0, holds=holds)
        self.workers.start()
        self.steps: list[str] = []

    def job(self, name: str) -> str:
        for number in range(3):
            self.steps.append(f"{name}{number}")
            self.workers.hold_up(1.0)
            if self.life.is_dead:
                raise Crash
        return name

    def run(self) -> list[Any]:
        results: list[Any] = []
        for name in "ab":
            self.workers.run(self.job, name).addBoth(results.append)
        while self.schedule.step():
            pass
        return results


def test_a_job_that_is_not_held_up_runs_whole() -> None:
    bench = Bench(holds=0.0)
    assert sorted(bench.run()) == ["a", "b"]
    assert bench.steps in (["a0", "a1", "a2", "b0", "b1", "b2"], ["b0", "b1", "b2", "a0", "a1", "a2"])


def test_jobs_that_are_held_up_meet_in_their_middle() -> None:
    bench = Bench(holds=1.0)
    assert sorted(bench.run()) == ["a", "b"]
    assert "".join(step[0] for step in bench.steps) not in ("aaabbb", "bbbaaa")


def test_no_more_jobs_are_under_way_than_there_are_threads() -> None:
    bench = Bench(holds=1.0, size=1)
    assert bench.run() == ["a", "b"]
    assert bench.steps == ["a0", "a1", "a2", "b0", "b1", "b2"]


def test_threads_are_not_stopped_with_work_under_way() -> None:
    bench = Bench(holds=0.0)
    bench.workers.run(bench.job, "a")
    with pytest.raises(AssertionError, match="work under way"):
        bench.workers.stop()


def test_what_is_held_up_ends_with_its_process() -> None:
    bench = Bench(holds=1.0)
    bench.workers.run(bench.job, "a")
    while not bench.steps:
        bench.schedule.step()
    bench.life.is_dead = True
    bench.workers.die()
    assert bench.steps == ["a0"]


def test_the_end_of_a_process_comes_out_of_a_fiber() -> None:
    def call() -> None:
        raise Crash

    with pytest.raises(Crash):
        Fiber(call).go_on()
