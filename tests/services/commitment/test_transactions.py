"""From a request that was answered Success to the report that its peer takes, whatever comes between."""

from __future__ import annotations

import datetime
from dataclasses import fields, replace
from io import BytesIO
from itertools import pairwise
from weakref import WeakSet

import pytest
from pydicom.filereader import read_dataset
from twisted.internet.defer import Deferred, ensureDeferred, execute
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from zope.interface.verify import verifyObject

from sdcc.conformance import STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE
from sdcc.interfaces import (
    AssociationLost,
    CommitmentRequest,
    ICaller,
    ICommitmentJournal,
    IConversation,
    IOwnAssociation,
    Reference,
)
from sdcc.services.commitment.references import ActionInformation, digest
from sdcc.services.commitment.reports import Reports
from sdcc.services.commitment.safekeeping import Safekeeping
from sdcc.services.commitment.transactions import TransactionInUse, Transactions

from .owing import CT, PROVENANCE, Caller, Conversation, Journal, OwnAssociation, store

BEGIN = datetime.datetime(2026, 7, 4, tzinfo=datetime.UTC)
A, B = Reference(CT, "1.2.3.4"), Reference(CT, "1.2.3.5")
GONE = AssociationLost("released by the peer")
AWAY = AssociationLost("connection refused")
DAY = 24 * 3600.0


class Scene:
    """One process after another, on one journal."""

    def __init__(self, index, objects, result_of):
        self.index = index
        self.objects = objects
        self.result_of = result_of
        self.journal = Journal()
        self.clock = Clock()
        self.association = OwnAssociation()
        self.caller = Caller(self.association)
        self.begin_process()

    def begin_process(self):
        self.transactions = Transactions(
            self.journal,
            Safekeeping(self.index, self.objects, self.clock),
            Reports(self.journal, execute),
            self.caller,
            clock=self.clock,
            now=lambda: BEGIN + datetime.timedelta(seconds=self.clock.seconds()),
        )
        self.transactions.start()

    def end_process(self):
        self.transactions.interrupt()
        self.result_of(self.transactions.stop())

    def ask(self, *references, uid="1.9.1", conversation=None, provenance=PROVENANCE):
        """A request that is answered Success; gives its conversation."""
        conversation = conversation or Conversation(GONE)
        references = references or (A,)
        information = ActionInformation(uid, references, digest(references))
        self.result_of(self.transactions.take(information, provenance, conversation))
        self.clock.advance(0)
        return conversation

    @property
    def owed(self):
        return sorted(request.transaction_uid for request in self.journal.requests.values())


@pytest.fixture
def scene(index, objects, result_of):
    scene = Scene(index, objects, result_of)
    for reference in (A, B):
        store(index, reference.sop_instance_uid)
    yield scene
    scene.end_process()
    assert [call for call in scene.clock.getDelayedCalls()] == [], "a stop leaves no timer"


def report(requests, number=-1):
    """What was reported: the message, and its Data Set as pydicom reads it."""
    _, message, data_set = requests.asked[number]
    return message, read_dataset(BytesIO(data_set), False, True)


def instances(sequence):
    return [item.ReferencedSOPInstanceUID for item in sequence]


def test_the_fakes_provide_their_interfaces(scene):
    assert verifyObject(ICommitmentJournal, scene.journal)
    assert verifyObject(ICaller, scene.caller)
    assert verifyObject(IOwnAssociation, scene.association)
    assert verifyObject(IConversation, Conversation())


# --- over the same association ---------------------------------------------------------------


def test_while_the_association_is_open_the_report_comes_over_it(scene):
    requests = scene.ask(A, B, conversation=Conversation()).requests
    assert scene.caller.attempts == []
    [(context_id, _, _)] = requests.asked
    message, data_set = report(requests)
    assert context_id == requests.context.id
    assert message.affected_sop_class_uid == STORAGE_COMMITMENT
    assert message.affected_sop_instance_uid == STORAGE_COMMITMENT_INSTANCE
    assert message.event_type_id == 1
    assert data_set.TransactionUID == "1.9.1"
    assert data_set.RetrieveAETitle == "SDCC"
    assert instances(data_set.ReferencedSOPSequence) == ["1.2.3.4", "1.2.3.5"]
    assert "FailedSOPSequence" not in data_set
    assert scene.owed == []


