"""The queue before the writer: what goes together, and how each is answered in time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from sdcc.index.grouping import GroupCommit, Interrupted, Result, Settled
from sdcc.interfaces import OutcomeUnknown, OutOfResources, Registered, StoredObject

Make = Callable[..., StoredObject]
TIMEOUT = 10.0
NO_ANSWER = "index did not answer within 10 s"
AWAY = "index unreachable: no more clients"


class Database:
    """Takes groups, and ends a commit when the test says so."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self._ends: Deferred[Sequence[Result]]

    def commit(self, group: Sequence[StoredObject]) -> Awaitable[Sequence[Result]]:
        self.groups.append([stored.instance.sop_instance_uid for stored in group])
        self._ends = Deferred()
        return self._ends

    def end(self, *results: Result) -> None:
        """End the commit under way; by default every object is registered, in the place of "old-<UID>"."""
        self._ends.callback(results or [Registered(f"old-{uid}") for uid in self.groups[-1]])

    def break_down(self, fault: Exception) -> None:
        self._ends.errback(fault)


class Bench:
    def __init__(self, make: Make, promise: Any, maximum: int = 128) -> None:
        self.make = make
        self.promise = promise
        self.clock = Clock()
        self.database = Database()
        #: What was noted before it was answered with an unknown outcome, and the end of each note.
        self.noted: dict[str, Settled] = {}
        self.notes = Deferred[None]()
        self.queue = GroupCommit(
            self.database.commit, clock=self.clock, timeout=TIMEOUT, maximum=maximum, doubt=self.note
        )
        self.notes.callback(None)

    async def note(self, stored: StoredObject, settled: Settled) -> None:
        self.noted[stored.instance.sop_instance_uid] = settled
        await self.notes

    def interrupt(self) -> None:
        self.queue.hold(AWAY)
        self.database.break_down(Interrupted())

    def submit(self, *uids: str) -> list[Any]:
        return [self.promise(self.queue.submit(self.make(uid))) for uid in uids]


@pytest.fixture
def bench(make: Make, promise: Any) -> Bench:
    return Bench(make, promise)


def test_the_first_goes_at_once_and_alone(bench: Bench, pending: object) -> None:
    (first,) = bench.submit("1")
    assert bench.database.groups == [["1"]]
    assert first.outcome is pending
    bench.database.end()
    assert first.outcome == Registered("old-1")


def test_what_arrives_during_a_transaction_goes_together_in_the_next(bench: Bench, pending: object) -> None:
    first, second, third = bench.submit("1", "2", "3")
    assert bench.database.groups == [["1"]]
    bench.database.end()
    assert bench.database.groups == [["1"], ["2", "3"]]
    assert (second.outcome, third.outcome) == (pending, pending)
    bench.database.end()
    assert [each.outcome for each in (first, second, third)] == [Registered(f"old-{n}") for n in "123"]
    assert len(bench.database.groups) == 2


def test_what_an_answer_brings_about_goes_in_the_next_transaction(bench: Bench) -> None:
    """A sender's next object comes while the others of its group are still being answered."""

    async def two() -> Registered:
        await bench.queue.submit(bench.make("1"))
        return await bench.queue.submit(bench.make("2"))

    both = bench.promise(two())
    bench.database.end()
    assert bench.database.groups == [["1"], ["2"]]
    bench.database.end()
    assert both.outcome == Registered("old-2")


def test_a_group_has_no_more_than_the_maximum(make: Make, promise: Any) -> None:
    bench = Bench(make, promise, maximum=2)
    bench.submit("1", "2", "3", "4")
    bench.database.end()
    bench.database.end()
    bench.database.end()
    assert bench.database.groups == [["1"], ["2", "3"], ["4"]]


def test_each_of_a_group_gets_its_own_result(bench: Bench) -> None:
    _, second, third = bench.submit("1", "2", "3")
    bench.database.end()
    refused = OutOfResources("index: not this one")
    bench.database.end(refused, Registered())
    assert (second.outcome, third.outcome) == (refused, Registered())


