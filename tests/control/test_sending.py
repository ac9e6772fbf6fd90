"""What becomes of each file that is sent, whatever becomes of the associations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from sdcc.archive.filesystem import FileSystem
from sdcc.control.outgoing import OutgoingFile
from sdcc.control.sending import GRACE, Counts, Result, Sending
from sdcc.control.synchronous import at_once
from sdcc.dimse.messages import Response
from sdcc.interfaces import AssociationLost

from .test_outgoing import CT, DATA_SET, EXPLICIT, IMPLICIT, MR, head


class Association:
    """One that a peer has accepted; `answers` are statuses, and errors that it is lost with."""

    def __init__(self, contexts: Sequence[Any], answers: list[Any]) -> None:
        self.contexts = {
            context.id: SimpleNamespace(
                id=context.id,
                abstract_syntax=context.abstract_syntax,
                transfer_syntax=context.transfer_syntaxes[0],
            )
            for context in contexts
        }
        self.answers = answers
        self.received: list[tuple[int, str, bytes]] = []
        self.end = ""
        self.waiting: Deferred[int] | None = None

    async def request(self, context_id: int, message: Any, data_set: AsyncIterator[bytes]) -> Response:
        data = b"".join([block async for block in data_set])
        self.received.append((context_id, message.affected_sop_instance_uid, data))
        answer = self.answers.pop(0)
        if isinstance(answer, Deferred):
            self.waiting = answer
            answer = await answer
        if isinstance(answer, AssociationLost):
            raise answer
        return Response(
            command_field=0x8001, message_id_being_responded_to=1, status=answer, error_comment="as told"
        )

    async def release(self) -> None:
        self.end = self.end or "released"

    def abort(self) -> None:
        self.end = "aborted"
        if self.waiting is not None:
            self.waiting.errback(AssociationLost("SDCC gave it up"))


class Peer:
    """:ivar openings: for each association the answers over it, or why there is none."""

    def __init__(self, *openings: Any, refused: str = "") -> None:
        self.openings = [*openings]
        self.refused = refused
        self.associations: list[Association] = []

    async def open(self, called_ae: str, calling_ae: str, contexts: Sequence[Any]) -> Association:
        assert (called_ae, calling_ae) == ("PEER", "SDCC")
        opening = self.openings.pop(0)
        if isinstance(opening, AssociationLost):
            raise opening
        if isinstance(opening, Deferred):
            await opening
        accepted = [context for context in contexts if context.abstract_syntax != self.refused]
        self.associations.append(Association(accepted, opening))
        return self.associations[-1]


class Case:
    """Files sent to a peer."""

    def __init__(self, directory: Path, peer: Peer) -> None:
        self.directory = directory
        self.clock = Clock()
        self.results: list[Result] = []
        self.progress = 0
        self.sending = Sending(
            peer,
            called_ae="PEER",
            calling_ae="SDCC",
            filesystem=FileSystem(),
            run_in_thread=at_once,
            clock=self.clock,
            told=self.results.append,
            progressed=self.progressed,
        )

    def progressed(self, count: int) -> None:
        self.progress += count

    def file(self, number: int, pair: tuple[str, str] = (CT, IMPLICIT)) -> OutgoingFile:
        path = self.directory / f"{number}"
        path.write_bytes(head(pair[0], f"1.2.{number}", pair[1]) + DATA_SET)
        return OutgoingFile(path=str(path), pair=pair, sop_instance_uid=f"1.2.{number}", size=len(DATA_SET))

    def run(self, *files: OutgoingFile) -> list[tuple[str, int | None, str]]:
        """What became of each, by its name."""
        self.done = Deferred.fromCoroutine(self.sending.run(files))
        self.done.addErrback(lambda failure: failure.raiseException())
        return self.told

    @property
    def told(self) -> list[tuple[str, int | None, str]]:
        return [(Path(result.path).name, result.status, result.comment) for result in self.results]


@pytest.fixture
def to(tmp_path: Path) -> Callable[[Peer], Case]:
    return lambda peer: Case(tmp_path, peer)


def test_each_file_goes_over_the_context_of_what_it_is(to: Callable[[Peer], Case]) -> None:
    peer = Peer([0, 0xB000, 0])
    case = to(peer)
    told = case.run(case.file(1), case.file(2, (MR, EXPLICIT)), case.file(3))
    assert told == [("1", 0, "as told"), ("2", 0xB000, "as told"), ("3", 0, "as told")]
    [association] = peer.associations
    assert association.received == [(1, "1.2.1", DATA_SET), (3, "1.2.2", DATA_SET), (1, "1.2.3", DATA_SET)]
    assert association.end == "released"
    assert case.progress == 3 * len(DATA_SET)


def test_a_failure_costs_no_other_file(to: Callable[[Peer], Case]) -> None:
    case = to(Peer([0xA700, 0]))
    assert case.run(case.file(1), case.file(2)) == [("1", 0xA700, "as told"), ("2", 0, "as told")]


def test_what_the_peer_does_not_take_is_named(to: Callable[[Peer], Case]) -> None:
    case = to(Peer([0], refused=MR))
    assert case.run(case.file(1, (MR, EXPLICIT)), case.file(2)) == [
        ("1", None, "the peer does not take MR Image Storage in Explicit VR Little Endian"),
        ("2", 0, "as told"),
    ]
    assert case.progress == 2 * len(DATA_SET)


def test_after_a_loss_the_others_get_another_association(to: Callable[[Peer], Case]) -> None:
    peer = Peer([0, AssociationLost("the peer aborted")], [0])
    case = to(peer)
    told = case.run(*map(case.file, (1, 2, 3)))
    assert told == [("1", 0, "as told"), ("2", None, "the peer aborted"), ("3", 0, "as told")]


def test_after_an_association_that_brought_nothing_there_is_no_other(to: Callable[[Peer], Case]) -> None:
    """Each may cost a timeout, and there may be a million files."""
    peer = Peer([AssociationLost("no answer")], [0, 0])
    case = to(peer)
    assert case.run(*map(case.file, (1, 2, 3))) == [
        ("1", None, "no answer"),
        ("2", None, "not tried: no answer"),
        ("3", None, "not tried: no answer"),
    ]
    assert case.progress == 3 * len(DATA_SET)


def test_where_there_is_no_association_all_fail(to: Callable[[Peer], Case]) -> None:
    case = to(Peer(AssociationLost("no connection")))
    assert case.run(*map(case.file, (1, 2))) == [("1", None, "no connection"), ("2", None, "no connection")]


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(head() + DATA_SET * 2)])
def test_a_file_that_has_changed_fails_alone(
    to: Callable[[Peer], Case], spoil: Callable[[Path], object]
) -> None:
    peer = Peer([], [0])
    case = to(peer)
    files = [case.file(1), case.file(2)]
    spoil(case.directory / "1")
    first, second = case.run(*files)
    assert first[:2] == ("1", None)
    assert first[2]
    assert second == ("2", 0, "as told")


def test_more_classes_and_syntaxes_than_contexts_go_over_several_associations(
    to: Callable[[Peer], Case],
) -> None:
    peer = Peer([0] * 128, [0] * 2)
    case = to(peer)
    case.run(*(case.file(number, (f"1.2.{number}", IMPLICIT)) for number in range(130)))
    assert [len(association.received) for association in peer.associations] == [128, 2]


# --- interrupted ---


def test_the_object_under_way_has_a_moment_to_end(to: Callable[[Peer], Case]) -> None:
    answer: Deferred[int] = Deferred()
    peer = Peer([answer, 0])
    case = to(peer)
    case.run(case.file(1), case.file(2))
    case.sending.interrupt()
    case.clock.advance(GRACE - 0.1)
    [association] = peer.associations
    assert (association.end, case.told) == ("", [])
    answer.callback(0)
    assert case.told == [("1", 0, "as told")]
    assert association.end == "released"
    assert case.done.called
    assert case.clock.getDelayedCalls() == []


def test_after_that_the_association_is_aborted(to: Callable[[Peer], Case]) -> None:
    peer = Peer([Deferred(), 0])
    case = to(peer)
    case.run(case.file(1), case.file(2))
    case.sending.interrupt()
    case.clock.advance(GRACE)
    assert case.told == [("1", None, "SDCC gave it up")]
    assert peer.associations[0].end == "aborted"
    assert case.done.called


def test_an_association_that_is_not_open_yet_is_waited_for_no_more(to: Callable[[Peer], Case]) -> None:
    opening: Deferred[None] = Deferred()
    case = to(Peer(opening))
    case.run(case.file(1))
    case.sending.interrupt()
    assert opening.called
    assert case.done.called
    assert case.told == []
    assert case.clock.getDelayedCalls() == []


# --- counted ---


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0x0000, "1 sent, 0 failed"),
        (0xB000, "1 sent, 0 failed, warnings: 1"),
        (0xB007, "1 sent, 0 failed, warnings: 1"),
        (0x0001, "1 sent, 0 failed, warnings: 1"),
        (0x0107, "1 sent, 0 failed, warnings: 1"),
        (0x0116, "1 sent, 0 failed, warnings: 1"),
        (0xA700, "0 sent, 1 failed"),
        (0xC000, "0 sent, 1 failed"),
        (0xFF00, "0 sent, 1 failed"),
        (0x0110, "0 sent, 1 failed"),
        (None, "0 sent, 1 failed"),
    ],
)
def test_a_warning_is_no_failure(status: int | None, words: str) -> None:
    counts = Counts()
    counts.add(Result(path="", sop_instance_uid="1.2", status=status, comment=""))
    assert str(counts) == words
