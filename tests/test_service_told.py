"""What SDCC is told while it runs and while it stops: by signals, and by its administrator."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor as real_reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogEvent, capturedLogs, formatEvent

from sdcc.config import Configuration, Local, load
from sdcc.interfaces.administration import CannotDo
from sdcc.service import LAST_SECONDS, SDCC, CannotStart
from sdcc.world import World

CONFIGURATION = "[[local]]\nport = 0\n[storage]\nminimum_free = 0\n"


class Reactor(MemoryReactorClock):
    def callFromThread(self, call: Any, *arguments: Any) -> None:
        self.callLater(0, call, *arguments)


class Threads:
    """Threads whose jobs are done at once, or never: the disk hangs."""

    hang = False

    def __init__(self) -> None:
        self.joined = 0

    def run(self, call: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        return Deferred() if self.hang else succeed(call(*arguments))

    def start(self) -> None:
        pass

    def stop(self) -> None:
        assert not self.hang, "this would wait for ever"
        self.joined += 1


class Process:
    """A server, and what its process hears."""

    def __init__(self, configuration: Configuration) -> None:
        self.reactor = Reactor()
        self.threads = Threads()
        self.hearing: dict[int, Any] = {}
        world = World(threads=lambda *_: self.threads, set_signal=self._set_signal)
        self.service = SDCC(configuration, self.reactor, world)

    def _set_signal(self, number: int, heard: Any) -> Any:
        before = self.hearing.get(number, signal.SIG_DFL)
        self.hearing[number] = heard
        return before

    def kill(self, number: int) -> None:
        self.hearing[number](number, None)
        self.reactor.advance(0)

    @property
    def hears(self) -> set[int]:
        return {number for number, heard in self.hearing.items() if callable(heard)}


def configured(directory: Path) -> Configuration:
    configuration = Configuration(locals=(Local(port=0),))
    storage = replace(configuration.storage, directory=directory / "data", minimum_free=0)
    return replace(configuration, storage=storage)


@pytest.fixture
def process(tmp_path: Path) -> Process:
    process = Process(configured(tmp_path))
    process.service.startService()
    return process


@pytest.fixture
def logged() -> Iterator[list[LogEvent]]:
    with capturedLogs() as events:
        yield events


def lines(logged: list[LogEvent]) -> list[str | None]:
    return [formatEvent(event) for event in logged if event["log_level"].name != "debug"]


def test_a_stop_in_order_leaves_no_signal_heard_and_no_timer(
    process: Process, logged: list[LogEvent]
) -> None:
    assert process.hears == {signal.SIGHUP}
    assert process.service.stopService().called
    assert process.hears == set()
    assert process.reactor.getDelayedCalls() == []
    assert process.threads.joined == 3
    assert lines(logged) == ["SDCC is stopping, associations: 0, drain_timeout: 30 s", "SDCC has stopped"]


def test_a_server_that_cannot_start_hears_nothing(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    process = Process(configured(tmp_path))
    with pytest.raises(CannotStart):
        process.service.startService()
    assert process.hears == set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_while_it_stops_another_signal_is_the_last_that_is_waited_for(
    process: Process, logged: list[LogEvent], number: int
) -> None:
    process.threads.hang = True
    stopped = process.service.stopService()
    process.reactor.advance(3600)
    assert not stopped.called, "the disk hangs"
    assert process.hears == {signal.SIGHUP, signal.SIGTERM, signal.SIGINT}
    process.kill(number)
    process.kill(number)
    assert not stopped.called, "what is under way in threads has a moment"
    process.reactor.advance(LAST_SECONDS - 0.1)
    process.kill(number)
    process.reactor.advance(0.1)
    assert stopped.called
    assert process.hears == set()
    assert lines(logged)[1:] == [
        "SDCC stops at once, associations that are cut: 0",
        "SDCC waits no more for what is under way: the next start looks through it",
        "SDCC has stopped",
    ]


def test_what_ends_in_the_last_seconds_ends_in_order(process: Process, logged: list[LogEvent]) -> None:
    under_way: Deferred[None] = Deferred()
    process.service._parts.server.stop = lambda: under_way
    stopped = process.service.stopService()
    process.kill(signal.SIGTERM)
    process.reactor.advance(LAST_SECONDS / 2)
    under_way.callback(None)
    assert stopped.called
    assert process.threads.joined == 3
    assert process.reactor.getDelayedCalls() == []
    assert lines(logged)[1:] == ["SDCC stops at once, associations that are cut: 0", "SDCC has stopped"]


def test_a_step_that_fails_after_it_was_given_up_is_in_the_log(
    process: Process, logged: list[LogEvent]
) -> None:
    under_way: Deferred[None] = Deferred()
    process.service._parts.server.stop = lambda: under_way
    process.service.stopService()
    process.kill(signal.SIGTERM)
    process.reactor.advance(LAST_SECONDS)
    under_way.errback(ValueError("late"))
    assert "a step of the stop failed" in lines(logged)
    assert logged[-1]["log_failure"].check(ValueError)


def test_while_it_stops_a_hang_up_changes_nothing(tmp_path: Path, logged: list[LogEvent]) -> None:
    process = Process(configured(tmp_path))
    process.service.startService()
    process.threads.hang = True
    process.service.stopService()
    process.kill(signal.SIGHUP)
    assert lines(logged)[-1].startswith("The configuration stays as it is: ")


def test_a_hang_up_that_meets_a_fault_of_the_program_is_in_the_log(
    process: Process, logged: list[LogEvent]
) -> None:
    async def fail() -> None:
        raise ValueError("a fault")

    process.service._reloading.reload = fail
    process.kill(signal.SIGHUP)
    assert lines(logged) == [
        "SIGHUP: the configuration is read again",
        "the configuration stays as it is",
    ]
    assert logged[-1]["log_failure"].check(ValueError)


def test_an_administrator_drains_it_and_has_it_go_on(process: Process) -> None:
    service = process.service
    assert not service.is_draining
    assert service.drain() == {"state": "draining", "open": 0}
    assert service.is_draining
    assert service.drain(False) == {"state": "ready", "open": 0}
    assert not service.is_draining
    service.stopService()
    assert service.drain() == {"state": "stopping", "open": 0}
    assert service.is_stopping


@pytest_twisted.ensureDeferred
async def test_a_reload_reaches_every_part(tmp_path: Path) -> None:
    path = tmp_path / "sdcc.toml"
    path.write_text(CONFIGURATION)
    service = SDCC(load(path), real_reactor)
    service.startService()
    try:
        path.write_text(
            CONFIGURATION
            + 'maximum_object_size = "1 KiB"\nadditional_sop_classes = ["1.2.3.4.5"]\n'
            + '[[remote]]\nae_title = "PACS"\naddress = "127.0.0.1"\nport = 104\n'
            + '[access]\nunknown_callers = "reject"\n'
            + "[query]\nmaximum_answers = 5\n"
            + "[association]\nmaximum_open = 6\nmaximum_pdu_length = 4096\n"
            + "idle_timeout = 7\ndrain_timeout = 8\n"
            + "[index]\ntimeout = 9\n"
        )
        assert await service.reload() == {
            "changed": [
                "[[remote]] PACS",
                "[access] unknown_callers",
                "[storage] maximum_object_size",
                "[storage] additional_sop_classes",
                "[query] maximum_answers",
                "[association] maximum_pdu_length",
                "[association] maximum_open",
                "[association] idle_timeout",
                "[association] drain_timeout",
            ],
            "after_restart": ["[index] timeout"],
        }
        parts = service._parts
        assert parts.caller.may_call("PACS")
        assert parts.caller._timeouts.dimse == 7
        assert parts.objects._maximum_object_size == 1024
        assert parts._query._maximum_answers == 5
        assert parts.server._settings == service.configuration.association
        assert parts.server._surroundings.sop_classes.keys() >= {"1.2.3.4.5"}
        assert parts._acceptor._terms.access.unknown_callers == "reject"
        assert parts._acceptor._terms.sop_classes.keys() >= {"1.2.3.4.5"}
        path.write_text("nonsense")
        with pytest.raises(CannotDo, match=r"sdcc\.toml: not TOML"):
            await service.reload()
        assert service.configuration.query.maximum_answers == 5
    finally:
        await service.stopService()
