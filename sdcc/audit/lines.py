"""The ways to a syslog collector: TCP (RFC 6587), UDP (RFC 5426), and a local socket."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IAddress, IDelayedCall, IPushProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from sdcc.audit.collector import TooLong

#: Seconds for an address to answer, and at the end for what is on its way.
CONNECT_TIMEOUT, CLOSE_TIMEOUT = 10.0, 2.0

#: Gives the addresses of a host name, none where it has none.
Resolve = Callable[[str], Awaitable[Iterable[Any]]]


async def _addresses(resolve: Resolve, host: str) -> list[str]:
    """:raises OSError: there are none."""
    found = sorted(await resolve(host), key=lambda address: (address.version, address))
    if not found:
        raise OSError(0, f"the host name {host} has no address")
    return [str(address) for address in found]


@implementer(IPushProducer)
class _Stream(Protocol):
    """The connection, which a collector says nothing over."""

    def __init__(self, resumed: Callable[[], None], lost: Callable[[str], None]) -> None:
        self._resumed = resumed
        self._lost = lost
        self.takes_more = True
        self.closed: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        self.transport.setTcpKeepAlive(True)  # type: ignore[union-attr]
        self.transport.registerProducer(self, True)  # type: ignore[union-attr]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.takes_more = False
        self._lost("the connection was lost")
        self.closed.callback(None)

    def pauseProducing(self) -> None:
        self.takes_more = False

    def resumeProducing(self) -> None:
        self.takes_more = True
        self._resumed()

    def stopProducing(self) -> None:
        """connectionLost says so too."""


class _Factory(Factory):
    noisy = False

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream

    def buildProtocol(self, addr: IAddress | None) -> _Stream:
        return self._stream


class TCPLine:
    """With octet counting (RFC 6587 3.4.1), which a message's own bytes cannot upset."""

    def __init__(self, host: str, port: int, reactor: Any, resolve: Resolve) -> None:
        self._host = host
        self._port = port
        self._reactor = reactor
        self._resolve = resolve
        self._stream: _Stream | None = None

    async def open(self, resumed: Callable[[], None], lost: Callable[[str], None]) -> None:
        failure: Exception = OSError(0, "no address")
        for address in await _addresses(self._resolve, self._host):
            kind = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
            endpoint = kind(self._reactor, address, self._port, timeout=CONNECT_TIMEOUT)
            stream = _Stream(resumed, lost)
            try:
                await endpoint.connect(_Factory(stream))
            except ConnectError as error:
                number = error.osError if isinstance(error.osError, int) else 0
                failure = OSError(number, os.strerror(number) if number else "no answer in time")
            else:
                self._stream = stream
                return
        raise failure

    @property
    def takes_more(self) -> bool:
        return self._stream is not None and self._stream.takes_more

    def send(self, line: bytes) -> None:
        assert self._stream is not None
        self._stream.transport.write(b"%d %b" % (len(line), line))  # type: ignore[union-attr]

    async def close(self) -> None:
        assert self._stream is not None
        transport: Any = self._stream.transport
        transport.unregisterProducer()
        transport.loseConnection()
        cut: IDelayedCall = self._reactor.callLater(CLOSE_TIMEOUT, transport.abortConnection)
        await self._stream.closed
        if cut.active():
            cut.cancel()


class _DatagramLine:
    """A datagram a message."""

    takes_more = True

    def __init__(self) -> None:
        self._socket: socket.socket | None = None

    def _opened(self, family: socket.AddressFamily) -> socket.socket:
        self._let_go()
        self._socket = opened = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        return opened

    def send(self, line: bytes) -> None:
        assert self._socket is not None
        try:
            self._send(self._socket, line)
        except OSError as error:
            if error.errno == errno.EMSGSIZE:
                raise TooLong from None
            raise

    def _send(self, opened: socket.socket, line: bytes) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        self._let_go()

    def _let_go(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class UDPLine(_DatagramLine):
    def __init__(self, host: str, port: int, resolve: Resolve) -> None:
        super().__init__()
        self._host = host
        self._port = port
        self._resolve = resolve
        self._address = ""

    async def open(self, resumed: Callable[[], None], lost: Callable[[str], None]) -> None:
        self._address = (await _addresses(self._resolve, self._host))[0]
        self._opened(socket.AF_INET6 if ":" in self._address else socket.AF_INET)

    def _send(self, opened: socket.socket, line: bytes) -> None:
        opened.sendto(line, (self._address, self._port))


class LocalLine(_DatagramLine):
    """To a socket of this machine, such as /dev/log."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    async def open(self, resumed: Callable[[], None], lost: Callable[[str], None]) -> None:
        self._opened(socket.AF_UNIX).connect(self._path)

    def _send(self, opened: socket.socket, line: bytes) -> None:
        opened.send(line)
