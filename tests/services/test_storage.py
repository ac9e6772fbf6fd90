"""C-STORE: what is answered, when, and which files stay."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from zope.interface.verify import verifyObject

from sdcc.conformance import EXPLICIT_VR_LITTLE_ENDIAN
from sdcc.dimse.messages import StoreRequest
from sdcc.dimse.status import Status
from sdcc.interfaces import (
    Announcement,
    CannotUnderstand,
    DataSetMismatch,
    Durations,
    IOperation,
    IServiceProvider,
    NotStored,
    Outcome,
    OutcomeUnknown,
    OutOfResources,
    Registered,
)
from sdcc.services.storage import StorageProvider

CT = "1.2.840.10008.5.1.4.1.1.2"
REQUEST = StoreRequest(message_id=1, affected_sop_class_uid=CT, affected_sop_instance_uid="1.2.3.4")
DATA_SET = b"12345678"
FAULT = RuntimeError("a fault of the program")


class Scene:
    """A provider between its archive and its index."""

    def __init__(self, objects, index, session):
        self.objects = objects
        self.index = index
        self.session = session
        self.congestion = SimpleNamespace(refusal=None)
        self.clock = Clock()
        self.registered = []
        self.provider = StorageProvider(
            objects, index, self.clock, lambda: self.congestion.refusal, self.registered.append
        )

    def store(self, request=REQUEST):
        """A C-STORE with its Data Set given, ready to be completed."""
        operation = self.provider.begin(request, EXPLICIT_VR_LITTLE_ENDIAN, self.session)
        operation.write(memoryview(DATA_SET)[:5])
        operation.write(memoryview(DATA_SET)[5:])
        return operation


@pytest.fixture
def scene(objects, index, session):
    return Scene(objects, index, session)


def test_it_is_a_provider_of_operations(scene):
    assert verifyObject(IServiceProvider, scene.provider)
    assert verifyObject(IOperation, scene.store())


def test_an_object_that_is_kept_and_registered_is_a_success(scene, written, result_of):
    outcome = result_of(scene.store().complete())
    (reception,) = scene.objects.receptions
    assert outcome == Outcome(
        status=Status.SUCCESS, size=8, durations=Durations(0, 0, 0), stored=scene.index.rows["1.2.3.4"]
    )
    assert reception.announcement == Announcement(
        sop_class_uid=CT,
        sop_instance_uid="1.2.3.4",
        transfer_syntax_uid=EXPLICIT_VR_LITTLE_ENDIAN,
        provenance=scene.session.provenance,
    )
    assert reception.received == DATA_SET
    assert written == [5, 3]
    assert scene.index.rows["1.2.3.4"].file.path == scene.objects.files[0]
    assert scene.objects.removed == []


def test_a_study_is_told_of_when_its_object_is_registered_and_not_otherwise(scene, result_of):
    operation = scene.store()
    assert scene.registered == []
    result_of(operation.complete())
    (stored,) = scene.index.rows.values()
    assert scene.registered == [stored.study.study_instance_uid]
    scene.index.fault = OutOfResources("index unreachable")
    result_of(scene.store().complete())
    assert len(scene.registered) == 1


def test_the_answer_waits_for_the_row(scene):
    """And no answer is given before the commit has returned."""
    committed = Deferred()

    async def register(stored):
        return await committed

    scene.index.register = register
    answer = ensureDeferred(scene.store().complete())
    assert not answer.called
    committed.callback(Registered())
    assert answer.result.status == Status.SUCCESS


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (OutOfResources("No space left on device"), Status.OUT_OF_RESOURCES),
        (DataSetMismatch("SOP Instance UID differs"), Status.DATA_SET_DOES_NOT_MATCH),
        (CannotUnderstand("Study Instance UID is absent"), Status.CANNOT_UNDERSTAND),
        (NotStored("something else"), Status.PROCESSING_FAILURE),
    ],
)
def test_what_the_archive_raises_decides_the_status(fault, status, scene, result_of):
    scene.objects.fault = fault
    assert result_of(scene.store().complete()) == Outcome(status=status, comment=str(fault), size=8)
    assert scene.index.rows == {}
    assert scene.objects.removed == [], "after an exception the archive has nothing of it"


def test_the_comment_is_made_fit_for_the_wire(scene, result_of):
    scene.objects.fault = OutOfResources("caf\xe9\n" + "x" * 100)
    assert result_of(scene.store().complete()).comment == "caf??" + "x" * 59


def test_a_refused_registration_leaves_no_file_behind_its_answer(scene):
    scene.index.fault = OutOfResources("the index did not answer within 10 s")
    scene.objects.disk = Deferred()
    answer = ensureDeferred(scene.store().complete())
    assert not answer.called, "the file goes first"
    scene.objects.disk.callback(None)
    assert answer.result == Outcome(
        status=Status.OUT_OF_RESOURCES, comment="the index did not answer within 10 s", size=8
    )
    assert scene.objects.removed == scene.objects.files


# --- overwriting ---------------------------------------------------------------------------


def test_the_file_that_was_replaced_goes_after_the_answer(scene, result_of):
    result_of(scene.store().complete())
    scene.objects.disk = Deferred()
    answer = ensureDeferred(scene.store().complete())
    assert answer.result.status == Status.SUCCESS, "a slow removal delays no answer"
    settled = ensureDeferred(scene.provider.settle())
    assert not settled.called, "but a stop can wait for it"
    scene.objects.disk.callback(None)
    assert settled.called
    assert scene.objects.removed == [scene.objects.files[0]]


def test_of_two_at_once_the_index_decides_which_stays(scene, result_of):
    """Both are answered Success, and the loser's file goes, also where it is the first of a group."""
    first, second = scene.store(), scene.store()
    assert result_of(second.complete()).status == Status.SUCCESS
    assert result_of(first.complete()).status == Status.SUCCESS
    assert scene.index.rows["1.2.3.4"].file.path == scene.objects.files[1]
    assert scene.objects.removed == [scene.objects.files[0]]


