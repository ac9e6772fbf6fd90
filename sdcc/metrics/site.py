"""`[http]` on the network: one request a connection, of bounded size and in bounded time.

Whatever a client does, it costs a connection of :data:`MAXIMUM_CONNECTIONS`, 16 KiB of headers, what one read
takes from a socket, and one page, and those no longer than :data:`PATIENCE`. There is neither keep-alive nor
pipelining, and no request has a body.
"""

from __future__ import annotations

from http import HTTPStatus

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime, ITCPTransport
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, Request

from sdcc.metrics.pages import METHODS, Answer, Pages, plain

#: Not of a class, whose name would take the place of this one.
log = Logger(namespace="sdcc.http")

#: At once; one more is closed. Prometheus and a balancer need one each, now and then.
MAXIMUM_CONNECTIONS = 64
#: Seconds that a connection may last in all, however slowly the client sends or reads.
PATIENCE = 30.0


class _Request(Request):
    """Answered from the site's pages."""

    channel: _Channel

    def gotLength(self, length: int | None) -> None:
        """Called when the headers are whole; None: there is a body of unknown length."""
        super().gotLength(0)  # else a long body would be given a file
        if length != 0:
            self.requestHeaders.removeHeader("Expect")  # nothing is to follow the answer
            self.clientproto = b"HTTP/1.1"  # which is not set before the request is whole
            self._give(plain(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "A request has no body here"))
            self.channel.loseConnection()

    def handleContentChunk(self, data: bytes) -> None:
        """Nothing of a body is kept."""

    def process(self) -> None:
        if self.startedWriting:  # it had a body
            return
        Deferred.fromCoroutine(self._answer())

    async def _answer(self) -> None:
        accept = ", ".join(self.requestHeaders.getRawHeaders("Accept", []))
        target, method = self.uri.decode("latin-1"), self.method.decode("latin-1")
        try:
            answer = await self.channel.factory.pages.answer(method, target, accept)
        except Exception:  # the boundary of a request: the log has it, and the client an answer
            log.failure("A page could not be made")
            answer = plain(HTTPStatus.INTERNAL_SERVER_ERROR, "A fault of the program")
        if self.channel is not None:  # the client is still there
            self._give(answer)
            self.finish()

    def _give(self, answer: Answer) -> None:
        self.setResponseCode(answer.status)
        headers = {
            "Content-Type": answer.content_type,
            "Content-Length": str(len(answer.body)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        if answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(METHODS)
        for name, value in headers.items():
            self.setHeader(name, value)
        self.write(answer.body)


class _Channel(HTTPChannel):
    """One connection."""

    requestFactory = _Request
    factory: Site
    transport: ITCPTransport
    _end: IDelayedCall

    def connectionMade(self) -> None:
        super().connectionMade()
        self._end = self.factory.clock.callLater(PATIENCE, self.transport.abortConnection)
        self.factory.channels.add(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        if self._end.active():
            self._end.cancel()
        self.factory.channels.discard(self)

    def checkPersistence(self, request: Request, version: bytes) -> bool:
        request.setHeader("Connection", "close")
        return False


class Site(ServerFactory):
    """The connections of `[http]`."""

    protocol = _Channel  # type: ignore[assignment]
    noisy = False

    def __init__(self, pages: Pages, clock: IReactorTime) -> None:
        self.pages = pages
        self.clock = clock
        self.channels: set[_Channel] = set()

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        if len(self.channels) >= MAXIMUM_CONNECTIONS:
            return None
        channel: Protocol | None = super().buildProtocol(addr)  # type: ignore[assignment]
        return channel

    def log(self, request: Request) -> None:
        """Called at the end of each request: the access log, which is quiet."""
        log.debug(
            "{address}: {method} {target}: {status}",
            address=request.getClientAddress(),
            method=request.method,
            target=request.uri,
            status=request.code,
        )

    def close(self) -> None:
        """End every connection."""
        for channel in tuple(self.channels):
            channel.transport.abortConnection()
