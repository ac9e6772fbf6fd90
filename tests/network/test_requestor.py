"""A C-ECHO of ours ends in a result or an AssociationLost, whatever the peer does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from sdcc.interfaces import AssociationLost
from sdcc.network import requestor
from sdcc.network.lost import NotConnected
from sdcc.upper_layer.pdu import Abort, AssociateRJ, ReleaseRP, ReleaseRQ

from .calls import PEER, TIMEOUTS, Awaited, Line, accept, answer


class Call(Line):
    """An echo under way, and the peer's end of its connection."""

    def __init__(self, transport: type[Any], address: str) -> None:
        super().__init__(transport, replace(PEER, address=address))
        self.outcome = Awaited(requestor.echo(self.caller, self.reactor, called_ae="PEER", calling_ae="SDCC"))
        if not self.outcome.is_there:
            self.connect()

    def error(self) -> str:
        assert self.is_left_clean()
        return self.outcome.error(AssociationLost)


@pytest.fixture
def call(build: SimpleNamespace) -> Callable[..., Call]:
    return lambda address="127.0.0.1": Call(build.Transport, address)


def test_a_verified_peer_is_released_in_order(call: Callable[..., Call]) -> None:
    """The connection is closed by A-RELEASE-RP, not reset under the peer's hands."""
    echo = call()
    echo.send(accept(), answer())
    assert ReleaseRQ().encode() in echo.transport.value()
    assert not echo.transport.disconnecting
    echo.send(ReleaseRP().encode())
    assert echo.transport.disconnecting
    assert not echo.outcome.is_there
    assert echo.is_left_clean()
    assert echo.outcome.value.status == 0


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


@pytest.mark.parametrize(
    ("sent", "step", "seconds"),
    [
        ((), "A-ASSOCIATE-RQ", TIMEOUTS.acse),
        ((accept(),), "C-ECHO-RQ", TIMEOUTS.dimse),
        ((accept(), answer()), "A-RELEASE-RQ", TIMEOUTS.acse),
    ],
)
def test_each_step_is_given_up_after_its_timeout(
    call: Callable[..., Call], sent: tuple[bytes, ...], step: str, seconds: float
) -> None:
    echo = call()
    echo.send(*sent)
    echo.reactor.advance(seconds - 0.1)
    assert not echo.outcome.is_there
    echo.reactor.advance(0.1)
    assert echo.error() == f"no answer to {step} within {seconds:g} s"


@pytest.mark.parametrize("sent", [(), (accept(),)])
def test_a_connection_that_is_lost_is_told(call: Callable[..., Call], sent: tuple[bytes, ...]) -> None:
    echo = call()
    echo.send(*sent)
    echo.close()
    assert echo.error() == "the connection was lost"


def test_a_name_that_is_none_is_no_connection(call: Callable[..., Call]) -> None:
    assert call("a_b").outcome.error(NotConnected) == "no connection to a_b:104: the host name has no address"
