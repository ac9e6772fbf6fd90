"""A session's requests, one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.conch.ssh.common import NS
from twisted.conch.ssh.session import packRequest_pty_req, packRequest_window_change
from twisted.internet.task import Clock

from sdcc.manhole.authorized_keys import AuthorizedKey
from sdcc.manhole.commands import namespace
from sdcc.manhole.connection import Surroundings
from sdcc.manhole.session import Session, User

from .conftest import Administration, shown

PTY = packRequest_pty_req(b"xterm", (24, 80, 0, 0), b"")


class Conch:
    """In the place of the connection, above and below."""

    peer = "192.168.10.9"

    def __init__(self) -> None:
        self.sent = b""
        self.requests: list[tuple[bytes, bytes]] = []
        self.is_closed = False

    def is_active(self) -> None: ...

    def sendData(self, channel: Session, data: bytes) -> None:
        self.sent += data

    def sendExtendedData(self, channel: Session, kind: int, data: bytes) -> None:
        self.sent += data

    def sendRequest(self, channel: Session, kind: bytes, data: bytes) -> None:
        self.requests.append((kind, data))

    def sendClose(self, channel: Session) -> None:
        self.is_closed = True


def opened(names: Any = None) -> tuple[Session, Conch]:
    conch = Conch()
    surroundings = Surroundings(
        authorized_keys=Path("keys"),
        read_keys=lambda: pytest.fail("nobody logs in here"),
        namespace=names or (lambda: namespace(Administration(), shown)),
        clock=Clock(),
    )
    user = User(surroundings, conch, AuthorizedKey(number=1, blob=b"", comment="anna", fault=""))
    user.conn = conch
    session = Session(user, 1 << 20, 1 << 15)
    session.conn = conch
    return session, conch


def test_a_session_is_one_prompt_or_one_expression() -> None:
    session, conch = opened()
    assert session.requestReceived(b"pty-req", PTY)
    assert session.requestReceived(b"shell", b"")
    assert not session.requestReceived(b"shell", b"")
    assert not session.requestReceived(b"exec", NS(b"abort(7)"))
    assert b"abort" not in conch.sent


@pytest.mark.parametrize(
    "request_", [b"subsystem", b"env", b"x11-req", b"auth-agent-req@openssh.com", b"signal"]
)
def test_nothing_else_is_provided(request_: bytes) -> None:
    session, _ = opened()
    assert not session.requestReceived(request_, NS(b"sftp") + NS(b""))


def test_the_prompt_knows_how_wide_it_is() -> None:
    session, _ = opened()
    session.requestReceived(b"pty-req", PTY)
    session.requestReceived(b"shell", b"")
    assert session._prompt is not None
    assert (session._prompt.width, session._prompt.height) == (80, 24)
    assert session.requestReceived(b"window-change", packRequest_window_change((40, 132, 0, 0)))
    assert (session._prompt.width, session._prompt.height) == (132, 40)


def test_a_fault_of_ours_ends_the_session_and_not_the_server(lines: list[str]) -> None:
    session, conch = opened(lambda: 1 / 0)
    assert session.requestReceived(b"exec", NS(b"status()"))
    assert conch.sent == b"SDCC has failed; its log says how.\n"
    assert conch.requests == [(b"exit-status", b"\0\0\0\1")]
    assert conch.is_closed
    assert lines[-1] == "the manhole failed"


def test_what_comes_when_the_client_has_gone_is_dropped() -> None:
    administration = Administration()
    session, conch = opened(lambda: namespace(administration, shown))
    session.requestReceived(b"exec", NS(b"reload()"))
    session.closed()
    administration.reloading.callback({})
    assert (conch.sent, conch.requests) == (b"", [])
