"""The doubts on disk: durable before the answer, and never lost between processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, execute
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher

from sdcc.index import doubts
from sdcc.index.doubts import Doubt, Journal

A, B, C = (Doubt(f"1.2.{number}", f"objects/{number}") for number in range(3))


class Bench:
    def __init__(self, directory: Path, promise: Any, thread: Any) -> None:
        self.directory = directory
        self.thread = thread
        self._promise = promise

    def run(self, coroutine: Any) -> Any:
        outcome = self._promise(coroutine).outcome
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def journal(self, **arguments: Any) -> Journal:
        """As another process would have it."""
        journal = Journal(self.directory / "doubts", **{"run_in_thread": execute} | arguments)
        journal.prepare()
        return journal

    def files(self) -> list[str]:
        return sorted(entry.name for entry in (self.directory / "doubts").iterdir())


@pytest.fixture
def bench(tmp_path: Path, promise: Any, engine_thread: Callable[[], Any]) -> Bench:
    return Bench(tmp_path, promise, engine_thread())


def die(journal: Journal) -> None:
    """What the end of a process does to its descriptors."""
    journal._files.close()


def test_without_doubts_there_is_no_file(bench: Bench) -> None:
    journal = bench.journal()
    assert bench.run(journal.take_over()) == []
    bench.run(journal.close())
    assert bench.files() == []


def test_a_journal_is_closed_when_what_is_written_is_cleared_up(
    bench: Bench, promise: Any, pending: object
) -> None:
    """Whoever is told that a doubt is written may close the journal at once."""
    journal = bench.journal(run_in_thread=bench.thread)
    closed: list[Any] = []

    async def note_and_close() -> None:
        await journal.note(A)
        closed.append(promise(journal.close()))

    bench.thread.held = True
    promise(note_and_close())
    bench.run(journal.strike(A))
    bench.thread.run_next()
    assert closed[0].outcome is pending
    bench.thread.release()
    assert closed[0].outcome is None
    assert bench.files() == []


def test_a_doubt_is_synced_with_the_entry_of_its_file_when_its_note_returns(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    really = os.fsync

    def fsync(file: int) -> None:
        path = os.readlink(f"/proc/self/fd/{file}")
        steps.append(Path(path).suffix or Path(path).name)
        if path.endswith(doubts.SUFFIX):
            assert Path(path).read_text().endswith("}\n")
        really(file)

    journal = bench.journal()
    monkeypatch.setattr(doubts.os, "fsync", fsync)
    bench.run(journal.note(A))
    assert steps == ["doubts", ".jsonl"]


def test_the_doubts_of_a_dead_process_are_taken_over_and_go_with_their_file_when_they_are_struck(
    bench: Bench,
) -> None:
    first = bench.journal()
    bench.run(first.note(A))
    bench.run(first.note(B))
    die(first)
    second = bench.journal()
    assert bench.run(second.take_over()) == [A, B]
    bench.run(second.note(C))
    for doubt in (A, C):
        bench.run(second.strike(doubt))
        assert len(bench.files()) == 2
    bench.run(second.strike(B))
    assert bench.files() == []


def test_the_doubts_of_a_living_process_are_its_own(bench: Bench) -> None:
    first, second = bench.journal(), bench.journal()
    bench.run(first.note(A))
    assert bench.run(second.take_over()) == []
    assert bench.run(first.take_over()) == []


def test_what_was_taken_over_is_given_once(bench: Bench) -> None:
    first = bench.journal()
    bench.run(first.note(A))
    die(first)
    second, third = bench.journal(), bench.journal()
    assert bench.run(second.take_over()) == [A]
    assert bench.run(second.take_over()) == []
    assert bench.run(third.take_over()) == []


def test_what_is_being_taken_over_outlives_the_last_strike(bench: Bench) -> None:
    """The thread has read the dead one's file, which the reactor's thread does not know yet."""
    dead = bench.journal()
    bench.run(dead.note(A))
    die(dead)
    undelivered: list[Deferred[None]] = []

    def run_in_thread(call: Any, *arguments: Any) -> Any:
        done = execute(call, *arguments)
        gate: Deferred[None] = Deferred()
        undelivered.append(gate)
        return gate.addCallback(lambda _: done)

    def deliver() -> None:
        while undelivered:
            undelivered.pop(0).callback(None)

    journal = bench.journal(run_in_thread=run_in_thread)
    noting = Deferred.fromCoroutine(journal.note(B))
    deliver()
    assert noting.called
    taking_over = Deferred.fromCoroutine(journal.take_over())
    striking = Deferred.fromCoroutine(journal.strike(B))
    deliver()
    assert striking.called
    assert taking_over.result == [A]
    die(journal)
    assert set(bench.run(bench.journal().take_over())) >= {A}


@pytest.mark.parametrize("end", ["close", "die"])
def test_what_is_still_open_at_the_end_is_for_the_next(bench: Bench, end: str) -> None:
    first = bench.journal()
    bench.run(first.note(A))
    die(first)
    second = bench.journal()
    bench.run(second.take_over())
    bench.run(second.note(B))
    if end == "close":
        bench.run(second.close())
    else:
        die(second)
    assert sorted(bench.run(bench.journal().take_over()), key=str) == [A, B]


def test_after_all_are_struck_a_new_doubt_has_a_new_file(bench: Bench) -> None:
    journal = bench.journal()
    bench.run(journal.note(A))
    bench.run(journal.strike(A))
    assert bench.files() == []
    bench.run(journal.note(B))
    die(journal)
    assert bench.run(bench.journal().take_over()) == [B]


@pytest.mark.parametrize("cut", range(1, 60))
def test_a_line_that_was_cut_off_hides_no_other(bench: Bench, cut: int) -> None:
    journal = bench.journal()
    bench.run(journal.note(A))
    assert journal._files._own is not None
    path, file = journal._files._own
    os.ftruncate(file, path.stat().st_size + 0)
    os.write(file, b'\n{"sop_instance_uid": "1.2.9", "path": "objects/cut/cut/cut"}\n'[:cut])
    bench.run(journal.note(B))
    die(journal)
    assert bench.run(bench.journal().take_over()) == [A, B]


@pytest.mark.parametrize("line", [b"[]", b"1", b"\xff", b'{"path": 1}', b'{"path": "a", "other": 1}', b""])
def test_what_is_no_doubt_is_passed_over(bench: Bench, line: bytes) -> None:
    bench.journal()
    (bench.directory / "doubts" / f"x{doubts.SUFFIX}").write_bytes(
        line + b'\n{"sop_instance_uid": "1.2.0", "path": "objects/0"}\n'
    )
    assert bench.run(bench.journal().take_over()) == [A]


def test_what_comes_during_a_sync_goes_together_in_the_next(
    bench: Bench, promise: Any, pending: object
) -> None:
    journal = bench.journal(run_in_thread=bench.thread)
    bench.thread.held = True
    notes = [promise(journal.note(Doubt("1", f"{number}"))) for number in range(5)]
    bench.thread.run_next()
    assert [note.outcome for note in notes] == [None, pending, pending, pending, pending]
    bench.thread.run_next()
    assert [note.outcome for note in notes] == [None] * 5


def test_a_disk_that_fails_keeps_nobody_waiting(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(file: int) -> None:
        raise OSError("disk failed")

    journal = bench.journal()
    with monkeypatch.context() as failing:
        failing.setattr(doubts.os, "fsync", fsync)
        assert bench.run(journal.note(A)) is None
    bench.run(journal.note(B))
    die(journal)
    assert B in bench.run(bench.journal().take_over())


@pytest.fixture
def failures() -> Iterator[list[str]]:
    """Lines of the log above warnings."""
    lines: list[str] = []

    def observe(event: LogEvent) -> None:
        if event["log_level"] > LogLevel.warn:
            lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


FAILURES = pytest.mark.parametrize(
    ("failure", "cause"),
    [
        (OSError("disk failed"), "Index: doubts cannot be {}: disk failed"),
        (RuntimeError("can't start new thread"), "Index: a fault of the program; doubts cannot be {}"),
    ],
)


@FAILURES
def test_whatever_fails_keeps_nobody_waiting(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, failures: list[str], failure: Exception, cause: str
) -> None:
    def append(written: object) -> None:
        raise failure

    journal = bench.journal(run_in_thread=bench.thread)
    bench.thread.held = True
    with monkeypatch.context() as failing:
        failing.setattr(journal._files, "append", append)
        notes = [Deferred.fromCoroutine(journal.note(doubt)) for doubt in (A, B)]
        bench.thread.release()
        assert [note.called for note in notes] == [True, True]
    assert failures == [cause.format("written down")] * 2
    bench.run(journal.note(C))
    bench.run(journal.close())
    assert bench.run(bench.journal().take_over()) == [C]


@FAILURES
def test_files_that_cannot_be_cleared_up_are_when_doubts_are_settled_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, failures: list[str], failure: Exception, cause: str
) -> None:
    """A stop does not fail for that; at worst the next process settles them once more."""

    def clear() -> None:
        raise failure

    journal = bench.journal()
    bench.run(journal.note(A))
    with monkeypatch.context() as failing:
        failing.setattr(journal._files, "clear", clear)
        bench.run(journal.strike(A))
    assert failures == [cause.format("cleared up")]
    assert len(bench.files()) == 1
    bench.run(journal.note(B))
    bench.run(journal.strike(B))
    assert bench.files() == []


def test_a_name_that_another_took_for_a_dead_ones_is_given_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the moment between the creation of a file and its locking."""
    other = bench.journal()
    really, seen = doubts.fcntl.flock, []

    def flock(file: int, operation: int) -> None:
        if not seen:
            seen.append(file)
            bench.run(other.take_over())
        really(file, operation)

    monkeypatch.setattr(doubts.fcntl, "flock", flock)
    journal = bench.journal()
    bench.run(journal.note(A))
    assert len(bench.files()) == 2
    die(journal)
    assert bench.run(bench.journal().take_over()) == [A]
