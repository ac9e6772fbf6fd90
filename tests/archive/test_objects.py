"""The objects on disk: bit for bit, never overwritten, readable by others, gone when told so."""

from __future__ import annotations

import datetime
import errno
import hashlib
import os
import subprocess
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from twisted.internet.defer import ensureDeferred
from zope.interface.verify import verifyObject

from sdcc.archive import objects, stored_files
from sdcc.archive.part10 import data_set_offset
from sdcc.archive.reception import BATCH
from sdcc.interfaces import DataSetMismatch, IObjectStore, OutOfResources, StoredFile

DAY = "objects/2026/07/04"


@pytest.fixture
def content(store):
    """The bytes of a stored file."""
    return lambda stored: (store.root / stored.file.path).read_bytes()


@pytest.fixture
def read_by(dcmtk):
    """Runs a program of DCMTK; gives its output, standard error first."""

    def output(program, *arguments):
        done = subprocess.run(
            [dcmtk(program), *arguments], capture_output=True, text=True, check=False, timeout=60
        )
        return done.stderr + done.stdout

    return output


def test_it_is_an_object_store(store):
    verifyObject(IObjectStore, store.objects)


# --- what is stored ------------------------------------------------------------------------


def test_the_stored_object_tells_where_it_lies_and_whose_it_is(store, build, content):
    data = build.data_set()
    stored = store.receive(build.announcement(), data)
    assert stored.study.study_instance_uid == "1.2.3"
    assert stored.series.series_instance_uid == "1.2.3.1"
    assert stored.instance.sop_instance_uid == "1.2.3.4"
    assert stored.instance.sop_class_uid == build.CT
    assert stored.fault is None
    assert stored.file == StoredFile(
        path=f"{DAY}/1.2.3/1.2.3.1/1.2.3.4-token1.dcm",
        size=len(content(stored)),
        data_set_size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        received_at=build.RECEIVED_AT,
        provenance=build.announcement().provenance,
    )
    assert store.files("objects") == [stored.file.path]
    assert store.files("incoming") == []


def test_a_fault_of_the_parser_goes_into_the_row(make_store, build):
    store = make_store(parse=build.parser_of(fault="PatientName: undecodable"))
    assert store.receive(build.announcement(), b"whatever").fault == "PatientName: undecodable"


def test_the_day_is_that_of_reception(store, build):
    store.received_at = datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC)
    stored = store.receive(build.announcement(), build.data_set())
    assert stored.file.path.startswith("objects/2027/01/01/")


@pytest.mark.parametrize(
    "tail",
    [
        b"\0" * 4096,
        b"\xff" * 1023,
        b"DICM" * 7,
        bytes(range(256)) * 3,
        b"\xfe\xff\x0d\xe0\0\0\0\0",
        "名前\n\r\n".encode("utf-16"),
    ],
)
def test_the_data_set_is_what_came_whatever_it_holds(make_store, build, tail):
    store = make_store(parse=build.parser_of())
    for data in (tail, build.data_set() + tail):
        stored = store.receive(build.announcement(), data)
        content = (store.root / stored.file.path).read_bytes()
        assert content[data_set_offset(content) :] == data
        assert stored.file.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    "uid", ["../../etc", "../../../../tmp/escaped", "/etc/passwd", "", "1" * 65, "1..2", ".", "..", "1\0"]
)
def test_a_strangers_uid_never_leaves_its_place(make_store, build, uid):
    store = make_store(parse=build.parser_of(study=uid, series=uid, instance=uid))
    stored = store.receive(build.announcement(sop_instance_uid=uid), b"data")
    hashed = hashlib.sha256(uid.encode()).hexdigest()
    assert stored.file.path == f"{DAY}/{hashed}/{hashed}/{hashed}-token1.dcm"
    assert store.files("objects") == [stored.file.path]
    assert stored.instance.sop_instance_uid == uid


# --- read by others ------------------------------------------------------------------------


@pytest.mark.parametrize("pixels", [b"\x01\x02" * 64, bytes(3 * BATCH)], ids=["small", "large"])
def test_pydicom_and_dcmtk_read_the_file(store, build, read_by, pixels):
    stored = store.receive(build.announcement(), build.data_set(pixels=pixels))
    path = store.objects.absolute(stored.file.path)
    read = pydicom.dcmread(path)
    assert read.SOPInstanceUID == read.file_meta.MediaStorageSOPInstanceUID == "1.2.3.4"
    assert read.PixelData == pixels
    assert read.file_meta.SourceApplicationEntityTitle == "CT01"
    assert read_by("dcmftest", path) == f"yes: {path}\n"
    dump = read_by("dcmdump", "-q", "+P", "0002,0018", path)
    assert dump.startswith("(0002,0018) AE [SDCC]")
    assert read_by("dcmdump", "--log-level", "warn", path).startswith("\n# Dicom-File-Format")


