"""Where servers can be asked: real sockets in real folders."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread

from sdcc.administration.place import CONTROL, LONGEST_ADDRESS, address, listen, processes


class Greeting(Protocol):
    def connectionMade(self) -> None:
        self.transport.write(b"hello")
        self.transport.loseConnection()


@pytest.fixture(params=["short", "long"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """One whose socket has a path that is an address, and one whose socket has not."""
    parts = ["a" * 60] * 3 if request.param == "long" else []
    folder = tmp_path.joinpath("incoming", *parts)
    folder.mkdir(parents=True)
    return folder


def greeted(folder: Path) -> bytes:
    with socket.socket(socket.AF_UNIX) as client, address(str(folder)) as name:
        client.settimeout(10)
        assert len(name) <= LONGEST_ADDRESS
        client.connect(name)
        return client.recv(10)


def is_held(folder: Path) -> bool:
    """Whether this process has a descriptor of it."""
    return str(folder) in {
        os.path.realpath(f"/proc/self/fd/{descriptor}") for descriptor in os.listdir("/proc/self/fd")
    }


@pytest_twisted.ensureDeferred
async def test_a_socket_is_there_for_its_owner_until_it_is_closed(folder: Path) -> None:
    close = listen(reactor, str(folder), Factory.forProtocol(Greeting))
    mode = (folder / CONTROL).lstat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    assert await deferToThread(greeted, folder) == b"hello"
    await close()
    assert os.listdir(folder) == []
    assert not is_held(folder)


@pytest_twisted.ensureDeferred
async def test_a_socket_that_somebody_removed_is_closed_all_the_same(folder: Path) -> None:
    close = listen(reactor, str(folder), Factory.forProtocol(Greeting))
    (folder / CONTROL).unlink()
    await close()


def test_a_file_system_that_takes_no_sockets_is_an_error(folder: Path) -> None:
    class Reactor:
        def listenUNIX(self, name: str, factory: object, *, mode: int) -> None:
            raise CannotListenError(None, name, PermissionError(1, "Operation not permitted"))

    with pytest.raises(PermissionError, match="Operation not permitted"):
        listen(Reactor(), str(folder), Factory.forProtocol(Greeting))
    assert not is_held(folder)


def test_no_folder_is_an_error() -> None:
    with pytest.raises(FileNotFoundError), address("/nowhere" * 20):
        pass


def has_socket(folder: Path) -> str:
    folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as left, address(str(folder)) as name:
        left.bind(name)
    return str(folder)


def test_the_processes_are_those_that_have_a_socket(tmp_path: Path) -> None:
    assert processes(str(tmp_path)) == {}
    incoming = tmp_path / "incoming"
    first = has_socket(incoming / "host-17-t0k3n")
    second = has_socket(incoming / "my-host-2-t0k3n")
    (incoming / "host-18-other").mkdir()
    (incoming / "host-19-other").mkdir()
    (incoming / "host-19-other" / CONTROL).write_text("no socket")
    (incoming / "file").write_text("")
    assert processes(str(tmp_path)) == {"host-17": first, "my-host-2": second}


def test_two_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """As two containers are, each of which has its server as process 1."""
    folders = [has_socket(tmp_path / "incoming" / f"host-1-{token}") for token in ("a", "b")]
    assert processes(str(tmp_path)) == {"host-1": folders[0], "host-1-b": folders[1]}
