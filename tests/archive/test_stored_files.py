"""Stored files are read back as reception described them, and what is none is told apart."""

from __future__ import annotations

import dataclasses
import datetime
import errno
import hashlib
import os

import pytest
from pydicom.data import get_testdata_file

from sdcc.archive import stored_files
from sdcc.archive.filesystem import FileSystem
from sdcc.archive.part10 import COUNTED_FROM, announced, file_head
from sdcc.archive.stored_files import NoObject, files, may_be_object, read, sop_instance_uid
from sdcc.interfaces import Provenance


@pytest.fixture
def put(tmp_path):
    """Writes bytes at a path of the storage directory."""

    def put(path, data=b""):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return path

    return put


@pytest.fixture
def reading(tmp_path):
    """Reads a path of the storage directory."""
    return lambda path: read(path, str(tmp_path), FileSystem()).stored


def paths(*arguments):
    """Of the files those that may be objects, as an inspection walks them."""
    return filter(may_be_object, files(*arguments))


# --- reading -----------------------------------------------------------------------------------


@pytest.mark.parametrize("pixels", [0, 100, 3_000_000], ids="{} bytes".format)
def test_what_was_received_is_read_back_the_same(store, build, pixels):
    stored = store.receive(build.announcement(), build.data_set(pixels=bytes(pixels)))
    modified = datetime.datetime(2026, 7, 4, 23, 59, 59, 123456, tzinfo=datetime.UTC)
    file = store.root / stored.file.path
    os.utime(file, ns=(0, 1783209599_123456_789))
    found = read(stored.file.path, str(store.root), store.disk)
    provenance = dataclasses.replace(stored.file.provenance, calling_address="")
    assert found.stored == dataclasses.replace(
        stored, file=dataclasses.replace(stored.file, received_at=modified, provenance=provenance)
    )
    assert found.changed_at == file.stat().st_ctime


def test_a_fault_of_the_data_set_is_found_again(store, build):
    name = b"\x10\x00\x10\x00PN\x02\x00\xe4\xf6"
    data = build.data_set().replace(b"\x20\x00\x0d\x00", name + b"\x20\x00\x0d\x00", 1)
    stored = store.receive(build.announcement(), data)
    assert stored.fault
    assert read(stored.file.path, str(store.root), store.disk).stored.fault == stored.fault


def test_another_programs_file_is_read(put, reading):
    path = get_testdata_file("CT_small.dcm")
    with open(path, "rb") as file:
        data = file.read()
    stored = reading(put("objects/any.dcm", data))
    assert stored.study.patient_name == "CompressedSamples^CT1"
    assert stored.file.provenance == Provenance(calling_ae="CLUNIE1", called_ae="", calling_address="")
    assert (stored.file.size, stored.file.transfer_syntax_uid) == (len(data), "1.2.840.10008.1.2.1")
    assert stored.file.sha256 == hashlib.sha256(data[-stored.file.data_set_size :]).hexdigest()


def test_memory_is_bounded(store, build):
    """No more of a file is asked for at once than a block."""
    stored = store.receive(build.announcement(), build.data_set(pixels=bytes(3_000_000)))
    lengths = []

    class Watched(FileSystem):
        def read(self, file, offset, length):
            lengths.append(length)
            return super().read(file, offset, length)

    assert read(stored.file.path, str(store.root), Watched()).stored.file.sha256 == stored.file.sha256
    assert max(lengths) == stored_files.BLOCK


@pytest.mark.parametrize("where", ["preamble", "prefix", "group length", "meta", "data set"])
def test_a_file_that_is_cut_short_is_no_object(put, reading, build, where):
    head, data = file_head(build.announcement()), build.data_set()
    ends = {"preamble": 100, "prefix": 130, "group length": 140, "meta": 200, "data set": len(head) + 50}
    with pytest.raises(NoObject):
        reading(put("objects/any.dcm", (head + data)[: ends[where]]))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"instance": "1.2.3.5"}, "SOP Instance UID of the Data Set is not the File Meta Information's"),
        ({"sop_class": "1.2"}, "SOP Class UID of the Data Set is not the File Meta Information's"),
        ({"study": None}, r"no StudyInstanceUID \(0020,000D\) in the Data Set"),
        ({"series": None}, r"no SeriesInstanceUID \(0020,000E\) in the Data Set"),
    ],
)
def test_a_file_that_contradicts_itself_or_lacks_a_uid_is_no_object(put, reading, build, changes, says):
    with pytest.raises(NoObject, match=says):
        reading(put("objects/any.dcm", file_head(build.announcement()) + build.data_set(**changes)))


