"""A notice is delivered at least once, a few at a time, and tried again as long as it takes."""

from __future__ import annotations

import datetime
import itertools
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import formatEvent

from sdcc.completion.notices import FIRST_PAUSE, GRACE, LONGEST_PAUSE, NotDelivered, Notices
from sdcc.interfaces import StableStudy


class Means:
    """What tells of studies; a test says what comes of it."""

    def __init__(self) -> None:
        self.under_way: dict[str, Deferred[None]] = {}
        self.begun: list[str] = []
        self.broken_off: list[str] = []

    async def __call__(self, study: StableStudy) -> None:
        uid = study.study_instance_uid
        self.begun.append(uid)
        self.under_way[uid] = Deferred()
        try:
            await self.under_way[uid]
        except CancelledError:
            self.broken_off.append(uid)
            raise

    def succeed(self, uid: str = "1.2") -> None:
        self.under_way.pop(uid).callback(None)

    def fail(self, error: Exception, uid: str = "1.2") -> None:
        self.under_way.pop(uid).errback(error)


@pytest.fixture
def bench(states: Any, time: Any, study: Any) -> Any:
    means = Means()
    notices = Notices("post", means, states, timeout=30.0, at_once=2, clock=time.clock, now=time.now)

    def owe(*uids: str) -> None:
        for uid in uids:
            states.due[uid, "post"] = study(uid, stable_at=time.now()), time.now()
        notices.wake()

    return SimpleNamespace(notices=notices, means=means, states=states, time=time, owe=owe)


def stop(bench: Any) -> None:
    bench.notices.interrupt()
    stopped = Deferred.fromCoroutine(bench.notices.stop())
    assert stopped.called
    assert not bench.time.clock.getDelayedCalls()


def test_what_is_due_at_the_start_is_delivered_and_struck(bench: Any) -> None:
    bench.owe("1.2")
    bench.notices.start()
    assert bench.means.begun == ["1.2"]
    assert bench.states.struck == []
    bench.means.succeed()
    assert bench.states.struck == [("1.2", "post")]
    stop(bench)


def test_what_becomes_due_is_delivered_at_once(bench: Any) -> None:
    bench.notices.start()
    bench.owe("1.2")
    assert bench.means.begun == ["1.2"]
    bench.means.succeed()
    stop(bench)


def test_what_another_process_has_left_is_found_when_its_time_is_over(bench: Any, study: Any) -> None:
    later = bench.time.now() + datetime.timedelta(seconds=200)
    bench.states.due["1.2", "post"] = study(), later
    bench.notices.start()
    bench.time.pass_by(192)
    assert bench.means.begun == []
    bench.time.pass_by(8)
    assert bench.means.begun == ["1.2"]
    bench.means.succeed()
    stop(bench)


def test_no_more_are_under_way_at_once_than_may_be(bench: Any) -> None:
    bench.owe("1", "2", "3")
    bench.notices.start()
    bench.time.pass_by(1)
    assert bench.means.begun == ["1", "2"]
    bench.means.succeed("2")
    assert bench.means.begun == ["1", "2", "3"]
    bench.means.succeed("1")
    bench.means.succeed("3")
    stop(bench)


def test_while_it_is_at_it_nobody_else_may_take_it(bench: Any) -> None:
    bench.owe("1.2")
    bench.notices.start()
    _, until = bench.states.due["1.2", "post"]
    assert until == bench.time.now() + datetime.timedelta(seconds=30 + GRACE)
    bench.means.succeed()
    stop(bench)


def test_what_fails_is_tried_again_after_pauses_that_grow(bench: Any, log: list[Any]) -> None:
    bench.owe("1.2")
    bench.notices.start()
    begin, attempts = bench.time.clock.seconds(), []
    while bench.time.clock.seconds() < 20_000:
        if bench.means.under_way:
            attempts.append(bench.time.clock.seconds() - begin)
            bench.means.fail(NotDelivered("it was answered 503"))
        bench.time.clock.advance(1)
    pauses = [after - before for before, after in itertools.pairwise(attempts)]
    assert pauses[:5] == [FIRST_PAUSE, FIRST_PAUSE, 20, 40, 80]
    assert pauses[-1] == LONGEST_PAUSE
    warnings = [formatEvent(event) for event in log if event["log_level"].name == "warn"]
    assert warnings[0] == "Study 1.2: post: it was answered 503; next attempt in 10 s"
    stop(bench)


