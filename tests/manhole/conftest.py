"""A manhole within this process, and the system's ssh."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from zope.interface import implementer

from sdcc.config import Manhole
from sdcc.config.endpoints import Endpoint
from sdcc.interfaces.administration import CannotDo, IAdministration
from sdcc.manhole.server import ManholeServer
from sdcc.threads import LooseThreads

from ..programs import required

PACKAGE = "install Debian's package openssh-client"
KINDS = {"anna": "ed25519", "bert": "ed25519", "rsa": "rsa", "ecdsa": "ecdsa"}


@implementer(IAdministration)
class Administration:
    """What a server with one association would answer."""

    def __init__(self) -> None:
        self.reloading: Deferred[Any] = Deferred()

    def status(self) -> dict[str, Any]:
        return {"state": "ready", "associations": {"open": 1, "maximum": 200}}

    def associations(self) -> list[dict[str, Any]]:
        return [{"number": 7, "bytes": 0}, {"number": 8, "bytes": 525}]

    def abort(self, number: int) -> dict[str, Any]:
        if number != 7:
            raise CannotDo(f"no association has the number {number}")
        return {"aborted": number}

    def remotes(self) -> list[dict[str, Any]]:
        return []

    def limits(self) -> list[dict[str, Any]]:
        return []

    async def reload(self) -> dict[str, Any]:
        result: dict[str, Any] = await self.reloading
        return result

    def drain(self, is_on: bool = True) -> dict[str, Any]:
        return {"state": "draining" if is_on else "ready", "open": 1}

    def log_level(self, name: str = "", level: str = "") -> list[dict[str, Any]]:
        return [{"name": name, "level": level}]

    async def explain(self, calling: str, called: str, address: str, **more: Any) -> dict[str, Any]:
        raise CannotDo("nothing is known of it")


def shown(command: str, result: Any) -> str:
    """Tables of one line."""
    return f"<{command}: {len(result)}>"


class Said(NamedTuple):
    """What a program has said."""

    output: str
    errors: str
    code: int


def run(command: list[str], typed: str = "") -> Deferred[Said]:
    """A program's end, while the reactor goes on."""

    def until_its_end() -> Said:
        done = subprocess.run(command, input=typed, capture_output=True, text=True, timeout=30, check=False)
        return Said(done.stdout, done.stderr, done.returncode)

    return deferToThread(until_its_end)


class Opened:
    """A manhole that listens, and that one key opens."""

    def __init__(self, directory: Path, keys: dict[str, Path], endpoint: str = "tcp:0") -> None:
        self.administration = Administration()
        self.directory = directory
        self.authorized_keys = directory / "keys"
        self._keys = keys
        self.let_in("anna")
        self.server = ManholeServer(
            Manhole(
                endpoint=str(Endpoint.read(endpoint).below(directory)), authorized_keys=self.authorized_keys
            ),
            directory,
            self.administration,
            shown=shown,
            reactor=reactor,
            run_in_thread=LooseThreads(reactor, "keys").run,
        )
        self.server.start()

    def let_in(self, *names: str, options: str = "") -> None:
        lines = [options + self._keys[name].with_suffix(".pub").read_text() for name in names]
        self.authorized_keys.write_text("".join(lines))
        self.authorized_keys.chmod(0o600)

    @property
    def is_used(self) -> bool:
        return bool(self.server._factory and self.server._factory.connections)

    async def close(self) -> None:
        await self.server.stop()
        await self.until(lambda: not self.is_used)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for what a client is about to do, no longer than the client itself is waited for."""
        for _ in range(3000):
            if condition():
                return
            await deferLater(reactor, 0.01)
        raise AssertionError(f"has not come about: {condition}")

    @property
    def port(self) -> str:
        return self.server.place.rpartition(":")[2]

    def ssh(
        self,
        *words: str,
        key: str = "anna",
        user: str = "sdcc",
        options: tuple[str, ...] = (),
        typed: str = "",
    ) -> Deferred[Said]:
        """:param words: of the command."""
        settings = {
            "IdentitiesOnly": "yes",
            "NumberOfPasswordPrompts": "0",
            "StrictHostKeyChecking": "accept-new",
            "UserKnownHostsFile": str(self.directory / "known_hosts"),
            "LogLevel": "ERROR",
        }
        command = [required("/usr/bin/ssh", PACKAGE), "-F", "/dev/null", "-i", str(self._keys[key]), *options]
        command += [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
        return run([*command, "-p", self.port, "-l", user, "127.0.0.1", *words], typed)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Private keys by the names of their owners; the public one of each is beside it."""
    directory = tmp_path_factory.mktemp("keys")
    for name, kind in KINDS.items():
        generate = [required("/usr/bin/ssh-keygen", PACKAGE), "-q", "-t", kind, "-N", ""]
        subprocess.run([*generate, "-C", f"{name}@example", "-f", directory / name], check=True)
    return {name: directory / name for name in KINDS}


@pytest.fixture
def opened(tmp_path: Path, keys: dict[str, Path]) -> Any:
    manhole = Opened(tmp_path, keys)
    yield manhole
    pytest_twisted.blockon(Deferred.fromCoroutine(manhole.close()))


@pytest.fixture
def fingerprint_of(keys: dict[str, Path]) -> Callable[[Path], str]:
    """As ssh-keygen has it."""

    def ask(path: Path) -> str:
        told = subprocess.run(["/usr/bin/ssh-keygen", "-l", "-f", path], capture_output=True, check=True)
        return told.stdout.decode().split()[1]

    return ask
