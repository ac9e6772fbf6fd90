"""The POST to the site's service, over real connections."""

from __future__ import annotations

import contextlib
import datetime
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import DefaultOpenSSLContextFactory
from twisted.internet.task import deferLater

from sdcc import __version__
from sdcc.completion.notices import NotDelivered
from sdcc.completion.post import Post

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Certificate:
    """A host's, in a file with its key, and what who trusts it has of it."""

    path: str
    public: bytes


class Service:
    """Answers what it is told to; None: nothing."""

    def __init__(self, certificate: Certificate | None = None) -> None:
        self.answer: bytes | None = OK
        self.requests: list[bytes] = []
        self.closed: list[Deferred[None]] = []
        self.begun: Deferred[None] = Deferred()
        factory = Factory.forProtocol(self._protocol)
        if certificate is None:
            self._port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        else:
            contexts = DefaultOpenSSLContextFactory(certificate.path, certificate.path)
            self._port = reactor.listenSSL(0, factory, contexts, interface="127.0.0.1")
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
async def test_a_service_that_takes_no_connection_can_be_broken_off(study: Any) -> None:
    with contextlib.ExitStack() as sockets:
        full, *others = (sockets.enter_context(socket.socket()) for _ in range(4))
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for other in others:
            other.setblocking(False)
            other.connect_ex(full.getsockname())
        made = Post(f"http://localhost:{full.getsockname()[1]}/", reactor)
        running = Deferred.fromCoroutine(made(study()))
        await deferLater(reactor, 0.1)
        assert not running.called
        running.cancel()
        with pytest.raises(CancelledError):
            await running


def self_signed(host: str, directory: Path) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = certificate.public_bytes(Encoding.PEM)
    (directory / "service.pem").write_bytes(public + private)
    return Certificate(str(directory / "service.pem"), public)


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of the authorities that the system trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
    return tmp_path / "trusted.pem"


@pytest.mark.parametrize(
    ("host", "is_trusted", "reason"),
    [
        ("localhost", True, None),
        ("localhost", False, "certificate verify failed"),
        ("other.example", True, "VerificationError"),
    ],
    ids=["trusted", "unknown authority", "another host's"],
)
@pytest_twisted.ensureDeferred
async def test_over_https_a_service_must_be_one_that_the_system_trusts(
    host: str, is_trusted: bool, reason: str | None, study: Any, trusted: Path
) -> None:
    """Nothing is said to another."""
    certificate = self_signed(host, trusted.parent)
    trusted.write_bytes(certificate.public if is_trusted else b"")
    service = Service(certificate)
    made = Post(f"https://localhost:{service.number}/", reactor)
    posted = Deferred.fromCoroutine(made(study()))
    try:
        if reason is None:
            await posted
            assert len(service.requests) == 1
        else:
            with pytest.raises(NotDelivered, match=reason):
                await posted
            assert service.requests == []
    finally:
        await service.stop()
