"""The trail in a file: what is in it whatever happens to it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.internet.task import Clock

from sdcc.audit.file import RETRY, AuditFile, LineFile, NotAppended

# --- the file itself ---


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.log"


def test_lines_are_appended_and_nobody_else_may_read_them(path: Path) -> None:
    path.write_bytes(b"before\n")
    path.unlink()
    for lines in ([b"1", b"2"], [b"3"]):
        LineFile(str(path)).append(lines)
    assert path.read_bytes() == b"1\n2\n3\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_was_moved_away_is_followed_by_a_new_one(path: Path, tmp_path: Path) -> None:
    file = LineFile(str(path))
    file.append([b"1"])
    path.rename(tmp_path / "audit.log.1")
    file.append([b"2"])
    (tmp_path / "another").write_bytes(b"")
    (tmp_path / "another").rename(path)
    file.append([b"3"])
    assert ((tmp_path / "audit.log.1").read_bytes(), path.read_bytes()) == (b"1\n", b"3\n")


def test_a_file_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    file = LineFile(str(tmp_path / "missing" / "audit.log"))
    with pytest.raises(NotAppended, match="No such file or directory"):
        file.append([b"1"])
    (tmp_path / "missing").mkdir()
    file.append([b"1"])


def test_a_disk_that_fills_up_within_a_line_costs_none(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was begun stays, torn; it is written again on a line of its own."""
    write, room = os.write, 10

    def limited(file: int, data: bytes) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = write(file, data[:room])
        room -= written
        return written

    file, lines = LineFile(str(path)), [b"first", b"second"]
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", limited)
        with pytest.raises(NotAppended, match="No space left") as caught:
            file.append(lines)
        assert caught.value.whole == 1
        with pytest.raises(NotAppended) as again:
            file.append(lines[1:])
        assert again.value.whole == 0
    file.append(lines[1:])
    assert path.read_bytes() == b"first\nseco\nsecond\n"


def test_a_line_that_a_killed_process_left_torn_spoils_no_other(path: Path) -> None:
    path.write_bytes(b"first\nseco")
    file = LineFile(str(path))
    file.append([b"1"])
    file.append([b"2"])
    assert path.read_bytes() == b"first\nseco\n1\n2\n"


def test_after_a_sync_that_failed_all_is_written_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    file = LineFile(str(path))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(NotAppended, match="Input/output error") as caught:
            file.append([b"1", b"2"])
    assert caught.value.whole == 0
    file.append([b"1", b"2"])
    assert path.read_bytes() == b"1\n2\n1\n2\n"


def test_what_cannot_be_synced_is_written_all_the_same() -> None:
    reading, writing = os.pipe()
    try:
        LineFile(f"/dev/fd/{writing}").append([b"1"])
        assert os.read(reading, 100) == b"1\n"
    finally:
        os.close(reading)
        os.close(writing)


# --- from the reactor's thread ---


class Disk:
    """A file that does as the test says.

    :ivar fault: what appending raises.
    :ivar busy: what it waits for.
    """

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.fault: Exception | None = None
        self.busy: Deferred[None] | None = None
        self.closed = 0

    def append(self, lines: list[bytes]) -> Any:
        if self.fault is not None:
            raise self.fault
        self.batches.append(lines)
        return self.busy

    def close(self) -> None:
        self.closed += 1


def run(call: Callable[..., Any], *arguments: object) -> Deferred[Any]:
    return maybeDeferred(call, *arguments)


class Scene:
    def __init__(self) -> None:
        self.disk = Disk()
        self.clock = Clock()
        self.trail = AuditFile(self.disk, "audit.log", run, self.clock)

    def stop(self) -> None:
        stopped = ensureDeferred(self.trail.stop())
        assert stopped.called
        assert stopped.result is None
        assert self.clock.getDelayedCalls() == []


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_what_comes_before_the_start_waits_for_it(scene: Scene) -> None:
    scene.trail.write(b"1")
    assert scene.disk.batches == []
    scene.trail.start()
    assert scene.disk.batches == [[b"1"]]
    scene.stop()


def test_what_comes_while_the_disk_is_busy_goes_together(scene: Scene) -> None:
    scene.trail.start()
    busy = scene.disk.busy = Deferred()
    for line in (b"1", b"2", b"3"):
        scene.trail.write(line)
    assert scene.disk.batches == [[b"1"]]
    scene.disk.busy = None
    busy.callback(None)
    assert scene.disk.batches == [[b"1"], [b"2", b"3"]]


@pytest.mark.parametrize("whole", [0, 1])
def test_an_outage_is_told_and_nothing_is_lost(scene: Scene, lines: list[str], whole: int) -> None:
    busy = scene.disk.busy = Deferred()
    scene.trail.start()
    scene.trail.write(b"0")
    scene.trail.write(b"1")
    scene.trail.write(b"2")
    scene.disk.fault = NotAppended(OSError(errno.ENOSPC, "No space left on device"), whole)
    busy.callback(None)
    scene.trail.write(b"3")
    scene.disk.fault, scene.disk.busy = None, None
    assert scene.disk.batches == [[b"0"]], "it is not tried at once"
    scene.clock.advance(RETRY)
    assert scene.disk.batches[1] == [b"1", b"2", b"3"][whole:]
    assert lines == [
        "The audit trail cannot be written to audit.log: No space left on device. "
        "Messages wait, up to 16 MiB",
        "The audit trail is written to audit.log again; messages lost: 0",
    ]
    scene.stop()


def test_a_stop_waits_for_what_is_being_written_and_writes_the_rest(scene: Scene) -> None:
    scene.trail.start()
    busy = scene.disk.busy = Deferred()
    scene.trail.write(b"1")
    scene.trail.write(b"2")
    stopped = ensureDeferred(scene.trail.stop())
    assert not stopped.called
    scene.disk.busy = None
    busy.callback(None)
    assert stopped.called
    assert scene.disk.batches == [[b"1"], [b"2"]]
    assert scene.disk.closed == 1


def test_a_stop_during_an_outage_tries_once_more_and_tells_what_is_lost(
    scene: Scene, lines: list[str]
) -> None:
    scene.trail.start()
    scene.disk.fault = NotAppended(OSError(errno.EROFS, "Read-only file system"), 0)
    scene.trail.write(b"1")
    scene.trail.write(b"2")
    scene.stop()
    assert lines[1:] == ["Messages of the audit trail that were not written to audit.log: 2"]


def test_a_stop_tries_again_what_fails_under_its_eyes(scene: Scene) -> None:
    scene.trail.start()
    busy = scene.disk.busy = Deferred()
    scene.trail.write(b"1")
    stopped = ensureDeferred(scene.trail.stop())
    scene.disk.busy = None
    busy.errback(NotAppended(OSError(errno.EIO, "Input/output error"), 0))
    assert stopped.called
    assert scene.disk.batches == [[b"1"], [b"1"]]
    assert scene.clock.getDelayedCalls() == []


def test_a_fault_of_the_program_is_an_outage_as_well(scene: Scene, lines: list[str]) -> None:
    scene.trail.start()
    scene.disk.fault = RuntimeError("a fault of the program")
    scene.trail.write(b"1")
    scene.disk.fault = None
    scene.clock.advance(RETRY)
    assert scene.disk.batches == [[b"1"]]
    assert lines[0] == "Writing the audit trail failed"
    scene.stop()
