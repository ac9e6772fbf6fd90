"""Every item and sub-item, as a value and as bytes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from sdcc.upper_layer.codes import AbortReason, ContextResult, ItemType, UserIdentityType
from sdcc.upper_layer.encoding import Fields, Item, KnownItem, UnknownItem, decode_items, registry
from sdcc.upper_layer.errors import PeerError
from sdcc.upper_layer.items import (
    IN_USER_INFORMATION,
    SINGLE,
    AbstractSyntax,
    AnsweredContext,
    ApplicationContext,
    AsynchronousOperationsWindow,
    ImplementationClassUID,
    ImplementationVersionName,
    MaximumLength,
    ProposedContext,
    RoleSelection,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    TransferSyntax,
    UserIdentityRequest,
    UserIdentityResponse,
    UserInformation,
)

ALL = registry(
    ApplicationContext,
    ProposedContext,
    AnsweredContext,
    AbstractSyntax,
    TransferSyntax,
    UserInformation,
    *IN_USER_INFORMATION.values(),
)


def decode_one(data: bytes) -> Item:
    (item,) = decode_items(Fields("test", data), ALL)
    return item


# fmt: off
GOLDEN: list[tuple[str, Item, bytes]] = [
    (
        "application context",
        ApplicationContext("1.2.840.10008.3.1.1.1"),
        b"\x10\x00\x00\x15"                                     # type, reserved, length 21
            b"1.2.840.10008.3.1.1.1",
    ),
    (
        "abstract syntax",
        AbstractSyntax("1.2.840.10008.1.1"),
        b"\x30\x00\x00\x11"                                     # type, reserved, length 17
            b"1.2.840.10008.1.1",
    ),
    (
        "transfer syntax",
        TransferSyntax("1.2.840.10008.1.2"),
        b"\x40\x00\x00\x11"                                     # type, reserved, length 17
            b"1.2.840.10008.1.2",
    ),
    (
        "proposed context",
        ProposedContext(
            id=3,
            abstract_syntax="1.2.840.10008.5.1.4.1.1.2",
            transfer_syntaxes=("1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2"),
            unknown=(UnknownItem(0x41, b"?"),),
        ),
        b"\x20\x00\x00\x55"                                     # type, reserved, length 85
            b"\x03\x00\x00\x00"                                 # ID, reserved
            b"\x30\x00\x00\x19" b"1.2.840.10008.5.1.4.1.1.2"    # abstract syntax, length 25
            b"\x40\x00\x00\x16" b"1.2.840.10008.1.2.4.70"       # transfer syntax, length 22
            b"\x40\x00\x00\x11" b"1.2.840.10008.1.2"            # transfer syntax, length 17
            b"\x41\x00\x00\x01" b"?",                           # unknown, length 1
    ),
    (
        "proposed context without transfer syntaxes",
        ProposedContext(id=255, abstract_syntax="1.2", transfer_syntaxes=()),
        b"\x20\x00\x00\x0b"                                     # type, reserved, length 11
            b"\xff\x00\x00\x00"                                 # ID, reserved
            b"\x30\x00\x00\x03" b"1.2",                         # abstract syntax, length 3
    ),
    (
        "accepted context",
        AnsweredContext(
            id=3,
            result=ContextResult.ACCEPTANCE,
            transfer_syntax="1.2.840.10008.1.2.4.70",
            unknown=(UnknownItem(0x41, b""),),
        ),
        b"\x21\x00\x00\x22"                                     # type, reserved, length 34
            b"\x03\x00\x00\x00"                                 # ID, reserved, acceptance, reserved
            b"\x40\x00\x00\x16" b"1.2.840.10008.1.2.4.70"       # transfer syntax, length 22
            b"\x41\x00\x00\x00",                                # unknown, length 0
    ),
    (
        "rejected context",
        AnsweredContext(id=5, result=ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED),
        b"\x21\x00\x00\x19"                                     # type, reserved, length 25
            b"\x05\x00\x03\x00"                                 # ID, reserved, result 3, reserved
            b"\x40\x00\x00\x11" b"1.2.840.10008.1.2",           # transfer syntax, not significant
    ),
    (
        "user information",
        UserInformation((
            ImplementationVersionName("SDCC 1.1"),
            UnknownItem(0x5A, b"\x01"),
            MaximumLength(0),
        )),
        b"\x50\x00\x00\x19"                                     # type, reserved, length 25
            b"\x55\x00\x00\x08" b"SDCC 1.1"                     # version name, length 8
            b"\x5a\x00\x00\x01" b"\x01"                         # unknown, length 1
            b"\x51\x00\x00\x04" b"\x00\x00\x00\x00",            # maximum length, length 4
    ),
    (
        "maximum length",
        MaximumLength(16384),
        b"\x51\x00\x00\x04"                                     # type, reserved, length 4
            b"\x00\x00\x40\x00",                                # 16384
    ),
    (
        "implementation class UID",
        ImplementationClassUID("1.2.392.100224.1.2002.100.5"),
        b"\x52\x00\x00\x1b"                                     # type, reserved, length 27
            b"1.2.392.100224.1.2002.100.5",
    ),
    (
        "asynchronous operations window",
        AsynchronousOperationsWindow(1, 258),
        b"\x53\x00\x00\x04"                                     # type, reserved, length 4
            b"\x00\x01"                                         # invoked: 1
            b"\x01\x02",                                        # performed: 258
    ),
    (
        "role selection",
        RoleSelection(sop_class_uid="1.2.840.10008.5.1.4.1.1.2", scu=False, scp=True),
        b"\x54\x00\x00\x1d"                                     # type, reserved, length 29
            b"\x00\x19" b"1.2.840.10008.5.1.4.1.1.2"            # UID, length 25
            b"\x00"                                             # SCU role
            b"\x01",                                            # SCP role
    ),
    (
        "implementation version name",
        ImplementationVersionName("OFFIS_DCMTK_367"),
        b"\x55\x00\x00\x0f"                                     # type, reserved, length 15
            b"OFFIS_DCMTK_367",
    ),
    (
        "SOP class extended negotiation",
        SOPClassExtendedNegotiation("1.2.840.10008.5.1.4.1.2.2.1", b"\x01\x00\x01"),
        b"\x56\x00\x00\x20"                                     # type, reserved, length 32
            b"\x00\x1b" b"1.2.840.10008.5.1.4.1.2.2.1"          # UID, length 27
            b"\x01\x00\x01",                                    # the service class's own
    ),
    (
        "SOP class common extended negotiation",
        SOPClassCommonExtendedNegotiation(
            sop_class_uid="1.2.840.10008.5.1.4.1.1.88.40",
            service_class_uid="1.2.840.10008.4.2",
            related_general_sop_classes=("1.2.840.10008.5.1.4.1.1.88.22", "1.2.3"),
        ),
        b"\x57\x00\x00\x5a"                                     # type, version 0, length 90
            b"\x00\x1d" b"1.2.840.10008.5.1.4.1.1.88.40"        # SOP class, length 29
            b"\x00\x11" b"1.2.840.10008.4.2"                    # service class, length 17
            b"\x00\x26"                                         # related classes, length 38
                b"\x00\x1d" b"1.2.840.10008.5.1.4.1.1.88.22"    # the first, length 29
                b"\x00\x05" b"1.2.3",                           # the second, length 5
    ),
    (
        "user identity, request",
        UserIdentityRequest(
            identity_type=UserIdentityType.USERNAME_AND_PASSCODE,
            positive_response_requested=True,
            primary=b"anna",
            secondary=b"secret",
        ),
        b"\x58\x00\x00\x10"                                     # type, reserved, length 16
            b"\x02"                                             # user name and passcode
            b"\x01"                                             # positive response requested
            b"\x00\x04" b"anna"                                 # primary field, length 4
            b"\x00\x06" b"secret",                              # secondary field, length 6
    ),
    (
        "user identity, response",
        UserIdentityResponse(b"ticket"),
        b"\x59\x00\x00\x08"                                     # type, reserved, length 8
            b"\x00\x06" b"ticket",                              # server response, length 6
    ),
    (
        "unknown",
        UnknownItem(0xA0, b"\x00\xff"),
        b"\xa0\x00\x00\x02"                                     # type, reserved, length 2
            b"\x00\xff",
    ),
]
# fmt: on

golden = pytest.mark.parametrize(
    ("value", "data"), [case[1:] for case in GOLDEN], ids=[case[0] for case in GOLDEN]
)


def test_every_item_type_is_among_the_golden_ones() -> None:
    assert {value.item_type for _, value, _ in GOLDEN} >= set(ItemType)


@golden
def test_encode(value: Item, data: bytes) -> None:
    assert value.encode() == data


@golden
def test_decode(value: Item, data: bytes) -> None:
    assert decode_one(data) == value


@golden
def test_the_headers_reserved_byte_is_not_looked_at(value: Item, data: bytes) -> None:
    assert decode_one(data[:1] + b"\xff" + data[2:]) == value


@golden
def test_no_truncation_of_an_item_decodes(value: Item, data: bytes) -> None:
    for length in range(1, len(data)):
        with pytest.raises(PeerError) as caught:
            decode_one(data[:length])
        assert caught.value.reason is AbortReason.INVALID_PDU_PARAMETER_VALUE


@golden
def test_no_change_of_a_byte_raises_anything_else(value: Item, data: bytes) -> None:
    """Whatever a byte becomes, the item decodes, is unknown, or is the peer's fault."""
    for position in range(len(data)):
        for byte in range(256):
            changed = bytearray(data)
            changed[position] = byte
            with contextlib.suppress(PeerError):
                decode_items(Fields("test", bytes(changed)), ALL)


