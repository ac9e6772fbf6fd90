"""DIMSE messages as values (PS3.7 9.3 and 10.3), from Command Sets and to them.

The Data Set that may follow is no part of them: they say only whether one does. What is answered
to a request is for :mod:`sdcc.services.registry`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Self, TypeAlias, TypeVar

from sdcc.dimse import command
from sdcc.dimse.command import (
    DATA_SET,
    NO_DATA_SET,
    RESPONSE,
    CommandError,
    CommandField,
    CommandSet,
    Priority,
    Tag,
    Value,
)
from sdcc.upper_layer.codes import named

T = TypeVar("T", int, str)
D = TypeVar("D")

#: The requests of PS3.7 10.3 that name a Requested SOP Instance; all others name an Affected one.
_OF_REQUESTED_INSTANCES = frozenset(
    {CommandField.N_GET_RQ, CommandField.N_SET_RQ, CommandField.N_ACTION_RQ, CommandField.N_DELETE_RQ}
)
#: Those that are sent by the thousand, and have neither counters nor types.
_PLAIN_RESPONSES = frozenset({CommandField.C_STORE_RSP, CommandField.C_FIND_RSP, CommandField.C_ECHO_RSP})
#: Characters of an LO (PS3.5 6.2).
MAXIMUM_COMMENT_LENGTH = 64


def error_comment(text: str) -> str:
    """A text as (0000,0902) can carry it: at most 64 characters of printable ASCII, no backslash."""
    cut = text[:MAXIMUM_COMMENT_LENGTH]
    return "".join(c if " " <= c <= "~" and c != "\\" else "?" for c in cut)


def command_name(command_field: int) -> str:
    """`C-STORE-RQ`; of a command that the standard does not have, `Command Field 1234H`."""
    field = named(CommandField, command_field)
    return str(field) if isinstance(field, CommandField) else f"Command Field {field:04X}H"


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoRequest:
    """C-ECHO-RQ, PS3.7 9.3.5.1."""

    command_field: ClassVar[int] = CommandField.C_ECHO_RQ
    affected_sop_instance_uid: ClassVar[None] = None

    message_id: int
    affected_sop_class_uid: str
    #: The standard has none; where one is announced it comes all the same.
    has_data_set: bool = False

    @classmethod
    def parse(cls, received: CommandSet) -> EchoRequest:
        return cls(
            message_id=_required(received, Tag.MESSAGE_ID, int),
            affected_sop_class_uid=_required(received, Tag.AFFECTED_SOP_CLASS_UID, str),
            has_data_set=_has_data_set(received),
        )

    def encode(self) -> bytes:
        return _encode(
            self.command_field,
            self.has_data_set,
            {Tag.MESSAGE_ID: self.message_id, Tag.AFFECTED_SOP_CLASS_UID: self.affected_sop_class_uid},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRequest:
    """C-STORE-RQ, PS3.7 9.3.1.1."""

    command_field: ClassVar[int] = CommandField.C_STORE_RQ

    message_id: int
    affected_sop_class_uid: str
    affected_sop_instance_uid: str
    #: A :class:`Priority`, mandatory in the standard; it changes nothing here, so its absence is borne.
    priority: int = Priority.MEDIUM
    #: With the next, of the C-MOVE-RQ whose sub-operation this is.
    move_originator_ae_title: str | None = None
    move_originator_message_id: int | None = None
    #: The standard demands one; without it the request is refused.
    has_data_set: bool = True

    @classmethod
    def parse(cls, received: CommandSet) -> StoreRequest:
        return cls(
            message_id=_required(received, Tag.MESSAGE_ID, int),
            affected_sop_class_uid=_required(received, Tag.AFFECTED_SOP_CLASS_UID, str),
            affected_sop_instance_uid=_required(received, Tag.AFFECTED_SOP_INSTANCE_UID, str),
            priority=_optional(received, Tag.PRIORITY, int, Priority.MEDIUM),
            move_originator_ae_title=_optional(received, Tag.MOVE_ORIGINATOR_AE_TITLE, str, None),
            move_originator_message_id=_optional(received, Tag.MOVE_ORIGINATOR_MESSAGE_ID, int, None),
            has_data_set=_has_data_set(received),
        )

    def encode(self) -> bytes:
        return _encode(
            self.command_field,
            self.has_data_set,
            {
                Tag.MESSAGE_ID: self.message_id,
                Tag.AFFECTED_SOP_CLASS_UID: self.affected_sop_class_uid,
                Tag.AFFECTED_SOP_INSTANCE_UID: self.affected_sop_instance_uid,
                Tag.PRIORITY: self.priority,
                Tag.MOVE_ORIGINATOR_AE_TITLE: self.move_originator_ae_title,
                Tag.MOVE_ORIGINATOR_MESSAGE_ID: self.move_originator_message_id,
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _IdentifierRequest:
    """What C-FIND-RQ, C-GET-RQ and C-MOVE-RQ have in common: an Identifier follows as their Data Set."""

    affected_sop_instance_uid: ClassVar[None] = None
    command_field: ClassVar[int]

    message_id: int
    affected_sop_class_uid: str
    #: A :class:`Priority`, mandatory in the standard; its absence is borne.
    priority: int = Priority.MEDIUM
    #: The standard demands one; without it the request is refused.
    has_data_set: bool = True

    @classmethod
    def parse(cls, received: CommandSet) -> Self:
        return cls(**cls._parsed(received))

    @classmethod
    def _parsed(cls, received: CommandSet) -> dict[str, Any]:
        return {
            "message_id": _required(received, Tag.MESSAGE_ID, int),
            "affected_sop_class_uid": _required(received, Tag.AFFECTED_SOP_CLASS_UID, str),
            "priority": _optional(received, Tag.PRIORITY, int, Priority.MEDIUM),
            "has_data_set": _has_data_set(received),
        }

    def encode(self) -> bytes:
        return _encode(self.command_field, self.has_data_set, self._elements())

    def _elements(self) -> dict[Tag, Value | None]:
        return {
            Tag.MESSAGE_ID: self.message_id,
            Tag.AFFECTED_SOP_CLASS_UID: self.affected_sop_class_uid,
            Tag.PRIORITY: self.priority,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class FindRequest(_IdentifierRequest):
    """C-FIND-RQ, PS3.7 9.3.2.1."""

    command_field = CommandField.C_FIND_RQ


@dataclass(frozen=True, slots=True, kw_only=True)
class GetRequest(_IdentifierRequest):
    """C-GET-RQ, PS3.7 9.3.3.1."""

    command_field = CommandField.C_GET_RQ


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRequest(_IdentifierRequest):
    """C-MOVE-RQ, PS3.7 9.3.4.1."""

    command_field = CommandField.C_MOVE_RQ

    #: An AE title; outer spaces do not count. Empty: none came, and there is none of that name.
    move_destination: str

    @classmethod
    def _parsed(cls, received: CommandSet) -> dict[str, Any]:
        destination = _optional(received, Tag.MOVE_DESTINATION, str, "")
        return super(MoveRequest, cls)._parsed(received) | {"move_destination": destination}

    def _elements(self) -> dict[Tag, Value | None]:
        return super(MoveRequest, self)._elements() | {Tag.MOVE_DESTINATION: self.move_destination}


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRequest:
    """N-ACTION-RQ, PS3.7 10.3.5.1. Its SOP Class and Instance are the Requested ones.

    What is absent of them, or of the type, is empty or 0: of that name there is none.
    """

    command_field: ClassVar[int] = CommandField.N_ACTION_RQ

    message_id: int
    affected_sop_class_uid: str
    affected_sop_instance_uid: str
    action_type_id: int
    has_data_set: bool = True

    @classmethod
    def parse(cls, received: CommandSet) -> ActionRequest:
        return cls(
            message_id=_required(received, Tag.MESSAGE_ID, int),
            affected_sop_class_uid=_optional(received, Tag.REQUESTED_SOP_CLASS_UID, str, ""),
            affected_sop_instance_uid=_optional(received, Tag.REQUESTED_SOP_INSTANCE_UID, str, ""),
            action_type_id=_optional(received, Tag.ACTION_TYPE_ID, int, 0),
            has_data_set=_has_data_set(received),
        )

    def encode(self) -> bytes:
        return _encode(
            self.command_field,
            self.has_data_set,
            {
                Tag.MESSAGE_ID: self.message_id,
                Tag.REQUESTED_SOP_CLASS_UID: self.affected_sop_class_uid,
                Tag.REQUESTED_SOP_INSTANCE_UID: self.affected_sop_instance_uid,
                Tag.ACTION_TYPE_ID: self.action_type_id,
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReportRequest:
    """N-EVENT-REPORT-RQ, PS3.7 10.3.1.1. What is absent is as in an :class:`ActionRequest`."""

    command_field: ClassVar[int] = CommandField.N_EVENT_REPORT_RQ

    message_id: int
    affected_sop_class_uid: str
    affected_sop_instance_uid: str
    event_type_id: int
    has_data_set: bool = True

    @classmethod
    def parse(cls, received: CommandSet) -> EventReportRequest:
        return cls(
            message_id=_required(received, Tag.MESSAGE_ID, int),
            affected_sop_class_uid=_optional(received, Tag.AFFECTED_SOP_CLASS_UID, str, ""),
            affected_sop_instance_uid=_optional(received, Tag.AFFECTED_SOP_INSTANCE_UID, str, ""),
            event_type_id=_optional(received, Tag.EVENT_TYPE_ID, int, 0),
            has_data_set=_has_data_set(received),
        )

    def encode(self) -> bytes:
        return _encode(
            self.command_field,
            self.has_data_set,
            {
                Tag.MESSAGE_ID: self.message_id,
                Tag.AFFECTED_SOP_CLASS_UID: self.affected_sop_class_uid,
                Tag.AFFECTED_SOP_INSTANCE_UID: self.affected_sop_instance_uid,
                Tag.EVENT_TYPE_ID: self.event_type_id,
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequest:
    """C-CANCEL-RQ, PS3.7 9.3.2.3 and its likes. Nothing answers it."""

    command_field: ClassVar[int] = CommandField.C_CANCEL_RQ
    has_data_set: ClassVar[bool] = False

    message_id_being_responded_to: int

    @classmethod
    def parse(cls, received: CommandSet) -> CancelRequest:
        if _has_data_set(received):
            raise CommandError(f"{Tag.COMMAND_DATA_SET_TYPE} of a C-CANCEL-RQ: only 0101H is allowed")
        return cls(
            message_id_being_responded_to=_required(received, Tag.MESSAGE_ID_BEING_RESPONDED_TO, int),
        )

    def encode(self) -> bytes:
        return _encode(
            self.command_field,
            self.has_data_set,
            {Tag.MESSAGE_ID_BEING_RESPONDED_TO: self.message_id_being_responded_to},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherRequest:
    """Any other request, known to the standard or not: enough of it to say that it is not performed."""

    command_field: int
    message_id: int
    #: Affected or Requested, as PS3.7 10.3 has it for the command.
    affected_sop_class_uid: str | None = None
    affected_sop_instance_uid: str | None = None
    has_data_set: bool = False

    @classmethod
    def parse(cls, received: CommandSet) -> OtherRequest:
        requested_class = _optional(received, Tag.REQUESTED_SOP_CLASS_UID, str, None)
        requested_instance = _optional(received, Tag.REQUESTED_SOP_INSTANCE_UID, str, None)
        return cls(
            command_field=_required(received, Tag.COMMAND_FIELD, int),
            message_id=_required(received, Tag.MESSAGE_ID, int),
            affected_sop_class_uid=_optional(received, Tag.AFFECTED_SOP_CLASS_UID, str, requested_class),
            affected_sop_instance_uid=_optional(
                received, Tag.AFFECTED_SOP_INSTANCE_UID, str, requested_instance
            ),
            has_data_set=_has_data_set(received),
        )

    def encode(self) -> bytes:
        requested = self.command_field in _OF_REQUESTED_INSTANCES
        return _encode(
            self.command_field,
            self.has_data_set,
            {
                Tag.MESSAGE_ID: self.message_id,
                Tag.REQUESTED_SOP_CLASS_UID if requested else Tag.AFFECTED_SOP_CLASS_UID: (
                    self.affected_sop_class_uid
                ),
                Tag.REQUESTED_SOP_INSTANCE_UID if requested else Tag.AFFECTED_SOP_INSTANCE_UID: (
                    self.affected_sop_instance_uid
                ),
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The response to any request, PS3.7 9.3 and 10.3."""

    command_field: int
    message_id_being_responded_to: int
    #: PS3.7 Annex C.
    status: int
    affected_sop_class_uid: str | None = None
    affected_sop_instance_uid: str | None = None
    #: Group << 16 | element.
    offending_element: tuple[int, ...] = ()
    #: Goes out as :func:`error_comment` makes it; empty: none.
    error_comment: str = ""
    has_data_set: bool = False
    #: Of C-GET-RSP and C-MOVE-RSP (PS3.7 9.1.4.1); None: not carried.
    remaining_sub_operations: int | None = None
    completed_sub_operations: int | None = None
    failed_sub_operations: int | None = None
    warning_sub_operations: int | None = None
    #: Of N-ACTION-RSP and N-EVENT-REPORT-RSP.
    action_type_id: int | None = None
    event_type_id: int | None = None

    @classmethod
    def parse(cls, received: CommandSet) -> Response:
        offending_element = received.get(Tag.OFFENDING_ELEMENT)
        return cls(
            command_field=_required(received, Tag.COMMAND_FIELD, int),
            message_id_being_responded_to=_required(received, Tag.MESSAGE_ID_BEING_RESPONDED_TO, int),
            status=_required(received, Tag.STATUS, int),
            affected_sop_class_uid=_optional(received, Tag.AFFECTED_SOP_CLASS_UID, str, None),
            affected_sop_instance_uid=_optional(received, Tag.AFFECTED_SOP_INSTANCE_UID, str, None),
            offending_element=offending_element if isinstance(offending_element, tuple) else (),
            error_comment=_optional(received, Tag.ERROR_COMMENT, str, ""),
            has_data_set=_has_data_set(received),
            remaining_sub_operations=_optional(received, Tag.REMAINING_SUB_OPERATIONS, int, None),
            completed_sub_operations=_optional(received, Tag.COMPLETED_SUB_OPERATIONS, int, None),
            failed_sub_operations=_optional(received, Tag.FAILED_SUB_OPERATIONS, int, None),
            warning_sub_operations=_optional(received, Tag.WARNING_SUB_OPERATIONS, int, None),
            action_type_id=_optional(received, Tag.ACTION_TYPE_ID, int, None),
            event_type_id=_optional(received, Tag.EVENT_TYPE_ID, int, None),
        )

    def encode(self) -> bytes:
        elements: dict[Tag, Value | None] = {
            Tag.MESSAGE_ID_BEING_RESPONDED_TO: self.message_id_being_responded_to,
            Tag.STATUS: self.status,
            Tag.AFFECTED_SOP_CLASS_UID: self.affected_sop_class_uid,
            Tag.AFFECTED_SOP_INSTANCE_UID: self.affected_sop_instance_uid,
            Tag.OFFENDING_ELEMENT: self.offending_element or None,
            Tag.ERROR_COMMENT: error_comment(self.error_comment) or None,
        }
        if self.command_field not in _PLAIN_RESPONSES:
            elements |= {
                Tag.REMAINING_SUB_OPERATIONS: self.remaining_sub_operations,
                Tag.COMPLETED_SUB_OPERATIONS: self.completed_sub_operations,
                Tag.FAILED_SUB_OPERATIONS: self.failed_sub_operations,
                Tag.WARNING_SUB_OPERATIONS: self.warning_sub_operations,
                Tag.ACTION_TYPE_ID: self.action_type_id,
                Tag.EVENT_TYPE_ID: self.event_type_id,
            }
        return _encode(self.command_field, self.has_data_set, elements)


