"""HTTP itself: one request a connection, bounded in size and time."""

from __future__ import annotations

import gc
from http import HTTPStatus
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs

from sdcc.metrics.pages import Pages
from sdcc.metrics.site import MAXIMUM_CONNECTIONS, PATIENCE, Site

from .bench import Bench

ADDRESS = IPv4Address("TCP", "192.0.2.9", 4711)


class Transport(StringTransport):
    @property
    def is_open(self) -> bool:
        return self.connected and not self.disconnecting


class Client:
    """A connection to the site."""

    def __init__(self, site: Site) -> None:
        self.transport = Transport(peerAddress=ADDRESS, lenient=True)
        self.channel: Any = site.buildProtocol(ADDRESS)
        self.channel.makeConnection(self.transport)

    def send(self, *parts: bytes) -> None:
        for part in parts:
            self.channel.dataReceived(part)

    def answers(self) -> list[bytes]:
        """The status line of each answer."""
        lines = self.transport.value().split(b"\r\n")
        return [line for line in lines if line.startswith(b"HTTP/")]

    def lose(self) -> None:
        self.channel.connectionLost()


@pytest.fixture
def site(bench: Bench) -> Site:
    return Site(Pages(bench.registry, bench.health, bench.clock, bench.at_once), bench.clock)


@pytest.fixture
def client(site: Site) -> Client:
    return Client(site)


def request(method: str = "GET", target: str = "/health", *headers: str) -> bytes:
    return "\r\n".join((f"{method} {target} HTTP/1.1", "Host: sdcc", *headers, "", "")).encode()


def test_a_request_is_answered_and_the_connection_closed(client: Client) -> None:
    client.send(request())
    head, _, body = client.transport.value().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Type: application/json" in head
    assert f"Content-Length: {len(body)}".encode() in head
    assert b"Connection: close" in head
    assert body == b'{"state": "ready", "reasons": []}\n'
    assert not client.transport.is_open


def test_it_may_come_byte_by_byte(client: Client) -> None:
    client.send(*(bytes([byte]) for byte in request()))
    assert client.answers() == [b"HTTP/1.1 200 OK"]


def test_head_is_answered_without_the_body(bench: Bench, client: Client) -> None:
    bench.is_stopping = True
    client.send(request("HEAD"))
    head, _, body = client.transport.value().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"Content-Length: 55" in head
    assert body == b""


def test_a_method_that_is_not_allowed_is_told_which_are(client: Client) -> None:
    client.send(request("POST"))
    assert b"HTTP/1.1 405 Method Not Allowed" in client.transport.value()
    assert b"Allow: GET, HEAD" in client.transport.value()


def test_of_requests_in_a_row_one_is_answered(client: Client) -> None:
    """Else a single segment of short requests would be answered with as many pages, all held in memory."""
    client.send(request(target="/metrics") * 1000)
    client.send(request() * 1000)
    assert client.answers() == [b"HTTP/1.1 200 OK"]


@pytest.mark.parametrize("header", ["Content-Length: 1000000000000", "Transfer-Encoding: chunked"])
def test_a_body_is_refused_before_it_comes(client: Client, header: str) -> None:
    client.send(request("POST", "/health", header, "Expect: 100-continue"))
    assert client.answers() == [b"HTTP/1.1 413 " + HTTPStatus.REQUEST_ENTITY_TOO_LARGE.phrase.encode()]
    assert not client.transport.is_open
    told = client.transport.value()
    client.send(b"5\r\nhello\r\n0\r\n\r\n")
    assert client.transport.value() == told
    client.lose()


def test_a_body_that_is_there_already_is_answered_once(client: Client) -> None:
    client.send(request("GET", "/health", "Content-Length: 5") + b"hello")
    assert len(client.answers()) == 1
    assert client.transport.value().endswith(b"\r\n\r\nA request has no body here\n")
    assert not client.transport.is_open


@pytest.mark.parametrize(
    "endless",
    [b"G" * 100_000, b"GET /" + b"x" * 100_000, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000],
    ids=["method", "target", "headers"],
)
def test_headers_without_an_end_are_cut_off(client: Client, endless: bytes) -> None:
    for start in range(0, len(endless), 1000):
        if not client.transport.is_open:
            break
        client.send(endless[start : start + 1000])
    assert not client.transport.is_open
    assert start <= 20_000


def test_who_sends_slowly_has_no_more_time_than_others(bench: Bench, client: Client) -> None:
    for byte in request()[:-1]:
        bench.clock.advance(PATIENCE / 20)
        client.send(bytes([byte]))
        if not client.transport.is_open:
            break
    assert client.transport.disconnected
    assert bench.clock.seconds() == pytest.approx(PATIENCE)


def test_who_does_not_read_the_answer_is_cut_off(bench: Bench, client: Client) -> None:
    client.send(request(target="/metrics"))
    bench.clock.advance(PATIENCE - 1)
    assert not client.transport.disconnected
    bench.clock.advance(1)
    assert client.transport.disconnected
    client.lose()


def test_connections_have_a_limit_and_those_that_end_make_room(bench: Bench, site: Site) -> None:
    clients = [Client(site) for _ in range(MAXIMUM_CONNECTIONS)]
    assert site.buildProtocol(ADDRESS) is None
    clients[0].lose()
    Client(site)
    assert site.buildProtocol(ADDRESS) is None


def test_a_connection_that_has_ended_leaves_nothing(bench: Bench, client: Client, site: Site) -> None:
    client.send(request())
    client.lose()
    assert bench.clock.getDelayedCalls() == []
    assert site.channels == set()


def test_closing_ends_every_connection(site: Site) -> None:
    clients = [Client(site) for _ in range(3)]
    site.close()
    assert all(client.transport.disconnected for client in clients)


def test_a_page_that_cannot_be_made_is_an_answer_and_a_line_of_the_log(
    bench: Bench, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[str] = []
    monkeypatch.setattr("sdcc.metrics.site.log", LogOf(failures))
    bench.index.figures = None
    client.send(request(target="/metrics"))
    assert client.answers() == [b"HTTP/1.1 500 Internal Server Error"]
    assert failures == ["A page could not be made"]


def test_a_client_that_leaves_before_its_page_is_ready_gets_nothing(bench: Bench) -> None:
    ready: Deferred[None] = Deferred()

    async def later(call: Any, *arguments: Any) -> Any:
        await ready
        return call(*arguments)

    client = Client(Site(Pages(bench.registry, bench.health, bench.clock, later), bench.clock))
    client.send(request(target="/metrics"))
    client.lose()
    with capturedLogs() as events:
        ready.callback(None)
        gc.collect()  # which would tell of a failure that nobody has seen to
    assert (client.answers(), events) == ([], [])


class LogOf:
    """A log that keeps failures."""

    def __init__(self, failures: list[str]) -> None:
        self.failure = failures.append

    def debug(self, text: str, **fields: object) -> None: ...
