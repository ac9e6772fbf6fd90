"""`twistd sdcc` in a process and a directory of its own, and what an administrator sees of it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import sysconfig
import time
import tomllib
from pathlib import Path

import psycopg2

from .objects import data_set_sha256

TWISTD = str(Path(sysconfig.get_path("scripts")) / "twistd")
SDCCCTL = (sys.executable, "-m", "sdcc.control")

#: Seconds that a program may take, and that anything may take to come about.
PATIENCE = 30

STORAGE = "sdcc-data"
#: Any free port, room for every test's associations, and no claim on the machine's disk.
CONFIGURATION = """
[[local]]
port = 0
max_associations = 100
[storage]
minimum_free = 0
"""
#: DCMTK sends a message in several pieces: none is to wait for the acknowledgement of the last.
ENVIRONMENT = {**os.environ, "TCP_NODELAY": "1"}


def run(*command, **options):
    """A program's end: exit code and output."""
    return subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE, check=False, env=ENVIRONMENT, **options
    )


def until(condition, what=""):
    """Wait for what another process is about to do; gives what the condition then says."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, f"has not come about: {what or condition}"
        time.sleep(0.005)
    return found


class Server:
    """A server that runs from its making until :meth:`stop`."""

    def __init__(self, directory, configuration=CONFIGURATION, options=(), under=(), passed=()):
        """
        :param options: of twistd, beyond those that keep it in the foreground.
        :param under: the beginning of a command that runs it, and whose process becomes it.
        :param passed: descriptors that it inherits.
        """
        self.directory = directory
        self._options = options
        self._under = under
        self._passed = passed
        settings = tomllib.loads(configuration).get("storage", {})
        self.storage = directory / settings.get("directory", STORAGE)
        self.configuration = directory / "sdcc.toml"
        self.configuration.write_text(configuration)
        self._log = directory / "log"
        self.start()

    def spawn(self):
        """Begin to start."""
        twistd = (TWISTD, "--nodaemon", "--pidfile=", *self._options)
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                (*self._under, *twistd, "sdcc", "--config", self.configuration),
                cwd=self.directory,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=self._passed,
            )

    def start(self):
        """Also anew, once it has stopped."""
        self.spawn()
        try:
            until(lambda: self.process.poll() is not None or " is ready" in self.log(), "it is ready")
            assert self.process.poll() is None, self.log()
        except BaseException:
            self.discard()
            raise
        #: (interface, port) by AE title.
        self.addresses = {
            title: (interface, int(port))
            for titles, interface, port in re.findall(
                r"AE (.+) on ([0-9.]+):([0-9]+)(?: over TLS)?$", self.log(), re.MULTILINE
            )
            for title in titles.split(", ")
        }
        #: Of the first.
        self.address = next(iter(self.addresses.values()))

    @property
    def port(self):
        return str(self.address[1])

    def log(self):
        return self._log.read_text()

    @property
    def takes_objects(self):
        """Whether it has an index, which one on a network it has to find first."""
        return "index: SQLite" in self.log() or "PostgreSQL is there" in self.log()

    def looked_through(self):
        """Wait for the end of the look after an unclean stop; the lines of the log about it."""
        until(lambda: "Looked through" in self.log(), "the look has ended")
        return [
            line.partition("] ")[2] for line in self.log().splitlines() if "[sdcc.inspection.look" in line
        ]

    # --- what it keeps ---

    def sdccctl(self, *arguments):
        return run(*SDCCCTL, "--config", str(self.configuration), *arguments)

    def instances(self, study=None):
        """What `sdccctl instances` says is registered, by SOP Instance UID."""
        done = self.sdccctl("instances", "--json", *(() if study is None else ("--study", study)))
        assert done.returncode == 0, done.stderr
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        found = {row["sop_instance_uid"]: row for row in rows}
        assert len(found) == len(rows), "two rows of one SOP Instance UID"
        return found

    def objects(self):
        """The paths of all files under objects."""
        return {path for path in (self.storage / "objects").rglob("*") if path.is_file()}

    def incoming(self):
        """The files of objects that are being received."""
        return set((self.storage / "incoming").rglob("*.part"))

    def registered(self):
        """SHA-256 by the path of the file, as the database itself has them."""
        with contextlib.closing(self._database()) as database:
            cursor = database.cursor()
            cursor.execute("SELECT path, sha256 FROM instance")
            return {self.storage / path: sha256 for path, sha256 in cursor.fetchall()}

    def _database(self):
        url = tomllib.loads(self.configuration.read_text()).get("index", {}).get("url", "")
        if url.startswith("postgresql:"):
            return psycopg2.connect(url)
        path = self.directory / url.removeprefix("sqlite:///") if url else self.storage / "index.sqlite"
        return sqlite3.connect(f"file:{path}?mode=ro", uri=True)

    # --- what it costs ---

    def rss(self):
        """Bytes of memory that it has."""
        return self._memory("VmRSS")

    def peak_rss(self):
        """The most that it had since :meth:`forget_peak_rss`."""
        return self._memory("VmHWM")

    def forget_peak_rss(self):
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def _memory(self, field):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (kib,) = re.findall(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
        return int(kib) * 1024

    # --- its end ---

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def ask_to_stop(self):
        self.process.send_signal(signal.SIGTERM)

    def stopped(self):
        """Wait for its end, and look at what it leaves."""
        code = self.process.wait(PATIENCE)
        log = self.log()
        # twistd stops in order, and then ends by the signal that asked it to
        assert code in (0, -signal.SIGTERM), log
        assert "SDCC has stopped" in log
        assert not re.search("Unhandled|Traceback", log), log
        assert os.listdir(self.storage / "incoming") == []
        assert {path: data_set_sha256(path) for path in self.objects()} == self.registered()

    def stop(self):
        if self.process.poll() is None:
            self.ask_to_stop()
        self.stopped()

    def discard(self):
        """Leave no process and no objects, however the test went."""
        if self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.storage, ignore_errors=True)


@contextlib.contextmanager
def running(directory, configuration=CONFIGURATION, **options):
    """A server for the block, which must stop in order at its end."""
    server = Server(directory, configuration, **options)
    try:
        yield server
        server.stop()
    finally:
        server.discard()
