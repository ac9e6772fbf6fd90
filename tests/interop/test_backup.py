"""docs/backup.rst: its commands as they are printed, beside a server that receives, to a clean `verify`.

What is restored lies in a directory of its own, and each test leaves it whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
import sysconfig
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from ..documented import commands, first_column
from .objects import CT, data_set, new_uid
from .peers import requested, store
from .server import CONFIGURATION, PATIENCE, SDCCCTL, STORAGE, Server, run
from .wire import EXPLICIT

PAGE = "backup.rst"
(VARIABLES,) = commands(PAGE)
TIMEOUT = "timeout = 0.4\n"
ON_SQLITE, ON_POSTGRESQL = "The index on SQLite", "The index on PostgreSQL"


def pytest_generate_tests(metafunc):
    """Where the commands of the databases differ, both are tried."""
    differs = (
        test_a_server_has_all_again_that_was_safe_before_the_backup,
        test_an_index_that_is_put_back_is_older_than_its_files,
    )
    databases = ["sqlite", "postgresql"] if metafunc.function in differs else ["sqlite"]
    metafunc.parametrize("index", databases, indirect=True, scope="module")


@pytest.fixture(scope="module")
def configuration(index):
    return (index or "[index]\n") + TIMEOUT + CONFIGURATION


@dataclass(frozen=True)
class Place:
    """A storage directory with its index, and where its copy lies."""

    directory: Path
    copy: Path
    url: str
    programs: Path

    @property
    def data(self):
        return self.directory / STORAGE

    def shell(self, *blocks, exact=True):
        """The beginning of a shell whose variables are this place's.

        :param exact: ends with the first command that fails.
        """
        path = f"{sysconfig.get_path('scripts')}:{self.programs}:{os.environ['PATH']}"
        variables = {
            "CONFIG": self.directory / "sdcc.toml",
            "DATA": self.data,
            "OWNER": f"{os.getuid()}:{os.getgid()}",
            "COPY": self.copy,
            "URL": self.url,
            "PATH": path,
        }
        assert variables.keys() == {*re.findall(r"^\w+(?==)", VARIABLES, re.MULTILINE)}
        script = "\n".join(["set -eu" if exact else "set -u", *blocks])
        return ["env", *(f"{name}={value}" for name, value in variables.items()), "bash", "-c", script]

    def do(self, *blocks):
        done = run(*self.shell(*blocks))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def found(self):
        """By kind, the SOP Instance UIDs of what `verify` finds."""
        done = run(*SDCCCTL, "--config", str(self.directory / "sdcc.toml"), "verify")
        assert done.returncode in (0, 1), done.stderr
        found = {}
        for kind, _, uid, _ in (line.split("\t") for line in done.stdout.splitlines()[:-1]):
            found.setdefault(kind, set()).add(uid)
        return found


class Sender:
    """Stores objects of one series; each time that one comes again it has other pixels."""

    def __init__(self, address):
        self._association = requested(address, [(CT, [EXPLICIT])])
        self._study, self._round = new_uid(), 0
        #: Of each object that was answered with Success, the SHA-256 of what was sent.
        self.sent = {}

    def send(self, *uids):
        self._round += 1
        for uid in uids:
            data = data_set(instance=uid, study=self._study, pixels=self._round.to_bytes(4, "little"))
            assert store(self._association, data, sop_class=CT, sop_instance=uid).Status == 0
            self.sent.setdefault(uid, set()).add(hashlib.sha256(data).hexdigest())

    def send_during(self, command, again):
        """These one after the other, each once, and new ones; the output of the command, which may fail."""
        again = iter(again)
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as running:
            while running.poll() is None:
                self.send(next(again, new_uid()), new_uid())
            out, _ = running.communicate(timeout=PATIENCE)
        return out

    def leave(self):
        self._association.release()


@pytest.fixture(scope="module")
def url(index, server):
    """What the server's index is, as libpq has it; "": SQLite."""
    return tomllib.loads(server.configuration.read_text())["index"].get("url", "")


@pytest.fixture(scope="module")
def elsewhere(request, url):
    """Another, empty database; "": SQLite."""
    with contextlib.ExitStack() as stack:
        if url:
            postgresql = request.getfixturevalue("postgresql")
            yield postgresql.url(stack.enter_context(postgresql.database()))
        else:
            yield ""


