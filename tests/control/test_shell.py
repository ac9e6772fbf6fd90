"""`sdccctl shell`: how it calls ssh, and what it says where it cannot."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sdcc.config import load
from sdcc.config.endpoints import Endpoint
from sdcc.control import main
from sdcc.control.shell import NoShell, known_hosts, reached
from sdcc.manhole.host_key import host_key

MANHOLE = '[manhole]\nendpoint = "tcp:11122"\nauthorized_keys = "keys"\n'


@pytest.mark.parametrize(
    ("text", "words", "lacking"),
    [
        ("", "no [manhole] is in the configuration", ""),
        (MANHOLE, "ssh is not installed (on Debian: apt-get install openssh-client)", "ssh"),
        (
            MANHOLE.replace("11122", "0"),
            "[manhole] endpoint 'tcp:0:interface=127.0.0.1' does not say which port it is; "
            "with the one that the server has: ssh -l sdcc -p PORT HOST",
            "",
        ),
        (
            MANHOLE.replace("tcp:11122", "systemd:index=0"),
            "[manhole] endpoint 'systemd:domain=INET:index=0' does not say which port it is; "
            "with the one that the server has: ssh -l sdcc -p PORT HOST",
            "",
        ),
    ],
)
def test_where_there_is_no_prompt_it_says_why(  # noqa: PLR0917
    configured: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
    words: str,
    lacking: str,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if name == lacking else f"/usr/bin/{name}")
    assert main(["--config", configured(text), "shell"]) == 2
    assert capsys.readouterr().err == f"{words}\n"


@pytest.mark.parametrize(
    ("endpoint", "end"),
    [
        ("tcp:11122", ["-o", "ProxyCommand=none", "-l", "sdcc", "-p", "11122", "--", "127.0.0.1"]),
        ("tcp:11122:interface=0.0.0.0", ["-l", "sdcc", "-p", "11122", "--", "127.0.0.1"]),
        ("tcp:11122:interface=192.168.10.5", ["-p", "11122", "--", "192.168.10.5"]),
        (r"tcp6:11122:interface=\:\:", ["-p", "11122", "--", "::1"]),
        ("unix:/run/sdcc/manhole", ["-l", "sdcc", "--", "sdcc"]),
    ],
)
def test_it_calls_the_place_where_the_server_listens(endpoint: str, end: list[str]) -> None:
    assert reached(Endpoint.read(endpoint))[-len(end) :] == end


def test_a_socket_is_reached_by_a_program_of_ours_whatever_its_name() -> None:
    arguments = reached(Endpoint.read("unix:/run/a 100%/manhole"))
    [command] = [word for word in arguments if word.startswith("ProxyCommand=")]
    assert command.endswith("-m sdcc.manhole.proxy '/run/a 100%%/manhole'")


def test_where_nothing_can_be_told_it_is_not_guessed() -> None:
    with pytest.raises(NoShell):
        reached(Endpoint.read("systemd:name=manhole"))


def test_the_server_is_known_by_its_key(tmp_path: Path) -> None:
    key = host_key(tmp_path).public().toString("OPENSSH").decode()
    with known_hosts(tmp_path, Endpoint.read("tcp:11122")) as options:
        assert options["StrictHostKeyChecking"] == "yes"
        path = Path(options["UserKnownHostsFile"])
        assert path.read_text() == f"{options['HostKeyAlias']} {key}\n"
    assert not path.exists()


def test_a_server_whose_key_cannot_be_read_is_known_by_the_first_it_shows(tmp_path: Path) -> None:
    with known_hosts(tmp_path, Endpoint.read("unix:/run/a b")) as options:
        assert options == {"HostKeyAlias": "sdcc-unix--run-a-b", "StrictHostKeyChecking": "accept-new"}


def test_check_says_where_it_is_and_who_can_log_in(
    configured: Callable[[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = configured(MANHOLE)
    keys = tmp_path / "keys"
    keys.write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJhUbCBtqCfEw1nCwIIfSFFlgxLHp4oSM0mpSKCfW0tJ\n")
    keys.chmod(0o600)
    assert main(["--config", path, "check"]) == 0
    assert (
        "manhole       on 127.0.0.1, port 11122 (this host only)\n"
        f"              for those whose keys are in {keys}\n"
    ) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("endpoint", "meaning"),
    [
        (
            "tcp:11122:interface=0.0.0.0",
            "on 0.0.0.0, port 11122; other hosts can reach it, "
            "and whoever logs in has all that the server has",
        ),
        ("unix:manhole", "on the socket {0}/manhole"),
        ("systemd:name=manhole", "on what systemd hands over: systemd:domain=INET:name=manhole"),
    ],
)
def test_check_warns_where_others_can_reach_it(
    configured: Callable[[str], str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    endpoint: str,
    meaning: str,
) -> None:
    main(["--config", configured(MANHOLE.replace("tcp:11122", endpoint)), "check"])
    assert f"manhole       {meaning.format(tmp_path)}" in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("content", "mode", "problem"),
    [
        (None, 0, "{0}: No such file or directory"),
        ("# none\n", 0o600, "{0} holds no key"),
        ("# none\n", 0o620, "{0} can be written by others than its owner: chmod go-w {0}"),
        ("ssh-rsa AAAA\n", 0o600, "{0}, line 1: its key is damaged"),
    ],
)
def test_check_says_what_keeps_everybody_out(  # noqa: PLR0917
    configured: Callable[[str], str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: str | None,
    mode: int,
    problem: str,
) -> None:
    path, keys = configured(MANHOLE), tmp_path / "keys"
    if content is not None:
        keys.write_text(content)
        keys.chmod(mode)
    assert main(["--config", path, "check"]) == 1
    assert capsys.readouterr().err == f"[manhole].authorized_keys: {problem.format(keys)}\n"


def test_relative_paths_start_at_the_file(configured: Callable[[str], str], tmp_path: Path) -> None:
    manhole = load(Path(configured(MANHOLE.replace("tcp:11122", "unix:manhole")))).manhole
    assert manhole is not None
    assert manhole.endpoint == f"unix:{tmp_path}/manhole:mode=600"
