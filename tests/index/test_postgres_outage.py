"""PostgreSQL stopped, killed, hung and cut off while objects are being registered."""

from __future__ import annotations

import itertools
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread
from twisted.logger import LogLevel, globalLogPublisher

from sdcc.interfaces import OutcomeUnknown, OutOfResources, Registered, StoredObject

Make = Callable[..., StoredObject]
TIMEOUT = 1.0
#: What the answer may come later than the timeout, on a busy machine.
GRACE = 0.5
AWAY = r"^index (unreachable: .+|did not answer within 1 s)$"


@pytest.fixture
def server(postgresql: Any) -> Iterator[Any]:
    """The server, which runs again after the test."""
    yield postgresql
    if not postgresql.is_running:
        postgresql.start()


@pytest.fixture
def engine(new_postgresql: Any, server: Any) -> Iterator[Any]:
    with new_postgresql(timeout=TIMEOUT) as engine:
        yield engine


@pytest.fixture
def log() -> Iterator[list[tuple[LogLevel, str]]]:
    lines: list[tuple[LogLevel, str]] = []

    def observe(event: dict[str, Any]) -> None:
        if event.get("log_namespace", "").startswith("sdcc."):
            lines.append((event["log_level"], event["log_format"].format(**event)))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


class Load:
    """Streams of objects, one after the other in each; some replace others; what became of each."""

    def __init__(self, engine: Any, make: Make, streams: int = 8) -> None:
        self.engine = engine
        self._make = make
        self._numbers = itertools.count()
        self.goes_on = True
        self.acknowledged: dict[str, str] = {}
        self.registered: Counter[str] = Counter()
        self.refused: set[str] = set()
        self.reasons: set[str] = set()
        self.unknown: dict[str, Deferred[Registered | None]] = {}
        self.replaced: set[str] = set()
        self.slowest = 0.0
        self._ends = [Deferred.fromCoroutine(self._stream(stream)) for stream in range(streams)]

    async def _stream(self, stream: int) -> None:
        while self.goes_on:
            number = next(self._numbers)
            uid = f"{stream}.{number % 24}"
            stored = self._make(
                uid, path=f"{uid}-{number:06}", study_instance_uid=f"{number % 3}", seconds=number
            )
            begun = time.monotonic()
            try:
                registered = await self.engine.index.register(stored)
            except OutcomeUnknown as doubt:
                self.unknown[stored.file.path] = doubt.settled
            except OutOfResources as refusal:
                self.reasons.add(str(refusal))
                self.refused.add(stored.file.path)
            else:
                self.acknowledged[uid] = stored.file.path
                self.replaced.add(registered.replaced)
            self.slowest = max(self.slowest, time.monotonic() - begun)

    async def passes(self, count: int) -> None:
        """Go on until so many more objects have been answered."""
        total = len(self._answers()) + count
        await self.engine.until(lambda: len(self._answers()) >= total)

    def _answers(self) -> list[str]:
        return [*self.acknowledged.values(), *self.refused, *self.unknown, *self.replaced]

    async def end(self) -> None:
        self.goes_on = False
        await gatherResults(self._ends)

    async def check(self) -> None:
        """Nothing acknowledged is missing, nothing refused is there, and every doubt came to what is so."""
        found = {
            stored.instance.sop_instance_uid: stored.file.path
            async for stored in self.engine.index.instances()
        }
        paths = set(found.values())
        assert not paths & self.refused
        assert all(re.match(AWAY, reason) for reason in self.reasons), self.reasons
        losers: set[str | None] = set(self.replaced)
        for path, settled in self.unknown.items():
            outcome = await settled
            losers.add(path if outcome is None else outcome.replaced)
            if outcome is None:
                assert path not in paths
        for uid, path in self.acknowledged.items():
            assert found[uid] == path or found[uid] in self.unknown
        assert not paths & losers
        everything = {*self.unknown, *paths, *(self.replaced - {None})}
        assert everything <= paths | losers, "a file that nobody would remove"


def in_thread(call: Callable[..., Any], *arguments: object) -> Awaitable[Any]:
    return deferToThread(call, *arguments)


