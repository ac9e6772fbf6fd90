"""C-MOVE and C-GET: every object is sent as it lies, or has a reason; and the counters add up."""

from __future__ import annotations

import struct

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher
from zope.interface.verify import verifyObject

from sdcc.conformance import PATIENT_ROOT_GET, PATIENT_ROOT_MOVE
from sdcc.dimse.messages import GetRequest
from sdcc.dimse.status import Status
from sdcc.interfaces import (
    AssociationLost,
    ICaller,
    IConversation,
    IConverter,
    IOperation,
    IOwnAssociation,
    IScratchFile,
    IServiceProvider,
    SubOperations,
)
from sdcc.printable import AE_LENGTH
from sdcc.services.query_retrieve.outgoing import MOST_NAMED

from .retrieving import CT, EXPLICIT, IMPLICIT, JPEG, MR, Association, Retrieving, Scratch, elements, study


@pytest.fixture
def rig():
    rig = Retrieving()
    yield rig
    rig.nothing_is_left()


@pytest.fixture
def logged():
    events = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


def counters(completed=0, failed=0, warning=0, remaining=None):
    return SubOperations(remaining=remaining, completed=completed, failed=failed, warning=warning)


def sent(association):
    return [message.affected_sop_instance_uid for _, message, _ in association.received]


def listed(outcome):
    """The Failed SOP Instance UID List of an outcome in Implicit VR."""
    group, number, length = struct.unpack_from("<HHI", outcome.data_set)
    assert (group, number, length) == (0x0008, 0x0058, len(outcome.data_set) - 8)
    return outcome.data_set[8:].rstrip(b"\0").decode().split("\\")


def is_lost(outcome):
    """Whether an operation ended because nobody is there any more."""
    return (outcome.result.status, outcome.result.comment) in [
        (Status.PROCESSING_FAILURE, lost) for lost in ("gone", "the file cannot be read: Input/output error")
    ]


BOTH = pytest.mark.parametrize("way", ["move", "get"])


def peer(rig, way):
    """Where the objects went."""
    return rig.requestor if way == "get" else rig.caller.opened[-1]


def test_it_is_a_service_provider(rig):
    verifyObject(IServiceProvider, rig.provider)
    operation = rig.operation(GetRequest(message_id=1, affected_sop_class_uid=PATIENT_ROOT_GET), b"")
    verifyObject(IOperation, operation)


def test_the_fakes_provide_their_interfaces(rig):
    rig.session("1.2")
    scratch = Scratch(rig.converter, b"")
    for interface, fake in (
        (ICaller, rig.caller),
        (IConversation, rig.conversation),
        (IConverter, rig.converter),
        (IOwnAssociation, rig.requestor),
        (IScratchFile, scratch),
    ):
        verifyObject(interface, fake)


# --- what is sent ----------------------------------------------------------------------------


@BOTH
def test_what_matches_is_sent_as_it_lies(rig, way):
    rig.add("1.1", data=b"first!")
    rig.add("1.2", data=b"second")
    outcome = getattr(rig, way)().result
    assert (outcome.status, outcome.sub_operations) == (Status.SUCCESS, counters(completed=2))
    assert outcome.data_set is None
    assert [
        (syntax, message.affected_sop_class_uid, data) for syntax, message, data in peer(rig, way).received
    ] == [
        (EXPLICIT, CT, b"first!"),
        (EXPLICIT, CT, b"second"),
    ]
    assert sent(peer(rig, way)) == ["1.1", "1.2"]
    assert rig.converter.asked == []


@BOTH
def test_nothing_that_matches_is_a_success_too(rig, way):
    outcome = getattr(rig, way)().result
    assert (outcome.status, outcome.sub_operations) == (Status.SUCCESS, counters())
    assert rig.caller.asked == []


def test_a_destination_is_called_in_the_name_of_the_called_ae_and_told_who_asked(rig):
    rig.add("1.1")
    rig.move(priority=1).result  # noqa: B018
    ((called, calling, _),) = rig.caller.asked
    assert (called, calling) == ("WORKSTATION", "SDCC")
    ((_, message, _),) = rig.caller.opened[0].received
    assert (message.move_originator_ae_title, message.move_originator_message_id) == ("READER", 77)
    assert message.priority == 1


