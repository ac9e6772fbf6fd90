"""What the tests of the index share: objects to register, threads under control, and the databases.

A test of the `engine` fixture holds for each of ENGINES. Such a test is a plain function: what the engine
runs has ended when `run` returns, on a simulated clock or, where a server must answer, on the reactor.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import inspect
import sqlite3
import tempfile
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock, deferLater

from sdcc.index import postgres, sqlite
from sdcc.index.postgres import PostgreSQLIndex
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


class Engine:
    """An index on a database, and how a test that knows neither uses them."""

    #: The index's own module, whose constants may be set.
    module: ModuleType
    index: Any

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        raise NotImplementedError

    def instances(self, *arguments: Any, **keywords: Any) -> list[StoredObject]:
        async def collect() -> list[StoredObject]:
            return [stored async for stored in self.index.instances(*arguments, **keywords)]

        return self.run(collect())


class SQLiteEngine(Engine):
    """A database file, and an index on it whose writer thread and clock the test moves."""

    module = sqlite

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
        return outcome

    def register(self, *group: StoredObject) -> list[Outcome]:
        """Register objects that have gathered for one transaction."""
        return [*self.run(self.index._commit(group))]

    def wait(self, promise: Promise) -> None:
        """Everything has ended that could."""

    def hold(self) -> None:
        """Let nothing be committed until :meth:`release`."""
        self.thread.held = True

    def release(self) -> None:
        self.thread.release()

    def select(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """What another program reads."""
        uri = f"{self.path.as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
            return connection.execute(statement, parameters).fetchall()

    def tamper(self, *statements: str) -> None:
        """What a hand that knows no constraints does to the tables."""
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            for statement in ("PRAGMA foreign_keys = OFF", *statements):
                connection.execute(statement)

    def close(self) -> None:
        self.thread.release()
        self.run(self.index.stop())


class PostgreSQLEngine(Engine):
    """An empty database of a server, and an index on it that lives on the reactor."""

    module = postgres

    def __init__(self, server: Any, database: str, directory: Path, timeout: float = 10.0) -> None:
        self.server = server
        self.database = database
        self.directory = directory
        self.timeout = timeout
        self.removed: list[str] = []
        self._indexes: list[PostgreSQLIndex] = []
        self._connection = server.connect(database)
        self.index = self.another()

    def another(self, **arguments: Any) -> PostgreSQLIndex:
        """Another index on the same database, as another process would have it; once it is connected."""
        index = self.unprepared(**arguments)
        index.prepare()
        index.start()
        self.run(self.until(lambda: index.refusal is None))
        return index

    def unprepared(self, **arguments: Any) -> PostgreSQLIndex:
        async def remove(path: str) -> None:
            self.removed.append(path)

        given: dict[str, Any] = {
            "url": self.server.url(self.database),
            "doubts": self.directory / "doubts",
            "remove": remove,
            "run_in_thread": execute,
            "lookup_in_thread": execute,
            "reactor": reactor,
            "connections": 4,
            "timeout": self.timeout,
        }
        index = PostgreSQLIndex(**given | arguments)
        self._indexes.append(index)
        return index

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return pytest_twisted.blockon(Deferred.fromCoroutine(coroutine))

    def wait(self, promise: Promise) -> None:
        self.run(self.until(lambda: promise.outcome is not PENDING))

    @staticmethod
    async def until(condition: Callable[[], bool], patience: float = 20.0) -> None:
        """Wait for what the database or another process is about to do."""
        end = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < end, "has not come about"
            await deferLater(reactor, 0.005)

    def hold(self) -> None:
        self.select("BEGIN; LOCK TABLE study IN EXCLUSIVE MODE")

    def release(self) -> None:
        self.select("ROLLBACK")

    def register(self, *group: StoredObject) -> list[Outcome]:
        """Register objects that have gathered for one transaction."""
        return [*self.run(self.index._writer._commit(group))]

    def select(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """What another program reads."""
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def tamper(self, *statements: str) -> None:
        """What a hand that knows no constraints does to the tables."""
        for statement in (
            "SET session_replication_role = replica",
            *statements,
            "RESET session_replication_role",
        ):
            self.select(statement)

    def close(self) -> None:
        for index in self._indexes:
            self.run(index.stop())
        self._connection.close()


@contextlib.contextmanager
def open_sqlite(**arguments: Any) -> Iterator[SQLiteEngine]:
    with tempfile.TemporaryDirectory() as directory:
        engine = SQLiteEngine(Path(directory), **arguments)
        yield engine
        engine.close()
        assert not engine.clock.getDelayedCalls()


ENGINES = ("sqlite", "postgresql")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    """Run a test beside the reactor, not in it as pytest-twisted would, so that it can wait for it."""
    names = inspect.signature(pyfuncitem.obj).parameters
    pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})
    return True


@pytest.fixture(scope="session")
def make() -> Callable[..., StoredObject]:
    return make_object


@pytest.fixture(scope="session")
def promise() -> type[Promise]:
    return Promise


@pytest.fixture(scope="session")
def engine_thread() -> type[Thread]:
    return Thread


@pytest.fixture(scope="session")
def pending() -> object:
    return PENDING


@pytest.fixture(scope="session", params=ENGINES)
def new_engine(request: pytest.FixtureRequest) -> Callable[[], contextlib.AbstractContextManager[Any]]:
    return request.getfixturevalue(f"new_{request.param}")


@pytest.fixture
def engine(new_engine: Callable[[], contextlib.AbstractContextManager[Any]]) -> Iterator[Any]:
    with new_engine() as engine:
        yield engine


@pytest.fixture(scope="session")
def new_postgresql(postgresql: Any) -> Iterator[Callable[..., contextlib.AbstractContextManager[Any]]]:
    with postgresql.database() as name:

        @contextlib.contextmanager
        def open_postgresql(**arguments: Any) -> Iterator[PostgreSQLEngine]:
            with tempfile.TemporaryDirectory() as directory:
                engine = PostgreSQLEngine(postgresql, name, Path(directory), **arguments)
                try:
                    yield engine
                finally:
                    engine.close()
                    postgresql.execute("TRUNCATE study, series, instance, gone, notice", database=name)

        yield open_postgresql


@pytest.fixture(scope="session")
def new_sqlite() -> Callable[..., contextlib.AbstractContextManager[SQLiteEngine]]:
    return open_sqlite