@pytest.mark.parametrize("title", ["A\\B\0C", "Größe", "", "SEVENTEEN CHARS!!"])
def test_strange_ae_titles_leave_a_file_that_is_read(store, build, read_by, title):
    provenance = build.announcement().provenance
    strange = type(provenance)(calling_ae=title, called_ae=title, calling_address="192.0.2.7")
    stored = store.receive(build.announcement(provenance=strange), build.data_set())
    path = store.objects.absolute(stored.file.path)
    assert pydicom.dcmread(path).SOPInstanceUID == "1.2.3.4"
    assert read_by("dcmdump", "--log-level", "warn", path).startswith("\n# Dicom-File-Format")
    assert stored.file.provenance == strange


# --- overwriting ---------------------------------------------------------------------------


def test_the_same_instance_again_makes_a_new_file_and_touches_none(store, build, content):
    first = store.receive(build.announcement(), build.data_set(pixels=b"first!"))
    before = content(first), os.stat(store.root / first.file.path)
    second = store.receive(build.announcement(), build.data_set(pixels=b"second"))
    assert store.files("objects") == [first.file.path, second.file.path]
    assert (content(first), os.stat(store.root / first.file.path)) == before
    assert content(second).endswith(b"second")


def test_a_reader_of_the_old_file_keeps_reading_it_after_its_removal(store, build):
    first = store.receive(build.announcement(), build.data_set(pixels=b"first!"))
    second = store.receive(build.announcement(), build.data_set(pixels=b"second"))
    with open(store.objects.absolute(first.file.path), "rb") as reader:
        build.result_of(store.objects.remove(first.file.path))
        assert store.files("objects") == [second.file.path]
        assert pydicom.dcmread(BytesIO(reader.read())).PixelData == b"first!"


def test_a_final_path_is_never_overwritten_even_if_a_token_comes_twice(make_store, build):
    store = make_store(new_token=lambda: "always the same")
    first = store.receive(build.announcement(), build.data_set(pixels=b"first!"))
    with pytest.raises(OutOfResources, match="File exists"):
        store.receive(build.announcement(), build.data_set(pixels=b"second"))
    assert store.files("objects") == [first.file.path]
    assert store.files("incoming") == []
    assert (store.root / first.file.path).read_bytes().endswith(b"first!")


def test_two_objects_at_once_keep_apart(store, build, content):
    """The same instance over two associations, fragment by fragment in turn."""
    pixels = [bytes([number]) * (2 * BATCH) for number in (1, 2)]
    views = [memoryview(build.data_set(pixels=each)) for each in pixels]
    receptions = [store.objects.begin(build.announcement(), lambda size: None) for _ in views]
    for start in range(0, len(views[0]), 10_000):
        for reception, view in zip(receptions, views, strict=True):
            reception.write(view[start : start + 10_000])
    stored = [build.result_of(reception.complete()) for reception in reversed(receptions)]
    assert [content(each).endswith(wanted) for each, wanted in zip(stored, pixels[::-1], strict=True)] == [
        True,
        True,
    ]


def test_racing_receptions_are_each_durable_before_they_are_answered(make_store, build):
    """Two threads make the same directories; the second is done before the first has synced any."""
    threads = build.Threads()
    store = make_store(run_in_thread=threads)
    sync_directory, overtaking = store.disk.real.sync_directory, []

    def sync_directory_late(path):
        if threads.waiting:
            threads.run()  # the other reception's whole job, before this one's first sync
            overtaking.append(set(synced))
        synced.append(os.path.relpath(path, store.root))
        sync_directory(path)

    synced = []
    store.disk.real.sync_directory = sync_directory_late
    for _ in range(2):
        reception = store.objects.begin(build.announcement(), lambda size: None)
        reception.write(memoryview(build.data_set()))
        ensureDeferred(reception.complete())
    threads.run()
    chain = ["objects", "objects/2026", "objects/2026/07", DAY, f"{DAY}/1.2.3", f"{DAY}/1.2.3/1.2.3.1"]
    assert overtaking == [set(chain)]
    assert sorted(synced) == sorted(2 * chain)


# --- removal and paths ---------------------------------------------------------------------


def test_a_file_that_is_not_there_is_removed_without_complaint(store, build, logged):
    build.result_of(store.objects.remove("objects/2026/07/04/1/2/3.dcm"))
    assert [event for event in logged if event["log_level"].name == "warn"] == []


def test_a_file_that_cannot_be_removed_is_logged(store, build, logged):
    stored = store.receive(build.announcement(), build.data_set())
    store.disk.fail("remove", errno.EACCES)
    build.result_of(store.objects.remove(stored.file.path))
    (line,) = [event for event in logged if event["log_level"].name == "warn"]
    assert line["error"] == "Permission denied"
    assert "1.2.3" not in line["log_format"].format(**line)


