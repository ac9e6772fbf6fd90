"""Messages: what Command Sets say, checked against pynetdicom's own, and what they must not lack."""

from __future__ import annotations

from io import BytesIO

import pytest
from pydicom.uid import UID
from pynetdicom.dimse_messages import (
    C_CANCEL_RQ,
    C_ECHO_RQ,
    C_ECHO_RSP,
    C_FIND_RQ,
    C_FIND_RSP,
    C_GET_RQ,
    C_GET_RSP,
    C_MOVE_RQ,
    C_MOVE_RSP,
    C_STORE_RQ,
    C_STORE_RSP,
    N_ACTION_RQ,
    N_ACTION_RSP,
    N_EVENT_REPORT_RQ,
    N_EVENT_REPORT_RSP,
    N_GET_RQ,
)
from pynetdicom.dimse_primitives import (
    C_CANCEL,
    C_ECHO,
    C_FIND,
    C_GET,
    C_MOVE,
    C_STORE,
    N_ACTION,
    N_EVENT_REPORT,
    N_GET,
)
from pynetdicom.dsutils import decode as pynetdicom_decode
from pynetdicom.dsutils import encode as pynetdicom_encode

from sdcc.dimse import command
from sdcc.dimse.command import CommandError, CommandField, Priority, Tag
from sdcc.dimse.messages import (
    ActionRequest,
    CancelRequest,
    EchoRequest,
    EventReportRequest,
    FindRequest,
    GetRequest,
    MoveRequest,
    OtherRequest,
    Response,
    StoreRequest,
    command_name,
    error_comment,
    parse,
)

VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
INSTANCE = "1.2.826.0.1.3680043.9.1"


def pynetdicom_store(is_response: bool) -> C_STORE:
    primitive = C_STORE()
    primitive.AffectedSOPClassUID = UID(CT)
    primitive.AffectedSOPInstanceUID = UID(INSTANCE)
    if is_response:
        primitive.MessageIDBeingRespondedTo = 5
        primitive.Status = 0xA700
        primitive.ErrorComment = "The disk is full"
    else:
        primitive.MessageID = 5
        primitive.Priority = 1
        primitive.MoveOriginatorApplicationEntityTitle = "MOVER"
        primitive.MoveOriginatorMessageID = 9
        primitive.DataSet = BytesIO(b"\x08\x00")
    return primitive


def pynetdicom_echo(is_response: bool) -> C_ECHO:
    primitive = C_ECHO()
    primitive.AffectedSOPClassUID = UID(VERIFICATION)
    if is_response:
        primitive.MessageIDBeingRespondedTo = 3
        primitive.Status = 0
    else:
        primitive.MessageID = 3
    return primitive


def pynetdicom_cancel() -> C_CANCEL:
    primitive = C_CANCEL()
    primitive.MessageIDBeingRespondedTo = 4
    return primitive


def pynetdicom_get() -> N_GET:
    primitive = N_GET()
    primitive.RequestedSOPClassUID = UID(CT)
    primitive.RequestedSOPInstanceUID = UID(INSTANCE)
    primitive.MessageID = 6
    return primitive


FIND = "1.2.840.10008.5.1.4.1.2.2.1"
MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
GET = "1.2.840.10008.5.1.4.1.2.2.3"
COMMITMENT = "1.2.840.10008.1.20.1"
THE_COMMITMENT = "1.2.840.10008.1.20.1.1"
IDENTIFIER = BytesIO(b"\x08\x00")


def theirs(primitive: object, **fields: object) -> object:
    """A primitive of pynetdicom's with these attributes."""
    for name, value in fields.items():
        setattr(primitive, name, value)
    return primitive


def pynetdicom_retrieval(primitive: C_GET | C_MOVE, uid: str, **fields: object) -> object:
    counters = {
        "NumberOfRemainingSuboperations": 4,
        "NumberOfCompletedSuboperations": 3,
        "NumberOfFailedSuboperations": 2,
        "NumberOfWarningSuboperations": 1,
    }
    return theirs(
        primitive,
        AffectedSOPClassUID=UID(uid),
        MessageIDBeingRespondedTo=8,
        Status=0xFF00,
        **counters,
        **fields,
    )


