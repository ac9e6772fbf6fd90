"""How late the reactor is."""

from __future__ import annotations

from .bench import Bench


def counts(bench: Bench, bound: str) -> float | None:
    return bench.value("sdcc_reactor_lag_seconds_bucket", le=bound)


def test_a_timer_that_comes_in_time_is_not_late(bench: Bench) -> None:
    bench.lag.start()
    bench.clock.pump([0.5] * 4)
    assert counts(bench, "0.0005") == 4
    bench.lag.stop()
    assert bench.clock.getDelayedCalls() == []


def test_a_reactor_that_was_blocked_is_late_by_as_long(bench: Bench) -> None:
    bench.lag.start()
    bench.clock.advance(0.5 + 2.0)
    assert (counts(bench, "1.0"), counts(bench, "2.5")) == (0, 1)
    assert bench.value("sdcc_reactor_lag_seconds_sum") == 2.0
    bench.clock.advance(0.5)  # only that once
    assert counts(bench, "0.0005") == 1


def test_a_clock_that_was_set_back_is_no_negative_lag(bench: Bench) -> None:
    bench.lag.start()
    bench.lag._due += 3600
    bench.clock.advance(0.5)
    assert bench.value("sdcc_reactor_lag_seconds_sum") == 0


def test_what_was_never_started_can_be_stopped(bench: Bench) -> None:
    bench.lag.stop()