def test_who_waits_past_the_timeout_is_withdrawn_and_certainly_not_registered(bench: Bench) -> None:
    bench.submit("1")
    (second,) = bench.submit("2")
    bench.clock.advance(TIMEOUT / 2)
    bench.submit("3")
    bench.clock.advance(TIMEOUT / 2)
    assert type(second.outcome) is OutOfResources
    assert str(second.outcome) == NO_ANSWER
    bench.database.end()
    assert bench.database.groups == [["1"], ["3"]]


SETTLED: Deferred[Registered | None] = Deferred()
SETTLED.callback(Registered("late"))


@pytest.mark.parametrize(
    ("result", "settled"),
    [
        (Registered("old"), Registered("old")),
        (OutOfResources("index: full"), None),
        (OutcomeUnknown("index: connection lost", SETTLED), Registered("late")),
    ],
    ids=["registered", "refused", "still unknown"],
)
def test_whose_transaction_outlives_the_timeout_is_told_so_and_later_how_it_ended(
    bench: Bench, pending: object, result: Result, settled: Registered | None
) -> None:
    (first,) = bench.submit("1")
    bench.clock.advance(TIMEOUT)
    assert type(first.outcome) is OutcomeUnknown
    assert str(first.outcome) == NO_ANSWER

    async def settlement() -> Registered | None:
        return await first.outcome.settled

    end = bench.promise(settlement())
    assert end.outcome is pending
    bench.database.end(result)
    assert end.outcome == settled


def test_an_unknown_outcome_of_the_database_itself_is_passed_on(bench: Bench) -> None:
    (first,) = bench.submit("1")
    unknown = OutcomeUnknown("index: connection lost", Deferred())
    bench.database.end(unknown)
    assert first.outcome is unknown


def test_a_fault_of_the_program_reaches_every_caller_and_the_queue_lives_on(bench: Bench) -> None:
    bench.submit("1")
    second, third = bench.submit("2", "3")
    bench.database.end()
    fault = RuntimeError("a fault")
    bench.database.break_down(fault)
    assert (second.outcome, third.outcome) == (fault, fault)
    (fourth,) = bench.submit("4")
    bench.database.end()
    assert fourth.outcome == Registered("old-4")


def test_a_fault_of_the_program_after_the_timeout_reaches_who_waits_for_the_outcome(bench: Bench) -> None:
    (first,) = bench.submit("1")
    bench.clock.advance(TIMEOUT)

    async def settlement() -> Registered | None:
        return await first.outcome.settled

    end = bench.promise(settlement())
    fault = RuntimeError("a fault")
    bench.database.break_down(fault)
    assert end.outcome is fault


def test_no_timer_outlives_its_answer(bench: Bench) -> None:
    bench.submit("1", "2")
    bench.database.end()
    bench.database.end()
    assert not bench.clock.getDelayedCalls()


def test_it_is_known_to_be_late_until_the_transaction_ends(bench: Bench) -> None:
    bench.submit("1", "2")
    assert bench.queue.late is None
    bench.clock.advance(TIMEOUT)
    assert bench.queue.late == NO_ANSWER
    bench.database.end()
    assert bench.queue.late is None


def test_rest_comes_when_everything_has_been_answered(bench: Bench, pending: object) -> None:
    bench.submit("1", "2")
    rest = bench.promise(bench.queue.rest())
    bench.database.end()
    assert rest.outcome is pending
    bench.database.end()
    assert rest.outcome is None


def test_rest_comes_at_once_when_nothing_is_under_way(bench: Bench) -> None:
    assert bench.promise(bench.queue.rest()).outcome is None


def test_a_transaction_can_be_begun_though_nothing_waits(bench: Bench) -> None:
    bench.queue.wake()
    bench.queue.wake()
    assert bench.database.groups == [[]]
    bench.submit("1")
    bench.database.end(*())
    assert bench.database.groups == [[], ["1"]]


# --- a database that is away ---------------------------------------------------------------------


def test_while_it_is_held_no_transaction_begins_and_what_waited_goes_together_when_it_is_released(
    bench: Bench,
) -> None:
    bench.queue.hold(AWAY)
    bench.submit("1", "2")
    bench.queue.wake()
    assert bench.database.groups == []
    bench.queue.release()
    assert bench.database.groups == [["1", "2"]]


