"""Files given to be sent on: in blocks, one of them ahead.

What the kernel has in memory is taken at once, in the reactor's thread, because handing it over from another
takes longer than to copy it. For all else a worker thread waits for the disk: a small file costs it one job,
opening and closing included. Of a large one two blocks are in memory at most. A file that is open is closed
by a thread too, whenever its reader has had enough.
"""

from __future__ import annotations

import errno
import stat
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import suppress

from twisted.internet.defer import succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from sdcc.archive.filesystem import IFileSystem
from sdcc.archive.part10 import COUNTED_FROM, LONGEST_HEAD, data_set_offset
from sdcc.interfaces import RunInThread

Block = bytes | bytearray

#: Bytes of a block.
BLOCK = 256 * 1024
#: No more bytes than these are one block: more jobs would take longer than to read them.
SMALL = 1024 * 1024


def data_set(
    path: str,
    size: int,
    *,
    filesystem: IFileSystem,
    run_in_thread: RunInThread,
    closing: Closing | None = None,
) -> AsyncGenerator[Block, None]:
    """The Data Set of a DICOM file, which is its end.

    :param path: absolute.
    :param size: bytes of the Data Set, as the index knows them.
    :param closing: of what is read without waiting for the disk; None: a thread waits for all of it.
    :raises OSError: it cannot be read, or its Data Set is not of this size.
    """
    return _blocks(_File(path, filesystem, data_set_size=size), run_in_thread, closing)


def whole(path: str, *, filesystem: IFileSystem, run_in_thread: RunInThread) -> AsyncGenerator[Block, None]:
    """All bytes of a file.

    :param path: absolute.
    :raises OSError: it cannot be read.
    """
    return _blocks(_File(path, filesystem), run_in_thread)


async def _blocks(
    file: _File, run_in_thread: RunInThread, closing: Closing | None = None
) -> AsyncGenerator[Block, None]:
    """:param closing: of files that are read without waiting; None: none is."""

    def next_block() -> Awaitable[Block | OSError]:
        block = None if closing is None else file.read_cached()
        return run_in_thread(file.read) if block is None else succeed(block)

    ahead = next_block()
    try:
        while (block := await ahead) and not isinstance(block, OSError) and not file.is_read:
            ahead = next_block()
            yield block
    finally:
        if closing is not None and file.is_read and not file.is_closed:
            closing.add(file.close)
        elif not file.is_closed:
            run_in_thread(file.close)  # not waited for: whoever drops a generator cannot
    if isinstance(block, OSError):
        raise block
    if block:
        yield block  # the last, over which the reader may take its time: nothing is open any more


class Closing:
    """Has files closed by a thread, for which nobody waits: several in one job, and none later than
    :attr:`PAUSE`."""

    #: Seconds.
    PAUSE = 0.5
    #: Files that are open no longer than this.
    MOST = 16

    def __init__(self, run_in_thread: RunInThread, clock: IReactorTime) -> None:
        self._run_in_thread = run_in_thread
        self._clock = clock
        self._waiting: list[Callable[[], None]] = []
        self._timer: IDelayedCall | None = None

    def add(self, close: Callable[[], None]) -> None:
        self._waiting.append(close)
        if len(self._waiting) >= self.MOST:
            self.close_all()
        elif self._timer is None:
            self._timer = self._clock.callLater(self.PAUSE, self.close_all)

    def close_all(self) -> Awaitable[None]:
        """All that are to be closed are, when this has come to its end."""
        if not self._waiting:
            return succeed(None)
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        waiting, self._waiting = self._waiting, []
        return self._run_in_thread(_each, waiting)


def _each(calls: Iterable[Callable[[], None]]) -> None:
    for call in calls:
        call()


