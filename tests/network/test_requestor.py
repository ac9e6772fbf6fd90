"""Associations that SDCC opens end in a result or a RequestorError, whatever the peer does."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import ensureDeferred
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from sdcc import conformance
from sdcc.dimse.fragments import fragments
from sdcc.dimse.messages import Response
from sdcc.network import requestor
from sdcc.upper_layer.items import AnsweredContext, MaximumLength
from sdcc.upper_layer.pdu import Abort, AssociateAC, AssociateRJ, ReleaseRP, ReleaseRQ


def accept(maximum_length: int = 16384, *, context_id: int = 1, result: int = 0) -> bytes:
    return AssociateAC(
        called_ae_title="PEER",
        calling_ae_title="SDCC",
        application_context_name=conformance.DICOM_APPLICATION_CONTEXT,
        presentation_contexts=(
            AnsweredContext(
                id=context_id, result=result, transfer_syntax=conformance.IMPLICIT_VR_LITTLE_ENDIAN
            ),
        ),
        user_information=(MaximumLength(maximum_length),),
    ).encode()


def answer(status: int = 0, command_field: int = 0x8030, message_id: int = 1) -> bytes:
    response = Response(command_field=command_field, message_id_being_responded_to=message_id, status=status)
    return b"".join(fragments(1, response.encode(), maximum_length=16384))


class Call:
    """An echo under way, and the peer's end of its connection."""

    def __init__(self, transport: Callable[[], Any], **options: Any) -> None:
        self.reactor = MemoryReactorClock()
        arguments = {"address": "127.0.0.1", "port": 104, "called_ae": "PEER", "calling_ae": "SDCC"}
        timers = {"artim_timeout": 5, "timeout": 10, "maximum_pdu_length": 16384}
        self.result = ensureDeferred(requestor.echo(self.reactor, **arguments | timers | options))
        self.outcome: list[Any] = []
        self.result.addBoth(self.outcome.append)
        if not self.outcome:
            [(*_, factory, _, _)] = self.reactor.tcpClients
            self.protocol = factory.buildProtocol(None)
            self.transport = transport()
            self.protocol.makeConnection(self.transport)

    def send(self, *data: bytes) -> None:
        for part in data:
            self.protocol.dataReceived(part)
            self.reactor.advance(0)

    def close(self) -> None:
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self.reactor.advance(0)

    def error(self) -> str:
        [failure] = self.outcome
        failure.trap(requestor.RequestorError)
        assert self.reactor.getDelayedCalls() == [] or self.transport.disconnected
        return str(failure.value)


@pytest.fixture
def call(build: SimpleNamespace) -> Callable[..., Call]:
    return lambda **options: Call(build.Transport, **options)


def test_a_verified_peer_is_released_in_order(call: Callable[..., Call]) -> None:
    """The connection is closed by A-RELEASE-RP, not reset under the peer's hands."""
    echo = call()
    echo.send(accept(), answer())
    assert ReleaseRQ().encode() in echo.transport.value()
    assert not echo.transport.disconnecting
    echo.send(ReleaseRP().encode())
    assert echo.transport.disconnecting
    assert echo.outcome == []
    echo.close()
    [result] = echo.outcome
    assert result.status == 0
    assert echo.reactor.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ((AssociateRJ(1, 1, 7).encode(),), "1/1/7"),
        ((accept(result=3),), "not Verification"),
        ((accept(), Abort(0, 0).encode()), "peer aborted, source 0"),
        ((accept() + Abort(2, 2).encode(),), "peer aborted, source 2, reason 2"),
        ((accept() + b"junk" * 5,), "PDU type"),
        ((accept(context_id=3),), "was not proposed"),
        ((accept(context_id=3) + Abort(0, 0).encode(),), "peer aborted, source 0"),
        ((accept(4),), "can take no message"),
        ((accept(), ReleaseRQ().encode()), "released the association"),
        ((accept(), answer(command_field=0x8001)), "no response to our request"),
        ((accept(), answer(message_id=77)), "no response to our request"),
        ((b"HTTP/1.1 400 Bad Request\r\n",), "PDU type 48H"),
    ],
)
def test_what_else_a_peer_may_do_is_told_in_words(
    call: Callable[..., Call], sent: tuple[bytes, ...], words: str
) -> None:
    echo = call()
    echo.send(*sent)
    assert words in echo.error()
    assert echo.transport.disconnected or echo.transport.disconnecting


@pytest.mark.parametrize(
    ("sent", "step"),
    [((), "A-ASSOCIATE-RQ"), ((accept(),), "C-ECHO-RQ"), ((accept(), answer()), "A-RELEASE-RQ")],
)
def test_each_step_is_given_up_after_its_timeout(
    call: Callable[..., Call], sent: tuple[bytes, ...], step: str
) -> None:
    echo = call()
    echo.send(*sent)
    echo.reactor.advance(10)
    assert echo.error() == f"no answer to {step} within 10 s"


@pytest.mark.parametrize("sent", [(), (accept(),)])
def test_a_connection_that_is_lost_is_told(call: Callable[..., Call], sent: tuple[bytes, ...]) -> None:
    echo = call()
    echo.send(*sent)
    echo.close()
    assert echo.error() == "the connection was lost"


@pytest.mark.parametrize("address", ["a_b", "xn--a"])
def test_a_name_that_is_none_is_no_connection(call: Callable[..., Call], address: str) -> None:
    echo = call(address=address)
    [failure] = echo.outcome
    failure.trap(requestor.NotConnected)
    assert address in str(failure.value)
