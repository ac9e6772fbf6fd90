"""A byte stream, cut into PDUs (PS3.8 9.3.1).

The few PDUs that set up and end an association are gathered whole and decoded. P-DATA-TF is
never gathered: each Presentation Data Value is handed on as it comes, as slices of what was
received, nothing joined and nothing copied. A declared length is judged before anything that
it announces is waited for. The framer knows no state of an association: whether a PDU may come
is the machine's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from sdcc.upper_layer import pdu
from sdcc.upper_layer.codes import AbortReason, PDUType
from sdcc.upper_layer.errors import PeerError, invalid_value
from sdcc.upper_layer.pdu import (
    IS_COMMAND,
    IS_LAST,
    P_DATA_HEADER,
    PDU_HEADER,
    PDV_HEADER,
    PDV_OVERHEAD,
)

#: A-ASSOCIATE PDUs may be this long: 128 Presentation Contexts with many Transfer Syntaxes fit.
MAXIMUM_ASSOCIATE_LENGTH = 256 * 1024
#: P-DATA-TF may exceed the announced maximum by this much: some peers leave their own headers out.
P_DATA_TOLERANCE = 1024
#: An alert and a handshake (RFC 8446 5.1): the first that comes of a peer that wants TLS.
TLS_RECORDS = (0x15, 0x16)
#: A value's length counts all of its P-DATA-TF but itself, where that holds no other.
_ITEM_LENGTH_SIZE = PDV_HEADER.size - PDV_OVERHEAD

#: The lengths that the other PDUs may declare.
CONTROL_LENGTHS: Mapping[int, range] = MappingProxyType(
    {
        PDUType.A_ASSOCIATE_RQ: range(68, MAXIMUM_ASSOCIATE_LENGTH + 1),
        PDUType.A_ASSOCIATE_AC: range(68, MAXIMUM_ASSOCIATE_LENGTH + 1),
        PDUType.A_ASSOCIATE_RJ: range(4, 5),
        PDUType.A_RELEASE_RQ: range(4, 5),
        PDUType.A_RELEASE_RP: range(4, 5),
        PDUType.A_ABORT: range(4, 5),
    }
)


class Fragment(NamedTuple):
    """A Presentation Data Value, or a part of one (PS3.8 E.1)."""

    context_id: int
    is_command: bool
    #: The message's Command Set or Data Set ends with this data.
    is_last: bool
    data: memoryview


#: What a stream holds: PDUs, fragments of as many P-DATA-TF as came together, and at the end
#: perhaps the fault after which nothing can be understood any more.
Received: TypeAlias = pdu.PDU | list[Fragment] | PeerError


class Framer:
    """Cuts one direction of one connection.

    :param maximum_length: the P-DATA-TF length announced to the peer; 0: no limit.
    """

    def __init__(self, maximum_length: int) -> None:
        self.limit(maximum_length)
        self._broken = False
        #: The beginning of a header or of a control PDU's body.
        self._partial = bytearray()
        #: The control PDU whose body is awaited, and that body's length.
        self._control_type = 0
        self._control_length = 0
        #: Bytes of the P-DATA-TF still to come.
        self._pdu_left = 0
        #: Inside a Presentation Data Value: bytes of it still to come, and what it is.
        self._in_value = False
        self._value_left = 0
        self._context_id = 0
        self._control_header = 0

    def limit(self, maximum_length: int) -> None:
        """Take P-DATA-TF of such a length from now on."""
        self._p_data_limit = maximum_length + P_DATA_TOLERANCE if maximum_length else 0xFFFFFFFF

    @property
    def is_between_pdus(self) -> bool:
        return not (self._pdu_left or self._control_type or self._partial)

    @property
    def gathered(self) -> int:
        """Bytes that are held, because the PDU that they begin is not whole."""
        return len(self._partial)

    def feed(self, data: bytes) -> list[Received]:
        """Take what came, of any length; give what it completes, in order.

        After a :class:`PeerError` everything more is ignored.
        """
        received: list[Received] = []
        if not self._broken:
            try:
                self._cut(memoryview(data), received)
            except PeerError as error:
                self._broken = True
                self._partial.clear()
                received.append(error)
        return received

    def _cut(self, view: memoryview, received: list[Received]) -> None:
        position, end = 0, len(view)
        fragments: list[Fragment] | None = None
        while position < end or self._in_value:
            if self._in_value:
                taken = min(self._value_left, end - position)
                if not taken and self._value_left:
                    return
                fragment = self._fragment(view[position : position + taken], taken)
                position += taken
                if not taken and not fragment.is_last:
                    continue  # it says nothing, and would cost more than its few bytes
                if fragments is None:
                    fragments = []
                    received.append(fragments)
                fragments.append(fragment)
            elif (
                end - position >= P_DATA_HEADER.size
                and self.is_between_pdus
                and view[position] == PDUType.P_DATA_TF
            ):
                run, position = self._whole_values(view, position)
                if not run:
                    _, length, *value_header = P_DATA_HEADER.unpack_from(view, position)
                    position += P_DATA_HEADER.size
                    self._begin_p_data(length)
                    self._begin_value(*value_header)
                elif fragments is None:
                    fragments = run
                    received.append(run)
                else:
                    fragments += run
            else:
                needed = self._control_length if self._control_type else PDU_HEADER.size
                taken = min(needed - len(self._partial), end - position)
                self._partial += view[position : position + taken]
                position += taken
                if len(self._partial) == needed:
                    whole = bytes(self._partial)
                    self._partial.clear()
                    if (complete := self._step(whole)) is not None:
                        received.append(complete)
                        fragments = None

    def _whole_values(self, view: memoryview, position: int) -> tuple[list[Fragment], int]:
        """Take the P-DATA-TF from `position` on that are all there and hold one value each, as most do.

        Gives their fragments and where they end. The first that is not so, or that is wrong, ends
        the run: it is taken in steps.
        """
        run: list[Fragment] = []
        last_start = len(view) - P_DATA_HEADER.size
        while position <= last_start:
            pdu_type, length, item_length, context_id, control = P_DATA_HEADER.unpack_from(view, position)
            end = position + PDU_HEADER.size + length
            if (
                pdu_type != PDUType.P_DATA_TF
                or item_length != length - _ITEM_LENGTH_SIZE
                or item_length <= PDV_OVERHEAD
                or length > self._p_data_limit
                or end > len(view)
            ):
                break
            data = view[position + P_DATA_HEADER.size : end]
            run.append(Fragment(context_id, control & IS_COMMAND != 0, control & IS_LAST != 0, data))
            position = end
        return run, position

    def _fragment(self, data: memoryview, length: int) -> Fragment:
        self._value_left -= length
        self._pdu_left -= length
        ends = self._value_left == 0
        self._in_value = not ends
        header = self._control_header
        return Fragment(self._context_id, bool(header & IS_COMMAND), ends and bool(header & IS_LAST), data)

    def _step(self, whole: bytes) -> pdu.PDU | None:
        """Take a header, or a control PDU's body, that has been gathered."""
        if self._control_type:
            control_type, self._control_type = self._control_type, 0
            return pdu.decode(control_type, whole)
        if self._pdu_left:
            self._begin_value(*PDV_HEADER.unpack(whole))
            return None
        pdu_type, length = PDU_HEADER.unpack(whole)
        if pdu_type == PDUType.P_DATA_TF:
            self._begin_p_data(length)
            return None
        if pdu_type not in CONTROL_LENGTHS:
            hint = ", but what TLS begins with" if pdu_type in TLS_RECORDS else ""
            raise PeerError(
                AbortReason.UNRECOGNIZED_PDU, f"PDU type {pdu_type:02X}H is none of 01H to 07H{hint}"
            )
        allowed = CONTROL_LENGTHS[pdu_type]
        if length not in allowed:
            raise invalid_value(
                f"PDU length {length} of PDU type {pdu_type:02X}H: "
                f"{allowed.start} to {allowed.stop - 1} is allowed",
            )
        self._control_type, self._control_length = pdu_type, length
        return None

    def _begin_p_data(self, length: int) -> None:
        if not PDV_HEADER.size <= length <= self._p_data_limit:
            raise invalid_value(
                f"PDU length {length} of P-DATA-TF: {PDV_HEADER.size} to {self._p_data_limit} is allowed",
            )
        self._pdu_left = length

    def _begin_value(self, item_length: int, context_id: int, control_header: int) -> None:
        self._pdu_left -= PDV_HEADER.size
        left = self._pdu_left - (item_length - PDV_OVERHEAD)
        if item_length < PDV_OVERHEAD or left < 0 or 0 < left < PDV_HEADER.size:
            raise invalid_value(
                f"Presentation Data Value length {item_length} does not fit its P-DATA-TF",
            )
        self._in_value = True
        self._value_left = item_length - PDV_OVERHEAD
        self._context_id = context_id
        self._control_header = control_header
