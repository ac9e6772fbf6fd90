"""The seven Protocol Data Units of PS3.8 9.3 as values, and as bytes.

Nothing here knows when a PDU may be sent or what comes of it: that is `sdcc.upper_layer.machine`.
How P-DATA-TF is received without being held whole is `sdcc.upper_layer.framing`'s.

`str` of a PDU is a line for the log, with no payload and no secret in it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct
from types import MappingProxyType
from typing import ClassVar, Generic, Self, TypeAlias, TypeVar

from sdcc.upper_layer.codes import (
    REJECT_REASONS,
    AbortReason,
    AbortSource,
    ContextResult,
    PDUType,
    RejectResult,
    RejectSource,
    named,
)
from sdcc.upper_layer.encoding import (
    SHOWN,
    Fields,
    Item,
    KnownItem,
    UnknownItem,
    decode_items,
    of_kind,
    pack,
    registry,
    single,
)
from sdcc.upper_layer.errors import PeerError, invalid_value, unexpected_parameter
from sdcc.upper_layer.items import (
    AnsweredContext,
    ApplicationContext,
    ImplementationClassUID,
    ImplementationVersionName,
    MaximumLength,
    ProposedContext,
    UserInformation,
)

#: Type, reserved, length of what follows (PS3.8 9.3.1).
PDU_HEADER = Struct(">BxI")
#: Protocol version, reserved, called and calling AE title, reserved.
_ASSOCIATE = Struct(">H2x16s16s32s")
_REJECT = Struct(">xBBB")
_RELEASE = Struct(">4x")
_ABORT = Struct(">xxBB")
#: Length of what follows, Presentation Context ID, message control header (PS3.8 9.3.5.1 and E.2).
PDV_HEADER = Struct(">IBB")
#: Both, as a P-DATA-TF begins with them.
P_DATA_HEADER = Struct(">BxIIBB")
#: A Presentation Data Value's length counts its context ID and its message control header.
PDV_OVERHEAD = 2

#: Bits of the message control header (PS3.8 E.2).
IS_COMMAND = 1
IS_LAST = 2

#: Characters of an AE title field.
AE_TITLE_LENGTH = 16


class PDU(ABC):
    """One Protocol Data Unit."""

    __slots__ = ()

    pdu_type: ClassVar[PDUType]

    @abstractmethod
    def encode_body(self) -> bytes:
        """:raises ValueError: something does not fit into its field."""

    @classmethod
    @abstractmethod
    def decode_body(cls, fields: Fields) -> Self:
        """:raises PeerError: the body is malformed."""

    def encode(self) -> bytes:
        """The whole PDU, header and body.

        :raises ValueError: something does not fit into its field.
        """
        body = self.encode_body()
        return pack(PDU_HEADER, self.pdu_type, len(body)) + body

    @classmethod
    def name(cls) -> str:
        """As the standard writes it."""
        return cls.pdu_type.name.replace("_", "-")

    def __str__(self) -> str:
        return self.name()


def decode(pdu_type: int, body: memoryview | bytes) -> PDU:
    """The PDU of a type, from what follows its header.

    :raises PeerError: the type is unknown, or the body malformed.
    """
    kind = PDUS.get(pdu_type)
    if kind is None:
        raise PeerError(AbortReason.UNRECOGNIZED_PDU, f"PDU-type is {pdu_type:02X}H, 01H to 07H are known")
    fields = Fields(kind.name(), body)
    pdu = kind.decode_body(fields)
    fields.end()
    return pdu


# --- association establishment -------------------------------------------------------------

ContextT = TypeVar("ContextT", bound=ProposedContext | AnsweredContext)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Associate(PDU, Generic[ContextT]):
    """What A-ASSOCIATE-RQ and A-ASSOCIATE-AC have in common: all but the kind of context."""

    item_kinds: ClassVar[Mapping[int, type[KnownItem]]]

    #: Bit 0 stands for the only version there is.
    protocol_version: int = 1
    #: Up to 16 characters; from a peer all 16 as they came, for an A-ASSOCIATE-AC gives them back so.
    called_ae_title: str
    calling_ae_title: str
    #: Bytes 43 to 74, which an A-ASSOCIATE-AC gives back as they came.
    reserved: bytes = bytes(32)
    #: Empty where the item is missing.
    application_context_name: str
    #: Their IDs are odd and differ, so there are 128 at most.
    presentation_contexts: tuple[ContextT, ...]
    #: The sub-items, unknown ones among them.
    user_information: tuple[Item, ...] = ()
    unknown: tuple[UnknownItem, ...] = ()

    @property
    def called_ae(self) -> str:
        """The called AE title without what does not count."""
        return self.called_ae_title.strip(" \0")

    @property
    def calling_ae(self) -> str:
        """The calling AE title without what does not count."""
        return self.calling_ae_title.strip(" \0")

    @property
    def maximum_length(self) -> int:
        """Bytes of the longest P-DATA-TF body that its sender wants to receive; 0: no limit (PS3.8 D.1)."""
        return next((item.length for item in of_kind(self.user_information, MaximumLength)), 0)

    @property
    def implementation_class_uid(self) -> str:
        """Empty where the sub-item is missing."""
        return next((item.uid for item in of_kind(self.user_information, ImplementationClassUID)), "")

    @property
    def implementation_version_name(self) -> str:
        """Empty where the sub-item is missing."""
        return next((item.name for item in of_kind(self.user_information, ImplementationVersionName)), "")

    def implementation(self) -> str:
        """What the sender says of itself, for the log."""
        uid, name = self.implementation_class_uid[:SHOWN], self.implementation_version_name[:SHOWN]
        return f"maximum length {self.maximum_length}, implementation {uid!r} {name!r}"

    def encode_body(self) -> bytes:
        titles = map(_title, (self.called_ae_title, self.calling_ae_title))
        items: tuple[Item, ...] = (
            ApplicationContext(self.application_context_name),
            *self.presentation_contexts,
            UserInformation(self.user_information),
            *self.unknown,
        )
        fixed = pack(_ASSOCIATE, self.protocol_version, *titles, self.reserved)
        return fixed + b"".join(item.encode() for item in items)

    @classmethod
    def decode_body(cls, fields: Fields) -> Self:
        version, called, calling, reserved = fields.unpack(_ASSOCIATE, "the fixed part")
        items = decode_items(fields, cls.item_kinds)
        application_context = single(items, ApplicationContext, fields.name)
        user_information = single(items, UserInformation, fields.name)
        contexts = cls.contexts_among(items)
        _check_ids_differ(contexts, fields)
        return cls(
            protocol_version=version,
            called_ae_title=called.decode("latin-1"),
            calling_ae_title=calling.decode("latin-1"),
            reserved=reserved,
            application_context_name=application_context.uid if application_context else "",
            presentation_contexts=contexts,
            user_information=user_information.sub_items if user_information else (),
            unknown=of_kind(items, UnknownItem),
        )

    @classmethod
    @abstractmethod
    def contexts_among(cls, items: Iterable[Item]) -> tuple[ContextT, ...]:
        """The items that are Presentation Contexts."""


def _title(title: str) -> bytes:
    if len(title) > AE_TITLE_LENGTH:
        raise ValueError(f"AE title {title!r} has {len(title)} characters, 16 are allowed")
    return title.encode("latin-1").ljust(AE_TITLE_LENGTH)


def _check_ids_differ(contexts: Iterable[ProposedContext | AnsweredContext], fields: Fields) -> None:
    seen: set[int] = set()
    for context in contexts:
        if context.id in seen:
            raise unexpected_parameter(f"{fields.name}: Presentation-context-ID {context.id} comes again")
        seen.add(context.id)


class AssociateRQ(_Associate[ProposedContext]):
    """PS3.8 9.3.2."""

    __slots__ = ()
    pdu_type = PDUType.A_ASSOCIATE_RQ
    item_kinds = registry(ApplicationContext, ProposedContext, UserInformation)

    @classmethod
    def contexts_among(cls, items: Iterable[Item]) -> tuple[ProposedContext, ...]:
        return of_kind(items, ProposedContext)

    def __str__(self) -> str:
        return (
            f"{self.name()} {self.calling_ae!r} to {self.called_ae!r}, "
            f"{len(self.presentation_contexts)} presentation contexts, {self.implementation()}"
        )


class AssociateAC(_Associate[AnsweredContext]):
    """PS3.8 9.3.3. The AE titles are the request's and not significant."""

    __slots__ = ()
    pdu_type = PDUType.A_ASSOCIATE_AC
    item_kinds = registry(ApplicationContext, AnsweredContext, UserInformation)

    @classmethod
    def contexts_among(cls, items: Iterable[Item]) -> tuple[AnsweredContext, ...]:
        return of_kind(items, AnsweredContext)

    def __str__(self) -> str:
        contexts = self.presentation_contexts
        accepted = [context for context in contexts if context.result == ContextResult.ACCEPTANCE]
        return (
            f"{self.name()} {len(accepted)} of {len(contexts)} presentation contexts accepted, "
            f"{self.implementation()}"
        )


