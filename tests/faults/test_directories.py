"""Directories that turn read-only, or go away behind the server's back, and come again."""

from __future__ import annotations

import shutil

import pytest

from ..interop.halves import CONTEXTS
from ..interop.objects import new_uid
from ..interop.server import CONFIGURATION
from .service import INDEX_ELSEWHERE, Witness, is_stored, refuses, serves

GONE = "disk: No such file or directory"
READ_ONLY = "disk: Read-only file system"


@pytest.fixture
def server(mounts, start):
    return start(INDEX_ELSEWHERE + CONFIGURATION)


@pytest.fixture
def peer(server, connect):
    peer = connect(server.address)
    peer.associate(*CONTEXTS)
    assert is_stored(peer)
    yield peer
    peer.release()


@pytest.fixture
def witness(server, connect):
    return Witness(server, connect(server.address))


@pytest.mark.parametrize("part", ["", "incoming", "objects"])
def test_a_part_of_the_archive_is_read_only(server, peer, witness, mounts, part):
    with mounts.read_only(server.storage / part):
        refuses(server, peer, witness, READ_ONLY)
    serves(peer, witness)


@pytest.mark.parametrize("part", ["", "incoming", "objects"])
def test_a_part_of_the_archive_is_away_for_a_while(server, peer, witness, part):
    """As a file system is that is not mounted: nothing is written in its place."""
    directory = server.storage / part
    away = server.directory / "away"
    files = witness.files
    directory.rename(away)
    if part != "objects":
        witness.files = set()
    refuses(server, peer, witness, GONE)
    assert not directory.exists()
    away.rename(directory)
    witness.files = files
    serves(peer, witness)


def test_an_empty_directory_stands_in_the_place_of_the_archive(server, peer, witness):
    """As where a file system is not mounted, but its mount point is there."""
    away = server.directory / "away"
    server.storage.rename(away)
    server.storage.mkdir()
    files, witness.files = witness.files, set()
    refuses(server, peer, witness, GONE)
    witness.files = files
    assert server.objects() == set()
    shutil.rmtree(server.storage)
    away.rename(server.storage)
    serves(peer, witness)


@pytest.mark.parametrize("depth", range(6))
def test_directories_that_were_known_are_made_anew(server, peer, witness, depth):
    """What else was in them is lost to whoever removed it; here it is put back, for the last look."""
    study = new_uid()
    assert is_stored(peer, study=study)
    objects, away = server.storage / "objects", server.directory / "away"
    for directory in [*objects.glob("/".join("*" * depth))] if depth else [objects]:
        shutil.copytree(directory, away / directory.relative_to(objects))
        shutil.rmtree(directory)
    objects.mkdir(exist_ok=True)
    assert is_stored(peer, study=study)
    serves(peer, witness)
    shutil.copytree(away, objects, dirs_exist_ok=True)


def test_the_index_is_away_for_a_while(start, connect):
    """No object is acknowledged into a file that has no name."""
    server = start()
    witness, peer = Witness(server, connect(server.address)), connect(server.address)
    peer.associate(*CONTEXTS)
    assert is_stored(peer)
    index, away = server.storage / "index.sqlite", server.directory / "away"
    index.rename(away)
    refuses(server, peer, witness, "index: unable to open database file")
    assert not index.exists()
    away.rename(index)
    serves(peer, witness)
    peer.release()


def test_the_folder_of_the_process_is_removed(server, peer, connect):
    """With it goes the object that was on its way; the next one finds the folder made anew."""
    witness = Witness(server, connect(server.address))
    for folder in (server.storage / "incoming").iterdir():
        shutil.rmtree(folder)
    assert is_stored(peer)
    assert not witness.is_unharmed()
    assert is_stored(peer)
