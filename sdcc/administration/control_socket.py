"""The administrator's questions over a unix socket, a line of JSON each way.

A connection asks one question after the other; what it asks while one is being answered waits, unread. Only
root and the user that the server runs as are heard.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import ensureDeferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineReceiver
from twisted.protocols.policies import TimeoutMixin
from twisted.python.failure import Failure
from zope.interface import implementer

from sdcc.administration.commands import perform, read
from sdcc.administration.place import CONTROL, Close, listen
from sdcc.interfaces.administration import CannotDo, IAdministration
from sdcc.network.flow import Flow, Hold
from sdcc.printable import ascii_json

#: Not of a class, whose name would take the place of this one.
log = Logger(namespace="sdcc.administration")

#: Bytes of a question.
LONGEST_LINE = 64 * 1024
#: Connections at once, and seconds that one may be silent.
MAXIMUM_OPEN = 32
IDLE = 60
#: `struct ucred` of unix(7): process, user, group.
CREDENTIALS = struct.Struct("3i")

FAULT = "a fault of SDCC; its log says more"


def peer_uid(transport: Any) -> int:
    """The user at the other end of a unix socket, as the kernel knows it."""
    peer = transport.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    _, uid, _ = CREDENTIALS.unpack(peer)
    return int(uid)


class Transport(Protocol):
    """What is used of `twisted.internet.unix.Server`."""

    def write(self, data: bytes, /) -> None: ...
    def registerProducer(self, producer: object, streaming: bool) -> None: ...
    def unregisterProducer(self) -> None: ...
    def pauseProducing(self) -> None: ...
    def resumeProducing(self) -> None: ...
    def loseConnection(self) -> None: ...
    def abortConnection(self) -> None: ...


class ControlProtocol(LineReceiver, TimeoutMixin):
    """One connection."""

    transport: Transport  # type: ignore[assignment]  # LineReceiver knows ITransport alone
    delimiter = b"\n"
    MAX_LENGTH = LONGEST_LINE

    def __init__(self, factory: ControlFactory) -> None:
        self._factory = factory
        self._flow = Flow(self)
        self._uid = -1
        self._is_over = False

    # --- from the transport ---

    def connectionMade(self) -> None:
        self._factory.connections[self] = None
        self.transport.registerProducer(_Answers(self._flow), True)
        self._uid = self._factory.uid_of(self.transport)
        if self._uid not in (0, os.geteuid()):
            log.warn("user {uid} may not ask over the control socket", uid=self._uid)
            self.end()
            return
        self.setTimeout(IDLE)

    def lineReceived(self, line: bytes) -> None:
        if self._is_over:
            return
        self.setTimeout(None)
        self._flow.hold(Hold.QUEUE)
        ensureDeferred(self._answer(line))

    def lineLengthExceeded(self, line: bytes) -> None:
        if not self._is_over:
            self._send({"error": f"a line is no longer than {LONGEST_LINE} bytes"})
            self.end()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._is_over = True
        self._flow.close()
        self.setTimeout(None)
        self._factory.connections.pop(self, None)

    def callLater(self, period: float, func: Callable[[], None]) -> IDelayedCall:
        """For the timeout."""
        return self._factory.clock.callLater(period, func)

    def timeoutConnection(self) -> None:
        self.transport.abortConnection()

    # --- to it ---

    async def _answer(self, line: bytes) -> None:
        try:
            wanted = read(line)
            if wanted.acts:
                log.info("user {uid} asks: {wanted}", uid=self._uid, wanted=wanted)
            answer: dict[str, object] = {"result": await perform(wanted, self._factory.administration)}
        except CannotDo as error:
            answer = {"error": str(error)}
        except Exception:  # the boundary: whoever asks is to be answered, and asks on
            log.failure("a question of the administrator's failed")
            answer = {"error": FAULT}
        if self._is_over:
            return
        self._send(answer)
        self.setTimeout(IDLE)
        self._flow.let_go(Hold.QUEUE)

    def _send(self, answer: dict[str, object]) -> None:
        self.transport.write(f"{ascii_json(answer)}\n".encode("ascii"))

    def end(self) -> None:
        """Close, as soon as all is sent."""
        if self._is_over:
            return
        self._is_over = True
        self._flow.close()
        self.transport.unregisterProducer()
        self.transport.loseConnection()


@implementer(IPushProducer)
class _Answers:
    """What the transport thinks is making our answers: asks nothing new while they are not read."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow

    def pauseProducing(self) -> None:
        self._flow.hold(Hold.ANSWERS)

    def resumeProducing(self) -> None:
        self._flow.let_go(Hold.ANSWERS)

    def stopProducing(self) -> None:
        """The connection is lost, and says so itself."""


class ControlFactory(ServerFactory):
    """
    :param uid_of: gives the user at the other end of a transport.
    """

    noisy = False

    def __init__(
        self,
        administration: IAdministration,
        clock: IReactorTime,
        *,
        uid_of: Callable[[Any], int] = peer_uid,
    ) -> None:
        self.administration = administration
        self.clock = clock
        self.uid_of = uid_of
        #: In the order in which they came.
        self.connections: dict[ControlProtocol, None] = {}

    def buildProtocol(self, addr: IAddress | None) -> ControlProtocol | None:
        """None: there are too many, and it is closed."""
        return ControlProtocol(self) if len(self.connections) < MAXIMUM_OPEN else None


class ControlSocket:
    """The socket of a server, from its start to its stop.

    :param listen: listens in a folder.
    """

    def __init__(
        self, factory: ControlFactory, reactor: object, listen: Callable[..., Close] = listen
    ) -> None:
        self._factory = factory
        self._reactor = reactor
        self._listen = listen
        self._close: Close | None = None

    def open(self, folder: str | None) -> None:
        """Listen in this folder; where that is not possible, say so and do without."""
        try:
            if folder is None:
                raise FileNotFoundError("the folder of this process is not there")
            self._close = self._listen(self._reactor, folder, self._factory)
        except OSError as error:
            log.warn(
                "sdccctl cannot ask this server: {folder}/{name}: {error}",
                folder=folder,
                name=CONTROL,
                error=error.strerror or error,
            )

    async def stop(self) -> None:
        close, self._close = self._close, None
        if close is not None:
            await close()
        for connection in list(self._factory.connections):
            connection.end()
