"""The log's file: begun anew by time, by size and when it was moved away."""

from __future__ import annotations

import datetime
import errno
import os
import stat

import pytest

from sdcc.logs.file import LOOK_EVERY, TRY_AGAIN_AFTER, OperatingSystem, RotatedFile, Rotation

NEVER = Rotation(size=0, every="never", keep=3)


class Clock:
    """The local time."""

    def __init__(self):
        self.now = datetime.datetime(2026, 7, 1, 12).timestamp()

    def __call__(self):
        return self.now

    def at(self, *date):
        self.now = datetime.datetime(*date).timestamp()


class Rig:
    def __init__(self, directory):
        self.directory = directory
        self.path = directory / "sdcc.log"
        self.clock = Clock()
        self.told = []
        self.calls = OperatingSystem()

    def file(self, rotation=NEVER):
        return RotatedFile(self.path, rotation, tell=self.told.append, calls=self.calls, now=self.clock)

    def files(self):
        return {path.name: path.read_text() for path in sorted(self.directory.iterdir())}


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path)


@pytest.mark.parametrize(("umask", "mode"), [(0o000, 0o640), (0o027, 0o640), (0o077, 0o600)])
def test_it_is_never_readable_to_the_world_and_the_umask_takes_more(rig, umask, mode):
    before = os.umask(umask)
    try:
        file = rig.file(Rotation(size=1, every="never", keep=3))
        for line in (b"a\n", b"b\n"):
            file.write(line)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in rig.directory.iterdir()} == {mode}
    assert len(rig.files()) == 2
    file.close()


def test_a_file_that_is_there_is_added_to(rig):
    rig.path.write_text("before\n")
    file = rig.file()
    file.open()
    assert file.write(b"after\n") == 6
    assert rig.files() == {"sdcc.log": "before\nafter\n"}
    file.close()


def test_what_would_make_it_too_large_goes_into_a_new_one(rig):
    file = rig.file(Rotation(size=10, every="never", keep=3))
    for line in (b"four\n", b"five\n", b"x\n"):
        file.write(line)
    assert rig.files() == {"sdcc.log": "x\n", "sdcc.log.20260701T120000": "four\nfive\n"}
    file.write(b"a line longer than that\n")
    file.write(b"y\n")
    assert rig.files() == {
        "sdcc.log": "y\n",
        "sdcc.log.20260701T120000": "four\nfive\n",
        "sdcc.log.20260701T120000.2": "x\n",
        "sdcc.log.20260701T120000.3": "a line longer than that\n",
    }
    file.close()


def test_no_more_are_kept_than_asked_for_and_others_files_are_let_alone(rig):
    others = {
        name: "mine"
        for name in ("sdcc.log.20250101T000000.gz", "sdcc.log.1", "sdcc.logs", "other.log.20250101T000000")
    }
    for name, text in others.items():
        (rig.directory / name).write_text(text)
    file = rig.file(Rotation(size=1, every="never", keep=2))
    for number in range(12):
        file.write(b"%d\n" % number)
    rig.clock.at(2026, 7, 1, 12, 1)
    file.write(b"12\n")
    assert rig.files() == others | {
        "sdcc.log": "12\n",
        "sdcc.log.20260701T120000.11": "10\n",
        "sdcc.log.20260701T120100": "11\n",
    }
    file.close()


@pytest.mark.parametrize(
    ("every", "same", "next_"),
    [
        ("day", (2026, 7, 1, 23, 59, 59), (2026, 7, 2, 0, 0, 0)),
        ("hour", (2026, 7, 1, 12, 59, 59), (2026, 7, 1, 13, 0, 0)),
        ("never", (2026, 7, 1, 13, 0, 0), None),
    ],
)
def test_a_new_period_begins_a_new_file(rig, every, same, next_):
    file = rig.file(Rotation(size=0, every=every, keep=3))
    file.write(b"first\n")
    rig.clock.at(*same)
    file.write(b"second\n")
    assert rig.files() == {"sdcc.log": "first\nsecond\n"}
    rig.clock.at(*(next_ or (2031, 1, 1)))
    file.write(b"third\n")
    aside = [name for name in rig.files() if name != "sdcc.log"]
    assert len(aside) == (next_ is not None)
    assert rig.files()["sdcc.log"].endswith("third\n")
    if next_:
        assert rig.files()[aside[0]] == "first\nsecond\n"
        rig.clock.at(*same)  # a clock that is set back
        file.write(b"fourth\n")
        assert rig.files()["sdcc.log"] == "third\nfourth\n"
    file.close()


