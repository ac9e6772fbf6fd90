"""Runs twistd with parts of SDCC left out: `without.py PART,PART TWISTD ARGUMENT …`.

What it then answers with Success is not safe, or not there at all: it is for :mod:`benchmarks.parts` alone.
"""

from __future__ import annotations

import os
import runpy
import sys

from sdcc.archive import attributes, partial
from sdcc.archive.filesystem import FileSystem
from sdcc.archive.objects import ObjectStore
from sdcc.index import sqlite_writer
from sdcc.index.sqlite import SQLiteIndex
from sdcc.interfaces import Registered
from sdcc.network import protocol


def nothing(*arguments, **keywords):
    """In a part's place."""


def replace(owner, **others):
    """Put others in the place of what it has.

    :raises AttributeError: it has no such thing any more.
    """
    for name, other in others.items():
        getattr(owner, name)
        setattr(owner, name, other)


def sync():
    """Of files and directories."""
    replace(FileSystem, sync=nothing, sync_directory=nothing)


def log_sync():
    """Of SQLite's log, at each COMMIT."""
    open_writer = sqlite_writer.open_writer

    def opened(*arguments):
        connection = open_writer(*arguments)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    replace(sqlite_writer, open_writer=opened)


def index():
    async def register(self, stored):
        return Registered()

    replace(SQLiteIndex, register=register)


def files():
    """Those of objects, with their names and directories."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    write, close, create = FileSystem.write, FileSystem.close, FileSystem.create
    make_directory = FileSystem.make_directory
    replace(
        FileSystem,
        create=lambda self, path: nowhere if path.endswith(".part") else create(self, path),
        write=lambda self, file, buffers: None if file == nowhere else write(self, file, buffers),
        close=lambda self, file: None if file == nowhere else close(self, file),
        make_directory=lambda self, path: None if "/objects/" in path else make_directory(self, path),
        rename=nothing,
        remove=nothing,
        begin_write_out=nothing,
    )
    sync()


def parse():
    """But for the first object, whose attributes all others then have."""
    known = []

    def parsed(read, size, transfer_syntax_uid):
        known[:] = known or [attributes.parse(read, size, transfer_syntax_uid)]
        return known[0]

    ObjectStore.__init__.__kwdefaults__["parse"] = parsed
    replace(partial.PartialFile, _check=nothing)


def log():
    """The lines of associations and operations."""
    replace(protocol.log, emit=nothing)


def hash():
    class Nothing:
        update = nothing

        def hexdigest(self):
            return "0" * 64

    replace(partial, hashlib=type("hashlib", (), {"sha256": Nothing}))


#: In this order each may be left out where those before it are.
PARTS = {
    "sync": sync,
    "log-sync": log_sync,
    "index": index,
    "files": files,
    "parse": parse,
    "log": log,
    "hash": hash,
}


def main():
    _, parts, *sys.argv = sys.argv
    for part in parts.split(","):
        PARTS[part]()
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