def test_every_reference_comes_back_committed_or_failed(scene):
    """PS3.4 J.3.3.1.2."""
    del scene.index.rows["1.2.3.5"]
    message, data_set = report(scene.ask(A, B, conversation=Conversation()).requests)
    assert message.event_type_id == 2
    assert instances(data_set.ReferencedSOPSequence) == ["1.2.3.4"]
    assert instances(data_set.FailedSOPSequence) == ["1.2.3.5"]
    assert data_set.FailedSOPSequence[0].FailureReason == 0x0112


@pytest.mark.parametrize("status", [0x0000, 0x0001, 0x0107, 0x0116, 0xB000, 0xBFFF])
def test_a_report_that_was_taken_is_owed_no_more(scene, status):
    scene.ask(conversation=Conversation(status))
    assert scene.owed == []


@pytest.mark.parametrize("status", [0x0110, 0x0112, 0x0113, 0x0115, 0x0211, 0xA700, 0xC000])
def test_a_report_that_was_answered_with_a_failure_is_tried_over_a_new_association(scene, status):
    scene.association.statuses = [Deferred()]
    requests = scene.ask(conversation=Conversation(status)).requests
    assert len(requests.asked) == 1
    assert len(scene.association.asked) == 1
    assert scene.owed == ["1.9.1"], "until that one is answered"
    scene.association.statuses[0].callback(0x0000)
    assert scene.owed == []


# --- over a new association ------------------------------------------------------------------


def test_when_the_association_is_over_a_new_one_is_opened_in_the_role_of_scp(scene):
    """By the AE that was asked to the AE that asked (PS3.4 J.3.3.1.2, notes 1 and 2)."""
    scene.ask()
    [(called, calling, [context])] = scene.caller.attempts
    assert (called, calling) == ("CT01", "SDCC")
    assert context.abstract_syntax == STORAGE_COMMITMENT
    message, data_set = report(scene.association)
    assert (message.event_type_id, data_set.TransactionUID) == (1, "1.9.1")
    assert scene.association.ending == "released"
    assert scene.owed == []


def test_without_the_role_or_the_context_nothing_is_sent(scene):
    refused, no_role = OwnAssociation(), OwnAssociation()
    refused.contexts = {}
    context = replace(no_role.context, requestor_is_scu=True, requestor_is_scp=False)
    no_role.contexts = {context.id: context}
    scene.caller.answers = [refused, no_role, scene.association]
    with capturedLogs() as logs:
        scene.ask()
        scene.clock.advance(10)
    assert [event["reason"] for event in logs if "pause" in event] == [
        "the Presentation Context of Storage Commitment was not granted",
        "the role of SCP of Storage Commitment was not granted",
    ]
    assert refused.asked == no_role.asked == []
    assert refused.ending == no_role.ending == "released"
    scene.clock.advance(20)
    assert scene.owed == []


def test_all_that_wait_for_a_peer_come_over_one_association(scene):
    scene.caller.answers = [AWAY, AWAY, scene.association]
    scene.ask(uid="1.9.1")
    scene.ask(uid="1.9.2")
    scene.clock.advance(10)
    assert len(scene.caller.attempts) == 3
    assert [report(scene.association, n)[1].TransactionUID for n in (0, 1)] == ["1.9.1", "1.9.2"]
    assert scene.owed == []


def test_an_association_that_ends_in_the_midst_keeps_what_it_has_not_carried(scene):
    scene.caller.answers = [connecting := Deferred(), OwnAssociation()]
    broken = OwnAssociation(0x0000, AssociationLost("the connection was lost"))
    for number in (1, 2, 3):
        scene.ask(uid=f"1.9.{number}")
    connecting.callback(broken)
    assert scene.owed == ["1.9.2", "1.9.3"]
    scene.clock.advance(10)
    assert scene.owed == []