def test_a_meta_of_absurd_length_is_not_read(put, reading, build):
    head = bytearray(file_head(build.announcement()))
    head[COUNTED_FROM - 4 : COUNTED_FROM] = b"\xff\xff\xff\x7f"
    with pytest.raises(NoObject, match="longer than 1048576 bytes"):
        reading(put("objects/any.dcm", bytes(head)))


def test_a_name_that_no_text_can_hold_is_no_objects(reading):
    with pytest.raises(NoObject, match="no name that SDCC gives"):
        reading("objects/\udcff.dcm")


@pytest.mark.parametrize("blocks", [0, 1, 2])
def test_reading_ends_between_two_blocks_when_nobody_wants_it_any_more(store, build, blocks):
    """A stop does not wait until a large file is hashed."""
    stored = store.receive(build.announcement(), build.data_set(pixels=bytes(3 * stored_files.BLOCK)))
    is_open = dict(store.disk.open)
    left = iter([True] * blocks)
    with pytest.raises(stored_files.Interrupted):
        read(stored.file.path, str(store.root), store.disk, goes_on=lambda: next(left, False))
    left = iter([True] * blocks)
    with pytest.raises(stored_files.Interrupted):
        stored_files.difference(stored.kept, str(store.root), store.disk, lambda: next(left, False))
    assert store.disk.open == is_open


@pytest.mark.parametrize("call", ["open_existing", "status", "read"])
def test_a_fault_of_the_disk_is_told_and_nothing_stays_open(store, build, call):
    stored = store.receive(build.announcement(), build.data_set())
    store.disk.fail(call, errno.EIO)
    with pytest.raises(OSError, match="Input/output error"):
        read(stored.file.path, str(store.root), store.disk)


# --- the File Meta Information -----------------------------------------------------------------


@pytest.mark.parametrize(
    "provenance", [("CT01", "SDCC"), ("", ""), ("ABCDEFGHIJKLMNOP", "A B")], ids=lambda titles: titles[0]
)
def test_what_was_announced_is_read_from_the_head(build, provenance):
    calling, called = provenance
    given = build.announcement(
        sop_instance_uid="1.2.345",
        provenance=Provenance(calling_ae=calling, called_ae=called, calling_address=""),
    )
    assert announced(file_head(given)[COUNTED_FROM:]) == given


def test_the_elements_may_come_in_any_order_and_others_among_them():
    group = (
        b"\x02\x00\x02\x01OB\x00\x00\x06\x00\x00\x00secret"
        b"\x02\x00\x10\x00UI\x02\x001\x00"
        b"\x02\x00\x03\x00UI\x04\x001.20"
        b"\x02\x00\x16\x00AE\x04\x00A\\\x1bB"
        b"\x02\x00\x02\x00UI\x04\x001.3\x00"
    )
    found = announced(group)
    assert (found.transfer_syntax_uid, found.sop_instance_uid, found.sop_class_uid) == ("1", "1.20", "1.3")
    assert found.provenance == Provenance(calling_ae="A??B", called_ae="", calling_address="")


def test_every_cut_of_a_meta_is_an_error(build):
    group = file_head(build.announcement())[COUNTED_FROM:]
    whole = announced(group)
    for end in range(len(group)):
        try:
            found = announced(group[:end])
        except ValueError:
            continue
        assert end >= group.index(b"\x02\x00\x12\x00"), "all three UIDs were there"
        assert found.sop_instance_uid == whole.sop_instance_uid


# --- the walk -----------------------------------------------------------------------------------


def test_objects_come_by_day_and_by_uid_and_nothing_else_does(put, tmp_path):
    wanted = [
        put("objects/2023/12/31/9/9.1/9.1.1-b.dcm"),
        put("objects/2024/01/02/1.2/1.2.1/1.2.3-a.dcm"),
        put("objects/2024/01/02/1.2/1.2.1/1.2.4-a.dcm"),
        put("objects/2024/01/02/1.2/1.2.2/1.2.1-a.dcm"),
        put("objects/2024/01/03/1.1/1.2.2/1.2.1-a.dcm"),
    ]
    put("incoming/host-1/token.part")
    put("incoming/2024/01/02/1.2/1.2.1/1.2.9-a.dcm")
    put("objects/2024/01/02/1.2/1.2.1/notes.txt")
    put("objects/2024/01/1.2.3-a.dcm")
    put("objects/README")
    assert list(paths(str(tmp_path), FileSystem())) == wanted
    assert [sop_instance_uid(path) for path in wanted] == ["9.1.1", "1.2.3", "1.2.4", "1.2.1", "1.2.1"]


