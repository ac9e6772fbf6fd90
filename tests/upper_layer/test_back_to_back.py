"""Whatever two associations do to each other, both come to an end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import pytest

from sdcc.upper_layer import machine
from sdcc.upper_layer.machine import Action, Event, State
from sdcc.upper_layer.pdu import Abort

from .back_to_back import (
    BY_ITSELF,
    PRIMITIVES,
    Graph,
    Joint,
    Link,
    Pair,
    Side,
    Step,
    is_endless,
    restricted,
    without_an_end,
)

#: Where PS3.8 has the ARTIM timer run: nobody else would end these.
TIMED = (State.STA2, State.STA13)
COLLISION = (State.STA9, State.STA10, State.STA11, State.STA12)
#: All that a release needs of the two users and of nature. No timer: a collision is no case for it.
IN_ORDER = frozenset({Step.DELIVERED, Step.END_OF_STREAM, Step.ANSWER_RELEASE})


@pytest.fixture(scope="module")
def honest() -> Graph:
    """What two sides come to that do only what their machines allow; connections may break."""
    return Pair(most_data=3).explore()


@pytest.fixture(scope="module")
def mischievous() -> Graph:
    """The same where, once and at any time, one side sends a PDU out of place."""
    return Pair(most_data=2).explore(Joint(mischief=1))


@pytest.fixture(params=["honest", "mischievous"])
def graph(request: pytest.FixtureRequest) -> Graph:
    found: Graph = request.getfixturevalue(request.param)
    return found


# --- the exploration itself ----------------------------------------------------------------


def test_the_exploration_is_a_large_one(honest: Graph, mischievous: Graph) -> None:
    """That it ended at all says that no step was a LocalError, and that only open connections are sent to."""
    assert len(honest) > 1_000
    assert len(mischievous) > 30_000
    print(f"joint states explored: {len(honest)} honest, {len(mischievous)} with a PDU out of place")


def test_every_state_of_the_standard_and_every_step_is_among_it(graph: Graph) -> None:
    assert {state for joint in graph for state in joint.states()} == set(State)
    steps = {step for moves in graph.values() for step, _, _ in moves}
    assert steps >= set(PRIMITIVES) | BY_ITSELF | {Step.ASSOCIATE, Step.LOST}


# --- nobody waits for ever -----------------------------------------------------------------


def test_every_pair_of_states_can_come_to_an_end(graph: Graph) -> None:
    """Even if no connection breaks, and no user asks for more than to abort."""
    assert without_an_end(restricted(graph, BY_ITSELF | {Step.ABORT})) == set()


def test_the_timer_runs_where_the_user_cannot_abort_and_nowhere_else(graph: Graph) -> None:
    sides = {side for joint in graph for side in joint.sides}
    assert [side for side in sides if side.artim_runs != (side.state in TIMED)] == []


def test_each_user_can_end_its_own_side_without_the_peer(graph: Graph) -> None:
    """By an abort and the timer alone, from wherever it is."""
    for joint in graph:
        for at, side in enumerate(joint.sides):
            own = joint
            for step in (Step.ABORT, Step.EXPIRED):
                own = next((after for s, a, after in graph[own] if (s, a) == (step, at)), own)
            ended = own.sides[at]
            assert ended.state is State.STA1, (joint, side)
            assert ended.link in (Link.NONE, Link.CLOSING, Link.GONE), (joint, side)


def test_what_neither_user_can_abort_ends_by_itself(graph: Graph) -> None:
    over = [joint for joint in graph if all(state in (State.STA1, *TIMED) for state in joint.states())]
    left_alone = restricted(graph, BY_ITSELF, [joint for joint in over if joint.sides[0] != Side()])
    assert without_an_end(left_alone) == set()
    assert not is_endless(left_alone)


def test_every_release_collision_resolves_in_order(honest: Graph) -> None:
    """Whatever comes first, both users have their confirmation and nothing is aborted."""
    collisions = [
        joint
        for joint in honest
        if all(state in COLLISION or state is State.STA7 for state in joint.states())
        and any(state in COLLISION for state in joint.states())
    ]
    assert {state for joint in collisions for state in joint.states()} >= set(COLLISION)
    resolving = restricted(honest, IN_ORDER, collisions)
    assert without_an_end(resolving) == set()
    assert not is_endless(resolving)
    in_flight = {pdu for joint in resolving for queue in joint.in_flight for pdu in queue}
    assert not any(pdu.startswith(bytes((Abort.pdu_type,))) for pdu in in_flight)


# --- it would be seen ----------------------------------------------------------------------


def ignored(role: object, argument: object, outputs: list[machine.Output]) -> State:
    return State.STA13


def begun_anew(role: object, argument: object, outputs: list[machine.Output]) -> State:
    outputs.append(machine.Effect.START_ARTIM)
    return State.STA13


def not_confirmed(role: object, argument: object, outputs: list[machine.Output]) -> State:
    """AR-10, but for the next state, in which no user can answer."""
    return State.STA10


def changed_table(
    state: State, event: Event, action: Action | None
) -> Mapping[State, Mapping[Event, Action]]:
    row = {**machine.TRANSITIONS[state], event: action}
    return MappingProxyType({**machine.TRANSITIONS, state: {e: a for e, a in row.items() if a is not None}})


@pytest.mark.parametrize(
    ("cell", "action", "check", "mischief"),
    [
        pytest.param(
            (State.STA6, Event.EVT17),
            ignored,
            test_every_pair_of_states_can_come_to_an_end,
            0,
            id="the loss of the connection awaits its loss",
        ),
        pytest.param(
            (State.STA13, Event.EVT18),
            ignored,
            test_each_user_can_end_its_own_side_without_the_peer,
            0,
            id="the timer's end is ignored",
        ),
        pytest.param(
            (State.STA8, Event.EVT15),
            None,
            test_each_user_can_end_its_own_side_without_the_peer,
            0,
            id="a state without an abort",
        ),
        pytest.param(
            (State.STA3, Event.EVT10),
            machine.aa_7,
            test_the_timer_runs_where_the_user_cannot_abort_and_nowhere_else,
            1,
            id="an abort without the timer",
        ),
        pytest.param(
            (State.STA13, Event.EVT18),
            begun_anew,
            test_what_neither_user_can_abort_ends_by_itself,
            0,
            id="the timer begins anew for ever",
        ),
        pytest.param(
            (State.STA10, Event.EVT13),
            not_confirmed,
            test_every_release_collision_resolves_in_order,
            0,
            id="a collision that waits",
        ),
        pytest.param(
            (State.STA9, Event.EVT14),
            machine.aa_1,
            test_every_release_collision_resolves_in_order,
            0,
            id="a collision that is aborted",
        ),
    ],
)
def test_a_wrong_cell_of_the_table_is_found(
    monkeypatch: pytest.MonkeyPatch,
    cell: tuple[State, Event],
    action: Action | None,
    check: Callable[[Graph], None],
    mischief: int,
) -> None:
    monkeypatch.setattr(machine, "TRANSITIONS", changed_table(*cell, action))
    with pytest.raises(AssertionError):
        check(Pair(most_data=1).explore(Joint(mischief=mischief)))
