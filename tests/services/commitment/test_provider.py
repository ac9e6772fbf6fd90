"""N-ACTION: what is answered, and what has been written down when it is Success."""

from __future__ import annotations

import datetime
import errno
import os
from dataclasses import replace

import pytest
from twisted.internet.defer import Deferred, ensureDeferred, execute
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from zope.interface.verify import verifyObject

from sdcc.conformance import EXPLICIT_VR_LITTLE_ENDIAN, STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE
from sdcc.dimse.messages import ActionRequest
from sdcc.dimse.status import Status
from sdcc.interfaces import IOperation, IServiceProvider, Outcome, Reference
from sdcc.services.commitment import provider, transactions
from sdcc.services.commitment.provider import CommitmentProvider
from sdcc.services.commitment.references import event_information
from sdcc.services.commitment.reports import Reports
from sdcc.services.commitment.safekeeping import Safekeeping
from sdcc.services.commitment.transactions import Transactions

from .owing import CT, PROVENANCE, Caller, Conversation, Journal

REQUEST = ActionRequest(
    message_id=7,
    affected_sop_class_uid=STORAGE_COMMITMENT,
    affected_sop_instance_uid=STORAGE_COMMITMENT_INSTANCE,
    action_type_id=1,
)
A, B = Reference(CT, "1.2.3.4"), Reference(CT, "1.2.3.5")
NOW = datetime.datetime(2026, 7, 4, tzinfo=datetime.UTC)


def asked(*references, uid="1.9.1"):
    """What is asked for is written as what is reported, but for the AE title, which means nothing there."""
    return event_information(
        uid, references, (), retrieve_ae_title="X", transfer_syntax_uid=EXPLICIT_VR_LITTLE_ENDIAN
    )


class Scene:
    def __init__(self, index, objects, session):
        self.session = replace(session, conversation=Conversation())
        self.journal = Journal()
        self.clock = Clock()
        self.refusal = None
        self.transactions = Transactions(
            self.journal,
            Safekeeping(index, objects, self.clock),
            Reports(self.journal, execute),
            Caller(),
            clock=self.clock,
            now=lambda: NOW,
        )
        self.provider = CommitmentProvider(self.transactions, execute, lambda: self.refusal)

    def begin(self, request=REQUEST):
        return self.provider.begin(request, EXPLICIT_VR_LITTLE_ENDIAN, self.session)

    def act(self, data, request=REQUEST):
        """An N-ACTION with its Data Set given, ready to be completed."""
        operation = self.begin(request)
        for start in range(0, len(data), 100):
            operation.write(memoryview(data)[start : start + 100])
        return operation

    @property
    def written_down(self):
        return [(one.transaction_uid, one.references) for one in self.journal.requests.values()]


@pytest.fixture
def scene(index, objects, session):
    return Scene(index, objects, session)


def test_it_is_a_provider_of_operations(scene):
    assert verifyObject(IServiceProvider, scene.provider)
    assert verifyObject(IOperation, scene.act(b""))


def test_success_says_that_the_request_is_written_down(scene, written, result_of):
    scene.journal.disk = Deferred()
    data = asked(A, B)
    answer = ensureDeferred(scene.act(data).complete())
    assert not answer.called
    scene.journal.disk.callback(None)
    note = "Storage Commitment 1.9.1, objects: 2"
    assert answer.result == Outcome(status=Status.SUCCESS, size=len(data), note=note)
    [request] = scene.journal.requests.values()
    assert (request.transaction_uid, request.references) == ("1.9.1", (A, B))
    assert (request.provenance, request.requested_at) == (PROVENANCE, NOW)
    assert sum(written) == len(data), "and nothing of it waits any more"


def test_nothing_is_reported_before_the_answer(scene, result_of):
    """The response goes out when the operation has ended, and no report may pass it."""
    result_of(scene.act(asked(A)).complete())
    requests = scene.session.conversation.requests
    assert requests.asked == []
    scene.clock.advance(0)
    assert len(requests.asked) == 1


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"affected_sop_instance_uid": "1.2.840.10008.1.20.1.2"}, 0x0112),
        ({"action_type_id": 2}, 0x0123),
        ({"action_type_id": 0}, 0x0123),
        ({"has_data_set": False}, 0x0115),
    ],
)
def test_another_request_is_not_this_one(scene, result_of, written, change, status):
    outcome = result_of(scene.act(asked(A), replace(REQUEST, **change)).complete())
    assert outcome.status == status
    assert outcome.comment
    assert scene.written_down == []
    assert sum(written) == len(asked(A))


@pytest.mark.parametrize(
    ("data", "status"),
    [(b"", 0x0115), (asked(), 0x0115), (asked(A)[:-2], 0x0110), (asked(A, uid="1.x"), 0x0115)],
)
def test_what_asks_for_nothing_that_can_be_promised_is_refused(scene, result_of, data, status):
    outcome = result_of(scene.act(data).complete())
    assert (outcome.status, outcome.size) == (status, len(data))
    assert outcome.comment
    assert scene.written_down == []
    assert scene.provider._collected.total == 0


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_what_cannot_be_written_down_is_not_promised(scene, result_of, number):
    scene.journal.faults["add"] = OSError(number, os.strerror(number))
    with capturedLogs() as logs:
        outcome = result_of(scene.act(asked(A)).complete())
    assert (outcome.status, outcome.comment) == (0x0213, os.strerror(number))
    assert len(logs) == 1
    scene.clock.advance(0)
    assert scene.session.conversation.requests.asked == []
    del scene.journal.faults["add"]
    assert result_of(scene.act(asked(A)).complete()).status == 0x0000, "and the UID is free again"


