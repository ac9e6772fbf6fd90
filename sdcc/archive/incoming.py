"""The folder of this process in `incoming`, where objects lie until they are whole.

Several processes, on several hosts, may share the storage directory. Each holds the lock of its
own folder for as long as it lives; a folder whose lock can be had belongs to the dead, and is
removed at the next start. Whoever creates or removes folders holds the lock beside `incoming`
meanwhile, so a folder is never seen between its creation and its lock. Nothing here knows what
the files hold.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from twisted.logger import Logger

from sdcc.archive.filesystem import IFileSystem

#: The part of the storage directory where objects are written.
INCOMING = "incoming"
#: The lock of all the folders, beside them, and the lock of one process, in its folder.
COMMON_LOCK = "incoming.lock"
PROCESS_LOCK = "lock"


def host_and_pid() -> str:
    """What tells the administrator whose folder it is."""
    return f"{re.sub(r'[^A-Za-z0-9.-]', '_', socket.gethostname())}-{os.getpid()}"


class Incoming:
    """This process's folder. Everything blocks; :meth:`create` is called from any worker thread."""

    _log = Logger()

    def __init__(self, root: str, *, filesystem: IFileSystem, new_name: Callable[[], str]) -> None:
        self._directory = f"{root}/{INCOMING}"
        self._common_lock = f"{root}/{COMMON_LOCK}"
        self._fs = filesystem
        self._new_name = new_name
        self._folder: str | None = None
        self._lock: int | None = None
        self._mutex = threading.Lock()

    def claim(self) -> None:
        """Remove the folders of the dead; create this process's own and hold its lock."""
        with self._common():
            self._remove_dead()
            folder = f"{self._directory}/{self._new_name()}"
            self._fs.make_directory(folder)
            lock = self._fs.lock(f"{folder}/{PROCESS_LOCK}", wait=False)
        if lock is None:
            raise BlockingIOError(errno.EAGAIN, "the lock of a new folder is taken")
        self._drop_lock()
        self._folder, self._lock = folder, lock

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

    def release(self) -> None:
        """Remove this process's folder and let its lock go. What cannot be removed is logged."""
        folder, self._folder = self._folder, None
        if folder is None:
            return
        try:
            with self._common():
                self._remove(folder)
        except OSError as error:
            self._log.warn("{folder} stays until next time: {error}", folder=folder, error=error.strerror)
        finally:
            self._drop_lock()

    def _create(self, folder: str | None, token: str) -> tuple[str, int]:
        if folder is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        path = f"{folder}/{token}.part"
        return path, self._fs.create(path)

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

    def _remove_dead(self) -> None:
        for name in self._fs.entries(self._directory):
            folder = f"{self._directory}/{name}"
            try:
                lock = self._fs.lock(f"{folder}/{PROCESS_LOCK}", wait=False)
                if lock is None:
                    continue
                try:
                    self._remove(folder)
                finally:
                    self._fs.close(lock)
            except OSError as error:
                self._log.warn("{folder} cannot be removed: {error}", folder=folder, error=error.strerror)
            else:
                self._log.info("Removed {folder}, which a dead process left", folder=folder)

    def _remove(self, folder: str) -> None:
        for name in self._fs.entries(folder):
            self._fs.remove(f"{folder}/{name}")
        self._fs.remove_directory(folder)