def test_one_that_its_peer_does_not_take_does_not_keep_the_others(scene):
    scene.caller.answers = [connecting := Deferred(), OwnAssociation()]
    for number in (1, 2, 3):
        scene.ask(uid=f"1.9.{number}")
    connecting.callback(OwnAssociation(0x0110, 0x0000))
    assert scene.owed == ["1.9.1"]
    scene.clock.advance(10)
    assert scene.owed == []


def test_one_that_its_peer_ends_the_association_at_does_not_keep_the_others(scene):
    """As a peer does at every attempt that stumbles over it."""

    class Stumbling(OwnAssociation):
        async def request(self, context_id, message, data_set=None, length=None):
            response = await super().request(context_id, message, data_set)
            if report(self)[1].TransactionUID == "1.9.1":
                raise AssociationLost("aborted by the peer")
            return response

    scene.caller.answers = [connecting := Deferred(), Stumbling()]
    for number in (1, 2, 3):
        scene.ask(uid=f"1.9.{number}")
    connecting.callback(Stumbling())
    scene.clock.advance(10)
    assert scene.owed == ["1.9.1"]


@pytest.mark.parametrize("way", ["its association", "a new one"])
def test_while_a_peer_takes_its_time_no_request_is_in_memory(scene, way):
    class Request(CommitmentRequest):
        """Which, unlike its base, can be referred to weakly."""

    read, made = scene.journal.read, WeakSet()

    async def read_anew(name):
        written_down = await read(name)
        request = Request(**{field.name: getattr(written_down, field.name) for field in fields(written_down)})
        made.add(request)
        return request

    scene.journal.read = read_anew
    scene.association.statuses = [answer := Deferred()]
    requests = scene.ask(A, conversation=Conversation(answer if way == "its association" else GONE)).requests
    assert len(scene.association.asked + requests.asked) == 1
    assert list(made) == []
    answer.callback(0x0000)
    assert scene.owed == []


# --- again and again -------------------------------------------------------------------------


def attempted_at(scene, until):
    """The seconds of the attempts from now on."""
    found, number = [], len(scene.caller.attempts)
    while scene.clock.seconds() < until:
        scene.clock.advance(min(1.0, until - scene.clock.seconds()))
        if len(scene.caller.attempts) > number:
            number = len(scene.caller.attempts)
            found.append(scene.clock.seconds())
    return found


def test_the_pauses_grow_to_an_hour(scene):
    scene.caller.answers = [AWAY]
    scene.ask()
    moments = [0.0, *attempted_at(scene, 5 * 3600.0)]
    pauses = [later - earlier for earlier, later in pairwise(moments)]
    assert pauses[:9] == [10, 20, 40, 80, 160, 320, 640, 1280, 2560]
    assert set(pauses[9:]) == {3600}


def test_however_many_wait_one_attempt_is_made(scene):
    scene.caller.answers = [AWAY]
    for number in range(20):
        scene.ask(uid=f"1.9.{number}")
    scene.caller.attempts.clear()
    with capturedLogs() as logs:
        scene.clock.advance(10)
    assert len(scene.caller.attempts) == 1
    [event] = logs
    assert (event["number"], event["ae"], event["pause"]) == (20, "CT01", 20)


def test_who_asks_is_there_and_told_at_once_what_else_waits(scene):
    scene.caller.answers = [AWAY]
    scene.ask(uid="1.9.1")
    scene.clock.pump([100.0] * 50)
    scene.caller.answers = [scene.association]
    scene.ask(uid="1.9.2")
    assert scene.owed == []


