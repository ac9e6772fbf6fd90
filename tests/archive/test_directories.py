"""A final path is safe, and durable before it is said to be."""

from __future__ import annotations

import datetime
import errno
import hashlib
import os

import pytest

from sdcc.archive.directories import Directories, component, make_durable, object_path
from sdcc.archive.filesystem import FileSystem

DAY = "objects/2026/07/04"


@pytest.fixture
def directories(disk, tmp_path):
    (tmp_path / "objects").mkdir()
    return Directories(str(tmp_path), filesystem=disk)


@pytest.fixture
def place(directories, tmp_path):
    """Places an empty file under a path below `objects`, and says which directories were synced for it."""

    def place(path, directories=directories):
        (tmp_path / "part").touch()
        unsynced = directories.rename(str(tmp_path / "part"), f"{tmp_path}/objects/{path}")
        directories.sync(unsynced)
        return [os.path.relpath(directory, tmp_path) for directory in unsynced]

    return place


@pytest.mark.parametrize("uid", ["1", "0", "1.2.840.10008", "1.02.3", "1" * 64, "1." * 31 + "12"])
def test_a_uid_is_used_as_it_came_where_that_is_safe(uid):
    assert component(uid) == uid


@pytest.mark.parametrize(
    "uid",
    [
        *("", ".", "..", "...", ".1", "1.", "1..2", "../../etc", "/etc/passwd", "1/2", "1\\2", "C:1"),
        *("1" * 65, "1.2\n", "\n", "1.2\0", " 1.2", "1.2 ", "1.2a", "-1", "+1", "1e5", "0x10"),
        *("\uff11.\uff12", "\u0661\u0662", "1.\u00b2", "1.2\ud800", "\ufffd"),
    ],
)
def test_else_a_hash_of_it_stands_there(uid):
    expected = hashlib.sha256(uid.encode("utf-8", "backslashreplace")).hexdigest()
    assert component(uid) == expected
    assert object_path(
        received_at=datetime.datetime(2026, 7, 4, tzinfo=datetime.UTC),
        study_uid=uid,
        series_uid=uid,
        instance_uid=uid,
        token="t",
    ) == "/".join([DAY, expected, expected, f"{expected}-t.dcm"])


def test_a_path_is_made_of_the_date_and_the_uids():
    received_at = datetime.datetime(2026, 1, 2, 23, 59, tzinfo=datetime.UTC)
    path = object_path(
        received_at=received_at, study_uid="1.1", series_uid="1.2", instance_uid="1.3", token="t0"
    )
    assert path == "objects/2026/01/02/1.1/1.2/1.3-t0.dcm"


def test_every_directory_with_a_new_entry_is_synced(disk, place):
    place("2026/07/04/1/2/a.dcm")
    assert disk.called("make_directory") == [
        "objects/2026",
        "objects/2026/07",
        DAY,
        f"{DAY}/1",
        f"{DAY}/1/2",
    ]
    assert set(disk.called("sync_directory")) == {
        "objects",
        "objects/2026",
        "objects/2026/07",
        DAY,
        f"{DAY}/1",
        f"{DAY}/1/2",
    }
    names = [call for call, path in disk.calls]
    assert names.index("rename") > max(i for i, name in enumerate(names) if name == "make_directory")
    assert names.index("rename") < names.index("sync_directory")


def test_what_is_known_durable_is_not_synced_again(disk, place):
    place("2026/07/04/1/2/a.dcm")
    disk.calls.clear()
    assert place("2026/07/04/1/2/b.dcm") == [f"{DAY}/1/2"]
    assert place("2026/07/04/1/3/a.dcm") == [f"{DAY}/1/3", f"{DAY}/1"]
    assert place("2026/07/04/2/2/a.dcm") == [f"{DAY}/2/2", f"{DAY}/2", DAY]
    assert place("2026/07/05/1/2/a.dcm")[-1] == "objects/2026/07"
    assert len(disk.called("make_directory")) == 1 + 2 + 3


def test_a_directory_found_there_is_not_taken_for_durable(place, tmp_path):
    """Another process has perhaps only just made it."""
    (tmp_path / DAY / "1" / "2").mkdir(parents=True)
    assert place("2026/07/04/1/2/a.dcm")[-1] == "objects"


def test_of_two_racing_receptions_neither_trusts_what_the_other_has_not_synced(directories, disk, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).touch()
    first = directories.rename(str(tmp_path / "a"), f"{tmp_path}/{DAY}/1/2/a.dcm")
    second = directories.rename(str(tmp_path / "b"), f"{tmp_path}/{DAY}/1/2/b.dcm")
    assert second == first
    directories.sync(second)
    assert len(disk.called("sync_directory")) == 6


