"""What is SQLite's own in the index: its locks, its failures, and other processes."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import execute
from twisted.internet.task import Clock

from sdcc.index import sqlite, sqlite_writer
from sdcc.index.restoring import found
from sdcc.index.sqlite import SQLiteIndex
from sdcc.interfaces import OutcomeUnknown, OutOfResources, Registered, StoredObject, Unstorable

Make = Callable[..., StoredObject]
NewSQLite = Callable[..., contextlib.AbstractContextManager[Any]]
REGISTERING = Path(__file__).with_name("registering.py")
FAULT = "index: disk I/O error"


@pytest.fixture
def engine(new_sqlite: NewSQLite) -> Iterator[Any]:
    with new_sqlite() as engine:
        yield engine


class Disk:
    """Decides which statements of the writer fail."""

    def __init__(self) -> None:
        #: The statement that fails from now on, if any, and what is done in its stead first.
        self.failing: str | None = None
        self.instead: str | None = None
        self.tried = 0
        self.commits = 0

    def execute(self, connection: sqlite3.Connection, statement: str, *parameters: Any) -> sqlite3.Cursor:
        self.commits += statement == "COMMIT"
        if statement != self.failing:
            return connection.execute(statement, *parameters)
        self.tried += 1
        if self.instead is not None:
            connection.execute(self.instead)
        raise sqlite3.OperationalError("disk I/O error")


class Connection:
    """A connection to a database on such a disk."""

    def __init__(self, connection: sqlite3.Connection, disk: Disk) -> None:
        self._connection = connection
        self._disk = disk

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        return self._disk.execute(self._connection, *arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    opened = sqlite_writer.open_writer
    monkeypatch.setattr(sqlite_writer, "open_writer", lambda *arguments: Connection(opened(*arguments), disk))
    return disk


# --- the database fails ------------------------------------------------------------------------


def test_a_failure_before_commit_certainly_registers_nothing(engine: Any, make: Make, disk: Disk) -> None:
    disk.failing = "BEGIN IMMEDIATE"
    outcomes = engine.register(make("1"), make("2"))
    assert [type(outcome) for outcome in outcomes] == [OutOfResources] * 2
    assert [str(outcome) for outcome in outcomes] == [FAULT] * 2
    assert disk.tried == 1, "what ails the database is not tried again for each row"
    assert engine.instances() == []


def test_a_database_that_fails_is_refused_until_a_trial_succeeds(engine: Any, make: Make, disk: Disk) -> None:
    disk.failing = "BEGIN IMMEDIATE"
    engine.register(make("1"))
    for tried in (2, 3):
        assert engine.index.refusal == FAULT
        engine.clock.advance(sqlite.TRIAL_INTERVAL)
        assert disk.tried == tried
    disk.failing = None
    engine.clock.advance(sqlite.TRIAL_INTERVAL)
    assert engine.index.refusal is None
    assert not engine.clock.getDelayedCalls()
    assert engine.register(make("1")) == [Registered(None)]


def test_a_registration_that_succeeds_ends_the_refusal_too(engine: Any, make: Make, disk: Disk) -> None:
    disk.failing = "BEGIN IMMEDIATE"
    engine.register(make("1"))
    disk.failing = None
    assert engine.register(make("1")) == [Registered(None)]
    assert engine.index.refusal is None
    engine.clock.advance(sqlite.TRIAL_INTERVAL)


@pytest.mark.parametrize(
    ("instead", "settled", "left"),
    [("ROLLBACK", None, ["first"]), ("COMMIT", Registered("first"), ["second"])],
    ids=["not durable", "durable all the same"],
)
@pytest.mark.parametrize("settled_by", ["trial", "next registration", "stop"])
def test_a_failed_commit_is_in_doubt_until_the_database_works_again(
    engine: Any,
    make: Make,
    promise: Any,
    pending: object,
    disk: Disk,
    *,
    instead: str,
    settled: Registered | None,
    left: list[str],
    settled_by: str,
) -> None:
    engine.register(make(path="first"))
    disk.failing, disk.instead = "COMMIT", instead
    (outcome,) = engine.register(make(path="second"))
    assert type(outcome) is OutcomeUnknown
    assert str(outcome) == FAULT

    async def settlement() -> Registered | None:
        return await outcome.settled

    end = promise(settlement())
    disk.instead = "ROLLBACK"
    engine.clock.advance(sqlite.TRIAL_INTERVAL)
    assert end.outcome is pending
    assert engine.index.figures.doubts == 1
    disk.failing = None
    match settled_by:
        case "trial":
            engine.clock.advance(sqlite.TRIAL_INTERVAL)
        case "next registration":
            engine.register(make("9", path="other", series_instance_uid="1.2.9"))
            left = [*left, "other"]
        case "stop":
            engine.run(engine.index.stop())
    assert end.outcome == settled
    assert not engine.index.leaves_doubts
    assert engine.index.figures.doubts == 0
    assert sorted(stored.file.path for stored in engine.instances()) == sorted(left)


def test_doubts_are_settled_by_a_transaction_that_is_written(engine: Any, make: Make, disk: Disk) -> None:
    """It takes the place in the log where the failed one may stand."""
    disk.failing, disk.instead = "COMMIT", "ROLLBACK"
    engine.register(make())
    disk.failing = None
    log = Path(f"{engine.path}-wal")
    with contextlib.closing(sqlite3.connect(engine.path)) as other:
        other.execute("SELECT * FROM study").fetchall()
        before = log.stat().st_size
        engine.clock.advance(sqlite.TRIAL_INTERVAL)
        assert log.stat().st_size > before


def test_there_is_one_trial_at_a_time(engine: Any, make: Make, disk: Disk) -> None:
    disk.failing = "BEGIN IMMEDIATE"
    engine.register(make("1"))
    engine.register(make("2"))
    assert len(engine.clock.getDelayedCalls()) == 1


def test_a_failure_in_part_of_a_group_ends_its_trials(engine: Any, make: Make, disk: Disk) -> None:
    """What was in the failed COMMIT is in doubt, what would have come after it certainly not registered."""
    disk.failing, disk.instead = "COMMIT", "ROLLBACK"
    outcomes = engine.register(make("1", sha256=""), make("2"), make("3"), make("4"))
    assert [type(outcome) for outcome in outcomes] == [
        Unstorable,
        OutcomeUnknown,
        OutOfResources,
        OutOfResources,
    ]
    assert [str(outcome) for outcome in outcomes[1:]] == [FAULT] * 3
    assert disk.tried == 1


@pytest.mark.parametrize("bad", range(7))
def test_one_bad_row_costs_few_transactions(engine: Any, make: Make, disk: Disk, bad: int) -> None:
    """Each is a sync of the disk."""
    group = [make(str(place), sha256="" if place == bad else "0f" * 32) for place in range(7)]
    outcomes = engine.register(*group)
    assert [type(outcome) is Unstorable for outcome in outcomes] == [place == bad for place in range(7)]
    assert disk.commits <= 3


def test_stop_ends_though_the_database_fails(engine: Any, make: Make, disk: Disk) -> None:
    disk.failing, disk.instead = "COMMIT", "ROLLBACK"
    engine.register(make())
    engine.run(engine.index.stop())
    assert engine.index.leaves_doubts
    assert not engine.clock.getDelayedCalls()


def test_a_full_disk_says_so_and_there_is_service_again_when_there_is_space(engine: Any, make: Make) -> None:
    first = make("1")
    engine.register(first)
    connection = engine.index._writer._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    (outcome,) = engine.register(make("2", image_type="x" * 100_000))
    assert type(outcome) is OutOfResources
    assert str(outcome) == "index: database or disk is full"
    engine.clock.advance(sqlite.TRIAL_INTERVAL)
    assert engine.register(make("3", seconds=1)) == [Registered(None)]
    assert engine.instances() == [first, make("3", seconds=1)]


def test_a_database_that_is_gone_is_not_made_anew(engine: Any, make: Make) -> None:
    engine.path.unlink()
    (outcome,) = engine.register(make())
    assert str(outcome) == "index: unable to open database file"
    assert not engine.path.exists()


def test_another_file_in_its_place_is_not_written(engine: Any, make: Make) -> None:
    engine.path.unlink()
    with contextlib.closing(sqlite3.connect(engine.path)) as connection:
        connection.execute("CREATE TABLE study (a)")
    (outcome,) = engine.register(make())
    assert str(outcome) == "index: not the database that was there at start"


def test_a_database_that_goes_while_it_is_open_is_missed_at_once(engine: Any, make: Make) -> None:
    """What is written to a file that has no name any more is gone with the process."""
    engine.register(make("1"))
    engine.path.unlink()
    (outcome,) = engine.register(make("2"))
    assert str(outcome) == "index: unable to open database file"
    assert not engine.path.exists()


def test_a_directory_that_goes_and_comes_again_holds_all_that_was_acknowledged(
    engine: Any, make: Make
) -> None:
    directory = engine.path.parent
    away = directory.with_name(f"{directory.name}-away")
    engine.register(make("1"))
    directory.rename(away)
    (outcome,) = engine.register(make("2"))
    assert str(outcome) == "index: unable to open database file"
    away.rename(directory)
    engine.clock.advance(sqlite.TRIAL_INTERVAL)
    assert engine.register(make("3", seconds=1)) == [Registered(None)]
    assert engine.instances() == [make("1"), make("3", seconds=1)]


def test_a_log_that_goes_while_it_is_open_is_made_anew(engine: Any, make: Make) -> None:
    engine.register(make("1"))
    log = engine.path.with_name(f"{engine.path.name}-wal")
    log.unlink()
    assert engine.register(make("2", seconds=1)) == [Registered(None)]
    assert log.exists()
    assert engine.instances() == [make("1"), make("2", seconds=1)]


# --- time ----------------------------------------------------------------------------------------


def test_a_transaction_that_outlives_the_timeout_is_unknown_refused_and_settled(
    engine: Any, make: Make, promise: Any
) -> None:
    engine.thread.held = True
    registered = promise(engine.index.register(make()))
    waiting = promise(engine.index.register(make("2")))
    engine.clock.advance(engine.timeout)
    assert type(registered.outcome) is OutcomeUnknown
    assert type(waiting.outcome) is OutOfResources
    assert engine.index.refusal == "index did not answer within 10 s"

    async def settlement() -> Registered | None:
        return await registered.outcome.settled

    end = promise(settlement())
    engine.thread.release()
    assert end.outcome == Registered(None)
    assert engine.index.refusal is None
    assert engine.instances() == [make()]


@pytest.mark.parametrize("is_found", [False, True])
@pytest.mark.parametrize("works_again", [True, False])
def test_what_fails_after_its_answer_is_given_up_unless_another_process_has_found_its_file(
    *, engine: Any, make: Make, promise: Any, disk: Disk, is_found: bool, works_again: bool
) -> None:
    """Who was told that it failed removes the file."""
    engine.thread.held = True
    registered = promise(engine.index.register(make(path="new")))
    engine.clock.advance(10)
    assert type(registered.outcome) is OutcomeUnknown
    ended = promise(outcome_of(registered.outcome))
    disk.failing = "BEGIN IMMEDIATE"
    engine.thread.run_next()
    assert ended.outcome is not None, "which would be the end of the file"
    disk.failing = None
    if is_found:
        another = sqlite_writer.Writer(engine.path, 1.0)
        another.commit([found(make(path="new"))])
        another.close()
    if not works_again:
        disk.failing = "BEGIN IMMEDIATE"
        engine.thread.run_next()
        disk.failing = None
    engine.release()
    engine.clock.advance(sqlite.TRIAL_INTERVAL)
    assert ended.outcome == (Registered(None) if is_found else None)
    assert [stored.file.path for stored in engine.instances()] == ["new"] * is_found
    assert engine.select("SELECT path FROM gone") == ([] if is_found else [("new",)])


async def outcome_of(doubt: OutcomeUnknown) -> Registered | None:
    return await doubt.settled


def test_a_doubtful_object_that_another_has_replaced_was_registered(
    engine: Any, make: Make, promise: Any, disk: Disk
) -> None:
    """So that the file that it has replaced itself goes, and not only its own."""
    engine.register(make(path="first"))
    disk.failing, disk.instead = "COMMIT", "COMMIT"
    [doubt] = engine.register(make(path="second", seconds=1))
    disk.failing = disk.instead = None
    another = sqlite_writer.Writer(engine.path, 1.0)
    another.commit([make(path="third", seconds=2)])
    another.close()
    ended = promise(outcome_of(doubt))
    engine.clock.advance(sqlite.TRIAL_INTERVAL)
    assert ended.outcome == Registered("first")


def test_a_lock_that_another_process_keeps_is_a_certain_failure(new_sqlite: NewSQLite, make: Make) -> None:
    with new_sqlite(timeout=0.05) as engine:
        with contextlib.closing(sqlite3.connect(engine.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            outcomes = engine.register(make("1"), make("2"))
            assert [type(outcome) for outcome in outcomes] == [OutOfResources] * 2
            assert str(outcomes[0]) == "index: database is locked"
            other.execute("ROLLBACK")
        assert engine.register(make("1")) == [Registered(None)]


def test_no_lock_is_waited_for_as_long_as_the_timeout(engine: Any, make: Make) -> None:
    """Or the outcome would be unknown, where nothing has been written."""
    engine.register(make())
    (milliseconds,) = engine.index._writer._connection.execute("PRAGMA busy_timeout").fetchone()
    assert 0 < milliseconds < 1000 * engine.timeout


# --- life ----------------------------------------------------------------------------------------


def unprepared(path: Path) -> SQLiteIndex:
    return SQLiteIndex(path, run_in_thread=execute, read_in_thread=execute, clock=Clock(), timeout=10.0)


def test_nothing_is_registered_before_it_is_prepared(engine: Any, make: Make) -> None:
    index = unprepared(engine.path)
    assert index.refusal == "index is not open yet"
    with pytest.raises(OutOfResources, match=r"^index is not open yet$"):
        engine.run(index.register(make()))


def test_stop_leaves_everything_in_the_one_file(engine: Any, make: Make, tmp_path: Path) -> None:
    engine.register(make())
    engine.run(engine.index.stop())
    assert [entry.name for entry in engine.path.parent.iterdir()] == [engine.path.name]
    with contextlib.closing(sqlite3.connect(engine.path)) as connection:
        assert connection.execute("SELECT count(*) FROM instance").fetchone() == (1,)


def test_stop_writes_the_log_back_though_others_have_the_database_open(engine: Any, make: Make) -> None:
    with contextlib.closing(sqlite3.connect(engine.path)) as other:
        other.execute("SELECT * FROM study").fetchall()
        engine.register(make())
        engine.run(engine.index.stop())
        assert Path(f"{engine.path}-wal").stat().st_size == 0


# --- readers -------------------------------------------------------------------------------------


def test_a_reader_needs_no_prepare_and_changes_nothing(engine: Any, make: Make) -> None:
    engine.register(make())
    engine.run(engine.index.stop())
    before = engine.path.read_bytes()
    engine.index = unprepared(engine.path)
    assert engine.instances() == [make()]
    assert engine.path.read_bytes() == before


def test_a_reader_of_no_database_creates_none(engine: Any, tmp_path: Path) -> None:
    path = tmp_path / "absent" / "index.db"
    engine.index = unprepared(path)
    with pytest.raises(FileNotFoundError, match=f"^{path}: there is no index yet"):
        engine.instances()
    assert not path.parent.exists()


def test_a_reader_waits_for_no_writer_and_sees_what_is_committed(engine: Any, make: Make) -> None:
    engine.register(make("1"))
    with contextlib.closing(sqlite3.connect(engine.path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE instance SET path = 'uncommitted'")
        assert engine.instances() == [make("1")]
        writer.execute("ROLLBACK")


def test_objects_registered_between_pages_are_read_in_their_turn(
    engine: Any, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "PAGE", 2)
    objects = [make(str(number), seconds=number) for number in range(5)]
    engine.register(*objects[:3])

    async def listed() -> list[StoredObject]:
        seen = []
        async for stored in engine.index.instances():
            seen.append(stored)
            if len(seen) == 1:
                assert engine.register(*objects[3:]) == [Registered(None)] * 2
        return seen

    assert engine.run(listed()) == objects


def test_a_listing_that_is_given_up_leaves_nothing_open(engine: Any, make: Make) -> None:
    """No connection is held between pages: the log can be written back."""
    engine.register(make("1"), make("2"))

    async def first() -> StoredObject:
        async for stored in engine.index.instances():
            return stored
        raise AssertionError("nothing was listed")

    assert engine.run(first()) == make("1")
    with contextlib.closing(sqlite3.connect(engine.path)) as connection:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert not busy


# --- other processes -------------------------------------------------------------------------------


def registering(path: Path, prefix: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, REGISTERING, path, prefix, str(count)], stdout=subprocess.PIPE, text=True
    )


def newest(lines: list[str]) -> dict[str, str]:
    """SOP Instance UID to the path printed last."""
    return dict(line.rstrip().split(" ") for line in lines)


@pytest.mark.parametrize("printed", [0, 1, 60, 150])
def test_what_was_acknowledged_survives_a_kill(new_sqlite: NewSQLite, tmp_path: Path, printed: int) -> None:
    """Each UID shows the object acknowledged last, or one that was on its way when the process was killed."""
    path = tmp_path / "index.db"
    with registering(path, "1", 0) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(printed)]
        process.kill()
        lines += [line for line in process.stdout if line.endswith("\n")]
    index = unprepared(path)
    index.prepare()
    with new_sqlite() as engine:
        engine.index = index
        found = {stored.instance.sop_instance_uid: stored.file.path for stored in engine.instances()}
    acknowledged = newest(lines)
    assert len(lines) >= printed
    assert all(found[uid] >= kept for uid, kept in acknowledged.items())
    assert len(found.keys() - acknowledged.keys()) <= 1


def test_processes_may_start_on_one_new_database_and_write_at_once(
    new_sqlite: NewSQLite, tmp_path: Path
) -> None:
    path = tmp_path / "index.db"
    processes = [registering(path, prefix, 120) for prefix in ("1", "2", "3")]
    expected: dict[str, str] = {}
    for process in processes:
        output, _ = process.communicate()
        assert process.returncode == 0
        expected |= newest(output.splitlines())
    with new_sqlite() as engine:
        engine.index = unprepared(path)
        objects = engine.instances()
    assert {stored.instance.sop_instance_uid: stored.file.path for stored in objects} == expected
    assert len(expected) == 150
    with contextlib.closing(sqlite3.connect(path)) as connection:
        series = {(stored.study.study_instance_uid, stored.series.series_instance_uid) for stored in objects}
        assert connection.execute("SELECT count(*) FROM series").fetchone() == (len(series),)
        assert connection.execute("SELECT count(*) FROM study").fetchone() == (len({s for s, _ in series}),)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