#: A malformed item each, with the reason and a part of the text.
INVALID, UNEXPECTED = AbortReason.INVALID_PDU_PARAMETER_VALUE, AbortReason.UNEXPECTED_PDU_PARAMETER
BAD: list[tuple[str, bytes, AbortReason, str]] = [
    (
        "maximum length, short",
        b"\x51\x00\x00\x03\x00\x40\x00",
        INVALID,
        "Maximum-length-received should have 4",
    ),
    ("maximum length, long", b"\x51\x00\x00\x05\x00\x00\x40\x00\x00", INVALID, "its length is 1 more"),
    ("window, long", b"\x53\x00\x00\x06\x00\x01\x00\x01\x00\x00", INVALID, "its length is 2 more"),
    (
        "role selection, UID too long",
        b"\x54\x00\x00\x06\x00\x041.24",
        INVALID,
        "SCP-role should have 2",
    ),
    (
        "role selection, UID past the item",
        b"\x54\x00\x00\x05\x00\x091.2",
        INVALID,
        "SOP-class-uid should have 9",
    ),
    (
        "extended negotiation, no UID",
        b"\x56\x00\x00\x01\x00",
        INVALID,
        "length of SOP-class-uid should have 2",
    ),
    (
        "common extended negotiation, a related class past them all",
        b"\x57\x00\x00\x0f\x00\x031.2\x00\x031.3\x00\x03\x00\x05x",
        INVALID,
        "Related-general-sop-class-uid should have 5",
    ),
    (
        "user identity, no secondary",
        b"\x58\x00\x00\x05\x01\x00\x00\x01a",
        INVALID,
        "length of Secondary-field",
    ),
    ("user identity, long", b"\x58\x00\x00\x07\x01\x00\x00\x00\x00\x00!", INVALID, "its length is 1 more"),
    ("server response, long", b"\x59\x00\x00\x03\x00\x00!", INVALID, "its length is 1 more"),
    (
        "proposed context, even ID",
        b"\x20\x00\x00\x0b\x02\0\0\0\x30\x00\x00\x031.2",
        INVALID,
        "ID is 2, odd ones",
    ),
    (
        "proposed context, ID 0",
        b"\x20\x00\x00\x0b\x00\0\0\0\x30\x00\x00\x031.2",
        INVALID,
        "ID is 0, odd ones",
    ),
    (
        "proposed context, no abstract syntax",
        b"\x20\x00\x00\x04\x01\0\0\0",
        INVALID,
        "1 has no Abstract Syntax",
    ),
    (
        "proposed context, two abstract syntaxes",
        b"\x20\x00\x00\x0c\x01\0\0\0\x30\x00\x00\x00\x30\x00\x00\x00",
        UNEXPECTED,
        "AbstractSyntax comes 2 times, it may come once",
    ),
    (
        "proposed context in itself",
        b"\x20\x00\x00\x0c\x01\0\0\0\x20\x00\x00\x04\x03\0\0\0",
        UNEXPECTED,
        "presentation context rq does not belong there",
    ),
    (
        "accepted context, even ID",
        b"\x21\x00\x00\x08\x04\0\0\0\x40\x00\x00\x00",
        INVALID,
        "ID is 4, odd ones",
    ),
    ("rejected context, even ID", b"\x21\x00\x00\x04\x04\0\x03\0", INVALID, "ID is 4, odd ones"),
    (
        "accepted context, no transfer syntax",
        b"\x21\x00\x00\x04\x01\0\0\0",
        INVALID,
        "with no Transfer Syntax",
    ),
    (
        "accepted context, two transfer syntaxes",
        b"\x21\x00\x00\x0c\x01\0\0\0\x40\x00\x00\x00\x40\x00\x00\x00",
        UNEXPECTED,
        "TransferSyntax comes 2 times, it may come once",
    ),
    ("user information in itself", b"\x50\x00\x00\x04\x50\x00\x00\x00", UNEXPECTED, "does not belong there"),
    (
        "user information, a sub-item past it",
        b"\x50\x00\x00\x04\x5a\x00\x00\x01",
        INVALID,
        "should have 1 bytes",
    ),
]


