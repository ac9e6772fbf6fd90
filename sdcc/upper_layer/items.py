"""Items and sub-items of the A-ASSOCIATE PDUs (PS3.8 9.3.2, 9.3.3 and Annex D; PS3.7 D.3.3).

Bytes to values and back. What an item means for the association is not known here. Items of
unknown type are kept and skipped (PS3.8 9.3.1), reserved bytes are not looked at, and items may
come in any order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct
from typing import Self

from sdcc.upper_layer.codes import ContextResult, ItemType, UserIdentityType, named
from sdcc.upper_layer.encoding import (
    Fields,
    Item,
    KnownItem,
    UnknownItem,
    counted,
    counted_uid,
    decode_items,
    of_kind,
    pack,
    registry,
    single,
    unpadded,
)
from sdcc.upper_layer.errors import invalid_value

_CONTEXT_RQ = Struct(">Bxxx")
_CONTEXT_AC = Struct(">BxBx")
_MAXIMUM_LENGTH = Struct(">I")
_WINDOW = Struct(">HH")
_ROLES = Struct(">??")
_USER_IDENTITY = Struct(">B?")

#: Not significant beside a rejection (PS3.8 9.3.3.2), but there are peers that read a UID there.
_ANY_TRANSFER_SYNTAX = "1.2.840.10008.1.2"


# --- items that are a UID ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _UIDItem(KnownItem):
    uid: str

    def encode_value(self) -> bytes:
        return self.uid.encode("ascii")

    @classmethod
    def decode_value(cls, fields: Fields) -> Self:
        return cls(fields.uid(fields.rest(), "UID"))


class ApplicationContext(_UIDItem):
    """PS3.8 9.3.2.1."""

    __slots__ = ()
    item_type = ItemType.APPLICATION_CONTEXT
    comes_again = True


class AbstractSyntax(_UIDItem):
    """PS3.8 9.3.2.2.1."""

    __slots__ = ()
    item_type = ItemType.ABSTRACT_SYNTAX


class TransferSyntax(_UIDItem):
    """PS3.8 9.3.2.2.2."""

    __slots__ = ()
    item_type = ItemType.TRANSFER_SYNTAX


class ImplementationClassUID(_UIDItem):
    """PS3.7 D.3.3.2."""

    __slots__ = ()
    item_type = ItemType.IMPLEMENTATION_CLASS_UID
    comes_again = True


# --- Presentation Contexts -----------------------------------------------------------------

IN_PROPOSED_CONTEXT = registry(AbstractSyntax, TransferSyntax)
IN_ANSWERED_CONTEXT = registry(TransferSyntax)


#: Presentation Contexts of one association: their IDs are the odd numbers of a byte (PS3.8 9.3.2.2).
MAXIMUM_CONTEXTS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedContext(KnownItem):
    """A Presentation Context as an A-ASSOCIATE-RQ has it (PS3.8 9.3.2.2)."""

    item_type = ItemType.PRESENTATION_CONTEXT_RQ
    comes_again = True

    #: Odd, 1 to 255.
    id: int
    abstract_syntax: str
    #: In the requestor's order. The standard wants one or more; none is no error here.
    transfer_syntaxes: tuple[str, ...]
    unknown: tuple[UnknownItem, ...] = ()

    def encode_value(self) -> bytes:
        transfer_syntaxes = map(TransferSyntax, self.transfer_syntaxes)
        items = (AbstractSyntax(self.abstract_syntax), *transfer_syntaxes, *self.unknown)
        return pack(_CONTEXT_RQ, self.id) + b"".join(item.encode() for item in items)

    @classmethod
    def decode_value(cls, fields: Fields) -> Self:
        (context_id,) = fields.unpack(_CONTEXT_RQ, "Presentation-context-ID")
        _check_context_id(context_id, fields)
        items = decode_items(fields, IN_PROPOSED_CONTEXT)
        abstract_syntax = single(items, AbstractSyntax, fields.name)
        if abstract_syntax is None:
            raise invalid_value(f"{fields.name}: {context_id} has no Abstract Syntax, it must have one")
        return cls(
            id=context_id,
            abstract_syntax=abstract_syntax.uid,
            transfer_syntaxes=tuple(item.uid for item in of_kind(items, TransferSyntax)),
            unknown=of_kind(items, UnknownItem),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredContext(KnownItem):
    """A Presentation Context as an A-ASSOCIATE-AC has it (PS3.8 9.3.3.2)."""

    item_type = ItemType.PRESENTATION_CONTEXT_AC
    comes_again = True

    #: Odd, 1 to 255.
    id: int
    #: A :class:`ContextResult`, or a number that the standard does not have.
    result: int
    #: Empty unless accepted: it is not significant then, whatever came.
    transfer_syntax: str = ""
    unknown: tuple[UnknownItem, ...] = ()

    def encode_value(self) -> bytes:
        items = (TransferSyntax(self.transfer_syntax or _ANY_TRANSFER_SYNTAX), *self.unknown)
        return pack(_CONTEXT_AC, self.id, self.result) + b"".join(item.encode() for item in items)

    @classmethod
    def decode_value(cls, fields: Fields) -> Self:
        context_id, result = fields.unpack(_CONTEXT_AC, "Presentation-context-ID and Result/Reason")
        _check_context_id(context_id, fields)
        if result != ContextResult.ACCEPTANCE:
            fields.rest()
            return cls(id=context_id, result=named(ContextResult, result))
        items = decode_items(fields, IN_ANSWERED_CONTEXT)
        transfer_syntax = single(items, TransferSyntax, fields.name)
        if transfer_syntax is None:
            raise invalid_value(
                f"{fields.name}: {context_id} is accepted with no Transfer Syntax, it must have one"
            )
        return cls(
            id=context_id,
            result=ContextResult.ACCEPTANCE,
            transfer_syntax=transfer_syntax.uid,
            unknown=of_kind(items, UnknownItem),
        )


def _check_context_id(context_id: int, fields: Fields) -> None:
    if not context_id & 1:
        raise invalid_value(
            f"{fields.name}: Presentation-context-ID is {context_id}, odd ones of 1 to 255 are allowed"
        )


# --- User Information ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UserInformation(KnownItem):
    """PS3.8 9.3.2.3."""

    item_type = ItemType.USER_INFORMATION

    #: Unknown ones are among them.
    sub_items: tuple[Item, ...]

    def encode_value(self) -> bytes:
        return b"".join(item.encode() for item in self.sub_items)

    @classmethod
    def decode_value(cls, fields: Fields) -> Self:
        sub_items = decode_items(fields, IN_USER_INFORMATION)
        for kind in SINGLE:
            single(sub_items, kind, fields.name)
        return cls(tuple(sub_items))


@dataclass(frozen=True, slots=True)
class MaximumLength(KnownItem):
    """PS3.8 D.1: bytes of the longest P-DATA-TF, without its header, that the sender wants to receive."""

    item_type = ItemType.MAXIMUM_LENGTH
    comes_again = True

    #: 0: no limit.
    length: int

    def encode_value(self) -> bytes:
        return pack(_MAXIMUM_LENGTH, self.length)

    @classmethod
    def decode_value(cls, fields: Fields) -> Self:
        return cls(*fields.unpack(_MAXIMUM_LENGTH, "Maximum-length-received"))


@dataclass(frozen=True, slots=True)
class ImplementationVersionName(KnownItem):
    """PS3.7 D.3.3.2: 1 to 16 characters; what came otherwise is taken as it is."""

    item_type = ItemType.IMPLEMENTATION_VERSION_NAME
    comes_again = True

    name: str

    def encode_value(self) -> bytes:
        return self.name.encode("latin-1")

    @classmethod
    def decode_value(cls, fields: Fields) -> Self:
        return cls(unpadded(fields.rest()))


@dataclass(frozen=True, slots=True)
class AsynchronousOperationsWindow(KnownItem):
    """PS3.7 D.3.3.3: operations outstanding at once; 0: no limit."""

    item_type = ItemType.ASYNCHRONOUS_OPERATIONS_WINDOW

    invoked: int
    performed: int

    def encode_value(self) -> bytes:
        return pack(_WINDOW, self.invoked, self.performed)

    @classmethod
    def decode_value(cls, fields: Fields) -> Self:
        return cls(*fields.unpack(_WINDOW, "Maximum-number-operations"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleSelection(KnownItem):
    """PS3.7 D.3.3.4: the roles that the association-requestor is to have."""

    item_type = ItemType.ROLE_SELECTION
    comes_again = True

    sop_class_uid: str
    scu: bool
    scp: bool

    def encode_value(self) -> bytes:
        return counted_uid(self.sop_class_uid) + pack(_ROLES, self.scu, self.scp)

    @classmethod
    def decode_value(cls, fields: Fields) -> Self:
        uid = fields.counted_uid("SOP-class-uid")
        scu, scp = fields.unpack(_ROLES, "SCU-role and SCP-role")
        return cls(sop_class_uid=uid, scu=scu, scp=scp)


@dataclass(frozen=True, slots=True)
class SOPClassExtendedNegotiation(KnownItem):
    """PS3.7 D.3.3.5."""

    item_type = ItemType.SOP_CLASS_EXTENDED_NEGOTIATION

    sop_class_uid: str
    #: What the SOP Class's Service Class makes of it.
    information: bytes

    def encode_value(self) -> bytes:
        return counted_uid(self.sop_class_uid) + self.information

    @classmethod
    def decode_value(cls, fields: Fields) -> Self:
        return cls(fields.counted_uid("SOP-class-uid"), fields.rest())


@dataclass(frozen=True, slots=True, kw_only=True)
class SOPClassCommonExtendedNegotiation(KnownItem):
    """PS3.7 D.3.3.6, version 0 of it; what a later version appends is not looked at."""

    item_type = ItemType.SOP_CLASS_COMMON_EXTENDED_NEGOTIATION

    sop_class_uid: str
    service_class_uid: str
    related_general_sop_classes: tuple[str, ...] = ()

    def encode_value(self) -> bytes:
        related = b"".join(map(counted_uid, self.related_general_sop_classes))
        return counted_uid(self.sop_class_uid) + counted_uid(self.service_class_uid) + counted(related)

    @classmethod
    def decode_value(cls, fields: Fields) -> Self:
        sop_class_uid = fields.counted_uid("SOP-class-uid")
        service_class_uid = fields.counted_uid("Service-class-uid")
        related = Fields(fields.name, fields.counted("Related-general-sop-class-identification"))
        fields.rest()
        uids = []
        while related:
            uids.append(related.counted_uid("Related-general-sop-class-uid"))
        return cls(
            sop_class_uid=sop_class_uid,
            service_class_uid=service_class_uid,
            related_general_sop_classes=tuple(uids),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UserIdentityRequest(KnownItem):
    """PS3.7 D.3.3.7, of an A-ASSOCIATE-RQ. Its fields may hold secrets, so `repr` leaves them out."""

    item_type = ItemType.USER_IDENTITY_RQ

    #: A :class:`UserIdentityType`, or a number that the standard does not have.
    identity_type: int
    positive_response_requested: bool
    primary: bytes = field(repr=False)
    #: Empty unless there is a passcode.
    secondary: bytes = field(default=b"", repr=False)

    def encode_value(self) -> bytes:
        head = pack(_USER_IDENTITY, self.identity_type, self.positive_response_requested)
        return head + counted(self.primary) + counted(self.secondary)

    @classmethod
    def decode_value(cls, fields: Fields) -> Self:
        identity_type, requested = fields.unpack(_USER_IDENTITY, "User-Identity-Type")
        return cls(
            identity_type=named(UserIdentityType, identity_type),
            positive_response_requested=requested,
            primary=fields.counted("Primary-field"),
            secondary=fields.counted("Secondary-field"),
        )


@dataclass(frozen=True, slots=True)
class UserIdentityResponse(KnownItem):
    """PS3.7 D.3.3.7, of an A-ASSOCIATE-AC. It may hold a secret, so `repr` leaves it out."""

    item_type = ItemType.USER_IDENTITY_AC

    response: bytes = field(repr=False)

    def encode_value(self) -> bytes:
        return counted(self.response)

    @classmethod
    def decode_value(cls, fields: Fields) -> Self:
        return cls(fields.counted("Server-response"))


#: Sub-items of the User Information that come once at most.
SINGLE: tuple[type[KnownItem], ...] = (
    MaximumLength,
    ImplementationClassUID,
    ImplementationVersionName,
    AsynchronousOperationsWindow,
    UserIdentityRequest,
    UserIdentityResponse,
)
IN_USER_INFORMATION = registry(
    *SINGLE, RoleSelection, SOPClassExtendedNegotiation, SOPClassCommonExtendedNegotiation
)
