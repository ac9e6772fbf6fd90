"""Messages: what Command Sets say, checked against pynetdicom's own, and what they must not lack."""

from __future__ import annotations

from io import BytesIO

import pytest
from pydicom.uid import UID
from pynetdicom.dimse_messages import C_CANCEL_RQ, C_ECHO_RQ, C_ECHO_RSP, C_STORE_RQ, C_STORE_RSP, N_GET_RQ
from pynetdicom.dimse_primitives import C_CANCEL, C_ECHO, C_STORE, N_GET
from pynetdicom.dsutils import decode as pynetdicom_decode
from pynetdicom.dsutils import encode as pynetdicom_encode

from sdcc.dimse import command
from sdcc.dimse.command import CommandError, CommandField, Priority, Tag
from sdcc.dimse.messages import (
    CancelRequest,
    EchoRequest,
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
        OtherRequest(command_field=CommandField.C_FIND_RQ, message_id=1, has_data_set=has_data_set),
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


KNOWN = {CommandField.C_ECHO_RQ, CommandField.C_STORE_RQ, CommandField.C_CANCEL_RQ}
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
    (CommandField.C_FIND_RQ, {Tag.MESSAGE_ID: 1}),
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


def test_priority_may_be_absent():
    """Devices leave it out, and it changes nothing."""
    request = StoreRequest(message_id=1, affected_sop_class_uid=CT, affected_sop_instance_uid=INSTANCE)
    received = dict(command.decode(request.encode()))
    del received[Tag.PRIORITY]
    assert parse(received) == request


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
