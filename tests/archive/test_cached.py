"""What the kernel has in memory: had at once or not at all, and never an error."""

from __future__ import annotations

import os

import pytest

from sdcc.archive import cached
from sdcc.archive.filesystem import FileSystem


@pytest.fixture
def path(tmp_path):
    (tmp_path / "file").write_bytes(bytes(range(100)))
    return str(tmp_path / "file")


@pytest.fixture
def file(path):
    if (file := cached.open_cached(path)) is None:
        pytest.skip("this kernel does not tell what it has in memory")
    if not cached.is_answered(file):
        os.close(file)
        pytest.skip("this file system does not tell what it has in memory")
    yield file
    os.close(file)


def test_a_file_just_written_is_there(file):
    assert cached.read_cached(file, 10, 20) == bytes(range(10, 30))
    assert not os.get_inheritable(file)


@pytest.mark.parametrize(("offset", "length", "there"), [(90, 20, 10), (100, 1, 0), (0, 0, 0)])
def test_no_more_is_given_than_there_is(file, offset, length, there):
    assert cached.read_cached(file, offset, length) == bytes(range(offset, offset + there))


def test_what_is_not_there_cannot_be_had(tmp_path):
    assert cached.open_cached(str(tmp_path / "other")) is None


def test_what_cannot_be_read_gives_nothing(tmp_path, file):
    """A directory, a pipe: whoever waits for them is told what they are."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        other = cached.open_cached(str(path))
        assert other is not None
        assert not cached.read_cached(other, 0, 10)
        os.close(other)


def test_where_the_system_has_no_such_call_nothing_is_in_memory(path, monkeypatch):
    monkeypatch.setattr(cached, "_OPENAT2", 0xFFFF)
    assert cached.open_cached(path) is None
    monkeypatch.setattr(cached, "_NOWAIT", None)
    assert cached.open_cached(path) is None
    with open(path, "rb") as file:
        assert not cached.is_answered(file.fileno())


def test_where_the_file_system_does_not_know_of_such_questions_it_says_so():
    with open("/proc/version", "rb") as file:
        assert not cached.is_answered(file.fileno())
        assert cached.read_cached(file.fileno(), 0, 10) is None


def test_nothing_is_opened_unseen_before_the_file_system_is_known(path, file):
    """On another host's it would wait for that host."""
    disk = FileSystem()
    assert disk.open_cached(path) is None
    os.close(disk.open_existing(path))
    again = disk.open_cached(path)
    assert again is not None
    os.close(again)


def test_one_file_system_that_does_not_know_is_enough(path, file):
    """Where another is mounted below, that is found out only by waiting for it: once."""
    disk = FileSystem()
    os.close(disk.open_existing(path))
    with open("/proc/version", "rb") as other:
        assert disk.read_cached(other.fileno(), 0, 10) == b""
    assert disk.open_cached(path) is None
    disk = FileSystem()
    os.close(disk.open_existing("/proc/version"))
    assert disk.open_cached(path) is None