def test_who_may_be_somewhere_else_now_is_tried_at_once(scene):
    """And from then on with pauses that grow anew."""
    scene.caller.answers = [AWAY]
    scene.ask()
    attempted_at(scene, 3600.0)
    tries = len(scene.caller.attempts)
    scene.transactions.retry()
    assert len(scene.caller.attempts) == tries + 1
    begin = scene.clock.seconds()
    assert attempted_at(scene, begin + 35.0) == [begin + 10, begin + 30]
    scene.caller.answers = [scene.association]
    scene.transactions.retry()
    assert scene.owed == []
    scene.transactions.retry()


def test_a_peer_that_is_away_keeps_no_other_waiting(scene):
    scene.caller.remotes.add("CT02")
    scene.caller.answers = [Deferred(), scene.association]
    scene.ask(uid="1.9.1")
    scene.ask(uid="1.9.2", provenance=replace(PROVENANCE, calling_ae="CT02"))
    assert scene.owed == ["1.9.1"]


def test_what_nobody_takes_for_three_days_is_given_up_in_the_log(scene):
    scene.caller.answers = [AWAY]
    scene.ask(A, B)
    with capturedLogs() as logs:
        attempted_at(scene, 3 * DAY - 1)
        assert scene.owed == ["1.9.1"]
        attempted_at(scene, 3 * DAY + 3600)
    assert scene.owed == []
    [event] = [event for event in logs if event["log_level"] == LogLevel.error]
    assert (event["whose"], event["number"]) == ("Storage Commitment 1.9.1 of CT01", 2)
    assert event["reason"] == "connection refused"
    assert attempted_at(scene, 4 * DAY) == []


# --- peers that cannot be called --------------------------------------------------------------


def test_who_cannot_be_called_is_told_over_its_own_association_or_not_at_all(scene):
    scene.caller.remotes.clear()
    with capturedLogs() as logs:
        scene.ask()
    assert scene.caller.attempts == []
    assert scene.owed == []
    [event] = [event for event in logs if event["log_level"] == LogLevel.error]
    assert event["reason"] == "it has no port in [[remote]], and its association is over"


def test_while_its_association_is_open_it_is_given_time(scene):
    scene.caller.remotes.clear()
    requests = scene.ask(conversation=Conversation(0x0110, 0x0110, 0x0000)).requests
    scene.clock.advance(10)
    assert scene.owed == ["1.9.1"]
    scene.clock.advance(20)
    assert len(requests.asked) == 3
    assert scene.owed == []


def test_a_conversation_that_takes_nothing_for_three_days_is_given_up(scene):
    scene.caller.remotes.clear()
    scene.ask(conversation=Conversation(0x0110))
    scene.clock.pump([600.0] * int(3 * DAY / 600 + 10))
    assert scene.owed == []


# --- the same request once more ---------------------------------------------------------------


def test_who_asks_once_more_is_told_over_its_new_association(scene):
    """Of what is found then, since it may have sent again what was missing; and it is told once."""
    del scene.index.rows["1.2.3.5"]
    scene.caller.answers = [AWAY]
    scene.ask(A, B)
    store(scene.index, "1.2.3.5")
    requests = scene.ask(A, B, conversation=Conversation()).requests
    assert report(requests)[0].event_type_id == 1
    assert scene.owed == []
    scene.caller.attempts.clear()
    scene.clock.pump([100.0] * 50)
    assert scene.caller.attempts == []
    assert len(requests.asked) == 1


def test_one_that_is_just_being_told_is_told_once(scene):
    scene.association.statuses = [Deferred()]
    scene.ask()
    requests = scene.ask(conversation=Conversation()).requests
    scene.association.statuses[0].callback(0x0000)
    scene.clock.advance(0)
    assert (len(scene.association.asked), len(requests.asked)) == (1, 0)
    assert scene.owed == []


# --- the index, the disk ------------------------------------------------------------------------


def test_an_index_that_is_away_is_waited_for(scene):
    """Nothing may be said of an object that nobody can look for."""
    scene.index.find_fault = OSError("no connection")
    requests = scene.ask(conversation=Conversation()).requests
    scene.clock.advance(10)
    assert requests.asked == []
    scene.index.find_fault = None
    scene.clock.advance(20)
    assert report(requests)[0].event_type_id == 1


