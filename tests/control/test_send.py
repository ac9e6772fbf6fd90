"""`sdccctl send` as it is called; to whom it sends is in `tests/interop/test_sending.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sdcc.control import main

from ..interop.scp import StorageSCP
from .test_outgoing import DATA_SET, head


def test_an_unknown_peer_is_not_tried(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", config, "send", "CT02", "file"]) == 2
    assert capsys.readouterr() == (
        "",
        "'CT02' is no [[remote]] and no TITLE@host:port; known: 'CT01', 'WS'\n",
    )


def test_a_terminal_gets_a_bar_over_bytes(
    tmp_path: Path, on_terminal: Callable[..., tuple[int, str]]
) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(head() + DATA_SET + bytes(1_500_000 - len(DATA_SET)))
    with StorageSCP(0, 0xA700) as scp:
        code, shown = on_terminal("send", f"PEER@127.0.0.1:{scp.port}", str(tmp_path))
    assert code == 1
    assert "100% " in shown
    assert "3.00MB of 3.00MB, " in shown
    assert f"{tmp_path}/b: A700 a reason" in shown
