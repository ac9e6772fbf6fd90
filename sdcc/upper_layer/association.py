"""One association: the framer and the machine, and what both sides agreed on.

Sans-IO. Every call gives a list of outputs for the transport's owner to perform in order:
bytes to send, an :class:`~sdcc.upper_layer.machine.Effect`, or an indication for the service
user. Calls that the peer can make impossible (it may abort at any time) are to be guarded by
:attr:`Association.may_send_data` and its likes.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sdcc.upper_layer.errors import PeerError
from sdcc.upper_layer.framing import Framer
from sdcc.upper_layer.machine import Event, Machine, Output, Role, State
from sdcc.upper_layer.pdu import (
    Abort,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    Pieces,
    ReleaseRP,
    ReleaseRQ,
)

#: What a received PDU is to the machine.
EVENTS: Mapping[type, Event] = MappingProxyType(
    {
        AssociateAC: Event.EVT3,
        AssociateRJ: Event.EVT4,
        AssociateRQ: Event.EVT6,
        list: Event.EVT10,
        ReleaseRQ: Event.EVT12,
        ReleaseRP: Event.EVT13,
        Abort: Event.EVT16,
        PeerError: Event.EVT19,
    }
)


class Association:
    """PS3.8 section 7's services, over bytes.

    :param maximum_length: the longest P-DATA-TF that this side announces; 0: no limit.
    """

    def __init__(self, role: Role, *, maximum_length: int) -> None:
        self._machine = Machine(role)
        self._framer = Framer(maximum_length)
        self._request: AssociateRQ | None = None
        #: Why nothing that the peer sends can be understood any more; empty: it can.
        self.fault = ""

    # --- facts ---

    @property
    def state(self) -> State:
        return self._machine.state

    @property
    def is_inside_pdu(self) -> bool:
        """Whether a PDU of the peer's has begun of which more must come."""
        return not self._framer.is_between_pdus

    @property
    def gathered(self) -> int:
        """Bytes that are held of a PDU that is not whole."""
        return self._framer.gathered

    @property
    def may_answer(self) -> bool:
        """Whether :meth:`accept` and :meth:`reject` are possible."""
        return self._machine.allows(Event.EVT7)

    @property
    def may_send_data(self) -> bool:
        return self._machine.allows(Event.EVT9)

    @property
    def may_release(self) -> bool:
        return self._machine.allows(Event.EVT11)

    @property
    def may_answer_release(self) -> bool:
        return self._machine.allows(Event.EVT14)

    @property
    def may_abort(self) -> bool:
        return self._machine.allows(Event.EVT15)

    # --- the transport service and the timer ---

    def transport_opened(self) -> list[Output]:
        """The transport connection stands, whichever side opened it."""
        if self._request is None:
            return self._machine.handle(Event.EVT5)
        return self._machine.handle(Event.EVT2, self._request)

    def receive_data(self, data: bytes) -> list[Output]:
        outputs: list[Output] = []
        for received in self._framer.feed(data):
            if isinstance(received, PeerError):
                self.fault = str(received)
            event = EVENTS[type(received)]
            if self._machine.allows(event):  # in Sta1 nothing more is of interest
                outputs += self._machine.handle(event, received)
        return outputs

    def transport_closed(self) -> list[Output]:
        return self._machine.handle(Event.EVT17) if self._machine.allows(Event.EVT17) else []

    def artim_expired(self) -> list[Output]:
        return self._machine.handle(Event.EVT18) if self._machine.allows(Event.EVT18) else []

    # --- the service user's primitives ---

    def associate(self, request: AssociateRQ) -> list[Output]:
        """Ask for an association (A-ASSOCIATE request)."""
        self._request = request
        return self._machine.handle(Event.EVT1, request)

    def announce(self, maximum_length: int) -> None:
        """Before :meth:`accept`: what it answers announces this, whatever was meant at the beginning."""
        self._framer.limit(maximum_length)

    def accept(self, answer: AssociateAC) -> list[Output]:
        return self._machine.handle(Event.EVT7, answer)

    def reject(self, answer: AssociateRJ) -> list[Output]:
        return self._machine.handle(Event.EVT8, answer)

    def send_data(self, pdus: Pieces) -> list[Output]:
        """Send encoded P-DATA-TF PDUs (P-DATA request)."""
        return self._machine.handle(Event.EVT9, pdus)

    def release(self) -> list[Output]:
        return self._machine.handle(Event.EVT11)

    def answer_release(self) -> list[Output]:
        return self._machine.handle(Event.EVT14)

    def abort(self) -> list[Output]:
        return self._machine.handle(Event.EVT15)
