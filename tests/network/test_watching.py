"""What observers are told of associations, whichever side opens them: each ending by its kind."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sdcc import conformance
from sdcc.config import Remote
from sdcc.dimse.command import CommandField
from sdcc.dimse.messages import MoveRequest, StoreRequest
from sdcc.interfaces import (
    AssociationFacts,
    AssociationLost,
    Durations,
    Ending,
    OperationFacts,
    Outcome,
    RefusalFacts,
    StudyTransfer,
)
from sdcc.network.acceptor import RULES
from sdcc.network.gathering import Gathering
from sdcc.upper_layer.items import ProposedContext
from sdcc.upper_layer.pdu import Abort, AssociateRJ, ReleaseRP, ReleaseRQ

from .calls import (
    CONTEXT,
    MESSAGE_OF_PEER,
    RUBBISH,
    STORED,
    TIMEOUTS,
    Awaited,
    Blocks,
    Line,
    accept,
    answer,
    blocks,
    echo,
    established,
    store,
)
from .recording import NOW, Recorder, observers

CT = "1.2.840.10008.5.1.4.1.1.2"
STORE = StoreRequest(message_id=9, affected_sop_class_uid=CT, affected_sop_instance_uid="1.2.3")
CT01 = Remote(ae_title="CT01", address="127.0.0.1")


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def watched(new_world: Any, recorder: Recorder) -> Any:
    """A server, and one observer of its associations."""
    return new_world(observers=observers(recorder))


@pytest.fixture
def own(build: SimpleNamespace, recorder: Recorder) -> Any:
    yield established(Line(build.Transport, observers=observers(recorder)))
    Awaited.give_all_up()


# --- that peers open ---


@pytest.mark.parametrize("remotes", [(), (CT01,)])
def test_an_association_is_told_when_it_is_accepted(
    new_world: Any, recorder: Recorder, remotes: tuple[Remote, ...]
) -> None:
    world = new_world(observers=observers(recorder), remotes=remotes)
    world.peer().associate()
    assert recorder.watch.facts == AssociationFacts(
        number=1,
        calling_ae="CT01",
        called_ae="SDCC",
        address="127.0.0.1",
        is_ours=False,
        is_remote=bool(remotes),
        opened_at=NOW,
    )
    assert recorder.watch.endings == []


def test_a_refusal_is_told_with_its_rule(watched: Any, build: SimpleNamespace, recorder: Recorder) -> None:
    watched.peer("192.0.2.7").send(build.request(called="NOBODY"))
    assert recorder.refusals == [
        RefusalFacts(
            calling_ae="CT01",
            called_ae="NOBODY",
            address="192.0.2.7",
            codes="1/1/7",
            rule="called_ae",
            cause="called AE title 'NOBODY' is no [[local]] of this port: it has 'SDCC'",
            is_local=False,
            is_remote=False,
        )
    ]
    assert recorder.watches == []


def test_a_refusal_for_the_protocol_version_is_told_as_well(
    new_world: Any, build: SimpleNamespace, recorder: Recorder
) -> None:
    """It is the service-provider's, and no rule is asked."""
    new_world(observers=observers(recorder), remotes=(CT01,)).peer().send(build.request(protocol_version=2))
    [refusal] = recorder.refusals
    assert (refusal.codes, refusal.rule) == ("1/2/2", "protocol_version")
    assert refusal.is_local
    assert refusal.is_remote


def refused_by(world: Any, build: SimpleNamespace, rule: str) -> Any:
    """A request that this rule refuses, and none before it."""
    address = "127.0.0.1"
    fields: dict[str, Any] = {}
    if rule == "application_context":
        fields = {"application_context_name": "1.2.3"}
    elif rule == "called_ae":
        fields = {"called": "NOBODY"}
    elif rule == "calling_ae":
        address = "192.0.2.7"
    elif rule == "association_limits":
        world.limits.take("SDCC", "CT01")
        world.limits.take("SDCC", "CT01")
        world.limits.take("SDCC", "CT01")
        world.limits.take("SDCC", "CT01")
    elif rule == "circumstances":
        world.is_stopping = True
    return address, build.request(**fields)


