"""Programs of others that receive.

Each is started anew in an empty directory, and asked at its end what it really has.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.interop.server import ENVIRONMENT, PATIENCE, until

from .sender import is_listening

#: Over PDUs of this size, as the peer announces it.
MAXIMUM_LENGTH = "16384"
TITLE = "BENCH"


def dcmtk(program):
    """Its path, or None. Not one found on PATH, where pynetdicom has programs of the same names."""
    return shutil.which(program, path=os.environ.get("SDCC_DCMTK", "/usr/bin"))


def free_port():
    """One that stays free until it is used: it is not among those that every outgoing connection may get."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in random.sample(range(10_000, lowest), 100):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise OSError("of a hundred ports none is free")


class Receiver:
    """A program that listens, on a free port, and keeps files under its directory."""

    #: Of the executable, and who made it.
    program = ""
    maker = "DCMTK"
    #: Of a file beside the objects.
    index = ""
    #: How many objects its index has, where it is asked.
    registered: int | None = None
    #: That may be open at once.
    most_associations = 100
    #: With which it is measured.
    fewest_associations = 1

    def __init__(self, directory, associations):
        self.directory = directory
        self.title = TITLE
        self._start(associations)

    @classmethod
    def path(cls):
        """Of the executable; None: it is not installed."""
        return dcmtk(cls.program)

    @classmethod
    def is_installed(cls):
        return cls.path() is not None

    @classmethod
    def version(cls):
        """In words."""
        said = subprocess.run((cls.path(), "--version"), capture_output=True, text=True, check=True).stdout
        number = re.search(r"v?([0-9]+(\.[0-9]+)+)", said)
        return f"{cls.maker} {number[1] if number else 'unknown'}"

    @classmethod
    @contextlib.contextmanager
    def prepared(cls):
        """Whatever it needs beside itself, all the time while it is measured."""
        yield

    def command(self, associations):
        """The program and its arguments, to listen on `self.port`."""
        raise NotImplementedError

    def _start(self, associations):
        self.port = free_port()
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

    def take(self, work, associations, count):
        """What the work took; who is sent nothing does it in another way."""
        return work.act(self, work, associations, count)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def discard(self):
        """Leave nothing outside the directory."""
        self.stop()

    def files(self, size):
        """How many files of at least so many bytes it keeps."""
        return sum(
            path.stat().st_size >= size
            for path in (self.directory / "objects").rglob("*")
            if path.is_file() and path.name != self.index
        )


class Storescp(Receiver):
    """DCMTK's: neither syncs nor an index."""

    program = "storescp"

    def command(self, associations):
        fork = ("--fork",) if associations > 1 else ()
        files = "+xa", "-pdu", MAXIMUM_LENGTH, "-od", "objects"
        return self.path(), "-q", *fork, *files, str(self.port)


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
        return self.path(), "-q", "-c", "dcmqrscp.cfg"


class Orthanc(Receiver):
    """With its own database and storage as they come, and no HTTP server."""

    program = maker = "Orthanc"

    @classmethod
    def path(cls):
        # which is not where every user looks
        return shutil.which(cls.program) or shutil.which(cls.program, path="/usr/sbin")

    def command(self, associations):
        chosen = {
            "Name": TITLE,
            "DicomAet": TITLE,
            "DicomPort": self.port,
            "DicomAlwaysAllowEcho": True,
            "DicomAlwaysAllowFind": True,
            "DicomAlwaysAllowStore": True,
            "DicomThreadsCount": max(4, associations),
            "HttpServerEnabled": False,
            "IndexDirectory": "index",
            "MaximumPduLength": int(MAXIMUM_LENGTH),
            "OverwriteInstances": True,
            "Plugins": [],
            "StorageDirectory": "objects",
        }
        (self.directory / "orthanc.json").write_text(json.dumps(chosen))
        return self.path(), "orthanc.json"


class _Pynetdicom(Receiver):
    """A program that pynetdicom brings, as far as this interpreter has it."""

    needs = ("pynetdicom",)
    #: The AE's maximum_associations, which no option changes.
    most_associations = 10

    @classmethod
    def is_installed(cls):
        return all(importlib.util.find_spec(name) for name in cls.needs)

    @classmethod
    def version(cls):
        return f"pynetdicom {importlib.metadata.version('pynetdicom')}"


class PynetdicomStorescp(_Pynetdicom):
    """It parses and writes, without an index."""

    def command(self, associations):
        del associations
        options = "-q", "--max-pdu", MAXIMUM_LENGTH, "-od", "objects"
        return sys.executable, "-m", "pynetdicom", "storescp", *options, str(self.port)


class PynetdicomQrscp(_Pynetdicom):
    """It has an index on SQLite."""

    needs = ("pynetdicom", "sqlalchemy")

    def command(self, associations):
        del associations
        (self.directory / "qrscp.ini").write_text(
            f"[DEFAULT]\nae_title = {TITLE}\nport = {self.port}\nmax_pdu = {MAXIMUM_LENGTH}\n"
            "acse_timeout = 30\ndimse_timeout = 30\nnetwork_timeout = 30\n"
            "bind_address =\nlog_identifier = False\n"
            f"instance_location = {self.directory / 'objects'}\n"
            f"database_location = {self.directory / 'instances.sqlite'}\n"
        )
        return sys.executable, "-m", "pynetdicom", "qrscp", "-q", "-c", str(self.directory / "qrscp.ini")


OTHERS = {
    "storescp": Storescp,
    "dcmqrscp": Dcmqrscp,
    "orthanc": Orthanc,
    "pynetdicom-storescp": PynetdicomStorescp,
    "pynetdicom-qrscp": PynetdicomQrscp,
}
