"""`sdccctl verify`: what is wrong between index and files is found, and mended where asked."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import pytest_twisted
from twisted.internet import reactor

from sdcc.archive import stored_files
from sdcc.archive.filesystem import FileSystem
from sdcc.config import Configuration, load
from sdcc.control.synchronous import INTERRUPTED
from sdcc.control.verify import verify
from sdcc.interfaces import CannotUnderstand, StoredObject

from ..archives import Reception, as_found, registered

SDCCCTL = [sys.executable, "-m", "sdcc.control"]


class Archive:
    """An archive whose rows and files a test sets at odds."""

    def __init__(self, configuration: Configuration, capsys: pytest.CaptureFixture[str]) -> None:
        self.configuration = configuration
        self.storage = configuration.storage.directory
        self._capsys = capsys

    async def verify(self, *, repair: bool = False, forget: bool = False) -> tuple[int, list[list[str]], str]:
        """Exit code, findings in cells, and the line of counts."""
        self._capsys.readouterr()
        code = await verify(self.configuration, reactor, repair=repair, forget=forget)
        *findings, counts = self._capsys.readouterr().out.splitlines()
        return code, [line.split("\t") for line in findings], counts

    async def clean(self) -> bool:
        """Whether nothing is wrong."""
        code, findings, _ = await self.verify()
        return (code, findings) == (0, [])

    def file(self, stored: StoredObject) -> Path:
        return self.storage / stored.file.path

    def files(self, top: str = "objects") -> list[str]:
        return sorted(
            path.relative_to(self.storage).as_posix()
            for path in (self.storage / top).rglob("*")
            if path.is_file()
        )

    def everything(self) -> dict[str, bytes]:
        """Bytes by path, but for the index's."""
        return {path: (self.storage / path).read_bytes() for path in self.files("") if "index" not in path}

    def tamper(self, *statements: str) -> None:
        """What a hand that knows no constraints does to the tables."""
        if (path := self.configuration.index_path) is not None:
            with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
                for statement in ("PRAGMA foreign_keys = OFF", *statements):
                    connection.execute(statement)
            return
        with contextlib.closing(psycopg2.connect(self.configuration.index.url)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for statement in ("SET session_replication_role = replica", *statements):
                    cursor.execute(statement)


@pytest.fixture
def archive(configuration: Configuration, capsys: pytest.CaptureFixture[str]) -> Archive:
    return Archive(configuration, capsys)


def flip(file: Path, at: int = -1) -> None:
    """Alter a byte; the size stays."""
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)


# --- what is found -----------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_programs_get_an_object_for_each_finding_and_one_with_the_counts(
    archive: Archive, receive: Reception, capsys: pytest.CaptureFixture[str]
) -> None:
    good, altered = receive("1.2.3"), receive("1.2.4")
    await registered(archive.configuration, good, altered)
    flip(archive.file(altered))
    (archive.storage / "objects" / "stray.txt").write_text("stray")
    capsys.readouterr()
    assert await verify(archive.configuration, reactor, as_json=True) == 1
    *findings, counts = map(json.loads, capsys.readouterr().out.splitlines())
    found = {finding["kind"]: finding for finding in findings}
    assert found.keys() == {"altered", "stray"}
    assert (found["altered"]["uid"], found["altered"]["path"]) == ("1.2.4", altered.file.path)
    assert found["altered"].keys() == {"kind", "path", "uid", "words", "is_mended", "is_lost"}
    assert (found["stray"]["path"], found["stray"]["is_mended"]) == ("objects/stray.txt", False)
    assert counts == {
        "rows": 2,
        "files": 3,
        "findings": {"altered": 1, "stray": 1},
        "mended": 0,
        "lost": 0,
        "left": 2,
    }


@pytest_twisted.ensureDeferred
async def test_where_all_is_well_nothing_is_found_and_nothing_changes(
    archive: Archive, receive: Reception
) -> None:
    objects = [receive(f"1.2.3.{number}", study=f"1.{number % 3}") for number in range(9)]
    await registered(archive.configuration, *objects)
    for repair in (False, True):
        assert await archive.verify(repair=repair) == (0, [], "rows 9, files 9, findings 0, mended 0")
    assert await registered(archive.configuration) == objects
    assert len(archive.files()) == 9


