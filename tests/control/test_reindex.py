"""`sdccctl reindex`: the files of an archive make an index, on every database."""

from __future__ import annotations

import dataclasses
import datetime
import fcntl
import itertools
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
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
from sdcc.archive.objects import ObjectStore
from sdcc.config import Configuration, load
from sdcc.control import reindex as command
from sdcc.control import reindexing
from sdcc.control.reindex import INTERRUPTED, reindex
from sdcc.control.reindexing import Reindexing
from sdcc.interfaces import (
    Announcement,
    OutcomeUnknown,
    OutOfResources,
    Provenance,
    StoredObject,
)
from sdcc.service import index_of

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
SDCCCTL = [sys.executable, "-m", "sdcc.control"]
ANY: Any = reactor

Reception = Callable[..., StoredObject]


def data_set(instance: str, study: str, name: bytes) -> bytes:
    def element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
        value += b"\0" * (len(value) % 2)
        return struct.pack("<HH2sH", group, number, vr, len(value)) + value

    return b"".join(
        (
            element(0x0008, 0x0016, b"UI", CT.encode()),
            element(0x0008, 0x0018, b"UI", instance.encode()),
            element(0x0010, 0x0010, b"PN", name),
            element(0x0020, 0x000D, b"UI", study.encode()),
            element(0x0020, 0x000E, b"UI", f"{study}.1".encode()),
            element(0x0028, 0x0010, b"US", b"\0\2"),
        )
    )


