"""SDCC as a service: started, used and stopped within this process, on the real reactor."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.internet.threads import deferToThread

from sdcc import ports as ports_module
from sdcc.config import HTTP, TLS, Configuration, Local, Manhole, Remote, ports
from sdcc.index.sqlite import SQLiteIndex
from sdcc.network.caller import Caller
from sdcc.network.lost import AssociationAborted, AssociationRejected, NoResponse, NotConnected
from sdcc.network.requestor import echo
from sdcc.network.timeouts import Timeouts
from sdcc.service import SDCC, CannotStart
from sdcc.world import REAL


class Web(Protocol):
    def dataReceived(self, data: bytes) -> None:
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def configured(directory: Path, *locals_: Local) -> Configuration:
    configuration = Configuration(locals=locals_ or (Local(port=0),))
    return replace(
        configuration, storage=replace(configuration.storage, directory=directory / "data", minimum_free=0)
    )


async def verify(port: int, *, called: str = "SDCC", timeout: float = 10) -> Any:
    caller = Caller(
        (Remote(ae_title=called, address="127.0.0.1", port=port),),
        reactor,
        resolve=Deferred,
        maximum_pdu_length=16384,
        timeouts=Timeouts(connection=timeout, acse=timeout, dimse=timeout, artim=5),
    )
    return await echo(caller, reactor, called_ae=called, calling_ae="TEST")


@pytest_twisted.ensureDeferred
async def test_it_starts_answers_and_stops_leaving_nothing_in_incoming(tmp_path: Path) -> None:
    service = SDCC(configured(tmp_path), reactor)
    service.startService()
    try:
        [(_, port)] = service.addresses
        result = await verify(port)
        assert result.status == 0x0000
        assert result.seconds > 0
        with pytest.raises(AssociationRejected, match="1/1/7"):
            await verify(port, called="NOBODY")
    finally:
        await service.stopService()
    assert list((tmp_path / "data" / "incoming").iterdir()) == []
    with pytest.raises(NotConnected, match=f"127.0.0.1:{port}"):
        await verify(port)


@pytest_twisted.ensureDeferred
async def test_it_starts_again_on_what_it_left(tmp_path: Path) -> None:
    for _ in range(2):
        service = SDCC(configured(tmp_path), reactor)
        service.startService()
        [(_, port)] = service.addresses
        assert (await verify(port)).status == 0x0000
        await service.stopService()


@pytest_twisted.ensureDeferred
async def test_doubts_that_a_stop_leaves_are_looked_through_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = SDCC(configured(tmp_path), reactor)
    service.startService()
    with monkeypatch.context() as patch:
        patch.setattr(SQLiteIndex, "leaves_doubts", True)
        await service.stopService()
    assert len([*(tmp_path / "data").glob("incoming.since-*")]) == 1
    for looks in (True, False):
        service = SDCC(configured(tmp_path), reactor)
        service.startService()
        assert (service._look is not None) is looks
        if service._look is not None:
            await service._look._ended
        await service.stopService()


@pytest_twisted.ensureDeferred
async def test_a_peer_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    expected = pytest.raises(NoResponse, match=r"no answer to A-ASSOCIATE-RQ within 0\.2 s")
    with socket.create_server(("127.0.0.1", 0)) as silent, expected:
        await verify(silent.getsockname()[1], timeout=0.2)


@pytest_twisted.ensureDeferred
async def test_a_peer_that_is_no_dicom_peer_is_told_apart(tmp_path: Path) -> None:
    listening = reactor.listenTCP(0, Factory.forProtocol(Web), interface="127.0.0.1")
    try:
        with pytest.raises(AssociationAborted, match="PDU type 48H"):
            await verify(listening.getHost().port)
    finally:
        await listening.stopListening()


def test_local_aes_share_a_port_or_have_their_own() -> None:
    one, two, three = (
        Local(ae_title=title, port=port) for title, port in (("A", 104), ("B", 11112), ("C", 104))
    )
    assert ports((one, two, three)) == [
        (("127.0.0.1", 104), {"A": one, "C": three}),
        (("127.0.0.1", 11112), {"B": two}),
    ]
    free = (Local(ae_title="A", port=0), Local(ae_title="B", port=0))
    assert [list(aes) for _, aes in ports(free)] == [["A"], ["B"]]


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        service = SDCC(configured(tmp_path, Local(port=port)), reactor)
        with pytest.raises(CannotStart, match=f"AE SDCC: cannot listen on 127.0.0.1:{port}: .*in use"):
            service.privilegedStartService()


@pytest_twisted.ensureDeferred
async def test_a_manhole_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        endpoint = f"tcp:{other.getsockname()[1]}:interface=127.0.0.1"
        manhole = Manhole(endpoint=endpoint, authorized_keys=tmp_path / "keys")
        service = SDCC(replace(configured(tmp_path), manhole=manhole), reactor)
        words = rf"\[manhole\] endpoint: cannot listen on {endpoint}: .*in use"
        with pytest.raises(CannotStart, match=words):
            service.startService()
        await service._ports.close()


@pytest_twisted.ensureDeferred
async def test_a_start_that_fails_is_no_crash_to_the_next_one(tmp_path: Path) -> None:
    """Or files of two days would be read again, for a key that was mistyped."""
    settings = configured(tmp_path)
    wrong = replace(settings, index=replace(settings.index, url=f"sqlite:///{tmp_path}"))
    service = SDCC(wrong, reactor)
    with pytest.raises(CannotStart, match=r"^\[index\]"):
        service.startService()
    await service._ports.close()
    assert [*(tmp_path / "data" / "incoming").iterdir()] == []


def test_an_endpoint_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        endpoint = f"tcp:{other.getsockname()[1]}:interface=127.0.0.1"
        service = SDCC(replace(configured(tmp_path), http=HTTP(endpoint=endpoint)), MemoryReactorClock())
        service._doors._web._reactor = reactor
        with pytest.raises(CannotStart, match=rf"^\[http\] endpoint: cannot listen on {endpoint}: .*in use$"):
            service.privilegedStartService()


def health(port: int) -> Deferred[Any]:
    """The status that `/health` is answered with, and what it says."""

    def ask() -> Any:
        with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request("GET", "/health")
            response = connection.getresponse()
            return response.status, *json.load(response).values()

    return deferToThread(ask)


@pytest_twisted.ensureDeferred
async def test_health_says_until_the_end_that_it_is_stopping(tmp_path: Path) -> None:
    """And after it nothing listens any more."""
    settings = replace(configured(tmp_path), http=HTTP(endpoint="tcp:0:interface=127.0.0.1"))
    service = SDCC(settings, reactor)
    service.startService()
    port = service._doors._web._port.getHost().port
    assert await health(port) == (200, "ready", [])
    draining: Deferred[None] = Deferred()
    service._parts.server.stop = lambda: draining
    stopped = service.stopService()
    assert await health(port) == (503, "stopping", ["the server stops"])
    draining.callback(None)
    await stopped
    with pytest.raises(ConnectionRefusedError):
        await health(port)


@pytest_twisted.ensureDeferred
async def test_health_says_when_no_more_associations_may_be_opened(tmp_path: Path) -> None:
    """A balancer still sends here: it passes by itself."""
    settings = replace(configured(tmp_path), http=HTTP(endpoint="tcp:0:interface=127.0.0.1"))
    service = SDCC(settings, reactor)
    service.startService()
    try:
        port = service._doors._web._port.getHost().port
        service._parts.limits.maximum_open = 0
        expected = (200, "degraded", ["[association] maximum_open is reached"])
        assert await health(port) == expected
    finally:
        await service.stopService()


def test_without_http_nothing_is_counted(tmp_path: Path) -> None:
    service = SDCC(configured(tmp_path), MemoryReactorClock())
    assert service._doors._web is None
    assert service._parts.counts is None


def test_a_socket_that_was_passed_is_its_local_aes_or_the_manholes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And whoever's it is not leaves it alone."""
    memory = MemoryReactorClock()
    with socket.create_server(("127.0.0.1", 0)) as ours, socket.create_server(("127.0.0.1", 0)) as manholes:
        monkeypatch.setattr(ports_module, "named_by", {"systemd:index=1": manholes.fileno()}.get)
        both = [ours.fileno(), manholes.fileno()]
        world = replace(REAL, passed=lambda: both)
        configuration = configured(tmp_path, Local(port=ours.getsockname()[1]))
        with pytest.raises(CannotStart, match=f"descriptor {manholes.fileno()},"):
            SDCC(configuration, memory, world).privilegedStartService()
        manhole = Manhole(endpoint="systemd:index=1", authorized_keys=tmp_path / "keys")
        SDCC(replace(configuration, manhole=manhole), memory, world).privilegedStartService()
        assert [descriptor for descriptor, *_ in memory.adoptedPorts] == [ours.fileno()]
        assert memory.tcpServers == []


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        ("data", r"\[storage\] directory"),
        ("data/commitments", r"\[storage\] directory .*: Not a directory"),
        ("data/index.sqlite", r"\[index\] .*index.sqlite"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, spoilt: str, words: str) -> None:
    """A file where a directory must be, and a directory where a file must be."""
    if spoilt == "data/index.sqlite":
        (tmp_path / spoilt).mkdir(parents=True)
    else:
        (tmp_path / spoilt).parent.mkdir(exist_ok=True)
        (tmp_path / spoilt).write_text("in the way")
    service = SDCC(configured(tmp_path), MemoryReactorClock())
    with pytest.raises(CannotStart, match=words):
        service.startService()


def test_certificates_that_cannot_be_used_keep_it_from_starting_before_any_port_is_open(
    tmp_path: Path,
) -> None:
    missing = TLS(certificate=tmp_path / "a.crt", private_key=tmp_path / "a.key")
    memory = MemoryReactorClock()
    service = SDCC(replace(configured(tmp_path, Local(tls=True)), tls=missing), memory)
    with pytest.raises(
        CannotStart, match=r"\[tls\].certificate: .*/a.crt cannot be read.*\n\[tls\].private_key: "
    ):
        service.startService()
    assert memory.tcpServers == []
