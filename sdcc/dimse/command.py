"""The Command Set codec (PS3.7 6.3.1): Implicit VR Little Endian, group 0000 alone.

Elements become Python values and nothing more: what a message must hold and what it means is
for :mod:`sdcc.dimse.messages`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from enum import Enum, IntEnum, auto
from functools import lru_cache
from struct import Struct
from types import MappingProxyType
from typing import Self, TypeAlias


class CommandError(Exception):
    """The peer broke PS3.7, and no response could tell it so: A-ABORT, source service-user.

    The text names the element, its value and what is allowed.
    """


class VR(Enum):
    """PS3.5 6.2: the Value Representations that Command Elements have."""

    #: Unsigned Short.
    US = auto()
    #: Unsigned Long.
    UL = auto()
    #: Unique Identifier.
    UI = auto()
    #: Application Entity.
    AE = auto()
    #: Long String.
    LO = auto()
    #: Attribute Tag, one or more.
    AT = auto()

    #: Each member is there once. Enum's own hash, of the name, is a function in Python.
    __hash__ = object.__hash__


class Tag(IntEnum):
    """PS3.7 Table E.1-1: the element's number in group 0000, its VR and its name."""

    vr: VR
    title: str

    def __new__(cls, element: int, vr: VR, title: str) -> Self:
        tag = int.__new__(cls, element)
        tag._value_ = element
        tag.vr = vr
        tag.title = title
        return tag

    COMMAND_GROUP_LENGTH = 0x0000, VR.UL, "Command Group Length"
    AFFECTED_SOP_CLASS_UID = 0x0002, VR.UI, "Affected SOP Class UID"
    REQUESTED_SOP_CLASS_UID = 0x0003, VR.UI, "Requested SOP Class UID"
    COMMAND_FIELD = 0x0100, VR.US, "Command Field"
    MESSAGE_ID = 0x0110, VR.US, "Message ID"
    MESSAGE_ID_BEING_RESPONDED_TO = 0x0120, VR.US, "Message ID Being Responded To"
    MOVE_DESTINATION = 0x0600, VR.AE, "Move Destination"
    PRIORITY = 0x0700, VR.US, "Priority"
    COMMAND_DATA_SET_TYPE = 0x0800, VR.US, "Command Data Set Type"
    STATUS = 0x0900, VR.US, "Status"
    OFFENDING_ELEMENT = 0x0901, VR.AT, "Offending Element"
    ERROR_COMMENT = 0x0902, VR.LO, "Error Comment"
    ERROR_ID = 0x0903, VR.US, "Error ID"
    AFFECTED_SOP_INSTANCE_UID = 0x1000, VR.UI, "Affected SOP Instance UID"
    REQUESTED_SOP_INSTANCE_UID = 0x1001, VR.UI, "Requested SOP Instance UID"
    EVENT_TYPE_ID = 0x1002, VR.US, "Event Type ID"
    ATTRIBUTE_IDENTIFIER_LIST = 0x1005, VR.AT, "Attribute Identifier List"
    ACTION_TYPE_ID = 0x1008, VR.US, "Action Type ID"
    REMAINING_SUB_OPERATIONS = 0x1020, VR.US, "Number of Remaining Sub-operations"
    COMPLETED_SUB_OPERATIONS = 0x1021, VR.US, "Number of Completed Sub-operations"
    FAILED_SUB_OPERATIONS = 0x1022, VR.US, "Number of Failed Sub-operations"
    WARNING_SUB_OPERATIONS = 0x1023, VR.US, "Number of Warning Sub-operations"
    MOVE_ORIGINATOR_AE_TITLE = 0x1030, VR.AE, "Move Originator Application Entity Title"
    MOVE_ORIGINATOR_MESSAGE_ID = 0x1031, VR.US, "Move Originator Message ID"

    def __str__(self) -> str:
        return f"(0000,{self:04X}) {self.title}"


class CommandField(IntEnum):
    """PS3.7 Table E.1-1, (0000,0100). A response's is its request's with bit 15 set."""

    C_STORE_RQ = 0x0001
    C_STORE_RSP = 0x8001
    C_GET_RQ = 0x0010
    C_GET_RSP = 0x8010
    C_FIND_RQ = 0x0020
    C_FIND_RSP = 0x8020
    C_MOVE_RQ = 0x0021
    C_MOVE_RSP = 0x8021
    C_ECHO_RQ = 0x0030
    C_ECHO_RSP = 0x8030
    N_EVENT_REPORT_RQ = 0x0100
    N_EVENT_REPORT_RSP = 0x8100
    N_GET_RQ = 0x0110
    N_GET_RSP = 0x8110
    N_SET_RQ = 0x0120
    N_SET_RSP = 0x8120
    N_ACTION_RQ = 0x0130
    N_ACTION_RSP = 0x8130
    N_CREATE_RQ = 0x0140
    N_CREATE_RSP = 0x8140
    N_DELETE_RQ = 0x0150
    N_DELETE_RSP = 0x8150
    #: It has no response of its own.
    C_CANCEL_RQ = 0x0FFF

    def __str__(self) -> str:
        return self.name.replace("_", "-")