@pytest.mark.parametrize("rule", [rule.__name__ for rule in RULES[1:]])
def test_a_refusal_has_the_name_of_its_rule(
    watched: Any, build: SimpleNamespace, recorder: Recorder, rule: str
) -> None:
    address, request = refused_by(watched, build, rule)
    watched.peer(address).send(request)
    assert [refusal.rule for refusal in recorder.refusals] == [rule]


def end(world: Any, peer: Any, build: SimpleNamespace, ending: Ending) -> None:
    match ending:
        case Ending.RELEASED:
            peer.send(ReleaseRQ())
        case Ending.PEER_ABORT:
            peer.send(Abort(2, 0))
        case Ending.CONNECTION_LOST:
            peer.lose()
        case Ending.PROTOCOL_FAULT:
            peer.send(RUBBISH)
        case Ending.TIMEOUT:
            world.clock.advance(300)
        case Ending.STOPPING:
            Awaited(world.server.stop())
        case Ending.ADMINISTRATOR:
            assert world.server.abort(1)
        case Ending.PROGRAM_FAULT:
            peer.protocol._exchange._registry.begin = None
            peer.send(build.echo())
        case Ending.GIVEN_UP:
            world.retrieve.script = gives_up
            peer.send(build.get())


async def gives_up(talk: Any) -> Outcome:
    async def broken() -> Any:
        yield b"a part"
        raise OSError(5, "Input/output error")

    await talk.requests.request(3, STORE, broken())
    raise AssertionError("nothing answers that")


@pytest.mark.parametrize("ending", [*Ending])
def test_each_ending_is_told_once_by_its_kind(
    watched: Any, build: SimpleNamespace, recorder: Recorder, ending: Ending
) -> None:
    peer = watched.peer().ask()
    end(watched, peer, build, ending)
    assert recorder.watch.ending is ending
    peer.lose()
    watched.clock.advance(60)
    assert len(recorder.watch.endings) == 1
    assert watched.server.associations == {}


def test_what_breaks_dimse_is_a_fault_of_the_peer(
    watched: Any, build: SimpleNamespace, recorder: Recorder
) -> None:
    watched.peer().associate().send(build.answer(STORE, 3))
    assert recorder.watch.ending is Ending.PROTOCOL_FAULT


def test_a_peer_that_can_take_no_answer_has_broken_the_protocol(
    watched: Any, build: SimpleNamespace, recorder: Recorder
) -> None:
    watched.peer().associate(maximum_length=4).send(build.echo())
    assert recorder.watch.ending is Ending.PROTOCOL_FAULT
    [operation] = recorder.watch.operations
    assert not operation.is_answered


def test_a_connection_that_is_closed_for_a_limit_says_which(
    new_world: Any, build: SimpleNamespace, recorder: Recorder
) -> None:
    world = new_world(observers=observers(recorder), gathering=Gathering(limit=1000, spared=300))
    world.peer().associate().send(b"\1\0\0\1\0\0", bytes(1001))
    assert recorder.watch.endings == [
        (
            Ending.PROTOCOL_FAULT,
            "the association was closed: requests that are not whole take more than 0 MiB",
        )
    ]


def test_a_store_is_told_with_what_it_came_to(
    watched: Any, build: SimpleNamespace, recorder: Recorder
) -> None:
    peer = watched.peer().associate()
    peer.send(build.store())
    watched.clock.advance(2)
    stored: Any = object()
    outcome = Outcome(status=0, durations=Durations(1, 0.5, 0.5), stored=stored)
    watched.storage.operations[0].done.callback(outcome)
    assert recorder.watch.operations == [
        OperationFacts(
            command_field=CommandField.C_STORE_RQ,
            sop_class_uid=CT,
            sop_instance_uid="1.2.3",
            status=0,
            size=8,
            seconds=2,
            durations=Durations(1, 0.5, 0.5),
            stored=stored,
            transfer_syntax_uid=conformance.IMPLICIT_VR_LITTLE_ENDIAN,
        )
    ]


