"""The Twisted side of one association, whichever role it has.

A :class:`Connection` gives what it receives to the sans-IO association and performs what that
asks for: it writes, keeps the ARTIM timer and closes. What an indication means is the business
of its subclasses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol as TypingProtocol

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime, IWriteDescriptor
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from sdcc.network.flow import Pausable
from sdcc.upper_layer.association import Association
from sdcc.upper_layer.machine import Effect, Indication, Output

#: Bytes of answers that a peer may leave unread before it is read from no more.
UNREAD_LIMIT = 64 * 1024
#: Bytes that are given to the socket in one call. Twisted's own are 128 KiB, which the longest PDU of many
#: peers is with its header over by six: these six would cost a turn of the reactor for each PDU.
SEND_LIMIT = 1024 * 1024


class TCPTransport(Pausable, TypingProtocol):
    """What is used of `twisted.internet.tcp.Connection`."""

    #: Bytes that are read at once, and bytes waiting to be sent beyond which the producer is paused.
    bufferSize: int
    #: Bytes that are given to the socket in one call.
    SEND_LIMIT: int
    #: Whether it stands, and whether it is to be closed as soon as everything is sent.
    connected: bool
    disconnecting: bool
    #: What waits to be sent, from an offset on.
    dataBuffer: bytes
    offset: int

    def write(self, data: bytes, /) -> None: ...
    def writeSomeData(self, data: bytes, /) -> int | Exception: ...
    def loseConnection(self) -> None: ...
    def abortConnection(self) -> None: ...
    def registerProducer(self, producer: object, streaming: bool) -> None: ...
    def setTcpNoDelay(self, enabled: bool) -> None: ...
    def setTcpKeepAlive(self, enabled: bool) -> None: ...
    def getPeer(self) -> IAddress: ...


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
        #: The transport as the reactor writes to it, where it is a socket itself.
        self._descriptor: IWriteDescriptor | None = None

    # --- from the transport ---

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self.transport.setTcpKeepAlive(True)
        self._descriptor = IWriteDescriptor(self.transport, None)
        self.transport.SEND_LIMIT = SEND_LIMIT
        self.perform(self.association.transport_opened())

    def dataReceived(self, data: bytes) -> None:
        self.perform(self.association.receive_data(data))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._stop_artim()
        if self._closing is not None and self._closing.active():
            self._closing.cancel()
        self.perform(self.association.transport_closed())

    # --- to the transport and the timer ---

    def perform(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            if isinstance(output, bytes):
                self._send(output)
            elif isinstance(output, Effect):
                self._take_effect(output)
            else:
                self.indicate(output)

    def _send(self, data: bytes) -> None:
        """At once, as far as the socket takes it: what else this turn of the reactor does can wait."""
        transport, descriptor = self.transport, self._descriptor
        if descriptor is None:
            transport.write(data)
            return
        is_empty = transport.offset == len(transport.dataBuffer)
        if is_empty and transport.connected and not transport.disconnecting:
            # What the socket takes now need not be copied into the transport's buffer.
            sent = transport.writeSomeData(data)
            if sent == len(data):
                return
            if isinstance(sent, int) and sent > 0:  # else it is a failure, which comes again below
                data = data[sent:]
        # Of one number Twisted makes two limits, and what a peer leaves unread has its own.
        read_size, transport.bufferSize = transport.bufferSize, UNREAD_LIMIT
        transport.write(data)
        transport.bufferSize = read_size
        if not transport.disconnecting:  # else the reactor, which closes it when all is sent, must send it
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
            self.transport.loseConnection()
            if self._closing is None:  # what the peer does not read would keep the connection for ever
                self._closing = self._clock.callLater(self._artim_timeout, self.transport.abortConnection)

    def _stop_artim(self) -> None:
        if self._artim is not None and self._artim.active():
            self._artim.cancel()
        self._artim = None

    def _artim_expired(self) -> None:
        self._artim = None
        self.perform(self.association.artim_expired())
        self.transport.abortConnection()
