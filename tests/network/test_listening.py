"""Ports by the description of an endpoint."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.protocol import Factory

from sdcc.network.listening import CannotListen, listen, place


@pytest_twisted.ensureDeferred
async def test_a_tcp_port_is_listened_on_at_once() -> None:
    port = listen("tcp:0:interface=127.0.0.1", Factory(), reactor)
    try:
        host, _, number = place(port).rpartition(":")
        assert host == "127.0.0.1"
        socket.create_connection((host, int(number)), 5).close()
    finally:
        await port.stopListening()


@pytest_twisted.ensureDeferred
async def test_a_unix_socket_is_named_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "http"
    port = listen(f"unix:{path}:mode=600", Factory(), reactor)
    assert place(port) == str(path)
    assert path.stat().st_mode & 0o777 == 0o600
    await port.stopListening()
    assert not path.exists()


@pytest_twisted.ensureDeferred
async def test_a_socket_that_a_killed_process_has_left_is_in_nobodys_way(tmp_path: Path) -> None:
    """Whatever process has its ID now: in a container, the very one that starts."""
    path = tmp_path / "http"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    (tmp_path / "http.lock").symlink_to(str(os.getpid()))
    port = listen(f"unix:{path}", Factory(), reactor)
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(path))
    await port.stopListening()


def test_a_socket_on_which_somebody_listens_stays(tmp_path: Path) -> None:
    path = tmp_path / "http"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        with pytest.raises(CannotListen, match="in use"):
            listen(f"unix:{path}", Factory(), reactor)
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(path))


def test_a_file_that_is_no_socket_stays(tmp_path: Path) -> None:
    path = tmp_path / "http"
    path.write_text("of somebody")
    with pytest.raises(CannotListen, match="in use"):
        listen(f"unix:{path}", Factory(), reactor)
    assert path.read_text() == "of somebody"


def test_a_port_that_is_taken_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = other.getsockname()[1]
        with pytest.raises(
            CannotListen, match=f"^cannot listen on tcp:{number}:interface=127.0.0.1: Address already in use$"
        ):
            listen(f"tcp:{number}:interface=127.0.0.1", Factory(), reactor)


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ("tcp:http:interface=127.0.0.1", "http"),
        ("tcp:0:colour=red", "colour"),
        ("unix:/nowhere/at/all", "^cannot listen on unix:/nowhere/at/all: No such file or directory$"),
        ("gopher:70", "gopher"),
        ("systemd:domain=INET:index=0", "systemd has handed over no such socket"),
    ],
)
def test_what_no_endpoint_can_be_made_of_says_why(description: str, words: str) -> None:
    with pytest.raises(CannotListen, match=words):
        listen(description, Factory(), reactor)
