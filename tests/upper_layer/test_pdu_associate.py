"""A-ASSOCIATE-RQ and A-ASSOCIATE-AC: what is understood, what is kept, and whose fault the rest is."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest

from sdcc.upper_layer.codes import AbortReason
from sdcc.upper_layer.encoding import UnknownItem
from sdcc.upper_layer.errors import PeerError
from sdcc.upper_layer.items import (
    ImplementationClassUID,
    ImplementationVersionName,
    MaximumLength,
    ProposedContext,
)
from sdcc.upper_layer.pdu import AssociateRQ, decode

HEADER = 6
#: Bytes of the body before its items.
FIXED = 68


def test_reserved_bytes_are_not_looked_at(associate_rq: Callable[..., bytes]) -> None:
    plain = decode(1, associate_rq())
    assert decode(1, associate_rq(reserved=0xFF, reserved_2=b"\xff\xff")) == plain


def test_an_answers_reserved_bytes_are_not_looked_at(associate_ac: Callable[..., bytes]) -> None:
    plain = decode(2, associate_ac())
    assert decode(2, associate_ac(reserved=0xFF, reserved_2=b"\xff\xff")) == plain


def decode_rq(body: bytes) -> AssociateRQ:
    pdu = decode(1, body)
    assert isinstance(pdu, AssociateRQ)
    return pdu


@pytest.mark.parametrize("version", [0, 1, 2, 0xFFFF])
def test_any_protocol_version_decodes(version: int, associate_rq: Callable[..., bytes]) -> None:
    """Which versions are supported is the machine's business."""
    assert decode_rq(associate_rq(version=version)).protocol_version == version


@pytest.mark.parametrize(
    ("field", "title", "stripped"),
    [
        (b"CT01            ", "CT01            ", "CT01"),
        (b"   CT 01        ", "   CT 01        ", "CT 01"),
        (b"CT01" + bytes(12), "CT01" + "\0" * 12, "CT01"),
        (b"ABCDEFGHIJKLMNOP", "ABCDEFGHIJKLMNOP", "ABCDEFGHIJKLMNOP"),
        (b" " * 16, " " * 16, ""),
        (b"R\xf6ntgen\xff\n       ", "Röntgenÿ\n       ", "Röntgenÿ\n"),
    ],
)
def test_ae_titles_are_kept_as_they_came(
    field: bytes, title: str, stripped: str, associate_rq: Callable[..., bytes]
) -> None:
    """PS3.8 9.3.3: the answer gives all 16 bytes back; the spaces and NULs around do not count otherwise."""
    body = associate_rq(called=field, calling=field)
    pdu = decode_rq(body)
    assert (pdu.called_ae_title, pdu.calling_ae_title) == (title, title)
    assert (pdu.called_ae, pdu.calling_ae) == (stripped, stripped)
    assert pdu.encode()[HEADER:] == body


def request(**fields: Any) -> AssociateRQ:
    given = {
        "called_ae_title": "SDCC",
        "calling_ae_title": "CT01",
        "application_context_name": "1.2.840.10008.3.1.1.1",
        "presentation_contexts": (),
    }
    return AssociateRQ(**(given | fields))


def test_ae_titles_are_padded_with_spaces() -> None:
    body = request(called_ae_title="SDCC", calling_ae_title="").encode()[HEADER:]
    assert body[4:36] == b"SDCC                            "


@pytest.mark.parametrize("field", ["called_ae_title", "calling_ae_title"])
@pytest.mark.parametrize("title", ["ABCDEFGHIJKLMNOPQ", "東京"])
def test_ae_titles_that_do_not_fit_are_a_value_error(field: str, title: str) -> None:
    with pytest.raises(ValueError, match=r"17 characters, 16 are allowed|codec can't encode"):
        request(**{field: title}).encode()


def test_a_user_information_that_does_not_fit_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="cannot be encoded"):
        request(user_information=(UnknownItem(0x5A, bytes(40_000)),) * 2).encode()


def test_properties_of_the_user_information() -> None:
    pdu = request(
        user_information=(
            ImplementationVersionName("V1"),
            MaximumLength(4096),
            ImplementationClassUID("1.2.3"),
        )
    )
    assert pdu.maximum_length == 4096
    assert pdu.implementation_class_uid == "1.2.3"
    assert pdu.implementation_version_name == "V1"


def test_properties_of_a_user_information_that_lacks_them() -> None:
    pdu = request()
    assert pdu.maximum_length == 0
    assert pdu.implementation_class_uid == ""
    assert pdu.implementation_version_name == ""


