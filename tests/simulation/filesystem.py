"""One process's view of the simulated disk, with its descriptors: the product's `IFileSystem`.

Each call may be the process's last, and may fail. It is named in the trace.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from zope.interface import implementer

from sdcc.archive.filesystem import Buffer, IFileSystem

from .disk import Directory, Disk, File, failure


class Life(Protocol):
    """What a file system asks of its process."""

    is_dead: bool

    def about_to_call(self, call: str, path: str) -> None:
        """:raises Crash: the process ends here."""

    def about_to_remove(self, path: str) -> None:
        """A file is removed."""


@dataclass(slots=True, eq=False)
class Descriptor:
    file: File
    path: str
    #: A lock that others wait for.
    is_waited_for: bool = False


@implementer(IFileSystem)
class FileSystem:
    """
    :param faults: how likely a call fails, as soon as :attr:`is_faulty`.
    :param now: seconds since the epoch.
    """

    def __init__(
        self, disk: Disk, life: Life, *, random: Random, faults: float, now: Callable[[], float]
    ) -> None:
        self._disk = disk
        self._life = life
        self._random = random
        self._faults = faults
        self._now = now
        self.is_faulty = False
        self._open: dict[int, Descriptor] = {}
        self._next = 3

    @property
    def open_count(self) -> int:
        return len(self._open)

    @property
    def is_locked(self) -> bool:
        """Whether a job holds a lock that another one would wait for."""
        return any(descriptor.is_waited_for for descriptor in self._open.values())

    def die(self) -> None:
        """The system closes what a dead process had open, and lets its locks go."""
        for descriptor in self._open.values():
            self._unlock(descriptor)
        self._open.clear()

    # --- files ---

    def create(self, path: str) -> int:
        self._begin("create", path)
        directory, name = self._disk.place(path)
        file = File(changed_at=self._now())
        directory.link(name, file)
        return self._opened(file, path)

    def open_existing(self, path: str) -> int:
        self._begin("open", path)
        return self._opened(self._disk.file(path), path)

    def open_cached(self, path: str) -> int | None:
        """Nothing is in memory: here the disk waits for nobody."""
        return None

    def read_cached(self, file: int, offset: int, length: int) -> bytearray:
        return bytearray()

    def status(self, file: int) -> os.stat_result:
        found = self._begin_on("status", file).file
        mode, seconds = stat.S_IFREG | 0o640, int(found.changed_at)
        times = {"st_mtime": found.changed_at, "st_ctime": found.changed_at}
        nanoseconds = {"st_mtime_ns": int(found.changed_at * 10**6) * 1000}
        ids_and_size = (mode, 0, 0, 1, 0, 0, len(found.data))
        return os.stat_result((*ids_and_size, seconds, seconds, seconds), times | nanoseconds)

    def write(self, file: int, buffers: Sequence[Buffer]) -> None:
        descriptor = self._open[file]
        data = b"".join(buffers)
        try:
            self._begin_on("write", file)
            if len(data) > self._disk.free:
                raise failure(errno.ENOSPC)
        except OSError:
            room = min(len(data), self._disk.free)
            self._append(descriptor.file, data[: self._random.randint(0, room)])
            raise
        self._append(descriptor.file, data)

    def begin_write_out(self, file: int, offset: int, length: int) -> None:
        """What a power cut leaves of unsynced bytes is left to chance as it is."""

    def read(self, file: int, offset: int, length: int) -> bytes:
        return bytes(self._begin_on("read", file).file.data[offset : offset + length])

    def sync(self, file: int) -> None:
        self._begin_on("sync", file).file.sync()

    def close(self, file: int) -> None:
        """It is closed also where that fails."""
        self._life.about_to_call("close", self._open[file].path)
        self._unlock(self._open.pop(file))
        self._fail_perhaps()

    # --- names ---

    def rename(self, old: str, new: str) -> None:
        """A link and an unlink, as the real one; the process may end in between."""
        self._begin("link", new)
        file = self._disk.file(old)
        directory, name = self._disk.place(new)
        directory.link(name, file)
        try:
            self._begin("unlink", old)
            before, old_name = self._disk.place(old)
            before.unlink(old_name)
        except OSError:
            directory.unlink(name)
            raise
        file.changed_at = self._now()

    def remove(self, path: str) -> None:
        """It may be removed also where that fails."""
        self._begin("remove", path)
        self._disk.file(path)
        self._life.about_to_remove(path)
        directory, name = self._disk.place(path)
        directory.unlink(name)
        self._fail_perhaps()

    def make_directory(self, path: str) -> None:
        self._begin("mkdir", path)
        directory, name = self._disk.place(path)
        directory.link(name, Directory())

    def remove_directory(self, path: str) -> None:
        self._begin("rmdir", path)
        if self._disk.directory(path).entries:
            raise failure(errno.ENOTEMPTY)
        directory, name = self._disk.place(path)
        directory.unlink(name)

    def sync_directory(self, path: str) -> None:
        self._begin("fsync", path)
        self._disk.directory(path).sync()

    def entries(self, path: str) -> list[str]:
        self._begin("list", path)
        names = sorted(self._disk.directory(path).entries)
        self._random.shuffle(names)
        return names

    # --- the disk as a whole ---

    def free_space(self, path: str) -> int:
        self._begin("free", path)
        self._disk.directory(path)
        return self._disk.free

    def lock(self, path: str, *, wait: bool) -> int | None:
        self._begin("lock", path)
        directory, name = self._disk.place(path)
        if name not in directory.entries:
            directory.link(name, File(changed_at=self._now()))
        file = self._disk.file(path)
        if file.locked_by is not None:
            assert not wait, "a job that waits for another's lock would wait for ever in one thread"
            return None
        number = self._opened(file, path)
        file.locked_by = self._open[number]
        self._open[number].is_waited_for = wait
        return number

    # --- within ---

    def _begin(self, call: str, path: str) -> None:
        """:raises OSError: the call fails."""
        self._life.about_to_call(call, path)
        self._fail_perhaps()

    def _fail_perhaps(self) -> None:
        if not self.is_faulty:
            return
        if self._disk.is_broken or (self._faults and self._random.random() < self._faults):
            raise failure(self._random.choice((errno.EIO, errno.ENOSPC)))

    def _begin_on(self, call: str, file: int) -> Descriptor:
        descriptor = self._open[file]
        self._begin(call, descriptor.path)
        return descriptor

    def _opened(self, file: File, path: str) -> int:
        number, self._next = self._next, self._next + 1
        self._open[number] = Descriptor(file, path)
        return number

    def _append(self, file: File, data: bytes) -> None:
        file.append(data)
        file.changed_at = self._now()
        self._disk.free -= len(data)

    @staticmethod
    def _unlock(descriptor: Descriptor) -> None:
        if descriptor.file.locked_by is descriptor:
            descriptor.file.locked_by = None
