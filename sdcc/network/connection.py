"""The Twisted side of one association, whichever role it has.

A :class:`Connection` gives what it receives to the sans-IO association and performs what that
asks for: it writes, keeps the ARTIM timer and closes. What an indication means is the business
of its subclasses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol as TypingProtocol
from typing import cast

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime, IWriteDescriptor
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from sdcc.network.flow import Pausable
from sdcc.network.security import ISecured
from sdcc.upper_layer.association import Association
from sdcc.upper_layer.machine import Effect, Indication, Output
from sdcc.upper_layer.pdu import Pieces

#: Bytes of answers that a peer may leave unread before it is read from no more.
UNREAD_LIMIT = 64 * 1024
#: Bytes of what has waited that are given to the socket in one call. Twisted's own are 128 KiB, which the
#: longest PDU of many peers is with its header over by six: these six would cost a turn of the reactor for
#: each PDU.
SEND_LIMIT = 1024 * 1024
#: The most pieces of one call, on Linux and elsewhere.
IOV_MAX = 1024


class TCPTransport(Pausable, TypingProtocol):
    """What is used of `twisted.internet.tcp.Connection`, some of it where it is no TLS over one."""

    #: Bytes that are read at once, and bytes waiting to be sent beyond which the producer is paused.
    bufferSize: int
    #: Bytes that are given to the socket in one call.
    SEND_LIMIT: int
    #: Whether it stands, and whether it is to be closed as soon as everything is sent.
    connected: bool
    disconnecting: bool
    #: The operating system's, not to be written to past what waits to be sent, nor past TLS.
    socket: Socket
    #: What waits to be sent, from an offset on.
    dataBuffer: bytes
    offset: int

    def write(self, data: bytes, /) -> None: ...
    def loseConnection(self) -> None: ...
    def abortConnection(self) -> None: ...
    def registerProducer(self, producer: object, streaming: bool) -> None: ...
    def unregisterProducer(self) -> None: ...
    def setTcpNoDelay(self, enabled: bool) -> None: ...
    def setTcpKeepAlive(self, enabled: bool) -> None: ...
    def getPeer(self) -> IAddress: ...


class Socket(TypingProtocol):
    """What is used of a socket that does not block."""

    def sendmsg(self, buffers: Pieces, /) -> int: ...


class Descriptor(TypingProtocol):
    """What is used of a socket as the reactor writes to it."""

    disconnecting: bool

    def doWrite(self) -> object: ...


def peer_of(transport: TCPTransport) -> IPv4Address | IPv6Address:
    peer = transport.getPeer()
    assert isinstance(peer, IPv4Address | IPv6Address)
    return peer


class Connection(Protocol):
    """Performs one association's outputs on a transport.

    :param artim_timeout: seconds (PS3.8 9.1.5).
    """

    transport: TCPTransport  # type: ignore[assignment]  # Protocol knows ITransport alone

    def __init__(self, association: Association, clock: IReactorTime, artim_timeout: float) -> None:
        self.association = association
        self._clock = clock
        self._artim_timeout = artim_timeout
        self._artim: IDelayedCall | None = None
        self._closing: IDelayedCall | None = None
        #: The socket as the reactor writes to it, where there is one, and the TLS over it, where there is.
        self._descriptor: Descriptor | None = None
        self._secured: ISecured | None = None
        #: What TLS had to do with the loss of the connection; empty: nothing.
        self._tls_cause = ""

    @property
    def is_secure(self) -> bool:
        """Whether it is over TLS. Known as soon as there is a transport."""
        return self._secured is not None

    # --- from the transport ---

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self.transport.setTcpKeepAlive(True)
        self._secured = ISecured(self.transport, None)
        tcp = self.transport if self._secured is None else self._secured.tcp
        self._descriptor = cast("Descriptor | None", IWriteDescriptor(tcp, None))
        self.transport.SEND_LIMIT = SEND_LIMIT
        self.perform(self.association.transport_opened())

    def dataReceived(self, data: bytes) -> None:
        self.perform(self.association.receive_data(data))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._stop_artim()
        if self._closing is not None and self._closing.active():
            self._closing.cancel()
        if self._secured is not None:
            self._tls_cause = self._secured.why(reason)
        self.perform(self.association.transport_closed())

    # --- to the transport and the timer ---

    def perform(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            if isinstance(output, list):
                self._send(output)
            elif isinstance(output, bytes):
                self._send([output])
            elif isinstance(output, Effect):
                self._take_effect(output)
            else:
                self.indicate(output)

    def _send(self, pieces: Pieces) -> None:
        """At once, as far as the socket takes it: what else this turn of the reactor does can wait."""
        transport, descriptor = self.transport, self._descriptor
        if descriptor is None:
            transport.write(b"".join(pieces))
            return
        sent = 0
        if self._secured is None:  # past TLS, nothing may reach the socket
            is_empty = transport.offset == len(transport.dataBuffer)
            if is_empty and transport.connected and not transport.disconnecting:
                sent = _taken(transport.socket, pieces)
                if sent == sum(map(len, pieces)):
                    return
        # Of one number Twisted makes two limits, and what a peer leaves unread has its own.
        read_size, transport.bufferSize = transport.bufferSize, UNREAD_LIMIT
        transport.write(b"".join(pieces)[sent:])
        transport.bufferSize = read_size
        if not descriptor.disconnecting:  # else the reactor, which closes it when all is sent, must send it
            descriptor.doWrite()  # what fails here fails again in the reactor's own turn, which sees to it

    def indicate(self, indication: Indication) -> None:
        """An indication or confirmation of PS3.8 section 7."""
        raise NotImplementedError

    def _take_effect(self, effect: Effect) -> None:
        if effect is Effect.START_ARTIM:
            self._stop_artim()
            self._artim = self._clock.callLater(self._artim_timeout, self._artim_expired)
        elif effect is Effect.STOP_ARTIM:
            self._stop_artim()
        elif effect is Effect.CLOSE_TRANSPORT:
            self.lose()
            if self._closing is None:  # what the peer does not read would keep the connection for ever
                self._closing = self._clock.callLater(self._artim_timeout, self.transport.abortConnection)

    def lose(self) -> None:
        """Close as soon as everything is sent."""
        if self._secured is None:  # TLS sees to this by itself
            self.transport.unregisterProducer()  # which would be asked for more first, and give nothing
        self.transport.loseConnection()

    def _stop_artim(self) -> None:
        if self._artim is not None and self._artim.active():
            self._artim.cancel()
        self._artim = None

    def _artim_expired(self) -> None:
        self._artim = None
        self.perform(self.association.artim_expired())
        self.transport.abortConnection()


def _taken(socket: Socket, pieces: Pieces) -> int:
    """The bytes that a socket takes now, none of which were copied before."""
    if len(pieces) > IOV_MAX:
        pieces = [b"".join(pieces)]
    try:
        return socket.sendmsg(pieces)
    except OSError:  # it takes nothing now; what is a failure comes again when the transport writes
        return 0
