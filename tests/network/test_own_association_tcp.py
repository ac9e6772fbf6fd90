"""An association of ours over TCP, whose buffers no memory transport has."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater

from sdcc.config import Remote
from sdcc.network.caller import Caller
from sdcc.network.lost import NoResponse
from sdcc.network.own_association import OwnAssociation
from sdcc.network.timeouts import Timeouts

from ..interop.scp import StorageSCP
from .calls import CONTEXT, STORE, blocks

BLOCK = 256 * 1024
#: What the buffers of both sockets take, and more.
BOUND = 32 * 1024 * 1024


def call(scp: StorageSCP, *, dimse: float = 20) -> Deferred[OwnAssociation]:
    caller = Caller(
        (Remote(ae_title="PEER", address="127.0.0.1", port=scp.port),),
        reactor,
        resolve=Deferred,
        maximum_pdu_length=16384,
        timeouts=Timeouts(connection=20, acse=20, dimse=dimse, artim=20),
    )
    return Deferred.fromCoroutine(caller.open("PEER", "SDCC", (CONTEXT,)))


def under_way() -> set[object]:
    """The sockets of the reactor, and the calls that are still to come."""
    return {*reactor.getReaders(), *reactor.getWriters(), *reactor.getDelayedCalls()}


async def nothing_is_left(before: set[object]) -> None:
    """After a few turns."""
    for _ in range(5):
        await deferLater(reactor, 0)
    assert under_way() <= before


@pytest_twisted.ensureDeferred
async def test_a_connection_that_is_cancelled_leaves_nothing() -> None:
    before = under_way()
    with StorageSCP() as scp:
        opening = call(scp)
        opening.cancel()
        with pytest.raises(CancelledError):
            await opening
        await nothing_is_left(before)


@pytest.mark.parametrize("reads", [True, False])
@pytest_twisted.ensureDeferred
async def test_a_request_that_is_cancelled_leaves_nothing(reads: bool) -> None:
    """Whether the peer has read what was sent, and owes an answer, or reads nothing."""
    before = under_way()
    with StorageSCP(None, reads=reads) as scp:
        association = await call(scp)
        size = BLOCK if reads else BOUND
        sending = Deferred.fromCoroutine(association.request(1, STORE, blocks(bytes(size))))
        await deferLater(reactor, 0)
        sending.cancel()
        with pytest.raises(CancelledError):
            await sending
        await nothing_is_left(before)


@pytest_twisted.ensureDeferred
async def test_a_peer_that_does_not_read_bounds_what_is_buffered() -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while taken < 2 * BOUND:
            taken += BLOCK
            yield bytes(BLOCK)

    before = under_way()
    with StorageSCP(reads=False) as scp:
        association = await call(scp, dimse=0.2)
        with pytest.raises(NoResponse, match="no more of C-STORE-RQ taken"):
            await association.request(1, STORE, endless())
        await nothing_is_left(before)
    assert taken < BOUND
