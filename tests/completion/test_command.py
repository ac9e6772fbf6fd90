"""The site's command: what it is given, and what its end is worth."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import formatEvent

from sdcc.completion import command as module
from sdcc.completion.command import Command, arguments
from sdcc.completion.notices import NotDelivered
from sdcc.config.kinds import PLACEHOLDERS

PATIENCE = 20.0


def python(program: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", program, *arguments)


def run(command: tuple[str, ...], study: Any) -> Deferred[None]:
    made = Command(command, processes=reactor, clock=reactor)
    return Deferred.fromCoroutine(made(study()))


async def until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "has not come about"
        await deferLater(reactor, 0.01)


def is_gone(pid: int) -> bool:
    """Or nobody's child but waited for."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


# --- its arguments ---------------------------------------------------------------------------------


def test_placeholders_stand_for_the_studys_facts_within_their_argument(study: Any) -> None:
    given = study("1.2", patient_id="A B; $(id) {series}", accession_number=None)
    made = arguments(
        ("run", "--study={study_instance_uid}", "{patient_id}", "{accession_number}", "{x}", "{}"), given
    )
    assert made == ["run", "--study=1.2", "A B; $(id) {series}", "", "{x}", "{}"]


def test_every_placeholder_that_the_configuration_allows_has_a_value(study: Any) -> None:
    for name in PLACEHOLDERS:
        assert arguments((f"{{{name}}}",), study(accession_number="A1"))[0] not in ("", f"{{{name}}}")


@pytest_twisted.ensureDeferred
async def test_it_gets_its_arguments_and_the_facts_on_standard_input_and_nothing_secret(
    study: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process group of its own, no descriptor of ours, and no shell."""
    program = """
import json, os, sys
json.dump({
    "arguments": sys.argv[2:],
    "input": json.load(sys.stdin),
    "leads": os.getpgid(0) == os.getpid(),
    "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1],
    "environment": sorted(os.environ),
    "directory": os.getcwd(),
}, open(sys.argv[1], "w"))
"""
    monkeypatch.setenv("PGPASSWORD", "secret")
    inherited = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(inherited, True)
    try:
        command = python(program, str(tmp_path / "out"), "{study_instance_uid}; exit 1", "*")
        await run(command, study)
    finally:
        os.close(inherited)
    found = json.loads((tmp_path / "out").read_text())
    assert found["arguments"] == ["1.2; exit 1", "*"]
    assert found["input"]["patient_id"] == "P-1"
    assert found["input"]["stable_at"] == "2024-05-01T09:31:00.000000Z"
    assert found["leads"]
    assert found["descriptors"] == [0, 1, 2]
    assert "PATH" in found["environment"]
    assert "PGPASSWORD" not in found["environment"]
    assert found["directory"] == "/"


@pytest_twisted.ensureDeferred
async def test_it_ends_by_the_signals_that_python_ignores(study: Any) -> None:
    """What writes to a pipe that nobody reads, in a script of the site's, would go on for ever."""
    for name in ("PIPE", "XFSZ"):
        with pytest.raises(NotDelivered, match=f"by signal {signal.Signals['SIG' + name].value}"):
            await run(("sh", "-c", f"kill -{name} $$"), study)


# --- its end ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (python("raise SystemExit(3)"), "it ended with exit code 3"),
        (python("import os; os.kill(0, 9)"), "it ended by signal 9"),
        (("/nowhere/at-all",), "it ended with exit code 1"),
    ],
    ids=["exit code", "signal", "no such program"],
)
@pytest_twisted.ensureDeferred
async def test_any_end_but_exit_code_0_is_a_failure(
    command: tuple[str, ...], reason: str, study: Any
) -> None:
    with pytest.raises(NotDelivered, match=f"^{reason}$"):
        await run(command, study)


@pytest_twisted.ensureDeferred
async def test_what_does_not_read_its_input_may_succeed(study: Any) -> None:
    await run(("true",), study)


@pytest_twisted.ensureDeferred
async def test_its_first_output_is_in_the_log_at_debug_and_much_of_it_is_no_fault(
    study: Any, log: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on all the same, slowly, and ends."""
    monkeypatch.setattr(module, "HUSH", 0.02)
    await run(
        python("import os; os.write(2, b'first'); [os.write(1, b'x' * 4096) for _ in range(50)]"), study
    )
    await until(lambda: log)
    [event] = log
    assert event["log_level"].name == "debug"
    assert "first" in formatEvent(event)
    assert len(formatEvent(event)) < module.LOGGED + 50


@pytest_twisted.ensureDeferred
async def test_an_endless_flood_takes_next_to_nothing(study: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = []
    listen = module._Run.outReceived
    monkeypatch.setattr(
        module._Run, "outReceived", lambda run, data: (pieces.append(data), listen(run, data))
    )
    monkeypatch.setattr(module, "HUSH", 3600.0)
    running = run(("yes",), study)
    await until(lambda: pieces)
    for _ in range(50):
        await deferLater(reactor, 0.001)
    assert len(pieces) == 1
    running.cancel()
    with pytest.raises(CancelledError):
        await running


@pytest_twisted.ensureDeferred
async def test_what_is_broken_off_is_asked_to_end_with_all_that_it_has_started(
    study: Any, tmp_path: Path
) -> None:
    program = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open(sys.argv[1] + "~", "w").write(f"{os.getpid()} {child.pid}")
os.rename(sys.argv[1] + "~", sys.argv[1])
time.sleep(600)
"""
    told = tmp_path / "pids"
    running = run(python(program, str(told)), study)
    await until(told.exists)
    running.cancel()
    with pytest.raises(CancelledError):
        await running
    pids = [int(pid) for pid in told.read_text().split()]
    await until(lambda: all(map(is_gone, pids)))


@pytest_twisted.ensureDeferred
async def test_what_does_not_end_when_asked_to_is_forced_to(
    study: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KILL_AFTER", 0.2)
    told = tmp_path / "pid"
    program = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(600)
"""
    running = run(python(program, str(told)), study)
    await until(lambda: told.exists() and told.read_text())
    running.cancel()
    running.cancel()  # as a stop does what has taken too long already
    with pytest.raises(CancelledError):
        await running
    assert is_gone(int(told.read_text()))


@pytest_twisted.ensureDeferred
async def test_what_has_hardly_begun_ends_at_once(study: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though there is no process group yet."""
    monkeypatch.setattr(module, "KILL_AFTER", 3600.0)
    running = run(("sleep", "600"), study)
    running.cancel()
    ended: list[Any] = []
    running.addErrback(ended.append)
    await until(lambda: ended)


@pytest_twisted.ensureDeferred
async def test_what_it_leaves_behind_holds_nobody_up(study: Any, tmp_path: Path) -> None:
    told = tmp_path / "pid"
    program = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open(sys.argv[1], "w").write(str(child.pid))
"""
    await run(python(program, str(told)), study)
    pid = int(told.read_text())
    assert not is_gone(pid)
    os.kill(pid, 9)