def test_a_request_of_no_items_decodes() -> None:
    """What is missing gets its own answer: RJ 1/1/2 for the application context, no limit, no contexts."""
    pdu = decode_rq(struct.pack(">H2x16s16s32x", 1, b"SDCC".ljust(16), b"CT01".ljust(16)))
    assert pdu.application_context_name == ""
    assert pdu.presentation_contexts == ()
    assert pdu.maximum_length == 0


def test_padded_uids_are_understood(associate_rq: Callable[..., bytes]) -> None:
    pdu = decode_rq(
        associate_rq(
            application_context=b"1.2.840.10008.3.1.1.1\0",
            abstract_syntax=b"1.2.840.10008.1.1\0",
            transfer_syntax=b"1.2.840.10008.1.2 ",
            implementation_class_uid=b"1.2.3\0\0",
        )
    )
    assert pdu.application_context_name == "1.2.840.10008.3.1.1.1"
    (context,) = pdu.presentation_contexts
    assert (context.abstract_syntax, context.transfer_syntaxes) == (
        "1.2.840.10008.1.1",
        ("1.2.840.10008.1.2",),
    )
    assert pdu.implementation_class_uid == "1.2.3"


def test_items_may_come_in_any_order(associate_rq: Callable[..., bytes]) -> None:
    body = associate_rq()
    fixed, application_context, others = body[:FIXED], body[FIXED : FIXED + 25], body[FIXED + 25 :]
    assert decode(1, fixed + others + application_context) == decode(1, body)


#: One thing wrong in an A-ASSOCIATE-RQ each: the keyword, the reason, a part of the text.
INVALID, UNEXPECTED = AbortReason.INVALID_PDU_PARAMETER_VALUE, AbortReason.UNEXPECTED_PDU_PARAMETER
CONTEXT = b"\x20\x00\x00\x0b%c\0\0\0\x30\x00\x00\x031.2"
BAD: list[tuple[dict[str, Any], AbortReason, str]] = [
    ({"application_context_length": 300}, INVALID, "A-ASSOCIATE-RQ: an item's value should have 300 bytes"),
    ({"application_context_length": 20}, INVALID, "A-ASSOCIATE-RQ"),
    ({"application_context": b"1.2.840\xff"}, INVALID, r"application context: UID is b'1.2.840\xff'"),
    ({"context_id": 2}, INVALID, "Presentation-context-ID is 2, odd ones of 1 to 255 are allowed"),
    ({"context_id": 0}, INVALID, "Presentation-context-ID is 0"),
    ({"context_length": 45}, INVALID, "item's value should have 17 bytes, 16 are left"),
    ({"context_length": 3}, INVALID, "presentation context rq: Presentation-context-ID should have 4 bytes"),
    ({"context_length": 0xFFFF}, INVALID, "should have 65535 bytes"),
    ({"context_value": b"\x01\0\0\0"}, INVALID, "presentation context rq: 1 has no Abstract Syntax"),
    ({"abstract_syntax": b"1.2\n"}, INVALID, r"abstract syntax: UID is b'1.2\n'"),
    ({"abstract_syntax_length": 16}, INVALID, "presentation context rq: an item's value"),
    ({"abstract_syntax_length": 0xFFFF}, INVALID, "context rq: an item's value should have 65535"),
    ({"transfer_syntax": b"\x80"}, INVALID, "transfer syntax: UID is"),
    ({"transfer_syntax_length": 18}, INVALID, "should have 18 bytes, 17 are left"),
    ({"more_context_items": b"\x40"}, INVALID, "context rq: an item's header should have 4 bytes, 1"),
    ({"more_context_items": b"\x30\0\0\0"}, UNEXPECTED, "AbstractSyntax comes 2 times"),
    ({"more_context_items": b"\x51\0\0\0"}, UNEXPECTED, "presentation context rq: maximum length does not"),
    ({"user_information_length": 0xFFFF}, INVALID, "A-ASSOCIATE-RQ: an item's value should have 65535"),
    ({"user_information_length": 7}, INVALID, "user information: an item's value should have 4 bytes, 3"),
    ({"maximum_length": b"\0\0\x40"}, INVALID, "maximum length: Maximum-length-received should have 4 bytes"),
    ({"maximum_length": bytes(5)}, INVALID, "maximum length: its length is 1 more than its fields have"),
    ({"maximum_length_length": 3}, INVALID, "maximum length: Maximum-length-received should have 4"),
    ({"maximum_length_length": 5}, INVALID, "maximum length: its length is 1 more"),
    ({"implementation_class_uid": b"\xe9"}, INVALID, "implementation class uid: UID is"),
    ({"implementation_class_uid_length": 8}, INVALID, "user information: an item's value should have 8"),
    ({"more_sub_items": b"\x51\0\0\x04\0\0\0\0"}, UNEXPECTED, "information: MaximumLength comes 2 times"),
    ({"more_sub_items": b"\x10\0\0\0"}, UNEXPECTED, "user information: application context does not belong"),
    ({"more_items": b"\x10\0\0\0"}, UNEXPECTED, "RQ: ApplicationContext comes 2 times, it may come once"),
    ({"more_items": b"\x50\0\0\0"}, UNEXPECTED, "A-ASSOCIATE-RQ: UserInformation comes 2 times"),
    ({"more_items": CONTEXT % 1}, UNEXPECTED, "A-ASSOCIATE-RQ: Presentation-context-ID 1 comes again"),
    ({"more_items": b"\x21\0\0\x04\x01\0\x03\0"}, UNEXPECTED, "RQ: presentation context ac does not belong"),
    ({"more_items": b"\x51\0\0\x04\0\0\0\0"}, UNEXPECTED, "A-ASSOCIATE-RQ: maximum length does not belong"),
    ({"more_items": b"\x99\0\0"}, INVALID, "RQ: an item's header should have 4 bytes, 3 are left"),
    ({"more_items": b"\x99\0\0\x01"}, INVALID, "RQ: an item's value should have 1 bytes, 0 are left"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "reason", "text"), BAD, ids=[next(iter(case[0])) for case in BAD])
