"""SDCC as a service: started, used and stopped within this process, on the real reactor."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock

from sdcc.config import Configuration, Local, Manhole, Remote
from sdcc.index.sqlite import SQLiteIndex
from sdcc.network import passed
from sdcc.network.caller import Caller
from sdcc.network.lost import AssociationAborted, AssociationRejected, NoResponse, NotConnected
from sdcc.network.requestor import echo
from sdcc.network.timeouts import Timeouts
from sdcc.service import SDCC, CannotStart, ports
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


def test_a_socket_that_was_passed_is_its_local_aes_or_the_manholes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And whoever's it is not leaves it alone."""
    memory = MemoryReactorClock()
    with socket.create_server(("127.0.0.1", 0)) as ours, socket.create_server(("127.0.0.1", 0)) as manholes:
        monkeypatch.setattr(passed, "named_by", {"systemd:index=1": manholes.fileno()}.get)
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
