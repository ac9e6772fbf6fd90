"""An authority and what it signs, in the test's own directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdcc.config import TLS

from ..certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def settings(authority: Authority) -> TLS:
    certificate = authority.sign("server", "sdcc.example.org")
    return TLS(
        certificate=certificate,
        private_key=certificate.with_suffix(".key"),
        client_authorities=authority.path,
    )
