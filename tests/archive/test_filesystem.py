"""The operating system's file system keeps what IFileSystem promises."""

from __future__ import annotations

import os

import pytest
from zope.interface.verify import verifyObject

from sdcc.archive.filesystem import IOV_MAX, FileSystem, IFileSystem


@pytest.fixture
def fs():
    return FileSystem()


@pytest.fixture
def file(fs, tmp_path):
    file = fs.create(str(tmp_path / "file"))
    yield file
    fs.close(file)


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_it_is_a_file_system(fs):
    verifyObject(IFileSystem, fs)


def test_create_never_opens_a_file_that_exists(fs, tmp_path):
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        fs.create(str(tmp_path / "file"))
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_a_created_file_is_not_for_others(fs, file, tmp_path):
    assert (tmp_path / "file").stat().st_mode & 0o007 == 0
    assert not os.get_inheritable(file)


@pytest.mark.parametrize(
    "buffers",
    [
        (),
        (b"",),
        (b"abc",),
        (b"", b"abc", b"", b"", b"defgh", b""),
        (b"abc", bytearray(b"defgh"), memoryview(b"xxijklxx")[2:-2]),
        tuple(b"%07d" % number for number in range(2 * IOV_MAX + 1)),
    ],
    ids=["nothing", "empty", "one", "empty ones between", "of all kinds", "more than one writev takes"],
)
@pytest.mark.parametrize("at_most", [None, 1, 3, 7, 4096])
def test_write_writes_every_byte_however_short_the_writes(
    *, fs, file, tmp_path, monkeypatch, buffers, at_most
):
    def short_writev(descriptor, views):
        return os.write(descriptor, b"".join(views)[:at_most])

    fs.write(file, (b"before ",))
    if at_most:
        monkeypatch.setattr(os, "writev", short_writev)
    fs.write(file, buffers)
    monkeypatch.undo()
    fs.write(file, (b" after",))
    assert (tmp_path / "file").read_bytes() == b"before " + b"".join(buffers) + b" after"


@pytest.mark.parametrize("at_most", [10_000, 1, 3])
def test_read_is_short_only_at_the_end(fs, file, monkeypatch, at_most):
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda file, length, offset: pread(file, min(length, at_most), offset))
    fs.write(file, (b"0123456789",))
    assert fs.read(file, 0, 10) == b"0123456789"
    assert fs.read(file, 3, 4) == b"3456"
    assert fs.read(file, 8, 100) == b"89"
    assert fs.read(file, 10, 1) == b""
    assert fs.read(file, 100, 1) == b""


def test_rename_gives_another_name(fs, tmp_path):
    (tmp_path / "old").write_bytes(b"content")
    fs.rename(str(tmp_path / "old"), str(tmp_path / "new"))
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    assert (tmp_path / "new").read_bytes() == b"content"


def test_rename_never_takes_the_place_of_another_file(fs, tmp_path):
    (tmp_path / "old").write_bytes(b"new content")
    (tmp_path / "new").write_bytes(b"what was there")
    with pytest.raises(FileExistsError):
        fs.rename(str(tmp_path / "old"), str(tmp_path / "new"))
    assert (tmp_path / "new").read_bytes() == b"what was there"
    assert (tmp_path / "old").read_bytes() == b"new content"


def test_a_rename_that_fails_half_way_leaves_the_old_name_alone(fs, tmp_path, monkeypatch):
    old = tmp_path / "old"
    old.touch()
    unlink = os.unlink

    def unlink_but_old(path):
        if path == str(old):
            raise OSError(5, "Input/output error")
        unlink(path)

    monkeypatch.setattr(os, "unlink", unlink_but_old)
    with pytest.raises(OSError, match="Input/output error"):
        fs.rename(str(old), str(tmp_path / "new"))
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_a_removed_file_is_still_read_by_who_has_it_open(fs, file, tmp_path):
    fs.write(file, (b"still here",))
    fs.remove(str(tmp_path / "file"))
    assert not (tmp_path / "file").exists()
    assert fs.read(file, 0, 10) == b"still here"


def test_directories_are_made_listed_and_removed(fs, tmp_path):
    directory = tmp_path / "directory"
    fs.make_directory(str(directory))
    assert directory.stat().st_mode & 0o007 == 0
    with pytest.raises(FileExistsError):
        fs.make_directory(str(directory))
    (directory / "entry").touch()
    assert fs.entries(str(directory)) == ["entry"]
    with pytest.raises(OSError, match="not empty"):
        fs.remove_directory(str(directory))
    fs.remove(str(directory / "entry"))
    fs.remove_directory(str(directory))
    assert not directory.exists()


def test_what_is_synced_is_the_file_and_the_directory_itself(fs, file, tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.readlink(f"/proc/self/fd/{file}")))
    fs.sync(file)
    fs.sync_directory(str(tmp_path))
    assert synced == [str(tmp_path / "file"), str(tmp_path)]


def test_syncing_a_directory_leaves_no_descriptor_even_if_it_fails(fs, tmp_path, monkeypatch):
    def failing_fsync(file):
        raise OSError(5, "Input/output error")

    before = descriptors()
    fs.sync_directory(str(tmp_path))
    monkeypatch.setattr(os, "fsync", failing_fsync)
    with pytest.raises(OSError, match="Input/output error"):
        fs.sync_directory(str(tmp_path))
    assert descriptors() == before


def test_a_file_is_no_directory_to_sync(fs, file, tmp_path):
    with pytest.raises(NotADirectoryError):
        fs.sync_directory(str(tmp_path / "file"))


def test_free_space_is_what_this_process_may_use(fs, tmp_path, monkeypatch):
    class Status:
        f_bavail, f_bfree, f_frsize, f_bsize = 10, 99, 512, 4096

    monkeypatch.setattr(os, "statvfs", lambda path: Status)
    assert fs.free_space(str(tmp_path)) == 5120


def test_a_lock_is_had_by_one_until_it_is_closed(fs, tmp_path):
    path = str(tmp_path / "lock")
    before = descriptors()
    first = fs.lock(path, wait=False)
    assert first is not None
    assert not os.get_inheritable(first)
    assert fs.lock(path, wait=False) is None
    fs.close(first)
    second = fs.lock(path, wait=True)
    assert fs.lock(path, wait=False) is None
    fs.close(second)
    assert descriptors() == before


def test_a_lock_that_cannot_be_asked_for_leaves_no_descriptor(fs, tmp_path, monkeypatch):
    def no_locks(file, operation):
        raise OSError(37, "No locks available")

    before = descriptors()
    monkeypatch.setattr("fcntl.flock", no_locks)
    with pytest.raises(OSError, match="No locks available"):
        fs.lock(str(tmp_path / "lock"), wait=True)
    assert descriptors() == before


def test_what_is_on_its_way_to_the_disk_is_there_to_be_read_and_written_after(fs, tmp_path):
    file = fs.create(str(tmp_path / "file"))
    fs.write(file, [b"a" * 100_000])
    fs.begin_write_out(file, 0, 100_000)
    fs.write(file, [b"b" * 100_000])
    fs.begin_write_out(file, 100_000, 100_000)
    assert fs.read(file, 0, 300_000) == b"a" * 100_000 + b"b" * 100_000
    fs.close(file)


def test_that_it_cannot_be_is_no_fault(fs):
    reading, writing = os.pipe()
    fs.begin_write_out(writing, 0, 10)
    os.close(reading)
    os.close(writing)
