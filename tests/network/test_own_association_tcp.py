"""An association of ours over TCP, whose buffers no memory transport has."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from sdcc.config import Remote
from sdcc.network.caller import Caller
from sdcc.network.lost import NoResponse
from sdcc.network.timeouts import Timeouts

from ..interop.scp import StorageSCP
from .test_own_association import CONTEXT, STORE

BLOCK = 256 * 1024
#: What the buffers of both sockets take, and more.
BOUND = 32 * 1024 * 1024


@pytest_twisted.ensureDeferred
async def test_a_peer_that_does_not_read_bounds_what_is_buffered() -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while taken < 2 * BOUND:
            taken += BLOCK
            yield bytes(BLOCK)

    with StorageSCP(reads=False) as scp:
        caller = Caller(
            (Remote(ae_title="PEER", address="127.0.0.1", port=scp.port),),
            reactor,
            resolve=Deferred,
            maximum_pdu_length=16384,
            timeouts=Timeouts(connection=10, acse=10, dimse=0.2, artim=10),
        )
        association = await caller.open("PEER", "SDCC", (CONTEXT,))
        with pytest.raises(NoResponse, match="no more of C-STORE-RQ taken"):
            await association.request(1, STORE, endless())
    assert taken < BOUND
