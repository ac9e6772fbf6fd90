"""Where nothing can be mounted, what needs it is skipped, and fails where nothing may be."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("required", "outcome"), [("0", pytest.skip.Exception), ("1", pytest.fail.Exception)]
)
def test_where_nothing_can_be_mounted(mounts, tmp_path, monkeypatch, required, outcome):
    monkeypatch.setenv("SDCC_REQUIRE_PEERS", required)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(outcome, match=r"^to mount takes root, .*No such file"):
        mounts.small(tmp_path / "disk", 1 << 20)
