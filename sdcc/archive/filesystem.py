"""The calls that touch the disk.

The archive is given them as an argument, so that a simulation can stand in for the disk: fail
a call, or lose at a crash what was not synced. But for two that say so, all of them block and raise
OSError; only worker threads make them, and the start of the service. Nothing here knows what an object is.
"""

from __future__ import annotations

import fcntl
import os
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice

from zope.interface import Interface, implementer

from sdcc.archive import cached

Buffer = bytes | bytearray | memoryview

#: The group may read: the integrator's programs do. The umask may take that away.
FILE_MODE = 0o640
DIRECTORY_MODE = 0o750
#: The most buffers that one writev takes on Linux.
IOV_MAX = 1024


class IFileSystem(Interface):
    """A disk. Paths are absolute; a file that is open is known by its descriptor."""

    def create(path: str) -> int:
        """Open a file that does not exist yet, for writing and reading back."""

    def open_existing(path: str) -> int:
        """Open a file for reading."""

    def open_cached(path: str) -> int | None:
        """Open a file for reading, if that waits for no disk; None: it may, or nobody knows yet, for nothing
        was opened with :meth:`open_existing`. Never raises or blocks."""

    def read_cached(file: int, offset: int, length: int) -> bytearray:
        """Of a file of :meth:`open_cached`, as many bytes from an offset on as wait for no disk: fewer than
        there are, perhaps none, but never more. Never raises or blocks."""

    def status(file: int) -> os.stat_result:
        """The size and the times of a file that is open."""

    def write(file: int, buffers: Sequence[Buffer]) -> None:
        """Append the buffers, all of their bytes."""

    def begin_write_out(file: int, offset: int, length: int) -> None:
        """Have bytes that were written brought to the disk, and wait for none of them.

        It promises nothing, and raises nothing: :meth:`sync` has less to wait for then.
        """

    def read(file: int, offset: int, length: int) -> bytes:
        """The bytes from an offset on; fewer than asked for only at the end of the file."""

    def sync(file: int) -> None:
        """Return when the file's bytes and its size are durable; its name is not yet."""

    def close(file: int) -> None:
        """Close a file, whatever the outcome."""

    def rename(old: str, new: str) -> None:
        """Give a file another name. Never over what is there: FileExistsError."""

    def remove(path: str) -> None:
        """Remove a file. Who has it open keeps reading it."""

    def make_directory(path: str) -> None:
        """Create one directory; FileExistsError, also where it is no directory."""

    def remove_directory(path: str) -> None:
        """Remove an empty directory."""

    def sync_directory(path: str) -> None:
        """Return when every entry of a directory is durable."""

    def entries(path: str) -> list[str]:
        """The names in a directory, in no order."""

    def free_space(path: str) -> int:
        """Bytes that this process may still write to the file system that holds `path`."""

    def lock(path: str, *, wait: bool) -> int | None:
        """Open a file, created if need be, and hold its lock until it is closed or the process dies.

        None: another holds it, where `wait` is false.
        """


@implementer(IFileSystem)
class FileSystem:
    """The operating system's. Where it lies must know hard links and flock."""

    def __init__(self) -> None:
        #: Whether the disk says what it has in memory; None: not known. Once something does not, nothing is
        #: asked any more: to open it has perhaps waited for another host.
        self._tells_what_is_cached: bool | None = None

    def create(self, path: str) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)

    def open_existing(self, path: str) -> int:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe would be waited for
        if self._tells_what_is_cached is None:
            self._tells_what_is_cached = cached.is_answered(file)
        return file

    def open_cached(self, path: str) -> int | None:
        return cached.open_cached(path) if self._tells_what_is_cached else None

    def read_cached(self, file: int, offset: int, length: int) -> bytearray:
        data = cached.read_cached(file, offset, length)
        if data is None:
            self._tells_what_is_cached = False
            return bytearray()
        return data

    def status(self, file: int) -> os.stat_result:
        return os.fstat(file)

    def write(self, file: int, buffers: Sequence[Buffer]) -> None:
        remaining = deque(memoryview(buffer) for buffer in buffers)
        while remaining:
            written = os.writev(file, list(islice(remaining, IOV_MAX)))
            while remaining and written >= remaining[0].nbytes:
                written -= remaining.popleft().nbytes
            if written:
                remaining[0] = remaining[0][written:]

    def begin_write_out(self, file: int, offset: int, length: int) -> None:
        # Linux writes out what is to be dropped from its cache, and drops nothing that is being written.
        with suppress(OSError):
            os.posix_fadvise(file, offset, length, os.POSIX_FADV_DONTNEED)

    def read(self, file: int, offset: int, length: int) -> bytes:
        data = os.pread(file, length, offset)
        while len(data) < length and (more := os.pread(file, length - len(data), offset + len(data))):
            data += more
        return data

    def sync(self, file: int) -> None:
        os.fsync(file)

    def close(self, file: int) -> None:
        os.close(file)

    def rename(self, old: str, new: str) -> None:
        os.link(old, new)  # rename(2) would replace what is there
        try:
            os.unlink(old)
        except OSError:
            os.unlink(new)
            raise

    def remove(self, path: str) -> None:
        os.unlink(path)

    def make_directory(self, path: str) -> None:
        os.mkdir(path, DIRECTORY_MODE)

    def remove_directory(self, path: str) -> None:
        os.rmdir(path)

    def sync_directory(self, path: str) -> None:
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def entries(self, path: str) -> list[str]:
        return os.listdir(path)

    def free_space(self, path: str) -> int:
        status = os.statvfs(path)
        return status.f_bavail * status.f_frsize

    def lock(self, path: str, *, wait: bool) -> int | None:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return None
        except BaseException:
            os.close(file)
            raise
        return file