@dataclass(frozen=True, slots=True)
class AssociateRJ(PDU):
    """PS3.8 9.3.4. A code that the standard does not have stays a number."""

    pdu_type = PDUType.A_ASSOCIATE_RJ

    #: A :class:`RejectResult`.
    result: int
    #: A :class:`RejectSource`.
    source: int
    #: What it means depends on the source: :data:`REJECT_REASONS`.
    reason: int

    def encode_body(self) -> bytes:
        return pack(_REJECT, self.result, self.source, self.reason)

    @classmethod
    def decode_body(cls, fields: Fields) -> Self:
        result, source, reason = fields.unpack(_REJECT, "the body")
        reasons = REJECT_REASONS.get(source)
        return cls(
            named(RejectResult, result),
            named(RejectSource, source),
            named(reasons, reason) if reasons else reason,
        )

    def __str__(self) -> str:
        words = ", ".join(map(_words, (self.result, self.source, self.reason)))
        return f"{self.name()} {self.result:d}/{self.source:d}/{self.reason:d} ({words})"

    @property
    def why(self) -> str:
        """The codes, and the reason in words: `1/1/7 (called-ae-title-not-recognized)`."""
        return f"{self.result:d}/{self.source:d}/{self.reason:d} ({_words(self.reason)})"


# --- data transfer -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentationDataValue:
    """PS3.8 9.3.5.1 with the message control header of E.2: a fragment of a message."""

    context_id: int
    #: Of a Command Set, not of a Data Set.
    is_command: bool
    #: The last fragment of its Command Set or Data Set.
    is_last: bool
    data: bytes = field(repr=False)

    def encode(self) -> bytes:
        """:raises ValueError: the context ID is out of range."""
        control = _control(self.is_command, self.is_last)
        return pack(PDV_HEADER, PDV_OVERHEAD + len(self.data), self.context_id, control) + self.data

    def __str__(self) -> str:
        kind = "command" if self.is_command else "data"
        last = ", last" if self.is_last else ""
        return f"{self.context_id} {kind} {len(self.data)} bytes{last}"


