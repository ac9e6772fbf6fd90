"""Streams made of sound ones, to `twistd sdcc` over real sockets."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..interop.conftest import running
from .attack import ATTACKED, Health, attack
from .effort import SECONDS

#: Sent before anything is measured, so that what a server has for good is there.
WARMING = 300
STREAMS = 1500

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="descriptors and memory are counted as Linux shows them"
)


def test_a_server_under_attack_is_healthy_afterwards(tmp_path: Path) -> None:
    """C-ECHO and C-STORE work, objects are whole, and slots, descriptors and memory are back."""
    with running(tmp_path, ATTACKED) as server:
        attack(server.address, 1, streams=WARMING)
        health = Health(server)
        answers = attack(server.address, 2, **({"seconds": SECONDS} if SECONDS else {"streams": STREAMS}))
        health.assert_as_before()
        assert answers["accepted"] > answers.total() / 2, "too few streams come beyond their request"
        assert server.registered(), "no stream came as far as an object"
