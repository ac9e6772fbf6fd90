"""A server under attack, and somebody who only wants to store images meanwhile."""

from __future__ import annotations

import pytest

from ..interop.conftest import configuration, connect, index, server, start  # noqa: F401
from ..interop.wire import Peer
from .bystander import Bystander


@pytest.fixture(scope="module")
def bystander(server):  # noqa: F811
    """An association with the module's server that was open before, and goes on through every test."""
    with Peer(server.address) as peer:
        bystander = Bystander(server, peer)
        yield bystander
        bystander.leave()


@pytest.fixture
def logged(server):  # noqa: F811
    """What the module's server has logged in this test so far."""
    before = len(server.log())
    return lambda: server.log()[before:]


@pytest.fixture
def unhurt(bystander):
    """Whatever the test does to the module's server, it is as well as ever at the end."""
    yield
    bystander.check()
