"""An HTTP POST to the site's own service for a stable study.

Any 2xx answer says that it is taken, and nothing more is read of it. No redirection is followed: who is told
is in the configuration. The certificate of an https service must be one that the system trusts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionClosed, DNSLookupError
from twisted.internet.interfaces import IConsumer, IReactorTCP
from twisted.internet.protocol import Protocol
from twisted.web.client import (
    Agent,
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseFailed,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from sdcc import __version__
from sdcc.completion.facts import as_json
from sdcc.completion.notices import NotDelivered
from sdcc.interfaces import StableStudy

HEADERS = Headers({"Content-Type": ["application/json"], "User-Agent": [f"SDCC/{__version__}"]})
#: What may become of a request that is not answered. Some of them are one failure, or several, in another.
FAULTS = (
    *(ConnectError, ConnectingCancelledError, ConnectionClosed, DNSLookupError),
    *(RequestGenerationFailed, RequestTransmissionFailed, ResponseFailed),
)


class Post:
    """
    :param url: http or https, without a user.
    """

    def __init__(self, url: str, reactor: IReactorTCP) -> None:
        self._url = url.encode("ascii")
        self._agent = Agent(reactor)

    async def __call__(self, study: StableStudy) -> None:
        """Return when it is taken.

        :raises NotDelivered: it is not, as far as is known.
        """
        try:
            response = await self._agent.request(b"POST", self._url, HEADERS, _Body(as_json(study)))
        except FAULTS as error:
            causes = list(_causes(error))
            if any(isinstance(cause, (CancelledError, ConnectingCancelledError)) for cause in causes):
                raise CancelledError from None
            raise NotDelivered(" ".join(f"{type(causes[0]).__name__}: {causes[0]}".split())) from None
        response.deliverBody(_Unread())
        if response.code // 100 != 2:
            raise NotDelivered(f"it was answered {response.code}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """What failed, without what it is wrapped in."""
    reasons = getattr(error, "reasons", None)
    if not reasons:
        yield error
        return
    for reason in reasons:
        yield from _causes(reason.value)


@implementer(IBodyProducer)
class _Body:
    """Bytes that are all there."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.length = len(data)

    def startProducing(self, consumer: IConsumer) -> Deferred[Any]:
        consumer.write(self._data)
        return succeed(None)

    def pauseProducing(self) -> None:
        """All is written."""

    def resumeProducing(self) -> None:
        """All is written."""

    def stopProducing(self) -> None:
        """All is written."""


class _Unread(Protocol):
    """The body of an answer."""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()
