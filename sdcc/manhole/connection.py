"""An SSH connection, and what its client may cost: little before the login, no place for ever after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.conch.ssh.connection import SSHConnection
from twisted.conch.ssh.transport import DISCONNECT_BY_APPLICATION, SSHServerTransport
from twisted.internet.interfaces import IDelayedCall, IReactorTime, ITCPTransport
from twisted.logger import Logger
from twisted.python.failure import Failure

from sdcc import __version__
from sdcc.manhole.authorized_keys import SIGNATURES, AuthorizedKey
from sdcc.manhole.quiet import QUIET
from sdcc.printable import printable

#: Connections that have not logged in, and those that have.
MAXIMUM_WAITING = 8
MAXIMUM_SESSIONS = 4
#: Seconds from the connection to the login, and without a key pressed after it.
LOGIN_GRACE = 30.0
IDLE_TIMEOUT = 1800.0
#: Bytes that a client may send before its login: an honest one needs a few thousand.
MAXIMUM_BEFORE_LOGIN = 1 << 18
log = Logger(namespace="sdcc.manhole")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all connections share."""

    authorized_keys: Path
    read_keys: Callable[[], Awaitable[list[AuthorizedKey]]]
    #: Gives the names that a prompt knows, anew for each.
    namespace: Callable[[], dict[str, Any]]
    clock: IReactorTime


class Channels(SSHConnection):
    """The ssh-connection service."""

    _log = QUIET


class Connection(SSHServerTransport):
    """
    :param connections: all of them, in which it stands until it is lost.

    :ivar peer: from where, for the log.
    """

    _log = QUIET
    comment = b""
    version = f"SDCC_{__version__}".encode()
    ourVersionString = b"SSH-2.0-" + version
    #: Compression would let a small packet become a large one.
    supportedCompressions = [b"none"]
    supportedCiphers = [name for name in SSHServerTransport.supportedCiphers if name.endswith(b"-ctr")]
    supportedMACs = [name for name in SSHServerTransport.supportedMACs if name.startswith(b"hmac-sha2-")]
    supportedKeyExchanges = [
        name for name in SSHServerTransport.supportedKeyExchanges if not name.startswith(b"diffie-hellman")
    ]
    transport: ITCPTransport

    def __init__(self, surroundings: Surroundings, connections: set[Connection]) -> None:
        self.surroundings = surroundings
        self.peer = "a local socket"
        self.is_logged_in = False
        self._connections = connections
        self._received = 0
        self._timer: IDelayedCall | None = None

    # --- as a protocol ---

    def connectionMade(self) -> None:
        address = self.transport.getPeer()
        if host := getattr(address, "host", ""):
            self.peer = host
        self._connections.add(self)
        self._timer = self.surroundings.clock.callLater(LOGIN_GRACE, self._is_late)
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        """conch raises what it likes where a packet is not as it expects."""
        if not self.is_logged_in:
            self._received += len(data)
            if self._received > MAXIMUM_BEFORE_LOGIN:
                self._cut(f"it has sent {self._received} bytes before a login")
                return
        try:
            super().dataReceived(data)
        except Exception as error:  # the boundary: a stranger's bytes
            self._cut(f"this is no SSH: {printable(repr(error))[:80]}")

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super().connectionLost(reason)

    def sendExtInfo(self, extensions: object) -> None:
        """What users may sign with, where conch tells of the host's key."""
        algorithms = [name for names in SIGNATURES.values() for name in names]
        super().sendExtInfo([(b"server-sig-algs", b",".join(algorithms))])

    # --- its times ---

    def log_in(self, key: AuthorizedKey) -> str | None:
        """From now on it may take its time; what keeps it from that, or None."""
        if self not in self._connections or self._timer is None:
            return "it has gone"
        if sum(other.is_logged_in for other in self._connections) >= MAXIMUM_SESSIONS:
            return f"{MAXIMUM_SESSIONS} have logged in, which is the most"
        self.is_logged_in = True
        self._key = key
        self._timer.cancel()
        self._timer = self.surroundings.clock.callLater(IDLE_TIMEOUT, self._is_idle)
        return None

    def log_out(self) -> None:
        """conch calls it when the connection of a user is lost."""
        log.info("Manhole: {key} from {peer} has left", key=str(self._key), peer=self.peer)

    def is_active(self) -> None:
        """A key was pressed."""
        if self._timer is not None:
            self._timer.reset(IDLE_TIMEOUT)

    def end(self, words: str) -> None:
        """In order, as far as the client takes part in it."""
        self.sendDisconnect(DISCONNECT_BY_APPLICATION, words.encode())

    def abort(self) -> None:
        self.transport.abortConnection()

    def _is_late(self) -> None:
        self._timer = None
        self._cut(f"it has not logged in within {LOGIN_GRACE:g} s")

    def _is_idle(self) -> None:
        self._timer = None
        log.info("Manhole: {key} from {peer} is idle", key=str(self._key), peer=self.peer)
        self.end(f"no key was pressed for {IDLE_TIMEOUT:g} s")
        self.abort_later()

    def abort_later(self) -> None:
        """A client that does not take the last words is not waited for."""
        self._timer = self.surroundings.clock.callLater(LOGIN_GRACE, self._gone)

    def _gone(self) -> None:
        self._timer = None
        self.abort()

    def _cut(self, reason: str) -> None:
        log.warn("Manhole: the connection from {peer} is cut: {reason}", peer=self.peer, reason=reason)
        self.abort()
