"""`sdccctl reindex`: the files of an archive make an index, on every database."""

from __future__ import annotations

import datetime
import json
import os
import re
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable, Coroutine
from operator import itemgetter
from pathlib import Path
from typing import Any, NoReturn

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock

from sdcc.archive import stored_files
from sdcc.archive.filesystem import FileSystem
from sdcc.config import Configuration, load
from sdcc.control import reindex as command
from sdcc.control import reindexing
from sdcc.control.reindex import reindex
from sdcc.control.reindexing import Reindexing
from sdcc.control.synchronous import INTERRUPTED
from sdcc.inspection import files
from sdcc.inspection.files import Files
from sdcc.interfaces import OutcomeUnknown, OutOfResources, Registered, StoredObject, Unstorable
from sdcc.threads import Threads

from ..archives import ANY, Reception, as_found, at_the_end, registered

SDCCCTL = [sys.executable, "-m", "sdcc.control"]

# --- on every database -----------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_the_index_is_as_reception_would_have_made_it(
    configuration: Configuration, receive: Reception, storage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    objects = [receive(f"1.2.3.{number}", study=f"1.{number % 3}") for number in range(9)]
    objects.append(receive("1.2.4", study="1.9", name=b"\xe4\xf6"))
    assert objects[-1].fault
    (storage / "incoming" / "left.part").write_bytes(b"on its way")
    assert await reindex(configuration, reactor) == 0
    assert capsys.readouterr().out == "registered 10, already registered 0, older versions 0, faulty 0\n"
    found = await registered(configuration)
    assert found == [as_found(stored, storage) for stored in objects]
    for stored, original in zip(found, objects, strict=True):
        assert abs(stored.file.received_at - original.file.received_at) < datetime.timedelta(seconds=5)
    assert (storage / "incoming" / "left.part").exists()


