"""Connections that read are kept, and never read what is not the database any more."""

from __future__ import annotations

import shutil
import sqlite3

import pytest

from sdcc.index.sqlite_file import prepare
from sdcc.index.sqlite_readers import Readers

WAIT = 1.0


@pytest.fixture
def path(tmp_path):
    prepare(tmp_path / "index.sqlite", WAIT)
    return tmp_path / "index.sqlite"


@pytest.fixture
def writer(path):
    """As a server has one, whose log is there as long."""
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("INSERT INTO study (study_instance_uid) VALUES ('1.2')")
    yield writer
    writer.close()


@pytest.fixture
def readers(path):
    readers = Readers(path, WAIT, most=2)
    yield readers
    readers.keep_none()


def studies(readers):
    with readers.one() as connection:
        [(count,)] = connection.execute("SELECT count(*) FROM study")
    return count


def is_closed(connection):
    try:
        connection.execute("SELECT 1")
    except sqlite3.ProgrammingError:
        return True
    return False


def test_a_connection_is_used_again_and_sees_what_was_committed_since(readers, writer):
    with readers.one() as first:
        pass
    writer.execute("INSERT INTO study (study_instance_uid) VALUES ('1.3')")
    with readers.one() as second:
        assert second is first
    assert studies(readers) == 2


def test_one_that_is_kept_is_in_nobodys_way(readers, writer):
    studies(readers)
    assert writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    writer.execute("BEGIN EXCLUSIVE")
    writer.execute("COMMIT")


def test_no_more_are_kept_than_were_asked_for(readers, writer):
    with readers.one() as a, readers.one() as b, readers.one() as c:
        assert len({a, b, c}) == 3
    assert [is_closed(connection) for connection in (a, b, c)].count(True) == 1


def test_another_database_in_the_same_place_is_seen(readers, writer, path, tmp_path):
    """And one that is gone is missed."""
    with readers.one() as old:
        pass
    writer.close()
    for file in tmp_path.glob("index.sqlite*"):
        shutil.move(file, tmp_path / f"away-{file.name}")
    with pytest.raises(FileNotFoundError, match="no index yet"):
        studies(readers)
    assert is_closed(old)
    prepare(path, WAIT)
    assert studies(readers) == 0


def test_what_fails_closes_its_connection(readers, writer, path):
    with pytest.raises(OSError, match="cannot be used as the index"), readers.one() as broken:
        broken.execute("SELECT nonsense")
    assert is_closed(broken)
    assert studies(readers) == 1


def test_while_none_is_to_be_kept_none_is(readers, writer):
    with readers.one() as kept:
        pass
    with readers.one() as first, readers.one() as late:
        assert first is kept
    readers.keep_none()
    assert is_closed(kept)
    assert is_closed(late)
    with readers.one() as other:
        pass
    assert is_closed(other)
    readers.keep()
    with readers.one() as first:
        pass
    with readers.one() as again:
        assert again is first


def test_one_that_is_in_use_is_closed_when_it_is_not(readers, writer):
    with readers.one() as late:
        readers.keep_none()
        assert not is_closed(late)
    assert is_closed(late)