@pytest_twisted.ensureDeferred
async def test_an_empty_archive_is_clean(archive: Archive, receive: Reception) -> None:
    await registered(archive.configuration, receive("1.2.3"))
    archive.tamper("DELETE FROM instance", "DELETE FROM series", "DELETE FROM study")
    for path in archive.files():
        (archive.storage / path).unlink()
    assert await archive.verify(repair=True) == (0, [], "rows 0, files 0, findings 0, mended 0")


@pytest_twisted.ensureDeferred
async def test_each_fault_is_a_line_and_nothing_is_changed_unasked(
    archive: Archive, receive: Reception
) -> None:
    good, gone, long, altered, orphan = (receive(f"1.2.3.{number}") for number in range(5))
    loose = receive("1.2.9.1", study="1.2.9")
    await registered(archive.configuration, good, gone, long, altered, loose)
    archive.file(gone).unlink()
    with archive.file(long).open("ab") as file:
        file.write(b"\0\0")
    flip(archive.file(altered))
    nothing = good.file.path.replace("1.2.3.0-", "1.2.3.8-")
    (archive.storage / nothing).write_text("no object " * 20)
    for stray in ("objects/foo.txt", "objects/2026/notes", f"{os.path.dirname(good.file.path)}/x.txt"):
        (archive.storage / stray).parent.mkdir(exist_ok=True)
        (archive.storage / stray).write_text("stray")
    archive.tamper("DELETE FROM series WHERE series_instance_uid = '1.2.9.1'")
    before = archive.everything()
    code, findings, counts = await archive.verify()
    assert code == 1
    assert sorted(findings) == sorted(
        [
            ["missing", gone.file.path, "1.2.3.1", "-"],
            ["wrong-size", long.file.path, "1.2.3.2", "-"],
            ["altered", altered.file.path, "1.2.3.3", "the Data Set is another"],
            ["orphan", orphan.file.path, "1.2.3.4", "-"],
            ["no-object", nothing, "1.2.3.8", "no DICOM file: the prefix DICM is missing"],
            ["stray", "objects/foo.txt", "-", "-"],
            ["stray", "objects/2026/notes", "-", "-"],
            ["stray", f"{os.path.dirname(good.file.path)}/x.txt", "-", "-"],
            ["no-parent", loose.file.path, "1.2.9.1", "instance row"],
            ["empty", "-", "1.2.9", "study row"],
        ]
    )
    assert counts == (
        "rows 4, files 9, findings 10, mended 0, missing 1, wrong-size 1, altered 1, orphan 1, no-object 1, "
        "stray 3, no-parent 1, empty 1"
    )
    assert archive.everything() == before
    assert [row.instance.sop_instance_uid for row in await registered(archive.configuration)] == [
        f"1.2.3.{number}" for number in range(4)
    ]


@pytest_twisted.ensureDeferred
async def test_no_line_holds_anything_of_the_patient(archive: Archive, receive: Reception) -> None:
    objects = [receive(f"1.2.3.{number}", name=b"Secret^Name") for number in range(3)]
    await registered(archive.configuration, *objects[:2])
    flip(archive.file(objects[0]))
    for repair in (False, True):
        _, findings, _ = await archive.verify(repair=repair)
        assert len(findings) == 2
        assert not re.search("Secret|CT01", str(findings))


