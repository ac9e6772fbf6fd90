"""Builders of the archive's tests: a disk that records and fails, threads that a test runs, a store."""

from __future__ import annotations

import datetime
import itertools
import os
import struct

import pytest
from twisted.internet.defer import Deferred, ensureDeferred, execute
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

from sdcc.archive.attributes import ParsedDataSet
from sdcc.archive.filesystem import FileSystem
from sdcc.archive.objects import ObjectStore
from sdcc.conformance import EXPLICIT_VR_LITTLE_ENDIAN
from sdcc.interfaces import Announcement, Instance, Provenance, Series, Study

CT = "1.2.840.10008.5.1.4.1.1.2"
RECEIVED_AT = datetime.datetime(2026, 7, 4, 23, 59, 58, tzinfo=datetime.UTC)


class Disk:
    """The real file system, that writes down what is asked of it and fails where a test wants it to."""

    def __init__(self, root):
        self.root = root
        self.real = FileSystem()
        #: (call, path relative to the storage directory) in order.
        self.calls = []
        #: Descriptor to path, of what is open.
        self.open = {}
        self.faults = []
        #: Whether what the kernel has in memory is known.
        self.is_cached = False
        #: What then is not, of each file; and how often it was asked.
        self.not_cached = range(0)
        self.reads_cached = 0

    def open_cached(self, path):
        file = self.real.open_cached(path) if self.is_cached else None
        if file is not None:
            self.open[file] = path
        return file

    def read_cached(self, file, offset, length):
        self.reads_cached += 1
        if not self.is_cached or offset in self.not_cached:
            return bytearray()
        if offset < self.not_cached.start:
            length = min(length, self.not_cached.start - offset)
        return self.real.read_cached(file, offset, length)

    def fail(self, call, number, *, at=1, path=""):
        """Let the `at`-th call from now on, of those whose path contains `path`, fail with an errno."""
        self.faults.append([call, path, at, number])

    def called(self, *names):
        return [path for call, path in self.calls if call in names]

    def __getattr__(self, name):
        call = getattr(self.real, name)

        def recorded(subject, *arguments, **keywords):
            path = os.path.relpath(self.open.get(subject, subject), self.root)
            self.calls.append((name, path))
            if name == "close":
                call(subject)
                del self.open[subject]
            self.fail_if_planned(name, path)
            if name == "close":
                return None
            result = call(subject, *arguments, **keywords)
            if name in ("create", "lock", "open_existing") and result is not None:
                self.open[result] = subject
            return result

        return recorded

    def fail_if_planned(self, name, path):
        for fault in self.faults:
            call, part, at, number = fault
            if call == name and part in path:
                fault[2] = at - 1
                if at == 1:
                    raise OSError(number, os.strerror(number), f"/secret/{path}")


def at_once(call, /, *arguments):
    """A thread pool whose jobs are done before they are waited for."""
    return execute(call, *arguments)


class Threads:
    """A thread pool in which nothing happens until the test says so."""

    def __init__(self):
        self.waiting = []

    def __call__(self, call, /, *arguments):
        done = Deferred()
        self.waiting.append((call, arguments, done))
        return done

    def run(self, index=0):
        call, arguments, done = self.waiting.pop(index)
        try:
            result = call(*arguments)
        except Exception:
            result = Failure()
        del call, arguments  # as Twisted's threads do; a traceback would keep them
        done.callback(result)

    def run_all(self):
        while self.waiting:
            self.run()


class Store:
    """An object store on a temporary directory, and everything it was given."""

    def __init__(self, root, *, run_in_thread=at_once, **settings):
        self.root = root
        self.disk = Disk(root)
        self.clock = Clock()
        self.received_at = RECEIVED_AT
        self.tokens = (f"token{number}" for number in itertools.count())
        self.objects = ObjectStore(
            root,
            **{
                "filesystem": self.disk,
                "run_in_thread": run_in_thread,
                "read_in_thread": run_in_thread,
                "clock": self.clock,
                "minimum_free": 0,
                "maximum_object_size": 1 << 30,
                "new_token": lambda: next(self.tokens),
                "now": lambda: self.received_at,
                **settings,
            },
        )

    def receive(self, announcement, data, *, piece=16370):
        """Receive a whole object; gives the StoredObject or raises, where every job is done at once."""
        reception = self.objects.begin(announcement, lambda size: None)
        write(reception, data, piece)
        return result_of(reception.complete())

    def is_empty(self):
        """Whether no file is left of any object."""
        return self.files("incoming") == self.files("objects") == []

    def files(self, top):
        """The paths of all files under a part of the storage directory, but for locks."""
        return sorted(
            str(path.relative_to(self.root))
            for path in (self.root / top).rglob("*")
            if path.is_file() and path.name != "lock"
        )


