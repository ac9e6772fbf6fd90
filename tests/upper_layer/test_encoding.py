"""Fields and items in a row: bounds, padding, and whose fault an error is."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

import pytest

from sdcc.upper_layer.codes import AbortReason
from sdcc.upper_layer.encoding import (
    REMEMBERED_LENGTH,
    Fields,
    UnknownItem,
    counted,
    decode_items,
    pack,
    registry,
    unpadded,
)
from sdcc.upper_layer.errors import PeerError
from sdcc.upper_layer.items import (
    IN_USER_INFORMATION,
    AbstractSyntax,
    ImplementationClassUID,
    ImplementationVersionName,
    MaximumLength,
    ProposedContext,
    RoleSelection,
    TransferSyntax,
    UserInformation,
)

SHORT = Struct(">H")


def test_fields_are_taken_from_the_front() -> None:
    fields = Fields("test", b"\x00\x05ab\x00\x03xyz!")
    assert fields.unpack(SHORT, "number") == (5,)
    assert bytes(fields.take(2, "two")) == b"ab"
    assert fields.counted("text") == b"xyz"
    assert len(fields) == 1
    assert fields.rest() == b"!"
    fields.end()


@pytest.mark.parametrize(
    "take",
    [
        lambda fields: fields.take(4, "speed"),
        lambda fields: fields.unpack(Struct(">I"), "speed"),
        lambda fields: fields.counted("speed"),
    ],
    ids=["take", "unpack", "counted"],
)
def test_a_field_that_is_not_all_there_is_the_peers_fault(take: Callable[[Fields], object]) -> None:
    """The error names the container, the field, and both lengths."""
    with pytest.raises(PeerError, match=r"test: speed should have \d+ bytes, \d are left") as caught:
        take(Fields("test", b"\x00\x09\x00"))
    assert caught.value.reason is AbortReason.INVALID_PDU_PARAMETER_VALUE


def test_a_field_that_is_not_all_there_takes_nothing() -> None:
    fields = Fields("test", b"abc")
    with pytest.raises(PeerError):
        fields.take(4, "speed")
    assert fields.rest() == b"abc"


def test_bytes_beyond_the_last_field_are_the_peers_fault() -> None:
    with pytest.raises(PeerError, match="test: its length is 3 more"):
        Fields("test", b"abc").end()


@pytest.mark.parametrize(
    ("data", "uid"),
    [
        (b"1.2.3", "1.2.3"),
        (b"1.2.3\0", "1.2.3"),
        (b"1.2.3 ", "1.2.3"),
        (b"1.2.3\0 \0 ", "1.2.3"),
        (b" 1.2.3", " 1.2.3"),
        (b"not a UID", "not a UID"),
        (b"", ""),
        (b"\0\0", ""),
    ],
)
def test_uids_are_text_without_trailing_padding(data: bytes, uid: str) -> None:
    assert Fields("test", b"").uid(data, "UID") == uid


@pytest.mark.parametrize("data", [b"1.2\x003", b"1.2\n", b"\x1b[2J", b"1.2.\xe9", b"\xff" * 60_000])
def test_uids_of_other_bytes_are_the_peers_fault(data: bytes) -> None:
    """The error shows the bytes, no more than a line of them, with nothing that a terminal would obey."""
    with pytest.raises(PeerError, match="test: UID is b'") as caught:
        Fields("test", b"").uid(data, "UID")
    assert caught.value.reason is AbortReason.INVALID_PDU_PARAMETER_VALUE
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_names_may_be_any_bytes() -> None:
    assert unpadded(b"V\xe9ga 1 \0") == "Véga 1"


@pytest.mark.parametrize("encode", [lambda: pack(SHORT, 65_536), lambda: counted(bytes(65_536))])
def test_what_does_not_fit_into_its_field_is_our_fault(encode: Callable[[], bytes]) -> None:
    with pytest.raises(ValueError, match="cannot be encoded"):
        encode()


def test_items_keep_their_order_and_unknown_ones_their_bytes(item: Callable[..., bytes]) -> None:
    data = item(0x40, b"1.2") + item(0xEE, b"\x00\xff") + item(0x30, b"3.4") + item(0x00, b"")
    items = decode_items(Fields("test", data), registry(AbstractSyntax, TransferSyntax))
    assert items == [
        TransferSyntax("1.2"),
        UnknownItem(0xEE, b"\x00\xff"),
        AbstractSyntax("3.4"),
        UnknownItem(0x00, b""),
    ]
    assert b"".join(item.encode() for item in items) == data


def test_short_contexts_are_decoded_once_and_long_ones_are_not_kept(item: Callable[..., bytes]) -> None:
    def decoded(syntax: bytes) -> ProposedContext:
        value = b"\x01\0\0\0" + item(0x30, b"1.2") + item(0x40, syntax)
        [context] = decode_items(Fields("test", item(0x20, value)), registry(ProposedContext))
        assert isinstance(context, ProposedContext)
        assert context.transfer_syntaxes == (syntax.decode(),)
        return context

    short, long = b"1.2.840.10008.1.2", b"1" * REMEMBERED_LENGTH
    assert decoded(short) is decoded(short)
    assert decoded(long) is not decoded(long)


def test_what_may_hold_a_secret_is_not_kept() -> None:
    kept = {kind for kind in IN_USER_INFORMATION.values() if kind.comes_again}
    assert kept == {MaximumLength, ImplementationClassUID, ImplementationVersionName, RoleSelection}
    assert not UserInformation.comes_again


def test_a_malformed_context_is_refused_each_time(item: Callable[..., bytes]) -> None:
    for _ in range(2):
        with pytest.raises(PeerError, match="Presentation-context-ID is 2"):
            decode_items(Fields("test", item(0x20, b"\x02\0\0\0")), registry(ProposedContext))


def test_a_known_item_elsewhere_is_unexpected(item: Callable[..., bytes]) -> None:
    with pytest.raises(PeerError, match="test: abstract syntax does not belong there") as caught:
        decode_items(Fields("test", item(0x30, b"1.2")), registry(TransferSyntax))
    assert caught.value.reason is AbortReason.UNEXPECTED_PDU_PARAMETER


def test_an_unknown_item_has_to_keep_within_its_container(item: Callable[..., bytes]) -> None:
    with pytest.raises(PeerError, match="item's value should have 3 bytes, 2 are left"):
        decode_items(Fields("test", item(0xEE, b"ab", length=3)), registry())