COUNTERS = {
    "remaining_sub_operations": 4,
    "completed_sub_operations": 3,
    "failed_sub_operations": 2,
    "warning_sub_operations": 1,
}


#: Name, our message, pynetdicom's.
SAME = [
    (
        "C-ECHO-RQ",
        EchoRequest(message_id=3, affected_sop_class_uid=VERIFICATION),
        (C_ECHO_RQ, pynetdicom_echo(is_response=False)),
    ),
    (
        "C-ECHO-RSP",
        Response(
            command_field=CommandField.C_ECHO_RSP,
            message_id_being_responded_to=3,
            status=0,
            affected_sop_class_uid=VERIFICATION,
        ),
        (C_ECHO_RSP, pynetdicom_echo(is_response=True)),
    ),
    (
        "C-STORE-RQ",
        StoreRequest(
            message_id=5,
            affected_sop_class_uid=CT,
            affected_sop_instance_uid=INSTANCE,
            priority=Priority.HIGH,
            move_originator_ae_title="MOVER",
            move_originator_message_id=9,
        ),
        (C_STORE_RQ, pynetdicom_store(is_response=False)),
    ),
    (
        "C-STORE-RSP",
        Response(
            command_field=CommandField.C_STORE_RSP,
            message_id_being_responded_to=5,
            status=0xA700,
            affected_sop_class_uid=CT,
            affected_sop_instance_uid=INSTANCE,
            error_comment="The disk is full",
        ),
        (C_STORE_RSP, pynetdicom_store(is_response=True)),
    ),
    (
        "C-CANCEL-RQ",
        CancelRequest(message_id_being_responded_to=4),
        (C_CANCEL_RQ, pynetdicom_cancel()),
    ),
    (
        "C-FIND-RQ",
        FindRequest(message_id=7, affected_sop_class_uid=FIND, priority=Priority.LOW),
        (
            C_FIND_RQ,
            theirs(C_FIND(), AffectedSOPClassUID=UID(FIND), MessageID=7, Priority=2, Identifier=IDENTIFIER),
        ),
    ),
    (
        "C-FIND-RSP",
        Response(
            command_field=CommandField.C_FIND_RSP,
            message_id_being_responded_to=7,
            status=0xFF01,
            affected_sop_class_uid=FIND,
            has_data_set=True,
        ),
        (
            C_FIND_RSP,
            theirs(
                C_FIND(),
                AffectedSOPClassUID=UID(FIND),
                MessageIDBeingRespondedTo=7,
                Status=0xFF01,
                Identifier=IDENTIFIER,
            ),
        ),
    ),
    (
        "C-GET-RQ",
        GetRequest(message_id=8, affected_sop_class_uid=GET),
        (
            C_GET_RQ,
            theirs(C_GET(), AffectedSOPClassUID=UID(GET), MessageID=8, Priority=0, Identifier=IDENTIFIER),
        ),
    ),
    (
        "C-GET-RSP",
        Response(
            command_field=CommandField.C_GET_RSP,
            message_id_being_responded_to=8,
            status=0xFF00,
            affected_sop_class_uid=GET,
            **COUNTERS,
        ),
        (C_GET_RSP, pynetdicom_retrieval(C_GET(), GET)),
    ),
    (
        "C-MOVE-RQ",
        MoveRequest(
            message_id=9, affected_sop_class_uid=MOVE, move_destination="WS01", priority=Priority.HIGH
        ),
        (
            C_MOVE_RQ,
            theirs(
                C_MOVE(),
                AffectedSOPClassUID=UID(MOVE),
                MessageID=9,
                Priority=1,
                MoveDestination="WS01",
                Identifier=IDENTIFIER,
            ),
        ),
    ),
    (
        "C-MOVE-RSP",
        Response(
            command_field=CommandField.C_MOVE_RSP,
            message_id_being_responded_to=8,
            status=0xFF00,
            affected_sop_class_uid=MOVE,
            has_data_set=True,
            **COUNTERS,
        ),
        (C_MOVE_RSP, pynetdicom_retrieval(C_MOVE(), MOVE, Identifier=IDENTIFIER)),
    ),
    (
        "N-ACTION-RQ",
        ActionRequest(
            message_id=10,
            affected_sop_class_uid=COMMITMENT,
            affected_sop_instance_uid=THE_COMMITMENT,
            action_type_id=1,
        ),
        (
            N_ACTION_RQ,
            theirs(
                N_ACTION(),
                RequestedSOPClassUID=UID(COMMITMENT),
                RequestedSOPInstanceUID=UID(THE_COMMITMENT),
                MessageID=10,
                ActionTypeID=1,
                ActionInformation=IDENTIFIER,
            ),
        ),
    ),
    (
        "N-ACTION-RSP",
        Response(
            command_field=CommandField.N_ACTION_RSP,
            message_id_being_responded_to=10,
            status=0,
            affected_sop_class_uid=COMMITMENT,
            affected_sop_instance_uid=THE_COMMITMENT,
            action_type_id=1,
        ),
        (
            N_ACTION_RSP,
            theirs(
                N_ACTION(),
                AffectedSOPClassUID=UID(COMMITMENT),
                AffectedSOPInstanceUID=UID(THE_COMMITMENT),
                MessageIDBeingRespondedTo=10,
                ActionTypeID=1,
                Status=0,
            ),
        ),
    ),
    (
        "N-EVENT-REPORT-RQ",
        EventReportRequest(
            message_id=11,
            affected_sop_class_uid=COMMITMENT,
            affected_sop_instance_uid=THE_COMMITMENT,
            event_type_id=2,
        ),
        (
            N_EVENT_REPORT_RQ,
            theirs(
                N_EVENT_REPORT(),
                AffectedSOPClassUID=UID(COMMITMENT),
                AffectedSOPInstanceUID=UID(THE_COMMITMENT),
                MessageID=11,
                EventTypeID=2,
                EventInformation=IDENTIFIER,
            ),
        ),
    ),
    (
        "N-EVENT-REPORT-RSP",
        Response(
            command_field=CommandField.N_EVENT_REPORT_RSP,
            message_id_being_responded_to=11,
            status=0x0110,
            affected_sop_class_uid=COMMITMENT,
            affected_sop_instance_uid=THE_COMMITMENT,
            event_type_id=2,
        ),
        (
            N_EVENT_REPORT_RSP,
            theirs(
                N_EVENT_REPORT(),
                AffectedSOPClassUID=UID(COMMITMENT),
                AffectedSOPInstanceUID=UID(THE_COMMITMENT),
                MessageIDBeingRespondedTo=11,
                EventTypeID=2,
                Status=0x0110,
            ),
        ),
    ),
    (
        "N-GET-RQ",
        OtherRequest(
            command_field=CommandField.N_GET_RQ,
            message_id=6,
            affected_sop_class_uid=CT,
            affected_sop_instance_uid=INSTANCE,
        ),
        (N_GET_RQ, pynetdicom_get()),
    ),
]


