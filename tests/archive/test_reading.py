"""A Data Set read back for sending: bit for bit, in few jobs, in bounded memory, closed in all cases."""

from __future__ import annotations

import errno
import os

import pytest
from twisted.internet.defer import ensureDeferred
from zope.interface.verify import verifyObject

from sdcc.archive.part10 import COUNTED_FROM, LONGEST_HEAD
from sdcc.archive.reading import BLOCK, SMALL, Closing
from sdcc.interfaces import IScratchFile, OutOfResources


async def blocks_of(iterator):
    return [block async for block in iterator]


@pytest.fixture
def received(build):
    """Receives an object with so many bytes of pixels: its StoredFile, and its Data Set."""

    def received(store, size):
        data = build.data_set(pixels=os.urandom(size))
        return store.receive(build.announcement(), data).file, data

    return received


@pytest.fixture
def blocks(build):
    return lambda store, file: build.result_of(blocks_of(store.objects.read(file.path, file.data_set_size)))


@pytest.mark.parametrize("size", [0, 2, BLOCK, SMALL - 2000, SMALL, SMALL + BLOCK, 5 * BLOCK + 2])
def test_the_data_set_is_read_as_it_was_received(store, received, blocks, size):
    file, data = received(store, size)
    assert b"".join(blocks(store, file)) == data


def test_a_small_file_is_opened_read_and_closed_by_one_job(slow_store, threads, build):
    data = build.data_set(pixels=b"ab" * 1000)
    reception = slow_store.objects.begin(build.announcement(), lambda size: None)
    build.write(reception, data)
    completed = ensureDeferred(reception.complete())
    threads.run_all()
    file = completed.result.file
    slow_store.disk.calls.clear()
    read = ensureDeferred(blocks_of(slow_store.objects.read(file.path, file.data_set_size)))
    threads.run()
    assert read.result == [data]
    assert threads.waiting == []
    assert [call for call, _ in slow_store.disk.calls] == ["open_existing", "status", "read", "read", "close"]


def test_nothing_is_opened_before_the_first_block_is_asked_for(store, received):
    file, _ = received(store, 10)
    store.disk.calls.clear()
    store.objects.read(file.path, file.data_set_size)
    assert store.disk.calls == []


def test_of_a_large_file_one_block_is_read_ahead_and_no_more(store, received, build):
    file, _ = received(store, SMALL + 4 * BLOCK)
    store.disk.calls.clear()
    iterator = store.objects.read(file.path, file.data_set_size)
    for so_far in (3, 4, 5):  # the head is read too
        assert len(build.result_of(anext(iterator))) <= BLOCK
        assert len(store.disk.called("read")) == so_far
    build.result_of(iterator.aclose())
    assert store.disk.called("close") == [file.path]


def test_a_reader_that_has_had_enough_leaves_nothing_open(store, received, build):
    """Whether it says so or just drops what it has."""
    file, _ = received(store, SMALL + 4 * BLOCK)
    store.disk.calls.clear()
    iterator = store.objects.read(file.path, file.data_set_size)
    build.result_of(anext(iterator))
    del iterator
    assert store.disk.called("close") == [file.path]


def test_a_reader_that_leaves_while_a_block_is_read_leaves_nothing_open(make_store, threads, build):
    store = make_store()
    data = build.data_set(pixels=bytes(SMALL + 4 * BLOCK))
    file = store.receive(build.announcement(), data).file
    store.objects._run_in_thread = threads
    iterator = store.objects.read(file.path, file.data_set_size)
    first = ensureDeferred(anext(iterator))
    threads.run()
    assert len(first.result) <= BLOCK
    assert len(threads.waiting) == 1
    build.result_of(iterator.aclose())
    threads.run(1)  # the closing comes first
    threads.run()
    assert store.disk.called("open_existing") == store.disk.called("close")[-1:] == [file.path]
    assert [path for path in store.disk.open.values() if not path.endswith("/lock")] == []


# --- what the kernel has in memory -----------------------------------------------------------


@pytest.fixture
def cached(make_store, threads):
    """A store whose disk has all in memory, and whose threads do nothing until they are told to."""

    stores = []

    def cached(received, size):
        store = make_store()
        stores.append(store)
        file, data = received(store, size)
        store.disk.close(store.disk.open_existing(store.objects.absolute(file.path)))
        if (again := store.disk.real.open_cached(store.objects.absolute(file.path))) is None:
            pytest.skip("this disk does not tell what the kernel has in memory")
        store.disk.real.close(again)
        store.disk.calls.clear()
        store.disk.is_cached = True
        store.objects._run_in_thread = store.objects._closing._run_in_thread = threads
        return store, file, data

    yield cached
    for store in stores:
        store.objects._closing.close_all()
    threads.run_all()


@pytest.mark.parametrize("size", [0, 2, SMALL - 2000, SMALL, SMALL + BLOCK, 5 * BLOCK + 2])
def test_what_is_in_memory_is_read_without_a_thread(cached, received, blocks, threads, size):
    store, file, data = cached(received, size)
    assert b"".join(blocks(store, file)) == data
    assert threads.waiting == []
    assert store.disk.calls == []


