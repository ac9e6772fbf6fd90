"""The writing session under a simulated clock: when it is tried again, what is refused, what the log says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.logger import LogLevel, globalLogPublisher

from sdcc.index.doubts import Journal
from sdcc.index.postgres_schema import SCRIPTS
from sdcc.index.postgres_session import Lost, Refused, Unreachable
from sdcc.index.postgres_writer import FIRST_DELAY, MAXIMUM_DELAY, Writer
from sdcc.interfaces import OutcomeUnknown, OutOfResources, Registered, StoredObject

Make = Callable[..., StoredObject]
TIMEOUT = 10.0
REFUSED = Unreachable("connection to server failed: Connection refused\n\tIs it running?")


class Session:
    """Answers what is asked of the schema by itself, and the rest when the test says so."""

    def __init__(self) -> None:
        self.is_closed = False
        #: What was executed, and where its rows go.
        self.executed: list[tuple[str, Any]] = []

    async def run(self, statement: str, *parameters: object) -> Any:
        if "pg_class" in statement:
            return [("sdcc_schema",), ("study",)]
        if "sdcc_schema" in statement:
            return [(len(SCRIPTS),)]
        rows: Deferred[Any] = Deferred()
        self.executed.append((f"{statement} {parameters}", rows))
        return await rows

    def close(self) -> None:
        self.is_closed = True


class Bench:
    def __init__(self, directory: Path, make: Make, promise: Any) -> None:
        self.clock = Clock()
        #: What an attempt to open a session comes to.
        self.next: Any = Session()
        self.attempts: list[float] = []
        self.removed: list[str] = []
        self.removal: Deferred[None] | None = None
        self.directory = directory / "doubts"
        self.journal = Journal(self.directory, run_in_thread=execute)
        self.journal.prepare()
        self.writer = Writer(
            self._open, journal=self.journal, remove=self._remove, clock=self.clock, timeout=TIMEOUT
        )
        self.make = make
        self.promise = promise

    async def _open(self, on_lost: Callable[[Lost], None]) -> Any:
        self.attempts.append(self.clock.seconds())
        self.on_lost = on_lost
        if isinstance(self.next, Deferred):
            await self.next
        if isinstance(self.next, Exception):
            raise self.next
        return self.next

    async def _remove(self, path: str) -> None:
        self.removed.append(path)
        if self.removal is not None:
            await self.removal

    def submit(self, uid: str) -> Any:
        return self.promise(self.writer.submit(self.make(uid, path=uid)))

    def lose(self, session: Session, then: Any) -> None:
        """The session breaks while it executes its last statement."""
        self.next = then
        session.executed[-1][1].errback(Lost("server closed the connection unexpectedly"))

    def advance(self, seconds: float) -> None:
        self.clock.pump([0.05] * round(seconds / 0.05))


@pytest.fixture
def bench(tmp_path: Path, make: Make, promise: Any) -> Bench:
    return Bench(tmp_path, make, promise)


@pytest.fixture
def log() -> Iterator[list[tuple[LogLevel, str]]]:
    lines: list[tuple[LogLevel, str]] = []

    def observe(event: dict[str, Any]) -> None:
        lines.append((event["log_level"], event["log_format"].format(**event)))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


def test_it_is_tried_again_and_again_but_ever_less_often(bench: Bench) -> None:
    bench.next = REFUSED
    bench.writer.start()
    bench.advance(60)
    pauses = [
        round(later - earlier, 3) for earlier, later in zip(bench.attempts, bench.attempts[1:], strict=False)
    ]
    assert pauses[0] == pytest.approx(FIRST_DELAY, abs=0.06)
    assert pauses == sorted(pauses)
    assert pauses[-1] == pytest.approx(MAXIMUM_DELAY, abs=0.06)
    bench.next = Session()
    bench.advance(MAXIMUM_DELAY)
    assert bench.writer.refusal is None
    bench.attempts.clear()
    bench.next = REFUSED
    bench.on_lost(Lost("server closed the connection unexpectedly"))
    bench.advance(0.2)
    assert len(bench.attempts) == 1, "it begins anew with the next absence"


def test_before_the_first_session_everything_is_refused_and_afterwards_only_in_a_long_absence(
    bench: Bench,
) -> None:
    assert bench.writer.refusal == "index unreachable: not connected yet"
    bench.writer.start()
    assert bench.writer.refusal is None
    bench.next = REFUSED
    bench.on_lost(Lost("server closed the connection unexpectedly"))
    assert bench.writer.refusal is None
    bench.advance(TIMEOUT - 0.1)
    assert bench.writer.refusal is None
    bench.advance(0.2)
    assert bench.writer.refusal == "index unreachable: Connection refused"


def test_the_log_says_once_that_it_is_away_and_once_that_it_is_there(bench: Bench, log: Any) -> None:
    bench.next = REFUSED
    bench.writer.start()
    bench.advance(20)
    bench.next = Unreachable("FATAL:  the database system is starting up")
    bench.advance(20)
    bench.next = Session()
    bench.advance(20)
    assert log == [
        (
            LogLevel.error,
            "Index: PostgreSQL is away: connection to server failed: Connection refused Is it running?",
        ),
        (LogLevel.info, "Index: PostgreSQL is still away: FATAL: the database system is starting up"),
        (LogLevel.info, "Index: PostgreSQL is there"),
    ]


def test_a_fault_of_the_program_is_logged_and_it_is_tried_again(bench: Bench, log: Any) -> None:
    bench.next = KeyError("a fault")
    bench.writer.start()
    assert (LogLevel.critical, "Index: a fault of the program") in log
    bench.next = Session()
    bench.advance(1)
    assert bench.writer.refusal is None


def test_a_session_that_comes_to_nothing_is_closed(bench: Bench) -> None:
    class ReadOnly(Session):
        async def run(self, statement: str, *parameters: object) -> Any:
            raise Refused("25006", "cannot execute UPDATE in a read-only transaction")

    bench.next = session = ReadOnly()
    bench.writer.start()
    assert session.is_closed
    assert bench.writer.refusal == "index: cannot execute UPDATE in a read-only transaction"


def test_an_interrupted_commit_goes_again_on_the_next_session(bench: Bench) -> None:
    first, second = Session(), Session()
    bench.next = first
    bench.writer.start()
    registered = bench.submit("1")
    bench.lose(first, second)
    assert first.is_closed
    bench.advance(0.2)
    assert second.executed[0][0] == first.executed[0][0]
    second.executed[0][1].callback([("1", "before")])
    assert registered.outcome == Registered("before")
    assert not [*bench.directory.iterdir()]


@pytest.mark.parametrize("expired", [False, True], ids=["in time", "after its time"])
@pytest.mark.parametrize("code", ["55P03", "53100", "22021", "SDCC1"])
@pytest.mark.parametrize(("row", "removed"), [(("1", True, None), []), (("1", False, None), ["1"])])
def test_a_commit_that_fails_says_nothing_of_the_interrupted_one_before(
    *, bench: Bench, code: str, expired: bool, row: Any, removed: list[str]
) -> None:
    """That one may have been committed, and its reply lost: the file stays until that is settled."""
    first, second, third = Session(), Session(), Session()
    bench.next = first
    bench.writer.start()
    registered = bench.submit("1")
    bench.lose(first, second)
    bench.advance(0.2)
    if expired:
        bench.advance(TIMEOUT)
    bench.next = third
    second.executed[0][1].errback(Refused(code, "canceling statement"))
    assert type(registered.outcome) is OutcomeUnknown
    assert [*bench.directory.iterdir()], "it is written down"
    assert bench.removed == []
    bench.advance(0.2)
    settling, rows = third.executed[0]
    assert "sdcc_settle" in settling
    assert '"path":"1"' in settling
    rows.callback([row])
    assert bench.removed == removed
    assert not [*bench.directory.iterdir()]
    again = bench.submit("2")
    third.executed[1][1].callback([])
    assert again.outcome == Registered(None)


def test_who_was_never_sent_waits_and_is_refused_for_certain(bench: Bench) -> None:
    bench.writer.start()
    bench.next = REFUSED
    bench.on_lost(Lost("server closed the connection unexpectedly"))
    waiting = bench.submit("1")
    bench.advance(TIMEOUT)
    assert type(waiting.outcome) is OutOfResources
    assert str(waiting.outcome) == "index unreachable: Connection refused"
    assert not [*bench.directory.iterdir()]


def in_doubt(bench: Bench, then: Any) -> Any:
    """One object whose time ran out after its commit was interrupted."""
    first = Session()
    bench.next = first
    bench.writer.start()
    waiting = bench.submit("1")
    bench.lose(first, REFUSED)
    bench.advance(TIMEOUT)
    assert type(waiting.outcome) is OutcomeUnknown
    assert [*bench.directory.iterdir()]
    bench.next = then
    bench.advance(MAXIMUM_DELAY)
    return waiting.outcome.settled


def test_another_whose_time_runs_out_during_the_settlement_does_not_wait_for_the_next_session(
    bench: Bench,
) -> None:
    first, second = Session(), Session()
    bench.next = first
    bench.writer.start()
    bench.submit("0")
    one = bench.submit("1")
    bench.clock.advance(3)
    two = bench.submit("2")
    first.executed[0][1].callback([])
    bench.lose(first, REFUSED)
    bench.clock.advance(TIMEOUT - 3)
    bench.next = second
    assert type(one.outcome) is OutcomeUnknown
    bench.clock.advance(2.9)
    settling, rows = second.executed[-1]
    assert "sdcc_settle" in settling
    assert '"path":"1"' in settling
    bench.clock.advance(0.1)
    assert type(two.outcome) is OutcomeUnknown, "in the midst of it"
    rows.callback([("1", True, None)])
    settling, rows = second.executed[-1]
    assert '"path":"2"' in settling
    assert bench.writer.refusal is not None
    rows.callback([("2", False, None)])
    assert bench.writer.refusal is None
    assert bench.removed == ["2"]


@pytest.mark.parametrize(
    ("row", "settled", "loser"),
    [
        (("1", False, None), None, "1"),
        (("1", True, "before"), Registered("before"), "before"),
        (("1", True, None), Registered(None), None),
    ],
)
def test_a_doubt_is_struck_when_the_file_that_lost_is_gone(
    bench: Bench, promise: Any, row: Any, settled: Any, loser: str | None
) -> None:
    session = Session()
    outcome = in_doubt(bench, session)

    async def end() -> Registered | None:
        return await outcome

    ended = promise(end())
    bench.removal = Deferred()
    session.executed[-1][1].callback([row])
    assert ended.outcome == settled
    assert bench.removed == ([] if loser is None else [loser])
    assert bool([*bench.directory.iterdir()]) == (loser is not None)
    bench.removal.callback(None)
    assert not [*bench.directory.iterdir()]


def test_a_settlement_that_fails_is_tried_again_with_nothing_registered_before(bench: Bench) -> None:
    session, another = Session(), Session()
    in_doubt(bench, session)
    bench.next = another
    session.executed[-1][1].errback(Refused("55P03", "canceling statement due to lock timeout"))
    assert session.is_closed
    assert bench.writer.refusal == "index: canceling statement due to lock timeout"
    bench.advance(MAXIMUM_DELAY)
    another.executed[-1][1].callback([("1", False, None)])
    assert bench.writer.refusal is None


def late_failure(bench: Bench, promise: Any) -> tuple[Session, Any]:
    """One object whose commit fails after it was answered."""
    session = Session()
    bench.next = session
    bench.writer.start()
    waiting = bench.submit("1")
    bench.advance(TIMEOUT)
    assert type(waiting.outcome) is OutcomeUnknown

    async def end() -> Registered | None:
        return await waiting.outcome.settled

    ended = promise(end())
    session.executed[0][1].errback(Refused("57014", "canceling statement"))
    return session, ended


@pytest.mark.parametrize(
    ("row", "outcome", "removed"),
    [(("1", False, None), None, ["1"]), (("1", True, None), Registered(None), [])],
)
def test_what_fails_after_its_answer_is_settled_before_its_file_goes(
    *, bench: Bench, promise: Any, pending: object, row: Any, outcome: Any, removed: list[str]
) -> None:
    """Another process may have found the file, and registered it."""
    session, ended = late_failure(bench, promise)
    settling, rows = session.executed[1]
    assert "sdcc_settle" in settling
    assert (ended.outcome, bench.removed) == (pending, [])
    rows.callback([row])
    assert (ended.outcome, bench.removed) == (outcome, removed)
    assert not [*bench.directory.iterdir()]


def test_where_that_is_not_possible_the_next_session_settles_it(
    bench: Bench, promise: Any, pending: object
) -> None:
    session, ended = late_failure(bench, promise)
    bench.next = another = Session()
    session.executed[1][1].errback(Refused("40P01", "deadlock detected"))
    assert (ended.outcome, bench.removed) == (pending, [])
    assert [*bench.directory.iterdir()], "it is written down"
    bench.advance(0.2)
    another.executed[0][1].callback([("1", False, None)])
    assert (ended.outcome, bench.removed) == (None, ["1"])
    assert not [*bench.directory.iterdir()]


def test_stop_waits_for_no_attempt(bench: Bench, promise: Any) -> None:
    """It may hang on the look-up of a name."""
    bench.next = Deferred()
    bench.writer.start()
    stopped = promise(bench.writer.stop(lambda: None))
    assert stopped.outcome is None
    assert not bench.clock.getDelayedCalls()


def test_stop_leaves_doubts_and_timers_to_nobody(bench: Bench, promise: Any) -> None:
    in_doubt(bench, REFUSED)
    assert promise(bench.writer.stop(lambda: None)).outcome is None
    assert not bench.clock.getDelayedCalls()
    assert [*bench.directory.iterdir()]
