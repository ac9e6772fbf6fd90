"""The DICOM Upper Layer protocol machine of PS3.8 section 9.2.

Two laws hold here. What state an association is in, and what may happen in it, is written in
this file and nowhere else. And nothing in this file knows of sockets, clocks or files: an
action only appends what is to be done to a list, for somebody else to do.

The functions `ae_1` to `aa_8` are the actions of Tables 9-6 to 9-9; `TRANSITIONS` is Table 9-10,
a row a line, in the standard's order. A pair of state and event that the table leaves empty
cannot be caused by a peer: it is an error of ours, :class:`~sdcc.upper_layer.errors.LocalError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any, TypeAlias

from sdcc.upper_layer.codes import AbortReason, AbortSource, RejectReasonACSE, RejectResult, RejectSource
from sdcc.upper_layer.errors import LocalError, PeerError
from sdcc.upper_layer.pdu import Abort, AssociateAC, AssociateRJ, AssociateRQ, Pieces, ReleaseRP, ReleaseRQ


class Role(Enum):
    """Which side of the association this is."""

    REQUESTOR = "requestor"
    ACCEPTOR = "acceptor"


class State(IntEnum):
    """PS3.8 9.2.1."""

    #: Idle.
    STA1 = 1
    #: Transport connection open, awaiting A-ASSOCIATE-RQ.
    STA2 = 2
    #: Awaiting the local A-ASSOCIATE response primitive.
    STA3 = 3
    #: Awaiting the transport connection to open.
    STA4 = 4
    #: Awaiting A-ASSOCIATE-AC or A-ASSOCIATE-RJ.
    STA5 = 5
    #: Association established, ready for data transfer.
    STA6 = 6
    #: Awaiting A-RELEASE-RP.
    STA7 = 7
    #: Awaiting the local A-RELEASE response primitive.
    STA8 = 8
    #: Release collision, requestor side: awaiting the local A-RELEASE response primitive.
    STA9 = 9
    #: Release collision, acceptor side: awaiting A-RELEASE-RP.
    STA10 = 10
    #: Release collision, requestor side: awaiting A-RELEASE-RP.
    STA11 = 11
    #: Release collision, acceptor side: awaiting the local A-RELEASE response primitive.
    STA12 = 12
    #: Awaiting the transport connection to close; the association no longer exists.
    STA13 = 13


class Event(IntEnum):
    """PS3.8 Table 9-10, its rows. The comment says what argument the event brings."""

    #: A-ASSOCIATE request primitive: an AssociateRQ.
    EVT1 = 1
    #: Transport connection confirmed.
    EVT2 = 2
    #: A-ASSOCIATE-AC received: the PDU.
    EVT3 = 3
    #: A-ASSOCIATE-RJ received: the PDU.
    EVT4 = 4
    #: Transport connection indication.
    EVT5 = 5
    #: A-ASSOCIATE-RQ received: the PDU.
    EVT6 = 6
    #: A-ASSOCIATE response primitive, accept: an AssociateAC.
    EVT7 = 7
    #: A-ASSOCIATE response primitive, reject: an AssociateRJ.
    EVT8 = 8
    #: P-DATA request primitive: encoded P-DATA-TF PDUs.
    EVT9 = 9
    #: P-DATA-TF received, or a part of one or several: their fragments.
    EVT10 = 10
    #: A-RELEASE request primitive.
    EVT11 = 11
    #: A-RELEASE-RQ received.
    EVT12 = 12
    #: A-RELEASE-RP received.
    EVT13 = 13
    #: A-RELEASE response primitive.
    EVT14 = 14
    #: A-ABORT request primitive.
    EVT15 = 15
    #: A-ABORT received: the PDU.
    EVT16 = 16
    #: Transport connection closed.
    EVT17 = 17
    #: ARTIM timer expired.
    EVT18 = 18
    #: Unrecognized or invalid PDU received: the PeerError.
    EVT19 = 19


# --- what actions ask for ------------------------------------------------------------------


class Effect(Enum):
    """What the transport or the timer is to do."""

    OPEN_TRANSPORT = "open transport"
    CLOSE_TRANSPORT = "close transport"
    #: Start the ARTIM timer, or start it anew.
    START_ARTIM = "start ARTIM"
    STOP_ARTIM = "stop ARTIM"


@dataclass(frozen=True, slots=True)
class AssociateIndication:
    """A peer asks for an association (PS3.8 7.1)."""

    request: AssociateRQ


@dataclass(frozen=True, slots=True)
class AssociateRejected:
    """A request was rejected by this side's service-provider, with no user asked (AE-6)."""

    request: AssociateRQ
    answer: AssociateRJ


@dataclass(frozen=True, slots=True)
class AssociateConfirmation:
    """The peer answered our A-ASSOCIATE request (PS3.8 7.1)."""

    answer: AssociateAC | AssociateRJ


