"""Studies become stable in time, whatever happened to the process that received them."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import formatEvent
from zope.interface.verify import verifyObject

from sdcc.completion import completion
from sdcc.completion.completion import INTERVAL, LEEWAY, NEWS, RETRY, Completion
from sdcc.interfaces import IStudyStates


class Heard:
    """In the place of notices by some means."""

    means = "post"

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Callable[[], Any]:
        return lambda: self.calls.append(name)

    async def stop(self) -> None:
        self.calls.append("stop")


@pytest.fixture
def bench(states: Any, time: Any) -> Any:
    heard = Heard()
    completion = Completion(states, stable_after=60.0, notices=[heard], clock=time.clock, now=time.now)

    def receive(uid: str = "1.2", number: int = 1) -> None:
        for _ in range(number):
            states.received[uid] = time.now()
            completion.registered(uid)

    return SimpleNamespace(completion=completion, states=states, time=time, heard=heard, receive=receive)


def stop(bench: Any) -> None:
    bench.completion.interrupt()
    stopped = Deferred.fromCoroutine(bench.completion.stop())
    assert stopped.called
    assert not bench.time.clock.getDelayedCalls()


def said(log: list[Any], level: str) -> list[str]:
    return [
        formatEvent(event)
        for event in log
        if event["log_level"].name == level and "completion" in event["log_namespace"]
    ]


def test_the_index_of_these_tests_is_one(states: Any) -> None:
    assert verifyObject(IStudyStates, states)


def test_a_study_is_stable_when_its_time_is_over_and_not_before(bench: Any, log: list[Any]) -> None:
    bench.receive(number=3)
    bench.time.pass_by(60)
    assert bench.states.asked == []
    bench.time.pass_by(LEEWAY)
    assert bench.states.asked == [["1.2"]]
    assert said(log, "info") == ["Study 1.2 is stable: series 2, objects 30, bytes 4711"]
    assert bench.heard.calls == ["wake"]


def test_each_object_begins_the_time_anew_and_the_index_is_not_asked_in_vain(bench: Any) -> None:
    for _ in range(10):
        bench.receive()
        bench.time.pass_by(50)
    assert bench.states.asked == []
    bench.time.pass_by(10 + LEEWAY)
    assert bench.states.asked == [["1.2"]]


def test_a_study_can_become_stable_again(bench: Any) -> None:
    for _ in range(2):
        bench.receive()
        bench.time.pass_by(60 + LEEWAY)
    assert bench.states.asked == [["1.2"], ["1.2"]]


def test_who_sends_while_another_study_is_decided_keeps_no_third_one_waiting(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a server that is never idle every decision is such a moment."""
    decided: Deferred[None] = Deferred()
    make_stable = bench.states.make_stable

    async def make_stable_slowly(*arguments: Any, **keywords: Any) -> Any:
        await decided
        return await make_stable(*arguments, **keywords)

    monkeypatch.setattr(bench.states, "make_stable", make_stable_slowly)
    bench.receive("1")
    bench.time.pass_by(10)
    bench.receive("2")
    bench.time.pass_by(50 + LEEWAY)
    bench.receive("3")
    decided.callback(None)
    assert bench.states.asked == [["1"]]
    bench.time.pass_by(10)
    assert bench.states.asked == [["1"], ["2"]]
    bench.time.pass_by(50 + LEEWAY)
    assert bench.states.asked == [["1"], ["2"], ["3"]]
    stop(bench)


def test_studies_at_once_share_transactions(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "PORTION", 2)
    for uid in ("1", "2", "3"):
        bench.receive(uid)
    bench.time.pass_by(60 + LEEWAY)
    assert bench.states.asked == [["1", "2"], ["3"]]


def test_no_patient_is_in_the_log(bench: Any, log: list[Any]) -> None:
    bench.receive()
    bench.time.pass_by(60 + LEEWAY)
    assert log
    assert not [event for event in log if "P-1" in str(event)]


# --- what is found in the index --------------------------------------------------------------------


def test_what_a_process_left_behind_is_found_at_the_next_start(bench: Any) -> None:
    bench.states.received["1.9"] = bench.time.now() - datetime.timedelta(seconds=61)
    bench.completion.start()
    assert bench.states.asked == [["1.9"]]
    stop(bench)


