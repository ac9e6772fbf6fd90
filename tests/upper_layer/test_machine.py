"""The protocol machine, against a second copy of PS3.8 Table 9-10 typed as the standard prints it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from sdcc.upper_layer.codes import AbortReason
from sdcc.upper_layer.errors import LocalError, PeerError
from sdcc.upper_layer.framing import Fragment
from sdcc.upper_layer.machine import (
    TRANSITIONS,
    AbortIndication,
    AssociateConfirmation,
    AssociateIndication,
    AssociateRejected,
    DataIndication,
    Effect,
    Event,
    Machine,
    Output,
    ProviderAbortIndication,
    ReleaseConfirmation,
    ReleaseIndication,
    Role,
    State,
)
from sdcc.upper_layer.pdu import Abort, AssociateAC, AssociateRJ, AssociateRQ, ReleaseRP, ReleaseRQ

from .table_9_10 import CELLS

EMPTY = [pair for pair, action in CELLS.items() if action == "."]
FILLED = [(state, event, action) for (state, event), action in CELLS.items() if action != "."]

REQUEST = AssociateRQ(
    called_ae_title="SDCC", calling_ae_title="CT01", application_context_name="1.2", presentation_contexts=()
)
ACCEPT = AssociateAC(
    called_ae_title="SDCC", calling_ae_title="CT01", application_context_name="1.2", presentation_contexts=()
)
REJECT = AssociateRJ(1, 1, 7)
FRAGMENTS = [Fragment(1, False, True, memoryview(b"data"))]
P_DATA = b"\x04\x00\x00\x00\x00\x07\x00\x00\x00\x03\x01\x02!"
PEER_ABORT = Abort(2, 6)
FAULT = PeerError(AbortReason.INVALID_PDU_PARAMETER_VALUE, "PDU length is 3, 4 is allowed")
#: What each event brings.
ARGUMENTS: dict[Event, Any] = {
    Event.EVT1: REQUEST,
    Event.EVT2: REQUEST,
    Event.EVT3: ACCEPT,
    Event.EVT4: REJECT,
    Event.EVT6: REQUEST,
    Event.EVT7: ACCEPT,
    Event.EVT8: REJECT,
    Event.EVT9: P_DATA,
    Event.EVT10: FRAGMENTS,
    Event.EVT12: ReleaseRQ(),
    Event.EVT13: ReleaseRP(),
    Event.EVT16: PEER_ABORT,
    Event.EVT19: FAULT,
}

REQUESTOR, ACCEPTOR = Role.REQUESTOR, Role.ACCEPTOR
#: How each state is reached, where it can be; the events' numbers.
ROUTES: list[tuple[State, Role, tuple[int, ...]]] = [
    (State.STA1, REQUESTOR, ()),
    (State.STA1, ACCEPTOR, ()),
    (State.STA2, ACCEPTOR, (5,)),
    (State.STA3, ACCEPTOR, (5, 6)),
    (State.STA4, REQUESTOR, (1,)),
    (State.STA5, REQUESTOR, (1, 2)),
    (State.STA6, REQUESTOR, (1, 2, 3)),
    (State.STA6, ACCEPTOR, (5, 6, 7)),
    (State.STA7, REQUESTOR, (1, 2, 3, 11)),
    (State.STA7, ACCEPTOR, (5, 6, 7, 11)),
    (State.STA8, REQUESTOR, (1, 2, 3, 12)),
    (State.STA8, ACCEPTOR, (5, 6, 7, 12)),
    (State.STA9, REQUESTOR, (1, 2, 3, 11, 12)),
    (State.STA10, ACCEPTOR, (5, 6, 7, 11, 12)),
    (State.STA11, REQUESTOR, (1, 2, 3, 11, 12, 14)),
    (State.STA12, ACCEPTOR, (5, 6, 7, 11, 12, 13)),
    (State.STA13, REQUESTOR, (1, 2, 6)),
    (State.STA13, ACCEPTOR, (5, 6, 8)),
]


def machine_in(state: State, role: Role | None = None) -> Machine:
    """A machine in `state`, brought there by events."""
    role, route = next((r, route) for s, r, route in ROUTES if s is state and role in (None, r))
    machine = Machine(role)
    for number in route:
        handle(machine, Event(number))
    return machine


def handle(machine: Machine, event: Event) -> list[Output]:
    return machine.handle(event, ARGUMENTS.get(event))


# --- the table -----------------------------------------------------------------------------


def test_the_second_copy_is_whole() -> None:
    assert set(CELLS) == set(itertools.product(State, Event))


@pytest.mark.parametrize("state", State)
def test_the_table_is_the_standards(state: State) -> None:
    actions = {event: action.__name__ for event, action in TRANSITIONS[state].items()}
    expected = {event: name.lower().replace("-", "_") for s, event, name in FILLED if s is state}
    assert actions == expected


@pytest.mark.parametrize(
    ("state", "role", "route"), ROUTES, ids=lambda value: getattr(value, "name", str(value))
)
def test_every_state_is_reached(state: State, role: Role, route: tuple[int, ...]) -> None:
    assert machine_in(state, role).state is state


def test_a_machine_begins_idle() -> None:
    assert Machine(ACCEPTOR).state is State.STA1


@pytest.mark.parametrize(("state", "event"), EMPTY, ids=lambda value: value.name)
def test_an_event_without_a_cell_is_our_fault_and_changes_nothing(state: State, event: Event) -> None:
    machine = machine_in(state)
    assert not machine.allows(event)
    with pytest.raises(LocalError, match=rf"{event.name}\b.*{state.name}\b"):
        handle(machine, event)
    assert machine.state is state


# --- the actions ---------------------------------------------------------------------------

RELEASE_RQ = b"\x05\x00\x00\x00\x00\x04\x00\x00\x00\x00"
RELEASE_RP = b"\x06\x00\x00\x00\x00\x04\x00\x00\x00\x00"
#: Source 0, the service-user; source 2, the service-provider, with its reason.
USER_ABORT = b"\x07\x00\x00\x00\x00\x04\x00\x00\x00\x00"
UNEXPECTED_ABORT = b"\x07\x00\x00\x00\x00\x04\x00\x00\x02\x02"
INVALID_ABORT = b"\x07\x00\x00\x00\x00\x04\x00\x00\x02\x06"
REJECTION = b"\x03\x00\x00\x00\x00\x04\x00\x01\x01\x07"

OPEN, CLOSE = Effect.OPEN_TRANSPORT, Effect.CLOSE_TRANSPORT
START, STOP = Effect.START_ARTIM, Effect.STOP_ARTIM

#: Tables 9-6 to 9-9: what each action asks for, in order, and the next state.
ACTIONS: dict[str, tuple[list[Output], State]] = {
    "AE-1": ([OPEN], State.STA4),
    "AE-2": ([REQUEST.encode()], State.STA5),
    "AE-3": ([AssociateConfirmation(ACCEPT)], State.STA6),
    "AE-4": ([AssociateConfirmation(REJECT), CLOSE], State.STA1),
    "AE-5": ([START], State.STA2),
    "AE-6": ([STOP, AssociateIndication(REQUEST)], State.STA3),
    "AE-7": ([ACCEPT.encode()], State.STA6),
    "AE-8": ([REJECTION, START], State.STA13),
    "DT-1": ([P_DATA], State.STA6),
    "DT-2": ([DataIndication(FRAGMENTS)], State.STA6),
    "AR-1": ([RELEASE_RQ], State.STA7),
    "AR-2": ([ReleaseIndication()], State.STA8),
    "AR-3": ([ReleaseConfirmation(), CLOSE], State.STA1),
    "AR-4": ([RELEASE_RP, START], State.STA13),
    "AR-5": ([STOP], State.STA1),
    "AR-6": ([DataIndication(FRAGMENTS)], State.STA7),
    "AR-7": ([P_DATA], State.STA8),
    "AR-9": ([RELEASE_RP], State.STA11),
    "AR-10": ([ReleaseConfirmation()], State.STA12),
    "AA-1": ([USER_ABORT, START], State.STA13),
    "AA-2": ([STOP, CLOSE], State.STA1),
    "AA-3": ([AbortIndication(2, 6), CLOSE], State.STA1),
    "AA-4": ([ProviderAbortIndication()], State.STA1),
    "AA-5": ([STOP], State.STA1),
    "AA-6": ([], State.STA13),
}
#: Those that depend on the role or on what came have tests of their own.
OWN_TESTS = {"AR-8", "AA-7", "AA-8"}


def test_every_action_is_tested() -> None:
    assert set(ACTIONS) | OWN_TESTS == {action for _, _, action in FILLED}


@pytest.mark.parametrize(
    ("state", "event", "action"),
    [cell for cell in FILLED if cell[2] in ACTIONS],
    ids=lambda value: getattr(value, "name", value),
)
def test_an_action_does_what_the_standard_says(state: State, event: Event, action: str) -> None:
    machine = machine_in(state)
    assert machine.allows(event)
    outputs = handle(machine, event)
    assert (outputs, machine.state) == ACTIONS[action]


def test_ae_6_rejects_a_protocol_version_of_which_bit_0_is_not_set() -> None:
    """RJ 1/2/2, then the peer has ARTIM's time to close."""
    machine = machine_in(State.STA2)
    asked = AssociateRQ(
        protocol_version=2,
        called_ae_title="SDCC",
        calling_ae_title="CT01",
        application_context_name="1.2",
        presentation_contexts=(),
    )
    outputs = machine.handle(Event.EVT6, asked)
    told = AssociateRejected(asked, AssociateRJ(1, 2, 2))
    assert outputs == [STOP, told, b"\x03\x00\x00\x00\x00\x04\x00\x01\x02\x02", START]
    assert machine.state is State.STA13