@dataclass(frozen=True, slots=True)
class DataIndication:
    """Fragments of Presentation Data Values came (PS3.8 7.6), in order."""

    fragments: Any


@dataclass(frozen=True, slots=True)
class ReleaseIndication:
    """The peer asks to release the association (PS3.8 7.2)."""

    collision: bool = False


@dataclass(frozen=True, slots=True)
class ReleaseConfirmation:
    """The peer answered our A-RELEASE request (PS3.8 7.2)."""


@dataclass(frozen=True, slots=True)
class AbortIndication:
    """The peer aborted the association (A-ABORT of PS3.8 7.3, A-P-ABORT of 7.4 by its source)."""

    source: int
    reason: int


@dataclass(frozen=True, slots=True)
class ProviderAbortIndication:
    """The association was aborted on this side (A-P-ABORT, PS3.8 7.4).

    :ivar cause: in words; empty when the transport connection was lost.
    """

    reason: int = AbortReason.REASON_NOT_SPECIFIED
    cause: str = ""


Indication: TypeAlias = (
    AssociateIndication
    | AssociateRejected
    | AssociateConfirmation
    | DataIndication
    | ReleaseIndication
    | ReleaseConfirmation
    | AbortIndication
    | ProviderAbortIndication
)
#: Bytes are to be sent, in one piece or several.
Output: TypeAlias = bytes | Pieces | Effect | Indication
Action: TypeAlias = Callable[[Role, Any, list[Output]], State]


# --- Table 9-6: association establishment --------------------------------------------------


def ae_1(role: Role, request: AssociateRQ, outputs: list[Output]) -> State:
    """Have the transport connection opened."""
    outputs.append(Effect.OPEN_TRANSPORT)
    return State.STA4


def ae_2(role: Role, request: AssociateRQ, outputs: list[Output]) -> State:
    """Send A-ASSOCIATE-RQ."""
    outputs.append(request.encode())
    return State.STA5


def ae_3(role: Role, answer: AssociateAC, outputs: list[Output]) -> State:
    """Confirm that the association is accepted."""
    outputs.append(AssociateConfirmation(answer))
    return State.STA6


def ae_4(role: Role, answer: AssociateRJ, outputs: list[Output]) -> State:
    """Confirm that the association is rejected; close the transport connection."""
    outputs += (AssociateConfirmation(answer), Effect.CLOSE_TRANSPORT)
    return State.STA1


def ae_5(role: Role, argument: None, outputs: list[Output]) -> State:
    """Accept the transport connection (TCP has done so); start ARTIM."""
    outputs.append(Effect.START_ARTIM)
    return State.STA2


def ae_6(role: Role, request: AssociateRQ, outputs: list[Output]) -> State:
    """Stop ARTIM; indicate the request, or reject it where its protocol version is none of ours."""
    outputs.append(Effect.STOP_ARTIM)
    if request.protocol_version & 1:
        outputs.append(AssociateIndication(request))
        return State.STA3
    outputs.append(AssociateRejected(request, PROTOCOL_VERSION_NOT_SUPPORTED))
    return ae_8(role, PROTOCOL_VERSION_NOT_SUPPORTED, outputs)


def ae_7(role: Role, answer: AssociateAC, outputs: list[Output]) -> State:
    """Send A-ASSOCIATE-AC."""
    outputs.append(answer.encode())
    return State.STA6


def ae_8(role: Role, answer: AssociateRJ, outputs: list[Output]) -> State:
    """Send A-ASSOCIATE-RJ; start ARTIM."""
    outputs += (answer.encode(), Effect.START_ARTIM)
    return State.STA13


# --- Table 9-7: data transfer --------------------------------------------------------------


def dt_1(role: Role, pdus: Pieces, outputs: list[Output]) -> State:
    """Send P-DATA-TF."""
    outputs.append(pdus)
    return State.STA6


def dt_2(role: Role, fragments: Any, outputs: list[Output]) -> State:
    """Indicate P-DATA."""
    outputs.append(DataIndication(fragments))
    return State.STA6


# --- Table 9-8: association release --------------------------------------------------------


def ar_1(role: Role, argument: None, outputs: list[Output]) -> State:
    """Send A-RELEASE-RQ."""
    outputs.append(ReleaseRQ().encode())
    return State.STA7


def ar_2(role: Role, argument: ReleaseRQ, outputs: list[Output]) -> State:
    """Indicate A-RELEASE."""
    outputs.append(ReleaseIndication())
    return State.STA8


def ar_3(role: Role, argument: ReleaseRP, outputs: list[Output]) -> State:
    """Confirm A-RELEASE; close the transport connection."""
    outputs += (ReleaseConfirmation(), Effect.CLOSE_TRANSPORT)
    return State.STA1


