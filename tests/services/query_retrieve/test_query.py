"""C-FIND from the request's first byte to its last response, with an index and a peer of a few lines each."""

from __future__ import annotations

import dataclasses

import pytest
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import capturedLogs, formatEvent
from zope.interface.verify import verifyObject

from sdcc.dimse.messages import MAXIMUM_COMMENT_LENGTH, FindRequest
from sdcc.interfaces import AssociationLost, IOperation, IServiceProvider
from sdcc.queries import Level
from sdcc.services.query_retrieve.identifiers import LONGEST_IDENTIFIER
from sdcc.services.query_retrieve.query import QueryProvider

from .asking import EXPLICIT, STUDY_ROOT, context, identifier

REQUEST = FindRequest(message_id=1, affected_sop_class_uid=STUDY_ROOT)
KEYS = {"level": "STUDY", "PatientID": ""}


class Index:
    """Finds so many patients, then perhaps raises.

    :ivar searches: kept, so that none is closed for being forgotten.
    """

    def __init__(self, count=3, fault=None):
        self.count = count
        self.fault = fault
        self.queries = []
        self.found = 0
        self.is_closed = False
        self.searches = []

    def find(self, query):
        self.queries.append(query)
        self.searches.append(self._find(query))
        return self.searches[-1]

    async def _find(self, query):
        try:
            for number in range(self.count):
                self.found += 1
                yield dict.fromkeys(query.wanted) | {"patient_id": f"P{number}"}
            if self.fault is not None:
                raise self.fault
        finally:
            self.is_closed = True


class Conversation:
    """Takes so many responses, then does what the test says."""

    def __init__(self, takes=None, then=None):
        self.context = context()
        self.is_cancelled = False
        self.takes = takes
        self.then = then
        self.responses = []

    async def respond(self, outcome):
        self.responses.append(outcome)
        if len(self.responses) == self.takes:
            await self.then(self)


async def cancel(conversation):
    conversation.is_cancelled = True


async def leave(conversation):
    raise AssociationLost("the connection is lost")


@pytest.fixture
def begin(session):
    """Begins a C-FIND; the operation has its whole Identifier."""

    def begin(index, conversation=None, *, keys=KEYS, maximum_answers=0):
        provider = QueryProvider(index, maximum_answers=maximum_answers)
        spoken = dataclasses.replace(session, conversation=conversation or Conversation())
        operation = provider.begin(REQUEST, EXPLICIT, spoken)
        operation.write(memoryview(identifier(keys)))
        return operation

    return begin


@pytest.fixture
def perform(begin, result_of):
    """A whole C-FIND; gives its last outcome."""
    return lambda *arguments, **options: result_of(begin(*arguments, **options).complete())


def test_it_keeps_its_contracts(begin):
    assert verifyObject(IServiceProvider, QueryProvider(Index()))
    assert verifyObject(IOperation, begin(Index()))


def test_each_match_is_an_answer_and_success_comes_last(perform):
    index, conversation = Index(), Conversation()

    outcome = perform(index, conversation)

    assert [response.status for response in conversation.responses] == [0xFF00] * 3
    assert [response.data_set[-2:] for response in conversation.responses] == [b"P0", b"P1", b"P2"]
    assert (outcome.status, outcome.data_set, outcome.comment) == (0x0000, None, "")
    [query] = index.queries
    assert (query.level, query.wanted) == (Level.STUDY, {"patient_id"})


def test_no_match_is_success(perform):
    conversation = Conversation()

    assert perform(Index(0), conversation).status == 0x0000
    assert conversation.responses == []


def test_a_query_that_finds_nothing_for_long_is_cancelled_all_the_same(begin, result_of):
    """And what the index gives meanwhile is no answer."""
    conversation = Conversation()

    class Searching(Index):
        async def _find(self, query):
            try:
                for turn in range(1000):
                    self.found += 1
                    conversation.is_cancelled = turn == 10
                    yield None
            finally:
                self.is_closed = True

    index = Searching()
    outcome = result_of(begin(index, conversation).complete())

    assert (outcome.status, index.found, index.is_closed) == (0xFE00, 11, True)
    assert conversation.responses == []


def test_keys_that_are_not_supported_are_told_of_in_every_answer(perform):
    conversation = Conversation()
    perform(Index(), conversation, keys={**KEYS, "ReasonForStudy": ""})

    assert [response.status for response in conversation.responses] == [0xFF01] * 3


def test_the_objects_are_had_from_the_ae_that_was_called(perform, session):
    conversation = Conversation()
    perform(Index(1), conversation)

    [response] = conversation.responses
    assert b"AE\x04\x00" + session.provenance.called_ae.encode() in response.data_set


def test_the_index_is_not_asked_for_more_than_the_peer_takes(begin):
    """Whatever matches, there is one answer in memory."""
    index, room = Index(1000), Deferred()

    async def wait(_):
        await room

    conversation = Conversation(takes=2, then=wait)
    done = ensureDeferred(begin(index, conversation).complete())

    assert (index.found, done.called) == (2, False)
    room.callback(None)
    assert len(conversation.responses) == 1000
    assert done.result.status == 0x0000


def test_a_cancel_ends_it_after_the_answer_that_was_under_way(perform):
    index, conversation = Index(1000), Conversation(takes=2, then=cancel)

    outcome = perform(index, conversation)

    assert outcome.status == 0xFE00
    assert (len(conversation.responses), index.found, index.is_closed) == (2, 3, True)


