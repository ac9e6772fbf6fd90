"""The Command Set codec: golden bytes both ways, and everything that a peer may get wrong."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import dictionary_description, dictionary_has_tag, dictionary_VR

from sdcc.dimse.command import (
    VR,
    CommandError,
    CommandField,
    Tag,
    decode,
    encode,
)

COMMAND_FIELD = bytes.fromhex("0000 0001 02000000 3000")

#: Name, values, bytes after the group length.
GOLDEN = [
    (
        "C-ECHO-RQ",
        {
            Tag.AFFECTED_SOP_CLASS_UID: "1.2.840.10008.1.1",
            Tag.COMMAND_FIELD: CommandField.C_ECHO_RQ,
            Tag.MESSAGE_ID: 7,
            Tag.COMMAND_DATA_SET_TYPE: 0x0101,
        },
        "0000 0200 12000000  312e322e3834302e31303030382e312e31 00"  # UI, padded with NUL
        "0000 0001 02000000  3000"
        "0000 1001 02000000  0700"
        "0000 0008 02000000  0101",
    ),
    (
        "C-STORE-RQ of a C-MOVE",
        {
            Tag.AFFECTED_SOP_CLASS_UID: "1.2",
            Tag.COMMAND_FIELD: CommandField.C_STORE_RQ,
            Tag.MESSAGE_ID: 0xFFFE,
            Tag.PRIORITY: 2,
            Tag.COMMAND_DATA_SET_TYPE: 1,
            Tag.AFFECTED_SOP_INSTANCE_UID: "1.2.34",
            Tag.MOVE_ORIGINATOR_AE_TITLE: "PACS1",
            Tag.MOVE_ORIGINATOR_MESSAGE_ID: 258,
        },
        "0000 0200 04000000  312e32 00"
        "0000 0001 02000000  0100"
        "0000 1001 02000000  feff"
        "0000 0007 02000000  0200"
        "0000 0008 02000000  0100"
        "0000 0010 06000000  312e322e3334"
        "0000 3010 06000000  5041435331 20"  # AE, padded with a space
        "0000 3110 02000000  0201",
    ),
    (
        "C-STORE-RSP with what is wrong",
        {
            Tag.COMMAND_FIELD: CommandField.C_STORE_RSP,
            Tag.MESSAGE_ID_BEING_RESPONDED_TO: 1,
            Tag.COMMAND_DATA_SET_TYPE: 0x0101,
            Tag.STATUS: 0xA900,
            Tag.OFFENDING_ELEMENT: (0x00080016, 0x7FE00010),
            Tag.ERROR_COMMENT: "why",
        },
        "0000 0001 02000000  0180"
        "0000 2001 02000000  0100"
        "0000 0008 02000000  0101"
        "0000 0009 02000000  00a9"
        "0000 0109 08000000  0800 1600 e07f 1000"
        "0000 0209 04000000  776879 20",  # LO, padded with a space
    ),
    (
        "C-MOVE-RQ",
        {
            Tag.AFFECTED_SOP_CLASS_UID: "1.2.3",
            Tag.COMMAND_FIELD: CommandField.C_MOVE_RQ,
            Tag.MESSAGE_ID: 3,
            Tag.MOVE_DESTINATION: "WS1",
            Tag.PRIORITY: 0,
            Tag.COMMAND_DATA_SET_TYPE: 1,
        },
        "0000 0200 06000000  312e322e33 00"
        "0000 0001 02000000  2100"
        "0000 1001 02000000  0300"
        "0000 0006 04000000  575331 20"  # AE, padded with a space
        "0000 0007 02000000  0000"
        "0000 0008 02000000  0100",
    ),
    (
        "C-GET-RSP with its counters",
        {
            Tag.COMMAND_FIELD: CommandField.C_GET_RSP,
            Tag.MESSAGE_ID_BEING_RESPONDED_TO: 3,
            Tag.COMMAND_DATA_SET_TYPE: 0x0101,
            Tag.STATUS: 0xFF00,
            Tag.REMAINING_SUB_OPERATIONS: 0x0102,
            Tag.COMPLETED_SUB_OPERATIONS: 3,
            Tag.FAILED_SUB_OPERATIONS: 0,
            Tag.WARNING_SUB_OPERATIONS: 0xFFFF,
        },
        "0000 0001 02000000  1080"
        "0000 2001 02000000  0300"
        "0000 0008 02000000  0101"
        "0000 0009 02000000  00ff"
        "0000 2010 02000000  0201"
        "0000 2110 02000000  0300"
        "0000 2210 02000000  0000"
        "0000 2310 02000000  ffff",
    ),
    (
        "N-ACTION-RQ",
        {
            Tag.REQUESTED_SOP_CLASS_UID: "1.2",
            Tag.COMMAND_FIELD: CommandField.N_ACTION_RQ,
            Tag.MESSAGE_ID: 4,
            Tag.COMMAND_DATA_SET_TYPE: 1,
            Tag.REQUESTED_SOP_INSTANCE_UID: "1.2.1",
            Tag.ACTION_TYPE_ID: 1,
        },
        "0000 0300 04000000  312e32 00"
        "0000 0001 02000000  3001"
        "0000 1001 02000000  0400"
        "0000 0008 02000000  0100"
        "0000 0110 06000000  312e322e31 00"
        "0000 0810 02000000  0100",
    ),
    (
        "N-EVENT-REPORT-RSP",
        {
            Tag.COMMAND_FIELD: CommandField.N_EVENT_REPORT_RSP,
            Tag.MESSAGE_ID_BEING_RESPONDED_TO: 5,
            Tag.COMMAND_DATA_SET_TYPE: 0x0101,
            Tag.STATUS: 0,
            Tag.EVENT_TYPE_ID: 2,
        },
        "0000 0001 02000000  0081"
        "0000 2001 02000000  0500"
        "0000 0008 02000000  0101"
        "0000 0009 02000000  0000"
        "0000 0210 02000000  0200",
    ),
]


def with_group_length(elements: bytes) -> bytes:
    return bytes.fromhex("0000 0000 04000000") + len(elements).to_bytes(4, "little") + elements


@pytest.mark.parametrize(("name", "values", "golden"), GOLDEN, ids=[name for name, _, _ in GOLDEN])
def test_golden_bytes(name, values, golden):
    """Values and bytes are each other's, and the group length counts what follows it."""
    data = with_group_length(bytes.fromhex(golden))
    assert encode(values) == data
    assert decode(data) == {Tag.COMMAND_GROUP_LENGTH: len(data) - 12, **values}