def ar_4(role: Role, argument: None, outputs: list[Output]) -> State:
    """Send A-RELEASE-RP; start ARTIM."""
    outputs += (ReleaseRP().encode(), Effect.START_ARTIM)
    return State.STA13


def ar_5(role: Role, argument: None, outputs: list[Output]) -> State:
    """Stop ARTIM."""
    outputs.append(Effect.STOP_ARTIM)
    return State.STA1


def ar_6(role: Role, fragments: Any, outputs: list[Output]) -> State:
    """Indicate P-DATA."""
    outputs.append(DataIndication(fragments))
    return State.STA7


def ar_7(role: Role, pdus: Pieces, outputs: list[Output]) -> State:
    """Send P-DATA-TF."""
    outputs.append(pdus)
    return State.STA8


def ar_8(role: Role, argument: ReleaseRQ, outputs: list[Output]) -> State:
    """Indicate A-RELEASE, a collision; what comes next depends on the role."""
    outputs.append(ReleaseIndication(collision=True))
    return State.STA9 if role is Role.REQUESTOR else State.STA10


def ar_9(role: Role, argument: None, outputs: list[Output]) -> State:
    """Send A-RELEASE-RP."""
    outputs.append(ReleaseRP().encode())
    return State.STA11


def ar_10(role: Role, argument: ReleaseRP, outputs: list[Output]) -> State:
    """Confirm A-RELEASE."""
    outputs.append(ReleaseConfirmation())
    return State.STA12


# --- Table 9-9: association abort ----------------------------------------------------------


def aa_1(role: Role, argument: Any, outputs: list[Output]) -> State:
    """Send A-ABORT, its source the service-user; start ARTIM, or start it anew."""
    outputs += (
        Abort(AbortSource.SERVICE_USER, AbortReason.REASON_NOT_SPECIFIED).encode(),
        Effect.START_ARTIM,
    )
    return State.STA13


def aa_2(role: Role, argument: Any, outputs: list[Output]) -> State:
    """Stop ARTIM; close the transport connection."""
    outputs += (Effect.STOP_ARTIM, Effect.CLOSE_TRANSPORT)
    return State.STA1


def aa_3(role: Role, abort: Abort, outputs: list[Output]) -> State:
    """Indicate A-ABORT, or A-P-ABORT as its source says; close the transport connection."""
    outputs += (AbortIndication(abort.source, abort.reason), Effect.CLOSE_TRANSPORT)
    return State.STA1


def aa_4(role: Role, argument: None, outputs: list[Output]) -> State:
    """Indicate A-P-ABORT."""
    outputs.append(ProviderAbortIndication())
    return State.STA1


def aa_5(role: Role, argument: None, outputs: list[Output]) -> State:
    """Stop ARTIM."""
    outputs.append(Effect.STOP_ARTIM)
    return State.STA1


def aa_6(role: Role, argument: Any, outputs: list[Output]) -> State:
    """Ignore the PDU."""
    return State.STA13


def aa_7(role: Role, argument: Any, outputs: list[Output]) -> State:
    """Send A-ABORT."""
    reason, _ = abort_reason(argument)
    outputs.append(Abort(AbortSource.SERVICE_PROVIDER, reason).encode())
    return State.STA13


def aa_8(role: Role, argument: Any, outputs: list[Output]) -> State:
    """Send A-ABORT, its source the service-provider; indicate A-P-ABORT; start ARTIM."""
    reason, cause = abort_reason(argument)
    abort = Abort(AbortSource.SERVICE_PROVIDER, reason)
    outputs += (abort.encode(), ProviderAbortIndication(reason, cause), Effect.START_ARTIM)
    return State.STA13


def abort_reason(argument: Any) -> tuple[AbortReason, str]:
    """PS3.8 9.3.8: an invalid PDU's own reason; a sound PDU that came is one out of place."""
    if isinstance(argument, PeerError):
        return argument.reason, str(argument)
    name = "P-DATA-TF" if isinstance(argument, list) else argument.name()
    return AbortReason.UNEXPECTED_PDU, f"{name} is not expected in this state"


PROTOCOL_VERSION_NOT_SUPPORTED = AssociateRJ(
    RejectResult.REJECTED_PERMANENT,
    RejectSource.SERVICE_PROVIDER_ACSE,
    RejectReasonACSE.PROTOCOL_VERSION_NOT_SUPPORTED,
)


# --- Table 9-10 ----------------------------------------------------------------------------

S = State
E = Event

