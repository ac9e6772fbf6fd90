"""Events as Twisted's loggers make them, and a stream to write lines to."""

from __future__ import annotations

import os

import pytest
from twisted.logger import Logger, LogLevel

#: 2026-11-26T18:33:43.25 UTC.
NOW = 1795718023.25


@pytest.fixture
def event():
    """Makes one event of a logger `sdcc.association`."""

    def make(text, level="info", **fields):
        made = []
        Logger(namespace="sdcc.association", observer=made.append).emit(
            LogLevel.levelWithName(level), text, **fields
        )
        made[0]["log_time"] = NOW
        return made[0]

    return make


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)
