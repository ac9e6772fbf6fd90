"""A reception holds little, takes few jobs, keeps the order, and leaves nothing behind when it fails."""

from __future__ import annotations

import errno
import hashlib
import weakref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import ensureDeferred
from zope.interface.verify import verifyObject

from sdcc.archive.reception import BATCH, cause
from sdcc.interfaces import (
    CannotUnderstand,
    IReception,
    OutOfResources,
)

LARGE = bytes(range(256)) * (3 * BATCH // 256)


def test_it_is_a_reception(store, open_reception, build):
    reception, _ = open_reception(store)
    verifyObject(IReception, reception)
    build.result_of(reception.abandon())


def test_begin_touches_no_disk(store, open_reception, build):
    reception, _ = open_reception(store)
    reception.write(memoryview(b"some bytes"))
    assert store.disk.calls == []
    build.result_of(reception.abandon())
    assert store.disk.calls == []


# --- jobs ----------------------------------------------------------------------------------


def test_a_small_object_takes_one_job_and_few_calls(slow_store, threads, open_reception, build):
    for _ in range(2):
        slow_store.disk.calls.clear()
        reception, written = open_reception(slow_store)
        data = build.data_set(pixels=bytes(15_000))
        build.write(reception, data, piece=1000)
        stored = ensureDeferred(reception.complete())
        assert written == []
        threads.run()
        assert stored.called
        assert written == [len(data)]
        assert threads.waiting == []
    *calls, last = slow_store.disk.calls
    assert [call for call, path in calls] == ["create", "write", "sync", "close", "rename"]
    assert last == ("sync_directory", "objects/2026/07/04/1.2.3/1.2.3.1")


def test_a_job_begins_when_a_batch_has_gathered_and_takes_all_of_it(
    slow_store, threads, open_reception, build
):
    reception, written = open_reception(slow_store)
    reception.write(memoryview(bytes(BATCH - 1)))
    assert threads.waiting == []
    reception.write(memoryview(b"x"))
    assert len(threads.waiting) == 1
    build.write(reception, LARGE)
    assert len(threads.waiting) == 1, "one job at a time"
    threads.run()
    assert written == [BATCH]
    assert len(threads.waiting) == 1
    threads.run()
    assert written == [BATCH, len(LARGE)]
    assert threads.waiting == []
    done = ensureDeferred(reception.abandon())
    threads.run()
    assert done.called


def test_complete_waits_for_the_running_job_and_then_does_all_the_rest_in_one(
    slow_store, threads, open_reception, build
):
    reception, written = open_reception(slow_store)
    data = build.data_set(pixels=LARGE)
    build.write(reception, data)
    stored = ensureDeferred(reception.complete())
    assert len(threads.waiting) == 1
    threads.run()
    assert len(threads.waiting) == 1
    assert not stored.called
    threads.run()
    assert stored.result.file.sha256 == hashlib.sha256(data).hexdigest()
    assert sum(written) == len(data)
    assert slow_store.files("objects") == [stored.result.file.path]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_however_the_bytes_are_cut_the_file_is_the_same(tmp_path_factory, build, data):
    threads = build.Threads()
    store = build.Store(tmp_path_factory.mktemp("split"), run_in_thread=threads)
    store.objects.prepare()
    content = build.data_set(pixels=bytes(range(251)) * 2800)
    cuts = data.draw(st.lists(st.integers(0, len(content)), max_size=30).map(sorted))
    written = []
    reception = store.objects.begin(build.announcement(), written.append)
    view = memoryview(content)
    for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True):
        reception.write(view[start:end])
        if threads.waiting and data.draw(st.booleans()):
            threads.run()
    stored = ensureDeferred(reception.complete())
    threads.run_all()
    file = stored.result.file
    with open(store.objects.absolute(file.path), "rb") as lying:
        everything = lying.read()
    assert everything[-len(content) :] == content
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    assert (file.size, file.data_set_size) == (len(everything), len(content))
    assert sum(written) == len(content)
    ensureDeferred(store.objects.stop())
    threads.run_all()


@pytest.mark.parametrize("size", [1, 4096, 1 << 16])
def test_fragments_keep_no_buffer_of_the_network(slow_store, threads, open_reception, size):
    class Buffer(bytearray):
        """One that can be watched."""

    reception, _ = open_reception(slow_store)
    buffer = Buffer(1 << 16)
    kept = weakref.ref(buffer)
    reception.write(memoryview(buffer)[:size])
    del buffer
    assert kept() is None


@pytest.mark.parametrize("fault", [None, OSError(errno.ENOSPC, "full"), CannotUnderstand(), TypeError()])
@pytest.mark.parametrize("size", [BATCH - 1, BATCH], ids=["one job", "two jobs"])
def test_after_its_job_a_fragment_is_not_kept_in_memory(
    *, make_store, threads, open_reception, build, fault, size
):
    class Buffer(bytearray):
        """One that can be watched."""

    def parse(read, size, transfer_syntax_uid):
        if fault:
            raise fault
        return build.parser_of()(read, size, transfer_syntax_uid)

    store = make_store(run_in_thread=threads, parse=parse)
    if isinstance(fault, OSError):
        store.disk.fail("write", fault.errno)
    reception, written = open_reception(store)
    buffer = Buffer(size)
    kept = weakref.ref(buffer)
    reception.write(memoryview(buffer))
    del buffer
    outcome = []
    ensureDeferred(reception.complete()).addBoth(outcome.append)
    threads.run_all()
    assert sum(written) == size
    assert kept() is None