@pytest.mark.parametrize(("name", "ours", "theirs"), SAME, ids=[name for name, _, _ in SAME])
def test_pynetdicoms_encoding_says_the_same(name, ours, theirs):
    kind, primitive = theirs
    message = kind()
    message.primitive_to_message(primitive)
    encoded = pynetdicom_encode(message.command_set, True, True)
    assert parse(command.decode(encoded)) == ours


@pytest.mark.parametrize(("name", "ours", "theirs"), SAME, ids=[name for name, _, _ in SAME])
def test_pynetdicom_understands_our_encoding(name, ours, theirs):
    kind, primitive = theirs
    message = kind()
    message.primitive_to_message(primitive)
    expected = {element.tag: element.value for element in message.command_set}
    decoded = pynetdicom_decode(BytesIO(ours.encode()), True, True)
    received = {element.tag: element.value for element in decoded}
    for elements in (expected, received):
        del elements[0x00000000]
    # Any other value than 0101H announces a Data Set.
    assert (expected.pop(0x00000800) == 0x0101) == (received.pop(0x00000800) == 0x0101)
    assert received == expected


@pytest.mark.parametrize(("name", "message", "theirs"), SAME, ids=[name for name, _, _ in SAME])
def test_a_message_survives_a_round_trip(name, message, theirs):
    assert parse(command.decode(message.encode())) == message


