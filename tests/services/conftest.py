"""An archive and an index of a few lines each, that do as a test tells them."""

from __future__ import annotations

import datetime

import pytest
from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from sdcc.interfaces import (
    IConversation,
    IIndex,
    IndexFigures,
    Instance,
    IObjectStore,
    IReception,
    Provenance,
    Registered,
    Series,
    Session,
    StoredFile,
    StoredObject,
    Study,
)

PROVENANCE = Provenance(calling_ae="CT01", called_ae="SDCC", calling_address="127.0.0.1")


@implementer(IReception)
class Reception:
    def __init__(self, objects, announcement, on_written):
        self.objects = objects
        self.announcement = announcement
        self.on_written = on_written
        self.received = b""
        self.is_abandoned = False

    def write(self, data):
        self.received += data
        self.on_written(len(data))

    async def complete(self):
        if self.objects.fault is not None:
            raise self.objects.fault
        stored = StoredObject(
            study=Study(study_instance_uid="1.2"),
            series=Series(series_instance_uid="1.2.3"),
            instance=Instance(
                sop_instance_uid=self.announcement.sop_instance_uid,
                sop_class_uid=self.announcement.sop_class_uid,
            ),
            file=StoredFile(
                path=f"objects/{len(self.objects.files)}.dcm",
                size=len(self.received) + 400,
                data_set_size=len(self.received),
                sha256="0" * 64,
                transfer_syntax_uid=self.announcement.transfer_syntax_uid,
                received_at=datetime.datetime(2024, 2, 29, tzinfo=datetime.UTC),
                provenance=self.announcement.provenance,
            ),
        )
        self.objects.files.append(stored.file.path)
        return stored

    async def abandon(self):
        self.is_abandoned = True


@implementer(IObjectStore)
class Objects:
    """:ivar fault: what completing a reception raises.
    :ivar removal_fault: what removing a file raises.
    :ivar disk: what a removal waits for; None: nothing.
    :ivar differences: what comparing a file says or raises, by its path; nothing: it is what was received.
    """

    def __init__(self):
        self.refusal = None
        self.free_bytes = None
        self.fault = None
        self.removal_fault = None
        self.disk = None
        self.receptions = []
        #: Every path that has been, and those that are no more.
        self.files = []
        self.removed = []
        self.differences = {}
        self.compared = []

    def prepare(self):
        raise AssertionError("not a service's business")

    async def stop(self):
        raise AssertionError("not a service's business")

    def begin(self, announcement, on_written):
        self.receptions.append(Reception(self, announcement, on_written))
        return self.receptions[-1]

    async def remove(self, path):
        if self.disk is not None:
            await self.disk
        if self.removal_fault is not None:
            raise self.removal_fault
        self.removed.append(path)

    def scratch(self):
        raise AssertionError("not the business of what stores")

    def absolute(self, path):
        return "/" + path

    def read(self, path, data_set_size):
        raise AssertionError("not the business of what stores")

    async def difference(self, kept, goes_on):
        self.compared.append(kept.path)
        difference = self.differences.get(kept.path)
        if isinstance(difference, Exception):
            raise difference
        return difference


@implementer(IIndex)
class Index:
    """Replaces an object of the same SOP Instance UID, as the real ones do.

    :ivar fault: what registering raises, and
    :ivar registers_before_fault: whether the row stands all the same.
    """

    def __init__(self):
        self.refusal = None
        self.figures = IndexFigures({}, doubts=0)
        self.leaves_doubts = False
        self.study_states = None
        self.fault = None
        self.registers_before_fault = False
        self.disown_fault = None
        self.find_fault = None
        self.queries = []
        self.rows = {}

    def prepare(self):
        raise AssertionError("not a service's business")

    def start(self):
        raise AssertionError("not a service's business")

    async def stop(self):
        raise AssertionError("not a service's business")

    async def register(self, stored):
        uid = stored.instance.sop_instance_uid
        if self.fault is not None:
            if self.registers_before_fault:
                self.rows[uid] = stored
            raise self.fault
        replaced, self.rows[uid] = self.rows.get(uid), stored
        return Registered(replaced.file.path if replaced else None)

    async def restore(self, stored, *, over=None):
        raise AssertionError("not a service's business")

    async def paths(self, sop_instance_uids):
        raise AssertionError("not a service's business")

    async def find(self, query):
        """By SOP Instance UID, what proves a file."""
        self.queries.append(query)
        if self.find_fault is not None:
            raise self.find_fault
        [condition] = query.conditions
        for uid in condition.matching.uids:
            if uid in self.rows:
                yield {field: getattr(self.rows[uid].kept, field) for field in query.wanted}

    async def holdings(self, query):
        raise AssertionError("not yet")

    async def disown(self, sop_instance_uid, path):
        if self.disown_fault is not None:
            raise self.disown_fault
        stored = self.rows.get(sop_instance_uid)
        return stored is None or stored.file.path != path

    async def unregister(self, sop_instance_uid, path):
        raise AssertionError("not a service's business")

    async def loose_rows(self):
        raise AssertionError("not a service's business")

    async def remove_loose(self, rows):
        raise AssertionError("not a service's business")

    async def instances(self, study_instance_uid=None):
        raise AssertionError("not a service's business")


@implementer(IConversation)
class Unspoken:
    """What is said of an operation that says nothing before its response."""

    context = None
    is_cancelled = False
    requests = None

    def at_end(self, call):
        raise AssertionError("it needs nobody who listens")

    async def respond(self, outcome):
        raise AssertionError("it has one response")


@pytest.fixture
def objects():
    return Objects()


@pytest.fixture
def index():
    return Index()


@pytest.fixture
def written():
    """The counts that `on_written` was told."""
    return []


@pytest.fixture
def session(written):
    return Session(
        conversation=Unspoken(),
        provenance=PROVENANCE,
        services=frozenset({"verification", "storage"}),
        on_written=written.append,
    )


@pytest.fixture
def result_of():
    """What a coroutine that waits for nothing returns."""
    return lambda coroutine: SynchronousTestCase().successResultOf(ensureDeferred(coroutine))
