"""Messages put together from fragments however they are cut, and cut so that any peer takes them."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdcc.dimse.command import CommandError
from sdcc.dimse.fragments import (
    MAXIMUM_COMMAND_LENGTH,
    OWN_MAXIMUM_LENGTH,
    CommandReceived,
    Cutter,
    DataSetPiece,
    FragmentError,
    MessageAssembler,
    fragment_room,
    fragments,
)
from sdcc.dimse.messages import CancelRequest, EchoRequest, Response, StoreRequest

STORE = StoreRequest(message_id=1, affected_sop_class_uid="1.2.3", affected_sop_instance_uid="1.2.3.4")
ECHO = EchoRequest(message_id=2, affected_sop_class_uid="1.2.840.10008.1.1")
DATA_SET = bytes.fromhex("08001600 06000000") + b"1.2.3\0"


def cut(data, positions):
    """The data in pieces, cut at the positions; the same position twice gives an empty piece."""
    return [data[begin:end] for begin, end in pairwise([0, *sorted(positions), len(data)])]


def feed(assembler, context_id, is_command, pieces):
    """What the assembler makes of the pieces of one Command Set or Data Set."""
    last = len(pieces) - 1
    return [
        assembler.add(context_id, is_command, number == last, memoryview(piece))
        for number, piece in enumerate(pieces)
    ]


def assert_store_received(assembler, command_pieces, data_pieces, *, context_id=1):
    *partial, command = feed(assembler, context_id, True, command_pieces)
    assert partial == [None] * (len(command_pieces) - 1)
    assert command == CommandReceived(context_id, STORE)
    received = feed(assembler, context_id, False, data_pieces)
    assert [bytes(piece.data) for piece in received] == data_pieces
    assert [piece.is_last for piece in received] == [False] * (len(data_pieces) - 1) + [True]
    assert assembler.is_between_messages


@pytest.mark.parametrize("position", range(len(STORE.encode()) + 1))
def test_a_command_set_in_two_fragments_cut_anywhere(position):
    assert_store_received(MessageAssembler({1}), cut(STORE.encode(), [position]), [DATA_SET])


@pytest.mark.parametrize("position", range(len(DATA_SET) + 1))
def test_a_data_set_in_two_fragments_cut_anywhere(position):
    """Odd and empty ones too."""
    assert_store_received(MessageAssembler({1}), [STORE.encode()], cut(DATA_SET, [position]))


def test_byte_by_byte():
    encoded = STORE.encode()
    assert_store_received(
        MessageAssembler({1}), cut(encoded, range(1, len(encoded))), cut(DATA_SET, range(1, len(DATA_SET)))
    )


@given(st.data())
def test_messages_in_any_fragments_one_after_the_other(data):
    """Nothing of a message, its fragments or its context is left over for the next."""
    assembler = MessageAssembler({1, 3, 255})
    for _ in range(data.draw(st.integers(1, 4))):
        encoded, context_id = STORE.encode(), data.draw(st.sampled_from([1, 3, 255]))
        positions = st.lists(st.integers(0, len(encoded)), max_size=8)
        data_positions = st.lists(st.integers(0, len(DATA_SET)), max_size=8)
        assert_store_received(
            assembler,
            cut(encoded, data.draw(positions)),
            cut(DATA_SET, data.draw(data_positions)),
            context_id=context_id,
        )
        assert feed(assembler, 3, True, [ECHO.encode()]) == [CommandReceived(3, ECHO)]


def test_data_set_pieces_are_the_memory_that_was_given():
    assembler = MessageAssembler({1})
    assembler.add(1, True, True, memoryview(STORE.encode()))
    data = memoryview(DATA_SET)
    piece = assembler.add(1, False, False, data)
    assert isinstance(piece, DataSetPiece)
    assert piece.data is data


def test_a_command_fragment_may_be_overwritten_once_it_was_taken():
    """The shell's buffer is its own again."""
    assembler = MessageAssembler({1})
    buffer = bytearray(ECHO.encode())
    half = len(buffer) // 2
    assembler.add(1, True, False, memoryview(buffer)[:half])
    buffer[:half] = bytes(half)
    assert assembler.add(1, True, True, memoryview(buffer)[half:]) == CommandReceived(1, ECHO)


