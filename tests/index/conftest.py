"""What the tests of the index share: objects to register, threads under control, and the databases.

A test of the `engine` fixture holds for each of ENGINES. Another database joins by one more entry.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import sqlite3
import tempfile
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock

from sdcc.index.sqlite import SQLiteIndex
from sdcc.interfaces import Instance, Provenance, Registered, Series, StoredFile, StoredObject, Study

T = TypeVar("T")
Outcome = Registered | BaseException

RECEIVED = datetime.datetime(2024, 5, 1, 9, 30, tzinfo=datetime.UTC)


def make_object(sop_instance_uid: str = "1.2.3", **values: Any) -> StoredObject:
    """An object, received so many seconds after RECEIVED; any field of any level by its name."""
    seconds = values.pop("seconds", 0)
    given = {
        "study_instance_uid": "1.2",
        "series_instance_uid": "1.2.1",
        "sop_instance_uid": sop_instance_uid,
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
        "path": f"objects/2024/05/01/{sop_instance_uid}.dcm",
        "size": 1132,
        "data_set_size": 800,
        "sha256": "0f" * 32,
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "received_at": RECEIVED + datetime.timedelta(seconds=seconds),
        "calling_ae": "CT01",
        "called_ae": "SDCC",
        "calling_address": "192.0.2.17",
        "fault": None,
    } | values

    def taken(record: type) -> dict[str, Any]:
        names = [field.name for field in dataclasses.fields(record) if field.name in given]
        return {name: given.pop(name) for name in names}

    stored = StoredObject(
        study=Study(**taken(Study)),
        series=Series(**taken(Series)),
        instance=Instance(**taken(Instance)),
        file=StoredFile(provenance=Provenance(**taken(Provenance)), **taken(StoredFile)),
        fault=given.pop("fault"),
    )
    assert not given, f"no field of any level: {given}"
    return stored


class Thread:
    """A worker thread that runs a call when it is given; while held, when the test lets it."""

    def __init__(self) -> None:
        self.held = False
        self._waiting: deque[tuple[Deferred[Any], Callable[..., Any], tuple[object, ...]]] = deque()

    def __call__(self, call: Callable[..., T], /, *arguments: object) -> Deferred[T]:
        result: Deferred[T] = Deferred()
        self._waiting.append((result, call, arguments))
        if not self.held:
            self.run_next()
        return result

    def run_next(self) -> None:
        result, call, arguments = self._waiting.popleft()
        execute(call, *arguments).chainDeferred(result)

    def release(self) -> None:
        self.held = False
        while self._waiting:
            self.run_next()


PENDING = object()


class Promise:
    """What a coroutine comes to: its value, its exception, or PENDING yet."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.outcome: Any = PENDING
        Deferred.fromCoroutine(coroutine).addCallbacks(
            self._ended, lambda failure: self._ended(failure.value)
        )

    def _ended(self, outcome: Any) -> None:
        self.outcome = outcome


class SQLiteEngine:
    """A database file, and an index on it whose writer thread and clock the test moves."""

    def __init__(self, directory: Path, timeout: float = 10.0) -> None:
        self.path = directory / "index.db"
        self.clock = Clock()
        self.thread = Thread()
        self.timeout = timeout
        self.index = self.another()

    def another(self) -> SQLiteIndex:
        """Another index on the same database, as another process would have it."""
        index = SQLiteIndex(
            self.path,
            run_in_thread=self.thread,
            read_in_thread=execute,
            clock=self.clock,
            timeout=self.timeout,
        )
        index.prepare()
        return index

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run what must end without anything else happening."""
        outcome = Promise(coroutine).outcome
        assert outcome is not PENDING
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome  # type: ignore[no-any-return]

    def register(self, *group: StoredObject) -> list[Outcome]:
        """Register objects that have gathered for one transaction."""
        return [*self.run(self.index._commit(group))]

    def instances(self, *arguments: Any, **keywords: Any) -> list[StoredObject]:
        async def collect() -> list[StoredObject]:
            return [stored async for stored in self.index.instances(*arguments, **keywords)]

        return self.run(collect())

    def select(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """What another program reads."""
        uri = f"{self.path.as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
            return connection.execute(statement, parameters).fetchall()

    def close(self) -> None:
        self.thread.release()
        self.run(self.index.stop())


@contextlib.contextmanager
def open_sqlite(**arguments: Any) -> Iterator[SQLiteEngine]:
    with tempfile.TemporaryDirectory() as directory:
        engine = SQLiteEngine(Path(directory), **arguments)
        yield engine
        engine.close()
        assert not engine.clock.getDelayedCalls()


ENGINES = {"sqlite": open_sqlite}


@pytest.fixture(scope="session")
def make() -> Callable[..., StoredObject]:
    return make_object


@pytest.fixture(scope="session")
def promise() -> type[Promise]:
    return Promise


@pytest.fixture(scope="session")
def pending() -> object:
    return PENDING


@pytest.fixture(scope="session", params=ENGINES.values(), ids=ENGINES.keys())
def new_engine(request: pytest.FixtureRequest) -> Callable[[], contextlib.AbstractContextManager[Any]]:
    return request.param


@pytest.fixture
def engine(new_engine: Callable[[], contextlib.AbstractContextManager[Any]]) -> Iterator[Any]:
    with new_engine() as engine:
        yield engine


@pytest.fixture(scope="session")
def new_sqlite() -> Callable[..., contextlib.AbstractContextManager[SQLiteEngine]]:
    return open_sqlite
