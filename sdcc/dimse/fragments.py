"""Messages in fragments (PS3.7 6.3.1, PS3.8 Annex E): put together from Presentation Data Values,
and cut into them.

A Command Set is gathered, because it must be understood; a Data Set is handed on piece by piece
and never held.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from sdcc.dimse import command
from sdcc.dimse.command import CommandError
from sdcc.dimse.messages import Message, parse
from sdcc.upper_layer.pdu import PDataTF, Pieces

#: The longest Command Set that is gathered, in bytes.
MAXIMUM_COMMAND_LENGTH = 64 * 1024
#: The longest P-DATA-TF that is sent to a peer that sets no limit.
OWN_MAXIMUM_LENGTH = 1024 * 1024
#: Of the maximum length of PS3.8 D.1, the bytes that a Presentation Data Value's own header takes.
_VALUE_HEADER_LENGTH = 6


class FragmentError(CommandError):
    """The peer sent a fragment that does not belong there (PS3.8 Annex E): A-ABORT, source service-user."""


@dataclass(frozen=True, slots=True)
class CommandReceived:
    """A Command Set is whole. If the message says so, its Data Set comes next."""

    context_id: int
    message: Message


class DataSetPiece(NamedTuple):
    """The next bytes, perhaps none, of the Data Set of the message last received."""

    data: memoryview
    is_last: bool


Received: TypeAlias = CommandReceived | DataSetPiece


class MessageAssembler:
    """Puts one direction of an association's messages together.

    :param context_ids: of the accepted Presentation Contexts.
    :param maximum_command_length: bytes.
    """

    def __init__(
        self, context_ids: Container[int], *, maximum_command_length: int = MAXIMUM_COMMAND_LENGTH
    ) -> None:
        self._context_ids = context_ids
        self._maximum_command_length = maximum_command_length
        self._command = bytearray()
        #: The context whose Command Set, or whose Data Set, has begun or is due: one of them at most.
        self._command_context: int | None = None
        self._data_set_context: int | None = None

    @property
    def is_between_messages(self) -> bool:
        """Whether no message has begun of which more must come."""
        return self._command_context is None and self._data_set_context is None

    def add(self, context_id: int, is_command: bool, is_last: bool, data: memoryview) -> Received | None:
        """Take a Presentation Data Value or the next part of one; give what became known by it.

        :param is_last: with this data the Command Set or Data Set is whole.
        :raises CommandError: the Command Set is malformed.
        :raises FragmentError: the fragment does not belong here.

        After an error the assembler is of no use any more.
        """
        if not is_command and context_id == self._data_set_context:
            if is_last:
                self._data_set_context = None
            return DataSetPiece(data, is_last)
        self._check(context_id, is_command)
        if len(self._command) + len(data) > self._maximum_command_length:
            raise FragmentError(f"the Command Set is longer than {self._maximum_command_length} bytes")
        self._command += data
        if not is_last:
            self._command_context = context_id
            return None
        message = parse(command.decode(bytes(self._command)))
        self._command.clear()
        self._command_context = None
        if message.has_data_set:
            self._data_set_context = context_id
        return CommandReceived(context_id, message)

    def _check(self, context_id: int, is_command: bool) -> None:
        """Refuse all but a fragment of the Command Set that has begun, or of a new one."""
        kind = "Command Set" if is_command else "Data Set"
        fragment = f"a {kind} fragment for Presentation Context {context_id}"
        if context_id not in self._context_ids:
            raise FragmentError(f"{fragment}, which was not accepted")
        if self._data_set_context is not None:
            raise FragmentError(
                f"{fragment} inside the Data Set of Presentation Context {self._data_set_context}"
            )
        if self._command_context is not None and (not is_command or context_id != self._command_context):
            raise FragmentError(
                f"{fragment} inside the Command Set of Presentation Context {self._command_context}"
            )
        if not is_command:
            raise FragmentError(f"{fragment}, where a Command Set must come")


def fragments(
    context_id: int,
    command_set: bytes,
    data_set: Iterable[bytes] | None = None,
    *,
    maximum_length: int,
) -> Iterator[bytes]:
    """A message as P-DATA-TF PDUs, with one fragment each.

    :param data_set: in chunks of any length; None: the message has none.
    :param maximum_length: what the peer announced (PS3.8 D.1); 0: no limit.
    :raises ValueError: no fragment fits such a length.
    """
    room = fragment_room(maximum_length)
    if len(command_set) <= room:  # as nearly every one is
        header = PDataTF.header(context_id=context_id, is_command=True, is_last=True, length=len(command_set))
        yield header + command_set
    else:
        yield from _cut(Cutter(context_id, is_command=True, room=room), (command_set,))
    if data_set is not None:
        yield from _cut(Cutter(context_id, is_command=False, room=room), data_set)


def fragment_room(maximum_length: int) -> int:
    """The bytes that a fragment holds, in a P-DATA-TF of its own no longer than the peer announced.

    :raises ValueError: no fragment fits such a length.
    """
    # Even, because there are peers that refuse a fragment of odd length.
    room = min(maximum_length or OWN_MAXIMUM_LENGTH, OWN_MAXIMUM_LENGTH) - _VALUE_HEADER_LENGTH & ~1
    if room <= 0:
        raise ValueError(f"maximum length {maximum_length}: {_VALUE_HEADER_LENGTH + 2} or more is needed")
    return room


class Cutter:
    """Cuts one Command Set or Data Set, as its bytes come, into P-DATA-TF PDUs of one fragment each.

    :param room: of :func:`fragment_room`.
    """

    def __init__(self, context_id: int, *, is_command: bool, room: int) -> None:
        self._context_id = context_id
        self._is_command = is_command
        self._room = room
        #: What may yet be the last fragment, and is no longer than one.
        self._rest = bytearray()

    def add(self, chunk: bytes) -> Iterator[bytes]:
        """The PDUs that are known to be full and not the last."""
        return map(b"".join, self.portions(chunk, 0))

    def portions(
        self, chunk: bytes | bytearray, length: int, *, before: bytes = b"", is_last: bool = False
    ) -> Iterator[Pieces]:
        """Like :meth:`add`, but several PDUs at once: as many as `length` bytes hold, and one at least.

        What is given is to be sent before the next is asked for: its pieces are slices of the chunk.

        :param before: goes with the first of them, or alone.
        :param is_last: whether the chunk is the last: then the last PDU is among them.
        """
        rest, room = self._rest, self._room
        view = memoryview(chunk)
        pieces: Pieces = [before] if before else []
        # Where a fragment begins after which more comes; the first may have begun before the chunk.
        starts = range(-len(rest), len(chunk) - room, room)
        if starts:
            header = self._header(room)
            count = max(1, length // (len(header) + room))
            pieces += (header, bytes(rest), view[: starts[0] + room])
            rest.clear()
            for number, start in enumerate(starts[1:], 1):
                if number % count == 0:
                    yield pieces
                    pieces = []
                pieces += (header, view[start : start + room])
            view = view[starts[-1] + room :]
        if is_last:
            pieces += (self._header(len(rest) + len(view), is_last=True), rest, view)
        else:
            rest += view  # of what may be the last of it, no more than one fragment
        if pieces:
            yield pieces

    def end(self) -> bytes:
        """The last PDU."""
        return b"".join((self._header(len(self._rest), is_last=True), self._rest))

    def _header(self, length: int, *, is_last: bool = False) -> bytes:
        return PDataTF.header(
            context_id=self._context_id, is_command=self._is_command, is_last=is_last, length=length
        )


def _cut(cutter: Cutter, chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        yield from cutter.add(chunk)
    yield cutter.end()
