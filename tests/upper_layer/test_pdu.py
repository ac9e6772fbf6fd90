"""The seven PDUs, as values and as bytes."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator

import pytest

from sdcc.upper_layer.codes import (
    AbortReason,
    AbortSource,
    ContextResult,
    RejectReasonACSE,
    RejectReasonPresentation,
    RejectReasonUser,
    RejectResult,
    RejectSource,
)
from sdcc.upper_layer.encoding import UnknownItem
from sdcc.upper_layer.errors import PeerError
from sdcc.upper_layer.items import (
    AnsweredContext,
    ImplementationClassUID,
    ImplementationVersionName,
    MaximumLength,
    ProposedContext,
    RoleSelection,
)
from sdcc.upper_layer.pdu import (
    PDU,
    Abort,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    PDataTF,
    PresentationDataValue,
    ReleaseRP,
    ReleaseRQ,
    decode,
)

HEADER = 6
#: Bytes of an A-ASSOCIATE body before its items.
FIXED = 68

# fmt: off
GOLDEN: list[tuple[str, PDU, bytes]] = [
    (
        "A-ASSOCIATE-RQ",
        AssociateRQ(
            called_ae_title="SDCC            ",
            calling_ae_title="  CT01          ",
            reserved=bytes(range(32)),
            application_context_name="1.2.840.10008.3.1.1.1",
            presentation_contexts=(
                ProposedContext(
                    id=1, abstract_syntax="1.2.840.10008.1.1", transfer_syntaxes=("1.2.840.10008.1.2",)
                ),
                ProposedContext(
                    id=3,
                    abstract_syntax="1.2.840.10008.5.1.4.1.1.2",
                    transfer_syntaxes=("1.2.840.10008.1.2.1", "1.2.840.10008.1.2"),
                ),
            ),
            user_information=(
                MaximumLength(16384),
                ImplementationClassUID("1.2.276.0.7230010.3.0.3.6.7"),
                UnknownItem(0x5F, b"\xff"),
                ImplementationVersionName("OFFIS_DCMTK_367"),
            ),
            unknown=(UnknownItem(0x60, b""),),
        ),
        b"\x01\x00" b"\x00\x00\x01\x27"                             # PDU-type, reserved, PDU-length 295
            b"\x00\x01" b"\x00\x00"                                 # protocol version, reserved
            b"SDCC            "                                     # called AE title
            b"  CT01          "                                     # calling AE title
            b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
            b"\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f"  # reserved
            b"\x10\x00\x00\x15" b"1.2.840.10008.3.1.1.1"            # application context, length 21
            b"\x20\x00\x00\x2e"                                     # presentation context, length 46
                b"\x01\x00\x00\x00"                                 # ID 1, reserved
                b"\x30\x00\x00\x11" b"1.2.840.10008.1.1"            # abstract syntax, length 17
                b"\x40\x00\x00\x11" b"1.2.840.10008.1.2"            # transfer syntax, length 17
            b"\x20\x00\x00\x4d"                                     # presentation context, length 77
                b"\x03\x00\x00\x00"                                 # ID 3, reserved
                b"\x30\x00\x00\x19" b"1.2.840.10008.5.1.4.1.1.2"    # abstract syntax, length 25
                b"\x40\x00\x00\x13" b"1.2.840.10008.1.2.1"          # transfer syntax, length 19
                b"\x40\x00\x00\x11" b"1.2.840.10008.1.2"            # transfer syntax, length 17
            b"\x50\x00\x00\x3f"                                     # user information, length 63
                b"\x51\x00\x00\x04" b"\x00\x00\x40\x00"             # maximum length 16384
                b"\x52\x00\x00\x1b" b"1.2.276.0.7230010.3.0.3.6.7"  # implementation class, length 27
                b"\x5f\x00\x00\x01" b"\xff"                         # unknown, length 1
                b"\x55\x00\x00\x0f" b"OFFIS_DCMTK_367"              # version name, length 15
            b"\x60\x00\x00\x00",                                    # unknown, length 0
    ),
    (
        "A-ASSOCIATE-AC",
        AssociateAC(
            called_ae_title="SDCC            ",
            calling_ae_title="CT01            ",
            application_context_name="1.2.840.10008.3.1.1.1",
            presentation_contexts=(
                AnsweredContext(id=1, result=ContextResult.ACCEPTANCE, transfer_syntax="1.2.840.10008.1.2"),
                AnsweredContext(id=3, result=ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED),
            ),
            user_information=(
                MaximumLength(0),
                RoleSelection(sop_class_uid="1.2.840.10008.1.1", scu=True, scp=False),
            ),
        ),
        b"\x02\x00" b"\x00\x00\x00\xbc"                             # PDU-type, reserved, PDU-length 188
            b"\x00\x01" b"\x00\x00"                                 # protocol version, reserved
            b"SDCC            "                                     # as in the request
            b"CT01            "                                     # as in the request
            b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
            b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"  # as in the request
            b"\x10\x00\x00\x15" b"1.2.840.10008.3.1.1.1"            # application context, length 21
            b"\x21\x00\x00\x19"                                     # presentation context, length 25
                b"\x01\x00\x00\x00"                                 # ID 1, reserved, acceptance, reserved
                b"\x40\x00\x00\x11" b"1.2.840.10008.1.2"            # transfer syntax, length 17
            b"\x21\x00\x00\x19"                                     # presentation context, length 25
                b"\x03\x00\x04\x00"                                 # ID 3, reserved, result 4, reserved
                b"\x40\x00\x00\x11" b"1.2.840.10008.1.2"            # transfer syntax, not significant
            b"\x50\x00\x00\x21"                                     # user information, length 33
                b"\x51\x00\x00\x04" b"\x00\x00\x00\x00"             # maximum length: no limit
                b"\x54\x00\x00\x15"                                 # role selection, length 21
                    b"\x00\x11" b"1.2.840.10008.1.1"                # SOP class, length 17
                    b"\x01" b"\x00",                                # SCU role, SCP role
    ),
    (
        "A-ASSOCIATE-RJ",
        AssociateRJ(
            RejectResult.REJECTED_TRANSIENT,
            RejectSource.SERVICE_PROVIDER_PRESENTATION,
            RejectReasonPresentation.LOCAL_LIMIT_EXCEEDED,
        ),
        b"\x03\x00" b"\x00\x00\x00\x04"                             # PDU-type, reserved, PDU-length 4
            b"\x00" b"\x02" b"\x03" b"\x02",                        # reserved, result, source, reason
    ),
    (
        "P-DATA-TF",
        PDataTF((
            PresentationDataValue(context_id=1, is_command=True, is_last=True, data=b"command"),
            PresentationDataValue(context_id=1, is_command=False, is_last=False, data=b"data"),
            PresentationDataValue(context_id=255, is_command=False, is_last=True, data=b""),
        )),
        b"\x04\x00" b"\x00\x00\x00\x1d"                             # PDU-type, reserved, PDU-length 29
            b"\x00\x00\x00\x09"                                     # length 9
                b"\x01" b"\x03" b"command"                          # ID 1, last of the command
            b"\x00\x00\x00\x06"                                     # length 6
                b"\x01" b"\x00" b"data"                             # ID 1, data, not the last
            b"\x00\x00\x00\x02"                                     # length 2
                b"\xff" b"\x02",                                    # ID 255, last of the data
    ),
    (
        "A-RELEASE-RQ",
        ReleaseRQ(),
        b"\x05\x00" b"\x00\x00\x00\x04" b"\x00\x00\x00\x00",        # type, reserved, length 4, reserved
    ),
    (
        "A-RELEASE-RP",
        ReleaseRP(),
        b"\x06\x00" b"\x00\x00\x00\x04" b"\x00\x00\x00\x00",        # type, reserved, length 4, reserved
    ),
    (
        "A-ABORT",
        Abort(AbortSource.SERVICE_PROVIDER, AbortReason.UNEXPECTED_PDU),
        b"\x07\x00" b"\x00\x00\x00\x04"                             # PDU-type, reserved, PDU-length 4
            b"\x00\x00" b"\x02" b"\x02",                            # reserved, source, reason
    ),
]
# fmt: on

golden = pytest.mark.parametrize(
    ("value", "data"), [case[1:] for case in GOLDEN], ids=[case[0] for case in GOLDEN]
)


@golden
def test_encode(value: PDU, data: bytes) -> None:
    assert value.encode() == data


@golden
def test_decode(value: PDU, data: bytes) -> None:
    assert decode(data[0], data[HEADER:]) == value


@golden
def test_decode_from_a_buffer_that_is_used_again(value: PDU, data: bytes) -> None:
    """A decoded PDU keeps nothing of the buffer that it came in."""
    buffer = bytearray(data)
    with memoryview(buffer) as view:
        pdu = decode(data[0], view[HEADER:])
    buffer[:] = bytes(len(buffer))
    assert pdu == value


def whole_items(data: bytes) -> Iterator[int]:
    """The lengths at which the body of this PDU may be cut and be a sound one all the same."""
    body = data[HEADER:]
    if data[0] in (1, 2):
        position, layout, counted_from = FIXED, ">xxH", 4
    elif data[0] == 4:
        position, layout, counted_from = 0, ">I", 4
    else:
        return
    while position < len(body):
        if position:
            yield position
        (length,) = struct.unpack_from(layout, body, position)
        position += counted_from + length


@golden
def test_a_truncated_body_decodes_only_between_its_items(value: PDU, data: bytes) -> None:
    body = data[HEADER:]
    decoded = []
    for length in range(len(body)):
        with contextlib.suppress(PeerError):
            decode(data[0], body[:length])
            decoded.append(length)
    assert decoded == list(whole_items(data))


@golden
def test_no_change_of_a_byte_raises_anything_but_a_peer_error(value: PDU, data: bytes) -> None:
    body = bytearray(data[HEADER:])
    for position, original in enumerate(bytes(body)):
        for byte in {0, 1, 2, 0x7F, 0x80, 0xFF, *(original ^ 1 << bit for bit in range(8))}:
            body[position] = byte
            with contextlib.suppress(PeerError):
                decode(data[0], bytes(body))
        body[position] = original


@pytest.mark.parametrize("pdu_type", [0, 8, 0x47, 255])
def test_an_unknown_type_is_unrecognized(pdu_type: int) -> None:
    with pytest.raises(PeerError, match=f"PDU-type is {pdu_type:02X}H") as caught:
        decode(pdu_type, bytes(4))
    assert caught.value.reason is AbortReason.UNRECOGNIZED_PDU


@pytest.mark.parametrize("pdu_type", [3, 5, 6, 7])
@pytest.mark.parametrize("length", [0, 3, 5, 100])
def test_pdus_of_fixed_length_have_that_length(pdu_type: int, length: int) -> None:
    with pytest.raises(PeerError, match=r"the body should have 4|its length is") as caught:
        decode(pdu_type, bytes(length))
    assert caught.value.reason is AbortReason.INVALID_PDU_PARAMETER_VALUE


# --- rejection and abort -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "text", "kinds"),
    [
        (
            b"\0\1\1\7",
            "A-ASSOCIATE-RJ 1/1/7 (rejected-permanent, service-user, called-ae-title-not-recognized)",
            (RejectResult, RejectSource, RejectReasonUser),
        ),
        (
            b"\0\1\2\2",
            "A-ASSOCIATE-RJ 1/2/2 "
            "(rejected-permanent, service-provider-acse, protocol-version-not-supported)",
            (RejectResult, RejectSource, RejectReasonACSE),
        ),
        (
            b"\0\2\3\1",
            "A-ASSOCIATE-RJ 2/3/1 (rejected-transient, service-provider-presentation, temporary-congestion)",
            (RejectResult, RejectSource, RejectReasonPresentation),
        ),
        (
            b"\0\1\3\7",
            "A-ASSOCIATE-RJ 1/3/7 (rejected-permanent, service-provider-presentation, unknown)",
            (RejectResult, RejectSource, int),
        ),
        (b"\0\0\x09\1", "A-ASSOCIATE-RJ 0/9/1 (unknown, unknown, unknown)", (int, int, int)),
    ],
)
def test_codes_of_a_rejection(body: bytes, text: str, kinds: tuple[type, ...]) -> None:
    """A reason is named by its source; a code that the standard does not have stays a number."""
    pdu = decode(3, body)
    assert isinstance(pdu, AssociateRJ)
    assert tuple(map(type, (pdu.result, pdu.source, pdu.reason))) == kinds
    assert str(pdu) == text
    assert pdu.encode()[HEADER:] == body


@pytest.mark.parametrize(
    ("body", "text", "kinds"),
    [
        (b"\0\0\0\0", "A-ABORT 0/0 (service-user, reason-not-specified)", (AbortSource, AbortReason)),
        (
            b"\0\0\2\6",
            "A-ABORT 2/6 (service-provider, invalid-pdu-parameter-value)",
            (AbortSource, AbortReason),
        ),
        (b"\0\0\1\3", "A-ABORT 1/3 (unknown, unknown)", (int, int)),
    ],
)
def test_codes_of_an_abort(body: bytes, text: str, kinds: tuple[type, ...]) -> None:
    pdu = decode(7, body)
    assert isinstance(pdu, Abort)
    assert tuple(map(type, (pdu.source, pdu.reason))) == kinds
    assert str(pdu) == text
    assert pdu.encode()[HEADER:] == body


def test_a_code_that_does_not_fit_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="cannot be encoded"):
        Abort(2, 256).encode()


# --- data transfer -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "P-DATA-TF: it has no Presentation-data-value"),
        (b"\0\0\0\2\1", "Presentation-data-value's header should have 6 bytes, 5 are left"),
        (b"\0\0\0\0\1\3", "Item-length is 0, 2 or more are allowed"),
        (b"\0\0\0\1\1\3", "Item-length is 1, 2 or more are allowed"),
        (b"\0\0\0\3\1\3", "Presentation-data-value should have 1 bytes, 0 are left"),
        (b"\xff\xff\xff\xff\1\3", "Presentation-data-value should have 4294967293 bytes"),
        (b"\0\0\0\2\1\3\0", "Presentation-data-value's header should have 6 bytes, 1 are left"),
    ],
)
def test_malformed_data_is_the_peers_fault(body: bytes, text: str) -> None:
    with pytest.raises(PeerError) as caught:
        decode(4, body)
    assert caught.value.reason is AbortReason.INVALID_PDU_PARAMETER_VALUE
    assert text in str(caught.value)


def test_only_two_bits_of_the_message_control_header_count() -> None:
    """PS3.8 E.2."""
    assert decode(4, b"\0\0\0\2\1\xfc") == decode(4, b"\0\0\0\2\1\x00")
    assert decode(4, b"\0\0\0\2\1\xff") == decode(4, b"\0\0\0\2\1\x03")


@pytest.mark.parametrize("is_command", [True, False])
@pytest.mark.parametrize("is_last", [True, False])
@pytest.mark.parametrize("data", [b"", b"odd", bytes(16_378)], ids=len)
def test_a_header_and_a_payload_are_a_pdu(is_command: bool, is_last: bool, data: bytes) -> None:
    value = PresentationDataValue(context_id=7, is_command=is_command, is_last=is_last, data=data)
    header = PDataTF.header(context_id=7, is_command=is_command, is_last=is_last, length=len(data))
    assert header + data == PDataTF((value,)).encode()


# --- the log -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "A-ASSOCIATE-RQ",
            "A-ASSOCIATE-RQ 'CT01' to 'SDCC', 2 presentation contexts, maximum length 16384, "
            "implementation '1.2.276.0.7230010.3.0.3.6.7' 'OFFIS_DCMTK_367'",
        ),
        (
            "A-ASSOCIATE-AC",
            "A-ASSOCIATE-AC 1 of 2 presentation contexts accepted, maximum length 0, implementation '' ''",
        ),
        ("P-DATA-TF", "P-DATA-TF 1 command 7 bytes, last; 1 data 4 bytes; 255 data 0 bytes, last"),
        ("A-RELEASE-RQ", "A-RELEASE-RQ"),
        ("A-RELEASE-RP", "A-RELEASE-RP"),
    ],
)
def test_a_pdu_is_a_line_of_the_log(name: str, text: str) -> None:
    (pdu,) = (value for title, value, _ in GOLDEN if title == name)
    assert str(pdu) == text


def test_payload_is_not_shown() -> None:
    value = PresentationDataValue(context_id=1, is_command=False, is_last=True, data=b"DOE^JANE")
    assert "DOE" not in f"{PDataTF((value,))} {PDataTF((value,))!r} {value} {value!r}"
