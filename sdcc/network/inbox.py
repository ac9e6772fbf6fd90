"""What a peer has sent and nobody has looked at, and the requests among it that must wait.

It puts messages together and keeps their order. When something may be looked at, and what comes of it,
is for whoever has it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container

from sdcc.dimse.fragments import DataSetPiece, MessageAssembler, Received
from sdcc.dimse.messages import CancelRequest, Response
from sdcc.upper_layer.framing import Fragment

#: What a fragment costs beyond its data, in bytes.
FRAGMENT_COST = 256


class Inbox:
    """One direction of an association.

    :param context_ids: of the accepted Presentation Contexts.
    """

    def __init__(self, context_ids: Container[int]) -> None:
        self._assembler = MessageAssembler(context_ids)
        #: What was not looked at yet.
        self.fragments: deque[Fragment] = deque()
        #: What was looked at and had to wait: requests, with what is there of their Data Sets. It came before
        #: all the fragments. With what it costs.
        self.put_off: deque[tuple[Received, int]] = deque()
        #: Bytes of the Command Set last looked at, as far as it has come.
        self._command_length = 0
        #: The Data Set that is coming belongs to a response, and is let go by.
        self._is_passing_by = False
        #: Bytes that wait.
        self.size = 0

    @property
    def is_inside_message(self) -> bool:
        """Whether a message has been looked at of which more must come."""
        return not self._assembler.is_between_messages

    @property
    def is_inside_request(self) -> bool:
        """Whether such a message, if it is a request, was not put off."""
        return self.is_inside_message and not self.put_off

    @property
    def is_empty(self) -> bool:
        return not (self.fragments or self.put_off)

    def add(self, received: list[Fragment]) -> None:
        self.fragments.extend(received)
        self.size += sum(len(fragment.data) + FRAGMENT_COST for fragment in received)

    def clear(self) -> None:
        self.fragments.clear()
        self.put_off.clear()
        self.size = 0

    def take_put_off(self) -> Received:
        received, cost = self.put_off.popleft()
        self.size -= cost
        return received

    def take(self, may_begin: bool) -> Received | None:
        """Look at a fragment; give what became known by it and need not wait.

        :param may_begin: whether a request need not.
        :raises CommandError: the peer broke PS3.7.
        """
        fragment = self.fragments.popleft()
        length = len(fragment.data)
        self.size -= length + FRAGMENT_COST
        if fragment.is_command:
            self._command_length += length
        received = self._assembler.add(*fragment)
        if isinstance(received, DataSetPiece):
            if self._is_passing_by:
                return None
            if self.put_off:
                self._put_off(DataSetPiece(memoryview(bytes(received.data)), received.is_last), length)
                return None
        elif received is not None:
            length, self._command_length = self._command_length, 0
            message = received.message
            self._is_passing_by = isinstance(message, Response)
            is_request = not isinstance(message, Response | CancelRequest)
            if is_request and (not may_begin or self.put_off):
                self._put_off(received, length)
                return None
        return received

    def _put_off(self, received: Received, length: int) -> None:
        """:param received: whose data is a copy: of a read that it is a view of, all would stay in memory."""
        cost = length + FRAGMENT_COST
        self.put_off.append((received, cost))
        self.size += cost
