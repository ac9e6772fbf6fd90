"""Each process has its own folder in `incoming`; the dead's are removed, the living's never."""

from __future__ import annotations

import datetime
import errno
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys

import pytest

from sdcc.archive.filesystem import FileSystem
from sdcc.archive.incoming import Incoming, host_and_pid

#: Another process that claims a folder, begins a file and waits to be told, or killed.
OTHER_PROCESS = """
import datetime
import sys
from sdcc.archive.filesystem import FileSystem
from sdcc.archive.incoming import Incoming
incoming = Incoming(
    sys.argv[1],
    filesystem=FileSystem(),
    new_name=lambda: "other",
    now=lambda: datetime.datetime(2026, 7, 4, tzinfo=datetime.UTC),
)
incoming.claim()
incoming.create("object")
print("claimed", flush=True)
sys.stdin.read()
incoming.release()
"""


class Time:
    """What a process takes for the time."""

    def __init__(self):
        self.now = datetime.datetime(2026, 7, 4, 23, 59, tzinfo=datetime.UTC)

    def advance(self, days):
        self.now += datetime.timedelta(days)
        return self.now.date()


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def folders(tmp_path):
    (tmp_path / "incoming").mkdir()
    return lambda: sorted(path.name for path in (tmp_path / "incoming").iterdir())


@pytest.fixture
def make_incoming(disk, tmp_path, folders, time):
    names = (f"process{number}" for number in itertools.count())
    made = []

    def make(filesystem=disk):
        made.append(
            Incoming(str(tmp_path), filesystem=filesystem, new_name=lambda: next(names), now=lambda: time.now)
        )
        return made[-1]

    yield make
    disk.faults.clear()
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


def test_the_socket_of_a_dead_process_goes_with_its_folder(make_incoming, folders, tmp_path):
    (tmp_path / "incoming/dead").mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "incoming/dead/control"))
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


@pytest.mark.parametrize("path", ["process0/lock", "incoming.since-first"])
def test_where_closing_a_record_of_the_dead_fails_its_day_is_kept(
    *, make_incoming, disk, tmp_path, folders, logged, path
):
    dead = make_incoming()
    dead.claim()
    if "since" in path:
        dead.release()
        (tmp_path / path).write_text("2026-07-04\n")
    else:
        kill(dead, disk)
    disk.fail("close", errno.EIO, path=path)
    incoming = make_incoming()
    incoming.claim()
    assert incoming.doubtful_since == datetime.date(2026, 7, 4)
    assert [event["log_format"] for event in logged if event["log_level"].name == "warn"] == [
        "Closing a lock failed: {error}"
    ]
    assert folders() == ["process1"]
    assert left_records(tmp_path) == []


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


# --- since when to look --------------------------------------------------------------------------

TODAY = datetime.date(2026, 7, 4)


class Killed(BaseException):
    """The process is gone: nothing of it runs any more, and its locks are free."""


def kill(incoming, disk):
    """Let a process die that holds its folder."""
    lock, incoming._lock, incoming._folder = incoming._lock, None, None
    if lock is not None:
        disk.close(lock)


def left_records(tmp_path):
    return [*tmp_path.glob("incoming.since-*")]


def record(tmp_path, name):
    return (tmp_path / "incoming" / name / "lock").read_text()


def test_after_a_stop_in_order_there_is_nothing_to_look_through(make_incoming, time, folders):
    make_incoming().claim()
    make_incoming().release()
    time.advance(1)
    incoming = make_incoming()
    incoming.claim()
    assert incoming.doubtful_since is None


def test_after_a_kill_it_is_looked_from_the_day_on_that_the_dead_one_started(
    make_incoming, disk, time, tmp_path
):
    dead = make_incoming()
    dead.claim()
    assert record(tmp_path, "process0") == "2026-07-04\n"
    time.advance(9)
    kill(dead, disk)
    incoming = make_incoming()
    incoming.claim()
    assert incoming.doubtful_since == TODAY
    assert record(tmp_path, "process1") == "2026-07-04\n"