def test_a_cancel_after_the_last_answer_is_heard_too(perform):
    assert perform(Index(2), Conversation(takes=2, then=cancel)).status == 0xFE00


def test_a_peer_that_has_gone_is_answered_no_more(perform):
    index = Index(1000)

    outcome = perform(index, Conversation(takes=2, then=leave))

    assert (index.found, index.is_closed) == (2, True)
    assert outcome.note == "STUDY level"


@pytest.mark.parametrize("count", [5, 6, 1000])
def test_the_limit_ends_it_after_so_many_answers(perform, count):
    index, conversation = Index(count), Conversation()

    outcome = perform(index, conversation, maximum_answers=5)

    assert len(conversation.responses) == 5
    if count == 5:
        assert outcome.status == 0x0000
    else:
        assert (outcome.status, outcome.comment) == (0xA700, "More than 5 match, which is the limit")
        assert (index.found, index.is_closed) == (6, True)


def test_the_comment_on_the_largest_limit_is_not_cut(perform):
    assert len(perform(Index(2), maximum_answers=1).comment) + len("000000000") <= MAXIMUM_COMMENT_LENGTH


@pytest.mark.parametrize("fault", [OSError("disk I/O error"), ValueError("an index of a later version")])
def test_an_index_that_fails_is_out_of_resources_and_in_the_log(perform, fault):
    conversation = Conversation()

    with capturedLogs() as logged:
        outcome = perform(Index(2, fault), conversation)

    assert len(conversation.responses) == 2
    assert (outcome.status, outcome.comment) == (0xA700, "The index cannot be read, see the log")
    [event] = logged
    assert formatEvent(event) == f"C-FIND of CT01: the index cannot be read: {fault}"


def test_a_fault_of_the_program_is_none_of_the_index_and_what_was_asked_is_known(perform):
    with capturedLogs() as logged:
        outcome = perform(Index(1, RuntimeError("a fault")))

    assert (outcome.status, outcome.comment) == (0x0110, "A fault of the program")
    assert outcome.identifier
    [event] = logged
    assert event["log_failure"].type is RuntimeError


def test_a_bad_identifier_names_its_element_and_asks_nothing(perform):
    index = Index()

    outcome = perform(index, keys={"level": "SERIES", "StudyInstanceUID": ""})

    assert (outcome.status, outcome.offending_element) == (0xA900, (0x0020000D,))
    assert outcome.comment == "StudyInstanceUID: one value is needed at SERIES level"
    assert (index.queries, outcome.note) == ([], "")


def test_the_log_is_told_the_level_and_nothing_of_whom(perform):
    outcome = perform(Index(), keys={**KEYS, "PatientName": "DOE"})

    assert outcome.note == "STUDY level"
    assert outcome.size == len(identifier({**KEYS, "PatientName": "DOE"}))


# --- the request's bytes ----------------------------------------------------------------------


def test_an_identifier_may_come_in_pieces_and_all_of_it_is_counted(begin, written, result_of):
    operation = begin(Index(), keys={})
    pieces = [bytes([byte]) for byte in identifier(KEYS)]
    for piece in pieces:
        operation.write(memoryview(piece))

    assert written == [0, *[1] * len(pieces)]
    assert result_of(operation.complete()).status == 0x0000


def test_an_identifier_as_long_as_is_allowed_is_performed(begin, result_of):
    uids = "\\".join(["1.2.3"] * (60_000 // 6))
    filler = {(0x00400000 + number, "UT"): "x" * 65_000 for number in range(1, 4)}
    operation = begin(Index(), keys={**KEYS, **filler, "StudyInstanceUID": uids[: 60_000 - 1]})
    assert result_of(operation.complete()).status == 0x0000


def test_one_that_is_longer_is_refused_and_takes_no_memory(begin, written, result_of):
    index = Index()
    operation = begin(index)
    for _ in range(40):
        operation.write(memoryview(bytes(LONGEST_IDENTIFIER // 4)))

    assert len(operation._identifier._data) == 0
    outcome = result_of(operation.complete())
    assert (outcome.status, outcome.comment) == (0xC000, "Identifier: 256 KiB are allowed")
    assert (outcome.offending_element, index.queries) == ((), [])
    assert sum(written) == outcome.size > 10 * LONGEST_IDENTIFIER


def test_a_request_without_an_identifier_cannot_be_understood(session, result_of):
    request = dataclasses.replace(REQUEST, has_data_set=False)
    operation = QueryProvider(Index()).begin(request, EXPLICIT, session)

    outcome = result_of(operation.complete())
    assert (outcome.status, outcome.comment) == (0xC000, "C-FIND-RQ without an Identifier")


def test_an_association_that_ends_before_the_identifier_is_whole_asks_nothing(begin, result_of):
    index = Index()
    result_of(begin(index).abandon())
    assert index.queries == []


def test_another_limit_is_that_of_the_next_query(session, result_of):
    provider = QueryProvider(Index(), maximum_answers=0)
    answered = []
    for limit in (2, 0):
        conversation = Conversation()
        spoken = dataclasses.replace(session, conversation=conversation)
        operation = provider.begin(REQUEST, EXPLICIT, spoken)
        provider.reconfigure(maximum_answers=limit)
        operation.write(memoryview(identifier(KEYS)))
        result_of(operation.complete())
        answered.append(len(conversation.responses))
    assert answered == [3, 2]


@pytest.mark.parametrize("fault", [None, OSError("the disk is gone")])
def test_the_identifier_is_told_for_the_record_however_it_ends(perform, fault):
    assert perform(Index(fault=fault)).identifier == identifier(KEYS)