def test_order_and_group_length_of_what_is_encoded_do_not_matter():
    name, values, golden = GOLDEN[0]
    shuffled = {Tag.COMMAND_GROUP_LENGTH: 12345, **dict(reversed(values.items()))}
    assert encode(shuffled) == with_group_length(bytes.fromhex(golden)), name


def test_a_decoded_command_set_cannot_be_changed():
    with pytest.raises(TypeError):
        decode(COMMAND_FIELD)[Tag.MESSAGE_ID] = 1


@pytest.mark.parametrize("tag", Tag, ids=lambda tag: tag.name)
def test_the_table_is_the_standards(tag):
    """Element, VR and name are those of pydicom's dictionary."""
    assert dictionary_has_tag(tag)
    assert dictionary_VR(tag) == tag.vr.name
    assert f"{tag}" == f"(0000,{tag.value:04X}) {dictionary_description(tag)}"


TOLERATED = [
    ("no group length", COMMAND_FIELD),
    ("a wrong group length", bytes.fromhex("0000 0000 04000000 ffffffff") + COMMAND_FIELD),
    ("a retired element", bytes.fromhex("0000 0100 04000000 00000000") + COMMAND_FIELD),
    ("an unknown element of odd length", COMMAND_FIELD + bytes.fromhex("0000 ffff 03000000 aabbcc")),
]


@pytest.mark.parametrize(("name", "data"), TOLERATED, ids=[name for name, _ in TOLERATED])
def test_what_changes_nothing_is_tolerated(name, data):
    assert decode(data)[Tag.COMMAND_FIELD] == 0x0030


TEXTS = [
    ("UID with NUL", Tag.AFFECTED_SOP_CLASS_UID, b"1.2\0", "1.2"),
    ("UID of odd length", Tag.AFFECTED_SOP_CLASS_UID, b"1.2", "1.2"),
    ("UID padded with spaces", Tag.AFFECTED_SOP_CLASS_UID, b"1.2 \0 ", "1.2"),
    ("UID with a leading space", Tag.AFFECTED_SOP_CLASS_UID, b" 1.2", " 1.2"),
    ("UID of any bytes", Tag.AFFECTED_SOP_CLASS_UID, b"\xe9\xff\0\x01", "\xe9\xff\0\x01"),
    ("UID that is empty", Tag.AFFECTED_SOP_CLASS_UID, b"", ""),
    ("AE title with outer spaces", Tag.MOVE_DESTINATION, b"  A B ", "A B"),
    ("comment with a leading space", Tag.ERROR_COMMENT, b" why", " why"),
]


@pytest.mark.parametrize(("name", "tag", "value", "text"), TEXTS, ids=[name for name, *_ in TEXTS])
def test_text_loses_its_padding_and_nothing_else(name, tag, value, text):
    element = b"\0\0" + tag.to_bytes(2, "little") + len(value).to_bytes(4, "little") + value
    data = element + COMMAND_FIELD if tag < Tag.COMMAND_FIELD else COMMAND_FIELD + element
    assert decode(data)[tag] == text