def test_a_file_of_yesterday_is_put_aside_by_todays_first_line(rig):
    rig.path.write_text("of yesterday\n")
    yesterday = rig.clock.now - 86400
    os.utime(rig.path, (yesterday, yesterday))
    file = rig.file(Rotation(size=0, every="day", keep=3))
    file.open()
    file.write(b"of today\n")
    assert rig.files() == {"sdcc.log": "of today\n", "sdcc.log.20260701T120000": "of yesterday\n"}
    file.close()


def test_how_it_is_rotated_may_change_while_it_is_written(rig):
    file = rig.file()
    file.write(b"first\n")
    file.rotation = Rotation(size=1, every="never", keep=1)
    file.write(b"second\n")
    assert rig.files()["sdcc.log"] == "second\n"
    file.close()


@pytest.mark.parametrize("is_replaced", [False, True], ids=["nothing in its place", "another in its place"])
def test_a_file_that_was_moved_away_is_left_at_once_when_told_and_by_itself_soon(rig, is_replaced):
    for asked in (True, False):
        file = rig.file()
        file.write(b"first\n")
        rig.path.rename(rig.directory / "moved")
        if is_replaced:
            rig.path.touch()
        if asked:
            file.reopen()
        else:
            file.write(b"second\n")
            rig.clock.now += LOOK_EVERY
        file.write(b"third\n")
        assert rig.files() == {"moved": "first\n" if asked else "first\nsecond\n", "sdcc.log": "third\n"}
        rig.path.unlink()
        file.close()


def test_to_reopen_a_file_that_is_in_its_place_changes_nothing(rig):
    file = rig.file()
    file.write(b"first\n")
    file.reopen()
    assert file.write(b"") == 0
    file.write(b"second\n")
    assert rig.files() == {"sdcc.log": "first\nsecond\n"}
    file.close()


def test_a_file_that_cannot_be_put_aside_is_written_on_and_that_is_told_now_and_then(rig):
    def rename(old, new):
        raise PermissionError(errno.EACCES, "Permission denied")

    rig.calls.rename = rename
    file = rig.file(Rotation(size=1, every="never", keep=3))
    for _ in range(3):
        file.write(b"x\n")
    assert rig.told == [f"{rig.path} cannot be put aside and is written on: Permission denied"]
    rig.clock.now += TRY_AGAIN_AFTER
    file.write(b"x\n")
    assert len(rig.told) == 2
    assert rig.files() == {"sdcc.log": "x\n" * 4}
    file.close()


def test_an_old_one_that_cannot_be_removed_is_told_and_costs_no_line(rig):
    def remove(path):
        raise PermissionError(errno.EACCES, "Permission denied")

    rig.calls.remove = remove
    file = rig.file(Rotation(size=1, every="never", keep=1))
    for _ in range(3):
        file.write(b"x\n")
    assert rig.told == [f"an old log file of {rig.path} cannot be removed: Permission denied"]
    assert len(rig.files()) == 3
    file.close()


def test_what_is_no_regular_file_is_never_put_aside(rig):
    rig.path.symlink_to("/dev/null")
    file = rig.file(Rotation(size=1, every="hour", keep=1))
    for _ in range(3):
        file.write(b"x\n")
    assert [path.name for path in rig.directory.iterdir()] == ["sdcc.log"]
    file.close()


def test_a_file_that_was_emptied_in_its_place_is_as_small_as_it_is(rig):
    """By `copytruncate` of logrotate, or by hand."""
    file = rig.file(Rotation(size=10, every="never", keep=3))
    file.write(b"8 bytes\n")
    os.truncate(rig.path, 0)
    rig.clock.now += LOOK_EVERY
    file.write(b"8 again\n")
    assert rig.files() == {"sdcc.log": "8 again\n"}
    file.close()
