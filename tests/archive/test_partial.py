"""An object's file: whole and durable under its final path, or nowhere."""

from __future__ import annotations

import errno
import hashlib
import struct
import sys
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from twisted.internet.defer import ensureDeferred

from sdcc.archive import attributes
from sdcc.archive.part10 import COUNTED_FROM, data_set_offset
from sdcc.archive.partial import WORTH_WRITING_OUT
from sdcc.archive.reception import BATCH
from sdcc.interfaces import CannotUnderstand, DataSetMismatch, OutOfResources

DIRECTORY = "objects/2026/07/04/1.2.3/1.2.3.1"
LARGE = bytes(range(256)) * (3 * BATCH // 256)


@pytest.mark.parametrize("piece", [1, 4095, BATCH, BATCH + 1, 3 * BATCH])
def test_order_is_kept_for_pieces_of_every_size(store, build, piece):
    size = 3 * 4096 if piece == 1 else 5 * BATCH
    data = build.data_set(pixels=b"".join(number.to_bytes(4, "little") for number in range(size // 4)))
    stored = store.receive(build.announcement(), data, piece=piece)
    with open(store.objects.absolute(stored.file.path), "rb") as file:
        assert file.read().endswith(data)
    assert stored.file.sha256 == hashlib.sha256(data).hexdigest()


def test_the_parser_reads_from_memory_where_all_is_there_and_else_from_the_file(make_store, build):
    seen = []

    def parse(read, size, transfer_syntax_uid):
        seen.append((size, read(0, 8), read(size - 4, 100), read(size, 1), transfer_syntax_uid))
        return build.parser_of()(read, size, transfer_syntax_uid)

    store = make_store(parse=parse)
    for pixels in (b"\x01\x02" * 500, LARGE):
        data = build.data_set(pixels=pixels)
        store.disk.calls.clear()
        store.receive(build.announcement(), data)
        assert seen.pop() == (len(data), data[:8], data[-4:], b"", "1.2.840.10008.1.2.1")
        assert bool(store.disk.called("read")) == (pixels is LARGE)


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm"])
def test_what_the_first_batch_tells_is_what_the_whole_tells(make_store, build, name):
    path = Path(get_testdata_file(name))
    meta = dcmread(path, stop_before_pixels=True).file_meta
    data = path.read_bytes()
    data = data[data_set_offset(data[:COUNTED_FROM]) :]
    asked = []

    def parse(read, size, transfer_syntax_uid):
        asked.append(size)
        return attributes.parse(read, size, transfer_syntax_uid)

    store = make_store(parse=parse)
    announcement = build.announcement(
        sop_class_uid=meta.MediaStorageSOPClassUID,
        sop_instance_uid=meta.MediaStorageSOPInstanceUID,
        transfer_syntax_uid=meta.TransferSyntaxUID,
    )
    whole = store.receive(announcement, data)
    large = store.receive(announcement, data + bytes(2 * BATCH))
    assert asked == [len(data), sys.maxsize], "it is not parsed a second time"
    assert store.disk.called("read") == []
    assert (large.study, large.series, large.instance, large.fault) == (
        whole.study,
        whole.series,
        whole.instance,
        whole.fault,
    )


def test_where_the_first_batch_does_not_tell_it_all_the_file_is_read(store, build):
    data = build.data_set()
    at = data.index(b"\x20\x00\x0d\x00UI")
    private = b"\x19\x00\x10\x10UN\0\0" + struct.pack("<L", 2 * BATCH) + bytes(2 * BATCH)
    stored = store.receive(build.announcement(), data[:at] + private + data[at:])
    assert stored.study.study_instance_uid == "1.2.3"
    assert stored.fault is None
    assert store.disk.called("read")


@pytest.mark.parametrize(
    ("length", "batches"), [(WORTH_WRITING_OUT - 200, 0), (BATCH - 200, 1), (3 * BATCH, 3)]
)
def test_large_batches_are_on_their_way_to_the_disk_before_the_end(store, build, length, batches):
    store.receive(build.announcement(), build.data_set(pixels=bytes(length)), piece=BATCH)
    order = [call for call, path in store.disk.calls if call in ("write", "begin_write_out", "sync")]
    assert order.count("begin_write_out") == batches
    assert order.index("sync") == len(order) - 1


def test_a_batch_is_written_at_once(slow_store, threads, open_reception, build):
    reception, written = open_reception(slow_store)
    sizes, write = [], slow_store.disk.real.write

    def observed(file, buffers):
        sizes.append(sum(map(len, buffers[-1:])))
        write(file, buffers)

    slow_store.disk.real.write = observed
    data = build.data_set(pixels=bytes(6 * BATCH))
    for start, end in ((0, BATCH), (BATCH, BATCH + 1), (BATCH + 1, 5 * BATCH)):
        reception.write(memoryview(data)[start:end])
    assert written == []
    threads.run_all()
    assert sizes == [BATCH, 4 * BATCH]
    build.write(reception, data[5 * BATCH :])
    stored = ensureDeferred(reception.complete())
    threads.run_all()
    assert stored.result.file.sha256 == hashlib.sha256(data).hexdigest()


# --- order ---------------------------------------------------------------------------------


def test_the_object_is_durable_before_it_has_its_path_and_its_path_before_the_result(
    slow_store, threads, open_reception, build
):
    reception, _ = open_reception(slow_store)
    build.write(reception, build.data_set(pixels=LARGE))
    stored = ensureDeferred(reception.complete())
    threads.run_all()
    order = [call for call, path in slow_store.disk.calls]
    last_write = len(order) - 1 - order[::-1].index("write")
    assert last_write < order.index("sync") < order.index("rename") < order.index("sync_directory")
    assert stored.called
    assert set(slow_store.disk.called("sync_directory")) == {
        "objects",
        "objects/2026",
        "objects/2026/07",
        "objects/2026/07/04",
        "objects/2026/07/04/1.2.3",
        DIRECTORY,
    }


@pytest.mark.parametrize("pixels", [b"\x01\x02" * 500, LARGE], ids=["small", "large"])
@pytest.mark.parametrize(
    ("call", "number", "at", "comment"),
    [
        ("create", errno.ENOSPC, 1, "disk full"),
        ("create", errno.EROFS, 1, "disk: Read-only file system"),
        ("write", errno.ENOSPC, 1, "disk full"),
        ("write", errno.EDQUOT, 1, "disk: Disk quota exceeded"),
        ("sync", errno.EIO, 1, "disk: Input/output error"),
        ("close", errno.EIO, 1, "disk: Input/output error"),
        ("make_directory", errno.ENOSPC, 1, "disk full"),
        ("make_directory", errno.EACCES, 3, "disk: Permission denied"),
        ("rename", errno.EIO, 1, "disk: Input/output error"),
        ("rename", errno.EEXIST, 1, "disk: File exists"),
        ("sync_directory", errno.EIO, 1, "disk: Input/output error"),
        ("sync_directory", errno.EIO, 6, "disk: Input/output error"),
    ],
)
def test_a_fault_of_the_disk_leaves_nothing_and_the_next_object_is_stored(
    *, store, build, open_reception, pixels, call, number, at, comment
):
    store.disk.fail(call, number, at=at)
    data = build.data_set(pixels=pixels)
    reception, written = open_reception(store)
    build.write(reception, data)
    with pytest.raises(OutOfResources) as raised:
        build.result_of(reception.complete())
    assert str(raised.value) == comment
    assert sum(written) == len(data)
    assert store.is_empty()
    stored = store.receive(build.announcement(), data)
    assert store.files("objects") == [stored.file.path]


def test_a_directory_removed_behind_our_back_costs_nobody_an_object(store, build):
    first = store.receive(build.announcement(), build.data_set())
    store.disk.fail("rename", errno.ENOENT)
    second = store.receive(build.announcement(), build.data_set())
    assert store.files("objects") == [first.file.path, second.file.path]


def test_a_directory_that_stays_away_costs_this_object_alone(store, build):
    store.disk.fail("rename", errno.ENOENT)
    store.disk.fail("rename", errno.ENOENT)
    with pytest.raises(OutOfResources, match="No such file or directory"):
        store.receive(build.announcement(), build.data_set())
    assert store.is_empty()
    store.receive(build.announcement(), build.data_set())


def test_what_cannot_even_be_removed_is_logged_without_its_path(store, build, logged):
    store.disk.fail("sync_directory", errno.EIO)
    store.disk.fail("remove", errno.EIO)
    with pytest.raises(OutOfResources):
        store.receive(build.announcement(), build.data_set())
    lines = [event for event in logged if event["log_level"].name != "debug"]
    assert any("orphan" in event["log_format"] for event in lines)
    assert not any("path" in event or "1.2.3" in str(event.get("error")) for event in lines)


@pytest.mark.parametrize(
    ("changes", "error", "comment"),
    [
        ({"sop_class": "1.2.840.10008.5.1.4.1.1.4"}, DataSetMismatch, "SOP Class UID"),
        ({"instance": "1.2.3.5"}, DataSetMismatch, "SOP Instance UID"),
        ({"study": None}, CannotUnderstand, ""),
        ({"series": None}, CannotUnderstand, ""),
        ({"instance": None}, CannotUnderstand, ""),
        ({"sop_class": None}, CannotUnderstand, ""),
    ],
)
@pytest.mark.parametrize("pixels", [b"\x01\x02" * 500, LARGE], ids=["small", "large"])
def test_a_data_set_that_is_not_what_was_announced_is_not_kept(
    *, store, build, changes, error, comment, pixels
):
    with pytest.raises(error) as raised:
        store.receive(build.announcement(), build.data_set(pixels=pixels, **changes))
    assert comment in str(raised.value)
    assert len(str(raised.value)) <= 64
    assert store.is_empty()
    assert store.disk.called("sync", "rename") == []


def test_a_data_set_of_no_bytes_is_not_understood(store, build):
    with pytest.raises(CannotUnderstand):
        store.receive(build.announcement(), b"")
    assert store.is_empty()


def test_a_parser_that_breaks_leaves_nothing_behind(make_store, build):
    def parse(read, size, transfer_syntax_uid):
        raise RecursionError("a fault of the program")

    store = make_store(parse=parse)
    with pytest.raises(RecursionError):
        store.receive(build.announcement(), build.data_set())
    assert store.is_empty()