def test_a_malformed_request_is_the_peers_fault(
    fields: dict[str, Any], reason: AbortReason, text: str, associate_rq: Callable[..., bytes]
) -> None:
    with pytest.raises(PeerError) as caught:
        decode(1, associate_rq(**fields))
    assert caught.value.reason is reason
    assert text in str(caught.value)


#: The same for an A-ASSOCIATE-AC.
BAD_AC: list[tuple[dict[str, Any], AbortReason, str]] = [
    ({"context_id": 2}, INVALID, "presentation context ac: Presentation-context-ID is 2"),
    ({"context_length": 3}, INVALID, "Presentation-context-ID and Result/Reason should have 4 bytes"),
    ({"transfer_syntax_items": b""}, INVALID, "1 is accepted with no Transfer Syntax, it must have one"),
    ({"transfer_syntax_items": b"\x40\0\0\0\x40\0\0\0"}, UNEXPECTED, "TransferSyntax comes 2 times"),
    ({"transfer_syntax_items": b"\x40\0\0\x01\xff"}, INVALID, "transfer syntax: UID is"),
    ({"transfer_syntax_items": b"\x30\0\0\0"}, UNEXPECTED, "abstract syntax does not belong there"),
    ({"more_items": b"\x21\0\0\x04\x01\0\x03\0"}, UNEXPECTED, "Presentation-context-ID 1 comes again"),
    ({"more_items": CONTEXT % 3}, UNEXPECTED, "A-ASSOCIATE-AC: presentation context rq does not belong"),
    ({"more_items": b"\x50\0\0\0"}, UNEXPECTED, "A-ASSOCIATE-AC: UserInformation comes 2 times"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "reason", "text"), BAD_AC, ids=[next(iter(case[0])) for case in BAD_AC])
def test_a_malformed_answer_is_the_peers_fault(
    fields: dict[str, Any], reason: AbortReason, text: str, associate_ac: Callable[..., bytes]
) -> None:
    with pytest.raises(PeerError) as caught:
        decode(2, associate_ac(**fields))
    assert caught.value.reason is reason
    assert text in str(caught.value)


def test_as_many_contexts_as_there_are_ids_decode() -> None:
    """128 contexts of 70 Transfer Syntaxes, a quarter of a megabyte."""
    transfer_syntaxes = tuple(f"1.2.840.10008.1.2.4.{number}" for number in range(100, 170))
    contexts = tuple(
        ProposedContext(id=number, abstract_syntax=f"1.2.{number}", transfer_syntaxes=transfer_syntaxes)
        for number in range(1, 256, 2)
    )
    body = request(presentation_contexts=contexts).encode()[HEADER:]
    assert len(body) > 200_000
    assert decode_rq(body).presentation_contexts == contexts


def test_names_from_a_peer_cannot_break_the_line() -> None:
    pdu = request(
        calling_ae_title="CT\n01\x1b[2J",
        user_information=(
            ImplementationClassUID("1" * 60_000),
            ImplementationVersionName("\r\nroot logged in" * 4_000),
        ),
    )
    assert str(pdu).isprintable()
    assert len(str(pdu)) < 400
