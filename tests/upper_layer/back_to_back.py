"""Two associations joined back to back, and every joint state that can come of them.

The rules are the product's own: each step asks a real Association, put into the state that it is to
start from, and real PDUs are in flight. Only what lies between the two is a model: two queues of
PDUs, a transport that each side sees open or gone, and the two ARTIM timers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator
from enum import Enum, auto
from functools import cache
from typing import NamedTuple, TypeAlias

from sdcc.upper_layer.association import Association
from sdcc.upper_layer.machine import Effect, Output, Role, State
from sdcc.upper_layer.pdu import (
    Abort,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    PDataTF,
    PresentationDataValue,
    ReleaseRP,
    ReleaseRQ,
)

_PARTIES = {
    "called_ae_title": "SDCC",
    "calling_ae_title": "CT01",
    "application_context_name": "1.2.840.10008.3.1.1.1",
}
REQUEST = AssociateRQ(**_PARTIES, presentation_contexts=())
ANSWER = AssociateAC(**_PARTIES, presentation_contexts=())
REJECTION = AssociateRJ(1, 1, 7)
DATA = PDataTF((PresentationDataValue(context_id=1, is_command=True, is_last=True, data=b"data"),)).encode()
#: What a peer may send at any time, sound or not: one of each PDU, a wrong version and no PDU at all.
ANYTHING = (
    REQUEST.encode(),
    AssociateRQ(**_PARTIES, presentation_contexts=(), protocol_version=2).encode(),
    ANSWER.encode(),
    REJECTION.encode(),
    DATA,
    ReleaseRQ().encode(),
    ReleaseRP().encode(),
    Abort(0, 0).encode(),
    b"GET / HTTP/1.1\r\n",
)

ROLES = (Role.REQUESTOR, Role.ACCEPTOR)


class Link(Enum):
    """The transport connection as one side sees it."""

    NONE = auto()
    #: The requestor has asked for it.
    OPENING = auto()
    OPEN = auto()
    #: This side has closed it, and has not been told yet that it is gone.
    CLOSING = auto()
    GONE = auto()


class Side(NamedTuple):
    state: State = State.STA1
    artim_runs: bool = False
    link: Link = Link.NONE

    @property
    def has_ended(self) -> bool:
        return self.state is State.STA1 and self.link in (Link.NONE, Link.GONE)


class Joint(NamedTuple):
    """Both sides, and what is in flight towards each; the requestor's first."""

    sides: tuple[Side, Side] = (Side(), Side())
    in_flight: tuple[tuple[bytes, ...], tuple[bytes, ...]] = ((), ())
    #: How many more PDUs out of place one of them may send.
    mischief: int = 0

    @property
    def has_ended(self) -> bool:
        return self.sides[0].has_ended and self.sides[1].has_ended

    def states(self) -> tuple[State, State]:
        return self.sides[0].state, self.sides[1].state


class Step(Enum):
    """What may happen next."""

    # nature's
    OPENED = auto()
    DELIVERED = auto()
    END_OF_STREAM = auto()
    LOST = auto()
    EXPIRED = auto()
    # the service users'
    ASSOCIATE = auto()
    ACCEPT = auto()
    REJECT = auto()
    SEND = auto()
    RELEASE = auto()
    ANSWER_RELEASE = auto()
    ABORT = auto()
    #: A PDU that its sender's machine knows nothing of.
    MISCHIEF = auto()


#: What happens if nobody asks for anything and no connection breaks.
BY_ITSELF = frozenset({Step.OPENED, Step.DELIVERED, Step.END_OF_STREAM, Step.EXPIRED})

#: A service user's primitives: when its association says that they are possible, and what they do.
PRIMITIVES: dict[Step, tuple[Callable[[Association], bool], Callable[[Association], list[Output]]]] = {
    Step.ACCEPT: (lambda a: a.may_answer, lambda a: a.accept(ANSWER)),
    Step.REJECT: (lambda a: a.may_answer, lambda a: a.reject(REJECTION)),
    Step.SEND: (lambda a: a.may_send_data, lambda a: a.send_data(DATA)),
    Step.RELEASE: (lambda a: a.may_release, Association.release),
    Step.ANSWER_RELEASE: (lambda a: a.may_answer_release, Association.answer_release),
    Step.ABORT: (lambda a: a.may_abort, Association.abort),
}