@pytest.mark.parametrize(("role", "state"), [(REQUESTOR, State.STA9), (ACCEPTOR, State.STA10)])
def test_ar_8_depends_on_the_role(role: Role, state: State) -> None:
    machine = machine_in(State.STA7, role)
    assert handle(machine, Event.EVT12) == [ReleaseIndication(collision=True)]
    assert machine.state is state


AA_7 = [(state, event) for state, event, action in FILLED if action == "AA-7"]
AA_8 = [(state, event) for state, event, action in FILLED if action == "AA-8"]


def abort_of(event: Event) -> bytes:
    return INVALID_ABORT if event is Event.EVT19 else UNEXPECTED_ABORT


@pytest.mark.parametrize(("state", "event"), AA_7, ids=lambda value: value.name)
def test_aa_7_sends_the_abort_and_lets_the_timer_run(state: State, event: Event) -> None:
    machine = machine_in(state)
    assert handle(machine, event) == [abort_of(event)]
    assert machine.state is State.STA13


@pytest.mark.parametrize(("state", "event"), AA_8, ids=lambda value: value.name)
def test_aa_8_sends_the_abort_with_its_reason_indicates_it_and_starts_the_timer(
    state: State, event: Event
) -> None:
    """An invalid PDU's own reason; unexpected-PDU for a sound one that is out of place."""
    machine = machine_in(state)
    abort, indication, effect = handle(machine, event)
    assert abort == abort_of(event)
    assert isinstance(indication, ProviderAbortIndication)
    assert indication.reason == abort_of(event)[-1]
    assert effect is START
    assert machine.state is State.STA13