WAYS: dict[str, Callable[[Any], None]] = {
    "stopped": lambda server: server.stop("fast"),
    "stopped at once": lambda server: server.stop("immediate"),
    "killed": lambda server: server.kill(),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_short_outage_under_load_loses_nothing(engine: Any, make: Make, server: Any, way: str) -> None:
    async def outage() -> None:
        load = Load(engine, make)
        for _ in range(2):
            await load.passes(50)
            await in_thread(WAYS[way], server)
            await in_thread(server.start)
            await load.passes(50)
        await load.end()
        await engine.until(lambda: engine.index.refusal is None)
        await load.check()
        assert load.slowest < TIMEOUT + GRACE

    engine.run(outage())
    assert not list((engine.directory / "doubts").iterdir())


@pytest.mark.parametrize("way", WAYS)
def test_in_a_long_outage_objects_are_refused_in_time_and_afterwards_taken_again(
    engine: Any, make: Make, server: Any, log: Any, way: str
) -> None:
    async def outage() -> None:
        load = Load(engine, make)
        await load.passes(50)
        before = descriptors()
        await in_thread(WAYS[way], server)
        await engine.until(lambda: engine.index.refusal is not None)
        await load.passes(8)
        assert engine.index.refusal.startswith("index unreachable: ")
        assert len(engine.index.refusal) <= 64
        assert load.refused
        assert descriptors() <= before
        await in_thread(server.start)
        await engine.until(lambda: engine.index.refusal is None)
        await load.passes(50)
        await load.end()
        await load.check()
        assert load.slowest < TIMEOUT + GRACE
        assert descriptors() <= before + 1

    engine.run(outage())
    levels = [level for level, _ in log]
    assert levels.count(LogLevel.error) == 1, log
    assert log[0][1].startswith("Index: PostgreSQL is away: ")
    assert log[-1] == (LogLevel.info, "Index: PostgreSQL is there")
    assert len(server.backends(engine.database)) <= 2


def test_connections_that_are_cut_delay_and_fail_nothing(engine: Any, make: Make, server: Any) -> None:
    async def cuts() -> None:
        before = descriptors()
        load = Load(engine, make)
        for _ in range(20):
            await load.passes(20)
            for backend in server.backends(engine.database):
                server.execute("SELECT pg_terminate_backend(%s)", [backend])
        await load.end()
        await load.check()
        assert not load.refused
        assert not load.unknown
        assert descriptors() <= before + 1

    engine.run(cuts())


def test_an_idle_connection_that_is_cut_is_replaced_quietly(engine: Any, server: Any, log: Any) -> None:
    [backend] = server.backends(engine.database)
    server.execute("SELECT pg_terminate_backend(%s)", [backend])
    engine.run(engine.until(lambda: server.backends(engine.database) not in ([backend], [])))
    engine.run(engine.until(lambda: log[-1][1] == "Index: PostgreSQL is there"))
    assert [level for level, _ in log] == [LogLevel.error, LogLevel.info]
    assert engine.index.refusal is None


def test_a_server_that_hangs_leaves_doubts_that_are_written_down_before_the_answer(
    engine: Any, make: Make, server: Any
) -> None:
    async def hang() -> None:
        load = Load(engine, make)
        await load.passes(50)
        with server.hanging():
            await engine.until(lambda: bool(load.unknown))
            noted = "".join(path.read_text() for path in (engine.directory / "doubts").iterdir())
            assert all(f'"{path}"' in noted for path in load.unknown)
            assert engine.index.figures.doubts >= len(load.unknown)
            await engine.until(lambda: engine.index.refusal is not None)
        await engine.until(lambda: engine.index.refusal is None)
        await load.passes(50)
        await load.end()
        await load.check()
        assert load.slowest < TIMEOUT + GRACE

    engine.run(hang())
    assert not list((engine.directory / "doubts").iterdir())
    assert engine.index.figures.doubts == 0
    engine.run(engine.until(lambda: len(server.backends(engine.database)) <= 2))


async def one_doubt(engine: Any, stored: StoredObject, server: Any) -> tuple[OutcomeUnknown, int]:
    """Register an object on a backend that does not move; the doubt, and the backend's process number."""
    backend = await one_backend(engine, server)
    with pytest.raises(OutcomeUnknown, match=AWAY) as doubt:
        await engine.index.register(stored)
    return doubt.value, backend


async def one_backend(engine: Any, server: Any) -> int:
    """The process number of the index's backend, which does not move any more."""
    [backend] = server.backends(engine.database)
    os.kill(backend, signal.SIGSTOP)
    return int(backend)


def test_a_statement_that_comes_to_be_executed_after_its_doubt_was_settled_changes_nothing(
    engine: Any, make: Make, server: Any
) -> None:
    """It waits in the socket of a backend that does not move, while all others do."""
    engine.register(make("1", path="first"))

    async def late() -> None:
        doubt, backend = await one_doubt(engine, make("1", path="second"), server)
        assert await doubt.settled is None
        os.kill(backend, signal.SIGCONT)
        await engine.until(lambda: backend not in server.backends(engine.database))

    engine.run(late())
    assert [stored.file.path for stored in engine.instances()] == ["first"]
    assert engine.removed == ["second"]


def test_a_statement_that_is_executed_late_and_again_changes_nothing_the_second_time(
    engine: Any, make: Make, server: Any
) -> None:
    """An object whose commit was interrupted is committed again; then another takes its place; then the first
    statement gets its turn."""

    async def late() -> None:
        [backend] = server.backends(engine.database)
        os.kill(backend, signal.SIGSTOP)
        registered = Deferred.fromCoroutine(engine.index.register(make("1", path="second")))
        await in_thread(time.sleep, 0.05)
        engine.index._writer._session.close()
        assert await registered == Registered(None)
        assert await engine.index.register(make("1", path="third")) == Registered("second")
        os.kill(backend, signal.SIGCONT)
        await engine.until(lambda: backend not in server.backends(engine.database))

    engine.run(late())
    assert [stored.file.path for stored in engine.instances()] == ["third"]


def test_doubts_of_a_process_that_died_are_settled_by_the_next(engine: Any, make: Make, server: Any) -> None:
    engine.register(make("1", path="first"), make("2", path="kept"))
    dead = engine.index

    async def die() -> int:
        """Before a new session could settle the doubt."""
        backend = await one_backend(engine, server)
        with pytest.raises(OutcomeUnknown):
            await dead.register(make("1", path="second"))
        await dead._writer.stop(dead._sessions.close)
        return backend

    dead._sessions.open = None
    backend = engine.run(die())
    assert list((engine.directory / "doubts").iterdir())
    engine.index = engine.another()
    os.kill(backend, signal.SIGCONT)
    engine.run(engine.until(lambda: engine.removed == ["second"]))
    assert sorted(stored.file.path for stored in engine.instances()) == ["first", "kept"]
    assert not list((engine.directory / "doubts").iterdir())


def test_with_the_database_down_at_start_it_is_tried_until_it_is_there(
    engine: Any, make: Make, server: Any, log: Any
) -> None:
    server.stop()
    index = engine.unprepared()
    index.prepare()
    index.start()
    assert index.refusal == "index unreachable: not connected yet"

    async def wait() -> None:
        await engine.until(lambda: index.refusal == "index unreachable: Connection refused")
        with pytest.raises(OutOfResources, match=r"^index unreachable: Connection refused$"):
            await index.register(make())
        await in_thread(server.start)
        await engine.until(lambda: index.refusal is None)
        assert await index.register(make()) == Registered(None)

    engine.run(wait())
    assert [level for level, line in log if "is away" in line].count(LogLevel.error) <= 2, "one of each index"


def test_stop_ends_in_time_though_the_database_is_away(
    engine: Any, make: Make, server: Any, promise: Any
) -> None:
    async def stop() -> None:
        load = Load(engine, make)
        await load.passes(20)
        with server.hanging():
            await in_thread(time.sleep, 0.1)
            begun = time.monotonic()
            load.goes_on = False
            await engine.index.stop()
            assert time.monotonic() - begun < TIMEOUT + GRACE
            await load.end()
        assert (engine.directory / "doubts").exists()
        engine.index = engine.unprepared()
        engine.index.prepare()
        engine.index.start()
        await engine.until(lambda: engine.index.refusal is None)
        found = {stored.file.path async for stored in engine.index.instances()}
        assert not found & load.refused
        await engine.until(lambda: not list((engine.directory / "doubts").iterdir()))
        assert not found & set(engine.removed)
        assert set(load.unknown) <= found | set(engine.removed)

    engine.run(stop())


def test_nothing_is_left_on_the_reactor(engine: Any, server: Any) -> None:
    readers, calls = len(reactor.getReaders()), len(reactor.getDelayedCalls())

    async def one() -> None:
        for _ in range(3):
            index = engine.unprepared()
            index.prepare()
            index.start()
            await engine.until(lambda index=index: index.refusal is None)
            assert [stored async for stored in index.instances()] == []
            await index.stop()

    before = descriptors()
    engine.run(one())
    assert len(reactor.getReaders()) == readers
    assert len(reactor.getDelayedCalls()) <= calls
    assert descriptors() == before
    engine.run(engine.until(lambda: len(server.backends(engine.database)) == 1))