class _File:
    """A file that is open from its first block to its last. No call raises; all block but
    :meth:`read_cached`.

    :param data_set_size: of a DICOM file; None: all bytes of any file are wanted.
    """

    def __init__(self, path: str, filesystem: IFileSystem, *, data_set_size: int | None = None) -> None:
        self._path = path
        self._fs = filesystem
        self._data_set_size = data_set_size
        #: Held while a block is read: the reader may close the file meanwhile.
        self._mutex = threading.Lock()
        self._file: int | None = None
        #: Of what is wanted; None: not known yet.
        self._position: int | None = None
        self._end = 0
        self._block = BLOCK
        #: Whether the disk has been asked what the file is.
        self._is_checked = False
        self.is_closed = False

    @property
    def is_read(self) -> bool:
        """Whether there is no more to read."""
        return self.is_closed or self._position == self._end

    def read_cached(self) -> bytearray | None:
        """The next block, of a DICOM file, if it waits for no disk; None: it may, or something is wrong.

        Not to be called while a block is read.
        """
        if self._position is None:
            return self._begin_cached()
        file, position = self._file, self._position
        if file is None:
            return None
        length = min(self._block, self._end - position)
        block = self._fs.read_cached(file, position, length)
        if len(block) != length:
            return None
        self._position = position + length
        return block

    def _begin_cached(self) -> bytearray | None:
        """The first block; with the head before it, one read of a small file gives both."""
        size = self._data_set_size
        if size is None or (file := self._fs.open_cached(self._path)) is None:
            return None
        self._file = file
        block = self._fs.read_cached(file, 0, LONGEST_HEAD + size if size <= SMALL else BLOCK)
        try:
            start = data_set_offset(bytes(block[:COUNTED_FROM]))
        except ValueError:
            return None
        end = start + size
        # It must end there, which is to be seen before anything of it is given.
        if size <= SMALL:
            is_so = len(block) == end < LONGEST_HEAD + size
        else:
            is_so = start < len(block) and len(self._fs.read_cached(file, end - 1, 2)) == 1
        if not is_so:
            return None
        self._begin_at(start, end)
        self._position = len(block)
        del block[:start]
        return block

    def read(self) -> bytes | OSError:
        """The next block, or why there is none. Empty at the end, and when it is closed."""
        with self._mutex:
            if self.is_closed:
                return b""
            try:
                return self._next()
            except OSError as error:
                self._close()
                return error

    def close(self) -> None:
        """Waits for a block that is being read."""
        with self._mutex:
            self._close()

    def _next(self) -> bytes:
        if self._file is None:
            self._file = self._fs.open_existing(self._path)
        if not self._is_checked:
            self._check(self._file)
        assert self._position is not None
        length = min(self._block, self._end - self._position)
        block = self._fs.read(self._file, self._position, length)
        if len(block) < length:
            raise OSError(errno.EIO, "the file has become shorter")
        self._position += length
        if self._position == self._end:
            self._close()
        return block

    def _check(self, file: int) -> None:
        """See to it that it is what it should be; what was read before stays read."""
        status = self._fs.status(file)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "no regular file")
        start = self._start(file, status.st_size)
        if self._position is None:
            self._begin_at(start, status.st_size)
        self._is_checked = True

    def _start(self, file: int, size: int) -> int:
        """Where what is wanted begins."""
        if self._data_set_size is None:
            return 0
        try:
            start = data_set_offset(self._fs.read(file, 0, COUNTED_FROM))
        except ValueError as error:
            raise OSError(errno.EIO, str(error)) from None
        if size - start != self._data_set_size:
            raise OSError(errno.EIO, "the Data Set is not of the size that was received")
        return start

    def _begin_at(self, start: int, end: int) -> None:
        self._position, self._end = start, end
        self._block = SMALL if end - start <= SMALL else BLOCK

    def _close(self) -> None:
        self.is_closed = True
        file, self._file = self._file, None
        if file is None:
            return
        with suppress(OSError):  # it is closed all the same, and of what was only read nothing is lost
            self._fs.close(file)
