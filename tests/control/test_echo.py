"""`sdccctl echo`: whom it calls, and what it says of the answer."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import ensureDeferred
from twisted.internet.testing import MemoryReactorClock, StringTransport

from sdcc.config import AssociationSettings, Configuration, Local, Remote
from sdcc.control import echo, main, parser
from sdcc.control.peer import NoPeer, Peer, peer
from sdcc.interfaces import AssociationLost
from sdcc.network.lost import AssociationAborted, NoResponse
from sdcc.network.requestor import EchoResult
from sdcc.upper_layer.framing import Framer

CONFIGURATION = Configuration(
    locals=(Local(ae_title="ARCHIVE"), Local(ae_title="SECOND", port=104)),
    remotes=(
        Remote(ae_title="CT 01", address="ct01.example.org", port=104),
        Remote(ae_title="MUTE", address="192.168.10.9"),
        Remote(ae_title="A@B:1", address="192.168.10.10", port=11112),
    ),
    association=AssociationSettings(artim_timeout=7.0, maximum_pdu_length=32768),
)
REACTOR = object()


def react(perform: Any) -> NoReturn:
    """As `task.react` ends, for what waits for nothing."""
    performed = ensureDeferred(perform(REACTOR))
    assert performed.called
    performed.addErrback(lambda failure: failure.raiseException())
    raise SystemExit(0)


class Transport(StringTransport):
    """TCP, as far as it is used."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass

    def setTcpKeepAlive(self, enabled: bool) -> None:
        pass

    def unregisterProducer(self) -> None:
        """Whether there is one or not."""
        self.producer = None


class Echo:
    """A peer that answers as it is told."""

    def __init__(self, answer: EchoResult | AssociationLost) -> None:
        self.answer = answer

    async def __call__(self, caller: object, clock: object, **keywords: object) -> EchoResult:
        if isinstance(self.answer, AssociationLost):
            raise self.answer
        return self.answer


def run(arguments: list[str], answer: EchoResult | AssociationLost) -> int:
    options = parser().parse_args(["echo", *arguments])
    return echo.run(options, CONFIGURATION, echo=Echo(answer), react=react)


def test_a_peer_that_answers_is_shown_with_its_time(capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["CT 01"], EchoResult(0x0000, 0.00214))
    assert code == 0
    assert capsys.readouterr() == ("CT 01@ct01.example.org:104 answered C-ECHO with 0000 in 2.1 ms\n", "")


@pytest.mark.parametrize(
    ("answer", "code", "status", "comment"),
    [
        (EchoResult(0x0000, 0.00214), 0, "0000", ""),
        (EchoResult(0x0124, 0.00214), 1, "0124", ""),
        (NoResponse("no answer"), 1, None, "no answer"),
    ],
)
def test_programs_get_one_object_whatever_comes(
    answer: EchoResult | AssociationLost,
    code: int,
    status: str | None,
    comment: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["CT 01", "--json"], answer) == code
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out) == {
        "ae_title": "CT 01",
        "address": "ct01.example.org",
        "port": 104,
        "status": status,
        "milliseconds": None if status is None else 2.1,
        "comment": comment,
    }


def test_the_association_is_asked_for_as_configured() -> None:
    reactor = MemoryReactorClock()

    def react(perform: Any) -> NoReturn:
        """Until the peer has taken the connection and says no more."""
        performed = ensureDeferred(perform(reactor))
        [(host, port, factory, timeout, _)] = reactor.tcpClients
        assert (host, port, timeout) == ("192.168.10.10", 11112, 2.5)
        protocol = factory.buildProtocol(IPv4Address("TCP", host, port))
        transport = Transport()
        protocol.makeConnection(transport)
        [request] = Framer(0).feed(transport.value())
        assert (request.called_ae, request.calling_ae) == ("A@B:1", "ARCHIVE")
        assert request.maximum_length == 32768
        reactor.advance(2.5)
        assert performed.called
        raise SystemExit(0)

    options = parser().parse_args(["echo", "A@B:1", "--timeout", "2.5"])
    assert echo.run(options, CONFIGURATION, react=react) == 1


def test_another_status_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["X@::1:104"], EchoResult(0x0124, 0.001))
    assert code == 1
    assert capsys.readouterr() == ("", "X@[::1]:104 answered C-ECHO with 0124 in 1.0 ms\n")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NoResponse("no answer to C-ECHO-RQ within 10 s"), "no answer to C-ECHO-RQ within 10 s"),
        (AssociationAborted("the peer aborted\x1b"), r"the peer aborted\x1b"),
    ],
)
def test_what_went_wrong_is_said_with_the_peer(
    error: AssociationLost, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["X@host:104"], error)
    assert code == 1
    assert capsys.readouterr() == ("", f"X@host:104: {words}\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CT 01", Peer(ae_title="CT 01", address="ct01.example.org", port=104)),
        (" CT 01 ", Peer(ae_title="CT 01", address="ct01.example.org", port=104)),
        ("A@B:1", Peer(ae_title="A@B:1", address="192.168.10.10", port=11112)),
        ("X@host:1", Peer(ae_title="X", address="host", port=1)),
        ("CT 01@host:1", Peer(ae_title="CT 01", address="host", port=1)),
        ("A@B@10.0.0.1:65535", Peer(ae_title="A@B", address="10.0.0.1", port=65535)),
        ("X@[::1]:104", Peer(ae_title="X", address="::1", port=104)),
    ],
)
def test_a_peer_is_a_configured_remote_or_given_in_full(text: str, expected: Peer) -> None:
    assert peer(text, CONFIGURATION) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("CT02", "ct 01", "", "@host:104", "X@host", "X@host:", "X@host:0", "X@host:65536", "X@host:1_0"),
        *("X@:104", "X@ho st:104", "X@10.0.0.256:104", "SEVENTEEN_LETTERS@host:104", "X@host:\u0661"),
    ],
)
def test_anybody_else_is_unknown(text: str) -> None:
    with pytest.raises(NoPeer, match=r"known: 'CT 01', 'MUTE', 'A@B:1'$"):
        peer(text, CONFIGURATION)


def test_a_remote_without_a_port_cannot_be_called() -> None:
    with pytest.raises(NoPeer, match=r"^\[\[remote\]\] 'MUTE' has no port to be called on$"):
        peer("MUTE", CONFIGURATION)


def test_an_unknown_peer_is_not_tried(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", config, "echo", "CT02"]) == 2
    assert capsys.readouterr() == (
        "",
        "'CT02' is no [[remote]] and no TITLE@host:port; known: 'CT01', 'WS'\n",
    )


HUNG_RESOLVER = """
import socket, sys, time
socket.getaddrinfo = lambda *arguments, **options: time.sleep(3600)
from sdcc.control import main
sys.exit(main(["echo", "X@peer.example.org:104", "--timeout", "0.2"]))
"""


def test_a_resolver_that_hangs_holds_nobody_up(tmp_path: Path) -> None:
    """Not even the end of the process, which would wait for a thread of the reactor's."""
    done = subprocess.run(
        [sys.executable, "-c", HUNG_RESOLVER],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    words = "no connection to peer.example.org:104: the host name was not resolved in time"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"X@peer.example.org:104: {words}\n")


def test_a_port_where_nobody_listens_is_said_to_be_so(tmp_path: Path) -> None:
    """As a process, on its real reactor."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        called = f"X@127.0.0.1:{taken.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, "-m", "sdcc.control", "echo", called],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{called}: no connection to ")
