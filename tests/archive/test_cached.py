"""What the kernel has in memory: had at once or not at all, and never an error."""

from __future__ import annotations

import os

import pytest

from sdcc.archive import cached


@pytest.fixture
def path(tmp_path):
    (tmp_path / "file").write_bytes(bytes(range(100)))
    return str(tmp_path / "file")


@pytest.fixture
def file(path):
    file = cached.open_cached(path)
    assert file is not None, "it was written a moment ago"
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


def test_what_cannot_be_read_gives_nothing(tmp_path):
    """A directory, a pipe: whoever waits for them is told what they are."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        file = cached.open_cached(str(path))
        assert file is not None
        assert cached.read_cached(file, 0, 10) == b""
        os.close(file)


def test_where_the_system_has_no_such_call_nothing_is_in_memory(path, monkeypatch):
    monkeypatch.setattr(cached, "_OPENAT2", 0xFFFF)
    assert cached.open_cached(path) is None
    monkeypatch.setattr(cached, "_NOWAIT", None)
    assert cached.open_cached(path) is None


def test_where_the_file_system_does_not_say_nothing_is_in_memory(file, monkeypatch):
    monkeypatch.setattr(cached, "_NOWAIT", 1 << 30)  # EOPNOTSUPP
    assert cached.read_cached(file, 0, 10) == b""
