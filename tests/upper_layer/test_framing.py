"""A byte stream is cut into the PDUs that were put into it, however it is split."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdcc.upper_layer.codes import AbortReason
from sdcc.upper_layer.errors import PeerError
from sdcc.upper_layer.framing import MAXIMUM_ASSOCIATE_LENGTH, P_DATA_TOLERANCE, Fragment, Framer, Received
from sdcc.upper_layer.pdu import Abort, AssociateRQ, PDataTF, PresentationDataValue, ReleaseRP, ReleaseRQ

MAXIMUM = 4096


def value(context_id: int, flags: int, data: bytes) -> bytes:
    return struct.pack(">IBB", len(data) + 2, context_id, flags) + data


def p_data(*values: bytes) -> bytes:
    body = b"".join(values)
    return struct.pack(">BxI", 4, len(body)) + body


REQUEST = AssociateRQ(
    called_ae_title="SDCC",
    calling_ae_title="CT01",
    application_context_name="1.2.840.10008.3.1.1.1",
    presentation_contexts=(),
)
STREAM = (
    REQUEST.encode()
    + p_data(value(1, 0b01, b"comm"), value(1, 0b11, b"and"))
    + p_data(value(1, 0b00, b""), value(1, 0b00, b"odd"))
    + p_data(value(1, 0b10, b""))
    + ReleaseRQ().encode()
    + p_data(value(3, 0b10, b"late"))
    + Abort(2, 1).encode()
)
#: (context, is command, is last, bytes) of each value, and the control PDUs, in order.
MEANING = [
    REQUEST.called_ae,
    (1, True, False, b"comm"),
    (1, True, True, b"and"),
    (1, False, False, b"odd"),
    (1, False, True, b""),
    ReleaseRQ(),
    (3, False, True, b"late"),
    Abort(2, 1),
]


def meaning(received: list[Received]) -> list[object]:
    """What a stream says, whatever pieces it came in: pieces of one fragment are joined."""
    said: list[object] = []
    pending = b""
    for item in received:
        if isinstance(item, list):
            for fragment in item:
                pending += fragment.data
                if fragment.is_last or pending in (b"comm", b"odd"):
                    said.append((fragment.context_id, fragment.is_command, fragment.is_last, pending))
                    pending = b""
        else:
            said.append(item.called_ae if isinstance(item, AssociateRQ) else item)
    return said


def test_a_stream_in_one_piece() -> None:
    assert meaning(Framer(MAXIMUM).feed(STREAM)) == MEANING


def test_a_stream_byte_by_byte() -> None:
    framer = Framer(MAXIMUM)
    received = [item for i in range(len(STREAM)) for item in framer.feed(STREAM[i : i + 1])]
    assert meaning(received) == MEANING


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_a_stream_split_anywhere(cuts: list[int]) -> None:
    framer = Framer(MAXIMUM)
    places = [0, *sorted(cuts), len(STREAM)]
    received = [item for a, b in pairwise(places) for item in framer.feed(STREAM[a:b])]
    assert meaning(received) == MEANING


def test_p_data_is_handed_on_before_its_pdu_is_whole_and_without_a_copy() -> None:
    framer = Framer(MAXIMUM)
    chunk = p_data(value(1, 0b10, bytes(1000)))[:500]
    [[fragment]] = framer.feed(chunk)
    assert isinstance(fragment, Fragment)
    assert fragment.data.obj is chunk
    assert (len(fragment.data), fragment.is_last) == (488, False)
    [[rest]] = framer.feed(bytes(512))
    assert (len(rest.data), rest.is_last) == (512, True)


def test_empty_values_that_end_nothing_are_left_out() -> None:
    """They could be sent by the million, and mean nothing."""
    stream = p_data(value(1, 0b00, b"")) * 1000 + p_data(value(1, 0b10, b""))
    assert Framer(MAXIMUM).feed(stream) == [[Fragment(1, False, True, memoryview(b""))]]


def test_a_run_of_p_data_comes_as_one_list() -> None:
    assert [len(item) for item in Framer(MAXIMUM).feed(p_data(value(1, 0, b"a")) * 5)] == [5]


@pytest.mark.parametrize("control", [0b00, 0b01, 0b10, 0b11])
def test_a_run_of_p_data_says_of_each_value_what_it_is(control: int) -> None:
    [run] = Framer(MAXIMUM).feed(p_data(value(1, 0b11, b"a")) + p_data(value(5, control, b"b")))
    is_command, is_last = bool(control & 0b01), bool(control & 0b10)
    assert run[1:] == [Fragment(5, is_command, is_last, memoryview(b"b"))]


@pytest.mark.parametrize("cut", range(1, 12))
def test_between_pdus_is_known(cut: int) -> None:
    framer = Framer(MAXIMUM)
    pdu = p_data(value(1, 0, b"xyz"))
    assert framer.is_between_pdus
    framer.feed(pdu[:cut])
    assert not framer.is_between_pdus
    framer.feed(pdu[cut:])
    assert framer.is_between_pdus


def header(pdu_type: int, length: int) -> bytes:
    return struct.pack(">BxI", pdu_type, length)


INVALID = AbortReason.INVALID_PDU_PARAMETER_VALUE
TLS_HINT = "is none of 01H to 07H, but what TLS begins with"
WRONG = [
    ("unknown type", header(0x08, 4), AbortReason.UNRECOGNIZED_PDU, "08H"),
    ("type 0", header(0x00, 4), AbortReason.UNRECOGNIZED_PDU, "00H"),
    ("HTTP", b"GET / HTTP/1.1\r\n", AbortReason.UNRECOGNIZED_PDU, "47H"),
    ("TLS", bytes.fromhex("16030100f4010000f0"), AbortReason.UNRECOGNIZED_PDU, f"16H {TLS_HINT}"),
    ("a TLS alert", bytes.fromhex("15030100020246"), AbortReason.UNRECOGNIZED_PDU, f"15H {TLS_HINT}"),
    ("request too long", header(1, MAXIMUM_ASSOCIATE_LENGTH + 1), INVALID, "length"),
    ("request too short", header(1, 67), INVALID, "length 67"),
    ("release of 3", header(5, 3), INVALID, "length 3"),
    ("abort near 2^32", header(7, 0xFFFFFFFF), INVALID, "4294967295"),
    ("P-DATA too long", header(4, MAXIMUM + P_DATA_TOLERANCE + 1), INVALID, "length"),
    ("P-DATA empty", header(4, 0), INVALID, "length 0"),
    ("P-DATA of 5", header(4, 5), INVALID, "length 5"),
    ("PDV of 0", header(4, 10) + struct.pack(">IBB", 0, 1, 0), INVALID, "length 0"),
    ("PDV of 1", header(4, 10) + struct.pack(">IBB", 1, 1, 0), INVALID, "length 1"),
    ("PDV past its PDU", header(4, 10) + struct.pack(">IBB", 7, 1, 0), INVALID, "7"),
    ("PDV near 2^32", header(4, 10) + struct.pack(">IBB", 0xFFFFFFFE, 1, 0), INVALID, ""),
    ("no room for a next PDV", header(4, 10) + struct.pack(">IBB", 5, 1, 0), INVALID, "5"),
]  # fmt: skip


@pytest.mark.parametrize(("stream", "reason", "words"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
@pytest.mark.parametrize("step", [1, 1000])
def test_a_wrong_stream_ends_in_the_fault_and_nothing_after(
    stream: bytes, reason: AbortReason, words: str, step: int
) -> None:
    """The fault is known at the header, comes once, after everything before it; the rest is ignored."""
    framer = Framer(MAXIMUM)
    before = framer.feed(ReleaseRP().encode())
    received = [item for i in range(0, len(stream), step) for item in framer.feed(stream[i : i + step])]
    assert before == [ReleaseRP()]
    [error] = received
    assert isinstance(error, PeerError)
    assert error.reason == reason
    assert words in str(error)
    assert framer.feed(ReleaseRQ().encode()) == []


def test_what_precedes_a_fault_in_the_same_chunk_is_kept() -> None:
    [fragments, error] = Framer(MAXIMUM).feed(p_data(value(1, 0, b"kept")) + header(9, 4))
    assert [bytes(f.data) for f in fragments] == [b"kept"]
    assert isinstance(error, PeerError)


TOO_LONG = bytes(MAXIMUM + P_DATA_TOLERANCE - 5)


@pytest.mark.parametrize(
    "wrong",
    [p_data(value(1, 0, TOO_LONG)), b"\x08" + p_data(value(1, 0, b"like P-DATA"))[1:]],
    ids=["too long", "of another type"],
)
def test_a_wrong_pdu_that_is_all_there_is_as_wrong_as_its_header(wrong: bytes) -> None:
    [fragments, error] = Framer(MAXIMUM).feed(p_data(value(1, 0, b"kept")) + wrong)
    assert [bytes(f.data) for f in fragments] == [b"kept"]
    assert isinstance(error, PeerError)


def test_a_p_data_a_little_longer_than_announced_is_taken() -> None:
    data = bytes(MAXIMUM + P_DATA_TOLERANCE - 6)
    [[fragment]] = Framer(MAXIMUM).feed(p_data(value(1, 0b10, data)))
    assert fragment.is_last


def test_zero_announces_no_limit() -> None:
    [[fragment]] = Framer(0).feed(header(4, 0x7FFFFFFF) + struct.pack(">IBB", 0x7FFFFFFF - 4, 1, 2) + b"x")
    assert not fragment.is_last


@given(st.binary(max_size=300))
def test_any_bytes_at_all(data: bytes) -> None:
    """Whatever comes, what comes out are PDUs, fragments and at most one fault, at the end."""
    received = Framer(MAXIMUM).feed(data)
    assert not any(isinstance(item, PeerError) for item in received[:-1])


def test_what_the_codec_encodes_is_cut_again() -> None:
    pdu = PDataTF((PresentationDataValue(context_id=5, is_command=False, is_last=True, data=b"data"),))
    assert Framer(MAXIMUM).feed(pdu.encode()) == [[Fragment(5, False, True, memoryview(b"data"))]]
