"""The folder of this process in `incoming`, where objects lie until they are whole.

Several processes, on several hosts, may share the storage directory. Each holds the lock of its
own folder for as long as it lives; a folder whose lock can be had belongs to the dead, and is
removed at the next start. Whoever creates or removes folders holds the lock beside `incoming`
meanwhile, so a folder is never seen between its creation and its lock. Nothing here knows what
the files hold.

The lock's file says from which day of reception on files and index may disagree, in its last line, as
YYYY-MM-DD, UTC: since the process started, or since a dead one did, until somebody has looked. The days of
the dead go over to the process that removes their folders, before it does: whatever happens, no
day is forgotten. Who stops in order before it has looked leaves the record beside `incoming`, which is
empty when no process lives.
"""

from __future__ import annotations

import datetime
import errno
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from twisted.logger import Logger

from sdcc.archive.filesystem import IFileSystem

#: The part of the storage directory where objects are written.
INCOMING = "incoming"
#: The lock of all the folders, beside them, and the lock of one process, in its folder.
COMMON_LOCK = "incoming.lock"
PROCESS_LOCK = "lock"
#: How the name of a record begins that was left beside `incoming`.
LEFT_RECORD = "incoming.since-"
#: Bytes of a record that are read.
LONGEST_RECORD = 4096


def host_and_pid() -> str:
    """What tells the administrator whose folder it is."""
    return f"{re.sub(r'[^A-Za-z0-9.-]', '_', socket.gethostname())}-{os.getpid()}"