def test_a_removal_that_fails_hurts_nobody(scene, result_of):
    result_of(scene.store().complete())
    scene.objects.removal_fault = FAULT
    with capturedLogs() as logs:
        assert result_of(scene.store().complete()).status == Status.SUCCESS
        result_of(scene.provider.settle())
    assert [(log["path"], log["log_failure"].value) for log in logs] == [(scene.objects.files[0], FAULT)]


# --- an unknown outcome --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("registered", "removed"),
    [
        (None, ["objects/0.dcm"]),  # it did not happen: the new file is nobody's
        (Registered(), []),
        (Registered("objects/old.dcm"), ["objects/old.dcm"]),
    ],
)
def test_a_file_in_doubt_stays_until_the_outcome_is_known(registered, removed, scene, result_of):
    settled = Deferred()
    scene.index.fault = OutcomeUnknown("the connection broke after COMMIT", settled)
    assert result_of(scene.store().complete()) == Outcome(
        status=Status.OUT_OF_RESOURCES, comment="the connection broke after COMMIT", size=8
    )
    assert scene.objects.removed == []
    result_of(scene.provider.settle())  # a stop does not wait for what may never be known
    settled.callback(registered)
    assert scene.objects.removed == removed


def test_a_doubts_removal_is_one_that_a_stop_waits_for(scene, result_of):
    settled, scene.objects.disk = Deferred(), Deferred()
    scene.index.fault = OutcomeUnknown("timeout", settled)
    result_of(scene.store().complete())
    settled.callback(None)
    stop = ensureDeferred(scene.provider.settle())
    assert not stop.called
    scene.objects.disk.callback(None)
    assert stop.called
    assert scene.objects.removed == scene.objects.files


def test_a_doubt_that_is_never_settled_keeps_its_file(scene, result_of):
    settled = Deferred()
    scene.index.fault = OutcomeUnknown("timeout", settled)
    result_of(scene.store().complete())
    with capturedLogs() as logs:
        settled.errback(FAULT)
    assert scene.objects.removed == []
    assert [log["log_failure"].value for log in logs] == [FAULT]