BAD = [
    ("nothing", b"", r"\(0000,0100\) Command Field is absent"),
    ("no Command Field", bytes.fromhex("0000 1001 02000000 0100"), r"Command Field is absent"),
    ("7 bytes at the end", COMMAND_FIELD + bytes(7), "ends with 7 bytes"),
    (
        "another group",
        COMMAND_FIELD + bytes.fromhex("0800 1600 00000000"),
        r"\(0008,0016\) .* only group 0000",
    ),
    ("an element twice", COMMAND_FIELD * 2, r"\(0000,0100\) after \(0000,0100\)"),
    (
        "tags that decrease",
        COMMAND_FIELD + bytes.fromhex("0000 0200 00000000"),
        r"\(0000,0002\) after \(0000,0100\)",
    ),
    (
        "a length past the end",
        bytes.fromhex("0000 0001 03000000 3000"),
        r"\(0000,0100\) has length 3: 2 bytes are left",
    ),
    ("a length near 2^32", bytes.fromhex("0000 0001 ffffffff 3000"), "length 4294967295"),
    (
        "an unknown element past the end",
        COMMAND_FIELD + bytes.fromhex("0000 ffff 01000000"),
        r"\(0000,FFFF\)",
    ),
    ("US of 1 byte", bytes.fromhex("0000 0001 01000000 30"), r"Command Field has length 1: US takes 2 bytes"),
    ("US of 4 bytes", bytes.fromhex("0000 0001 04000000 30000000"), "US takes 2 bytes"),
    ("US of none", bytes.fromhex("0000 0001 00000000"), "US takes 2 bytes"),
    ("UL of 2 bytes", bytes.fromhex("0000 0000 02000000 0000") + COMMAND_FIELD, "UL takes 4 bytes"),
    ("AT of 6 bytes", COMMAND_FIELD + bytes.fromhex("0000 0109 06000000 080016000800"), "AT takes 4 bytes"),
]


@pytest.mark.parametrize(("name", "data", "message"), BAD, ids=[name for name, _, _ in BAD])
def test_what_breaks_the_rules_is_named(name, data, message):
    with pytest.raises(CommandError, match=message):
        decode(data)


@pytest.mark.parametrize(("name", "values", "golden"), GOLDEN, ids=[name for name, _, _ in GOLDEN])
def test_every_truncation_inside_an_element_is_an_error(name, values, golden):
    data = encode(values)
    boundaries = {len(data)}
    position = 0
    while position < len(data):
        boundaries.add(position)
        position += 8 + int.from_bytes(data[position + 4 : position + 8], "little")
    assert len(boundaries) == len(values) + 2
    for length in set(range(len(data))) - boundaries:
        with pytest.raises(CommandError):
            decode(data[:length])


@given(st.binary(max_size=64))
def test_any_bytes_are_decoded_or_refused(data):
    """No other exception leaves the codec, also behind a sound beginning."""
    for received in (data, COMMAND_FIELD + data):
        with suppress(CommandError):
            decode(received)


@given(
    st.dictionaries(
        st.sampled_from([tag for tag in Tag if tag.vr is VR.US]), st.integers(0, 0xFFFF), max_size=len(Tag)
    )
)
def test_all_numbers_survive_a_round_trip(values):
    values[Tag.COMMAND_FIELD] = 0x0FFF
    assert {tag: value for tag, value in decode(encode(values)).items() if tag.vr is VR.US} == values


WRONG_VALUES = [
    ("a number too large", Tag.MESSAGE_ID, 0x10000),
    ("a negative number", Tag.MESSAGE_ID, -1),
    ("text for a number", Tag.MESSAGE_ID, "1"),
    ("a number for text", Tag.ERROR_COMMENT, 1),
    ("text beyond Latin-1", Tag.ERROR_COMMENT, "\u65e5"),
    ("a number for tags", Tag.OFFENDING_ELEMENT, 1),
    ("a tag too large", Tag.OFFENDING_ELEMENT, (1 << 32,)),
]


@pytest.mark.parametrize(("name", "tag", "value"), WRONG_VALUES, ids=[name for name, *_ in WRONG_VALUES])
def test_our_own_wrong_values_are_no_command_error(name, tag, value):
    with pytest.raises(ValueError, match=r"cannot be .*: \w\w does not hold it"):
        encode({tag: value})


def test_the_names_of_commands_are_the_standards():
    assert f"{CommandField.N_EVENT_REPORT_RSP}" == "N-EVENT-REPORT-RSP"
    responses = {field for field in CommandField if field & 0x8000}
    requests = set(CommandField) - responses - {CommandField.C_CANCEL_RQ}
    assert {f"{field}".replace("-RQ", "-RSP") for field in requests} == {f"{field}" for field in responses}
    assert {field | 0x8000 for field in requests} == responses
