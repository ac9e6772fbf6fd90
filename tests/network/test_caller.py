"""Whom SDCC calls, how it finds them, and what it asks for."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.error import TimeoutError as ConnectionTimeout
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from sdcc import conformance
from sdcc.config import Remote
from sdcc.dimse.messages import MAXIMUM_COMMENT_LENGTH
from sdcc.network.lost import AssociationRejected, NotConnected
from sdcc.upper_layer.items import MAXIMUM_CONTEXTS, MaximumLength, ProposedContext, RoleSelection
from sdcc.upper_layer.pdu import AssociateRJ

from .calls import PEER, TIMEOUTS, Awaited, Line, accept

CT = "1.2.840.10008.5.1.4.1.1.2"
NAMED = replace(PEER, address="peer.example.org")


def context(number: int = 0, uid: str = CT) -> ProposedContext:
    syntaxes = (conformance.IMPLICIT_VR_LITTLE_ENDIAN,)
    return ProposedContext(id=2 * number + 1, abstract_syntax=uid, transfer_syntaxes=syntaxes)


@pytest.fixture
def line(build: SimpleNamespace) -> Callable[..., Line]:
    return lambda *remotes, **options: Line(build.Transport, *remotes, **options)


def opening(line: Line, *contexts: ProposedContext, called: str = "PEER") -> Awaited:
    return Awaited(line.caller.open(called, "SDCC", contexts or (context(),)))


def tried(line: Line) -> list[tuple[str, int]]:
    return [(host, port) for host, port, *_ in line.reactor.tcpClients]


def fail(line: Line, error: Exception | None = None) -> None:
    """The connection last tried comes to nothing."""
    *_, factory, _, _ = line.reactor.tcpClients[-1]
    factory.clientConnectionFailed(None, Failure(error or ConnectionRefusedError()))


# --- whom ---


def test_remotes_with_a_port_may_be_called(line: Callable[..., Line]) -> None:
    caller = line(PEER, Remote(ae_title="MUTE", address="127.0.0.1")).caller
    assert [caller.may_call(title) for title in ("PEER", "MUTE", "OTHER")] == [True, False, False]


@pytest.mark.parametrize("title", ["MUTE", "OTHER"])
def test_nobody_else_is_called(line: Callable[..., Line], title: str) -> None:
    ours = line(PEER, Remote(ae_title="MUTE", address="127.0.0.1"))
    assert opening(ours, called=title).error(NotConnected) == f"'{title}' is no [[remote]] with a port"
    assert tried(ours) == []


def test_other_remotes_are_called_from_the_next_association_on(line: Callable[..., Line]) -> None:
    """What is announced, and how long an answer may take, are other ones too."""
    ours = line(PEER)
    before = opening(ours)
    ours.connect()
    ours.received()
    ours.caller.reconfigure(
        (replace(PEER, address="10.0.0.9", port=105),),
        maximum_pdu_length=4096,
        timeouts=replace(TIMEOUTS, acse=TIMEOUTS.acse / 2),
    )
    ours.send(accept())
    assert [*before.value.contexts] == [1]
    after = opening(ours)
    assert tried(ours)[1:] == [("10.0.0.9", 105)]
    ours.connect()
    [request] = ours.received()
    assert request.maximum_length == 4096
    ours.reactor.advance(TIMEOUTS.acse / 2)
    assert "no answer to A-ASSOCIATE-RQ" in str(after.error(Exception))
    ours.caller.reconfigure((), maximum_pdu_length=4096, timeouts=TIMEOUTS)
    assert not ours.caller.may_call("PEER")
    ours.caller.stop()


# --- where ---


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "fe80::1%eth0"])
def test_an_address_is_called_as_it_is_written(line: Callable[..., Line], address: str) -> None:
    ours = line(replace(PEER, address=address))
    opening(ours)
    assert tried(ours) == [(address, 104)]


def of(*addresses: str) -> Any:
    async def resolve(host: str) -> Any:
        return frozenset(map(ip_address, addresses))

    return resolve


def test_the_addresses_of_a_name_are_tried_in_turn(line: Callable[..., Line]) -> None:
    """IPv4 first; what one of them leaves of the time is the others'."""
    ours = line(NAMED, resolve=of("::1", "10.0.0.2", "10.0.0.1"))
    outcome = opening(ours)
    for _ in range(2):
        ours.reactor.advance(1)
        fail(ours)
    assert tried(ours) == [("10.0.0.1", 104), ("10.0.0.2", 104), ("::1", 104)]
    assert [timeout for *_, timeout, _ in ours.reactor.tcpClients] == pytest.approx([8 / 3, 7 / 2, 6])
    ours.connect()
    ours.send(accept())
    assert [*outcome.value.contexts] == [1]


def test_where_none_answers_the_last_error_is_told(line: Callable[..., Line]) -> None:
    ours = line(NAMED, resolve=of("10.0.0.1", "10.0.0.2"))
    outcome = opening(ours)
    fail(ours)
    fail(ours, ConnectionTimeout())
    assert outcome.error(NotConnected) == "no connection to peer.example.org:104: no answer in time"


def test_why_there_is_no_connection_fits_into_an_error_comment(line: Callable[..., Line]) -> None:
    ours = line(replace(PEER, address="255.255.255.255", port=65535))
    outcome = opening(ours)
    fail(ours, ConnectionRefusedError(errno.ECONNREFUSED))
    words = outcome.error(NotConnected)
    assert words == "no connection to 255.255.255.255:65535: Connection refused"
    assert len(words) <= MAXIMUM_COMMENT_LENGTH