# --- faults of the program -----------------------------------------------------------------


def test_a_fault_of_the_archive_is_a_processing_failure(scene, result_of):
    scene.objects.fault = FAULT
    with capturedLogs() as logs:
        outcome = result_of(scene.store().complete())
    assert outcome == Outcome(status=Status.PROCESSING_FAILURE, comment="A fault of the program", size=8)
    assert [log["log_failure"].value for log in logs] == [FAULT]
    assert scene.index.rows == {}


@pytest.mark.parametrize("registers", [False, True])
def test_after_a_fault_of_the_index_the_file_stays_if_a_row_names_it(registers, scene, result_of):
    result_of(scene.store(replace(REQUEST, affected_sop_instance_uid="1.2.3.5")).complete())
    scene.index.fault, scene.index.registers_before_fault = FAULT, registers
    with capturedLogs() as logs:
        assert result_of(scene.store().complete()).status == Status.PROCESSING_FAILURE
        result_of(scene.provider.settle())
    assert [log["log_failure"].value for log in logs] == [FAULT]
    assert scene.objects.removed == ([] if registers else scene.objects.files[1:])


def test_after_a_fault_of_the_index_the_file_stays_if_nobody_knows(scene, result_of):
    scene.index.fault = FAULT
    scene.index.disown_fault = OutOfResources("no connection")
    with capturedLogs() as logs:
        assert result_of(scene.store().complete()).status == Status.PROCESSING_FAILURE
    assert [log["log_format"] for log in logs] == [
        "{path} is left where it is: {reason}",
        "C-STORE failed",
    ]
    assert scene.objects.removed == []


# --- before and instead of a reception -----------------------------------------------------


@pytest.mark.parametrize("refuser", ["objects", "index", "congestion"])
def test_what_cannot_be_kept_now_is_swallowed_and_refused(refuser, scene, written, result_of):
    getattr(scene, refuser).refusal = "free space is under minimum_free\xa0= 1 GiB"
    assert result_of(scene.store().complete()) == Outcome(
        status=Status.OUT_OF_RESOURCES, comment="free space is under minimum_free?= 1 GiB", size=8
    )
    assert written == [5, 3]
    assert scene.objects.receptions == []


def test_a_request_without_a_data_set_is_refused(scene, result_of):
    request = StoreRequest(
        message_id=1, affected_sop_class_uid=CT, affected_sop_instance_uid="1.2", has_data_set=False
    )
    operation = scene.provider.begin(request, EXPLICIT_VR_LITTLE_ENDIAN, scene.session)
    assert result_of(operation.complete()) == Outcome(
        status=Status.CANNOT_UNDERSTAND, comment="C-STORE-RQ without a Data Set"
    )
    assert scene.objects.receptions == []


def test_an_abandoned_operation_abandons_its_reception(scene, result_of):
    result_of(scene.store().abandon())
    assert scene.objects.receptions[0].is_abandoned
    assert scene.index.rows == {}


# --- for the record ---


def test_what_a_store_takes_is_told_step_by_step(scene, result_of):
    operation = scene.provider.begin(REQUEST, EXPLICIT_VR_LITTLE_ENDIAN, scene.session)
    scene.clock.advance(2)
    operation.write(memoryview(DATA_SET))
    complete, register = scene.objects.receptions[0].complete, scene.index.register

    async def slow_complete():
        scene.clock.advance(3)
        return await complete()

    async def slow_register(stored):
        scene.clock.advance(4)
        return await register(stored)

    scene.objects.receptions[0].complete, scene.index.register = slow_complete, slow_register
    assert result_of(operation.complete()).durations == Durations(receiving=2, syncing=3, registering=4)


def test_an_object_that_is_not_kept_is_told_of_by_nothing(scene, result_of):
    scene.index.fault = OutOfResources("the index is away")
    outcome = result_of(scene.store().complete())
    assert (outcome.durations, outcome.stored) == (None, None)


def test_an_object_that_took_anothers_place_is_told_as_such(scene, result_of):
    assert [result_of(scene.store().complete()).has_replaced for _ in range(2)] == [False, True]
