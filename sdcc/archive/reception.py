"""One object on its way in, as the reactor's thread sees it: what waits, and the one job that runs.

It holds the bytes between :meth:`Reception.write` and the end of their job, and no others. It makes no
call that blocks: :mod:`sdcc.archive.partial` does, in a worker thread.
"""

from __future__ import annotations

import datetime
import errno
import os
from collections.abc import Callable
from traceback import clear_frames
from typing import TypeVar

from twisted.internet.defer import DeferredLock, ensureDeferred
from twisted.logger import Logger
from zope.interface import implementer

from sdcc.archive.partial import PartialFile
from sdcc.archive.space import UNDER_THE_FLOOR, FreeSpace
from sdcc.interfaces import IReception, NotStored, OutOfResources, RunInThread, StoredObject

T = TypeVar("T")

#: A job begins when so many bytes have gathered; an object of fewer takes one job in all.
#: Whoever pauses a sender over bytes waiting must let so many wait for each, or it would wait for ever.
BATCH = 256 * 1024


def cause(error: OSError) -> str:
    """What failed, for an Error Comment: no path in it."""
    if error.errno == errno.ENOSPC:
        return "disk full"
    return f"disk: {os.strerror(error.errno)}"[:64] if error.errno else "disk: unknown error"


class _Block:
    """What a job is to write: its thread takes it when its turn has come, unless it was let go of before."""

    def __init__(self, data: bytearray) -> None:
        self._data = [data]

    def take(self) -> bytearray | None:
        """Of all that ask, in whatever thread, the first is given it."""
        try:
            return self._data.pop()
        except IndexError:
            return None


def _work(block: _Block, call: Callable[..., T], *arguments: object) -> T:
    data = block.take()
    if data is None:
        raise OutOfResources("abandoned")
    return call(data, *arguments)


@implementer(IReception)
class Reception:
    """See :class:`sdcc.interfaces.IReception`.

    Over its life `on_written` is told of exactly the bytes that were written to it. It may be called
    from within :meth:`write`, for bytes that are let go at once.

    :param refusal: why this object is not taken at all; None: it is.
    :param closed: called when nothing will happen any more.
    """

    _log = Logger()

    def __init__(
        self,
        partial: PartialFile,
        *,
        run_in_thread: RunInThread,
        now: Callable[[], datetime.datetime],
        space: FreeSpace,
        maximum_size: int,
        refusal: str | None,
        on_written: Callable[[int], None],
        closed: Callable[[Reception], None],
    ) -> None:
        self._partial = partial
        self._run_in_thread = run_in_thread
        self._now = now
        self._space = space
        self._maximum_size = maximum_size
        #: Why the object is not kept. What comes from then on is let go.
        self._refusal = refusal
        self._on_written = on_written
        self._closed = closed
        self._size = 0
        #: A copy of what waits: views would keep the buffers alive that they are a part of, at a peer's
        #: will many times as large; and a thread that wrote or hashed fragment by fragment would have
        #: to win the interpreter's lock for each of them.
        self._gathered = bytearray()
        #: Of the job that runs or waits for a thread, which where the disk hangs may take long.
        self._block: _Block | None = None
        self._whole = False
        #: Held while a job runs.
        self._job = DeferredLock()

    def write(self, data: memoryview) -> None:
        self._size += len(data)
        if self._size > self._maximum_size:
            self._refuse(f"object over maximum_object_size ({self._maximum_size} bytes)")
        if self._refusal is None and not self._whole:
            self._gathered += data
        else:
            self._on_written(len(data))
        if not self._job.locked and (
            len(self._gathered) >= BATCH or (self._refusal and self._partial.exists)
        ):
            ensureDeferred(self._write_gathered())

    async def complete(self) -> StoredObject:
        received_at = self._now()
        self._whole = True
        async with self._job:
            try:
                if self._refusal is not None:
                    raise OutOfResources(self._refusal)
                return await self._run_job(self._partial.finish, received_at)
            except NotStored:
                await self._discard()
                raise
            finally:
                self._closed(self)

    async def abandon(self, reason: str = "abandoned") -> None:
        self._refuse(reason)
        async with self._job:
            await self._discard()
        self._closed(self)

    def _refuse(self, reason: str) -> None:
        """From now on the object is not kept, unless it has been made durable in this moment."""
        if self._refusal is None:
            self._refusal = reason
        dropped, self._gathered = self._gathered, bytearray()
        self._on_written(len(dropped))
        if self._block is not None and not self._whole and (data := self._block.take()) is not None:
            self._block = None
            self._on_written(len(data))

    async def _write_gathered(self) -> None:
        async with self._job:
            while len(self._gathered) >= BATCH and not self._whole:
                try:
                    await self._run_job(self._partial.append)
                except OutOfResources as error:
                    self._refuse(str(error))
                except Exception:  # a fault of the program, which nobody else would see
                    self._log.failure("Writing an object failed")
                    self._refuse("internal error")
            if self._refusal is not None:
                await self._discard()

    async def _run_job(self, call: Callable[..., T], *arguments: object) -> T:
        """Do something in a worker thread with all that has gathered."""
        size = len(self._gathered)
        block = self._block = _Block(self._gathered)
        self._gathered = bytearray()
        try:
            if not self._space.take(size):
                raise OutOfResources(UNDER_THE_FLOOR)
            return await self._run_in_thread(_work, block, call, *arguments)
        except Exception as error:
            clear_frames(error.__traceback__)  # for they hold on to the bytes
            if isinstance(error, OSError):
                raise OutOfResources(cause(error)) from error
            raise
        finally:
            if self._block is block:  # else it was let go of
                self._block = None
                self._on_written(size)

    async def _discard(self) -> None:
        if self._partial.exists:
            try:
                await self._run_in_thread(self._partial.discard)
            except Exception:  # no thread to be had: what `abandon` promises holds all the same
                self._log.failure("An object's file could not be removed")