@pytest.mark.parametrize("has_data_set", [False, True])
def test_whether_a_data_set_follows_is_what_the_command_set_says(has_data_set):
    """Also where the standard would have it otherwise."""
    for message in (
        EchoRequest(message_id=1, affected_sop_class_uid=VERIFICATION, has_data_set=has_data_set),
        StoreRequest(
            message_id=1, affected_sop_class_uid=CT, affected_sop_instance_uid="1", has_data_set=has_data_set
        ),
        FindRequest(message_id=1, affected_sop_class_uid=FIND, has_data_set=has_data_set),
        GetRequest(message_id=1, affected_sop_class_uid=GET, has_data_set=has_data_set),
        MoveRequest(
            message_id=1, affected_sop_class_uid=MOVE, move_destination="A", has_data_set=has_data_set
        ),
        OtherRequest(command_field=CommandField.N_SET_RQ, message_id=1, has_data_set=has_data_set),
        Response(command_field=0x8020, message_id_being_responded_to=1, status=0, has_data_set=has_data_set),
    ):
        assert parse(command.decode(message.encode())).has_data_set is has_data_set


@pytest.mark.parametrize("data_set_type", [0, 1, 2, 0x0100, 0x0102, 0xFFFF])
def test_any_data_set_type_but_0101_announces_a_data_set(data_set_type):
    received = {
        Tag.COMMAND_FIELD: 0x0001,
        Tag.MESSAGE_ID: 1,
        Tag.COMMAND_DATA_SET_TYPE: data_set_type,
        Tag.AFFECTED_SOP_CLASS_UID: CT,
        Tag.AFFECTED_SOP_INSTANCE_UID: INSTANCE,
    }
    assert parse(received).has_data_set


KNOWN = {
    *(CommandField.C_ECHO_RQ, CommandField.C_STORE_RQ, CommandField.C_CANCEL_RQ),
    *(CommandField.C_FIND_RQ, CommandField.C_GET_RQ, CommandField.C_MOVE_RQ),
    *(CommandField.N_ACTION_RQ, CommandField.N_EVENT_REPORT_RQ),
}
OTHERS = [
    *(field for field in CommandField if not field & 0x8000 and field not in KNOWN),
    *(0x0000, 0x0002, 0x1234, 0x7FFF),
]


@pytest.mark.parametrize("command_field", OTHERS)
def test_every_other_command_is_an_other_request(command_field):
    message = OtherRequest(command_field=command_field, message_id=1, affected_sop_class_uid=CT)
    assert parse(command.decode(message.encode())) == message


#: Command Field and the elements without which nothing can be answered.
MANDATORY = [
    (CommandField.C_ECHO_RQ, {Tag.MESSAGE_ID: 1, Tag.AFFECTED_SOP_CLASS_UID: VERIFICATION}),
    (
        CommandField.C_STORE_RQ,
        {Tag.MESSAGE_ID: 1, Tag.AFFECTED_SOP_CLASS_UID: CT, Tag.AFFECTED_SOP_INSTANCE_UID: INSTANCE},
    ),
    (CommandField.C_CANCEL_RQ, {Tag.MESSAGE_ID_BEING_RESPONDED_TO: 1}),
    (CommandField.C_FIND_RQ, {Tag.MESSAGE_ID: 1, Tag.AFFECTED_SOP_CLASS_UID: FIND}),
    (CommandField.C_GET_RQ, {Tag.MESSAGE_ID: 1, Tag.AFFECTED_SOP_CLASS_UID: GET}),
    (CommandField.C_MOVE_RQ, {Tag.MESSAGE_ID: 1, Tag.AFFECTED_SOP_CLASS_UID: MOVE}),
    (CommandField.N_ACTION_RQ, {Tag.MESSAGE_ID: 1}),
    (CommandField.N_EVENT_REPORT_RQ, {Tag.MESSAGE_ID: 1}),
    (CommandField.N_SET_RQ, {Tag.MESSAGE_ID: 1}),
    (0x1234, {Tag.MESSAGE_ID: 1}),
    (CommandField.C_STORE_RSP, {Tag.MESSAGE_ID_BEING_RESPONDED_TO: 1, Tag.STATUS: 0}),
]


