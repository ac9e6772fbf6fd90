"""Files given to be sent on: in blocks that worker threads read, one of them ahead.

A small file costs one job of a thread, opening and closing included. Of a large one two blocks are in
memory at most. A file that is open is closed by a thread too, whenever its reader has had enough.
"""

from __future__ import annotations

import errno
import stat
import threading
from collections.abc import AsyncGenerator, Awaitable
from contextlib import suppress

from sdcc.archive.filesystem import IFileSystem
from sdcc.archive.part10 import COUNTED_FROM, data_set_offset
from sdcc.interfaces import RunInThread

#: Bytes of a block.
BLOCK = 256 * 1024
#: No more bytes than these are one block: more jobs would take longer than to read them.
SMALL = 1024 * 1024


async def data_set(
    path: str, size: int, *, filesystem: IFileSystem, run_in_thread: RunInThread
) -> AsyncGenerator[bytes, None]:
    """The Data Set of a DICOM file, which is its end.

    :param path: absolute.
    :param size: bytes of the Data Set, as the index knows them.
    :raises OSError: it cannot be read, or its Data Set is not of this size.
    """
    async for block in _blocks(_File(path, filesystem, data_set_size=size), run_in_thread):
        yield block


async def whole(
    path: str, *, filesystem: IFileSystem, run_in_thread: RunInThread
) -> AsyncGenerator[bytes, None]:
    """All bytes of a file.

    :param path: absolute.
    :raises OSError: it cannot be read.
    """
    async for block in _blocks(_File(path, filesystem), run_in_thread):
        yield block


async def _blocks(file: _File, run_in_thread: RunInThread) -> AsyncGenerator[bytes, None]:
    ahead: Awaitable[bytes | OSError] = run_in_thread(file.read)
    try:
        while block := await ahead:
            if isinstance(block, OSError):
                raise block
            if file.is_closed:
                yield block
                return
            ahead = run_in_thread(file.read)
            yield block
    finally:
        if not file.is_closed:
            run_in_thread(file.close)  # not waited for: whoever drops a generator cannot


class _File:
    """A file that is open from its first block to its last. Each call blocks; none raises.

    :param data_set_size: of a DICOM file; None: all bytes of any file are wanted.
    """

    def __init__(self, path: str, filesystem: IFileSystem, *, data_set_size: int | None = None) -> None:
        self._path = path
        self._fs = filesystem
        self._data_set_size = data_set_size
        #: Held while a block is read: the reader may close the file meanwhile.
        self._mutex = threading.Lock()
        self._file: int | None = None
        self._position = self._end = 0
        self._block = BLOCK
        self.is_closed = False

    def read(self) -> bytes | OSError:
        """The next block, or why there is none. Empty at the end, and when it is closed."""
        with self._mutex:
            if self.is_closed:
                return b""
            try:
                return self._first() if self._file is None else self._next()
            except OSError as error:
                self._close()
                return error

    def close(self) -> None:
        """Waits for a block that is being read."""
        with self._mutex:
            self._close()

    def _first(self) -> bytes:
        file = self._file = self._fs.open_existing(self._path)
        status = self._fs.status(file)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "no regular file")
        self._end = status.st_size
        self._position = self._start(file)
        self._block = SMALL if self._end - self._position <= SMALL else BLOCK
        return self._next()

    def _start(self, file: int) -> int:
        """Where what is wanted begins."""
        if self._data_set_size is None:
            return 0
        try:
            start = data_set_offset(self._fs.read(file, 0, COUNTED_FROM))
        except ValueError as error:
            raise OSError(errno.EIO, str(error)) from None
        if self._end - start != self._data_set_size:
            raise OSError(errno.EIO, "the Data Set is not of the size that was received")
        return start

    def _next(self) -> bytes:
        assert self._file is not None
        length = min(self._block, self._end - self._position)
        block = self._fs.read(self._file, self._position, length)
        if len(block) < length:
            raise OSError(errno.EIO, "the file has become shorter")
        self._position += length
        if self._position == self._end:
            self._close()
        return block

    def _close(self) -> None:
        self.is_closed = True
        file, self._file = self._file, None
        if file is None:
            return
        with suppress(OSError):  # it is closed all the same, and of what was only read nothing is lost
            self._fs.close(file)
