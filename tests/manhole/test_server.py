"""Where a manhole listens, and `sdccctl shell`, which calls it there."""

from __future__ import annotations

import socket
import stat
from pathlib import Path
from typing import Protocol

import pytest
import pytest_twisted
from twisted.internet import endpoints
from twisted.internet.threads import deferToThread
from twisted.python.systemd import ListenFDs

from sdcc.control import main
from sdcc.manhole.authorized_keys import fingerprint
from sdcc.manhole.host_key import host_key
from sdcc.manhole.server import CannotOpen

from .conftest import Opened, Said


class Shell(Protocol):
    async def __call__(self, manhole: Opened, endpoint: str, key: Path, expression: str) -> Said: ...


@pytest.fixture
def shell(capfd: pytest.CaptureFixture[str]) -> Shell:
    """What `sdccctl shell -c` says, in a thread of this process."""

    async def shell(manhole: Opened, endpoint: str, key: Path, expression: str) -> Said:
        configuration = manhole.directory / "sdcc.toml"
        configuration.write_text(
            f'storage.directory = "."\nmanhole = {{ endpoint = "{endpoint}", authorized_keys = "keys" }}\n'
        )
        ssh = ["-n", "-F", "/dev/null", "-o", "BatchMode=yes", "-i", str(key)]
        command = ["--config", str(configuration), "shell", f"--command={expression}", "--", *ssh]
        capfd.readouterr()
        code: int = await deferToThread(main, command)
        return Said(*capfd.readouterr(), code)

    return shell


@pytest_twisted.ensureDeferred
async def test_sdccctl_calls_it_at_its_port(opened: Opened, keys: dict[str, Path], shell: Shell) -> None:
    endpoint = f"tcp:{opened.port}"
    assert await shell(opened, endpoint, keys["anna"], "status()") == ("<status: 2>\n", "", 0)
    stranger = await shell(opened, endpoint, keys["bert"], "status()")
    assert (stranger.output, stranger.code) == ("", 2)
    assert await shell(opened, endpoint, keys["anna"], "-1") == ("-1\n", "", 0), "no option of ssh's"


@pytest_twisted.ensureDeferred
async def test_sdccctl_does_not_talk_to_another_server(
    opened: Opened, keys: dict[str, Path], shell: Shell
) -> None:
    (opened.directory / "manhole_host_key").unlink()
    host_key(opened.directory)
    said = await shell(opened, f"tcp:{opened.port}", keys["anna"], "status()")
    assert (said.output, said.code) == ("", 2)
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in said.errors


@pytest_twisted.ensureDeferred
async def test_sdccctl_says_that_nobody_listens(
    tmp_path: Path, keys: dict[str, Path], opened: Opened, shell: Shell
) -> None:
    said = await shell(opened, "unix:nobody", keys["anna"], "status()")
    assert (said.output, said.code) == ("", 2)
    assert f"{tmp_path}/nobody: No such file or directory" in said.errors


@pytest_twisted.ensureDeferred
async def test_a_socket_file_is_for_its_owner_alone(
    tmp_path: Path, keys: dict[str, Path], lines: list[str], shell: Shell
) -> None:
    manhole = Opened(tmp_path, keys, "unix:manhole")
    try:
        name = fingerprint(host_key(tmp_path).public().blob())
        assert lines[-1] == f"Manhole on {tmp_path}/manhole, host key {name}"
        assert stat.S_IMODE((tmp_path / "manhole").stat().st_mode) == 0o600
        assert (await shell(manhole, "unix:manhole", keys["anna"], "status()")).output == "<status: 2>\n"
        assert any(line.endswith("(anna@example) has logged in from a local socket") for line in lines)
    finally:
        await manhole.close()
    assert not (tmp_path / "manhole").exists()


@pytest_twisted.ensureDeferred
async def test_one_that_others_can_reach_is_warned_about(
    tmp_path: Path, keys: dict[str, Path], lines: list[str]
) -> None:
    """0.0.0.0 of a test is as open as it looks: the port is of this host, and closed at once."""
    manhole = Opened(tmp_path, keys, "tcp:0:interface=0.0.0.0")
    await manhole.close()
    assert "Manhole: other hosts can reach it, and whoever logs in has all that the server has" in lines


def test_a_place_that_is_taken_is_named(tmp_path: Path, keys: dict[str, Path]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        endpoint = f"tcp:{other.getsockname()[1]}"
        with pytest.raises(CannotOpen, match=f"endpoint: cannot listen on {endpoint}:.*: .*in use"):
            Opened(tmp_path, keys, endpoint)


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("systemd:name=manhole", "systemd has handed over no such socket"),
        ("systemd:index=0", "systemd has handed over no such socket"),
        ("unix:no/such/directory", "No such file or directory"),
    ],
)
def test_a_place_that_is_not_there_is_named(
    tmp_path: Path, keys: dict[str, Path], endpoint: str, reason: str
) -> None:
    with pytest.raises(CannotOpen, match=f"endpoint: cannot listen on {endpoint[:4]}.*: .*{reason}"):
        Opened(tmp_path, keys, endpoint)


def test_a_host_key_that_others_know_is_named(tmp_path: Path, keys: dict[str, Path]) -> None:
    host_key(tmp_path)
    (tmp_path / "manhole_host_key").chmod(0o644)
    with pytest.raises(CannotOpen, match=r"host key: .*manhole_host_key can be read by others: chmod 600"):
        Opened(tmp_path, keys)


@pytest_twisted.ensureDeferred
async def test_a_stop_waits_for_nobody(opened: Opened, lines: list[str]) -> None:
    asked = opened.ssh("reload()")
    await opened.until(lambda: lines and lines[-1].endswith("reload()"))
    await opened.server.stop()
    said = await asked
    assert (said.output, said.code) == ("", 255)
    opened.administration.reloading.callback({})
    assert "failed" not in "".join(lines)


@pytest_twisted.ensureDeferred
async def test_one_that_systemd_has_opened_to_others_is_warned_about(
    tmp_path: Path, keys: dict[str, Path], lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    handed_over = ListenFDs([socket.create_server(("0.0.0.0", 0)).detach()], ["manhole"])
    monkeypatch.setattr(endpoints._SystemdParser, "_sddaemon", handed_over)
    manhole = Opened(tmp_path, keys, "systemd:name=manhole")
    assert (await manhole.ssh("status()")).output == "<status: 2>\n"
    await manhole.close()
    assert "Manhole: other hosts can reach it, and whoever logs in has all that the server has" in lines