def test_of_several_dead_the_earliest_day_counts(make_incoming, tmp_path, folders):
    for name, day in (("a", "2026-07-03"), ("b", "2026-06-28"), ("c", "2026-07-04")):
        (tmp_path / "incoming" / name).mkdir()
        (tmp_path / "incoming" / name / "lock").write_text(f"{day}\n")
    incoming = make_incoming()
    incoming.claim()
    assert incoming.doubtful_since == datetime.date(2026, 6, 28)
    assert folders() == ["process0"]


def test_who_stops_with_doubts_of_its_own_leaves_them_to_the_next(make_incoming, time, folders):
    incoming = make_incoming()
    incoming.claim()
    time.advance(3)
    incoming.doubt()
    incoming.release()
    assert folders() == []
    following = make_incoming()
    following.claim()
    assert following.doubtful_since == TODAY


def test_what_was_not_looked_through_is_left_to_the_next_however_often(
    *, make_incoming, disk, time, folders, tmp_path
):
    dead = make_incoming()
    dead.claim()
    kill(dead, disk)
    for is_killed in (True, False, True, False):
        time.advance(2)
        incoming = make_incoming()
        incoming.claim()
        assert incoming.doubtful_since == TODAY
        create(incoming, disk, "object")
        if is_killed:
            kill(incoming, disk)
        else:
            incoming.release()
            assert disk.open == {}
            assert folders() == []
    last = make_incoming()
    last.claim()
    last.looked_through()
    last.release()
    assert folders() == []
    assert left_records(tmp_path) == []


def test_what_was_looked_through_is_done_with(make_incoming, disk, time, tmp_path):
    dead = make_incoming()
    dead.claim()
    kill(dead, disk)
    today = time.advance(5)
    incoming = make_incoming()
    incoming.claim()
    incoming.looked_through()
    assert incoming.doubtful_since is None
    assert record(tmp_path, "process1") == f"2026-07-04\n{today}\n"
    kill(incoming, disk)
    time.advance(1)
    after = make_incoming()
    after.claim()
    assert after.doubtful_since == today


@pytest.mark.parametrize("text", ["", "2026-07-0", "nonsense\n", "\xff\n2026-13-01\n"])
def test_a_record_that_says_no_day_means_the_day_of_its_file(make_incoming, disk, tmp_path, text):
    """Also that of an SDCC which wrote none."""
    (tmp_path / "incoming/dead").mkdir()
    lock = tmp_path / "incoming/dead/lock"
    lock.write_bytes(text.encode("latin-1"))
    moment = datetime.datetime(2026, 6, 2, 12, tzinfo=datetime.UTC).timestamp()
    os.utime(lock, (moment, moment))
    incoming = make_incoming()
    incoming.claim()
    assert incoming.doubtful_since == datetime.date(2026, 6, 2)


def test_a_line_that_was_cut_off_leaves_the_one_before(make_incoming, tmp_path):
    (tmp_path / "incoming/dead").mkdir()
    (tmp_path / "incoming/dead/lock").write_text("2026-07-01\n2026-07-0")
    incoming = make_incoming()
    incoming.claim()
    assert incoming.doubtful_since == datetime.date(2026, 7, 1)


def test_a_folder_claimed_anew_remembers_the_day_of_the_first(make_incoming, disk, time, tmp_path):
    incoming = make_incoming()
    incoming.claim()
    time.advance(3)
    (tmp_path / "incoming/process0/lock").unlink()
    (tmp_path / "incoming/process0").rmdir()
    create(incoming, disk, "a")
    assert record(tmp_path, "process1") == "2026-07-04\n"
    assert incoming.doubtful_since is None


def test_who_is_found_dead_during_the_look_is_looked_through_by_the_next(make_incoming, disk, time, tmp_path):
    """The look may have passed by what that one left."""
    killed(tmp_path)
    incoming = make_incoming()
    incoming.claim()
    shutil.rmtree(tmp_path / "incoming/process0")
    other = make_incoming()
    other.claim()
    kill(other, disk)
    create(incoming, disk, "object")
    assert incoming.doubtful_since == datetime.date(2026, 6, 30)
    incoming.looked_through()
    incoming.release()
    following = make_incoming()
    following.claim()
    assert following.doubtful_since == TODAY