def test_a_failed_sync_is_not_remembered_as_done(directories, disk, place):
    disk.fail("sync_directory", errno.EIO, path=f"{DAY}/1", at=2)
    with pytest.raises(OSError, match="Input/output error"):
        place("2026/07/04/1/2/a.dcm")
    assert place("2026/07/04/1/2/b.dcm")[-1] == "objects"


@pytest.mark.parametrize("removed", ["2026/07/04/1/2", "2026/07/04/1", "2026"])
@pytest.mark.parametrize("series", ["2", "3"], ids=["the same series", "another series"])
def test_a_directory_removed_behind_our_back_is_made_again(place, tmp_path, removed, series):
    place("2026/07/04/1/2/a.dcm")
    (tmp_path / DAY / "1/2/a.dcm").unlink()
    directory = tmp_path / "objects/2026/07/04/1/2"
    while directory != (tmp_path / "objects" / removed).parent:
        directory.rmdir()
        directory = directory.parent
    synced = place(f"2026/07/04/1/{series}/b.dcm")
    assert (tmp_path / DAY / f"1/{series}/b.dcm").exists()
    assert os.path.dirname(f"objects/{removed}") in synced


def test_it_is_made_again_once_and_not_for_ever(disk, place):
    disk.fail("rename", errno.ENOENT, at=1)
    place("2026/07/04/1/2/a.dcm")
    disk.calls.clear()
    disk.fail("rename", errno.ENOENT, at=1)
    disk.fail("rename", errno.ENOENT, at=1)
    with pytest.raises(FileNotFoundError):
        place("2026/07/04/1/2/b.dcm")
    assert len(disk.called("rename")) == 2


def test_where_objects_itself_is_gone_nothing_is_made(place, tmp_path):
    """Perhaps its file system is no longer mounted there."""
    (tmp_path / "objects").rmdir()
    with pytest.raises(FileNotFoundError):
        place("2026/07/04/1/2/a.dcm")
    assert [path.name for path in tmp_path.iterdir()] == ["part"]


def test_a_final_path_is_never_written_twice(place, tmp_path):
    place("2026/07/04/1/2/a.dcm")
    (tmp_path / DAY / "1/2/a.dcm").write_bytes(b"what was there")
    with pytest.raises(FileExistsError):
        place("2026/07/04/1/2/a.dcm")
    assert (tmp_path / DAY / "1/2/a.dcm").read_bytes() == b"what was there"


def test_memory_is_bounded_and_keeps_what_was_used_last(disk, place, tmp_path):
    directories = Directories(str(tmp_path), filesystem=disk, remembered=8)
    place("2026/07/04/1/1/a.dcm", directories)
    for series in range(2, 100):
        place(f"2026/07/04/1/{series}/a.dcm", directories)
        assert place(f"2026/07/04/1/1/{series}.dcm", directories) == [f"{DAY}/1/1"]
    assert len(directories._durable) == 8
    assert len(place("2026/07/04/1/2/b.dcm", directories)) > 1


def test_a_directory_and_those_above_it_are_made_durable(disk, tmp_path):
    make_durable(disk, str(tmp_path / "a/b/c"))
    assert (tmp_path / "a/b/c").is_dir()
    assert disk.called("sync_directory") == [".", "a", "a/b"]


def test_a_directory_that_exists_is_made_durable_too(disk, tmp_path):
    (tmp_path / "a").mkdir()
    make_durable(disk, str(tmp_path / "a"))
    assert disk.called("sync_directory") == ["."]


def test_directories_that_another_makes_in_this_moment_are_made_durable_too(disk, tmp_path):
    make_directory = disk.real.make_directory

    def made_by_another_first(path):
        make_directory(path)  # raises where there is nothing above yet
        make_directory(path)

    disk.real.make_directory = made_by_another_first
    make_durable(disk, str(tmp_path / "a/b/c"))
    assert disk.called("sync_directory") == [".", "a", "a/b"]


def test_a_parent_that_may_not_be_read_is_no_obstacle_to_a_directory_that_exists(disk, tmp_path):
    (tmp_path / "a").mkdir()
    disk.fail("sync_directory", errno.EACCES)
    make_durable(disk, str(tmp_path / "a"))


def test_any_other_failure_to_make_a_directory_durable_is_told(disk, tmp_path):
    disk.fail("sync_directory", errno.EIO)
    with pytest.raises(OSError, match="Input/output error"):
        make_durable(disk, str(tmp_path / "a"))


def test_the_top_of_the_file_system_exists_already():
    make_durable(FileSystem(), "/")
