"""Requests that never end: how much of them is held, and who has to go."""

from __future__ import annotations

from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from sdcc.config import Remote
from sdcc.network.gathering import Gathering
from sdcc.upper_layer.pdu import AssociateAC, ReleaseRQ

#: The header of an A-ASSOCIATE-RQ of 64 KiB.
LONG = b"\1\0\0\1\0\0"


@pytest.fixture
def gathering() -> Gathering:
    return Gathering(limit=1000, spared=300)


@pytest.fixture
def world(new_world: Any, gathering: Gathering) -> Any:
    return new_world(gathering=gathering)


def test_the_bytes_of_all_connections_are_counted_and_given_back(world: Any, gathering: Gathering) -> None:
    first, second, third = world.peer(), world.peer(), world.peer()
    first.send(LONG, bytes(400))
    second.send(LONG[:3])
    assert gathering.total == 403
    second.send(LONG[3:])
    assert gathering.total == 400, "a header is not held once it has been read"
    third.send(b"GET / HTTP/1.1")
    first.lose()
    assert gathering.total == 0


def test_a_request_is_given_back_when_it_is_whole(
    world: Any, gathering: Gathering, build: SimpleNamespace
) -> None:
    peer, stream = world.peer(), build.request().encode()
    peer.send(stream[:-1])
    assert gathering.total == len(stream) - 7
    peer.send(stream[-1:])
    assert gathering.total == 0
    assert isinstance(peer.received()[0], AssociateAC)


def test_whoever_adds_too_much_is_closed_and_logged_once(
    world: Any, gathering: Gathering, lines: list[str]
) -> None:
    first, second = world.peer(), world.peer()
    first.send(LONG, bytes(600))
    second.send(LONG, bytes(401))
    assert second.transport.disconnected
    assert second.received() == []
    second.lose()
    assert gathering.total == 600
    assert not first.is_gone
    assert lines == ["127.0.0.1:40000 closed: requests that are not whole take more than 0 MiB"]
    first.send(bytes(400))
    assert not first.is_gone, "there is room again"


def test_a_request_of_ordinary_length_is_heard_whatever_others_hold(
    world: Any, build: SimpleNamespace
) -> None:
    world.peer().send(LONG, bytes(1000))
    peer, stream = world.peer(), build.request().encode()
    assert len(stream) <= 300 + 6
    for byte in stream:
        peer.send(bytes([byte]))
    assert isinstance(peer.received()[0], AssociateAC)


def test_an_association_may_hold_no_more_either(world: Any, lines: list[str], build: SimpleNamespace) -> None:
    peer = world.peer().associate()
    world.peer().send(LONG, bytes(1000))
    store = build.store()
    peer.send(store[: 6 + int.from_bytes(store[2:6])])
    lines.clear()
    peer.send(LONG, bytes(301))
    assert peer.transport.disconnected
    assert world.limits.total == 0
    peer.lose()
    assert peer.received() == [], "what is written before a reset may never arrive"
    assert [operation.state for operation in world.storage.operations] == ["abandoned"]
    assert lines == ["SDCC<-CT01(1) closed: requests that are not whole take more than 0 MiB"]


def test_a_request_that_is_being_judged_may_hold_no_more_either(
    new_world: Any, gathering: Gathering, lines: list[str], build: SimpleNamespace
) -> None:
    """Whatever its judgement, it takes no slot."""
    remote = Remote(ae_title="CT01", address="ct01.example")
    world = new_world(gathering=gathering, remotes=(remote,))
    world.names["ct01.example"] = Deferred()
    world.peer().send(LONG, bytes(1000))
    peer = world.peer()
    peer.send(build.request(), LONG, bytes(301))
    assert peer.transport.disconnected
    world.names["ct01.example"].callback(frozenset({ip_address("127.0.0.1")}))
    peer.lose()
    assert world.limits.total == 0
    assert peer.received() == []
    assert lines == ["SDCC<-CT01(1) closed: requests that are not whole take more than 0 MiB"]


def test_a_peer_that_was_aborted_may_hold_no_more_either(world: Any, lines: list[str]) -> None:
    """Its line is written already."""
    world.peer().send(LONG, bytes(1000))
    peer = world.peer()
    peer.send(ReleaseRQ())
    [line] = lines
    peer.send(LONG, bytes(301))
    assert peer.transport.disconnected
    peer.lose()
    assert lines == [line]
