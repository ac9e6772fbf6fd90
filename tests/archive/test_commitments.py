"""What is owed to a peer is written down durably, outlives any end of its process, and has one owner."""

from __future__ import annotations

import datetime
import errno
import itertools
import os
import signal
import subprocess
import sys

import pytest
from zope.interface.verify import verifyObject

from sdcc.archive.commitments import CommitmentJournal
from sdcc.interfaces import CommitmentRequest, ICommitmentJournal, Provenance, Reference

REQUEST = CommitmentRequest(
    transaction_uid="1.2.3",
    references=(Reference("1.2.840.10008.5.1.4.1.1.2", "1.2.3.4"), Reference("1.2", "1.2.3.5")),
    provenance=Provenance(calling_ae="CT01", called_ae="SDCC", calling_address="192.0.2.7"),
    requested_at=datetime.datetime(2026, 7, 4, 23, 59, 58, 123456, tzinfo=datetime.UTC),
)

#: Another process that owes a report and waits to be killed.
OTHER_PROCESS = """
import sys
from twisted.internet.defer import ensureDeferred, execute
from sdcc.archive.commitments import CommitmentJournal, _decoded
from sdcc.archive.filesystem import FileSystem
journal = CommitmentJournal(
    sys.argv[1], filesystem=FileSystem(), run_in_thread=execute, new_token=lambda: "other"
)
journal.prepare()
print("prepared", flush=True)
journal._add(_decoded(sys.stdin.readline().encode()))
print("added", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def make_journal(disk, build, tmp_path):
    """Makes the journal of another process, as far as locks can tell."""
    tokens = (f"token{number}" for number in itertools.count())
    made = []

    def make():
        journal = CommitmentJournal(
            str(tmp_path), filesystem=disk, run_in_thread=build.at_once, new_token=lambda: next(tokens)
        )
        made.append(journal)
        journal.prepare()
        return journal

    yield make
    disk.faults.clear()
    for journal in made:
        build.result_of(journal.stop())
    assert disk.open == {}


@pytest.fixture
def journal(make_journal, disk):
    journal = make_journal()
    disk.calls.clear()
    return journal


@pytest.fixture
def files(tmp_path):
    return lambda: sorted(
        str(path.relative_to(tmp_path / "commitments"))
        for path in (tmp_path / "commitments").glob("*/*")
        if path.name != "lock"
    )


def test_it_is_a_journal(journal):
    assert verifyObject(ICommitmentJournal, journal)


def test_what_is_written_down_is_read_as_it_was(journal, build, files):
    name = build.result_of(journal.add(REQUEST))
    assert build.result_of(journal.read(name)) == REQUEST
    assert build.result_of(journal.names()) == [name] == files()


def test_it_is_durable_before_it_is_said_to_be(journal, build, disk):
    name = build.result_of(journal.add(REQUEST))
    unfinished, final = f"commitments/{name.removesuffix('.json')}.part", f"commitments/{name}"
    assert disk.calls == [
        ("create", unfinished),
        ("write", unfinished),
        ("sync", unfinished),
        ("close", unfinished),
        ("rename", unfinished),
        ("sync_directory", final.rpartition("/")[0]),
    ]


@pytest.mark.parametrize("call", ["create", "write", "sync", "close", "rename", "sync_directory"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_what_cannot_be_written_down_is_not_there(journal, build, files, call, number):
    journal._fs.fail(call, number)
    with pytest.raises(OSError, match=os.strerror(number)):
        build.result_of(journal.add(REQUEST))
    assert files() == build.result_of(journal.names()) == []
    assert build.result_of(journal.add(REQUEST)), "and the next one is"


def test_what_is_owed_no_more_is_gone(journal, build, disk, files):
    name = build.result_of(journal.add(REQUEST))
    disk.calls.clear()
    build.result_of(journal.remove(name))
    assert files() == []
    assert [call for call, _ in disk.calls] == ["remove", "sync_directory"]


def test_what_cannot_be_removed_is_logged(journal, build, disk, logged):
    name = build.result_of(journal.add(REQUEST))
    disk.fail("remove", errno.EIO)
    build.result_of(journal.remove(name))
    assert [event["name"] for event in logged] == [name]
    assert build.result_of(journal.names()) == [name]


# --- from process to process ---------------------------------------------------------------


def test_a_living_process_keeps_what_it_owes(make_journal, build):
    first, second = make_journal(), make_journal()
    name = build.result_of(first.add(REQUEST))
    assert build.result_of(make_journal().names()) == build.result_of(second.names()) == []
    assert build.result_of(first.names()) == [name]


def test_who_starts_after_a_stop_takes_over_and_makes_no_folder(make_journal, build, tmp_path):
    first = make_journal()
    name = build.result_of(first.add(REQUEST))
    build.result_of(first.stop())
    second = make_journal()
    assert build.result_of(second.names()) == [name]
    assert build.result_of(second.read(name)) == REQUEST
    build.result_of(second.add(REQUEST))
    assert [path.name for path in (tmp_path / "commitments").iterdir()] == ["1"]


def test_one_may_take_over_from_several(make_journal, build):
    owing = [make_journal(), make_journal()]
    names = [build.result_of(journal.add(REQUEST)) for journal in owing]
    for journal in owing:
        build.result_of(journal.stop())
    heir = make_journal()
    assert sorted(build.result_of(heir.names())) == sorted(names)
    assert build.result_of(make_journal().names()) == []
    for name in names:
        build.result_of(heir.remove(name))
    assert build.result_of(heir.names()) == []


def test_a_killed_process_owes_until_another_starts(make_journal, build, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"prepared\n"
        name = build.result_of(make_journal().add(REQUEST))
        process.stdin.write((tmp_path / "commitments" / name).read_bytes())
        process.stdin.flush()
        assert process.stdout.readline() == b"added\n"
        assert build.result_of(make_journal().names()) == []
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    heir = make_journal()
    assert build.result_of(heir.names()) == ["1/other.json"]
    assert build.result_of(heir.read("1/other.json")) == REQUEST


def test_what_a_crash_left_unfinished_was_never_promised(make_journal, build, tmp_path, files):
    build.result_of(make_journal().stop())
    (tmp_path / "commitments/1/token.part").write_text('{"transaction')
    assert build.result_of(make_journal().names()) == files() == []


def test_before_the_start_and_after_the_stop_nothing_is_written_down(make_journal, build, files):
    journal = make_journal()
    build.result_of(journal.stop())
    with pytest.raises(FileNotFoundError):
        build.result_of(journal.add(REQUEST))
    assert files() == []


@pytest.mark.parametrize("call", ["make_directory", "sync_directory", "entries"])
def test_a_storage_directory_that_cannot_be_used_is_told_at_the_start(make_journal, disk, call):
    disk.fail(call, errno.EACCES, path="commitments" if call != "sync_directory" else "")
    with pytest.raises(PermissionError):
        make_journal()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSPC, errno.EMFILE])
def test_without_a_lock_of_its_own_a_process_does_not_start(make_journal, disk, number):
    """And makes no folder after folder in search of one."""
    for at in range(1, 20):
        disk.fail("lock", number, at=at, path="commitments")
    with pytest.raises(OSError, match=os.strerror(number)):
        make_journal()
    assert len(disk.called("lock")) == 1


def test_what_is_no_folder_is_passed_over(make_journal, build, tmp_path, logged):
    (tmp_path / "commitments").mkdir()
    (tmp_path / "commitments" / "notes").write_text("")
    (tmp_path / "commitments" / "1").write_text("")
    assert build.result_of(make_journal().add(REQUEST)) == "2/token0.json"
    assert [event["folder"] for event in logged] == ["1", "notes"]


# --- damage --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: b"[]",
        lambda data: b"{}",
        lambda data: data.replace(b"transaction_uid", b"transaction"),
        lambda data: data.replace(b"2026-", b"year "),
        lambda data: data.replace(b', "1.2.3.5"]', b"]"),
        lambda data: b"\xff" + data,
        lambda data: b"[" * 100_000,
        lambda data: data.replace(b"+00:00", b""),
    ],
)
def test_a_damaged_file_says_nothing(journal, build, tmp_path, damage):
    name = build.result_of(journal.add(REQUEST))
    path = tmp_path / "commitments" / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match="holds no request"):
        build.result_of(journal.read(name))