def test_a_priority_that_is_none_is_not_passed_on(rig):
    rig.add("1.1")
    rig.move(priority=7)
    assert rig.caller.opened[0].received[0][1].priority == 0


def test_a_requestor_is_not_told_what_it_asked(rig):
    rig.add("1.1")
    rig.get()
    ((_, message, _),) = rig.requestor.received
    assert (message.move_originator_ae_title, message.move_originator_message_id) == (None, None)


def test_outer_spaces_of_a_destination_do_not_count(rig):
    assert rig.move(destination=" WORKSTATION ").result.status == Status.SUCCESS


def test_an_object_without_a_byte_is_sent_all_the_same(rig):
    rig.add("1.1", data=b"")
    assert rig.move().result.sub_operations == counters(completed=1)


# --- what is converted -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ((JPEG, EXPLICIT, IMPLICIT), (JPEG, b"data")),
        ((EXPLICIT, IMPLICIT), (EXPLICIT, b"converted")),
        ((IMPLICIT,), (IMPLICIT, b"converted")),
    ],
)
def test_what_a_destination_does_not_take_is_converted_to_what_it_takes(rig, taken, expected):
    rig.add("1.1", syntax=JPEG)
    rig.caller.syntaxes = taken
    assert rig.move().result.sub_operations == counters(completed=1)
    ((syntax, _, data),) = rig.caller.opened[0].received
    assert (syntax, data) == expected
    assert rig.converter.asked == ([] if data == b"data" else [("/storage/objects/1.1.dcm", syntax)])


@BOTH
def test_a_data_set_of_an_odd_number_of_bytes_is_encoded_anew_where_it_would_be_taken_too(rig, way):
    rig.add("1.1", data=b"odd")
    rig.add("1.2")
    assert getattr(rig, way)().result.sub_operations == counters(completed=2)
    assert [(syntax, data) for syntax, _, data in peer(rig, way).received] == [
        (EXPLICIT, b"converted"),
        (EXPLICIT, b"data"),
    ]
    assert rig.converter.asked == [("/storage/objects/1.1.dcm", EXPLICIT)]


def test_an_odd_number_of_bytes_that_must_stay_compressed_is_not_sent(rig):
    """The peer might abort, and the rest would not be sent either."""
    rig.add("1.1", syntax=JPEG, data=b"odd")
    rig.add("1.2", syntax=JPEG)
    rig.caller.syntaxes = (JPEG,)
    outcome = rig.move().result
    assert (listed(outcome), sent(rig.caller.opened[0])) == (["1.1"], ["1.2"])
    assert outcome.comment == "its size is odd, and no context was accepted to encode it anew"


def test_what_cannot_be_converted_is_counted_and_told(rig, logged):
    rig.add("1.1", syntax=JPEG)
    rig.add("1.2")
    rig.caller.syntaxes = (EXPLICIT,)
    rig.converter.fault = "frame 1 is broken"
    outcome = rig.move().result
    assert (outcome.status, outcome.sub_operations) == (
        Status.SUB_OPERATIONS_WITH_FAILURES,
        counters(completed=1, failed=1),
    )
    assert listed(outcome) == ["1.1"]
    assert outcome.comment == "it cannot be converted: frame 1 is broken"
    (warning,) = [event for event in logged if event["log_level"].name == "warn"]
    assert warning["log_format"].format(**warning) == (
        "C-MOVE of READER to WORKSTATION: 1 of 2 not sent: it cannot be converted: frame 1 is broken"
    )


def test_a_class_that_the_destination_does_not_take(rig):
    rig.add("1.1", sop_class=MR)
    rig.add("1.2")
    rig.caller.classes = {CT}
    outcome = rig.move().result
    assert listed(outcome) == ["1.1"]
    assert outcome.comment == f"no context was accepted for SOP Class {MR}"[:64]
    assert sent(rig.caller.opened[0]) == ["1.2"]