Move: TypeAlias = tuple[Step, int, Joint]
Graph: TypeAlias = dict[Joint, list[Move]]


class Pair:
    """Says what can come of a joint state.

    :param most_data: P-DATA-TF in flight in one direction.
    """

    def __init__(self, most_data: int = 2) -> None:
        self._most_data = most_data
        # one for this pair, as a test may have changed the machine's table
        self._asked = cache(self._ask)

    def explore(self, start: Joint = Joint()) -> Graph:  # noqa: B008  # it cannot be changed
        """All joint states that can be reached, each with its moves."""
        graph: Graph = {}
        waiting = deque([start])
        while waiting:
            joint = waiting.popleft()
            if joint not in graph:
                graph[joint] = list(self._moves(joint))
                waiting += (after for _, _, after in graph[joint])
        return graph

    def _moves(self, joint: Joint) -> Iterator[Move]:
        for at, (side, other) in enumerate((joint.sides, joint.sides[::-1])):
            if at == 0 and side == Side():
                yield Step.ASSOCIATE, at, self._after(joint, at, Step.ASSOCIATE)
            if self._can_open(at, side, other):
                opened = _with_side(joint, at, side._replace(link=Link.OPEN))
                yield Step.OPENED, at, self._after(opened, at, Step.OPENED)
            for step in PRIMITIVES:
                if step is Step.SEND and joint.in_flight[1 - at].count(DATA) >= self._most_data:
                    continue
                if self._asked(at, side.state, step, b"") is not None:
                    yield step, at, self._after(joint, at, step)
            if side.artim_runs:
                expired = _with_side(joint, at, side._replace(artim_runs=False))
                yield Step.EXPIRED, at, self._after(expired, at, Step.EXPIRED)
            yield from self._moves_of_link(joint, at, side, other)

    def _moves_of_link(self, joint: Joint, at: int, side: Side, other: Side) -> Iterator[Move]:
        coming = joint.in_flight[at]
        if side.link in (Link.OPEN, Link.CLOSING) and coming:
            rest = _with_in_flight(joint, at, coming[1:])
            yield Step.DELIVERED, at, self._after(rest, at, Step.DELIVERED, coming[0])
        if side.link in (Link.OPENING, Link.OPEN, Link.CLOSING):
            gone = _with_in_flight(_with_side(joint, at, side._replace(link=Link.GONE)), at, ())
            yield Step.LOST, at, self._after(gone, at, Step.LOST)
            is_closed = side.link is Link.CLOSING or other.link in (Link.CLOSING, Link.GONE)
            if is_closed and not coming:
                yield Step.END_OF_STREAM, at, self._after(gone, at, Step.LOST)
        if side.link is Link.OPEN and joint.mischief:
            for pdu in ANYTHING:
                less = joint._replace(mischief=joint.mischief - 1)
                yield Step.MISCHIEF, at, _sent(less, at, pdu)

    @staticmethod
    def _can_open(at: int, side: Side, other: Side) -> bool:
        """The listening side is told of a connection first, and even of one that was given up."""
        if at == 0:
            return side.link is Link.OPENING and other.link is not Link.NONE
        return side.link is Link.NONE and other.link is not Link.NONE

    def _after(self, joint: Joint, at: int, step: Step, pdu: bytes = b"") -> Joint:
        asked = self._asked(at, joint.sides[at].state, step, pdu)
        assert asked is not None
        state, outputs = asked
        joint = _with_side(joint, at, joint.sides[at]._replace(state=state))
        for output in outputs:
            joint = _performed(joint, at, output)
        return joint

    def _ask(self, at: int, state: State, step: Step, pdu: bytes) -> tuple[State, tuple[Output, ...]] | None:
        """What an association in a state does; None: it says that this is not possible."""
        association = Association(ROLES[at], maximum_length=4096)
        association._machine._state = state
        if ROLES[at] is Role.REQUESTOR:
            association._request = REQUEST
        if step in PRIMITIVES:
            is_possible, primitive = PRIMITIVES[step]
            if not is_possible(association):
                return None
            outputs = primitive(association)
        else:
            outputs = {
                Step.ASSOCIATE: lambda: association.associate(REQUEST),
                Step.OPENED: association.transport_opened,
                Step.DELIVERED: lambda: association.receive_data(pdu),
                Step.LOST: association.transport_closed,
                Step.EXPIRED: association.artim_expired,
            }[step]()
        return association.state, tuple(output for output in outputs if isinstance(output, bytes | Effect))


