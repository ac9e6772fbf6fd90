"""Each process has its own folder in `incoming`; the dead's are removed, the living's never."""

from __future__ import annotations

import errno
import itertools
import os
import re
import signal
import subprocess
import sys

import pytest

from sdcc.archive.filesystem import FileSystem
from sdcc.archive.incoming import Incoming, host_and_pid

#: Another process that claims a folder, begins a file and waits to be told, or killed.
OTHER_PROCESS = """
import sys
from sdcc.archive.filesystem import FileSystem
from sdcc.archive.incoming import Incoming
incoming = Incoming(sys.argv[1], filesystem=FileSystem(), new_name=lambda: "other")
incoming.claim()
incoming.create("object")
print("claimed", flush=True)
sys.stdin.read()
incoming.release()
"""


@pytest.fixture
def folders(tmp_path):
    (tmp_path / "incoming").mkdir()
    return lambda: sorted(path.name for path in (tmp_path / "incoming").iterdir())


@pytest.fixture
def make_incoming(disk, tmp_path, folders):
    names = (f"process{number}" for number in itertools.count())
    made = []

    def make(filesystem=disk):
        made.append(Incoming(str(tmp_path), filesystem=filesystem, new_name=lambda: next(names)))
        return made[-1]

    yield make
    for incoming in made:
        incoming.release()
    assert disk.open == {}


@pytest.fixture
def other(tmp_path, folders):
    with subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"claimed\n"
        yield process
        process.kill()


def create(incoming, disk, token):
    path, file = incoming.create(token)
    disk.close(file)
    return path


def test_a_file_is_created_in_the_folder_of_its_process(make_incoming, disk, tmp_path):
    incoming = make_incoming()
    incoming.claim()
    assert create(incoming, disk, "token") == f"{tmp_path}/incoming/process0/token.part"
    with pytest.raises(FileExistsError):
        incoming.create("token")


def test_before_the_claim_and_after_the_release_nothing_is_created(make_incoming):
    incoming = make_incoming()
    with pytest.raises(FileNotFoundError):
        incoming.create("token")
    incoming.claim()
    incoming.release()
    with pytest.raises(FileNotFoundError):
        incoming.create("token")


def test_the_release_removes_the_folder_and_what_is_left_in_it(make_incoming, disk, folders):
    incoming = make_incoming()
    incoming.claim()
    create(incoming, disk, "token")
    incoming.release()
    assert folders() == []
    incoming.release()


def test_a_living_process_keeps_its_folder(make_incoming, other, folders, tmp_path):
    make_incoming().claim()
    assert folders() == ["other", "process0"]
    assert (tmp_path / "incoming/other/object.part").exists()
    other.communicate(timeout=30)
    assert other.returncode == 0
    assert folders() == ["process0"]


def test_a_dead_process_loses_its_folder_at_the_next_start(make_incoming, other, folders):
    other.send_signal(signal.SIGKILL)
    other.wait(timeout=30)
    assert folders() == ["other"]
    make_incoming().claim()
    assert folders() == ["process0"]


def test_a_process_that_died_before_it_had_its_lock_loses_its_folder_too(make_incoming, folders, tmp_path):
    (tmp_path / "incoming/dead").mkdir()
    make_incoming().claim()
    assert folders() == ["process0"]


@pytest.mark.parametrize("call", ["make_directory", "lock", "remove", "remove_directory"])
def test_folders_are_made_and_removed_under_the_common_lock(make_incoming, disk, folders, tmp_path, call):
    """So nobody takes a folder that has no lock yet for a dead process's."""
    (tmp_path / "incoming/dead").mkdir()
    real = getattr(disk.real, call)
    held = []

    def observed(path, **keywords):
        if "/incoming/" in path:
            lock = FileSystem().lock(f"{tmp_path}/incoming.lock", wait=False)
            held.append(lock is None)
        return real(path, **keywords)

    setattr(disk.real, call, observed)
    incoming = make_incoming()
    incoming.claim()
    incoming.release()
    assert held
    assert all(held)