def test_an_index_that_stays_away_is_given_up(scene):
    scene.index.find_fault = OSError("no connection")
    scene.ask()
    with capturedLogs() as logs:
        scene.clock.pump([600.0] * int(3 * DAY / 600 + 10))
    assert scene.owed == []
    assert [event["reason"] for event in logs if event["log_level"] == LogLevel.error] == ["no connection"]


def test_a_journal_that_cannot_be_read_is_tried_again(scene):
    scene.journal.faults["read"] = OSError("Input/output error")
    scene.ask()
    del scene.journal.faults["read"]
    scene.clock.advance(10)
    assert scene.owed == []


@pytest.mark.parametrize("where", ["index", "connecting", "answer"])
def test_a_fault_of_the_program_is_a_reason_to_try_again(scene, where):
    fault = MemoryError("of nobody's")
    if where == "index":
        scene.index.find_fault = fault
    elif where == "connecting":
        scene.caller.answers = [fault]
    else:
        scene.association.statuses = [fault]
    with capturedLogs() as logs:
        scene.ask()
    assert [event["log_failure"].value for event in logs if "log_failure" in event] == [fault]
    scene.index.find_fault = None
    scene.caller.answers = [scene.association]
    scene.association.statuses = [0x0000]
    scene.clock.advance(10)
    assert scene.owed == []


# --- from process to process --------------------------------------------------------------------


def test_what_is_owed_outlives_the_process(scene):
    scene.caller.answers = [AWAY]
    scene.ask(A, B)
    scene.end_process()
    assert scene.owed == ["1.9.1"]
    del scene.index.rows["1.2.3.5"]
    scene.caller.answers = [scene.association]
    scene.begin_process()
    message, data_set = report(scene.association)
    assert message.event_type_id == 2, "what is found now counts"
    assert data_set.TransactionUID == "1.9.1"
    assert scene.owed == []


def test_the_three_days_begin_with_the_request_and_not_with_the_process(scene):
    scene.caller.answers = [AWAY]
    scene.ask()
    scene.end_process()
    scene.clock.advance(3 * DAY)
    scene.begin_process()
    assert scene.owed == []
    assert len(scene.caller.attempts) == 2, "and at least once it is tried"


def test_a_request_whose_peer_cannot_be_called_any_more_is_given_up(scene):
    scene.caller.answers = [AWAY]
    scene.ask()
    scene.end_process()
    scene.caller.remotes.clear()
    with capturedLogs() as logs:
        scene.begin_process()
    assert scene.owed == []
    assert LogLevel.error in [event["log_level"] for event in logs]
    assert scene.objects.compared == ["objects/1.2.3.4.dcm"], "and nothing is read for it"


def test_what_cannot_be_read_stays_and_is_named(scene):
    scene.end_process()
    scene.journal.requests["1/0.json"] = None
    scene.journal.requests["1/1.json"] = CommitmentRequest(
        transaction_uid="1.9.2", references=(A,), provenance=PROVENANCE, requested_at=BEGIN
    )
    read = scene.journal.read

    async def damaged(name):
        if name == "1/0.json":
            raise ValueError("it holds no request")
        return await read(name)

    scene.journal.read = damaged
    with capturedLogs() as logs:
        scene.begin_process()
    assert list(scene.journal.requests) == ["1/0.json"], "the other is reported"
    assert [event["name"] for event in logs if event["log_level"] == LogLevel.error] == ["1/0.json"]


def test_a_journal_that_cannot_be_listed_is_told(scene):
    scene.end_process()
    scene.journal.faults["names"] = OSError(5, "Input/output error")
    with capturedLogs() as logs:
        scene.begin_process()
    assert [event["error"] for event in logs] == ["Input/output error"]


def test_of_two_files_about_one_transaction_one_is_reported(scene):
    """A process that lived on was asked once more for what a dead one owed."""
    scene.end_process()
    request = CommitmentRequest(
        transaction_uid="1.9.1", references=(A,), provenance=PROVENANCE, requested_at=BEGIN
    )
    scene.journal.requests.update({"1/0.json": request, "2/0.json": request})
    scene.begin_process()
    assert len(scene.association.asked) == 1
    assert scene.owed == []