def test_a_directory_that_cannot_be_read_is_told_and_passed_over(put, tmp_path, disk):
    put("objects/2024/01/02/1.2/1.2.1/1.2.3-a.dcm")
    other = put("objects/2024/01/03/1.2/1.2.1/1.2.4-a.dcm")
    disk.fail("entries", errno.EACCES, path="01/02/1.2")
    told = []
    assert list(paths(str(tmp_path), disk, lambda *fault: told.append(fault))) == [other]
    ((path, error),) = told
    assert (path, error.errno) == ("objects/2024/01/02/1.2", errno.EACCES)


def test_an_archive_without_objects_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        paths(str(tmp_path), FileSystem())


# --- all files -------------------------------------------------------------------------------------


def walked(tmp_path, **options):
    return list(stored_files.files(str(tmp_path), FileSystem(), **options))


def test_every_file_is_met_wherever_it_stands(put, tmp_path):
    placed = [
        put(path)
        for path in (
            "objects/2026/07/03/1.2/1.3/1.4-a.dcm",
            "objects/2026/07/04/1.2/1.3/1.4-b.dcm",
            "objects/2026/07/04/1.2/1.3/deeper/1.4-b.dcm",
            "objects/2026/07/04/1.2/1.3/notes.txt",
            "objects/2026/07/04/1.2/1.4-c.dcm",
            "objects/2026/notes",
            "objects/notes.dcm",
        )
    ]
    put("incoming/a/b.part")
    (tmp_path / "objects/2026/08/empty").mkdir(parents=True)
    assert walked(tmp_path) == placed
    assert list(paths(str(tmp_path), FileSystem())) == placed[:2]
    assert [path for path in placed if stored_files.may_be_object(path)] == placed[:2]


@pytest.mark.parametrize(
    ("since", "days"),
    [
        ("2025-12-31", ["2025/12/31", "2026/01/01", "2026/01/02", "2026/02/01"]),
        ("2026-01-01", ["2026/01/01", "2026/01/02", "2026/02/01"]),
        ("2026-01-02", ["2026/01/02", "2026/02/01"]),
        ("2026-02-02", []),
        ("0001-01-01", ["2025/12/31", "2026/01/01", "2026/01/02", "2026/02/01"]),
    ],
)
def test_days_before_the_first_asked_for_are_not_even_read(put, disk, tmp_path, since, days):
    for day in ("2025/12/31", "2026/01/01", "2026/01/02", "2026/02/01"):
        put(f"objects/{day}/1.2/1.3/1.4-a.dcm")
    first = datetime.date.fromisoformat(since)
    found = list(stored_files.files(str(tmp_path), disk, since=first))
    assert found == [f"objects/{day}/1.2/1.3/1.4-a.dcm" for day in days]
    read = [path for path in disk.called("entries") if path.count("/") == 3]
    assert read == [f"objects/{day}" for day in days]


def test_a_link_that_leads_in_a_circle_ends_the_walk(put, tmp_path):
    put("objects/2026/07/04/1.2/1.3/1.4-a.dcm")
    (tmp_path / "objects/2026/07/04/1.2/1.3/circle").symlink_to(".")
    assert "objects/2026/07/04/1.2/1.3/1.4-a.dcm" in walked(tmp_path)


@pytest.mark.parametrize(
    "path",
    [
        *(
            "objects/2026/07/04/1.2/1.3/../x.dcm",
            "objects/2026/07/04/1.2//x.dcm",
            "/2026/07/04/1.2/1.3/x.dcm",
        ),
        *("quarantine/2026/07/04/1.2/1.3/x.dcm", "objects/2026/07/04/1.2/1.3/x.txt", "../../etc/passwd", ""),
        *("objects/07/04/1.2/1.3/x.dcm", "objects/2026/07/04/1.2/1.3/4/x.dcm"),
    ],
)
def test_no_other_path_may_be_an_objects(path):
    assert not stored_files.may_be_object(path)