#: The requests that are answered by a :class:`Response`.
Request: TypeAlias = (
    EchoRequest
    | StoreRequest
    | FindRequest
    | GetRequest
    | MoveRequest
    | ActionRequest
    | EventReportRequest
    | OtherRequest
)
Message: TypeAlias = Request | CancelRequest | Response

_PARSERS: Mapping[int, Callable[[CommandSet], Message]] = MappingProxyType(
    {
        kind.command_field: kind.parse
        for kind in (
            *(EchoRequest, StoreRequest, FindRequest, GetRequest, MoveRequest),
            *(ActionRequest, EventReportRequest, CancelRequest),
        )
    }
)


def parse(received: CommandSet) -> Message:
    """What a Command Set of :func:`sdcc.dimse.command.decode` says.

    :raises CommandError: it lacks an element that the message cannot be answered without.
    """
    command_field = _required(received, Tag.COMMAND_FIELD, int)
    if command_field & RESPONSE:
        return Response.parse(received)
    return _PARSERS.get(command_field, OtherRequest.parse)(received)


def _required(received: CommandSet, tag: Tag, kind: type[T]) -> T:
    value = received.get(tag)
    if isinstance(value, kind):
        return value
    command_field = received.get(Tag.COMMAND_FIELD)
    name = command_name(command_field) if isinstance(command_field, int) else "Command Set"
    raise CommandError(f"{tag} is absent from a {name}, which must have it")


def _optional(received: CommandSet, tag: Tag, kind: type[T], default: D) -> T | D:
    value = received.get(tag)
    return value if isinstance(value, kind) else default


def _has_data_set(received: CommandSet) -> bool:
    return _required(received, Tag.COMMAND_DATA_SET_TYPE, int) != NO_DATA_SET


def _encode(command_field: int, has_data_set: bool, elements: Mapping[Tag, Value | None]) -> bytes:
    """:raises ValueError: a value is none of its element's VR."""
    present: dict[Tag, Value] = {tag: value for tag, value in elements.items() if value is not None}
    present[Tag.COMMAND_FIELD] = command_field
    present[Tag.COMMAND_DATA_SET_TYPE] = DATA_SET if has_data_set else NO_DATA_SET
    return command.encode(present)