def test_of_two_requests_under_one_transaction_uid_none_is_lost(scene):
    """The second is of another process, and is seen to when the first is done with: at the next start."""
    scene.end_process()
    request = CommitmentRequest(
        transaction_uid="1.9.1", references=(A,), provenance=PROVENANCE, requested_at=BEGIN
    )
    scene.journal.requests.update({"1/0.json": request, "2/0.json": replace(request, references=(B,))})
    with capturedLogs() as logs:
        scene.begin_process()
    assert list(scene.journal.requests) == ["2/0.json"]
    assert [event["name"] for event in logs if event["log_level"] == LogLevel.error] == ["2/0.json"]


@pytest.mark.parametrize("references", [(A,), (B,)], ids=["the same", "another"])
def test_what_is_asked_before_all_is_taken_up_puts_nothing_in_its_place(scene, references):
    """Who asks during the start waits until it is known which Transaction UIDs are in use."""
    scene.end_process()
    scene.journal.requests["1/0.json"] = CommitmentRequest(
        transaction_uid="1.9.1", references=(A,), provenance=PROVENANCE, requested_at=BEGIN
    )
    names, listing = scene.journal.names, Deferred()

    async def listed():
        await listing
        return await names()

    scene.journal.names = listed
    scene.journal.faults["add"] = OSError(28, "No space left on device")
    scene.association.statuses = [Deferred()]
    scene.begin_process()
    information = ActionInformation("1.9.1", references, digest(references))
    taken = ensureDeferred(scene.transactions.take(information, PROVENANCE, Conversation(GONE)))
    assert not taken.called
    listing.callback(None)
    if references == (A,):
        assert taken.result is None
    else:
        taken.addErrback(lambda failure: failure.trap(TransactionInUse))
        assert taken.result is TransactionInUse
    scene.association.statuses[0].callback(0x0000)
    [(_, _, data_set)] = scene.association.asked
    assert instances(read_dataset(BytesIO(data_set), False, True).ReferencedSOPSequence) == ["1.2.3.4"]


# --- stopping --------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["index", "file", "connecting", "answer", "pause"])
def test_a_stop_waits_for_nobody_and_leaves_what_is_owed(scene, where):
    waiting = Deferred()
    if where == "index":
        scene.index.find_fault = OSError("no connection")
    elif where == "pause":
        scene.caller.answers = [AWAY]
    elif where == "file":
        scene.objects.difference = lambda kept, goes_on: waiting
    elif where == "connecting":
        scene.caller.answers = [waiting]
    else:
        scene.association.statuses = [waiting]
    scene.ask()
    scene.transactions.interrupt()
    stopped = ensureDeferred(scene.transactions.stop())
    if where == "file":  # the thread ends by itself, since nobody wants to know any more
        assert not stopped.called
        waiting.callback(None)
    assert stopped.called
    assert scene.owed == ["1.9.1"]
    assert scene.association.ending == ("aborted" if where == "answer" else None)
    if where != "answer":
        assert scene.association.asked == []


def test_what_is_asked_during_a_stop_is_written_down_for_the_next_process(scene):
    scene.transactions.interrupt()
    requests = scene.ask(conversation=Conversation()).requests
    scene.result_of(scene.transactions.stop())
    assert requests.asked == []
    assert scene.owed == ["1.9.1"]
    scene.begin_process()
    assert scene.owed == []


def test_a_report_whose_association_ends_with_the_server_is_owed_still(scene):
    answer = Deferred()
    scene.ask(conversation=Conversation(answer))
    scene.transactions.interrupt()
    stopped = ensureDeferred(scene.transactions.stop())
    answer.errback(AssociationLost("SDCC is stopping"))
    assert stopped.called
    assert scene.owed == ["1.9.1"]
    assert scene.caller.attempts == []