def test_a_command_set_need_not_have_a_data_set():
    """A Data Set is expected where the Command Set says so, whatever the command."""
    assembler = MessageAssembler({1})
    for message in (
        ECHO,
        CancelRequest(message_id_being_responded_to=1),
        Response(command_field=0x8030, message_id_being_responded_to=1, status=0),
        StoreRequest(
            message_id=1, affected_sop_class_uid="1", affected_sop_instance_uid="1", has_data_set=False
        ),
    ):
        assert feed(assembler, 1, True, [message.encode()]) == [CommandReceived(1, message)]
        assert assembler.is_between_messages
    feed(
        assembler,
        1,
        True,
        [EchoRequest(message_id=1, affected_sop_class_uid="1", has_data_set=True).encode()],
    )
    assert not assembler.is_between_messages
    assert feed(assembler, 1, False, [b""]) == [(b"", True)]
    assert assembler.is_between_messages


def test_when_a_message_is_under_way():
    assembler = MessageAssembler({1})
    assert assembler.is_between_messages
    for is_command, is_last, data, is_between in (
        (True, False, STORE.encode()[:1], False),
        (True, True, STORE.encode()[1:], False),
        (False, False, DATA_SET, False),
        (False, True, b"", True),
    ):
        assembler.add(1, is_command, is_last, memoryview(data))
        assert assembler.is_between_messages is is_between


COMMAND, DATA = True, False
WHOLE, PART = True, False
HALF = STORE.encode()[:20]
#: Name, the fragments before, the fragment that is wrong, what is said of it.
OUT_OF_PLACE = [
    ("a Data Set first", [], (1, DATA, WHOLE, DATA_SET), "where a Command Set must come"),
    (
        "a Data Set after a command without",
        [(1, COMMAND, WHOLE, ECHO.encode())],
        (1, DATA, WHOLE, DATA_SET),
        "where a Command Set must come",
    ),
    (
        "a Data Set fragment after the last",
        [(1, COMMAND, WHOLE, STORE.encode()), (1, DATA, WHOLE, DATA_SET)],
        (1, DATA, WHOLE, b""),
        "where a Command Set must come",
    ),
    (
        "a command where a Data Set is due",
        [(1, COMMAND, WHOLE, STORE.encode())],
        (1, COMMAND, WHOLE, ECHO.encode()),
        "a Command Set fragment for Presentation Context 1 inside the Data Set of Presentation Context 1",
    ),
    (
        "a command inside a Data Set",
        [(1, COMMAND, WHOLE, STORE.encode()), (1, DATA, PART, DATA_SET)],
        (1, COMMAND, PART, b""),
        "inside the Data Set",
    ),
    (
        "a Data Set inside a command",
        [(1, COMMAND, PART, HALF)],
        (1, DATA, WHOLE, DATA_SET),
        "a Data Set fragment for Presentation Context 1 inside the Command Set",
    ),
    (
        "another context inside a command",
        [(1, COMMAND, PART, HALF)],
        (3, COMMAND, WHOLE, ECHO.encode()),
        "Presentation Context 3 inside the Command Set of Presentation Context 1",
    ),
    (
        "another context after an empty command fragment",
        [(1, COMMAND, PART, b"")],
        (3, COMMAND, WHOLE, ECHO.encode()),
        "Presentation Context 3 inside the Command Set of Presentation Context 1",
    ),
    (
        "a command for another context inside a Data Set",
        [(1, COMMAND, WHOLE, STORE.encode()), (1, DATA, PART, DATA_SET)],
        (3, COMMAND, WHOLE, ECHO.encode()),
        "Presentation Context 3 inside the Data Set of Presentation Context 1",
    ),
    (
        "a Data Set for another context",
        [(1, COMMAND, WHOLE, STORE.encode())],
        (3, DATA, WHOLE, DATA_SET),
        "Presentation Context 3 inside the Data Set of Presentation Context 1",
    ),
    ("a context not accepted", [], (5, COMMAND, WHOLE, ECHO.encode()), "context 5, which was not accepted"),
    ("an even context", [], (2, COMMAND, WHOLE, ECHO.encode()), "context 2, which was not accepted"),
    (
        "a context not accepted inside a Data Set",
        [(1, COMMAND, WHOLE, STORE.encode())],
        (5, DATA, WHOLE, DATA_SET),
        "context 5, which was not accepted",
    ),
]