@pytest.mark.parametrize(
    ("command_field", "elements", "lacking"),
    [
        (field, elements | {Tag.COMMAND_DATA_SET_TYPE: 0x0101}, tag)
        for field, elements in MANDATORY
        for tag in [*elements, Tag.COMMAND_DATA_SET_TYPE]
    ],
)
def test_a_mandatory_element_that_is_absent_is_named(command_field, elements, lacking):
    received = elements | {Tag.COMMAND_FIELD: command_field}
    parse(received)
    del received[lacking]
    with pytest.raises(CommandError) as caught:
        parse(received)
    assert (
        str(caught.value) == f"{lacking} is absent from a {command_name(command_field)}, which must have it"
    )


@pytest.mark.parametrize(
    "request_",
    [
        StoreRequest(message_id=1, affected_sop_class_uid=CT, affected_sop_instance_uid=INSTANCE),
        FindRequest(message_id=1, affected_sop_class_uid=FIND),
        GetRequest(message_id=1, affected_sop_class_uid=GET),
        MoveRequest(message_id=1, affected_sop_class_uid=MOVE, move_destination="WS01"),
    ],
    ids=["C-STORE", "C-FIND", "C-GET", "C-MOVE"],
)
def test_priority_may_be_absent(request_):
    """Devices leave it out, and it changes nothing."""
    received = dict(command.decode(request_.encode()))
    del received[Tag.PRIORITY]
    assert parse(received) == request_


def test_what_a_request_can_be_answered_without_is_empty_where_it_is_absent():
    """Mandatory in the standard, but its answer says better what is wrong than an abort."""
    answerable = {Tag.MESSAGE_ID: 1, Tag.COMMAND_DATA_SET_TYPE: 1}
    move = parse({**answerable, Tag.COMMAND_FIELD: CommandField.C_MOVE_RQ, Tag.AFFECTED_SOP_CLASS_UID: MOVE})
    assert move.move_destination == ""
    action = parse({**answerable, Tag.COMMAND_FIELD: CommandField.N_ACTION_RQ})
    event = parse({**answerable, Tag.COMMAND_FIELD: CommandField.N_EVENT_REPORT_RQ})
    for request, type_id in ((action, action.action_type_id), (event, event.event_type_id)):
        assert (request.affected_sop_class_uid, request.affected_sop_instance_uid, type_id) == ("", "", 0)


def test_outer_spaces_of_a_move_destination_do_not_count():
    request = MoveRequest(message_id=1, affected_sop_class_uid=MOVE, move_destination="  WS01   ")
    assert parse(command.decode(request.encode())).move_destination == "WS01"


def test_a_cancel_request_cannot_announce_a_data_set():
    received = {Tag.COMMAND_FIELD: 0x0FFF, Tag.MESSAGE_ID_BEING_RESPONDED_TO: 1, Tag.COMMAND_DATA_SET_TYPE: 0}
    with pytest.raises(CommandError, match="only 0101H is allowed"):
        parse(received)


@pytest.mark.parametrize(
    ("text", "comment"),
    [
        ("", ""),
        ("plain", "plain"),
        ("x" * 65, "x" * 64),
        ("a\r\nb\x1bc", "a??b?c"),
        ("C:\\data", "C:?data"),  # a backslash would part values
        ("caf\xe9 \u65e5", "caf? ?"),
    ],
)
def test_an_error_comment_goes_out_short_and_printable(text, comment):
    assert error_comment(text) == comment
    response = Response(
        command_field=0x8001, message_id_being_responded_to=1, status=0xA700, error_comment=text
    )
    assert parse(command.decode(response.encode())).error_comment == comment
    assert (Tag.ERROR_COMMENT in command.decode(response.encode())) == bool(comment)


def test_the_offending_elements_go_both_ways():
    response = Response(
        command_field=0x8001,
        message_id_being_responded_to=1,
        status=0xC000,
        offending_element=(0x00080016, 0x0020000D),
    )
    assert parse(command.decode(response.encode())) == response


def test_command_names():
    assert command_name(0x0001) == "C-STORE-RQ"
    assert command_name(0x1234) == "Command Field 1234H"
