"""What tests of every package may ask for."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

# both with what sdcc.lean would keep away from the tests too
import OpenSSL  # noqa: F401
import pydicom  # noqa: F401
import pytest
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from .programs import missing, required


@pytest.fixture(scope="session")
def dcmtk():
    """Gives the path of a DCMTK program.

    Never one found on PATH, where pynetdicom has programs of the same names.
    """
    directory = Path(os.environ.get("SDCC_DCMTK", "/usr/bin"))
    return lambda name: required(
        directory / name, "install DCMTK (Debian's package dcmtk), or set SDCC_DCMTK"
    )


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """The lines of the log, info and above."""
    found: list[str] = []

    def observe(event: LogEvent) -> None:
        if event["log_level"].name != "debug":
            found.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield found
    globalLogPublisher.removeObserver(observe)


@pytest.fixture(scope="session")
def strace():
    """The path of strace, where this user may trace its own processes."""
    path = required(shutil.which("strace") or "/usr/bin/strace", "install Debian's package strace")
    tried = subprocess.run([path, "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        missing(f"strace may not trace: {tried.stderr.strip()}")
    return path


@pytest.fixture(scope="session")
def postgresql():
    """A PostgreSQL server, which every test leaves running."""
    from .postgresql import PostgreSQL  # noqa: PLC0415  # only who asks for it pays for it

    server = PostgreSQL()
    yield server
    server.close()