class Incoming:
    """This process's folder. Everything blocks; :meth:`create` is called from any worker thread.

    :param now: the time, aware, UTC.
    """

    _log = Logger()

    def __init__(
        self,
        root: str,
        *,
        filesystem: IFileSystem,
        new_name: Callable[[], str],
        now: Callable[[], datetime.datetime],
    ) -> None:
        self._root = root
        self._directory = f"{root}/{INCOMING}"
        self._common_lock = f"{root}/{COMMON_LOCK}"
        self._fs = filesystem
        self._new_name = new_name
        self._now = now
        self._folder: str | None = None
        self._lock: int | None = None
        self._mutex = threading.Lock()
        #: The first day of reception to be looked through; None: every process before stopped in order.
        self.doubtful_since: datetime.date | None = None
        #: That of those who died later, and were found dead when the folder was claimed anew. It is looked
        #: through at the next start.
        self._doubtful_later: datetime.date | None = None
        #: The first day of reception that this process's own end may spoil.
        self._own_since: datetime.date | None = None
        #: Whether no other process lived when this one claimed its folder.
        self.was_alone = False

    @property
    def folder(self) -> str | None:
        """The path of this process's folder; None: it is not claimed."""
        return self._folder

    def claim(self) -> None:
        """Create this process's own folder and hold its lock; remove the dead's, whose days it takes over."""
        with self._common(), ExitStack() as locks:
            dead = self._lock_dead(locks)
            left = self._left_records()
            folder = f"{self._directory}/{self._new_name()}"
            self._fs.make_directory(folder)
            lock = self._fs.lock(f"{folder}/{PROCESS_LOCK}", wait=False)
            if lock is None:
                raise BlockingIOError(errno.EAGAIN, "the lock of a new folder is taken")
            self._drop_lock()
            self._folder, self._lock = folder, lock
            since = min((day for _, day in (*dead, *left)), default=None)
            if self._own_since is None:
                self.doubtful_since, self._own_since = since, self._now().date()
            else:
                self._doubtful_later = min(filter(None, (self._doubtful_later, since)), default=None)
            is_recorded = self._record_durably(folder, lock)
            for name, _ in dead:
                self._remove_dead(name, is_recorded=is_recorded)
            if is_recorded:
                self._remove_records([name for name, _ in left])

    def looked_through(self) -> None:
        """Files and index agree, as far as those are concerned who were dead at the first claim."""
        with self._mutex:
            assert self._lock is not None
            self.doubtful_since, self._doubtful_later = self._doubtful_later, None
            self._own_since = self._now().date()
            self._record(self._lock)

    def doubt(self) -> None:
        """Files and index may disagree by this process's doing: the next start is to look."""
        self.doubtful_since = min(filter(None, (self.doubtful_since, self._own_since)))

    def create(self, token: str) -> tuple[str, int]:
        """A new file for an object: its path and its descriptor."""
        folder = self._folder
        try:
            return self._create(folder, token)
        except FileNotFoundError:
            if folder is None:
                raise
        with self._mutex:
            if self._folder == folder:  # removed behind our back, and no other thread has seen to it
                self.claim()
        return self._create(self._folder, token)

    def path(self, token: str) -> str:
        """Where a file may be made that is of no use any more when this process ends.

        :raises FileNotFoundError: there is no folder.
        """
        return self._path(self._folder, token)

    def release(self) -> None:
        """Remove this process's folder and let its lock go. What cannot be removed is logged."""
        folder, self._folder = self._folder, None
        if folder is None:
            return
        try:
            with self._common():
                self._empty(folder)
                if self.doubtful_since is not None:
                    self._leave_record(folder)
                self._remove(folder)
        except OSError as error:
            self._log.warn("{folder} stays until next time: {error}", folder=folder, error=error.strerror)
        finally:
            self._drop_lock()

    def _create(self, folder: str | None, token: str) -> tuple[str, int]:
        path = self._path(folder, token)
        return path, self._fs.create(path)

    @staticmethod
    def _path(folder: str | None, token: str) -> str:
        if folder is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return f"{folder}/{token}.part"

    def _drop_lock(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            self._let_go(lock)

    def _let_go(self, lock: int) -> None:
        try:
            self._fs.close(lock)
        except OSError as error:  # it is closed all the same
            self._log.warn("Closing a lock failed: {error}", error=error.strerror)

    @contextmanager
    def _common(self) -> Iterator[None]:
        lock = self._fs.lock(self._common_lock, wait=True)
        assert lock is not None
        try:
            yield
        finally:
            self._let_go(lock)

    # --- the dead ---

    def _lock_dead(self, locks: ExitStack) -> list[tuple[str, datetime.date]]:
        """The folders of the dead, and the days that they are doubtful from.

        :param locks: where they are let go.
        """
        dead = []
        self.was_alone = True
        for name in self._fs.entries(self._directory):
            try:
                lock = self._fs.lock(f"{self._directory}/{name}/{PROCESS_LOCK}", wait=False)
                if lock is None:
                    self.was_alone = False
                    continue
                locks.callback(self._let_go, lock)
                dead.append((name, self._recorded(lock)))
            except OSError as error:
                self._cannot_remove(name, error)
        return dead

    def _remove_dead(self, name: str, *, is_recorded: bool) -> None:
        folder = f"{self._directory}/{name}"
        try:
            self._empty(folder)
            if not is_recorded:
                return
            self._remove(folder)
        except OSError as error:
            self._cannot_remove(name, error)
        else:
            self._log.info("Removed {folder}, which a dead process left", folder=folder)

    def _cannot_remove(self, name: str, error: OSError) -> None:
        folder = f"{self._directory}/{name}"
        self._log.warn("{folder} cannot be removed: {error}", folder=folder, error=error.strerror)

    def _empty(self, folder: str) -> None:
        """Remove all but the lock."""
        for name in self._fs.entries(folder):
            if name != PROCESS_LOCK:
                self._fs.remove(f"{folder}/{name}")

    def _remove(self, folder: str) -> None:
        with suppress(FileNotFoundError):
            self._fs.remove(f"{folder}/{PROCESS_LOCK}")
        self._fs.remove_directory(folder)

    # --- the record ---

    def _leave_record(self, folder: str) -> None:
        name = folder.rpartition("/")[2]
        self._fs.rename(f"{folder}/{PROCESS_LOCK}", f"{self._root}/{LEFT_RECORD}{name}")
        self._fs.sync_directory(self._root)

    def _left_records(self) -> list[tuple[str, datetime.date]]:
        """Those that processes have left that stopped in order, and the days that they say."""
        found = []
        for name in self._fs.entries(self._root):
            if not name.startswith(LEFT_RECORD):
                continue
            try:
                record = self._fs.open_existing(f"{self._root}/{name}")
                try:
                    found.append((name, self._recorded(record)))
                finally:
                    self._let_go(record)
            except OSError as error:
                self._log.warn("{name} cannot be read: {error}", name=name, error=error.strerror)
        return found

    def _remove_records(self, names: list[str]) -> None:
        for name in names:
            try:
                self._fs.remove(f"{self._root}/{name}")
            except OSError as error:
                self._log.warn("{name} cannot be removed: {error}", name=name, error=error.strerror)

    def _record_durably(self, folder: str, lock: int) -> bool:
        """Whether the record of a new folder could be made durable."""
        try:
            self._record(lock)
            self._fs.sync_directory(folder)
            self._fs.sync_directory(self._directory)
        except OSError as error:
            self._log.warn(
                "{folder}: since when to look cannot be written down: {error}",
                folder=folder,
                error=error.strerror,
            )
            return False
        return True

    def _record(self, lock: int) -> None:
        """Write down the day from which on files and index may disagree, durably."""
        assert self._own_since is not None
        day = min(filter(None, (self.doubtful_since, self._doubtful_later, self._own_since)))
        self._fs.write(lock, [f"{day.isoformat()}\n".encode("ascii")])
        self._fs.sync(lock)

    def _recorded(self, lock: int) -> datetime.date:
        """The day of a record; where it says none, that of its file."""
        data = self._fs.read(lock, 0, LONGEST_RECORD).decode("ascii", "replace")
        for line in reversed(data.split("\n")[:-1]):
            with suppress(ValueError):
                return datetime.date.fromisoformat(line)
        return datetime.datetime.fromtimestamp(self._fs.status(lock).st_mtime, datetime.UTC).date()