#: Encoded P-DATA-TF PDUs, cut anywhere: a Data Set goes out from where it was read to.
Pieces: TypeAlias = list[bytes | bytearray | memoryview]


@dataclass(frozen=True, slots=True)
class PDataTF(PDU):
    """PS3.8 9.3.5."""

    pdu_type = PDUType.P_DATA_TF

    values: tuple[PresentationDataValue, ...]

    @staticmethod
    def header(*, context_id: int, is_command: bool, is_last: bool, length: int) -> bytes:
        """The 12 bytes before the `length` bytes of payload of a PDU with one Presentation Data Value.

        So that a payload can be sent without being copied.
        """
        control = _control(is_command, is_last)
        pdv_length = PDV_OVERHEAD + length
        return pack(P_DATA_HEADER, PDUType.P_DATA_TF, 4 + pdv_length, pdv_length, context_id, control)

    def encode_body(self) -> bytes:
        return b"".join(value.encode() for value in self.values)

    @classmethod
    def decode_body(cls, fields: Fields) -> Self:
        values: list[PresentationDataValue] = []
        while fields:
            length, context_id, control = fields.unpack(PDV_HEADER, "a Presentation-data-value's header")
            if length < PDV_OVERHEAD:
                raise invalid_value(f"{fields.name}: Item-length is {length}, 2 or more are allowed")
            data = fields.take(length - PDV_OVERHEAD, "Presentation-data-value")
            values.append(
                PresentationDataValue(
                    context_id=context_id,
                    is_command=bool(control & IS_COMMAND),
                    is_last=bool(control & IS_LAST),
                    data=bytes(data),
                )
            )
        if not values:
            raise invalid_value(f"{fields.name}: it has no Presentation-data-value, 1 or more are allowed")
        return cls(tuple(values))

    def __str__(self) -> str:
        return f"{self.name()} " + "; ".join(map(str, self.values))


def _control(is_command: bool, is_last: bool) -> int:
    return (IS_COMMAND if is_command else 0) | (IS_LAST if is_last else 0)


# --- release and abort ---------------------------------------------------------------------


class _Release(PDU):
    __slots__ = ()

    def encode_body(self) -> bytes:
        return _RELEASE.pack()

    @classmethod
    def decode_body(cls, fields: Fields) -> Self:
        fields.unpack(_RELEASE, "the body")
        return cls()


@dataclass(frozen=True, slots=True)
class ReleaseRQ(_Release):
    """PS3.8 9.3.6."""

    pdu_type = PDUType.A_RELEASE_RQ


@dataclass(frozen=True, slots=True)
class ReleaseRP(_Release):
    """PS3.8 9.3.7."""

    pdu_type = PDUType.A_RELEASE_RP


@dataclass(frozen=True, slots=True)
class Abort(PDU):
    """PS3.8 9.3.8. A code that the standard does not have stays a number."""

    pdu_type = PDUType.A_ABORT

    #: An :class:`AbortSource`.
    source: int
    #: An :class:`AbortReason`; not significant when the service-user aborts.
    reason: int

    def encode_body(self) -> bytes:
        return pack(_ABORT, self.source, self.reason)

    @classmethod
    def decode_body(cls, fields: Fields) -> Self:
        source, reason = fields.unpack(_ABORT, "the body")
        return cls(named(AbortSource, source), named(AbortReason, reason))

    def __str__(self) -> str:
        words = ", ".join(map(_words, (self.source, self.reason)))
        return f"{self.name()} {self.source:d}/{self.reason:d} ({words})"


def _words(code: int) -> str:
    return code.name.lower().replace("_", "-") if isinstance(code, IntEnum) else "unknown"


#: From the first byte of a PDU to its class.
PDUS: Mapping[int, type[PDU]] = MappingProxyType(
    {
        kind.pdu_type: kind
        for kind in (AssociateRQ, AssociateAC, AssociateRJ, PDataTF, ReleaseRQ, ReleaseRP, Abort)
    }
)
