"""The simulated disk: what was synced survives a power cut, and of the rest any part."""

from __future__ import annotations

from random import Random

import pytest

from .disk import Disk, File
from .filesystem import FileSystem

CUTS = 200


class Immortal:
    is_dead = False

    def about_to_call(self, call: str, path: str) -> None:
        pass

    def about_to_remove(self, path: str) -> None:
        pass


def filesystem(disk: Disk) -> FileSystem:
    return FileSystem(disk, Immortal(), random=Random(0), faults=0.0, now=lambda: 0.0)


def after_cuts(prepare) -> set[tuple[tuple[str, bytes], ...]]:
    """What many power cuts leave of what `prepare` did: files by path, with their bytes."""
    found = set()
    for seed in range(CUTS):
        disk = Disk()
        prepare(filesystem(disk))
        disk.power_cut(Random(seed))
        found.add(tuple((path, bytes(file.data)) for path, file in disk.files("").items()))
    return found


def write(calls: FileSystem, path: str, data: bytes, *, is_synced: bool) -> None:
    file = calls.create(path)
    calls.write(file, [data])
    if is_synced:
        calls.sync(file)
    calls.close(file)


def test_what_is_synced_with_its_name_survives() -> None:
    def prepare(calls: FileSystem) -> None:
        write(calls, "/a", b"1234", is_synced=True)
        calls.sync_directory("/")

    assert after_cuts(prepare) == {(("/a", b"1234"),)}


def test_a_name_that_is_not_synced_may_be_lost_though_its_bytes_are() -> None:
    assert after_cuts(lambda calls: write(calls, "/a", b"1234", is_synced=True)) == {(), (("/a", b"1234"),)}


def test_bytes_that_are_not_synced_may_be_lost_torn_or_zeros() -> None:
    def prepare(calls: FileSystem) -> None:
        write(calls, "/a", b"1234", is_synced=False)
        calls.sync_directory("/")

    contents = {data for ((_, data),) in after_cuts(prepare)}
    assert contents == {b"", b"1", b"12", b"123", b"1234", bytes(4)}


def test_of_two_writes_the_second_may_survive_alone() -> None:
    file = File()
    file.append(b"12")
    file.append(b"34")
    assert b"\0\00034" in {bytes(file.after_power_cut(Random(seed)).data) for seed in range(CUTS)}


def test_a_directory_may_be_lost_with_what_was_synced_in_it() -> None:
    def prepare(calls: FileSystem) -> None:
        calls.make_directory("/d")
        write(calls, "/d/a", b"1", is_synced=True)
        calls.sync_directory("/d")

    assert after_cuts(prepare) == {(), (("/d/a", b"1"),)}


def test_a_removal_that_is_not_synced_may_be_undone() -> None:
    def prepare(calls: FileSystem) -> None:
        write(calls, "/a", b"1", is_synced=True)
        calls.sync_directory("/")
        calls.remove("/a")

    assert after_cuts(prepare) == {(), (("/a", b"1"),)}


def test_a_rename_may_leave_both_names_either_or_none() -> None:
    def prepare(calls: FileSystem) -> None:
        calls.make_directory("/d")
        write(calls, "/a", b"1", is_synced=True)
        calls.sync_directory("/")
        calls.rename("/a", "/d/b")

    a, b = ("/a", b"1"), ("/d/b", b"1")
    assert after_cuts(prepare) == {(), (a,), (b,), (a, b)}


def test_a_rename_whose_old_name_goes_meanwhile_leaves_no_new_one() -> None:
    disk = Disk()
    calls = filesystem(disk)
    write(calls, "/a", b"1", is_synced=True)
    begin = calls._begin

    def begin_and_remove(call: str, path: str) -> None:
        begin(call, path)
        if call == "unlink":
            disk.root.unlink("a")

    calls._begin = begin_and_remove
    with pytest.raises(FileNotFoundError):
        calls.rename("/a", "/b")
    assert disk.names("/") == []


def test_a_lock_is_held_by_one_until_it_is_closed_or_its_holder_dies() -> None:
    disk = Disk()
    first, second = filesystem(disk), filesystem(disk)
    held = first.lock("/lock", wait=False)
    assert held is not None
    assert second.lock("/lock", wait=False) is None
    first.close(held)
    assert second.lock("/lock", wait=False) is not None
    second.die()
    assert first.lock("/lock", wait=False) is not None


def test_a_full_disk_takes_a_part_at_most() -> None:
    disk = Disk()
    disk.free = 3
    calls = filesystem(disk)
    file = calls.create("/a")
    with pytest.raises(OSError, match="No space left"):
        calls.write(file, [b"12", b"34"])
    assert b"123".startswith(calls.read(file, 0, 10))
