"""The POST to the site's service, over real connections."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.protocol import Factory, Protocol

from sdcc import __version__
from sdcc.completion.notices import NotDelivered
from sdcc.completion.post import Post

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#: The first byte of who wants TLS.
TLS_HANDSHAKE = b"\x16"


class Service:
    """Answers what it is told to; None: nothing."""

    def __init__(self) -> None:
        self.answer: bytes | None = OK
        self.requests: list[bytes] = []
        self.closed: list[Deferred[None]] = []
        self.begun: Deferred[None] = Deferred()
        self._port = reactor.listenTCP(0, Factory.forProtocol(self._protocol), interface="127.0.0.1")
        self.number = self._port.getHost().port

    def _protocol(self) -> Protocol:
        service = self

        class Connection(Protocol):
            received = b""

            def connectionMade(self) -> None:
                self.closed: Deferred[None] = Deferred()
                service.closed.append(self.closed)

            def dataReceived(self, data: bytes) -> None:
                self.received += data
                if self.received.startswith(TLS_HANDSHAKE):
                    self.transport.loseConnection()
                _, _, body = self.received.partition(b"\r\n\r\n")
                if body.endswith(b"}\n"):
                    service.requests.append(self.received)
                    if service.answer is not None:
                        self.transport.write(service.answer)
                    service.begun.callback(None)

            def connectionLost(self, reason: Any = None) -> None:
                self.closed.callback(None)

        return Connection()

    async def stop(self) -> None:
        for closed in self.closed:
            await closed
        await maybeDeferred(self._port.stopListening)


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    yield service
    pytest_twisted.blockon(Deferred.fromCoroutine(service.stop()))


def post(service: Service, study: Any, path: str = "/studies?key=secret") -> Deferred[None]:
    made = Post(f"http://127.0.0.1:{service.number}{path}", reactor)
    return Deferred.fromCoroutine(made(study(accession_number="Ä-1")))


@pytest_twisted.ensureDeferred
async def test_the_facts_are_in_a_json_body(service: Service, study: Any) -> None:
    await post(service, study)
    head, _, body = service.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /studies?key=secret HTTP/1.1"
    assert {
        "Content-Type: application/json",
        f"User-Agent: SDCC/{__version__}",
        f"Content-Length: {len(body)}",
    } <= set(lines)
    assert json.loads(body) == {
        "study_instance_uid": "1.2",
        "patient_id": "P-1",
        "accession_number": "Ä-1",
        "series": 2,
        "instances": 30,
        "bytes": 4711,
        "calling_ae": "CT01",
        "called_ae": "SDCC",
        "last_received_at": "2024-05-01T09:30:00.000000Z",
        "stable_at": "2024-05-01T09:31:00.000000Z",
    }


@pytest_twisted.ensureDeferred
async def test_an_answer_that_never_ends_is_not_read(service: Service, study: Any) -> None:
    """It says 2xx, so it is taken."""
    service.answer = b"HTTP/1.1 202 Accepted\r\n\r\n" + b"x" * 100_000
    await post(service, study)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "it was answered 503"),
        (b"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n", "it was answered 302"),
        (b"nonsense\r\n\r\n", "ParseError"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_another_answer_is_a_failure(service: Service, study: Any, answer: bytes, reason: str) -> None:
    """No redirection is followed."""
    service.answer = answer
    with pytest.raises(NotDelivered, match=reason):
        await post(service, study)
    assert len(service.requests) == 1


@pytest_twisted.ensureDeferred
async def test_a_service_that_is_down_is_a_failure_that_names_no_secret(study: Any) -> None:
    service = Service()
    await service.stop()
    with pytest.raises(NotDelivered, match="ConnectionRefusedError") as failure:
        await post(service, study)
    assert "secret" not in str(failure.value)


@pytest_twisted.ensureDeferred
async def test_what_is_broken_off_closes_its_connection(service: Service, study: Any) -> None:
    service.answer = None
    running = post(service, study)
    await service.begun
    running.cancel()
    with pytest.raises(CancelledError):
        await running
    await service.closed[0]


@pytest_twisted.ensureDeferred
async def test_over_https_nothing_is_said_to_a_service_that_speaks_no_tls(
    service: Service, study: Any
) -> None:
    made = Post(f"https://localhost:{service.number}/", reactor)
    with pytest.raises(NotDelivered):
        await Deferred.fromCoroutine(made(study()))
    assert service.requests == []
    assert service.closed