@pytest.mark.parametrize(
    ("data", "reason", "text"), [case[1:] for case in BAD], ids=[case[0] for case in BAD]
)
def test_a_malformed_item_is_the_peers_fault(data: bytes, reason: AbortReason, text: str) -> None:
    with pytest.raises(PeerError) as caught:
        decode_one(data)
    assert caught.value.reason is reason
    assert text in str(caught.value)


@pytest.mark.parametrize("kind", SINGLE, ids=lambda kind: kind.__name__)
def test_a_single_sub_item_may_not_come_twice(kind: type[KnownItem], item: Callable[..., bytes]) -> None:
    (data,) = (data for _, value, data in GOLDEN if type(value) is kind)
    with pytest.raises(PeerError, match=f"{kind.__name__} comes 2 times") as caught:
        decode_one(item(0x50, data + data))
    assert caught.value.reason is AbortReason.UNEXPECTED_PDU_PARAMETER


def test_sub_items_of_a_class_may_come_several_times() -> None:
    roles = tuple(RoleSelection(sop_class_uid=uid, scu=True, scp=False) for uid in ("1.2", "1.3"))
    assert decode_one(UserInformation(roles).encode()) == UserInformation(roles)


@pytest.mark.parametrize(
    "rest",
    [b"", b"\x40\x00\x00\x00", b"\x40\x00\x00\x031.2", b"\x40", b"\xff\xff\xff\xff", b"\x30\x00\x00\x00"],
)
@pytest.mark.parametrize("result", [1, 2, 3, 4, 5, 255])
def test_beside_a_rejection_the_transfer_syntax_is_not_looked_at(
    result: int, rest: bytes, item: Callable[..., bytes]
) -> None:
    """PS3.8 9.3.3.2: it is not significant, be it missing, empty or malformed."""
    context = decode_one(item(0x21, bytes((7, 0, result, 0)) + rest))
    assert context == AnsweredContext(id=7, result=result)


