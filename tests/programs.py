"""Programs that the tests talk to, and that pip does not bring."""

from __future__ import annotations

import os

import pytest


def required(program, how):
    """The path of a program. Where it is missing the test is skipped, or fails if SDCC_REQUIRE_PEERS=1.

    :param how: to install it.
    """
    if not os.access(program, os.X_OK):
        missing(f"{program} is missing: {how}")
    return str(program)


def missing(reason):
    if os.environ.get("SDCC_REQUIRE_PEERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
