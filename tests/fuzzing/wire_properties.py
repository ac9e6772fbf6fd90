"""What holds of any bytes that a peer sends, in the layers that are functions of bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from sdcc.dimse import command
from sdcc.dimse.command import CommandError, Tag
from sdcc.dimse.fragments import CommandReceived, DataSetPiece, MessageAssembler
from sdcc.dimse.messages import CancelRequest, parse
from sdcc.upper_layer.association import EVENTS, Association
from sdcc.upper_layer.errors import PeerError
from sdcc.upper_layer.framing import MAXIMUM_ASSOCIATE_LENGTH, Framer, Received
from sdcc.upper_layer.machine import (
    AssociateIndication,
    DataIndication,
    Output,
    ProviderAbortIndication,
    ReleaseIndication,
    Role,
    State,
)
from sdcc.upper_layer.pdu import PDU, PDU_HEADER, Abort, PDataTF, decode

from ..upper_layer.back_to_back import ANSWER, REQUEST
from ..upper_layer.table_9_10 import CELLS

MAXIMUM_LENGTH = 16384
#: Less than the product has, so that streams of a few kilobytes reach it.
MAXIMUM_COMMAND_LENGTH = 1024
#: So few bytes hold the end of one PDU or value at most, and complete no second one.
FEWEST = 6
ABORTS = ("AA-1", "AA-7", "AA-8")

Pieces: TypeAlias = Sequence[bytes]


def small_pieces(data: bytes, size: int = FEWEST) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def fits_a_line(error: Exception) -> None:
    """What a fault says of a stranger's bytes goes into the log."""
    assert str(error).isprintable()
    assert len(str(error)) < 500


# --- PDUs ----------------------------------------------------------------------------------