def test_a_small_file_in_memory_is_read_in_one_go(cached, received, blocks):
    """The time that the peer waits is short of all else."""
    store, file, data = cached(received, SMALL - 2000)
    assert blocks(store, file) == [data]
    assert store.disk.reads_cached == 1


@pytest.mark.parametrize("missing", [0, COUNTED_FROM - 1, COUNTED_FROM, None, LONGEST_HEAD, 4096, BLOCK - 1])
@pytest.mark.parametrize("size", [10_000, SMALL + BLOCK])
def test_a_file_that_is_not_all_in_memory(cached, received, threads, size, missing):
    """A thread waits for what is missing and all after it, and no byte is lost between.

    :param missing: from where; None: from the Data Set on.
    """
    store, file, data = cached(received, size)
    if missing is None:
        missing = (store.root / file.path).stat().st_size - file.data_set_size
    store.disk.not_cached = range(missing, missing + 1000)
    reading = ensureDeferred(blocks_of(store.objects.read(file.path, file.data_set_size)))
    threads.run_all()
    assert b"".join(reading.result) == data


@pytest.mark.parametrize(("size", "longer"), [(10_000, LONGEST_HEAD), (SMALL + BLOCK, BLOCK)])
def test_a_file_in_memory_with_a_longer_head_is_read_by_a_thread(cached, received, threads, size, longer):
    """It is whose it may be, not SDCC's own."""
    store, file, data = cached(received, size)
    head = b"".join((bytes(128), b"DICM\2\0\0\0UL\4\0", longer.to_bytes(4, "little")))
    (store.root / file.path).write_bytes(head + bytes(longer) + data)
    reading = ensureDeferred(blocks_of(store.objects.read(file.path, file.data_set_size)))
    assert len(threads.waiting) == 1
    threads.run_all()
    assert b"".join(reading.result) == data


def test_what_was_read_from_memory_is_closed_by_a_thread_before_long(cached, received, blocks, threads):
    store, file, _ = cached(received, 10)
    for _ in range(Closing.MOST - 1):
        blocks(store, file)
    assert threads.waiting == []
    store.clock.advance(Closing.PAUSE)
    threads.run()
    assert len(store.disk.called("close")) == Closing.MOST - 1
    for _ in range(Closing.MOST):
        blocks(store, file)
    threads.run()
    assert len(store.disk.called("close")) == 2 * Closing.MOST - 1
    store.clock.advance(Closing.PAUSE)
    assert threads.waiting == []


def test_a_stop_closes_what_was_read(cached, received, blocks, threads):
    store, file, _ = cached(received, 10)
    blocks(store, file)
    stopped = ensureDeferred(store.objects.stop())
    threads.run()
    assert store.disk.called("close")[0] == file.path
    threads.run_all()
    assert stopped.called


def test_what_is_no_more_in_memory_is_waited_for_by_a_thread(cached, received, build, threads):
    """From the block on that is not there any more."""
    store, file, data = cached(received, SMALL + 4 * BLOCK)
    iterator = store.objects.read(file.path, file.data_set_size)
    got = [build.result_of(anext(iterator))]  # and the second is there already
    store.disk.is_cached = False
    got.append(build.result_of(anext(iterator)))
    reading = ensureDeferred(blocks_of(iterator))
    threads.run_all()
    assert b"".join([*got, *reading.result]) == data
    assert store.disk.called("open_existing") == []
    assert store.disk.called("close") == [file.path]


def test_a_file_in_memory_that_is_not_of_the_size_that_was_received(cached, received, build, threads):
    """A thread looks what is wrong with it, and says so."""
    store, file, _ = cached(received, 10)
    for size in (file.data_set_size - 1, file.data_set_size + 1):
        first = ensureDeferred(anext(store.objects.read(file.path, size)))
        threads.run_all()
        assert first.result.check(OSError), "before anything is given"
        assert "the Data Set is not of the size" in str(first.result.value)
        first.addErrback(lambda _: None)
    assert store.disk.called("close") == [file.path] * 2


@pytest.mark.parametrize("longer", [1, 2, 5000])
@pytest.mark.parametrize("size", [10_000, SMALL])
def test_a_file_with_the_longest_head_that_became_longer_is_not_given(
    cached, received, threads, size, longer
):
    """Where one read has all that is wanted, and cannot see that it is not the end."""
    store, file, _ = cached(received, 10)
    rest = LONGEST_HEAD - COUNTED_FROM
    head = b"".join((bytes(128), b"DICM\2\0\0\0UL\4\0", rest.to_bytes(4, "little"), bytes(rest)))
    (store.root / file.path).write_bytes(head + bytes(size + longer))
    first = ensureDeferred(anext(store.objects.read(file.path, size)))
    threads.run_all()
    assert first.result.check(OSError)
    first.addErrback(lambda _: None)


