"""Connections to the SQLite database that only read, kept open from one statement to the next.

To open one and read the schema takes longer than most statements do. Between two statements a kept connection
holds no lock and no snapshot, so nothing waits for it. Blocks: for threads.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from sdcc.index.sqlite_file import identity, in_words, open_reader


class Readers:
    """
    :param most: connections that are kept; more are open only while more threads read.
    """

    def __init__(self, path: Path, lock_timeout: float, *, most: int = 2) -> None:
        self._path = path
        self._lock_timeout = lock_timeout
        self._most = most
        self._keeps = True
        self._mutex = threading.Lock()
        #: Each with the identity of the files that it has open.
        self._kept: list[tuple[sqlite3.Connection, object]] = []

    @contextlib.contextmanager
    def one(self) -> Iterator[sqlite3.Connection]:
        """A connection for the block to read with; whatever fails in it closes the connection.

        :raises FileNotFoundError: there is no database.
        :raises ValueError: the file is something else, or of another version.
        :raises OSError: it cannot be read.
        """
        with contextlib.ExitStack() as on_error:
            on_error.enter_context(in_words(self._path))
            connection, files = self._taken()
            on_error.callback(connection.close)
            yield connection
            on_error.pop_all()
        self._keep(connection, files)

    def keep_none(self) -> None:
        """Close those that are kept, and from now on each that was read with.

        For as long as the database fails: of a full disk SQLite gives room back, that of its log, when a
        writer is the last to close its connection.
        """
        with self._mutex:
            self._keeps = False
            kept, self._kept = self._kept, []
        for connection, _ in kept:
            connection.close()

    def keep(self) -> None:
        """After :meth:`keep_none`."""
        with self._mutex:
            self._keeps = True

    def _taken(self) -> tuple[sqlite3.Connection, object]:
        files = identity(self._path)
        with self._mutex:
            kept = self._kept.pop() if self._kept else None
        if kept is not None:
            if kept[1] == files:
                return kept
            kept[0].close()  # another file lies there now, or none
        # What it was before: where it changes meanwhile, the next to take the connection opens another.
        return open_reader(self._path, self._lock_timeout), files

    def _keep(self, connection: sqlite3.Connection, files: object) -> None:
        with self._mutex:
            if self._keeps and len(self._kept) < self._most:
                self._kept.append((connection, files))
                return
        connection.close()
