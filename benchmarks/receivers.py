"""What receives: each started anew in an empty directory, and asked at its end what it really has."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

from tests.interop.server import CONFIGURATION, ENVIRONMENT, PATIENCE, Server, until

from .sender import is_listening

#: Over PDUs of this size, as the peer announces it.
MAXIMUM_LENGTH = "16384"
TITLE = "BENCH"


class Receiver:
    """A program that listens, on a free port, and keeps files under its directory."""

    #: Of the executable.
    program = ""
    #: Of a file beside the objects.
    index = ""
    #: How many objects its index has, where it is asked.
    registered: int | None = None

    def __init__(self, directory, associations):
        self.directory = directory
        self.title = TITLE
        self._start(associations)

    @classmethod
    def is_installed(cls):
        return shutil.which(cls.program) is not None

    def command(self, associations):
        """The program and its arguments, to listen on `self.port`."""
        raise NotImplementedError

    def _start(self, associations):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.address = ("127.0.0.1", self.port)
        (self.directory / "objects").mkdir()
        with (self.directory / "log").open("wb") as log:
            self.process = subprocess.Popen(
                self.command(associations),
                cwd=self.directory,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=ENVIRONMENT,
            )
        try:
            until(lambda: self.process.poll() is not None or is_listening(self.address), "it listens")
            assert self.process.poll() is None, (self.directory / "log").read_text()
        except BaseException:
            self.stop()
            raise

    @property
    def roots(self):
        """Of the trees of processes whose work it is."""
        return (self.process.pid,)

    def stop(self):
        end(self.process)

    def files(self, size):
        """How many files of at least so many bytes it keeps."""
        return sum(
            path.stat().st_size >= size
            for path in (self.directory / "objects").rglob("*")
            if path.is_file() and path.name != self.index
        )


def end(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class SDCC(Receiver):
    """On SQLite, durable."""

    python = sys.executable

    @classmethod
    def is_installed(cls):
        return True

    def _start(self, associations):
        del associations
        # twistd's script, run by the interpreter whose SDCC it is
        self._server = Server(self.directory, self.configuration(), under=(self.python,))
        self.process = self._server.process
        self.address = self._server.address
        self.title = "SDCC"

    def configuration(self):
        return CONFIGURATION

    def files(self, size):
        return sum(path.stat().st_size >= size for path in self._server.objects())

    @property
    def registered(self):
        with contextlib.closing(sqlite3.connect(self._server.storage / "index.sqlite")) as database:
            ((count,),) = database.execute("SELECT count(*) FROM instance")
        return count


class Storescp(Receiver):
    """DCMTK's: neither syncs nor an index."""

    program = "storescp"

    def command(self, associations):
        fork = ("--fork",) if associations > 1 else ()
        files = "+xa", "-pdu", MAXIMUM_LENGTH, "-od", "objects"
        return self.program, "-q", *fork, *files, str(self.port)


class Dcmqrscp(Receiver):
    """DCMTK's archive, which forks for each association."""

    program = "dcmqrscp"
    index = "index.dat"

    def command(self, associations):
        del associations
        (self.directory / "dcmqrscp.cfg").write_text(
            f"NetworkTCPPort = {self.port}\n"
            f"MaxPDUSize = {MAXIMUM_LENGTH}\n"
            "MaxAssociations = 64\n"
            "HostTable BEGIN\nHostTable END\nVendorTable BEGIN\nVendorTable END\n"
            f"AETable BEGIN\n{TITLE} {self.directory / 'objects'} RW (1000, 8192mb) ANY\nAETable END\n"
        )
        return self.program, "-q", "-c", "dcmqrscp.cfg"


def sdcc_of(python):
    """SDCC as another interpreter has it."""
    assert Path(python).exists(), python
    return type("OtherSDCC", (SDCC,), {"python": python})


RECEIVERS = {"sdcc-sqlite": SDCC, "storescp": Storescp, "dcmqrscp": Dcmqrscp}
