"""What tests of the metrics ask for."""

from __future__ import annotations

import pytest

from .bench import Bench, Everything


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def everything() -> Bench:
    return Everything()