def test_a_record_that_cannot_be_read_keeps_nobody_from_starting(make_incoming, disk, tmp_path, logged):
    stopped_while_it_looked(tmp_path)
    disk.fail("open_existing", errno.EACCES)
    make_incoming().claim()
    assert any("cannot be read" in event["log_format"] for event in logged)
    assert len(left_records(tmp_path)) == 1


def test_its_own_record_is_durable_before_a_dead_folder_goes(make_incoming, disk, tmp_path):
    (tmp_path / "incoming/dead").mkdir()
    make_incoming().claim()
    synced = [
        disk.calls.index((call, path))
        for call, path in (
            ("sync", "incoming/process0/lock"),
            ("sync_directory", "incoming/process0"),
            ("sync_directory", "incoming"),
        )
    ]
    assert max(synced) < disk.calls.index(("remove", "incoming/dead/lock"))


def killed(tmp_path):
    (tmp_path / "incoming/first").mkdir()
    (tmp_path / "incoming/first/lock").write_text("2026-06-30\n")
    (tmp_path / "incoming/first/object.part").touch()


def stopped_while_it_looked(tmp_path):
    (tmp_path / "incoming.since-first").write_text("2026-06-30\n")


@pytest.mark.parametrize("ended", [killed, stopped_while_it_looked])
@pytest.mark.parametrize("last", ["claim", "release"])
def test_a_crash_at_any_call_of_a_start_or_a_stop_forgets_no_day(
    *, make_incoming, disk, time, tmp_path, folders, ended, last
):
    """The next start knows of the day, whichever call was the last."""
    crashed = finished = 0
    while not finished:
        ended(tmp_path)
        one = make_incoming()
        if last == "release":
            one.claim()
        disk.calls.clear()

        def crash_if_due(name, path, number=crashed):
            if len(disk.calls) > number and name != "close":
                raise Killed

        disk.fail_if_planned = crash_if_due
        try:
            getattr(one, last)()
            finished = 1
        except Killed:
            crashed += 1
        del disk.fail_if_planned
        for lock in list(disk.open):
            disk.close(lock)
        one._folder = one._lock = None
        incoming = make_incoming()
        incoming.claim()
        assert incoming.doubtful_since == datetime.date(2026, 6, 30), disk.calls
        incoming.looked_through()
        incoming.release()
        assert folders() == []
        assert left_records(tmp_path) == []
    assert crashed > 5


def test_a_record_that_was_left_is_synced_before_the_folder_goes(make_incoming, disk, tmp_path):
    killed(tmp_path)
    incoming = make_incoming()
    incoming.claim()
    disk.calls.clear()
    incoming.release()
    steps = [
        ("rename", "incoming/process0/lock"),
        ("sync_directory", "."),
        ("remove_directory", "incoming/process0"),
    ]
    assert [call for call in disk.calls if call in steps] == steps


@pytest.mark.parametrize("call", ["write", "sync", "sync_directory"])
def test_where_the_day_cannot_be_written_down_the_dead_folder_stays(
    *, make_incoming, disk, folders, logged, tmp_path, call
):
    (tmp_path / "incoming/dead").mkdir()
    (tmp_path / "incoming/dead/lock").write_text("2026-07-01\n")
    (tmp_path / "incoming/dead/object.part").touch()
    disk.fail(call, errno.ENOSPC)
    incoming = make_incoming()
    incoming.claim()
    assert incoming.doubtful_since == datetime.date(2026, 7, 1)
    assert folders() == ["dead", "process0"]
    assert os.listdir(tmp_path / "incoming/dead") == ["lock"], "a full disk gets its space back"
    assert any("cannot be written down" in event["log_format"] for event in logged)


def test_it_knows_whether_another_lives(make_incoming, other, tmp_path):
    incoming = make_incoming()
    incoming.claim()
    assert not incoming.was_alone
    other.send_signal(signal.SIGKILL)
    other.wait(timeout=30)
    incoming.release()
    incoming.claim()
    assert incoming.was_alone