@pytest.mark.parametrize(
    ("name", "before", "wrong", "message"), OUT_OF_PLACE, ids=[name for name, *_ in OUT_OF_PLACE]
)
def test_a_fragment_out_of_place_is_refused(name, before, wrong, message):
    assembler = MessageAssembler({1, 3})
    for *header, data in before:
        assembler.add(*header, memoryview(data))
    *header, data = wrong
    with pytest.raises(FragmentError, match=f"(?i){message}"):
        assembler.add(*header, memoryview(data))


def test_a_malformed_command_set_is_refused():
    with pytest.raises(CommandError, match="Command Field is absent"):
        MessageAssembler({1}).add(1, True, True, memoryview(b""))


def test_no_more_of_a_command_set_is_gathered_than_its_limit():
    """The fragment that goes past it is refused, whether or not it is the last."""
    encoded = ECHO.encode()
    exact = MessageAssembler({1}, maximum_command_length=len(encoded))
    assert feed(exact, 1, True, [encoded[:9], encoded[9:]]) == [None, CommandReceived(1, ECHO)]
    assert feed(exact, 1, True, [encoded]) == [CommandReceived(1, ECHO)], "the limit is one of each message"
    for is_last in (False, True):
        less = MessageAssembler({1}, maximum_command_length=len(encoded) - 1)
        less.add(1, True, False, memoryview(encoded[:9]))
        with pytest.raises(FragmentError, match=f"longer than {len(encoded) - 1} bytes"):
            less.add(1, True, is_last, memoryview(encoded[9:]))


def test_the_limit_is_64_kib():
    assert MAXIMUM_COMMAND_LENGTH == 65536
    assembler = MessageAssembler({1})
    assembler.add(1, True, False, memoryview(bytes(65536)))
    with pytest.raises(FragmentError):
        assembler.add(1, True, False, memoryview(b"\0"))


# --- the other way -------------------------------------------------------------------------


def values_of(pdus):
    """Context ID, message control header and data of P-DATA-TF PDUs with one value each (PS3.8 9.3.5)."""
    values = []
    for pdu in pdus:
        kind, length, item_length, context_id, control = struct.unpack_from(">BxIIBB", pdu)
        assert kind == 4
        assert length == len(pdu) - 6
        assert item_length == len(pdu) - 10
        values.append((context_id, control, pdu[12:]))
    return values


def test_a_message_as_bytes():
    """A command in two fragments, a Data Set in three, none longer than 16 bytes with its header."""
    pdus = list(fragments(3, b"0123456789abcd", [b"AB", b"CDEFGHIJKLMNOPQRSTU", b"VW"], maximum_length=16))
    assert pdus == [
        b"\x04\0\0\0\0\x10\0\0\0\x0c\x03\x010123456789",
        b"\x04\0\0\0\0\x0a\0\0\0\x06\x03\x03abcd",
        b"\x04\0\0\0\0\x10\0\0\0\x0c\x03\x00ABCDEFGHIJ",
        b"\x04\0\0\0\0\x10\0\0\0\x0c\x03\x00KLMNOPQRST",
        b"\x04\0\0\0\0\x09\0\0\0\x05\x03\x02UVW",
    ]


@pytest.mark.parametrize(
    ("data_set", "controls"),
    [
        (None, [3]),
        ([], [3, 2]),
        ([b""], [3, 2]),
        ([b"12345678"], [3, 2]),  # as much as fits: no empty fragment after it
        ([b"1234", b"5678"], [3, 2]),
        ([b"12345678", b"9"], [3, 0, 2]),
        ([b"", b"12345678", b"", b"9", b""], [3, 0, 2]),
    ],
)
def test_the_last_fragment_alone_says_so(data_set, controls):
    values = values_of(fragments(1, b"12345678", data_set, maximum_length=14))
    assert [control for _, control, _ in values] == controls


@given(st.binary(max_size=100), st.lists(st.binary(max_size=40)), st.integers(8, 60))
def test_any_message_fits_any_maximum_length(command, chunks, maximum_length):
    """No PDU is longer than the peer takes, no fragment but the last is odd, and nothing is lost."""
    pdus = list(fragments(1, command, chunks, maximum_length=maximum_length))
    assert all(len(pdu) - 6 <= maximum_length for pdu in pdus)
    values = values_of(pdus)
    for bit, whole in ((1, command), (0, b"".join(chunks))):
        own = [(control, data) for _, control, data in values if control & 1 == bit]
        assert b"".join(data for _, data in own) == whole
        assert [control >> 1 for control, _ in own] == [0] * (len(own) - 1) + [1]
        assert all(len(data) % 2 == 0 and data for _, data in own[:-1])