def test_under_the_free_space_floor_nothing_is_promised(scene, result_of):
    scene.refusal = "under the free-space floor"
    outcome = result_of(scene.act(asked(A)).complete())
    assert (outcome.status, outcome.comment) == (0x0213, "under the free-space floor")
    assert scene.written_down == []


def test_a_fault_of_the_program_is_a_processing_failure(scene, result_of):
    scene.journal.faults["add"] = RuntimeError("a fault of the program")
    with capturedLogs() as logs:
        outcome = result_of(scene.act(asked(A)).complete())
    assert outcome.status == 0x0110
    assert [log["log_failure"].value for log in logs] == [scene.journal.faults["add"]]


# --- the same Transaction UID ---------------------------------------------------------------


def test_the_same_request_once_more_is_owed_once(scene, result_of):
    """As of a peer that has not heard the answer."""
    for references in ((A, B), (B, A)):
        assert result_of(scene.act(asked(*references)).complete()).status == 0x0000
    assert scene.written_down == [("1.9.1", (A, B))]


def test_another_request_of_the_same_uid_is_refused(scene, result_of):
    result_of(scene.act(asked(A)).complete())
    outcome = result_of(scene.act(asked(B)).complete())
    assert (outcome.status, outcome.comment) == (
        0x0115,
        "Transaction UID (0008,1195) is in use by another request",
    )
    assert scene.written_down == [("1.9.1", (A,))]


def test_one_that_is_being_written_down_is_no_success_yet(scene, result_of):
    scene.journal.disk = Deferred()
    first = ensureDeferred(scene.act(asked(A)).complete())
    assert result_of(scene.act(asked(A)).complete()).status == 0x0115
    scene.journal.disk.callback(None)
    assert first.result.status == 0x0000


def test_another_peer_may_have_the_same_uid(scene, result_of):
    result_of(scene.act(asked(A)).complete())
    scene.session = replace(scene.session, provenance=replace(PROVENANCE, calling_ae="CT02"))
    assert result_of(scene.act(asked(B)).complete()).status == 0x0000
    assert scene.written_down == [("1.9.1", (A,)), ("1.9.1", (B,))]


# --- limits ------------------------------------------------------------------------------------


def test_a_data_set_that_is_too_long_goes_by(scene, result_of, written, monkeypatch):
    data = asked(A, B)
    monkeypatch.setattr(provider, "MAXIMUM_DATA_SET", len(data) - 1)
    operation = scene.act(data)
    assert operation._data == b""
    outcome = result_of(operation.complete())
    assert (outcome.status, outcome.size) == (0x0213, len(data))
    assert sum(written) == len(data)
    assert scene.provider._collected.total == 0


def test_all_that_come_in_at_once_are_bounded_together(scene, result_of, monkeypatch):
    data = asked(A)
    monkeypatch.setattr(provider, "MAXIMUM_COLLECTED", 2 * len(data))
    first, second, third = (scene.act(asked(A, uid=f"1.9.{number}")) for number in (1, 2, 3))
    assert result_of(third.complete()).status == 0x0213
    ensureDeferred(first.abandon())
    fourth = scene.act(asked(A, uid="1.9.4"))
    for operation in (second, fourth):
        assert result_of(operation.complete()).status == 0x0000
    assert scene.provider._collected.total == 0


def test_what_is_being_written_down_counts_as_coming_in(scene, result_of, monkeypatch):
    """Its references take more memory than its bytes did, and a disk may be slow."""
    monkeypatch.setattr(provider, "MAXIMUM_COLLECTED", len(asked(A)))
    scene.journal.disk = Deferred()
    answer = ensureDeferred(scene.act(asked(A)).complete())
    assert result_of(scene.act(asked(A, uid="1.9.2")).complete()).status == 0x0213
    scene.journal.disk.callback(None)
    assert answer.result.status == 0x0000
    assert scene.provider._collected.total == 0


def test_no_more_than_can_be_remembered_is_owed(scene, result_of, monkeypatch):
    monkeypatch.setattr(transactions, "MAXIMUM_TRANSACTIONS", 2)
    statuses = [result_of(scene.act(asked(A, uid=f"1.9.{number}")).complete()).status for number in (1, 2, 3)]
    assert statuses == [0x0000, 0x0000, 0x0213]
    scene.clock.advance(0)  # they are reported
    assert result_of(scene.act(asked(A, uid="1.9.3")).complete()).status == 0x0000


def test_nor_more_references(scene, result_of, monkeypatch):
    monkeypatch.setattr(transactions, "MAXIMUM_REFERENCES_OWED", 3)
    assert result_of(scene.act(asked(A, B, uid="1.9.1")).complete()).status == 0x0000
    assert result_of(scene.act(asked(A, B, uid="1.9.2")).complete()).status == 0x0213
    assert result_of(scene.act(asked(A, uid="1.9.3")).complete()).status == 0x0000
    scene.clock.advance(0)
    assert result_of(scene.act(asked(A, B, uid="1.9.2")).complete()).status == 0x0000