def test_a_transfer_syntax_that_the_requestor_does_not_take(rig):
    """Nor any that the object could be converted to."""
    rig.add("1.1")
    rig.requestor = Association(rig.requestor_contexts(CT, syntax=JPEG), {})
    outcome = rig.get().result
    assert listed(outcome) == ["1.1"]
    assert outcome.comment == f"neither {EXPLICIT} nor a conversion was accepted"


def test_a_converted_object_that_cannot_be_read_leaves_nothing(rig):
    rig.add("1.1", syntax=JPEG)
    rig.caller.syntaxes = (EXPLICIT,)
    rig.converter.read_fault = OSError(5, "Input/output error")
    assert rig.move().result.sub_operations == counters(failed=1)


# --- how it ends -----------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("status", [0xB000, 0xB006, 0xB007, 0x0107, 0x0116, 0x0001])
def test_a_warning_of_the_peer_is_counted_as_one(rig, way, status):
    rig.add("1.1", "1.2")
    rig.caller.answers["1.1"] = rig.requestor.answers["1.1"] = status
    outcome = getattr(rig, way)().result
    assert (outcome.status, outcome.sub_operations) == (
        Status.SUB_OPERATIONS_WITH_FAILURES,
        counters(completed=1, warning=1),
    )
    assert outcome.data_set is None


@BOTH
@pytest.mark.parametrize("status", [0xA700, 0xA900, 0xC000, 0x0122, 0x0110, 0xFE00])
def test_a_failure_of_the_peer_is_counted_and_listed(rig, way, status):
    rig.add("1.1", "1.2")
    rig.caller.answers["1.2"] = rig.requestor.answers["1.2"] = status
    outcome = getattr(rig, way)().result
    assert (outcome.status, outcome.sub_operations) == (
        Status.SUB_OPERATIONS_WITH_FAILURES,
        counters(completed=1, failed=1),
    )
    assert listed(outcome) == ["1.2"]
    assert outcome.comment == f"the destination answered {status:04X}H"


def test_where_nothing_at_all_could_be_sent_the_operation_fails(rig):
    rig.add("1.1", "1.2")
    rig.caller.answers = {"1.1": 0xA700, "1.2": 0xC001}
    outcome = rig.move().result
    assert (outcome.status, outcome.sub_operations) == (
        Status.UNABLE_TO_PERFORM_SUB_OPERATIONS,
        counters(failed=2),
    )
    assert listed(outcome) == ["1.1", "1.2"]


def test_where_something_was_taken_with_a_warning_the_operation_has_not_failed(rig):
    rig.add("1.1", "1.2")
    rig.caller.answers = {"1.1": 0xA700, "1.2": 0xB000}
    assert rig.move().result.status == Status.SUB_OPERATIONS_WITH_FAILURES


def test_the_list_is_in_the_transfer_syntax_of_the_request(rig):
    rig.syntax = EXPLICIT
    rig.add("1.1")
    rig.caller.answers["1.1"] = 0xA700
    assert rig.move().result.data_set == struct.pack("<HH2sH", 8, 0x58, b"UI", 4) + b"1.1\0"