@pytest.mark.parametrize("call", ["remove", "remove_directory", "lock"])
def test_a_folder_that_cannot_be_removed_stops_nobody(
    *, make_incoming, disk, folders, logged, tmp_path, call
):
    (tmp_path / "incoming/dead").mkdir()
    (tmp_path / "incoming/dead/object.part").touch()
    disk.fail(call, errno.EACCES, path="dead")
    make_incoming().claim()
    assert folders() == ["dead", "process0"]
    assert any("cannot be removed" in event["log_format"] for event in logged)


def test_what_is_no_folder_is_left_alone(make_incoming, folders, tmp_path):
    (tmp_path / "incoming/README").touch()
    make_incoming().claim()
    assert folders() == ["README", "process0"]


def test_a_folder_removed_behind_our_back_is_claimed_anew_once(make_incoming, disk, folders, tmp_path):
    incoming = make_incoming()
    incoming.claim()
    (tmp_path / "incoming/process0/lock").unlink()
    (tmp_path / "incoming/process0").rmdir()
    assert create(incoming, disk, "a") == f"{tmp_path}/incoming/process1/a.part"
    assert create(incoming, disk, "b") == f"{tmp_path}/incoming/process1/b.part"
    assert folders() == ["process1"]
    assert list(disk.open.values()) == [f"{tmp_path}/incoming/process1/lock"]


def test_of_two_threads_that_find_it_removed_one_claims_it(make_incoming, disk, folders, tmp_path):
    incoming = make_incoming()
    incoming.claim()
    (tmp_path / "incoming/process0/lock").unlink()
    (tmp_path / "incoming/process0").rmdir()
    real = disk.real.create

    def create_after_another(path):
        disk.real.create = real
        create(incoming, disk, "b")
        return real(path)

    disk.real.create = create_after_another
    assert create(incoming, disk, "a") == f"{tmp_path}/incoming/process1/a.part"
    assert folders() == ["process1"]


def test_where_incoming_itself_is_gone_nothing_is_made_until_it_is_back(make_incoming, disk, tmp_path):
    incoming = make_incoming()
    incoming.claim()
    (tmp_path / "incoming").rename(tmp_path / "unmounted")
    with pytest.raises(FileNotFoundError):
        incoming.create("a")
    assert not (tmp_path / "incoming").exists()
    (tmp_path / "unmounted").rename(tmp_path / "incoming")
    assert create(incoming, disk, "b") == f"{tmp_path}/incoming/process0/b.part"


def test_a_folder_that_cannot_be_left_is_logged_and_its_lock_let_go(make_incoming, disk, folders, logged):
    incoming = make_incoming()
    incoming.claim()
    create(incoming, disk, "token")
    disk.fail("remove", errno.EACCES)
    incoming.release()
    assert any("stays until next time" in event["log_format"] for event in logged)
    assert disk.open == {}
    make_incoming().claim()
    assert folders() == ["process1"]


@pytest.mark.parametrize("lock", ["incoming.lock", "process0/lock"])
def test_where_closing_a_lock_fails_it_is_logged_and_all_goes_on(make_incoming, disk, folders, logged, lock):
    incoming = make_incoming()
    disk.fail("close", errno.EIO, path=lock)
    incoming.claim()
    incoming.release()
    assert [event["log_format"] for event in logged] == ["Closing a lock failed: {error}"]
    assert folders() == []
    assert disk.open == {}


def test_a_new_folder_whose_lock_another_holds_is_not_claimed(make_incoming, disk):
    lock = disk.real.lock
    disk.real.lock = lambda path, *, wait: lock(path, wait=wait) if wait else None
    incoming = make_incoming()
    with pytest.raises(BlockingIOError):
        incoming.claim()
    with pytest.raises(FileNotFoundError):
        incoming.create("token")


def test_no_lock_no_start(make_incoming, disk):
    disk.fail("lock", errno.ENOLCK)
    with pytest.raises(OSError, match="No locks available"):
        make_incoming().claim()


def test_a_folder_is_named_for_its_host_and_process():
    assert re.fullmatch(rf"[A-Za-z0-9._-]+-{os.getpid()}", host_and_pid())