def test_a_retrieval_is_told_with_its_identifier_and_what_was_sent(
    watched: Any, build: SimpleNamespace, recorder: Recorder
) -> None:
    transfers = (
        StudyTransfer(study_instance_uid="1.2", patient_id=None, patient_name=None, instances={CT: 3}),
    )

    async def script(talk: Any) -> Outcome:
        return Outcome(status=0xB000, identifier=bytes(talk.data), transfers=transfers)

    watched.retrieve.script = script
    move = ProposedContext(
        id=1, abstract_syntax=conformance.STUDY_ROOT_MOVE, transfer_syntaxes=(build.IMPLICIT,)
    )
    peer = watched.peer().associate(move)
    request = MoveRequest(
        message_id=1, affected_sop_class_uid=move.abstract_syntax, move_destination="WORKSTATION "
    )
    peer.send(build.message(1, request, b"which"))
    [operation] = recorder.watch.operations
    assert (operation.status, operation.identifier, operation.transfers) == (0xB000, b"which", transfers)
    assert operation.move_destination == "WORKSTATION"
    assert operation.sop_instance_uid == ""


def test_the_sub_operations_of_a_get_are_ours(
    watched: Any, build: SimpleNamespace, recorder: Recorder
) -> None:
    async def sends(talk: Any) -> Outcome:
        await talk.requests.request(3, STORE, build.chunks(b"an object"))
        return Outcome(status=0)

    watched.retrieve.script = sends
    peer = watched.peer().ask()
    peer.send(build.get())
    *_, asked = peer.received()
    watched.clock.advance(3)
    peer.send(build.answer(asked, status=0xB000))
    sub_operation, retrieval = recorder.watch.operations
    assert sub_operation == OperationFacts(
        command_field=CommandField.C_STORE_RQ,
        sop_class_uid=CT,
        sop_instance_uid="1.2.3",
        is_ours=True,
        status=0xB000,
        size=9,
        seconds=3,
    )
    assert (retrieval.command_field, retrieval.is_ours) == (CommandField.C_GET_RQ, False)


def test_what_had_come_whole_is_told_before_the_end(
    watched: Any, build: SimpleNamespace, recorder: Recorder
) -> None:
    """An object that is stored though its peer has gone must not be missing."""
    peer = watched.peer().associate()
    peer.send(build.store(), Abort(0, 0))
    assert recorder.watch.endings == []
    assert watched.server.associations == {}
    watched.storage.operations[0].done.callback(Outcome(status=0))
    [operation] = recorder.watch.operations
    assert not operation.is_answered
    assert recorder.watch.ending is Ending.PEER_ABORT


def test_the_end_is_told_though_an_operation_never_ends(
    watched: Any, build: SimpleNamespace, recorder: Recorder
) -> None:
    """By a fault of the program."""
    peer = watched.peer().associate()
    peer.send(build.store())
    peer.protocol.performed = None
    watched.storage.operations[0].done.callback(Outcome(status=0))
    peer.lose()
    assert recorder.watch.ending is Ending.PROGRAM_FAULT


def test_an_association_is_aborted_by_its_number(watched: Any, recorder: Recorder) -> None:
    first, second = watched.peer().associate(), watched.peer().associate()
    assert [*watched.server.associations] == [1, 2]
    assert not watched.server.abort(3)
    assert watched.server.abort(2)
    assert second.received() == [Abort(0, 0)]
    assert first.received() == []
    assert [*watched.server.associations] == [1]
    assert not watched.server.abort(2), "it is no more"


# --- that SDCC opens ---


def test_an_association_of_ours_is_told_with_the_address_that_was_called(
    own: Line, recorder: Recorder
) -> None:
    assert recorder.watch.facts == AssociationFacts(
        number=1,
        calling_ae="SDCC",
        called_ae="PEER",
        address="192.168.1.1",
        is_ours=True,
        is_remote=True,
        opened_at=NOW,
    )


@pytest.mark.parametrize("is_answered", [True, False])
def test_each_request_of_ours_is_told(own: Line, recorder: Recorder, is_answered: bool) -> None:
    store(own, blocks(b"an ", b"object"))
    own.reactor.advance(3)
    if is_answered:
        own.send(answer(command_field=STORED, status=0xA700))
    else:
        own.send(Abort(0, 0).encode())
    [operation] = recorder.watch.operations
    assert operation == OperationFacts(
        command_field=CommandField.C_STORE_RQ,
        sop_class_uid=CT,
        sop_instance_uid="1.2.3",
        is_ours=True,
        status=0xA700 if is_answered else 0x0110,
        size=9,
        seconds=3,
        is_answered=is_answered,
    )