def at_the_end(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine comes to that waits for nothing."""
    results: list[Any] = []
    Deferred.fromCoroutine(coroutine).addBoth(results.append)
    (result,) = results
    assert not hasattr(result, "raiseException"), result
    return result


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    return tmp_path / "sdcc-data"


@pytest.fixture
def receive(storage: Path) -> Reception:
    """Stores an object as the server does, but for the index; `age`: seconds since it was received."""
    tokens = itertools.count()
    objects = ObjectStore(
        storage,
        filesystem=FileSystem(),
        run_in_thread=execute,
        clock=Clock(),
        minimum_free=0,
        maximum_object_size=1 << 30,
        new_token=lambda: f"token{next(tokens)}",
        now=partial(datetime.datetime.now, datetime.UTC),
    )
    objects.prepare()

    def receive(
        instance: str, *, study: str = "1.2.3", name: bytes = b"Yamada^T", age: float | None = None
    ) -> StoredObject:
        announcement = Announcement(
            sop_class_uid=CT,
            sop_instance_uid=instance,
            transfer_syntax_uid=EXPLICIT,
            provenance=Provenance(calling_ae="CT01", called_ae="SDCC", calling_address="192.0.2.17"),
        )
        reception = objects.begin(announcement, lambda size: None)
        reception.write(memoryview(data_set(instance, study, name)))
        stored: StoredObject = at_the_end(reception.complete())
        if age is not None:
            received_at = (stored.file.received_at - datetime.timedelta(seconds=age)).timestamp()
            os.utime(storage / stored.file.path, (received_at, received_at))
        return stored

    return receive


@pytest.fixture(params=["sqlite", "postgresql"])
def configuration(
    request: pytest.FixtureRequest, configured: Callable[[str], str]
) -> Iterator[Configuration]:
    if request.param == "sqlite":
        yield load(Path(configured("")))
    else:
        server = request.getfixturevalue("postgresql")
        with server.database() as name:
            yield load(Path(configured(f'[index]\nurl = "{server.url(name)}"\n')))


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is too new, but for the tests of that."""
    monkeypatch.setattr(reindexing, "SETTLED_AFTER", 0)


async def registered(configuration: Configuration, *more: StoredObject) -> list[StoredObject]:
    """All that is registered, after `more` has been."""
    index = index_of(
        configuration,
        ANY,
        run_in_thread=execute,
        read_in_thread=execute,
        lookup_in_thread=execute,
        remove=None,  # type: ignore[arg-type]
    )
    if more:
        index.prepare()
        index.start()
        for stored in more:
            await index.register(stored)
    found = [stored async for stored in index.instances()]
    await index.stop()
    return sorted(found, key=lambda stored: stored.instance.sop_instance_uid)


def as_found(stored: StoredObject, storage: Path) -> StoredObject:
    """A stored object as its file alone tells of it."""
    modified = (storage / stored.file.path).stat().st_mtime_ns // 1000
    received_at = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(
        microseconds=modified
    )
    provenance = dataclasses.replace(stored.file.provenance, calling_address="")
    file = dataclasses.replace(stored.file, received_at=received_at, provenance=provenance)
    return dataclasses.replace(stored, file=file)


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

    def read(path: str, *arguments: Any) -> stored_files.FoundFile:
        if path == objects[20].file.path:
            ANY.callFromThread(interrupt[0])
        return really(path, *arguments)

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
    assert await reindex(configuration, reactor) == 1
    out, err = capsys.readouterr()
    assert out == "registered 1, already registered 0, older versions 0, faulty 4\n"
    told = [line for line in err.splitlines() if ".dcm: " in line]
    for line, path in zip(told, (cut, other, text, directory), strict=True):
        assert line.startswith(str(path).replace("\x1b", r"\x1b") + ": ")
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
    monkeypatch.setattr(command.Threads, "start", lambda threads: None)
    monkeypatch.setattr(command.Threads, "stop", lambda threads: None)
    monkeypatch.setattr(command.Threads, "run", lambda threads, call, *arguments: execute(call, *arguments))
    if text:
        (tmp_path / "sdcc-data" / "objects").mkdir(parents=True)
    assert command.run(None, load(Path(configured(text))), react=outside) == 1  # type: ignore[arg-type]
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

    async def restore(self, stored: StoredObject) -> bool:
        if self.fault is not None:
            raise self.fault
        return self.rows.setdefault(stored.instance.sop_instance_uid, stored.file.path) == stored.file.path

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
        self.reindexing = Reindexing(
            self.index,  # type: ignore[arg-type]
            str(storage),
            filesystem=FileSystem(),
            walk_in_thread=execute,
            read_in_thread=execute,
            threads=1,
            timeout=10.0,
            clock=self.clock,
            now=lambda: self.now,
        )
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
    new_pass.index.fault = fault
    new_pass.index.refusal = None if isinstance(fault, OutcomeUnknown) else "away"
    new_pass.run()
    assert new_pass.ended == [None]
    assert new_pass.reindexing.index_failure == "index: away"
    assert new_pass.reindexing.counts == reindexing.Counts()


def test_an_index_that_cannot_be_asked_ends_it(receive: Reception, new_pass: Pass) -> None:
    receive("1.2.3")
    new_pass.index.asking_fault = OSError("cannot be read")
    new_pass.run()
    assert new_pass.reindexing.index_failure == "cannot be read"
    assert new_pass.index.rows == {}


def test_a_row_that_the_index_does_not_take_is_faulty(receive: Reception, new_pass: Pass) -> None:
    stored = receive("1.2.3")
    new_pass.index.fault = OutOfResources("index: number out of range")
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
        monkeypatch.setattr(reindexing, "SETTLED_AFTER", 1.5)

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
        running.index.restore = lambda stored: execute(bool)  # type: ignore[assignment, method-assign]
        running.clock.pump([0.5] * 2)
        assert running.reindexing.counts == reindexing.Counts(already_registered=1)

    def test_an_interruption_does_not_wait_and_does_not_register(self, begun: tuple[Pass, Path]) -> None:
        running, _ = begun
        running.reindexing.interrupt()
        running.clock.advance(reindexing.PULSE)
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
    configured: Callable[[str], str], receive: Reception
) -> None:
    receive("1.2.3")
    with subprocess.Popen(
        # who runs the tests in the background may have had the signal ignored
        [
            "env",
            "--default-signal=INT",
            *SDCCCTL,
            "--config",
            configured("[index]\ntimeout = 3600\n"),
            "reindex",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        first, second = process.stderr.readline(), process.stderr.readline()
        process.send_signal(signal.SIGINT)
        try:
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert first == "counting the files\n"
    assert re.match("waiting for 5[34][0-9][0-9] s: ", second)
    assert out == "registered 0, already registered 0, older versions 0, faulty 0\n"
    assert err == "interrupted; run it again to go on\n"
    assert process.returncode == INTERRUPTED


def test_a_terminal_gets_a_bar(configured: Callable[[str], str], receive: Reception) -> None:
    for number in range(3):
        receive(f"1.2.3.{number}")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 25, 80, 0, 0))
    done = subprocess.run(
        [*SDCCCTL, "--config", configured("[index]\ntimeout = 0.1\n"), "reindex"],
        stdout=subprocess.PIPE,
        stderr=theirs,
        check=False,
        timeout=60,
    )
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0
    assert "100% " in shown
    assert "3 of 3 files, " in shown