@given(st.lists(st.binary(max_size=40)), st.integers(8, 60))
def test_what_is_cut_piece_by_piece_goes_out_as_soon_as_it_is_known_not_to_be_the_last(
    chunks, maximum_length
):
    room = fragment_room(maximum_length)
    cutter = Cutter(5, is_command=False, room=room)
    given_, sent = b"", b""
    for chunk in chunks:
        given_ += chunk
        for pdu in cutter.add(chunk):
            [(context_id, control, data)] = values_of([pdu])
            assert (context_id, control, len(data)) == (5, 0, room)
            sent += data
        assert given_.startswith(sent)
        assert len(given_) - len(sent) <= room
    [(_, control, data)] = values_of([cutter.end()])
    assert (control, sent + data) == (2, given_)


def test_a_chunk_that_is_all_of_a_data_set_goes_out_in_slices():
    """Only the headers are bytes of their own."""
    chunk = bytes(1000)
    for room in (300, 1000, 2000):
        [pieces] = Cutter(5, is_command=False, room=room).portions(chunk, 10_000, is_last=True)
        slices = [piece for piece in pieces if isinstance(piece, memoryview)]
        assert all(piece.obj is chunk for piece in slices)
        assert sum(map(len, slices)) == 1000


@given(
    st.lists(st.binary(max_size=40)),
    st.integers(8, 60),
    st.integers(0, 200),
    st.binary(max_size=10),
    st.booleans(),
)
def test_portions_are_the_same_pdus_several_at_once(chunks, maximum_length, length, before, is_told):
    """Whether the last chunk is known to be the last or not; whole ones, as many as were asked for."""
    room = fragment_room(maximum_length)
    cutter = Cutter(5, is_command=False, room=room)
    portions = []
    for number, chunk in enumerate(chunks, 1):
        is_last = is_told and number == len(chunks)
        first = b"" if portions else before
        portions += map(b"".join, cutter.portions(chunk, length, before=first, is_last=is_last))
    if not (is_told and chunks):
        portions.append((b"" if portions else before) + cutter.end())
    assert (
        b"".join(portions) == before + b"".join(fragments(5, b"", chunks, maximum_length=maximum_length))[12:]
    )
    pdu = 12 + room
    longest = max(length // pdu, 1) * pdu
    assert all(len(portion) <= longest + len(before) for portion in portions[:-1])
    assert len(portions[-1]) <= longest + len(before) + pdu, "the last PDU is with those before it"


@pytest.mark.parametrize("maximum_length", [0, OWN_MAXIMUM_LENGTH + 2, 0xFFFFFFFF])
def test_without_a_lower_limit_of_the_peer_our_own_holds(maximum_length):
    """What is held until a fragment is full is bounded, whatever a peer announces."""
    chunks = [bytes(3 * OWN_MAXIMUM_LENGTH)]
    pdus = list(fragments(1, b"command!", chunks, maximum_length=maximum_length))
    assert max(len(pdu) - 6 for pdu in pdus) == OWN_MAXIMUM_LENGTH


def test_a_data_set_is_taken_as_it_is_sent():
    """What may be gigabytes is never whole in memory."""
    taken = []

    def chunks():
        for number in range(100):
            taken.append(number)
            yield bytes(100)

    pdus = fragments(1, b"command!", chunks(), maximum_length=106)
    next(pdus)
    assert taken == []
    next(pdus)
    assert len(taken) == 2


@pytest.mark.parametrize("maximum_length", [1, 6, 7])
def test_a_maximum_length_that_holds_nothing_is_refused(maximum_length):
    with pytest.raises(ValueError, match="8 or more is needed"):
        next(fragments(1, b"command!", maximum_length=maximum_length))


def test_what_is_cut_is_put_together():
    assembler = MessageAssembler({1})
    received = [
        assembler.add(context_id, bool(control & 1), bool(control & 2), memoryview(data))
        for context_id, control, data in values_of(
            fragments(1, STORE.encode(), [DATA_SET], maximum_length=20)
        )
    ]
    commands = [one for one in received if isinstance(one, CommandReceived)]
    pieces = [one for one in received if isinstance(one, DataSetPiece)]
    assert commands == [CommandReceived(1, STORE)]
    assert b"".join(piece.data for piece in pieces) == DATA_SET