def _with_side(joint: Joint, at: int, side: Side) -> Joint:
    sides = joint.sides
    return joint._replace(sides=(side, sides[1]) if at == 0 else (sides[0], side))


def _with_in_flight(joint: Joint, at: int, pdus: tuple[bytes, ...]) -> Joint:
    queues = joint.in_flight
    return joint._replace(in_flight=(pdus, queues[1]) if at == 0 else (queues[0], pdus))


def _sent(joint: Joint, at: int, pdu: bytes) -> Joint:
    """Nothing is in flight towards a side that has no connection any more."""
    to = 1 - at
    if joint.sides[to].link is Link.GONE:
        return joint
    return _with_in_flight(joint, to, (*joint.in_flight[to], pdu))


def _performed(joint: Joint, at: int, output: Output) -> Joint:
    side = joint.sides[at]
    if isinstance(output, bytes):
        assert side.link is Link.OPEN, f"{side} sends {output!r} where no connection is"
        return _sent(joint, at, output)
    if output is Effect.OPEN_TRANSPORT:
        return _with_side(joint, at, side._replace(link=Link.OPENING))
    if output is Effect.CLOSE_TRANSPORT:
        link = Link.CLOSING if side.link is Link.OPEN else Link.GONE
        return _with_side(joint, at, side._replace(link=link))
    return _with_side(joint, at, side._replace(artim_runs=output is Effect.START_ARTIM))


# --- what is asked of a graph --------------------------------------------------------------


def restricted(graph: Graph, steps: Collection[Step], start: Collection[Joint] | None = None) -> Graph:
    """The same where nothing but `steps` happens: all of it, or what can be reached from `start`."""
    if start is None:
        return {joint: [move for move in moves if move[0] in steps] for joint, moves in graph.items()}
    found: Graph = {}
    waiting = list(start)
    while waiting:
        joint = waiting.pop()
        if joint not in found:
            found[joint] = [move for move in graph[joint] if move[0] in steps]
            waiting += (after for _, _, after in found[joint])
    return found


def without_an_end(graph: Graph) -> set[Joint]:
    """The joint states from which no path leads to the end of both sides."""
    before: dict[Joint, list[Joint]] = {}
    for joint, moves in graph.items():
        for _, _, after in moves:
            before.setdefault(after, []).append(joint)
    waiting = [joint for joint in graph if joint.has_ended]
    ending = set(waiting)
    while waiting:
        for joint in before.get(waiting.pop(), ()):
            if joint not in ending:
                ending.add(joint)
                waiting.append(joint)
    return graph.keys() - ending


def is_endless(graph: Graph) -> bool:
    """Whether a path of the graph comes back to where it was."""
    left = {joint: len(moves) for joint, moves in graph.items()}
    before: dict[Joint, list[Joint]] = {}
    for joint, moves in graph.items():
        for _, _, after in moves:
            before.setdefault(after, []).append(joint)
    waiting = [joint for joint, count in left.items() if not count]
    taken = 0
    while waiting:
        taken += 1
        for joint in before.get(waiting.pop(), ()):
            left[joint] -= 1
            if not left[joint]:
                waiting.append(joint)
    return taken < len(graph)