@pytest.mark.parametrize(
    "path",
    [
        *("", "objects", "objects/", "/objects/a", "objects//a", "objects/./a", "objects/../sdcc.db"),
        *("objects/a/..", "incoming/a/b.part", "sdcc.db", "../objects/a", "/etc/passwd", "./objects/a"),
    ],
)
def test_nothing_but_an_object_is_ever_removed(store, build, path):
    with pytest.raises(ValueError, match="does not lie under objects/"):
        build.result_of(store.objects.remove(path))
    assert store.disk.calls == []


def test_removal_happens_in_a_thread(make_store, build):
    threads = build.Threads()
    store = make_store(run_in_thread=threads)
    done = ensureDeferred(store.objects.remove("objects/a"))
    assert store.disk.calls == []
    threads.run()
    assert done.called


def test_a_path_is_absolute_even_where_the_directory_was_given_relative(build, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = build.Store(Path("relative"))
    assert store.objects.absolute("objects/a") == f"{tmp_path}/relative/objects/a"
    store.objects.prepare()
    assert (tmp_path / "relative/objects").is_dir()
    build.result_of(store.objects.stop())


# --- from start to stop --------------------------------------------------------------------


def test_it_takes_objects_between_prepare_and_stop_only(build, tmp_path):
    store = build.Store(tmp_path / "storage")
    for refusal, change in (("not started", store.objects.prepare), ("stopping", None)):
        assert store.objects.refusal == refusal
        with pytest.raises(OutOfResources, match=refusal):
            store.receive(build.announcement(), build.data_set())
        if change:
            assert not store.root.exists()
            change()
            assert store.objects.refusal is None
            store.receive(build.announcement(), build.data_set())
            build.result_of(store.objects.stop())
    assert store.disk.open == {}


def test_prepare_makes_the_directory_durable(build, tmp_path):
    store = build.Store(tmp_path / "new" / "storage")
    store.objects.prepare()
    assert sorted(os.listdir(store.root)) == ["incoming", "incoming.lock", "objects"]
    assert store.disk.called("sync_directory")[:3] == ["../..", "..", "."]
    [process] = os.listdir(store.root / "incoming")
    assert store.disk.called("sync_directory")[3:] == [f"incoming/{process}", "incoming"]
    build.result_of(store.objects.stop())


def test_prepare_tells_what_is_wrong(build, tmp_path):
    (tmp_path / "storage").write_bytes(b"no directory")
    with pytest.raises(NotADirectoryError):
        build.Store(tmp_path / "storage").objects.prepare()


def test_stop_leaves_nothing_in_incoming(make_store, build):
    threads = build.Threads()
    store = make_store(run_in_thread=threads)
    receptions = [store.objects.begin(build.announcement(), lambda size: None) for _ in range(4)]
    for reception, size in zip(receptions, (0, 10, BATCH, 3 * BATCH), strict=True):
        reception.write(memoryview(bytes(size)))
    threads.run()
    stopped = ensureDeferred(store.objects.stop())
    assert not stopped.called
    threads.run_all()
    assert stopped.called
    assert os.listdir(store.root / "incoming") == []
    assert store.disk.open == {}
    with pytest.raises(OutOfResources, match=r"^stopping$"):
        build.result_of(receptions[-1].complete())


def test_stop_waits_for_an_object_that_is_being_made_durable(make_store, build):
    threads = build.Threads()
    store = make_store(run_in_thread=threads)
    reception = store.objects.begin(build.announcement(), lambda size: None)
    reception.write(memoryview(build.data_set()))
    stored = ensureDeferred(reception.complete())
    stopped = ensureDeferred(store.objects.stop())
    assert not stopped.called
    threads.run_all()
    assert stopped.called
    assert store.files("objects") == [stored.result.file.path]


def test_two_stores_of_one_directory_leave_each_other_alone(make_store, build):
    first, second = make_store(), make_store(new_token=iter("abcdefgh").__next__)
    reception = first.objects.begin(build.announcement(), lambda size: None)
    data = build.data_set(pixels=bytes(3 * BATCH))
    reception.write(memoryview(data)[:-10])
    second.receive(build.announcement(), build.data_set())
    build.result_of(second.objects.stop())
    make_store(new_token=iter("ijklmnop").__next__)
    reception.write(memoryview(data)[-10:])
    stored = build.result_of(reception.complete())
    assert stored.file.sha256 == hashlib.sha256(data).hexdigest()
    assert len(first.files("objects")) == 2


def test_receptions_that_have_ended_are_forgotten(store, build):
    for _ in range(3):
        store.receive(build.announcement(), build.data_set())
        build.result_of(store.objects.begin(build.announcement(), lambda size: None).abandon())
        with pytest.raises(DataSetMismatch):
            store.receive(build.announcement(sop_instance_uid="9.9"), build.data_set())
    assert store.objects._receptions == {}


def test_under_the_floor_no_object_is_taken_until_space_is_back(make_store, build):
    store = make_store(minimum_free=1 << 20)
    store.objects.start()
    store.disk.real.free_space = lambda path: 1000
    store.clock.advance(2)
    assert store.objects.free_bytes == 1000
    assert store.objects.refusal == "free space is under minimum_free"
    with pytest.raises(OutOfResources, match=r"^free space is under minimum_free$"):
        store.receive(build.announcement(), build.data_set())
    assert store.disk.called("create") == []
    store.disk.real.free_space = lambda path: 1 << 40
    store.clock.advance(2)
    assert store.objects.refusal is None
    store.receive(build.announcement(), build.data_set())


def test_the_floor_counts_from_the_first_moment(build, tmp_path):
    store = build.Store(tmp_path / "storage", minimum_free=1 << 62)
    store.objects.prepare()
    assert store.objects.refusal == "free space is under minimum_free"
    build.result_of(store.objects.stop())


def test_many_objects_leave_no_descriptor_and_no_partial_file(store, build):
    before = len(os.listdir("/proc/self/fd"))
    for number in range(200):
        uid = f"1.2.{number}"
        store.receive(build.announcement(sop_instance_uid=uid), build.data_set(instance=uid))
    assert len(store.files("objects")) == 200
    assert store.files("incoming") == []
    assert len(os.listdir("/proc/self/fd")) == before


# --- what was received -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "difference"),
    [
        (lambda data: data, None),
        (lambda data: data[:-1] + b"\x55", "the Data Set is another"),
        (lambda data: data[:-2], "the Data Set is another"),
        (lambda data: data.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.2\0", 1), "the File Meta"),
        (lambda data: b"", "DICM"),
    ],
)
def test_a_file_that_is_not_what_was_received_is_told_from_one_that_is(store, build, damage, difference):
    kept = store.receive(build.announcement(), build.data_set()).kept
    path = store.root / kept.path
    path.write_bytes(damage(path.read_bytes()))
    found = build.result_of(store.objects.difference(kept, lambda: True))
    assert found is None if difference is None else difference in found


def test_a_file_that_is_gone_cannot_be_compared(store, build):
    kept = store.receive(build.announcement(), build.data_set()).kept
    (store.root / kept.path).unlink()
    with pytest.raises(FileNotFoundError):
        build.result_of(store.objects.difference(kept, lambda: True))


def test_files_are_compared_in_threads_that_reception_does_not_use(make_store, build, threads):
    store = make_store(read_in_thread=threads)
    kept = store.receive(build.announcement(), build.data_set()).kept
    compared = ensureDeferred(store.objects.difference(kept, lambda: True))
    assert not compared.called
    threads.run_all()
    assert compared.result is None


def test_while_objects_are_received_files_are_compared_with_pauses(store, build, open_reception, monkeypatch):
    """A modality waits for the answer to its C-STORE, and nobody for the check."""
    kept = store.receive(build.announcement(), build.data_set(pixels=bytes(2 * stored_files.BLOCK))).kept
    pauses = []
    monkeypatch.setattr(objects, "sleep", pauses.append)
    build.result_of(store.objects.difference(kept, lambda: True))
    assert pauses == []
    reception, _ = open_reception(store)
    assert build.result_of(store.objects.difference(kept, lambda: True)) is None
    assert pauses == [objects.PAUSE] * 3, "after each block, the last one too"
    build.result_of(reception.abandon())
    build.result_of(store.objects.difference(kept, lambda: True))
    assert len(pauses) == 3


def test_another_size_is_allowed_from_the_next_object_on(make_store, build):
    store = make_store(maximum_object_size=1000)
    under_way = store.objects.begin(build.announcement(), lambda size: None)
    data = build.data_set()
    store.objects.reconfigure(minimum_free=0, maximum_object_size=10)
    build.write(under_way, data)
    assert build.result_of(under_way.complete()).file.data_set_size == len(data)
    with pytest.raises(OutOfResources, match=r"maximum_object_size \(10 bytes\)"):
        store.receive(build.announcement(), data)


def test_another_floor_is_the_stores(make_store, build):
    store = make_store()
    store.objects.start()
    store.clock.advance(2)
    assert store.objects.refusal is None
    store.objects.reconfigure(minimum_free=1 << 60, maximum_object_size=10)
    assert store.objects.refusal == "free space is under minimum_free"
    build.result_of(store.objects.stop())
