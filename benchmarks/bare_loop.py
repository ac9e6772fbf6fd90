"""The system calls of SDCC's way to durability in a plain loop, in a receiver's place.

Nothing is received, parsed or answered.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from .objects import uid
from .receivers import Receiver
from .sender import Sent
from .work import costs, template


class Loop(Receiver):
    """Stores objects from memory under their final names, some at a time.

    Each has a row of 0.5 KB, as an instance of SDCC's has, in one table with no index but that of the UIDs:
    less than SDCC itself registers.
    """

    #: Synced, and in the table; else only written and renamed.
    durable = True
    #: Whether the SHA-256 of the Data Set is computed.
    hashed = False
    #: That sync and hash files; 1: the loop itself does, one file after the other.
    threads = 1
    #: Side by side, each with its share of what is there at a time: one syncs files while another commits.
    loops = 1

    @classmethod
    def is_installed(cls):
        return True

    @classmethod
    def version(cls):
        return f"SQLite {sqlite3.sqlite_version}"

    @property
    def roots(self):
        return (os.getpid(),)

    @property
    def registered(self):
        if not self.durable:
            return None
        with contextlib.closing(sqlite3.connect(self.directory / "rows.sqlite")) as database:
            return database.execute("SELECT count(*) FROM object").fetchone()[0]

    def stop(self):
        self._opened.close()

    def take(self, work, associations, count):
        data = template(work.shape).data_set(0, 0, 0)
        names = [uid(3, number) for number in range(count)]
        each = associations // self.loops
        groups = [names[start : start + each] for start in range(0, count, each)]

        def act():
            begun = time.perf_counter()
            list(self._map_groups(lambda group: self.store(group, data), groups))
            return Sent(time.perf_counter() - begun, [], [0] * count)

        return costs(self, act, count * len(data))

    def _start(self, associations):
        del associations
        for name in ("incoming", "objects"):
            (self.directory / name).mkdir()
        with contextlib.ExitStack() as opened:
            self._map_files, self._map_groups = (
                opened.enter_context(ThreadPoolExecutor(threads)).map if threads > 1 else map
                for threads in (self.threads, self.loops)
            )
            self._objects = os.open(self.directory / "objects", os.O_RDONLY | os.O_DIRECTORY)
            opened.callback(os.close, self._objects)
            self._one_at_a_time = threading.Lock()
            self.rows = sqlite3.connect(
                self.directory / "rows.sqlite", isolation_level=None, check_same_thread=False
            )
            opened.callback(self.rows.close)
            self.rows.execute("PRAGMA journal_mode = WAL")
            self.rows.execute("PRAGMA synchronous = FULL")
            self.rows.execute(
                "CREATE TABLE object (uid TEXT PRIMARY KEY, path TEXT, sha256 TEXT, others TEXT)"
            )
            self._opened = opened.pop_all()

    def store(self, names, data):
        """One group of objects; returns when all of them are as safe as they get."""
        files = [self._write(name, data) for name in names]
        hashes = list(self._map_files(lambda file: self._finish(file, data), files))
        for name in names:
            os.link(self._incoming(name), self._final(name))
            os.unlink(self._incoming(name))
        if self.durable:
            os.fsync(self._objects)
            rows = [
                (name, self._final(name), sha256, "x" * 250)
                for name, sha256 in zip(names, hashes, strict=True)
            ]
            with self._one_at_a_time:
                self.rows.execute("BEGIN IMMEDIATE")
                self.rows.executemany("INSERT INTO object VALUES (?, ?, ?, ?)", rows)
                self.rows.execute("COMMIT")

    def _incoming(self, name):
        return f"{self.directory}/incoming/{name}"

    def _final(self, name):
        return f"{self.directory}/objects/{name}.dcm"

    def _write(self, name, data):
        file = os.open(self._incoming(name), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        os.write(file, data)
        if self.durable:
            # as SDCC does with blocks that are large: begun, and not waited for
            os.posix_fadvise(file, 0, len(data), os.POSIX_FADV_DONTNEED)
        return file

    def _finish(self, file, data):
        sha256 = hashlib.sha256(data).hexdigest() if self.hashed else "0" * 64
        if self.durable:
            os.fsync(file)
        os.close(file)
        return sha256
