"""What tests of every package may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def dcmtk():
    """Gives the path of a DCMTK program.

    Never one found on PATH, where pynetdicom has programs of the same names. Where it is missing the
    test is skipped, or fails if SDCC_REQUIRE_PEERS=1.
    """
    directory = Path(os.environ.get("SDCC_DCMTK", "/usr/bin"))

    def path(name):
        program = directory / name
        if not os.access(program, os.X_OK):
            reason = f"{program} is missing: install DCMTK (Debian's package dcmtk), or set SDCC_DCMTK"
            if os.environ.get("SDCC_REQUIRE_PEERS") == "1":
                pytest.fail(reason)
            pytest.skip(reason)
        return str(program)

    return path


@pytest.fixture(scope="session")
def postgresql():
    """A PostgreSQL server, which every test leaves running."""
    from .postgresql import PostgreSQL  # noqa: PLC0415  # only who asks for it pays for it

    server = PostgreSQL()
    yield server
    server.close()