def test_the_list_names_as_many_as_explicit_vr_can(rig):
    """And all are counted."""
    uids = [f"1.2.{number:060d}" for number in range(1100)]
    rig.add(*uids)
    rig.caller.refusals = ["nobody there"]
    outcome = rig.move().result
    assert outcome.sub_operations == counters(failed=1100)
    assert listed(outcome) == uids[: 0xFFFF // 65]
    assert len(outcome.data_set) - 8 <= 0xFFFE


def test_failures_of_many_kinds_are_told_apart_as_far_as_ten(rig, logged):
    uids = [f"1.{number}" for number in range(20)]
    rig.add(*uids)
    rig.caller.answers = {uid: 0xA700 + number for number, uid in enumerate(uids)}
    rig.move()
    assert len([event for event in logged if event["log_level"].name == "warn"]) == 10


def test_no_uid_is_in_a_log_line_above_debug(rig, logged):
    rig.add("1.2.3.4.5")
    rig.caller.answers["1.2.3.4.5"] = 0xA700
    rig.move()
    told = [(event["log_level"].name, event["log_format"].format(**event)) for event in logged]
    assert {level for level, text in told if "1.2.3.4.5" in text} == {"debug"}


def test_of_many_objects_that_are_not_sent_the_log_names_the_first(rig, logged):
    rig.add(*(f"1.2.{number}" for number in range(MOST_NAMED + 5)))
    rig.caller.refusals = ["no connection"]
    outcome = rig.move().result
    assert len(listed(outcome)) == MOST_NAMED + 5
    named = [event["uid"] for event in logged if event["log_level"].name == "debug"]
    assert named == listed(outcome)[:MOST_NAMED]


def test_a_longest_destination_is_named_whole(rig):
    title = "A" * AE_LENGTH
    assert rig.move(destination=title).result.comment.endswith(f"'{title}' is no [[remote]] with a port")


# --- what is not begun -----------------------------------------------------------------------


@pytest.mark.parametrize("destination", ["NOBODY", "workstation", ""])
def test_an_unknown_destination(rig, destination):
    rig.add("1.1")
    outcome = rig.move(destination=destination).result
    assert outcome.status == Status.MOVE_DESTINATION_UNKNOWN
    assert outcome.comment == f"Move Destination '{destination}' is no [[remote]] with a port"
    assert rig.written == [len(study())]


def test_a_request_without_an_identifier(rig):
    request = GetRequest(message_id=1, affected_sop_class_uid=PATIENT_ROOT_GET, has_data_set=False)
    outcome = rig._begun(request, b"").result
    assert outcome.status == Status.CANNOT_UNDERSTAND


def test_an_identifier_that_is_none_of_the_level(rig):
    outcome = rig.move(elements([(0x00080052, "STUDY")])).result
    assert outcome.status == Status.IDENTIFIER_DOES_NOT_MATCH
    assert outcome.offending_element == (0x0020000D,)
    assert "StudyInstanceUID" in outcome.comment
    assert rig.index.queries == []


@pytest.mark.parametrize("fault", [OSError(5, "no disk"), ValueError("no index of this version")])
def test_an_index_that_cannot_say_how_many_match(rig, fault, logged):
    rig.index.fault = fault
    outcome = rig.move().result
    assert outcome.status == Status.UNABLE_TO_CALCULATE_MATCHES
    assert any(str(fault) in str(event.get("error")) for event in logged)


@BOTH
def test_an_index_that_fails_in_the_midst(rig, way):
    rig.add("1.1", "1.2", "1.3", "1.4")
    rig.index.fault, rig.index.fault_after = OSError(5, "no disk"), 2
    outcome = getattr(rig, way)().result
    assert outcome.status == Status.UNABLE_TO_PERFORM_SUB_OPERATIONS
    assert outcome.sub_operations.completed == 2
    assert "index" in outcome.comment


# --- files that change meanwhile -------------------------------------------------------------


def test_an_object_that_was_replaced_meanwhile_is_sent_as_it_is_now(rig):
    rig.add("1.1", "1.2")
    gate = rig.objects.waits["objects/1.2.dcm"] = Deferred()
    outcome = rig.move()
    del rig.objects.files["objects/1.2.dcm"]
    rig.add("1.2", data=b"another", path="objects/newer.dcm", syntax=JPEG)
    gate.callback(None)
    assert outcome.result.sub_operations == counters(completed=2)
    assert rig.caller.opened[0].received[-1][2] == b"converted"


def test_an_object_that_is_gone_has_failed(rig):
    rig.add("1.1", "1.2")
    del rig.objects.files["objects/1.1.dcm"]
    outcome = rig.move().result
    assert outcome.sub_operations == counters(completed=1, failed=1)
    assert outcome.comment == "the file cannot be read: No such file or directory"
    assert rig.objects.read_paths.count("objects/1.1.dcm") == 1


def test_an_object_that_is_gone_twice_has_failed(rig):
    rig.add("1.1")
    gate = rig.objects.waits["objects/1.1.dcm"] = Deferred()
    outcome = rig.move()
    rig.index.add("1.1", path="objects/gone-too.dcm")
    del rig.objects.files["objects/1.1.dcm"]
    gate.callback(None)
    assert outcome.result.sub_operations == counters(failed=1)


def test_where_the_index_fails_too_the_first_reason_stands(rig):
    rig.add("1.1")
    del rig.objects.files["objects/1.1.dcm"]
    find, asked = rig.index.find, []

    def once(query):
        asked.append(query)
        if len(asked) > 1:
            rig.index.fault, rig.index.fault_after = OSError(5, "no disk"), 0
        return find(query)

    rig.index.find = once
    assert rig.move().result.comment == "the file cannot be read: No such file or directory"


# --- associations that break -----------------------------------------------------------------


def test_a_destination_that_cannot_be_reached(rig):
    rig.add("1.1", "1.2")
    rig.caller.refusals = ["no connection"]
    outcome = rig.move().result
    assert outcome.status == Status.UNABLE_TO_PERFORM_SUB_OPERATIONS
    assert outcome.sub_operations == counters(failed=2)
    assert outcome.comment == "no connection"
    assert len(rig.caller.asked) == 1
    assert rig.objects.read_paths == []


def test_where_an_association_breaks_the_rest_goes_over_another(rig):
    """The object too whose answer was lost."""
    rig.add("1.1", "1.2", "1.3")
    answers = iter([AssociationLost("the peer aborted"), 0])
    rig.caller.answers["1.2"] = lambda: next(answers)
    assert rig.move().result.sub_operations == counters(completed=3)
    assert [sent(association) for association in rig.caller.opened] == [["1.1", "1.2"], ["1.2", "1.3"]]


def test_over_another_association_what_is_ready_is_looked_at_anew(rig):
    """The peer may accept other contexts there."""
    rig.add("1.1", "1.2", "1.3", syntax=JPEG)
    answer = rig.caller.answers["1.1"] = Deferred()
    outcome = rig.move()
    rig.caller.syntaxes = (EXPLICIT,)
    rig.caller.answers.clear()
    answer.callback(AssociationLost("the peer aborted"))
    assert outcome.result.sub_operations == counters(completed=3)
    assert [data for _, _, data in rig.caller.opened[1].received] == [b"converted"] * 3


def test_an_association_that_breaks_twice_ends_the_sending(rig):
    rig.add("1.1", "1.2", "1.3", "1.4")
    rig.caller.answers["1.2"] = AssociationLost("the peer aborted")
    outcome = rig.move().result
    assert outcome.sub_operations == counters(completed=1, failed=3)
    assert listed(outcome) == ["1.2", "1.3", "1.4"]
    assert len(rig.caller.asked) == 2


def test_two_objects_that_break_it_are_too_many(rig):
    rig.add("1.1", "1.2", "1.3", "1.4")
    once = iter([AssociationLost("once"), 0])
    rig.caller.answers = {"1.1": lambda: next(once), "1.3": AssociationLost("again")}
    outcome = rig.move().result
    assert outcome.sub_operations == counters(completed=2, failed=2)


def test_where_no_other_association_can_be_had_the_rest_has_failed(rig):
    rig.add("1.1", "1.2", "1.3")
    rig.caller.answers["1.1"] = AssociationLost("the peer aborted")
    rig.caller.refusals = [None, "no connection"]
    outcome = rig.move().result
    assert outcome.sub_operations == counters(failed=3)
    assert outcome.comment == "no connection"


def test_a_file_that_fails_in_the_midst_costs_its_object_alone(rig):
    """And the association, in which a message that was begun cannot be taken back."""
    rig.add("1.1", "1.2", "1.3", "1.4", "1.5", "1.6", data=b"long enough!")
    rig.objects.faults = {"objects/1.2.dcm": 2, "objects/1.4.dcm": 2}
    outcome = rig.move().result
    assert outcome.sub_operations == counters(completed=4, failed=2)
    assert listed(outcome) == ["1.2", "1.4"]
    assert [association.end for association in rig.caller.opened] == ["aborted", "aborted", "released"]


@BOTH
def test_a_requestor_that_is_gone_ends_the_operation(rig, way):
    rig.add("1.1", "1.2", "1.3")
    rig.session("1.2")
    rig.conversation.fault = AssociationLost("gone")
    assert is_lost(getattr(rig, way)())
    assert len(peer(rig, way).received) == 1


@BOTH
def test_a_fault_of_the_program_leaves_what_was_sent_on_record(rig, way, logged):
    rig.add("1.1", "1.2", "1.3")
    rig.index.fault, rig.index.fault_after = RuntimeError("a fault"), 2
    outcome = getattr(rig, way)().result
    assert (outcome.status, outcome.comment) == (0x0110, "A fault of the program")
    assert transferred(outcome) == {"1.2": ("P1.2", {CT: 2})}
    assert outcome.identifier
    assert [event["log_failure"].type for event in logged if "log_failure" in event] == [RuntimeError]


def test_a_file_that_fails_in_the_midst_of_a_get_ends_the_operation(rig):
    rig.add("1.1", "1.2", data=b"long enough!")
    rig.objects.faults["objects/1.1.dcm"] = 2
    assert is_lost(rig.get())
    assert rig.requestor.received == []


def test_a_requestor_whose_association_breaks_under_an_object(rig):
    rig.add("1.1", "1.2")
    rig.requestor.answers["1.1"] = AssociationLost("gone")
    assert is_lost(rig.get())


@pytest.mark.parametrize("uids", [("1.1",), ("1.1", "1.2"), ("1.1", "1.2", "1.3")])
def test_a_requestor_that_leaves_while_its_answer_is_awaited(rig, uids):
    """The object that is got ready meanwhile is let go."""
    rig.add(*uids)
    answer = rig.requestor.answers["1.1"] = Deferred()
    outcome = rig.get()
    answer.callback(AssociationLost("gone"))
    assert is_lost(outcome)
    assert sent(rig.requestor) == ["1.1"]


# --- several associations --------------------------------------------------------------------


def test_more_classes_than_an_association_has_contexts_go_over_several(rig):
    classes = [f"1.2.840.10008.5.1.4.1.1.{number}" for number in range(100)]
    for number, sop_class in enumerate([*classes, *classes]):
        rig.add(f"1.{number}", sop_class=sop_class)
    assert rig.move().result.sub_operations == counters(completed=200)
    assert [len(association.received) for association in rig.caller.opened] == [128, 72]
    assert [len(contexts) for _, _, contexts in rig.caller.asked] == [128, 72]


def test_one_association_is_one_question_to_the_index(rig):
    rig.add("1.1")
    rig.move()
    _, find = rig.index.queries
    assert [condition.field for condition in find.conditions] == ["study_instance_uid"]


# --- responses on the way --------------------------------------------------------------------


@BOTH
def test_the_peer_is_told_how_far_it_is(rig, way):
    rig.add("1.1", "1.2", "1.3", "1.4")
    rig.caller.answers["1.2"] = rig.requestor.answers["1.2"] = 0xB000
    rig.caller.answers["1.3"] = rig.requestor.answers["1.3"] = 0xA700
    for uid in ("1.2", "1.3"):
        status = rig.caller.answers[uid]

        def later(status=status):
            rig.clock.advance(0.2)
            return status

        rig.caller.answers[uid] = rig.requestor.answers[uid] = later
    getattr(rig, way)()
    assert [(r.status, r.sub_operations, r.data_set) for r in rig.conversation.responses] == [
        (Status.PENDING, counters(1, 0, 0, 3), None),
        (Status.PENDING, counters(1, 0, 1, 2), None),
        (Status.PENDING, counters(1, 1, 1, 1), None),
    ]


def test_the_peer_is_told_after_the_first_object_and_then_not_too_often(rig):
    rig.add(*(f"1.{number}" for number in range(50)))
    rig.move()
    assert [r.sub_operations for r in rig.conversation.responses] == [counters(1, remaining=49)]


def test_while_an_object_takes_long_the_peer_of_a_move_hears_every_second(rig):
    rig.add("1.1")
    answer = rig.caller.answers["1.1"] = Deferred()
    outcome = rig.move()
    for _ in range(3):
        rig.clock.advance(1)
    assert [r.sub_operations for r in rig.conversation.responses] == [counters(remaining=1)] * 3
    answer.callback(0)
    assert outcome.result.sub_operations == counters(completed=1)


def test_a_peer_that_does_not_read_is_told_no_more_than_one_thing(rig):
    rig.add("1.1")
    answer = rig.caller.answers["1.1"] = Deferred()
    rig.session("1.2")
    rig.conversation.room = Deferred()
    rig.move()
    for _ in range(3):
        rig.clock.advance(1)
    assert len(rig.conversation.responses) == 1
    answer.callback(0)


def test_while_an_object_is_got_ready_the_peer_of_a_get_hears_every_second_too(rig):
    """It may have to be converted, or to wait for its turn to be."""
    rig.add("1.1", "1.2")
    gate = rig.objects.waits["objects/1.2.dcm"] = Deferred()
    answer = rig.requestor.answers["1.1"] = Deferred()
    outcome = rig.get()
    rig.clock.advance(1)
    assert rig.conversation.responses == []  # the first is on its way
    answer.callback(0)
    for _ in range(2):
        rig.clock.advance(1)
    assert [r.sub_operations for r in rig.conversation.responses] == [counters(1, remaining=1)] * 3
    gate.callback(None)
    assert outcome.result.sub_operations == counters(completed=2)


def test_over_the_association_of_a_get_nothing_is_said_while_an_object_is_on_its_way(rig):
    """A message cannot be put inside another."""
    rig.add("1.1")
    answer = rig.requestor.answers["1.1"] = Deferred()
    rig.get()
    rig.clock.advance(5)
    assert rig.conversation.responses == []
    answer.callback(0)


def test_a_requestor_of_a_move_that_leaves_takes_the_association_to_the_destination_along(rig):
    """Which may be slow to answer; and what SDCC opens is counted nowhere."""
    rig.add("1.1", "1.2")
    rig.caller.answers["1.1"] = Deferred()
    rig.move()
    rig.conversation.leave()
    assert [association.end for association in rig.caller.opened] == ["aborted"]
    rig.caller.answers["1.1"].errback(AssociationLost("SDCC gave it up"))


def test_a_requestor_of_a_move_that_leaves_while_an_object_takes_long(rig):
    rig.add("1.1")
    answer = rig.caller.answers["1.1"] = Deferred()
    outcome = rig.move()
    rig.conversation.fault, rig.conversation.is_cancelled = AssociationLost("gone"), True
    rig.clock.advance(1)
    answer.callback(0)
    assert outcome.result.status == Status.CANCEL


# --- C-CANCEL --------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("after", [1, 2])
def test_a_cancelled_operation_ends_after_the_object_that_is_on_its_way(rig, way, after):
    rig.add("1.1", "1.2", "1.3", "1.4")

    def cancels():
        rig.conversation.is_cancelled = True
        return 0

    rig.caller.answers[f"1.{after}"] = rig.requestor.answers[f"1.{after}"] = cancels
    outcome = getattr(rig, way)().result
    assert (outcome.status, outcome.sub_operations) == (
        Status.CANCEL,
        counters(completed=after, remaining=4 - after),
    )
    assert len(peer(rig, way).received) == after


def test_an_operation_cancelled_before_it_began_sends_nothing(rig):
    rig.add("1.1", "1.2")
    rig.session("1.2")
    rig.conversation.is_cancelled = True
    outcome = rig.move().result
    assert (outcome.status, outcome.sub_operations) == (Status.CANCEL, counters(remaining=2))
    assert rig.caller.asked == []


def test_once_it_is_cancelled_nobody_else_is_called(rig):
    for number in range(100):
        rig.add(f"1.{number}", sop_class=f"1.2.840.10008.5.1.4.1.1.{number}")

    def cancels():
        rig.conversation.is_cancelled = True
        return 0

    rig.caller.answers["1.3"] = cancels
    assert rig.move().result.sub_operations == counters(completed=4, remaining=96)
    assert len(rig.caller.asked) == 1


def test_an_operation_cancelled_while_the_next_object_is_got_ready_lets_it_go(rig):
    rig.add("1.1", "1.2", syntax=JPEG)
    rig.caller.syntaxes = (EXPLICIT,)
    answer = rig.caller.answers["1.1"] = Deferred()
    outcome = rig.move()
    assert len(rig.converter.asked) == 2
    rig.conversation.is_cancelled = True
    answer.callback(0)
    assert outcome.result.sub_operations == counters(completed=1, remaining=1)


@pytest.mark.parametrize("fault", [AssociationLost("no answer in time"), OSError(5, "Input/output error")])
def test_for_a_cancelled_operation_no_other_association_is_opened(rig, fault):
    rig.add("1.1", "1.2")
    answer = rig.caller.answers["1.1"] = Deferred()
    outcome = rig.move()
    rig.conversation.is_cancelled = True
    answer.errback(fault)
    assert outcome.result.sub_operations == counters(failed=1, remaining=1)
    assert len(rig.caller.asked) == 1


def test_a_cancelled_operation_lists_what_had_failed(rig):
    rig.add("1.1", "1.2")

    def cancels():
        rig.conversation.is_cancelled = True
        return 0xA700

    rig.caller.answers["1.1"] = cancels
    assert listed(rig.move().result) == ["1.1"]


# --- getting ready ---------------------------------------------------------------------------


def test_the_next_object_is_read_while_the_answer_to_one_is_awaited_and_no_more(rig):
    rig.add("1.1", "1.2", "1.3", "1.4")
    answer = rig.caller.answers["1.1"] = Deferred()
    rig.move()
    assert rig.objects.read_paths == ["objects/1.1.dcm", "objects/1.2.dcm"]
    answer.callback(0)
    assert len(rig.objects.read_paths) == 4


@pytest.mark.parametrize("abstract_syntax", [PATIENT_ROOT_MOVE, PATIENT_ROOT_GET])
def test_both_roots_are_served(rig, abstract_syntax):
    rig.add("1.1")
    identifier = elements([(0x00080052, "PATIENT"), (0x00100020, "P1")])
    rig.index.rows["1.1"]["patient_id"] = "P1"
    way = rig.move if abstract_syntax == PATIENT_ROOT_MOVE else rig.get
    assert way(identifier, abstract_syntax=abstract_syntax).result.sub_operations == counters(completed=1)


def test_the_size_of_an_identifier_is_told(rig):
    assert rig.move().result.size == len(study())
    assert sum(rig.written) == len(study())


def test_the_outcome_of_a_move_is_noted_for_the_log(rig):
    rig.add("1.1")
    assert rig.move().result.note == "to WORKSTATION: completed 1, with warnings 0, failed 0"


# --- for the record --------------------------------------------------------------------------


def transferred(outcome):
    return {each.study_instance_uid: (each.patient_id, dict(each.instances)) for each in outcome.transfers}


@BOTH
def test_what_was_sent_is_told_by_study_with_its_patient(rig, way):
    rig.add("1.1", study="1")
    rig.add("2.1", "2.2", study="2")
    for destination in (rig.requestor, rig.caller):
        destination.answers.update({"1.1": 0xA700, "2.2": 0xB000})
    outcome = getattr(rig, way)().result
    assert transferred(outcome) == {"2": ("P2", {CT: 2})}
    assert outcome.identifier == study()


@BOTH
def test_what_was_sent_is_told_though_nobody_hears_the_answer(rig, way):
    rig.add("1.1", "1.2", study="1")
    rig.session("1.2")
    rig.conversation.fault = AssociationLost("gone")
    assert transferred(getattr(rig, way)().result) == {"1": ("P1", {CT: 1})}


def test_an_identifier_that_is_not_performed_is_told_as_well(rig):
    identifier = elements([(0x00080052, "NOTHING")])
    outcome = rig.move(identifier).result
    assert (outcome.status, outcome.identifier) == (Status.IDENTIFIER_DOES_NOT_MATCH, identifier)