@pytest.mark.parametrize("reason", AbortReason)
def test_aa_8_says_of_an_invalid_pdu_what_is_wrong_with_it(reason: AbortReason) -> None:
    machine = machine_in(State.STA6)
    abort, indication, _ = machine.handle(Event.EVT19, PeerError(reason, "this field is so"))
    assert abort == UNEXPECTED_ABORT[:-1] + bytes((reason,))
    assert indication == ProviderAbortIndication(reason, "this field is so")


# --- whole conversations -------------------------------------------------------------------


def states(role: Role, *numbers: int) -> list[State]:
    machine = Machine(role)
    passed = []
    for number in numbers:
        handle(machine, Event(number))
        passed.append(machine.state)
    return passed


@pytest.mark.parametrize(
    ("role", "events", "passed"),
    [
        pytest.param(
            ACCEPTOR, (5, 6, 7, 10, 9, 12, 14, 17), (2, 3, 6, 6, 6, 8, 13, 1), id="released by the peer"
        ),
        pytest.param(REQUESTOR, (1, 2, 3, 9, 10, 11, 13), (4, 5, 6, 6, 6, 7, 1), id="released by us"),
        pytest.param(REQUESTOR, (1, 2, 3, 11, 10, 13), (4, 5, 6, 7, 7, 1), id="data after our A-RELEASE-RQ"),
        pytest.param(ACCEPTOR, (5, 6, 7, 12, 9, 14), (2, 3, 6, 8, 8, 13), id="data before our A-RELEASE-RP"),
        pytest.param(REQUESTOR, (1, 2, 3, 11, 12, 14, 13), (4, 5, 6, 7, 9, 11, 1), id="collision, requestor"),
        pytest.param(
            ACCEPTOR, (5, 6, 7, 11, 12, 13, 14, 17), (2, 3, 6, 7, 10, 12, 13, 1), id="collision, acceptor"
        ),
        pytest.param(ACCEPTOR, (5, 18), (2, 1), id="no request in ARTIM's time"),
        pytest.param(ACCEPTOR, (5, 6, 8, 10, 18), (2, 3, 13, 13, 1), id="rejected, but the peer stays"),
        pytest.param(ACCEPTOR, (5, 19, 17), (2, 13, 1), id="no DICOM at all"),
    ],
)
def test_conversations(role: Role, events: tuple[int, ...], passed: tuple[int, ...]) -> None:
    assert states(role, *events) == list(passed)
