"""Directories that turn read-only, or go away behind the server's back, and come again."""

from __future__ import annotations

import shutil

import pytest

from ..interop.halves import CONTEXTS
from ..interop.server import CONFIGURATION
from .service import Witness, is_stored, refuses, serves

GONE = "disk: No such file or directory"
READ_ONLY = "disk: Read-only file system"


@pytest.fixture
def server(mounts, start, tmp_path):
    """Its index is elsewhere."""
    return start(f'[index]\nurl = "sqlite://{tmp_path}/index.sqlite"\n{CONFIGURATION}')


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


@pytest.mark.parametrize("part", ["", "incoming", "objects"])
def test_an_empty_directory_stands_in_the_place_of_a_part(server, peer, witness, part):
    """As where a file system is not mounted, but its mount point is there."""
    directory = server.storage / part
    away = server.directory / "away"
    directory.rename(away)
    directory.mkdir()
    if part == "":
        files, witness.files = witness.files, set()
        refuses(server, peer, witness, GONE)
        witness.files = files
    else:
        assert is_stored(peer), "it is filled anew"
        for path in directory.iterdir():
            shutil.move(path, away)
    shutil.rmtree(directory)
    away.rename(directory)
    serves(peer, witness)


def test_a_day_is_removed(server, peer, witness):
    """Its objects are lost, by whoever has removed it; the next ones are not."""
    lost = server.objects()
    for day in (server.storage / "objects").glob("*/*/*"):
        shutil.rmtree(day)
    assert is_stored(peer)
    serves(peer, witness)
    assert server.registered().keys() == lost | server.objects()


def test_the_folder_of_the_process_is_removed(server, peer, connect):
    """With it goes the object that was on its way; the next one finds the folder made anew."""
    witness = Witness(server, connect(server.address))
    for folder in (server.storage / "incoming").iterdir():
        shutil.rmtree(folder)
    assert is_stored(peer)
    assert not witness.is_unharmed()
    assert is_stored(peer)
