"""What the server's index may be on, and what can be done to it."""

from __future__ import annotations

import contextlib
import sqlite3

NAMES = ("sqlite", "postgresql")


class SQLite:
    """The index in the storage directory."""

    def __init__(self):
        self.configuration = "[index]\ntimeout = 60\n"

    def has_settled(self):
        """Nothing that a dead server began is still under way."""
        return True

    @contextlib.contextmanager
    def held(self, server):
        """Another process keeps it locked while the block runs."""
        with contextlib.closing(sqlite3.connect(server.storage / "index.sqlite")) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.rollback()


class PostgreSQL:
    """The index in a database of the test's own, which would not wait for the disk by itself."""

    def __init__(self, server, database):
        self._server = server
        self._database = database
        self.port = server.port
        self.configuration = f'[index]\nurl = "{server.url(database)}"\ntimeout = 60\n'
        server.execute(f"ALTER DATABASE {database} SET synchronous_commit = off")

    def has_settled(self):
        return not self._server.backends(self._database)

    @contextlib.contextmanager
    def held(self, server):
        with self._server.hanging():
            yield


@contextlib.contextmanager
def engine(request):
    """The one that a fixture is asked for."""
    if request.param == "sqlite":
        yield SQLite()
    else:
        postgresql = request.getfixturevalue("postgresql")
        with postgresql.database() as name:
            yield PostgreSQL(postgresql, name)
