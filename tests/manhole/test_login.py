"""The ssh-userauth service, packet by packet: what the system's ssh would never send."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from twisted.conch.error import ConchError
from twisted.conch.ssh.common import NS
from twisted.conch.ssh.keys import Key
from twisted.conch.ssh.userauth import (
    MSG_USERAUTH_FAILURE,
    MSG_USERAUTH_PK_OK,
    MSG_USERAUTH_REQUEST,
    MSG_USERAUTH_SUCCESS,
)
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from sdcc.manhole.authorized_keys import AuthorizedKey
from sdcc.manhole.connection import Channels, Surroundings
from sdcc.manhole.login import ATTEMPTS, Login
from sdcc.manhole.session import User

ANNA = Key(Ed25519PrivateKey.generate())
BERT = Key(Ed25519PrivateKey.generate())
SESSION = b"this connection's"
ONLY_KEYS = (MSG_USERAUTH_FAILURE, NS(b"publickey") + b"\0")
YES = (MSG_USERAUTH_SUCCESS, b"")


class Connection:
    """In the place of one: what the service tells it."""

    peer = "192.168.10.9"
    sessionID = SESSION

    def __init__(self, keys: list[AuthorizedKey] | Deferred[list[AuthorizedKey]]) -> None:
        self.sent: list[tuple[int, bytes]] = []
        self.disconnected = b""
        self.is_logged_in = False
        self.service: object = None
        self.factory = self
        self._keys = keys
        self.surroundings = Surroundings(
            authorized_keys=Path("keys"), read_keys=self.read, namespace=dict, clock=Clock()
        )

    async def read(self) -> list[AuthorizedKey]:
        return await self._keys if isinstance(self._keys, Deferred) else self._keys

    def sendPacket(self, kind: int, payload: bytes) -> None:
        self.sent.append((kind, payload))

    def sendDisconnect(self, code: int, words: bytes) -> None:
        self.disconnected = words

    def log_in(self, key: AuthorizedKey) -> str | None:
        self.is_logged_in = True
        return None

    def log_out(self) -> None: ...

    def getService(self, connection: object, name: bytes) -> type:
        return Channels

    def setService(self, service: object) -> None:
        self.service = service


def line(key: Key) -> AuthorizedKey:
    return AuthorizedKey(number=1, blob=key.public().blob(), comment="anna", fault="")


def request(
    key: Key,
    *,
    algorithm: bytes = b"",
    user: bytes = b"sdcc",
    session: bytes = SESSION,
    signed_by: Key | None = None,
    signature_type: bytes = b"",
) -> bytes:
    """With a signature. Each keyword takes the place of what is right."""
    algorithm = algorithm or key.sshType()
    blob = key.public().blob()
    fields = NS(user) + NS(b"ssh-connection") + NS(b"publickey") + b"\1" + NS(algorithm) + NS(blob)
    signed = NS(session) + bytes((MSG_USERAUTH_REQUEST,)) + fields
    signature = (signed_by or key).sign(signed, signature_type or algorithm)
    return fields + NS(signature)


def question(key: Key) -> bytes:
    """Whether a key would do."""
    fields = NS(b"sdcc") + NS(b"ssh-connection") + NS(b"publickey") + b"\0"
    return fields + NS(key.sshType()) + NS(key.public().blob())


@pytest.fixture
def login() -> Callable[..., tuple[Login, Connection]]:
    def make(keys: Any = None) -> tuple[Login, Connection]:
        connection, service = Connection([line(ANNA)] if keys is None else keys), Login()
        service.transport = connection
        service.serviceStarted()
        return service, connection

    return make


Make = Callable[..., tuple[Login, Connection]]


def test_a_signature_of_an_authorized_key_lets_in(login: Make, lines: list[str]) -> None:
    service, connection = login()
    service.ssh_USERAUTH_REQUEST(request(ANNA))
    assert connection.sent == [YES]
    assert isinstance(connection.service, Channels)
    assert isinstance(connection.avatar, User)
    assert lines[-1].endswith("(anna) has logged in from 192.168.10.9")


@pytest.mark.parametrize(
    "wrong",
    [
        {"signed_by": BERT},
        {"session": b"another connection's"},
        {"user": b"root"},
        {"algorithm": b"ssh-rsa", "signature_type": b"ssh-ed25519"},
    ],
)
def test_any_other_signature_does_not(login: Make, lines: list[str], wrong: dict[str, Any]) -> None:
    service, connection = login()
    service.ssh_USERAUTH_REQUEST(request(ANNA, **wrong))
    assert connection.sent == [ONLY_KEYS]
    assert not connection.is_logged_in
    [told] = lines
    assert " from 192.168.10.9 is refused: " in told


def test_a_key_that_is_known_is_nothing_without_its_signature(login: Make) -> None:
    service, connection = login()
    service.ssh_USERAUTH_REQUEST(question(ANNA))
    service.ssh_USERAUTH_REQUEST(question(BERT))
    would_do = NS(b"ssh-ed25519") + NS(ANNA.public().blob())
    assert connection.sent == [(MSG_USERAUTH_PK_OK, would_do), ONLY_KEYS]
    assert not connection.is_logged_in


@pytest.mark.parametrize(
    ("bits", "algorithm", "reason"),
    [
        (2048, b"rsa-sha2-256", None),
        (1024, b"rsa-sha2-256", "RSA keys of less than 2048 bits are not taken"),
        (2048, b"ssh-rsa", "signatures of type ssh-rsa are not taken"),
    ],
)
def test_weak_keys_and_signatures_are_refused(
    login: Make, lines: list[str], bits: int, algorithm: bytes, reason: str | None
) -> None:
    key = Key(generate_private_key(65537, bits))
    service, connection = login([line(key)])
    service.ssh_USERAUTH_REQUEST(request(key, algorithm=algorithm))
    assert connection.sent == [ONLY_KEYS if reason else YES]
    assert reason is None or lines[-1].endswith(f"is refused: {reason}")


def test_what_the_request_names_is_what_the_signature_must_be(login: Make) -> None:
    key = Key(generate_private_key(65537, 2048))
    service, connection = login([line(key)])
    service.ssh_USERAUTH_REQUEST(request(key, algorithm=b"rsa-sha2-512", signature_type=b"ssh-rsa"))
    assert connection.sent == [ONLY_KEYS]


def test_a_password_is_refused_and_said_so(login: Make, lines: list[str]) -> None:
    service, connection = login()
    service.ssh_USERAUTH_REQUEST(NS(b"sdcc") + NS(b"ssh-connection") + NS(b"none"))
    assert lines == []
    service.ssh_USERAUTH_REQUEST(NS(b"sdcc") + NS(b"ssh-connection") + NS(b"password") + b"\0" + NS(b"sdcc"))
    assert connection.sent == [ONLY_KEYS, ONLY_KEYS]
    assert lines == ["Manhole: the method password from 192.168.10.9 is refused: there is none but keys"]


def test_a_client_may_try_so_many_keys(login: Make) -> None:
    service, connection = login()
    for _ in range(ATTEMPTS):
        service.ssh_USERAUTH_REQUEST(question(BERT))
    assert connection.disconnected == b""
    service.ssh_USERAUTH_REQUEST(question(BERT))
    assert connection.disconnected == b"too many bad auths"


def test_the_file_is_read_for_one_request_at_a_time(login: Make) -> None:
    keys: Deferred[list[AuthorizedKey]] = Deferred()
    service, connection = login(keys)
    service.ssh_USERAUTH_REQUEST(request(ANNA))
    service.ssh_USERAUTH_REQUEST(request(ANNA))
    assert connection.sent == [ONLY_KEYS]
    keys.callback([line(ANNA)])
    assert connection.sent == [ONLY_KEYS, YES]


@pytest.mark.parametrize("blob", [b"", b"\0", NS(b"ssh-ed25519"), NS(b"ssh-ed25519") + NS(b"short")])
def test_a_key_that_is_none_is_refused(login: Make, lines: list[str], blob: bytes) -> None:
    fields = NS(b"sdcc") + NS(b"ssh-connection") + NS(b"publickey") + b"\1" + NS(b"ssh-ed25519") + NS(blob)
    damaged = AuthorizedKey(number=1, blob=blob, comment="", fault="")
    service, connection = login([damaged])
    service.ssh_USERAUTH_REQUEST(fields + NS(NS(b"ssh-ed25519") + NS(b"signature")))
    assert connection.sent == [ONLY_KEYS]
    assert len(lines) == 1


def test_a_connection_has_only_so_many_sessions(login: Make) -> None:
    """As the user's avatar counts them, whom conch asks about each channel."""
    _, connection = login()
    user = User(connection.surroundings, connection, line(ANNA))
    user.conn = Channels()
    for number in range(4):
        user.conn.channels[number] = user.lookupChannel(b"session", 1, 1, b"")
    with pytest.raises(ConchError):
        user.lookupChannel(b"session", 1, 1, b"")