class Priority(IntEnum):
    """PS3.7 Table E.1-1, (0000,0700)."""

    #: 0, and yet the middle.
    MEDIUM = 0
    #: Before the others.
    HIGH = 1
    #: After the others.
    LOW = 2


#: A response's Command Field has this bit.
RESPONSE = 0x8000
#: (0000,0800): nothing follows the Command Set. Any other value says that a Data Set does.
NO_DATA_SET = 0x0101
#: What SDCC writes where one does.
DATA_SET = 0x0001

#: Numbers, text, and Attribute Tags as group << 16 | element.
Value: TypeAlias = int | str | tuple[int, ...]
#: The values have the type of their element's VR.
CommandSet: TypeAlias = Mapping[Tag, Value]

#: Group, element, value length.
_HEADER = Struct("<HHL")
_ATTRIBUTE_TAG = Struct("<HH")
_NUMBERS: Mapping[VR, Struct] = MappingProxyType({VR.US: Struct("<H"), VR.UL: Struct("<L")})
_PADDING: Mapping[VR, bytes] = MappingProxyType({VR.UI: b"\0", VR.AE: b" ", VR.LO: b" "})
_TAGS: Mapping[int, Tag] = MappingProxyType({int(tag): tag for tag in Tag})


def decode(data: bytes) -> CommandSet:
    """Decode a whole Command Set.

    Tolerated, because it changes nothing: a group length that is wrong or absent, elements of
    group 0000 that Table E.1-1 does not have (they are left out), text of odd length.

    :raises CommandError: for everything else, and where there is no Command Field.
    """
    command: dict[Tag, Value] = {}
    position, previous = 0, -1
    while position < len(data):
        left = len(data) - position - _HEADER.size
        if left < 0:
            raise CommandError(
                f"the Command Set ends with {left + _HEADER.size} bytes, too few for an element"
            )
        group, element, length = _HEADER.unpack_from(data, position)
        position += _HEADER.size
        if group != 0:
            raise CommandError(f"({group:04X},{element:04X}) in a Command Set: only group 0000 is allowed")
        if element <= previous:
            raise CommandError(f"(0000,{element:04X}) after (0000,{previous:04X}): tags must increase")
        if length > left:
            raise CommandError(f"(0000,{element:04X}) has length {length}: {left} bytes are left")
        if (tag := _TAGS.get(element)) is not None:
            command[tag] = _decode_value(tag, data[position : position + length])
        position += length
        previous = element
    if Tag.COMMAND_FIELD not in command:
        raise CommandError(f"{Tag.COMMAND_FIELD} is absent: every Command Set must have it")
    return MappingProxyType(command)


def _decode_value(tag: Tag, data: bytes) -> Value:
    if (number := _NUMBERS.get(tag.vr)) is not None:
        if len(data) != number.size:
            raise CommandError(f"{tag} has length {len(data)}: {tag.vr.name} takes {number.size} bytes")
        value: int = number.unpack(data)[0]
        return value
    if tag.vr is VR.AT:
        if len(data) % _ATTRIBUTE_TAG.size:
            raise CommandError(f"{tag} has length {len(data)}: AT takes {_ATTRIBUTE_TAG.size} bytes a value")
        return tuple(group << 16 | element for group, element in _ATTRIBUTE_TAG.iter_unpack(data))
    # Every byte is a Latin-1 character, so that what is malformed can still be told of and answered.
    text = data.decode("latin-1").rstrip(" \0")
    return text.lstrip(" ") if tag.vr is VR.AE else text


def encode(command: CommandSet) -> bytes:
    """Encode a Command Set; the group length is computed.

    :raises ValueError: a value is none of its element's VR.
    """
    elements = b"".join(
        _encode_element(tag, command[tag]) for tag in sorted(command) if tag is not Tag.COMMAND_GROUP_LENGTH
    )
    return _encode_element(Tag.COMMAND_GROUP_LENGTH, len(elements)) + elements


@lru_cache(maxsize=256)
def _encode_element(tag: Tag, value: Value) -> bytes:
    """Remembered, because most elements of a response are those of the one before."""
    try:
        data = _encode_value(tag.vr, value)
    except (struct.error, UnicodeEncodeError) as error:
        raise ValueError(f"{tag} cannot be {value!r}: {tag.vr.name} does not hold it") from error
    return _HEADER.pack(0, tag, len(data)) + data


def _encode_value(vr: VR, value: Value) -> bytes:
    if isinstance(value, int) and vr in _NUMBERS:
        return _NUMBERS[vr].pack(value)
    if isinstance(value, tuple) and vr is VR.AT:
        return b"".join(_ATTRIBUTE_TAG.pack(*divmod(tag, 0x10000)) for tag in value)
    if isinstance(value, str) and vr in _PADDING:
        data = value.encode("latin-1")
        return data + _PADDING[vr] * (len(data) % 2)
    raise struct.error(f"{vr.name} is no {type(value).__name__}")
