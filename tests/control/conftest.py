"""Configurations in files, and an index with objects in it."""

from __future__ import annotations

import datetime
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock

from sdcc.config import Configuration, load
from sdcc.control.synchronous import at_once, result
from sdcc.index.sqlite import SQLiteIndex
from sdcc.inspection import files
from sdcc.interfaces import (
    Instance,
    Provenance,
    Registered,
    Series,
    StoredFile,
    StoredObject,
    Study,
)

from ..archives import Reception, receiver

CONFIGURATION = """
[[local]]
ae_title = "SDCC"
[[local]]
ae_title = "RESEARCH"
port = 104
[[remote]]
ae_title = "CT01"
address = "192.168.10.21"
port = 11113
max_associations = 3
[[remote]]
ae_title = "WS"
address = "127.0.0.1"
services = ["verification"]
"""


@pytest.fixture
def configured(tmp_path: Path) -> Callable[[str], str]:
    """Writes a configuration; gives the file's name, for `--config`."""

    def write(text: str) -> str:
        path = tmp_path / "sdcc.toml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def config(configured: Callable[[str], str]) -> str:
    return configured(CONFIGURATION)


@pytest.fixture
def stored_object() -> Callable[..., StoredObject]:
    """Makes one with a SOP Instance UID; keywords replace what the listing shows."""

    def make(
        uid: str,
        *,
        study_uid: str = "1.2.1",
        patient_id: str | None = "4711",
        patient_name: str | None = "Yamada^Tarou",
        fault: str | None = None,
        minute: int = 0,
    ) -> StoredObject:
        return StoredObject(
            study=Study(study_instance_uid=study_uid, patient_id=patient_id, patient_name=patient_name),
            series=Series(series_instance_uid=f"{study_uid}.2", modality="CT"),
            instance=Instance(sop_instance_uid=uid, sop_class_uid="1.2.840.10008.5.1.4.1.1.2"),
            file=StoredFile(
                path=f"objects/2024/02/29/{uid}.dcm",
                size=525_000,
                data_set_size=524_300,
                sha256="ab" * 32,
                transfer_syntax_uid="1.2.840.10008.1.2.1",
                received_at=datetime.datetime(2024, 2, 29, 13, minute, 59, tzinfo=datetime.UTC),
                provenance=Provenance(calling_ae="CT01", called_ae="SDCC", calling_address="192.168.10.21"),
            ),
            fault=fault,
        )

    return make


@pytest.fixture
def registered(tmp_path: Path) -> Callable[..., None]:
    """Puts objects into the index of the configuration."""

    def register(*objects: StoredObject) -> None:
        index = SQLiteIndex(
            tmp_path / "sdcc-data" / "index.sqlite",
            run_in_thread=at_once,
            read_in_thread=at_once,
            clock=Clock(),
            timeout=10.0,
        )
        index.prepare()
        for stored in objects:
            done = ensureDeferred(index.register(stored))
            assert done.result == Registered()
        result(index.stop())

    return register


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    return tmp_path / "sdcc-data"


@pytest.fixture
def receive(storage: Path) -> Reception:
    return receiver(storage)


@pytest.fixture(params=["sqlite", "postgresql"])
def configuration(
    request: pytest.FixtureRequest, configured: Callable[[str], str]
) -> Iterator[Configuration]:
    if request.param == "sqlite":
        yield load(Path(configured("")))
    else:
        server = request.getfixturevalue("postgresql")
        with server.database() as name:
            yield load(Path(configured(f'[index]\nurl = "{server.url(name)}"\n')))


@pytest.fixture(autouse=True)
def nothing_is_too_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is left alone for having just come, but in the tests of that."""
    monkeypatch.setattr(files, "SETTLED_AFTER", 0)


@pytest.fixture
def on_terminal() -> Callable[..., tuple[int, str]]:
    """Runs `sdccctl` with a terminal for standard error; gives the exit code, and what is shown there."""

    def run(*arguments: str) -> tuple[int, str]:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 25, 80, 0, 0))
        done = subprocess.run(
            [sys.executable, "-m", "sdcc.control", *arguments],
            stdout=subprocess.PIPE,
            stderr=theirs,
            check=False,
            timeout=60,
        )
        shown = os.read(ours, 1 << 16).decode()
        os.close(ours)
        os.close(theirs)
        return done.returncode, shown

    return run


class Interrupted(NamedTuple):
    """A command that Ctrl-C has ended while it waited."""

    #: Standard error's first two lines, and the rest.
    told: list[str]
    out: str
    code: int


@pytest.fixture
def interrupted() -> Callable[..., Interrupted]:
    """Runs `sdccctl` until it has said two lines, and interrupts it."""

    def run(*arguments: str) -> Interrupted:
        with subprocess.Popen(
            # who runs the tests in the background may have had the signal ignored
            ["env", "--default-signal=INT", sys.executable, "-m", "sdcc.control", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            told = [process.stderr.readline(), process.stderr.readline()]
            process.send_signal(signal.SIGINT)
            try:
                out, rest = process.communicate(timeout=30)
            finally:
                process.kill()
        return Interrupted([*told, rest], out, process.returncode)

    return run