# fmt: off
TRANSITIONS: Mapping[State, Mapping[Event, Action]] = {
    S.STA1: {E.EVT1: ae_1, E.EVT5: ae_5},
    S.STA2: {E.EVT3: aa_1, E.EVT4: aa_1, E.EVT6: ae_6, E.EVT10: aa_1, E.EVT12: aa_1, E.EVT13: aa_1, E.EVT16: aa_2, E.EVT17: aa_5, E.EVT18: aa_2, E.EVT19: aa_1},
    S.STA3: {E.EVT3: aa_8, E.EVT4: aa_8, E.EVT6: aa_8, E.EVT7: ae_7, E.EVT8: ae_8, E.EVT10: aa_8, E.EVT12: aa_8, E.EVT13: aa_8, E.EVT15: aa_1, E.EVT16: aa_3, E.EVT17: aa_4, E.EVT19: aa_8},
    S.STA4: {E.EVT2: ae_2, E.EVT15: aa_2, E.EVT17: aa_4},
    S.STA5: {E.EVT3: ae_3, E.EVT4: ae_4, E.EVT6: aa_8, E.EVT10: aa_8, E.EVT12: aa_8, E.EVT13: aa_8, E.EVT15: aa_1, E.EVT16: aa_3, E.EVT17: aa_4, E.EVT19: aa_8},
    S.STA6: {E.EVT3: aa_8, E.EVT4: aa_8, E.EVT6: aa_8, E.EVT9: dt_1, E.EVT10: dt_2, E.EVT11: ar_1, E.EVT12: ar_2, E.EVT13: aa_8, E.EVT15: aa_1, E.EVT16: aa_3, E.EVT17: aa_4, E.EVT19: aa_8},
    S.STA7: {E.EVT3: aa_8, E.EVT4: aa_8, E.EVT6: aa_8, E.EVT10: ar_6, E.EVT12: ar_8, E.EVT13: ar_3, E.EVT15: aa_1, E.EVT16: aa_3, E.EVT17: aa_4, E.EVT19: aa_8},
    S.STA8: {E.EVT3: aa_8, E.EVT4: aa_8, E.EVT6: aa_8, E.EVT9: ar_7, E.EVT10: aa_8, E.EVT12: aa_8, E.EVT13: aa_8, E.EVT14: ar_4, E.EVT15: aa_1, E.EVT16: aa_3, E.EVT17: aa_4, E.EVT19: aa_8},
    S.STA9: {E.EVT3: aa_8, E.EVT4: aa_8, E.EVT6: aa_8, E.EVT10: aa_8, E.EVT12: aa_8, E.EVT13: aa_8, E.EVT14: ar_9, E.EVT15: aa_1, E.EVT16: aa_3, E.EVT17: aa_4, E.EVT19: aa_8},
    S.STA10: {E.EVT3: aa_8, E.EVT4: aa_8, E.EVT6: aa_8, E.EVT10: aa_8, E.EVT12: aa_8, E.EVT13: ar_10, E.EVT15: aa_1, E.EVT16: aa_3, E.EVT17: aa_4, E.EVT19: aa_8},
    S.STA11: {E.EVT3: aa_8, E.EVT4: aa_8, E.EVT6: aa_8, E.EVT10: aa_8, E.EVT12: aa_8, E.EVT13: ar_3, E.EVT15: aa_1, E.EVT16: aa_3, E.EVT17: aa_4, E.EVT19: aa_8},
    S.STA12: {E.EVT3: aa_8, E.EVT4: aa_8, E.EVT6: aa_8, E.EVT10: aa_8, E.EVT12: aa_8, E.EVT13: aa_8, E.EVT14: ar_4, E.EVT15: aa_1, E.EVT16: aa_3, E.EVT17: aa_4, E.EVT19: aa_8},
    S.STA13: {E.EVT3: aa_6, E.EVT4: aa_6, E.EVT6: aa_7, E.EVT10: aa_6, E.EVT12: aa_6, E.EVT13: aa_6, E.EVT16: aa_2, E.EVT17: ar_5, E.EVT18: aa_2, E.EVT19: aa_7},
}
# fmt: on


class Machine:
    """One association's state."""

    __slots__ = ("_role", "_state")

    def __init__(self, role: Role) -> None:
        self._role = role
        self._state = State.STA1

    @property
    def state(self) -> State:
        return self._state

    def allows(self, event: Event) -> bool:
        """Whether the table has a cell for the event in the present state."""
        return event in TRANSITIONS[self._state]

    def handle(self, event: Event, argument: Any = None) -> list[Output]:
        """Take the event's action; what it asks for comes back in order.

        :raises LocalError: the table has no such cell; the state stays.
        """
        action = TRANSITIONS[self._state].get(event)
        if action is None:
            raise LocalError(f"{event.name} cannot happen in {self._state.name} (PS3.8 Table 9-10)")
        outputs: list[Output] = []
        self._state = action(self._role, argument, outputs)
        return outputs