def test_a_large_file_in_memory_that_became_longer_is_not_begun(cached, received, build, threads):
    """What was begun could be ended only by an abort, with all that is to come."""
    store, file, _ = cached(received, SMALL + 4 * BLOCK)
    with (store.root / file.path).open("ab") as opened:
        opened.write(b"\0\0")
    first = ensureDeferred(anext(store.objects.read(file.path, file.data_set_size)))
    threads.run_all()
    assert first.result.check(OSError)
    first.addErrback(lambda _: None)


def test_who_takes_long_over_the_last_block_keeps_nothing_open(cached, received, build, threads):
    store, file, data = cached(received, 10)
    iterator = store.objects.read(file.path, file.data_set_size)
    assert build.result_of(anext(iterator)) == data
    store.clock.advance(Closing.PAUSE)
    threads.run()
    assert store.disk.called("close") == [file.path]
    build.result_of(iterator.aclose())
    assert threads.waiting == []


# --- what cannot be read ---------------------------------------------------------------------


def fails(build, iterator):
    try:
        build.result_of(blocks_of(iterator))
    except OSError as error:
        return error
    pytest.fail("nothing was raised")


def test_a_file_that_is_gone(store, received, build):
    file, _ = received(store, 10)
    build.result_of(store.objects.remove(file.path))
    assert fails(build, store.objects.read(file.path, file.data_set_size)).errno == errno.ENOENT


def test_a_directory_is_no_file(store, received, build):
    file, _ = received(store, 10)
    directory = os.path.dirname(file.path)
    assert fails(build, store.objects.read(directory, file.data_set_size)).strerror == "no regular file"


@pytest.mark.parametrize("size", [10, SMALL + BLOCK])
@pytest.mark.parametrize("change", [-2, 2])
def test_a_data_set_of_another_size_is_not_given(store, received, build, size, change):
    file, _ = received(store, size)
    path = store.root / file.path
    with path.open("r+b") as opened:
        opened.truncate(path.stat().st_size + change)
    error = fails(build, store.objects.read(file.path, file.data_set_size))
    assert error.strerror == "the Data Set is not of the size that was received"


def test_what_is_no_dicom_file_is_not_given(store, received, build):
    file, _ = received(store, 10)
    (store.root / file.path).write_bytes(bytes(file.size))
    assert "DICM" in fails(build, store.objects.read(file.path, file.data_set_size)).strerror


def test_a_file_that_becomes_shorter_while_it_is_read(store, received, build):
    file, _ = received(store, SMALL + 4 * BLOCK)
    iterator = store.objects.read(file.path, file.data_set_size)
    build.result_of(anext(iterator))
    os.truncate(store.root / file.path, 3 * BLOCK)
    assert fails(build, iterator).strerror == "the file has become shorter"


@pytest.mark.parametrize(("call", "at"), [("open_existing", 1), ("status", 1), ("read", 1), ("read", 3)])
def test_a_fault_of_the_disk_reaches_the_reader(store, received, build, call, at):
    file, _ = received(store, SMALL + 4 * BLOCK)
    store.disk.fail(call, errno.EIO, at=at)
    assert fails(build, store.objects.read(file.path, file.data_set_size)).errno == errno.EIO


def test_a_fault_at_closing_costs_nothing_that_was_read(store, received, blocks):
    file, data = received(store, SMALL + BLOCK)
    store.disk.fail("close", errno.EIO)
    assert b"".join(blocks(store, file)) == data


# --- scratch files -----------------------------------------------------------------------------


def test_a_scratch_file_is_read_whole_and_goes(store, build):
    scratch = store.objects.scratch()
    verifyObject(IScratchFile, scratch)
    data = os.urandom(SMALL + BLOCK + 1)
    with open(scratch.path, "wb") as file:
        file.write(data)
    assert b"".join(build.result_of(blocks_of(scratch.read()))) == data
    build.result_of(scratch.remove())
    assert store.files("incoming") == []


def test_an_empty_scratch_file_has_no_blocks(store, build):
    scratch = store.objects.scratch()
    open(scratch.path, "wb").close()
    assert build.result_of(blocks_of(scratch.read())) == []


def test_a_scratch_file_that_was_never_made_may_be_removed(store, build):
    build.result_of(store.objects.scratch().remove())


def test_a_scratch_file_that_cannot_be_removed_is_told_of(store, build, logged):
    scratch = store.objects.scratch()
    open(scratch.path, "wb").close()
    store.disk.fail("remove", errno.EACCES)
    build.result_of(scratch.remove())
    assert [event["error"] for event in logged] == ["Permission denied"]


def test_two_scratch_files_are_two(store):
    assert store.objects.scratch().path != store.objects.scratch().path


def test_a_stop_removes_what_is_left_of_scratch_files(store, build):
    open(store.objects.scratch().path, "wb").close()
    build.result_of(store.objects.stop())
    assert store.files("incoming") == []


def test_there_are_no_scratch_files_where_no_object_is_taken(store, build):
    """Below the floor of free space the disk is left to what must be kept."""
    build.result_of(store.objects.stop())
    with pytest.raises(OutOfResources, match="stopping"):
        store.objects.scratch()