def test_the_log_is_told_nothing_of_factories(line: Callable[..., Line], lines: list[str]) -> None:
    """Twisted tells of each that begins and ends, and where it is in memory, unless it is asked not to."""
    ours = line(PEER)
    opening(ours)
    *_, factory, _, _ = ours.reactor.tcpClients[-1]
    factory.doStart()
    factory.doStop()
    assert lines == []


def test_a_name_without_an_address_is_told(line: Callable[..., Line]) -> None:
    words = opening(line(NAMED, resolve=of())).error(NotConnected)
    assert words == "no connection to peer.example.org:104: the host name has no address"


def test_a_resolver_that_hangs_is_given_up(line: Callable[..., Line]) -> None:
    hung: Deferred[Any] = Deferred()
    ours = line(NAMED, resolve=lambda host: hung)
    outcome = opening(ours)
    ours.reactor.advance(TIMEOUTS.connection)
    words = outcome.error(NotConnected)
    assert words == "no connection to peer.example.org:104: the host name was not resolved in time"
    assert ours.reactor.getDelayedCalls() == []
    hung.callback(frozenset())  # too late, and nobody minds


def test_cancelled_while_the_name_is_looked_up_nothing_is_left(line: Callable[..., Line]) -> None:
    ours = line(NAMED, resolve=lambda host: Deferred())
    outcome = opening(ours)
    outcome.deferred.cancel()
    outcome.error(CancelledError)
    assert (tried(ours), ours.reactor.getDelayedCalls()) == ([], [])


def test_cancelled_while_it_connects_the_connection_is_given_up(line: Callable[..., Line]) -> None:
    ours = line()
    outcome = opening(ours)
    outcome.deferred.cancel()
    outcome.error(CancelledError)
    [connector] = ours.reactor.connectors
    assert connector.stoppedConnecting
    assert ours.reactor.getDelayedCalls() == []


# --- what for ---


def test_what_is_asked_for(line: Callable[..., Line]) -> None:
    """As many contexts as there can be, and the length of what this side takes."""
    ours = line()
    contexts = [context(number) for number in range(MAXIMUM_CONTEXTS)]
    opening(ours, *contexts)
    ours.connect()
    [request] = ours.received()
    assert (request.called_ae, request.calling_ae) == ("PEER", "SDCC")
    assert request.presentation_contexts == tuple(contexts)
    assert request.presentation_contexts[-1].id == 255
    assert request.maximum_length == 16384
    assert request.implementation_class_uid == conformance.IMPLEMENTATION_CLASS_UID


def test_to_report_on_commitments_the_role_of_their_scp_is_asked_for(line: Callable[..., Line]) -> None:
    """PS3.4 J.3.3; of nothing else is another role wanted than SCU, which needs no asking."""
    ours = line()
    opening(ours, context(), context(1, conformance.STORAGE_COMMITMENT))
    ours.connect()
    [request] = ours.received()
    assert [item for item in request.user_information if isinstance(item, RoleSelection)] == [
        RoleSelection(sop_class_uid=conformance.STORAGE_COMMITMENT, scu=False, scp=True)
    ]
    assert MaximumLength(16384) in request.user_information


def test_a_rejection_is_told_and_leaves_nothing(line: Callable[..., Line]) -> None:
    ours = line()
    outcome = opening(ours)
    ours.connect()
    ours.send(AssociateRJ(1, 1, 7).encode())
    assert outcome.error(AssociationRejected) == "rejected 1/1/7 (called-ae-title-not-recognized)"
    assert ours.is_left_clean()


@pytest.mark.parametrize("source", [1, 2, 3])
def test_why_it_was_rejected_fits_into_an_error_comment(source: int) -> None:
    for reason in range(11):
        assert len(str(AssociationRejected(AssociateRJ(2, source, reason)))) <= MAXIMUM_COMMENT_LENGTH


# --- the stop ---


def test_at_the_stop_every_association_ends_and_none_is_opened_any_more(line: Callable[..., Line]) -> None:
    ours = line()
    outcome = opening(ours)
    ours.connect()
    ours.send(accept())
    assert outcome.is_there
    late = opening(ours)
    ours.caller.stop()
    assert ours.is_left_clean()
    assert late.error(NotConnected) == "SDCC is stopping"
    assert all(connector.stoppedConnecting for connector in ours.reactor.connectors[1:])
    assert opening(ours).error(NotConnected) == "SDCC is stopping"
    assert len(tried(ours)) == 2


def test_at_the_stop_no_name_is_looked_up_any_more(line: Callable[..., Line]) -> None:
    ours = line(NAMED, resolve=lambda host: Deferred())
    outcome = opening(ours)
    ours.caller.stop()
    assert outcome.error(NotConnected) == "SDCC is stopping"
    assert ours.reactor.getDelayedCalls() == []


def test_a_connection_costs_no_lines_of_twisted_in_the_log(line: Callable[..., Line]) -> None:
    """The association says when it is opened, and when it ends."""
    ours = line()
    opening(ours)
    *_, factory, _, _ = ours.reactor.tcpClients[-1]
    with capturedLogs() as events:
        factory.doStart()
        factory.doStop()
    assert events == []
