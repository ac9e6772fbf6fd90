"""An archive whose index is a dictionary and whose disk may die at any call."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from zope.interface import implementer

from sdcc.archive.filesystem import FileSystem
from sdcc.index.restoring import Held, found
from sdcc.inspection import files
from sdcc.inspection.files import Files
from sdcc.inspection.findings import Finding, Kind
from sdcc.inspection.inspection import Inspection
from sdcc.interfaces import IIndex, IndexFigures, LooseRow, Registered, StoredObject
from sdcc.queries import Holding, Match, Query

from ..archives import Reception, receiver


class Killed(BaseException):
    """The process is gone."""


class Life:
    """Of a process that dies at a call of the disk or the index, and can do nothing after it."""

    def __init__(self) -> None:
        self.calls = 0
        #: The call at which it dies.
        self.end = float("inf")

    def live(self) -> None:
        self.calls += 1
        if self.calls > self.end:
            raise Killed


class Disk:
    """The real file system, as long as the process lives."""

    def __init__(self, life: Life, calls: list[tuple[str, str]]) -> None:
        self._life = life
        self._calls = calls
        self._paths: dict[int, str] = {}
        self._real = FileSystem()
        #: By call and a part of the path, what it raises.
        self.faults: dict[tuple[str, str], OSError] = {}
        #: What is done before a call, by its name.
        self.before: dict[str, Callable[[], None]] = {}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(subject: Any, *arguments: Any, **keywords: Any) -> Any:
            if name == "close":  # as the kernel does
                return self._real.close(subject)
            self._life.live()
            for (failing, part), fault in self.faults.items():
                if failing == name and part in str(subject):
                    raise fault
            self._calls.append((name, self._paths.get(subject, subject)))
            self.before.get(name, lambda: None)()
            result = getattr(self._real, name)(subject, *arguments, **keywords)
            if name == "open_existing":
                self._paths[result] = subject
            return result

        return call


@implementer(IIndex)
class Index:
    """As the real ones do, and what a test puts in between.

    :ivar before: what is done before a call, by its name.
    """

    def __init__(self, life: Life, calls: list[tuple[str, str]]) -> None:
        self._life = life
        self.refusal: str | None = None
        self.figures = IndexFigures({}, doubts=0)
        self.leaves_doubts = False
        self.study_states = None
        self.rows: dict[str, StoredObject] = {}
        self.gone: set[str] = set()
        self.loose: list[LooseRow] = []
        self.before: dict[str, Callable[[], None]] = {}
        self._calls = calls

    def _called(self, name: str) -> None:
        self._life.live()
        self._calls.append((name, ""))
        self.before.get(name, lambda: None)()

    def add(self, *objects: StoredObject) -> None:
        self.rows |= {stored.instance.sop_instance_uid: stored for stored in objects}

    def prepare(self) -> None:
        raise AssertionError("not an inspection's business")

    def start(self) -> None:
        raise AssertionError("not an inspection's business")

    async def stop(self) -> None:
        raise AssertionError("not an inspection's business")

    async def register(self, stored: StoredObject) -> Registered:
        raise AssertionError("not an inspection's business")

    async def restore(self, stored: StoredObject, *, over: str | None = None) -> Registered | None:
        self._called("restore")
        known = self.rows.get(stored.instance.sop_instance_uid)
        if stored.file.path in self.gone:
            return None
        if known and found(stored, over).gives_way_to(Held(known.file.path, known.file.received_at)):
            return None
        if known:
            self.gone.add(known.file.path)
        self.add(stored)
        return Registered(known.file.path if known else None)

    async def paths(self, sop_instance_uids: Sequence[str]) -> dict[str, str]:
        self._called("paths")
        return {uid: self.rows[uid].file.path for uid in sop_instance_uids if uid in self.rows}

    async def instances(
        self,
        study_instance_uid: str | None = None,
        *,
        faulty: bool = False,
        received_since: datetime.datetime | None = None,
    ) -> AsyncIterator[StoredObject]:
        self._called("instances")
        for stored in sorted(self.rows.values(), key=lambda stored: stored.file.received_at):
            if received_since is None or stored.file.received_at >= received_since:
                yield stored

    async def disown(self, sop_instance_uid: str, path: str) -> bool:
        self._called("disown")
        known = self.rows.get(sop_instance_uid)
        if known and known.file.path == path:
            return False
        self.gone.add(path)
        return True

    async def unregister(self, sop_instance_uid: str, path: str) -> bool:
        self._called("unregister")
        known = self.rows.get(sop_instance_uid)
        if known is None or known.file.path != path:
            return False
        del self.rows[sop_instance_uid]
        self.gone.add(path)
        return True

    def find(self, query: Query) -> AsyncGenerator[Match, None]:
        raise AssertionError("no inspection asks so")

    async def holdings(self, query: Query) -> Sequence[Holding]:
        raise AssertionError("no inspection asks so")

    async def loose_rows(self) -> AsyncIterator[LooseRow]:
        self._called("loose_rows")
        for row in self.loose:
            yield row

    async def remove_loose(self, rows: Sequence[LooseRow]) -> None:
        self._called("remove_loose")
        self.loose = [row for row in self.loose if row not in rows]


class Archive:
    """Files and an index, on a clock that the test moves."""

    def __init__(self, storage: Path) -> None:
        self.storage = storage
        self.life = Life()
        #: Calls of the disk and their paths, and calls of the index.
        self.calls: list[tuple[str, str]] = []
        self.index = Index(self.life, self.calls)
        self.disk = Disk(self.life, self.calls)
        self.clock = Clock()
        self.receive: Reception = receiver(storage)
        self.now = 2e9
        self.findings: list[Finding] = []
        self.lines: list[str] = []
        self.advanced = 0
        self.running: Running

    def advance(self) -> None:
        self.advanced += 1

    def say(self, line: str) -> None:
        self.lines.append(line)

    def files(self, **settings: Any) -> Files:
        return Files(
            str(self.storage),
            **{
                "filesystem": self.disk,
                "walk_in_thread": execute,
                "read_in_thread": execute,
                "ahead": 1,
                "timeout": 10.0,
                "clock": self.clock,
                "now": lambda: self.now,
                **settings,
            },
        )

    def inspect(self, mended: Collection[Kind] = (), **settings: Any) -> Running:
        return Running(self, mended, **settings)

    def path(self, stored: StoredObject) -> Path:
        return self.storage / stored.file.path

    def contents(self) -> dict[str, bytes]:
        """Of every file under objects and quarantine."""
        return {
            path.relative_to(self.storage).as_posix(): path.read_bytes()
            for top in ("objects", "quarantine")
            for path in (self.storage / top).rglob("*")
            if path.is_file()
        }


class Running:
    """An inspection that has begun."""

    def __init__(self, archive: Archive, mended: Collection[Kind], **settings: Any) -> None:
        archive.findings.clear()
        archive.running = self
        self.files = archive.files(**settings)
        self.inspection = Inspection(
            archive.index,
            self.files,
            mended=mended,
            found=archive.findings.append,
        )
        #: None when it has ended, or the Failure that it has ended with.
        self.ended: list[Any] = []
        Deferred.fromCoroutine(self.inspection.run(archive)).addBoth(self.ended.append)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "sdcc-data")


@pytest.fixture
def new_archive(tmp_path: Path) -> Callable[[], Archive]:
    numbers = itertools.count()
    return lambda: Archive(tmp_path / f"archive{next(numbers)}" / "sdcc-data")


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is too new."""
    monkeypatch.setattr(files, "SETTLED_AFTER", 0)


@pytest.fixture
def killed() -> type[Killed]:
    return Killed


@pytest.fixture
def log() -> Any:
    """Level and line of what is logged; a failure among it that the test does not clear away fails it."""
    events: list[dict[str, Any]] = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)
    assert [event for event in events if "log_failure" in event] == []
