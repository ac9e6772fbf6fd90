"""Servers that faults are done to, on each index."""

from __future__ import annotations

import pytest

from ..interop.conftest import connect, start
from . import engines

__all__ = ["connect", "start"]


@pytest.fixture(params=engines.NAMES)
def engine(request):
    """Who also asks for `start` asks for it after this, so that the server stops first."""
    with engines.engine(request) as engine:
        yield engine