def test_a_sender_who_waits_for_on_written_keeps_memory_bounded(slow_store, threads, build):
    """64 MiB, never more than 1 MiB of it waiting."""
    limit, waiting, highest = 1 << 20, 0, 0

    def on_written(size):
        nonlocal waiting
        waiting -= size

    reception = slow_store.objects.begin(build.announcement(), on_written)
    hashed = hashlib.sha256()
    start = build.data_set(pixels=b"")[:-4] + (1 << 26).to_bytes(4, "little")
    piece = bytes(range(256)) * 64
    for number in range(1 + (1 << 26) // len(piece)):
        data = piece if number else start
        hashed.update(data)
        waiting += len(data)
        highest = max(highest, waiting)
        reception.write(memoryview(data))
        while waiting > limit:
            threads.run()
    stored = ensureDeferred(reception.complete())
    threads.run_all()
    assert stored.result.file.sha256 == hashed.hexdigest()
    assert stored.result.file.data_set_size == len(start) + (1 << 26)
    assert waiting == 0
    assert highest <= limit + len(piece)


def test_the_time_of_reception_is_that_of_the_last_byte(slow_store, threads, open_reception, build):
    reception, _ = open_reception(slow_store)
    build.write(reception, build.data_set(pixels=LARGE))
    stored = ensureDeferred(reception.complete())
    slow_store.received_at = None
    threads.run_all()
    assert stored.result.file.received_at == build.RECEIVED_AT


# --- faults --------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [2, 3])
def test_a_disk_that_fills_up_in_the_middle_frees_what_was_taken_at_once(
    slow_store, threads, open_reception, build, at
):
    slow_store.disk.fail("write", errno.ENOSPC, at=at)
    reception, written = open_reception(slow_store)
    for _ in range(at):
        reception.write(memoryview(bytes(BATCH)))
        threads.run_all()
    assert slow_store.is_empty()
    assert sum(written) == at * BATCH
    calls = len(slow_store.disk.calls)
    reception.write(memoryview(bytes(5 * BATCH)))
    assert sum(written) == (at + 5) * BATCH, "what follows is let go at once"
    assert threads.waiting == []
    assert len(slow_store.disk.calls) == calls
    with pytest.raises(OutOfResources, match=r"^disk full$"):
        build.result_of(reception.complete())


def test_a_job_that_breaks_ends_the_reception_with_a_trace(store, open_reception, build, logged):
    store.disk.real.write = None
    reception, written = open_reception(store)
    build.write(reception, LARGE)
    assert [event["log_failure"].type for event in logged if "log_failure" in event] == [TypeError]
    logged.clear()
    with pytest.raises(OutOfResources, match=r"^internal error$"):
        build.result_of(reception.complete())
    assert sum(written) == len(LARGE)
    assert store.is_empty()


def test_an_object_too_large_is_refused_as_soon_as_it_is_known(make_store, threads, open_reception, build):
    store = make_store(run_in_thread=threads, maximum_object_size=2 * BATCH)
    reception, written = open_reception(store)
    reception.write(memoryview(bytes(2 * BATCH)))
    threads.run_all()
    assert len(store.files("incoming")) == 1
    reception.write(memoryview(b"x"))
    threads.run_all()
    assert store.is_empty()
    reception.write(memoryview(bytes(BATCH)))
    assert sum(written) == 3 * BATCH + 1
    with pytest.raises(OutOfResources) as raised:
        build.result_of(reception.complete())
    assert str(raised.value) == f"object over maximum_object_size ({2 * BATCH} bytes)"


def test_an_object_just_as_large_as_allowed_is_kept(make_store, build):
    data = build.data_set()
    store = make_store(maximum_object_size=len(data))
    assert store.receive(build.announcement(), data).file.data_set_size == len(data)
    with pytest.raises(OutOfResources):
        store.receive(build.announcement(), data + b"x")


@pytest.mark.parametrize("pixels", [b"\x01\x02" * 500, LARGE], ids=["small", "large"])
def test_an_object_that_would_take_the_floor_is_not_kept(make_store, build, pixels):
    data = build.data_set(pixels=pixels)
    store = make_store(minimum_free=1000)
    store.objects._space._free = 1000 + len(data) - 1
    with pytest.raises(OutOfResources, match=r"^free space is under minimum_free$"):
        store.receive(build.announcement(), data)
    assert store.is_empty()
    store.objects._space._free = 1000 + len(data)
    store.receive(build.announcement(), data)


# --- abandonment ---------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, BATCH - 1, BATCH, 3 * BATCH])
@pytest.mark.parametrize("jobs", [0, 1, 2])
def test_at_whatever_moment_it_is_abandoned_nothing_stays(
    *, build, slow_store, threads, open_reception, size, jobs
):
    reception, written = open_reception(slow_store)
    build.write(reception, bytes(size))
    for _ in range(min(jobs, len(threads.waiting))):
        threads.run()
    done = ensureDeferred(reception.abandon())
    again = ensureDeferred(reception.abandon())
    threads.run_all()
    assert done.called
    assert again.called
    assert sum(written) == size
    assert slow_store.is_empty()
    reception.write(memoryview(b"late"))
    assert sum(written) == size + 4


def test_abandonment_waits_for_the_running_job(slow_store, threads, open_reception):
    reception, written = open_reception(slow_store)
    append = reception._partial.append
    abandoned = []

    def append_meanwhile(block):
        abandoned.append(ensureDeferred(reception.abandon()))
        append(block)

    reception._partial.append = append_meanwhile
    reception.write(memoryview(bytes(BATCH)))
    reception.write(memoryview(bytes(10_000)))
    threads.run()
    (done,) = abandoned
    assert written == [10_000, BATCH], "what no thread has taken is let go first"
    assert not done.called
    threads.run()
    assert done.called
    assert slow_store.is_empty()


def test_a_block_that_waits_for_a_thread_is_let_go_at_once(slow_store, threads, open_reception):
    """Where the disk hangs no thread comes, and who leaves and calls again must not fill the memory."""
    reception, written = open_reception(slow_store)
    reception.write(memoryview(bytes(BATCH)))
    done = ensureDeferred(reception.abandon())
    assert sum(written) == BATCH
    slow_store.disk.calls.clear()
    threads.run_all()
    assert done.called
    assert sum(written) == BATCH
    assert slow_store.disk.calls == []


def test_a_file_that_another_has_removed_already_is_no_fault(store, open_reception, build, logged):
    reception, _ = open_reception(store)
    reception.write(memoryview(bytes(BATCH)))
    (partial,) = store.files("incoming")
    (store.root / partial).unlink()
    build.result_of(reception.abandon())
    assert [event for event in logged if event["log_level"].name == "warn"] == []


@pytest.mark.parametrize("call", ["close", "remove"])
def test_abandonment_never_raises(store, open_reception, build, logged, call):
    store.disk.fail(call, errno.EIO)
    reception, _ = open_reception(store)
    reception.write(memoryview(bytes(BATCH)))
    build.result_of(reception.abandon())
    assert [event["log_level"].name for event in logged if event["log_level"].name != "debug"] == ["warn"]


def test_abandonment_never_raises_even_if_there_is_no_thread_left(
    slow_store, threads, open_reception, build, logged
):
    reception, _ = open_reception(slow_store)
    reception.write(memoryview(bytes(BATCH)))
    threads.run_all()

    def no_thread(call, /, *arguments):
        raise RuntimeError("the pool is closed")

    reception._run_in_thread = no_thread
    build.result_of(reception.abandon())
    assert [event["log_failure"].type for event in logged if "log_failure" in event] == [RuntimeError]
    logged.clear()
    reception._partial.discard()


def test_an_abandoned_object_cannot_be_completed(store, open_reception, build):
    reception, _ = open_reception(store)
    build.write(reception, build.data_set())
    build.result_of(reception.abandon())
    with pytest.raises(OutOfResources, match=r"^abandoned$"):
        build.result_of(reception.complete())
    assert store.is_empty()


def test_an_object_that_is_complete_is_not_abandoned_any_more(store, open_reception, build):
    reception, _ = open_reception(store)
    build.write(reception, build.data_set())
    stored = build.result_of(reception.complete())
    build.result_of(reception.abandon())
    assert store.files("objects") == [stored.file.path]


def test_abandonment_while_it_is_made_durable_waits_and_keeps_it(slow_store, threads, open_reception, build):
    reception, _ = open_reception(slow_store)
    build.write(reception, build.data_set())
    stored = ensureDeferred(reception.complete())
    done = ensureDeferred(reception.abandon())
    assert not done.called
    threads.run_all()
    assert done.called
    assert slow_store.files("objects") == [stored.result.file.path]


def test_abandonment_before_the_last_job_keeps_nothing(slow_store, threads, open_reception, build):
    reception, _ = open_reception(slow_store)
    build.write(reception, build.data_set(pixels=LARGE))
    stored = ensureDeferred(reception.complete())
    done = ensureDeferred(reception.abandon())
    outcome = []
    stored.addBoth(outcome.append)
    threads.run_all()
    assert done.called
    assert outcome[0].type is OutOfResources
    assert slow_store.is_empty()


@pytest.mark.parametrize("number", [*errno.errorcode, None])
def test_a_cause_fits_an_error_comment_and_names_no_path(number):
    error = OSError(number, "text", "/secret/1.2.3") if number else OSError("/secret/1.2.3")
    text = cause(error)
    assert 0 < len(text) <= 64
    assert "/secret" not in text