def test_one_that_fails_does_not_keep_others_waiting(bench: Any) -> None:
    bench.owe("1", "2")
    bench.notices.start()
    bench.means.fail(NotDelivered("no"), "1")
    bench.means.fail(NotDelivered("no"), "2")
    bench.owe("3")
    assert bench.means.begun == ["1", "2", "3"]
    bench.means.succeed("3")
    stop(bench)


def test_what_takes_too_long_is_broken_off_and_tried_again(bench: Any, log: list[Any]) -> None:
    bench.owe("1.2")
    bench.notices.start()
    bench.time.pass_by(29)
    assert bench.means.broken_off == []
    bench.time.pass_by(1)
    assert bench.means.broken_off == ["1.2"]
    assert any("it took longer than 30 s; next attempt in 30 s" in formatEvent(event) for event in log)
    bench.time.pass_by(30)
    assert bench.means.begun == ["1.2", "1.2"]
    bench.means.succeed()
    stop(bench)


def test_a_fault_of_the_program_is_logged_and_tried_again(bench: Any, log: list[Any]) -> None:
    bench.owe("1.2")
    bench.notices.start()
    bench.means.fail(ZeroDivisionError())
    assert [event["log_level"].name for event in log if "log_failure" in event] == ["critical"]
    bench.time.pass_by(FIRST_PAUSE)
    assert bench.means.begun == ["1.2", "1.2"]
    bench.means.succeed()
    stop(bench)


def test_an_index_that_is_away_is_asked_again_soon(bench: Any, away: Exception) -> None:
    bench.states.fault = away
    bench.owe("1.2")
    bench.notices.start()
    bench.time.pass_by(FIRST_PAUSE - 1)
    bench.states.fault = None
    assert bench.means.begun == []
    bench.time.pass_by(1)
    assert bench.means.begun == ["1.2"]
    bench.means.succeed()
    stop(bench)


def test_what_is_delivered_and_cannot_be_struck_is_delivered_again(bench: Any, away: Exception) -> None:
    """When whoever was at it counts as dead."""
    bench.owe("1.2")
    bench.notices.start()
    bench.states.fault = away
    bench.means.succeed()
    bench.time.pass_by(FIRST_PAUSE)
    bench.states.fault = None
    bench.time.pass_by(30 + GRACE - FIRST_PAUSE)
    assert bench.means.begun == ["1.2", "1.2"]
    bench.means.succeed()
    assert bench.states.struck == [("1.2", "post")]
    stop(bench)


def test_a_stop_breaks_off_what_is_under_way_and_the_next_start_goes_on_at_once(bench: Any) -> None:
    bench.owe("1.2")
    bench.notices.start()
    bench.time.pass_by(5)
    stop(bench)
    assert bench.means.broken_off == ["1.2"]
    _, due = bench.states.due["1.2", "post"]
    assert due == bench.time.now()


def test_what_ends_before_the_stop_does_is_done(bench: Any) -> None:
    """While associations are drained."""
    bench.owe("1.2", "1.3", "1.4")
    bench.notices.start()
    bench.notices.interrupt()
    bench.means.succeed()
    bench.means.succeed("1.3")
    stop(bench)
    assert bench.states.struck == [("1.2", "post"), ("1.3", "post")]
    assert bench.means.begun == ["1.2", "1.3"]


def test_a_stop_waits_until_what_became_of_an_attempt_is_written_down(
    bench: Any, log: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It breaks off no transaction: of an index that several use the session would be lost with it."""
    written: Deferred[None] = Deferred()
    strike = bench.states.strike

    async def strike_slowly(notice: Any) -> None:
        await written
        await strike(notice)

    monkeypatch.setattr(bench.states, "strike", strike_slowly)
    bench.owe("1.2")
    bench.notices.start()
    bench.means.succeed()
    bench.notices.interrupt()
    stopped = Deferred.fromCoroutine(bench.notices.stop())
    assert not stopped.called
    written.callback(None)
    assert stopped.called
    assert bench.states.struck == [("1.2", "post")]
    assert [event for event in log if "log_failure" in event] == []