def test_a_transaction_under_way_ends_before_the_hold_takes_effect(bench: Bench) -> None:
    first, _ = bench.submit("1", "2")
    bench.queue.hold(AWAY)
    bench.database.end()
    assert first.outcome == Registered("old-1")
    assert bench.database.groups == [["1"]]


def test_a_release_with_nothing_waiting_begins_nothing(bench: Bench) -> None:
    bench.queue.hold(AWAY)
    bench.queue.release()
    assert bench.database.groups == []


def test_who_was_never_in_a_transaction_is_refused_for_certain_with_the_reason_of_the_hold(
    bench: Bench,
) -> None:
    bench.queue.hold(AWAY)
    (first,) = bench.submit("1")
    bench.clock.advance(TIMEOUT)
    assert type(first.outcome) is OutOfResources
    assert str(first.outcome) == AWAY
    assert bench.noted == {}


def test_an_interrupted_group_goes_again_before_all_others_and_in_its_order(
    bench: Bench, pending: object
) -> None:
    bench.submit("1")
    second, third = bench.submit("2", "3")
    bench.database.end()
    (fourth,) = bench.submit("4")
    bench.interrupt()
    assert (second.outcome, third.outcome, fourth.outcome) == (pending, pending, pending)
    assert bench.queue.late is None
    bench.queue.release()
    assert bench.database.groups == [["1"], ["2", "3"], ["2", "3", "4"]]
    bench.database.end()
    assert [each.outcome for each in (second, third, fourth)] == [Registered(f"old-{n}") for n in "234"]
    assert bench.queue.groups == {1: 1, 3: 1}


def test_groups_are_counted_by_their_size_and_a_trial_without_objects_is_none(bench: Bench) -> None:
    bench.submit("1", "2", "3")
    for _ in range(2):
        bench.database.end()
    bench.submit("4")
    bench.database.break_down(RuntimeError("a fault"))
    bench.queue.wake()
    bench.database.end()
    assert bench.queue.groups == {1: 2, 2: 1}


def test_whose_time_runs_out_after_an_interruption_is_in_doubt_and_not_committed_again(bench: Bench) -> None:
    (first,) = bench.submit("1")
    bench.clock.advance(TIMEOUT / 2)
    (second,) = bench.submit("2")
    bench.interrupt()
    bench.clock.advance(TIMEOUT / 2)
    assert type(first.outcome) is OutcomeUnknown
    assert str(first.outcome) == AWAY
    assert first.outcome.settled is bench.noted["1"]
    bench.queue.release()
    assert bench.database.groups == [["1"], ["2"]]
    bench.database.end()
    assert second.outcome == Registered("old-2")


def test_who_was_answered_before_the_interruption_is_left_to_who_took_note(bench: Bench) -> None:
    (first,) = bench.submit("1")
    bench.clock.advance(TIMEOUT)
    bench.interrupt()
    bench.queue.release()
    assert bench.database.groups == [["1"]]
    assert not bench.noted["1"].called
    assert first.outcome.settled is bench.noted["1"]


def test_an_unknown_outcome_is_answered_when_it_has_been_noted(bench: Bench, pending: object) -> None:
    bench.notes = Deferred()
    (first,) = bench.submit("1")
    bench.clock.advance(TIMEOUT)
    assert [*bench.noted] == ["1"]
    assert first.outcome is pending
    bench.notes.callback(None)
    assert type(first.outcome) is OutcomeUnknown


def test_what_a_late_commit_comes_to_goes_to_who_took_note(bench: Bench) -> None:
    bench.notes = Deferred()
    bench.submit("1")
    bench.clock.advance(TIMEOUT)
    settled: list[Registered | None] = []
    bench.noted["1"].addCallback(settled.append)
    bench.database.end()
    assert settled == [Registered("old-1")]


@pytest.mark.parametrize("interrupted", [False, True])
def test_rest_comes_though_it_is_held_when_the_last_that_waits_is_answered(
    bench: Bench, pending: object, *, interrupted: bool
) -> None:
    if interrupted:
        bench.submit("1")
        bench.interrupt()
    else:
        bench.queue.hold(AWAY)
        bench.submit("1")
    rest = bench.promise(bench.queue.rest())
    assert rest.outcome is pending
    bench.clock.advance(TIMEOUT)
    assert rest.outcome is None