def test_what_is_not_quiet_yet_at_the_start_is_found_when_it_is(bench: Any) -> None:
    """And not a minute later: the process that received it has been replaced at once."""
    bench.completion._stable_after = 5.0
    bench.states.received["1.9"] = bench.time.now()
    bench.completion.start()
    bench.time.pass_by(5)
    assert bench.states.asked == []
    bench.time.pass_by(LEEWAY)
    assert bench.states.asked == [["1.9"]]
    bench.states.received["1.10"] = bench.time.now()
    bench.time.pass_by(INTERVAL - 1)
    assert bench.states.asked == [["1.9"]], "from then on it is looked for now and then"
    stop(bench)


def test_what_nobody_tells_of_is_found_now_and_then(bench: Any) -> None:
    bench.completion.start()
    bench.states.received["1.9"] = bench.time.now()
    bench.time.pass_by(INTERVAL - 1)
    assert bench.states.asked == []
    bench.time.pass_by(1)
    assert bench.states.asked == [["1.9"]]
    stop(bench)


def test_more_studies_than_are_watched_are_found_in_the_index(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.completion._watched._capacity = 1
    bench.receive("1")
    bench.receive("2")
    bench.completion.start()
    bench.time.pass_by(60 + LEEWAY)
    assert {uid for [uid] in bench.states.asked} == {"1", "2"}
    stop(bench)


def test_an_index_that_is_away_is_asked_again_soon(bench: Any, away: Exception) -> None:
    bench.states.received["1.9"] = bench.time.now() - datetime.timedelta(seconds=61)
    bench.states.fault = away
    bench.completion.start()
    bench.time.pass_by(RETRY - 1)
    assert len(bench.time.clock.getDelayedCalls()) == 1
    bench.states.fault = None
    assert bench.states.asked == []
    bench.time.pass_by(1)
    assert bench.states.asked == [["1.9"]]
    stop(bench)


def test_what_could_not_be_decided_in_time_is_decided_later(bench: Any, away: Exception) -> None:
    bench.completion.start()
    bench.time.pass_by(1)
    bench.receive()
    bench.states.fault = away
    bench.time.pass_by(60 + LEEWAY)
    bench.states.fault = None
    assert bench.states.received
    bench.time.pass_by(INTERVAL)
    assert not bench.states.received
    stop(bench)


def test_studies_of_long_ago_are_counted_and_not_announced(bench: Any, log: list[Any]) -> None:
    bench.states.received["1.9"] = bench.time.now() - NEWS - datetime.timedelta(seconds=1)
    bench.completion.start()
    assert said(log, "info") == ["Studies that are stable, and whose last objects came over 3 days ago: 1"]
    assert "wake" not in bench.heard.calls
    stop(bench)


def test_what_is_given_up_is_an_error_in_the_log(bench: Any, study: Any, begin: Any, log: list[Any]) -> None:
    old = study(stable_at=begin - NEWS - datetime.timedelta(seconds=1))
    bench.states.due["1.2", "post"] = old, begin
    bench.completion.start()
    assert said(log, "error") == ["Study 1.2: post is given up, and nobody is told"]
    stop(bench)


def test_a_fault_of_the_program_does_not_end_the_looking(bench: Any, log: list[Any]) -> None:
    bench.states.fault = ZeroDivisionError()
    bench.completion.start()
    assert said(log, "critical") == ["The look for stable studies has failed"]
    bench.states.fault = None
    bench.states.received["1.9"] = bench.time.now()
    bench.time.pass_by(INTERVAL)
    assert bench.states.asked == [["1.9"]]
    stop(bench)


# --- stopping --------------------------------------------------------------------------------------


def test_a_stop_leaves_no_timer_and_stops_all_means(bench: Any) -> None:
    bench.completion.start()
    bench.receive()
    stop(bench)
    assert bench.heard.calls == ["start", "interrupt", "stop"]


def test_what_is_registered_while_it_stops_is_left_to_the_next_start(bench: Any) -> None:
    bench.completion.start()
    bench.completion.interrupt()
    bench.receive()
    assert not bench.time.clock.getDelayedCalls()
    stop(bench)
    assert bench.states.asked == []