def end_own(line: Line, ending: Ending) -> None:
    match ending:
        case Ending.RELEASED:
            Awaited(line.association.release())
            line.send(ReleaseRP().encode())
            line.close()
        case Ending.PEER_ABORT:
            line.send(Abort(0, 0).encode())
        case Ending.CONNECTION_LOST:
            line.close()
        case Ending.PROTOCOL_FAULT:
            line.send(RUBBISH)
        case Ending.TIMEOUT:
            echo(line)
            line.reactor.advance(TIMEOUTS.dimse)
        case Ending.STOPPING:
            line.caller.stop()
        case Ending.GIVEN_UP:
            line.association.abort()


ENDINGS_OF_OURS = sorted({*Ending} - {Ending.ADMINISTRATOR, Ending.PROGRAM_FAULT})


@pytest.mark.parametrize("ending", ENDINGS_OF_OURS)
def test_each_ending_of_ours_is_told_once_by_its_kind(own: Line, recorder: Recorder, ending: Ending) -> None:
    end_own(own, ending)
    assert recorder.watch.ending is ending
    own.association.abort()
    assert own.is_left_clean()
    assert len(recorder.watch.endings) == 1


@pytest.mark.parametrize("sent", [MESSAGE_OF_PEER, answer(command_field=STORED)])
def test_what_breaks_dimse_over_an_association_of_ours(own: Line, recorder: Recorder, sent: bytes) -> None:
    own.send(sent)
    assert recorder.watch.ending is Ending.PROTOCOL_FAULT


def test_a_release_that_the_peer_asks_for_is_one(own: Line, recorder: Recorder) -> None:
    own.send(ReleaseRQ().encode())
    assert recorder.watch.ending is Ending.RELEASED


def test_a_release_that_is_not_answered_is_a_timeout(own: Line, recorder: Recorder) -> None:
    Awaited(own.association.release())
    own.reactor.advance(TIMEOUTS.acse)
    assert recorder.watch.ending is Ending.TIMEOUT


def test_a_data_set_that_cannot_be_read_to_its_end_ends_the_association(
    own: Line, recorder: Recorder
) -> None:
    given = Blocks()
    store(own, given.iterate())
    given.give(b"a part")
    given.next.errback(OSError(5, "Input/output error"))
    assert recorder.watch.ending is Ending.GIVEN_UP
    [operation] = recorder.watch.operations
    assert not operation.is_answered


@pytest.mark.parametrize(
    ("sent", "cause"),
    [
        (AssociateRJ(1, 1, 7).encode(), "rejected 1/1/7"),
        (Abort(0, 0).encode(), "the peer aborted, source 0, reason 0"),
        (accept(context_id=7), "A-ASSOCIATE-AC"),
        (None, "no answer to A-ASSOCIATE-RQ"),
    ],
)
def test_an_association_that_comes_to_nothing_is_told(
    build: SimpleNamespace, recorder: Recorder, sent: bytes | None, cause: str
) -> None:
    line = Line(build.Transport, observers=observers(recorder))
    opened = Awaited(line.caller.open("PEER", "SDCC", (CONTEXT,)))
    line.connect()
    if sent is None:
        line.reactor.advance(TIMEOUTS.acse)
    else:
        line.send(sent)
    [(called_ae, told)] = recorder.failures
    assert called_ae == "PEER"
    assert cause in told
    assert opened.error(AssociationLost) == told
    assert recorder.watches == []


def test_who_may_not_be_called_is_not_asked(build: SimpleNamespace, recorder: Recorder) -> None:
    line = Line(build.Transport, observers=observers(recorder))
    opened = Awaited(line.caller.open("NOBODY", "SDCC", (CONTEXT,)))
    assert "is no [[remote]]" in opened.error(AssociationLost)
    assert recorder.failures == []