def write(reception, data, piece=16370):
    """Write a Data Set to a reception, in pieces."""
    for start in range(0, len(data), piece):
        reception.write(memoryview(data)[start : start + piece])


def result_of(coroutine):
    """What a coroutine that has nothing to wait for returns or raises."""
    results = []
    ensureDeferred(coroutine).addBoth(results.append)
    assert results, "still waiting"
    if isinstance(results[0], Failure):
        results[0].raiseException()
    return results[0]


def announcement(**changes):
    return Announcement(
        **{
            "sop_class_uid": CT,
            "sop_instance_uid": "1.2.3.4",
            "transfer_syntax_uid": EXPLICIT_VR_LITTLE_ENDIAN,
            "provenance": Provenance(calling_ae="CT01", called_ae="SDCC", calling_address="192.0.2.7"),
            **changes,
        }
    )


def element(group, number, vr, value):
    """An element in Explicit VR Little Endian."""
    if vr in (b"OW", b"OB", b"UN"):
        return struct.pack("<HH2s2xL", group, number, vr, len(value)) + value
    return struct.pack("<HH2sH", group, number, vr, len(value)) + value


def data_set(*, sop_class=CT, instance="1.2.3.4", study="1.2.3", series="1.2.3.1", pixels=b"\x01\x02" * 64):
    """A Data Set in Explicit VR Little Endian; None leaves an element out."""

    def uid(group, number, value):
        value = None if value is None else value.encode()
        return b"" if value is None else element(group, number, b"UI", value + b"\0" * (len(value) % 2))

    return b"".join(
        (
            uid(0x0008, 0x0016, sop_class),
            uid(0x0008, 0x0018, instance),
            uid(0x0020, 0x000D, study),
            uid(0x0020, 0x000E, series),
            element(0x7FE0, 0x0010, b"OW", pixels),
        )
    )


def parser_of(*, sop_class=CT, instance="1.2.3.4", study="1.2.3", series="1.2.3.1", fault=None):
    """A parser that looks at nothing and says the same of every Data Set."""

    def parse(read, size, transfer_syntax_uid):
        return ParsedDataSet(
            study=Study(study_instance_uid=study),
            series=Series(series_instance_uid=series),
            instance=Instance(sop_instance_uid=instance, sop_class_uid=sop_class),
            fault=fault,
        )

    return parse


class Builders:
    """What the tests build with."""

    CT = CT
    RECEIVED_AT = RECEIVED_AT
    Disk = Disk
    Threads = Threads
    Store = Store
    announcement = staticmethod(announcement)
    data_set = staticmethod(data_set)
    parser_of = staticmethod(parser_of)
    write = staticmethod(write)
    result_of = staticmethod(result_of)
    at_once = staticmethod(at_once)


@pytest.fixture(scope="session")
def build():
    return Builders


@pytest.fixture
def disk(tmp_path):
    return Disk(tmp_path)


@pytest.fixture
def make_store(tmp_path):
    """Makes a prepared store; at the end each must have closed what it opened."""
    stores = []

    def make(**settings):
        store = Store(tmp_path / "storage", **settings)
        store.objects.prepare()
        store.disk.calls.clear()
        stores.append(store)
        return store

    yield make
    for store in stores:
        kept = [path for path in store.disk.open.values() if not path.endswith("/lock")]
        assert kept == [], "descriptors leaked"
        store.disk.faults.clear()
        store.objects._run_in_thread = at_once
        result_of(store.objects.stop())
        assert store.disk.open == {}


@pytest.fixture
def store(make_store):
    return make_store()


@pytest.fixture
def threads(build):
    return build.Threads()


@pytest.fixture
def slow_store(make_store, threads):
    """A store whose jobs run when the test says so."""
    return make_store(run_in_thread=threads)


@pytest.fixture
def open_reception(build):
    """Opens a reception; gives it and the list of what it said was written."""

    def open_reception(store, **changes):
        written = []
        return store.objects.begin(build.announcement(**changes), written.append), written

    return open_reception


@pytest.fixture(autouse=True)
def logged():
    """The events logged; a failure among them that the test does not clear away fails the test."""
    events = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)
    assert [event for event in events if "log_failure" in event] == []