@pytest.fixture(scope="module")
def backed_up(request, server, url, elsewhere, tmp_path_factory):
    """(where it is to be restored, its configuration, what was safe before the backup).

    Of the last, by SOP Instance UID, the SHA-256 of each version that there was until the backup's end.

    The backup was made while objects came, also between its two parts.
    """
    programs = request.getfixturevalue("postgresql").programs if url else Path("/nowhere")
    copy = tmp_path_factory.mktemp("copy") / "sdcc"
    source = Place(server.directory, copy, url, programs)
    sender, uids = Sender(server.address), [new_uid() for _ in range(10)]
    sender.send(*uids)
    title = ON_POSTGRESQL if url else ON_SQLITE
    assert sender.send_during(source.shell(*commands(PAGE, title)), uids[:5]) == ""
    sender.send(*uids[:8], new_uid())
    copying = source.shell(*commands(PAGE, "The objects"), exact=False)
    for line in sender.send_during(copying, uids).splitlines():
        assert re.fullmatch("cp: .*: No such file or directory", line), line
    safe = {uid: {*sender.sent[uid]} for uid in uids}
    sender.send(*uids, new_uid())
    sender.leave()
    directory = tmp_path_factory.mktemp("elsewhere")
    text = server.configuration.read_text()
    # nobody uses it meanwhile, whom verify would have to wait for
    configuration = text.replace(url or "url", elsewhere or "url").replace(TIMEOUT, "timeout = 0.1\n")
    (directory / "sdcc.toml").write_text(configuration)
    return Place(directory, copy, elsewhere, programs), configuration, safe


def index_commands(url):
    """The steps of a restore: of the index, on this database."""
    _, sqlite, postgresql, _ = commands(PAGE, "Restoring all of it")
    return postgresql if url else sqlite


@pytest.fixture(scope="module")
def restored(backed_up):
    place, _, _ = backed_up
    files, *_, compare = commands(PAGE, "Restoring all of it")
    place.do(files, index_commands(place.url))
    found = place.found()
    assert {"missing", "orphan"} <= found.keys() <= {*first_column(PAGE, "Restoring all of it")}
    assert found["missing"] <= found["orphan"], "a row has lost its file, and no newer one is there"
    place.do(compare)
    return place


def test_a_server_has_all_again_that_was_safe_before_the_backup(backed_up, restored):
    """Or what took its place meanwhile; and as it stops, each row has its file and each file its row."""
    _, configuration, safe = backed_up
    server = Server(restored.directory, configuration)
    try:
        rows = server.instances()
        server.stop()
    finally:
        if server.process.poll() is None:
            server.kill()
    assert [uid for uid, sent in safe.items() if rows[uid]["sha256"] not in sent] == []


def test_an_index_that_is_lost_is_made_of_the_files(restored, request):
    forget_index(restored, request)
    restored.do(*commands(PAGE, "Restoring the index alone"))


def test_an_index_that_is_put_back_is_older_than_its_files(restored, request):
    forget_index(restored, request)
    *_, compare = commands(PAGE, "Restoring all of it")
    restored.do(index_commands(restored.url), compare)


def forget_index(place, request):
    if place.url:
        name = place.url.rpartition("/")[2]
        postgresql = request.getfixturevalue("postgresql")
        postgresql.execute("DROP SCHEMA public CASCADE", database=name)
        postgresql.execute("CREATE SCHEMA public", database=name)
    else:
        (place.data / "index.sqlite").unlink()


def test_files_that_are_lost_are_put_back(restored):
    """With them come old ones, which the copy has kept: they are no fault for long."""
    lost = next(path for path in files(restored.copy) if (restored.data / path).exists())
    (restored.data / lost).unlink()
    found = run(*restored.shell(*commands(PAGE, "Restoring files alone"))).stdout
    assert "missing" not in found
    restored.do(commands(PAGE, "Restoring all of it")[-1])
    assert (restored.data / lost).exists()


def files(directory):
    return [path.relative_to(directory) for path in directory.glob("objects/**/*.dcm")]