@pytest_twisted.ensureDeferred
async def test_programs_get_the_counts(
    configuration: Configuration, receive: Reception, capsys: pytest.CaptureFixture[str]
) -> None:
    receive("1.2.3")
    assert await reindex(configuration, reactor, as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == {
        "registered": 1,
        "already_registered": 0,
        "older_versions": 0,
        "faulty": 0,
    }


@pytest_twisted.ensureDeferred
async def test_again_nothing_is_read_and_nothing_changes(
    configuration: Configuration,
    receive: Reception,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(5):
        receive(f"1.2.3.{number}")
    assert await reindex(configuration, reactor) == 0
    before = await registered(configuration)
    capsys.readouterr()

    def read(*arguments: object) -> NoReturn:
        raise AssertionError("read again")

    monkeypatch.setattr(stored_files, "read", read)
    assert await reindex(configuration, reactor) == 0
    assert capsys.readouterr().out == "registered 0, already registered 5, older versions 0, faulty 0\n"
    assert await registered(configuration) == before


@pytest_twisted.ensureDeferred
async def test_what_was_interrupted_is_completed_by_the_next_run(
    configuration: Configuration,
    receive: Reception,
    storage: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    objects = [receive(f"1.2.3.{number}", study=f"1.{number:02}") for number in range(40)]
    really = stored_files.read
    interrupt: list[Callable[[], Deferred[None]]] = []

    def read(path: str, *arguments: Any, **keywords: Any) -> stored_files.FoundFile:
        if path == objects[20].file.path:
            ANY.callFromThread(interrupt[0])
        return really(path, *arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(stored_files, "read", read)
        patch.setattr(reactor, "addSystemEventTrigger", lambda phase, event, call: interrupt.append(call))
        assert await reindex(configuration, reactor) == INTERRUPTED
    assert capsys.readouterr().err.endswith("interrupted; run it again to go on\n")
    known = len(await registered(configuration))
    assert known < 40
    assert await reindex(configuration, reactor) == 0
    assert capsys.readouterr().out == (
        f"registered {40 - known}, already registered {known}, older versions 0, faulty 0\n"
    )
    assert await registered(configuration) == sorted(
        (as_found(stored, storage) for stored in objects), key=lambda stored: stored.instance.sop_instance_uid
    )


@pytest.mark.parametrize("newer_first", [True, False])
@pytest_twisted.ensureDeferred
async def test_of_two_files_of_an_object_the_newer_is_registered_and_both_stay(
    configuration: Configuration,
    receive: Reception,
    storage: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    newer_first: bool,
) -> None:
    first, second = receive("1.2.3.4", age=50 * (not newer_first)), receive("1.2.3.4", age=50 * newer_first)
    newer = first if newer_first else second
    assert await reindex(configuration, reactor) == 0
    assert await registered(configuration) == [as_found(newer, storage)]
    assert f"older versions {int(newer_first)}, faulty 0" in capsys.readouterr().out
    assert await reindex(configuration, reactor) == 0
    assert capsys.readouterr().out == "registered 0, already registered 1, older versions 1, faulty 0\n"
    assert all((storage / stored.file.path).exists() for stored in (first, second))


@pytest_twisted.ensureDeferred
async def test_what_is_no_object_is_named_and_stays_and_the_rest_is_registered(
    configuration: Configuration, receive: Reception, storage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, cut, other = (storage / receive(uid).file.path for uid in ("1.2.1", "1.2.2", "1.2.3"))
    cut.write_bytes(cut.read_bytes()[:-40])
    other.write_bytes(other.read_bytes().replace(b"1.2.3\0", b"1.2.9\0", 1))
    (text := good.with_name("1.2.4-x\x1b.dcm")).write_text("no object " * 20)
    (directory := good.with_name("1.2.5-x.dcm")).mkdir()
    (no_text := good.with_name("1.2.6-\udcff.dcm")).write_text("no object")
    assert await reindex(configuration, reactor) == 1
    out, err = capsys.readouterr()
    assert out == "registered 1, already registered 0, older versions 0, faulty 5\n"
    told = [line for line in err.splitlines() if ".dcm: " in line]
    for line, path in zip(told, (cut, other, text, directory, no_text), strict=True):
        assert line.startswith(str(path).replace("\x1b", r"\x1b").replace("\udcff", r"\udcff") + ": ")
        assert path.exists()
    assert [storage / stored.file.path for stored in await registered(configuration)] == [good]


@pytest_twisted.ensureDeferred
async def test_what_a_server_has_registered_later_is_not_overwritten(
    configuration: Configuration, receive: Reception, storage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    receive("1.2.3.4", name=b"Older", age=10)
    newer, gone = receive("1.2.3.4"), receive("1.2.3.5")
    (storage / gone.file.path).unlink()
    before = await registered(configuration, newer, gone)
    assert await reindex(configuration, reactor) == 0
    assert capsys.readouterr().out == "registered 0, already registered 1, older versions 1, faulty 0\n"
    assert await registered(configuration) == before == [newer, gone]


# --- an index that is not there, or fails ----------------------------------------------------------


def outside(call: Callable[[Any], Coroutine[Any, Any, None]]) -> NoReturn:
    """In place of a reactor, where none is reached."""
    at_the_end(call(reactor))
    raise SystemExit


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "No such file or directory: '{}/sdcc-data/objects'"),
        ('[index]\nurl = "sqlite:////proc/x"', "/proc"),
    ],
)
def test_what_cannot_be_used_is_said(
    configured: Callable[[str], str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    text: str,
    says: str,
) -> None:
    monkeypatch.setattr(Threads, "start", lambda threads: None)
    monkeypatch.setattr(Threads, "stop", lambda threads: None)
    monkeypatch.setattr(Threads, "run", lambda threads, call, *arguments: execute(call, *arguments))
    if text:
        (tmp_path / "sdcc-data" / "objects").mkdir(parents=True)
    assert command.run(Namespace(json=False), load(Path(configured(text))), react=outside) == 1
    assert says.format(tmp_path) in capsys.readouterr().err


@pytest_twisted.ensureDeferred
async def test_a_database_that_is_away_is_said_after_its_timeout(
    configured: Callable[[str], str], receive: Reception
) -> None:
    receive("1.2.3")
    configuration = load(Path(configured('[index]\nurl = "postgresql://x@127.0.0.1:1/x"\ntimeout = 0.2\n')))
    with pytest.raises(OSError, match=r"^index unreachable"):
        await reindex(configuration, reactor)


class Index:
    """An index in a dictionary; `fault` is what restoring raises."""

    def __init__(self) -> None:
        self.refusal: str | None = None
        self.fault: Exception | None = None
        self.asking_fault: Exception | None = None
        self.rows: dict[str, str] = {}

    async def restore(self, stored: StoredObject, *, over: str | None = None) -> Registered | None:
        if self.fault is not None:
            raise self.fault
        path = self.rows.setdefault(stored.instance.sop_instance_uid, stored.file.path)
        return Registered() if path == stored.file.path else None

    async def paths(self, sop_instance_uids: list[str]) -> dict[str, str]:
        if self.asking_fault is not None:
            raise self.asking_fault
        return {uid: self.rows[uid] for uid in sop_instance_uids if uid in self.rows}


class Report:
    def __init__(self) -> None:
        self.advanced = 0
        self.lines: list[str] = []

    def advance(self) -> None:
        self.advanced += 1

    def say(self, line: str) -> None:
        self.lines.append(line)


class Pass:
    """A pass through the archive with a fake index, on a clock."""

    def __init__(self, storage: Path) -> None:
        self.index = Index()
        self.report = Report()
        self.clock = Clock()
        self.now = 2e9
        self.files = Files(
            str(storage),
            filesystem=FileSystem(),
            walk_in_thread=execute,
            read_in_thread=execute,
            ahead=2,
            timeout=10.0,
            clock=self.clock,
            now=lambda: self.now,
        )
        self.reindexing = Reindexing(self.index, self.files)
        self.ended: list[Any] = []

    def run(self) -> None:
        Deferred.fromCoroutine(self.reindexing.run(self.report)).addBoth(self.ended.append)


@pytest.fixture
def new_pass(storage: Path) -> Pass:
    return Pass(storage)


@pytest.mark.parametrize("fault", [OutOfResources("index: away"), OutcomeUnknown("index: away", Deferred())])
def test_an_index_that_fails_ends_it(receive: Reception, new_pass: Pass, fault: Exception) -> None:
    for number in range(20):
        receive(f"1.2.3.{number}")
    """Also one that says nothing else of it yet, as PostgreSQL while it is away for a moment."""
    new_pass.index.fault = fault
    new_pass.run()
    assert new_pass.ended == [None]
    assert new_pass.files.course.index_failure == "index: away"
    assert new_pass.reindexing.counts == reindexing.Counts()


def test_an_index_that_cannot_be_asked_ends_it(receive: Reception, new_pass: Pass) -> None:
    receive("1.2.3")
    new_pass.index.asking_fault = OSError("cannot be read")
    new_pass.run()
    assert new_pass.files.course.index_failure == "cannot be read"
    assert new_pass.index.rows == {}


def test_a_row_that_the_index_does_not_take_is_faulty(receive: Reception, new_pass: Pass) -> None:
    stored = receive("1.2.3")
    new_pass.index.fault = Unstorable("index: number out of range")
    new_pass.run()
    assert new_pass.reindexing.counts == reindexing.Counts(faulty=1)
    (line,) = new_pass.report.lines
    assert line.endswith(f"{stored.file.path}: index: number out of range")


def test_a_fault_of_the_program_is_raised(receive: Reception, new_pass: Pass) -> None:
    receive("1.2.3")
    new_pass.index.fault = ZeroDivisionError()
    new_pass.run()
    assert new_pass.ended[0].check(ZeroDivisionError)


def test_a_directory_that_cannot_be_read_is_faulty(
    receive: Reception, new_pass: Pass, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = receive("1.2.3")
    really = FileSystem.entries

    def entries(self: FileSystem, path: str) -> list[str]:
        if path.endswith("/1.2.3.1"):
            raise PermissionError(13, "Permission denied")
        return really(self, path)

    monkeypatch.setattr(FileSystem, "entries", entries)
    new_pass.run()
    assert new_pass.reindexing.counts == reindexing.Counts(faulty=1)
    (line,) = new_pass.report.lines
    assert line.endswith(f"{os.path.dirname(stored.file.path)}: Permission denied")


# --- while a server runs -----------------------------------------------------------------------


@pytest.mark.usefixtures("patience")
class TestNewFiles:
    """What came less than one and a half timeouts ago may be about to be registered, or removed."""

    @pytest.fixture
    def patience(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(files, "SETTLED_AFTER", 1.5)

    @pytest.fixture
    def begun(self, receive: Reception, new_pass: Pass, storage: Path) -> tuple[Pass, Path]:
        path = storage / receive("1.2.3").file.path
        new_pass.now = path.stat().st_ctime + 5
        new_pass.run()
        new_pass.clock.pump([0.5] * 19)
        assert new_pass.index.rows == {}
        assert new_pass.ended == []
        assert new_pass.report.lines == ["waiting for 10 s: a server may be about to register what just came"]
        return new_pass, path

    def test_they_are_waited_for(self, begun: tuple[Pass, Path]) -> None:
        running, _ = begun
        running.clock.pump([0.5] * 2)
        assert running.ended == [None]
        assert running.reindexing.counts == reindexing.Counts(registered=1)

    def test_one_that_is_removed_meanwhile_is_not_registered(self, begun: tuple[Pass, Path]) -> None:
        running, path = begun
        path.unlink()
        running.clock.pump([0.5] * 2)
        assert running.ended == [None]
        assert (running.index.rows, running.reindexing.counts) == ({}, reindexing.Counts())
        assert running.report.advanced == 1

    def test_one_that_is_registered_meanwhile_was_registered_already(self, begun: tuple[Pass, Path]) -> None:
        running, path = begun
        relative = path.relative_to(path.parents[6]).as_posix()
        running.index.rows["1.2.3"] = relative
        running.index.restore = lambda stored, over: execute(lambda: None)
        running.clock.pump([0.5] * 2)
        assert running.reindexing.counts == reindexing.Counts(already_registered=1)

    def test_an_interruption_does_not_wait_and_does_not_register(self, begun: tuple[Pass, Path]) -> None:
        running, _ = begun
        running.files.course.interrupt()
        running.clock.advance(files.PULSE)
        assert running.ended == [None]
        assert running.index.rows == {}

    def test_a_file_from_the_future_is_waited_for_once(self, receive: Reception, new_pass: Pass) -> None:
        receive("1.2.3")
        new_pass.now = 0
        new_pass.run()
        new_pass.clock.pump([0.5] * 31)
        assert new_pass.ended == [None]
        assert len(new_pass.index.rows) == 1


# --- as a process --------------------------------------------------------------------------------


def sdccctl(config: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SDCCCTL, "--config", config, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def listed(config: str) -> list[dict[str, object]]:
    lines = sdccctl(config, "instances", "--json").stdout.splitlines()
    rows = [{key: value for key, value in json.loads(line).items() if key != "received_at"} for line in lines]
    return sorted(rows, key=itemgetter("sop_instance_uid"))


@pytest_twisted.ensureDeferred
async def test_an_archive_moves_from_sqlite_to_postgresql(
    configured: Callable[[str], str], receive: Reception, postgresql: Any
) -> None:
    config = configured("")
    await registered(load(Path(config)), *(receive(f"1.2.3.{number}") for number in range(5)))
    before = listed(config)
    assert len(before) == 5
    with postgresql.database() as name:
        config = configured(f'[index]\nurl = "{postgresql.url(name)}"\ntimeout = 1.0\n')
        done = sdccctl(config, "reindex")
        assert (done.returncode, done.stdout) == (
            0,
            "registered 5, already registered 0, older versions 0, faulty 0\n",
        )
        assert listed(config) == before


def test_ctrl_c_ends_it_in_order_even_while_it_waits(
    configured: Callable[[str], str], receive: Reception, interrupted: Callable[..., Any]
) -> None:
    receive("1.2.3")
    told, out, code = interrupted("--config", configured("[index]\ntimeout = 3600\n"), "reindex")
    assert told[0] == "counting the files\n"
    assert re.match("waiting for 5[34][0-9][0-9] s: ", told[1])
    assert out == "registered 0, already registered 0, older versions 0, faulty 0\n"
    assert told[2] == "interrupted; run it again to go on\n"
    assert code == INTERRUPTED


def test_a_terminal_gets_a_bar(
    configured: Callable[[str], str], receive: Reception, on_terminal: Callable[..., tuple[int, str]]
) -> None:
    for number in range(3):
        receive(f"1.2.3.{number}")
    code, shown = on_terminal("--config", configured("[index]\ntimeout = 0.1\n"), "reindex")
    assert code == 0
    assert "100% " in shown
    assert "3 of 3 files, " in shown
