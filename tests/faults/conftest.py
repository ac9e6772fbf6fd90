"""Servers that faults are done to, on each index."""

from __future__ import annotations

import pytest

from ..interop.conftest import configuration, connect, index, server, start
from . import engines
from .volumes import Mounts

__all__ = ["configuration", "connect", "index", "server", "start"]


@pytest.fixture(params=engines.NAMES)
def engine(request):
    """Who also asks for `start` asks for it after this, so that the server stops first."""
    with engines.engine(request) as engine:
        yield engine


@pytest.fixture
def mounts():
    """Who also asks for `start` asks for it after this, so that the server stops first."""
    mounts = Mounts()
    yield mounts
    mounts.close()