@pytest.mark.parametrize("field", ["transfer syntax", "sop class", "instance", "preamble"])
@pytest_twisted.ensureDeferred
async def test_a_head_that_says_something_else_is_an_alteration(
    archive: Archive, receive: Reception, field: str
) -> None:
    stored = receive("1.2.3.4")
    await registered(archive.configuration, stored, receive("1.2.3.5"))
    file = archive.file(stored)
    old, new = {
        "transfer syntax": (b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0"),
        "sop class": (b"1.2.840.10008.5.1.4.1.1.2\0", b"1.2.840.10008.5.1.4.1.1.4\0"),
        "instance": (b"1.2.3.4\0", b"1.2.3.9\0"),
        "preamble": (b"DICM", b"DICN"),
    }[field]
    file.write_bytes(file.read_bytes().replace(old, new, 1))
    _, findings, _ = await archive.verify()
    assert [finding[:3] for finding in findings] == [["altered", stored.file.path, "1.2.3.4"]]


@pytest_twisted.ensureDeferred
async def test_a_uid_that_can_stand_in_no_path_is_found_registered(
    archive: Archive, receive: Reception
) -> None:
    await registered(archive.configuration, receive("1.02..ODD"), receive("1.2"))
    assert await archive.clean()


# --- what is mended ------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_an_orphan_is_registered_as_reindex_would(archive: Archive, receive: Reception) -> None:
    good, orphan = receive("1.2.3"), receive("1.2.4", study="1.9")
    await registered(archive.configuration, good)
    code, findings, counts = await archive.verify(repair=True)
    assert (code, findings) == (0, [["orphan", orphan.file.path, "1.2.4", "registered"]])
    assert counts == "rows 1, files 2, findings 1, mended 1, orphan 1"
    assert await registered(archive.configuration) == [good, as_found(orphan, archive.storage)]
    assert await archive.clean()


@pytest.mark.parametrize("orphan_is_newer", [True, False])
@pytest_twisted.ensureDeferred
async def test_of_two_files_of_an_object_the_newer_stays(
    archive: Archive, receive: Reception, *, orphan_is_newer: bool
) -> None:
    """The other goes aside: which one is newer is the clocks' word alone."""
    first, second = receive("1.2.3", name=b"Suzuki^I", age=50), receive("1.2.3")
    await registered(archive.configuration, as_found(first if orphan_is_newer else second, archive.storage))
    code, [finding], _ = await archive.verify(repair=True)
    orphan = second if orphan_is_newer else first
    aside = f"quarantine/{first.file.path}"
    assert code == 0
    assert finding == [
        *("later" if orphan_is_newer else "orphan", orphan.file.path, "1.2.3"),
        "registered; " * orphan_is_newer + f"another version moved to {aside}",
    ]
    assert archive.files() == [second.file.path]
    assert archive.files("quarantine") == [aside]
    assert await registered(archive.configuration) == [as_found(second, archive.storage)]
    assert await archive.clean()


@pytest_twisted.ensureDeferred
async def test_of_many_orphans_of_one_object_the_newest_stays(archive: Archive, receive: Reception) -> None:
    await registered(archive.configuration, receive("1.2.9"))
    ages = [30, 10, 50, 20, 40]
    versions = {age: receive("1.2.3", name=f"Name{age}".encode(), age=age) for age in ages}
    code, findings, _ = await archive.verify(repair=True)
    assert code == 0
    assert len(findings) <= 5
    assert versions[10].file.path in archive.files()
    assert len(archive.files()) == 2
    assert len(archive.files("quarantine")) == 4
    assert await archive.clean()


@pytest_twisted.ensureDeferred
async def test_an_older_version_is_kept_where_the_newer_cannot_be_read(
    archive: Archive, receive: Reception, monkeypatch: pytest.MonkeyPatch
) -> None:
    older, newer = receive("1.2.3", age=50), receive("1.2.3")
    await registered(archive.configuration, newer, receive("1.2.4"))
    really = FileSystem.open_existing

    def open_existing(self: FileSystem, path: str) -> int:
        if path.endswith(newer.file.path):
            raise OSError(5, "Input/output error")
        return really(self, path)

    monkeypatch.setattr(FileSystem, "open_existing", open_existing)
    code, findings, _ = await archive.verify(repair=True)
    assert code == 1
    assert findings == [
        ["unreadable", newer.file.path, "1.2.3", "Input/output error"],
        [
            *("orphan", older.file.path, "1.2.3"),
            "kept because the registered file cannot be read",
        ],
    ]
    assert {older.file.path, newer.file.path} < {*archive.files()}


@pytest_twisted.ensureDeferred
async def test_a_row_whose_file_is_gone_goes_and_may_come_again(archive: Archive, receive: Reception) -> None:
    good, gone = receive("1.2.3"), receive("1.2.4", study="1.9")
    await registered(archive.configuration, good, gone)
    archive.file(gone).unlink()
    code, findings, _ = await archive.verify(repair=True)
    assert (code, findings) == (0, [["missing", gone.file.path, "1.2.4", "unregistered, to be sent again"]])
    assert await registered(archive.configuration) == [good]
    again = receive("1.2.4", study="1.9")
    assert await registered(archive.configuration, again) == [good, again]
    assert await archive.clean()


@pytest_twisted.ensureDeferred
async def test_a_file_that_is_put_back_from_a_backup_is_registered_again(
    archive: Archive, receive: Reception
) -> None:
    """Though its path was given up with its row, on PostgreSQL for 30 days."""
    good, gone = receive("1.2.3"), receive("1.2.4")
    await registered(archive.configuration, good, gone)
    backup = archive.file(gone).read_bytes()
    archive.file(gone).unlink()
    assert (await archive.verify(repair=True))[0] == 0
    archive.file(gone).write_bytes(backup)
    code, [finding], _ = await archive.verify(repair=True)
    assert code == 0
    assert finding[3].startswith("registered")
    [_, row] = await registered(archive.configuration)
    assert archive.file(row).read_bytes() == backup
    assert len(archive.files()) == 2
    assert await archive.clean()


@pytest.mark.parametrize("kind", ["altered", "wrong-size", "truncated"])
@pytest_twisted.ensureDeferred
async def test_what_is_not_what_was_received_goes_aside_and_may_come_again(
    archive: Archive, receive: Reception, kind: str
) -> None:
    good, bad = receive("1.2.3"), receive("1.2.4")
    await registered(archive.configuration, good, bad)
    file = archive.file(bad)
    if kind == "altered":
        flip(file)
    else:
        file.write_bytes(file.read_bytes()[:20] if kind == "truncated" else file.read_bytes() + b"more")
    data = file.read_bytes()
    code, [finding], counts = await archive.verify(repair=True)
    assert code == 0
    assert finding == [
        *("altered" if kind == "altered" else "wrong-size", bad.file.path, "1.2.4"),
        ("the Data Set is another; " if kind == "altered" else "")
        + f"moved to quarantine/{bad.file.path}; unregistered, to be sent again",
    ]
    assert "mended 1, to be sent again 1, " in counts
    assert (archive.storage / "quarantine" / bad.file.path).read_bytes() == data
    assert await registered(archive.configuration) == [good]
    assert await archive.clean()
    again = receive("1.2.4")
    assert await registered(archive.configuration, again) == [good, again]


@pytest_twisted.ensureDeferred
async def test_what_went_aside_does_not_come_back_as_what_was_received(
    archive: Archive, receive: Reception
) -> None:
    """Its row's hash is kept, and proves what is and what is not: the genuine file may come from a backup."""
    good, bad = receive("1.2.3"), receive("1.2.4")
    await registered(archive.configuration, good, bad)
    backup = archive.file(bad).read_bytes()
    flip(archive.file(bad))
    assert (await archive.verify(repair=True))[0] == 0
    aside = archive.storage / "quarantine" / bad.file.path
    said = json.loads(Path(f"{aside}.row.json").read_text())
    assert said["file"]["sha256"] == bad.file.sha256
    assert said["file"]["provenance"]["calling_address"] == bad.file.provenance.calling_address
    assert said["instance"]["sop_instance_uid"] == "1.2.4"

    aside.rename(archive.file(bad))
    code, [finding], _ = await archive.verify()
    assert (code, finding[0], finding[3]) == (1, "no-object", "not what was received, as quarantine has it")
    assert (await archive.verify(repair=True))[0] == 0
    assert await registered(archive.configuration) == [good]
    assert not archive.file(bad).exists()

    archive.file(bad).write_bytes(backup)
    assert (await archive.verify(repair=True))[0] == 0
    [_, row] = await registered(archive.configuration)
    assert row.file.sha256 == bad.file.sha256
    assert await archive.clean()


@pytest_twisted.ensureDeferred
async def test_what_the_parser_thinks_of_a_data_set_that_is_what_was_received_does_not_matter(
    archive: Archive, receive: Reception, monkeypatch: pytest.MonkeyPatch
) -> None:
    await registered(archive.configuration, receive("1.2.3"))

    def stricter(*arguments: object) -> None:
        raise CannotUnderstand("no longer")

    monkeypatch.setattr(stored_files.read, "__defaults__", (stricter,))
    assert await archive.clean()


@pytest.mark.parametrize("name", ["pipe", "1.2.3.1.dcm"])
@pytest_twisted.ensureDeferred
async def test_what_is_no_regular_file_is_waited_for_by_nobody(
    archive: Archive, receive: Reception, name: str
) -> None:
    stored = receive("1.2.3")
    await registered(archive.configuration, stored)
    os.mkfifo(archive.file(stored).parent / name)
    code, [finding], _ = await archive.verify()
    assert code == 1
    assert finding[0] == ("stray" if name == "pipe" else "no-object")


@pytest_twisted.ensureDeferred
async def test_what_nfs_keeps_of_an_open_file_is_passed_over(archive: Archive, receive: Reception) -> None:
    stored = receive("1.2.3")
    await registered(archive.configuration, stored)
    (archive.file(stored).parent / ".nfs00000000000042").write_bytes(b"open still")
    assert await archive.clean()


@pytest_twisted.ensureDeferred
async def test_an_older_file_takes_the_place_of_one_that_goes_aside(
    archive: Archive, receive: Reception
) -> None:
    older, newer, good = receive("1.2.3", age=50), receive("1.2.3"), receive("1.2.4")
    await registered(archive.configuration, newer, good)
    flip(archive.file(newer))
    code, findings, _ = await archive.verify(repair=True)
    assert code == 0
    assert [finding[0] for finding in findings] == ["altered", "orphan"]
    assert await registered(archive.configuration) == [as_found(older, archive.storage), good]
    assert await archive.clean()


@pytest_twisted.ensureDeferred
async def test_what_is_no_object_goes_aside_and_never_over_another(
    archive: Archive, receive: Reception
) -> None:
    good = receive("1.2.3")
    await registered(archive.configuration, good)
    stray, nothing = "objects/foo.txt", good.file.path.replace("1.2.3-", "1.2.4-")
    for text in ("first", "second"):
        for path in (stray, nothing):
            (archive.storage / path).write_text(text)
        code, findings, _ = await archive.verify(repair=True)
        assert code == 0
        assert [finding[0] for finding in findings] == ["no-object", "stray"]
    assert archive.files() == [good.file.path]
    assert {path: (archive.storage / path).read_text() for path in archive.files("quarantine")} == {
        f"quarantine/{path}{suffix}": text
        for path in (stray, nothing)
        for suffix, text in (("", "first"), (".1", "second"))
    }
    assert await archive.clean()


@pytest_twisted.ensureDeferred
async def test_a_name_that_is_no_text_goes_aside_as_well(archive: Archive, receive: Reception) -> None:
    await registered(archive.configuration, receive("1.2.3"))
    name = os.path.join(os.fsencode(archive.file(receive("1.2.4")).parent), b"1.2.5-\xff\x1b.dcm")
    with open(name, "wb") as file:
        file.write(b"no object")
    code, findings, _ = await archive.verify(repair=True)
    assert code == 0
    assert [finding[0] for finding in findings] == ["orphan", "no-object"]
    assert r"1.2.5-\udcff\x1b.dcm" in findings[1][1]
    assert await archive.clean()


@pytest_twisted.ensureDeferred
async def test_rows_that_hang_on_nothing_go_and_their_files_are_registered_anew(
    archive: Archive, receive: Reception
) -> None:
    good, one, two = receive("1.2.3"), receive("1.5.1", study="1.5"), receive("1.6.1", study="1.6")
    await registered(archive.configuration, good, one, two)
    archive.tamper(
        "DELETE FROM series WHERE series_instance_uid = '1.5.1'",
        "DELETE FROM study WHERE study_instance_uid = '1.6'",
    )
    code, findings, _ = await archive.verify(repair=True)
    assert code == 0
    assert findings == [
        ["no-parent", one.file.path, "1.5.1", "instance row; removed"],
        ["no-parent", two.file.path, "1.6.1", "instance row; removed"],
        ["no-parent", "-", "1.6.1", "series row; removed"],
        ["empty", "-", "1.5", "study row; removed"],
        ["orphan", one.file.path, "1.5.1", "registered"],
        ["orphan", two.file.path, "1.6.1", "registered"],
    ]
    assert await registered(archive.configuration) == [
        good,
        as_found(one, archive.storage),
        as_found(two, archive.storage),
    ]
    assert await archive.clean()


@pytest.mark.parametrize("call", ["rename", "remove"])
@pytest_twisted.ensureDeferred
async def test_what_the_disk_does_not_let_go_is_said_and_stays(
    archive: Archive, receive: Reception, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    copy, original, bad = receive("1.2.3", age=50), receive("1.2.3"), receive("1.2.4")
    await registered(archive.configuration, original, bad)
    flip(archive.file(bad))
    files = archive.everything()

    def fail(*arguments: str) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(FileSystem, call, fail)
        code, findings, counts = await archive.verify(repair=True)
    words = {finding[0]: finding[3] for finding in findings}
    assert code == 1
    assert "mended 1" in counts
    if call == "rename":
        assert words["altered"] == "the Data Set is another; cannot be moved: Permission denied"
        assert len(await registered(archive.configuration)) == 2
    else:
        assert words["orphan"] == "a copy of a registered object, cannot be removed: Permission denied"
        assert archive.everything().items() >= {copy.file.path: files[copy.file.path]}.items()
    assert (await archive.verify(repair=True))[0] == 0
    assert await archive.clean()


# --- when nothing may be done ----------------------------------------------------------------------


@pytest.mark.parametrize("repair", [False, True])
@pytest_twisted.ensureDeferred
async def test_where_no_row_has_its_file_nothing_is_done(
    archive: Archive, receive: Reception, capsys: pytest.CaptureFixture[str], *, repair: bool
) -> None:
    """As when the disk is not mounted."""
    objects = [receive(f"1.2.{number}") for number in range(3)]
    await registered(archive.configuration, *objects)
    (archive.storage / "objects").rename(archive.storage / "elsewhere")
    (archive.storage / "objects").mkdir()
    (archive.storage / "objects" / "other").write_text("x")
    assert await verify(archive.configuration, reactor, repair=repair) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert f"not one registered object has its file in {archive.storage}: is its disk mounted?" in err
    assert await registered(archive.configuration) == objects
    assert archive.files() == ["objects/other"]


@pytest_twisted.ensureDeferred
async def test_where_directories_are_gone_rows_stay_until_they_are_to_be_forgotten(
    archive: Archive, receive: Reception
) -> None:
    """A part of the archive may lie on a disk of its own, and that may be away."""
    away, here = receive("1.2.3", study="1.2"), receive("1.3.3", study="1.3")
    await registered(archive.configuration, away, here)
    archive.file(away).parent.parent.rename(archive.storage / "away")
    code, [finding], counts = await archive.verify(repair=True)
    assert code == 1
    assert finding == ["directory-missing", away.file.path, "1.2.3", "-"]
    assert counts == "rows 2, files 1, findings 1, mended 0, directory-missing 1"
    (archive.storage / "away").rename(archive.file(away).parent.parent)
    assert await archive.clean()
    archive.file(away).parent.parent.rename(archive.storage / "away")
    code, [finding], _ = await archive.verify(forget=True)
    assert (code, finding[3]) == (0, "unregistered, to be sent again")
    assert await registered(archive.configuration) == [here]
    assert await archive.clean()


@pytest_twisted.ensureDeferred
async def test_where_there_is_no_directory_of_objects_nothing_is_done(
    archive: Archive, receive: Reception
) -> None:
    stored = receive("1.2.3")
    await registered(archive.configuration, stored)
    (archive.storage / "objects").rename(archive.storage / "elsewhere")
    with pytest.raises(FileNotFoundError, match="objects"):
        await verify(archive.configuration, reactor, repair=True)
    assert await registered(archive.configuration) == [stored]


@pytest.mark.parametrize("repair", [False, True])
@pytest_twisted.ensureDeferred
async def test_an_index_that_is_not_there_is_not_made(
    archive: Archive, receive: Reception, *, repair: bool
) -> None:
    receive("1.2.3")
    with pytest.raises(OSError, match="no index yet"):
        await verify(archive.configuration, reactor, repair=repair)
    with pytest.raises(OSError, match="no index yet"):
        await verify(archive.configuration, reactor, repair=repair)


# --- as a process --------------------------------------------------------------------------------


def sdccctl(config: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SDCCCTL, "--config", config, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


@pytest_twisted.ensureDeferred
async def test_findings_go_to_standard_output_and_progress_to_standard_error(
    configured: Callable[[str], str], receive: Reception
) -> None:
    config = configured("[index]\ntimeout = 0.1\n")
    good, orphan = receive("1.2.3"), receive("1.2.4")
    await registered(load(Path(config)), good)
    done = sdccctl(config, "verify")
    assert done.returncode == 1
    assert done.stdout == (
        f"orphan\t{orphan.file.path}\t1.2.4\t-\nrows 1, files 2, findings 1, mended 0, orphan 1\n"
    )
    assert done.stderr == "counting the files\n"
    done = sdccctl(config, "verify", "--repair")
    assert done.returncode == 0
    assert done.stdout.startswith(f"orphan\t{orphan.file.path}\t1.2.4\tregistered\n")


@pytest_twisted.ensureDeferred
async def test_ctrl_c_ends_it_in_order_even_while_it_waits(
    configured: Callable[[str], str], receive: Reception, interrupted: Callable[..., Any]
) -> None:
    config = configured("[index]\ntimeout = 3600\n")
    await registered(load(Path(config)), receive("1.2.3"))
    receive("1.2.4")
    told, out, code = interrupted("--config", config, "verify", "--repair")
    assert told[0] == "counting the files\n"
    assert re.match("waiting for 5[34][0-9][0-9] s: ", told[1])
    assert out == "rows 1, files 2, findings 0, mended 0\n"
    assert told[2] == "interrupted; run it again to go on\n"
    assert code == INTERRUPTED
