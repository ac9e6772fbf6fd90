"""Connections over TLS, of both directions: Twisted's TLS over the same sockets, made to behave as they do.

A handshake that never ends is a connection that says nothing, and the ARTIM timer ends it.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from ipaddress import ip_address
from typing import cast

from OpenSSL import SSL
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.error import ConnectError
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import (
    IAddress,
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
    IProtocol,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from sdcc.config import TLS
from sdcc.interfaces import RunInThread
from sdcc.network.connection import TCPTransport
from sdcc.network.security import ISecured
from sdcc.network.single import Single
from sdcc.tls import reasons
from sdcc.tls.certificates import Certificates
from sdcc.tls.contexts import Connection, name_of
from sdcc.upper_layer.codes import PDUType
from sdcc.upper_layer.framing import TLS_RECORDS


class HandshakeFailed(ConnectError):
    """There is a connection, but no TLS over it."""

    def __init__(self, why: str) -> None:
        super().__init__(string=why)

    def __str__(self) -> str:
        return f"TLS: {self.args[0]}"


@implementer(ISecured)
class SecureTransport(TLSMemoryBIOProtocol):
    """TLS over a socket, with what :class:`~sdcc.network.connection.Connection` uses of a socket."""

    transport: TCPTransport  # type: ignore[assignment]  # Protocol knows ITransport alone
    _first_byte: int | None = None

    @property
    def tcp(self) -> TCPTransport:
        return self.transport

    @property
    def bufferSize(self) -> int:
        """Of the socket: bytes read at once, and bytes unsent beyond which a producer is paused."""
        return self.transport.bufferSize

    @bufferSize.setter
    def bufferSize(self, size: int) -> None:
        self.transport.bufferSize = size

    @property
    def SEND_LIMIT(self) -> int:
        """Of the socket: bytes that it is given in one call."""
        return self.transport.SEND_LIMIT

    @SEND_LIMIT.setter
    def SEND_LIMIT(self, limit: int) -> None:
        self.transport.SEND_LIMIT = limit

    def dataReceived(self, data: bytes) -> None:
        if self._first_byte is None:
            self._first_byte = data[0]
        super().dataReceived(data)

    def loseConnection(self) -> None:
        """Close when everything is sent, as a socket does.

        Twisted's TLS would wait until a producer says that it is done, and then for the peer's answer to
        the close_notify alert, which RFC 8446 6.1 does not ask for.
        """
        if self.connected:
            self.unregisterProducer()
            super().loseConnection()
            self.transport.loseConnection()

    def abortConnection(self) -> None:
        """Nothing happens where it is lost already, as with a socket."""
        if self.connected:
            super().abortConnection()

    # --- what is known of the peer ---

    @property
    def peer_name(self) -> str:
        certificate = self.getHandle().get_peer_certificate()
        return "" if certificate is None else name_of(certificate)

    def why(self, reason: Failure) -> str:
        """See :class:`~sdcc.network.security.ISecured`."""
        connection: Connection = self.getHandle()
        if self._first_byte is not None and self._first_byte not in TLS_RECORDS:
            return "the peer speaks " + (
                "DICOM without TLS" if self._first_byte == PDUType.A_ASSOCIATE_RQ else "no TLS"
            )
        if isinstance(reason.value, SSL.Error):
            return connection.verdict or reasons.of_error(reason.value)
        if self._first_byte is not None and connection.get_peer_finished() is None:
            return (
                "the handshake had not ended" if self.disconnecting else "the peer left within the handshake"
            )
        return ""


class _SecureFactory(TLSMemoryBIOFactory):
    """Connections over TLS for the protocols of another factory."""

    def buildProtocol(self, addr: IAddress | None) -> SecureTransport | None:  # type: ignore[override]
        protocol = self.wrappedFactory.buildProtocol(addr)
        return None if protocol is None else SecureTransport(self, protocol)


@implementer(IOpenSSLServerConnectionCreator, IOpenSSLClientConnectionCreator)
class _Connections:
    """Makes each connection of the certificates in use when it begins.

    :param server_name: of the peer that is called, for one that has several certificates (RFC 6066 3).
    """

    def __init__(self, certificates: Certificates, server_name: str | None = None) -> None:
        self._certificates = certificates
        self._server_name = server_name

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        return self._certificates.server_connection()

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        connection = self._certificates.client_connection()
        if self._server_name is not None:
            connection.set_tlsext_host_name(self._server_name.encode("ascii"))
        return connection


@implementer(IHandshakeListener)
class _Handshake(Protocol):
    """Stands where the protocol of a call will: until the peer has shown that it is who is called."""

    transport: SecureTransport

    def __init__(self, protocol: IProtocol, name: str) -> None:
        self._protocol = protocol
        self._name = name
        self.done: Deferred[None] = Deferred(lambda _: self.transport.abortConnection())

    def handshakeCompleted(self) -> None:
        certificate = self.transport.getHandle().get_peer_certificate()
        assert certificate is not None, "a server always shows one"
        verify = verify_certificate_hostname if _is_name(self._name) else verify_certificate_ip_address
        try:
            verify(certificate.to_cryptography(), self._name)
        except Exception:  # it is not its name, or there is none, or what is there cannot be read
            self._fail(f"the certificate of {name_of(certificate)!r} is not for {self._name}")
            self.transport.abortConnection()
            return
        self.transport.wrappedProtocol = self._protocol
        self._protocol.makeConnection(self.transport)
        self.done.callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._fail(self.transport.why(reason) or "the peer closed the connection")

    def _fail(self, why: str) -> None:
        if not self.done.called:
            self.done.errback(HandshakeFailed(why))


class TLSSecurity:
    """Gives connections TLS.

    :param settings: read by :meth:`load`, which comes first.
    :param reactor: for connections and for the time.
    :param now: aware, UTC.
    """

    def __init__(self, settings: TLS, reactor: IReactorTime, now: Callable[[], datetime.datetime]) -> None:
        self._clock = reactor
        self._certificates = Certificates(settings, reactor, now)

    def load(self) -> None:
        """Read the certificates. Blocks.

        :raises NotUsable: they cannot be used.
        """
        self._certificates.load()

    async def renewed(self, run_in_thread: RunInThread, settings: TLS | None = None) -> Callable[[], None]:
        """Read them, again or for the first time; gives what has them used for the connections that come, and
        watched.

        :param settings: another `[tls]`; None: the same.

        :raises NotUsable: they cannot be used.
        """
        return await self._certificates.renewed(run_in_thread, settings)

    def watch(self) -> None:
        """Tell what the administrator should see to, now and every day until :meth:`stop`."""
        self._certificates.watch()

    def stop(self) -> None:
        self._certificates.stop()

    def accepting(self, factory: ServerFactory) -> ServerFactory:
        """What accepts connections over TLS for the protocols of a factory."""
        secure = _SecureFactory(_Connections(self._certificates), False, factory, self._clock)
        return cast(ServerFactory, secure)  # as far as a port knows

    async def connect(
        self, endpoint: IStreamClientEndpoint, protocol: IProtocol, *, name: str, end: float
    ) -> None:
        """Give a protocol a connection over TLS to the peer whose certificate is for `name`.

        :param end: the clock's time until which the handshake must be done.

        :raises ConnectError: there is none; the text of a :class:`HandshakeFailed` says why.
        """
        handshake = _Handshake(protocol, name)
        connections = _Connections(self._certificates, name if _is_name(name) else None)
        factory = _SecureFactory(connections, True, Single(handshake), self._clock)
        await endpoint.connect(factory)
        try:
            await handshake.done.addTimeout(max(end - self._clock.seconds(), 0), self._clock)
        except DeferredTimeout:
            raise ConnectTimeout("handshake") from None


def _is_name(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return True
    return False