def test_codes_that_the_standard_has_are_named(item: Callable[..., bytes]) -> None:
    context = decode_one(item(0x21, b"\x01\0\x04\0"))
    assert isinstance(context, AnsweredContext)
    assert context.result is ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED
    identity = decode_one(item(0x58, b"\x05\x00\x00\x00\x00\x00"))
    assert isinstance(identity, UserIdentityRequest)
    assert identity.identity_type is UserIdentityType.JSON_WEB_TOKEN


def test_a_later_version_of_the_common_extended_negotiation_may_append(item: Callable[..., bytes]) -> None:
    data = item(0x57, b"\x00\x031.2\x00\x031.3\x00\x00more", reserved=1)
    assert decode_one(data) == SOPClassCommonExtendedNegotiation(sop_class_uid="1.2", service_class_uid="1.3")


@pytest.mark.parametrize(("data", "name"), [(b"A\0", "A"), (b"A ", "A"), (b"", ""), (b"\xff\n", "ÿ\n")])
def test_a_version_name_is_taken_as_it_is(data: bytes, name: str, item: Callable[..., bytes]) -> None:
    assert decode_one(item(0x55, data)) == ImplementationVersionName(name)


@pytest.mark.parametrize(
    "value",
    [
        UserIdentityRequest(
            identity_type=2, positive_response_requested=False, primary=b"hush", secondary=b"hush"
        ),
        UserIdentityResponse(b"hush"),
    ],
    ids=["request", "response"],
)
def test_secrets_are_not_shown(value: Item) -> None:
    assert "hush" not in repr(value)


@pytest.mark.parametrize(
    "value",
    [
        MaximumLength(2**32),
        MaximumLength(-1),
        AsynchronousOperationsWindow(65_536, 0),
        AnsweredContext(id=256, result=0),
        ProposedContext(id=1, abstract_syntax="1.é", transfer_syntaxes=()),
        ProposedContext(id=1, abstract_syntax="1", transfer_syntaxes=("1" * 64,) * 1_000),
        UserIdentityResponse(bytes(65_536)),
        UnknownItem(0xA0, bytes(65_536)),
        UnknownItem(256, b""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_does_not_fit_is_a_value_error(value: Item) -> None:
    with pytest.raises(ValueError, match=r"."):
        value.encode()
