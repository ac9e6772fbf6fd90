"""What a client that has logged in may open: sessions (RFC 4254 6), each a prompt or one expression.

No port is forwarded, no agent, no subsystem, no environment.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from twisted.conch.error import ConchError
from twisted.conch.insults.insults import ServerProtocol
from twisted.conch.interfaces import IConchUser
from twisted.conch.ssh.channel import SSHChannel
from twisted.conch.ssh.common import getNS
from twisted.conch.ssh.connection import EXTENDED_DATA_STDERR, OPEN_ADMINISTRATIVELY_PROHIBITED
from twisted.conch.ssh.session import parseRequest_pty_req, parseRequest_window_change
from twisted.internet.defer import ensureDeferred
from twisted.internet.error import ConnectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from sdcc.manhole.authorized_keys import AuthorizedKey
from sdcc.manhole.expression import evaluated
from sdcc.manhole.prompt import Prompt
from sdcc.manhole.quiet import QUIET
from sdcc.printable import printable

if TYPE_CHECKING:
    from sdcc.manhole.connection import Connection, Surroundings

#: Sessions of one connection.
MAXIMUM_CHANNELS = 4
#: Letters of what was typed that a line of the log shows.
SHOWN = 200
NO_TERMINAL = b"The prompt needs a terminal: ssh -t, or an expression as the command.\n"
log = Logger(namespace="sdcc.manhole")


@implementer(IConchUser)
class User:
    """Somebody who has logged in, as conch asks about them."""

    conn: Any = None

    def __init__(self, surroundings: Surroundings, connection: Connection, key: AuthorizedKey) -> None:
        self.surroundings = surroundings
        self.connection = connection
        self._key = key

    def lookupChannel(self, kind: bytes, window: int, packet: int, data: bytes) -> Session:
        if kind != b"session" or len(self.conn.channels) >= MAXIMUM_CHANNELS:
            raise ConchError("this is not provided", OPEN_ADMINISTRATIVELY_PROHIBITED)
        return Session(self, window, packet)

    def lookupSubsystem(self, name: bytes, data: bytes) -> None:
        return None

    def gotGlobalRequest(self, name: bytes, data: bytes) -> int:
        return 0

    def typed(self, text: str) -> None:
        """What an administrator does to a server is in its log."""
        shown = printable(text[: SHOWN + 1])
        log.info(
            "Manhole: {key} from {peer}: {text}",
            key=str(self._key),
            peer=self.connection.peer,
            text=shown if len(text) <= SHOWN else f"{shown[:SHOWN]}...",
        )


class Session(SSHChannel):
    """A channel of the type "session"."""

    name = b"session"
    _log = QUIET

    def __init__(self, user: User, window: int, packet: int) -> None:
        super().__init__(remoteWindow=window, remoteMaxPacket=packet)
        self._user = user
        self._size: tuple[int, int] | None = None
        self._prompt: Prompt | None = None
        self._terminal: ServerProtocol | None = None
        self._is_taken = False
        self._is_closed = False

    def requestReceived(self, kind: bytes, data: bytes) -> bool:
        requests = {
            b"pty-req": self._pty,
            b"window-change": self._resized,
            b"shell": self._shell,
            b"exec": self._exec,
        }
        return kind in requests and requests[kind](data)

    def dataReceived(self, data: bytes) -> None:
        """Keys. An expression reads nothing."""
        self._user.connection.is_active()
        if self._terminal is not None:
            self._terminal.dataReceived(data)

    def extReceived(self, kind: int, data: bytes) -> None:
        """Nothing reads it."""

    def eofReceived(self) -> None:
        """Nothing more is typed."""
        if self._prompt is not None:
            self._prompt.handle_QUIT()

    def closed(self) -> None:
        self._is_closed = True
        if self._terminal is not None:
            self._terminal.connectionLost(Failure(ConnectionDone()))
            self._terminal = None

    # --- requests ---

    def _pty(self, data: bytes) -> bool:
        _, (rows, columns, _, _), _ = parseRequest_pty_req(data)
        self._size = columns, rows
        return True

    def _resized(self, data: bytes) -> bool:
        rows, columns, _, _ = parseRequest_window_change(data)
        if self._prompt is not None:
            self._prompt.terminalSize(columns, rows)
        return True

    def _shell(self, data: bytes) -> bool:
        if self._is_taken:
            return False
        self._is_taken = True
        if self._size is None:
            self._finish("", NO_TERMINAL.decode(), 1)
            return True
        prompt = self._prompt = Prompt(
            self._user.surroundings.namespace(), self._user.typed, self._finish_prompt
        )
        prompt.width, prompt.height = self._size
        self._terminal = ServerProtocol(lambda: prompt)
        self._terminal.makeConnection(self)
        return True

    def _exec(self, data: bytes) -> bool:
        if self._is_taken:
            return False
        self._is_taken = True
        expression = getNS(data)[0].decode("utf-8", "replace")
        self._user.typed(expression)
        ensureDeferred(self._evaluate(expression)).addErrback(self._failed)
        return True

    async def _evaluate(self, expression: str) -> None:
        self._finish(*await evaluated(expression, self._user.surroundings.namespace()))

    def _failed(self, failure: Failure) -> None:
        log.failure("the manhole failed", failure)
        self._finish("", "SDCC has failed; its log says how.\n", 1)

    def _finish_prompt(self) -> None:
        self._finish("", "", 0)

    def _finish(self, output: str, errors: str, code: int) -> None:
        """The last words, and the exit code as a program has it."""
        if self._is_closed:
            return
        end = "\r\n" if self._size is not None else "\n"
        if output:
            self.write(output.replace("\n", end).encode("utf-8", "backslashreplace"))
        if errors:
            text = errors.replace("\n", end).encode("utf-8", "backslashreplace")
            self.writeExtended(EXTENDED_DATA_STDERR, text)
        self._user.conn.sendRequest(self, b"exit-status", struct.pack(">L", code))
        self.loseConnection()