def a_stream_is_cut_the_same_however_it_comes(data: bytes, pieces: Pieces) -> None:
    """And never is more of it held than one A-ASSOCIATE PDU, nor is anything taken after a fault."""
    whole = _cut([data])
    assert _cut(pieces) == whole
    assert _cut(small_pieces(data, 1 + len(data) // 1000)) == whole


def a_stream_is_cut_into_what_its_pdus_held_whole_say(data: bytes) -> None:
    """As far as it consists of whole PDUs, and with a fault where the codec finds the first."""
    begin = 0
    said: list[object] = []
    while len(data) - begin >= PDU_HEADER.size:
        pdu_type, length = PDU_HEADER.unpack_from(data, begin)
        end = begin + PDU_HEADER.size + length
        if end > len(data):
            break
        try:
            decoded = decode(pdu_type, data[end - length : end])
        except PeerError:
            assert isinstance(Framer(0).feed(data[:end])[-1], PeerError)
            return
        if isinstance(decoded, PDataTF):
            for value in decoded.values:
                _put_together(said, (value.context_id, value.is_command), value.data, value.is_last)
        else:
            said.append((decoded, str(decoded)))
        begin = end
    assert _meaning(Framer(0).feed(data[:begin])) == said


def _cut(pieces: Iterable[bytes]) -> list[object]:
    framer = Framer(MAXIMUM_LENGTH)
    received: list[Received] = []
    for piece in pieces:
        received += framer.feed(piece)
        # what is held, and what would be waited for
        assert max(len(framer._partial), framer._control_length) <= MAXIMUM_ASSOCIATE_LENGTH
    faults = [item for item in received if isinstance(item, PeerError)]
    assert faults in ([], received[-1:])
    if faults:
        assert framer.feed(Abort(0, 0).encode()) == []
    return _meaning(received)


def _meaning(received: Iterable[Received]) -> list[object]:
    """What was received, with the fragments of one Command Set or Data Set put together as far as they
    came one after the other."""
    said: list[object] = []
    for item in received:
        if isinstance(item, list):
            for fragment in item:
                _put_together(
                    said, (fragment.context_id, fragment.is_command), fragment.data, fragment.is_last
                )
        elif isinstance(item, PDU):
            said.append((item, str(item)))
            assert str(item).isprintable()
        else:
            fits_a_line(item)
            said.append((item.reason, str(item)))
    return said


def _put_together(said: list[object], kind: object, data: bytes | memoryview, is_last: bool) -> None:
    if not data and not is_last:
        return  # it says nothing
    match said:
        case [*_, [before, bytes(begun), False]] if before == kind:
            said[-1] = [kind, begun + bytes(data), is_last]
        case _:
            said.append([kind, bytes(data), is_last])


def a_pdu_that_is_understood_is_encoded_and_understood_again(data: bytes) -> None:
    """What of it is kept, at least: reserved bytes and padding are not."""
    for item in Framer(0).feed(data):
        if isinstance(item, PDU):
            once = item.encode()
            [again] = Framer(0).feed(once)
            assert isinstance(again, PDU)
            assert again.encode() == once


# --- associations --------------------------------------------------------------------------


def an_association_aborts_where_the_table_says(data: bytes, role: Role) -> None:
    """With a user that accepts and releases whatever it is asked to; and there alone."""
    association = _begun(role)
    framer = Framer(MAXIMUM_LENGTH)
    for piece in small_pieces(data):
        before = association.state
        outputs = association.receive_data(piece)
        received = framer.feed(piece)
        assert len(received) <= 1
        action = "".join(CELLS[before, EVENTS[type(item)]] for item in received)
        assert _aborts(outputs) == (action in ABORTS), (before, received, outputs)
        if action in ABORTS:
            assert association.state is State.STA13
        _serve(association, outputs)
    association.artim_expired()
    association.transport_closed()


def _begun(role: Role) -> Association:
    association = Association(role, maximum_length=MAXIMUM_LENGTH)
    if role is Role.REQUESTOR:
        association.associate(REQUEST)
    association.transport_opened()
    return association


def _aborts(outputs: Iterable[Output]) -> bool:
    abort = bytes((Abort.pdu_type,))
    return any(isinstance(output, bytes) and output.startswith(abort) for output in outputs)


def _serve(association: Association, outputs: Iterable[Output]) -> None:
    for output in outputs:
        if isinstance(output, AssociateIndication):
            association.accept(ANSWER)
        elif isinstance(output, ReleaseIndication) and association.may_answer_release:
            association.answer_release()


# --- messages ------------------------------------------------------------------------------


def messages_are_the_same_however_they_come(data: bytes, pieces: Pieces) -> None:
    """On an association that has been accepted; the end too, where PS3.7 or PS3.8 is broken."""
    whole = _messages([data])
    assert _messages(pieces) == whole
    assert _messages(small_pieces(data)) == whole


def sound_messages_are_understood(data: bytes) -> None:
    assert [item for item in _messages([data]) if isinstance(item, str | ProviderAbortIndication)] == []


def _messages(pieces: Iterable[bytes]) -> list[object]:
    association = _begun(Role.ACCEPTOR)
    association.receive_data(REQUEST.encode())
    association.accept(ANSWER)
    assembler = MessageAssembler(range(1, 10, 2), maximum_command_length=MAXIMUM_COMMAND_LENGTH)
    said: list[object] = []
    for piece in pieces:
        for output in association.receive_data(piece):
            if not isinstance(output, DataIndication):
                said.append(output)
                continue
            try:
                for fragment in output.fragments:
                    _say(said, assembler.add(*fragment))
                    assert len(assembler._command) <= MAXIMUM_COMMAND_LENGTH
            except CommandError as error:
                return [*said, str(error)]
    return said


def _say(said: list[object], received: CommandReceived | DataSetPiece | None) -> None:
    if isinstance(received, DataSetPiece):
        _put_together(said, "Data Set", received.data, received.is_last)
    elif received is not None:
        said.append(received)


def a_command_set_is_understood_or_refused(data: bytes) -> None:
    """What was understood is encoded so that it is understood the same."""
    try:
        decoded = command.decode(data)
    except CommandError as error:
        fits_a_line(error)
        return
    assert _end_of_the_last_element(data) == len(data)
    encoded = command.encode(decoded)
    again = command.decode(encoded)
    assert {**again, Tag.COMMAND_GROUP_LENGTH: 0} == {**decoded, Tag.COMMAND_GROUP_LENGTH: 0}
    assert command.encode(again) == encoded
    try:
        message = parse(decoded)
    except CommandError as error:
        fits_a_line(error)
        return
    once = message.encode()
    again_message = parse(command.decode(once))
    assert type(again_message) is type(message)
    assert again_message.has_data_set == message.has_data_set
    assert isinstance(message, CancelRequest) or again_message.command_field == message.command_field
    assert again_message.encode() == once


def _end_of_the_last_element(command_set: bytes) -> int:
    """By the lengths of all elements, which must not reach beyond the Command Set."""
    at = 0
    while at < len(command_set):
        at += 8 + int.from_bytes(command_set[at + 4 : at + 8], "little")
    return at
