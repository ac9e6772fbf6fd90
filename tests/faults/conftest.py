"""Servers that faults are done to, on each index."""

from __future__ import annotations

import pytest

from ..interop.conftest import connect, start
from ..interop.server import until

__all__ = ["connect", "start"]


class SQLite:
    """The index in the storage directory."""

    configuration = ""

    def has_settled(self):
        """Nothing that a dead server began is still under way."""
        return True


class PostgreSQL:
    """The index in a database of the test's own."""

    def __init__(self, server, database):
        self._server = server
        self._database = database
        self.configuration = f'[index]\nurl = "{server.url(database)}"\n'

    def has_settled(self):
        return not self._server.backends(self._database)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request):
    """Who also asks for `start` asks for it after this, so that the server stops first."""
    if request.param == "sqlite":
        yield SQLite()
    else:
        postgresql = request.getfixturevalue("postgresql")
        with postgresql.database() as name:
            yield PostgreSQL(postgresql, name)
