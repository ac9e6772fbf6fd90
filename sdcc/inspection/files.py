"""The archive's files as an inspection sees them: in threads, several at once, once they have settled."""

from __future__ import annotations

import datetime
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from itertools import filterfalse, islice

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from sdcc.archive import quarantine, stored_files
from sdcc.archive.directories import REMEMBERED, Directories
from sdcc.archive.filesystem import IFileSystem
from sdcc.archive.stored_files import FoundFile, NoObject
from sdcc.inspection.course import Course, Report
from sdcc.interfaces import RunInThread, StoredObject

#: Files that the index is asked about at once.
BATCH = 500
#: How long a file is left to a server that may be about to register or remove it, in timeouts of the index.
SETTLED_AFTER = 1.5
#: Seconds of waiting that are said.
NOTEWORTHY = 1.0
#: Seconds in which an interruption is noticed.
PULSE = 0.1
#: Bytes of randomness in the name of a file that needs another.
TOKEN_LENGTH = 12


class Files:
    """Files below a storage directory; paths are relative to it.

    :param root: the storage directory.
    :param walk_in_thread: runs one call at a time.
    :param ahead: how many files are to be under way at once.
    :param timeout: the index's, in seconds.
    :param now: seconds since the epoch.
    :param settled_before: no process is left that could register or remove what was changed before.
    :param is_own: whether a file, by its path, is this very process's, which sees to it by itself.
    """

    def __init__(
        self,
        root: str,
        *,
        filesystem: IFileSystem,
        walk_in_thread: RunInThread,
        read_in_thread: RunInThread,
        ahead: int,
        timeout: float,
        clock: IReactorTime,
        now: Callable[[], float],
        settled_before: float = float("-inf"),
        is_own: Callable[[str], bool] = lambda path: False,
        new_token: Callable[[], str] = lambda: secrets.token_hex(TOKEN_LENGTH),
    ) -> None:
        self.root = root
        self.ahead = ahead
        self.course = Course()
        self._fs = filesystem
        self._walk_in_thread = walk_in_thread
        self._read_in_thread = read_in_thread
        self._settled_after = SETTLED_AFTER * timeout
        self._settled_before = settled_before
        self._clock = clock
        self._now = now
        self._is_own = is_own
        self._new_token = new_token
        self._directories = Directories(root, filesystem=filesystem)
        #: Directories whose names are durable, as far as the walk that is under way has seen them.
        self._synced: set[str] = set()
        #: Until when it is said that it is waited.
        self._announced = float("-inf")

    # --- all of them ---

    async def batches(
        self,
        on_error: Callable[[str, OSError], None] = lambda path, error: None,
        *,
        since: datetime.date = datetime.date.min,
        strays: bool = False,
    ) -> AsyncIterator[list[str]]:
        """The paths of the files of objects that are not this process's own, in batches.

        :param on_error: told of a directory that cannot be read.
        :param since: the first day of reception.
        :param strays: all files, those too that stand where SDCC puts none.
        :raises OSError: there is no directory of objects, or it cannot be read.
        """
        walk = await self._walk_in_thread(
            lambda: stored_files.files(self.root, self._fs, on_error, since=since)
        )
        if not strays:
            walk = filter(stored_files.may_be_object, walk)
        walk = filterfalse(self._is_own, walk)
        self._synced.clear()
        while self.course.goes_on and (some := await self._walk_in_thread(lambda: [*islice(walk, BATCH)])):
            yield some

    async def count(self) -> int:
        """How many files of objects there are.

        :raises OSError: as :meth:`batches` does.
        """
        return sum([len(some) async for some in self.batches()])

    # --- one of them ---

    async def read(self, path: str) -> FoundFile:
        """See :func:`~sdcc.archive.stored_files.read`.

        :raises NoObject: also for what a repair has found to be no more what was received.
        """
        return await self._read_in_thread(self._read, path)

    async def read_durably(self, path: str) -> FoundFile:
        """Read a file that the walk has found, and return when it is durable under its path.

        Only then may a row name it: nobody knows whether who put it there has come so far.
        """
        return await self._read_in_thread(self._read_durably, path)

    async def difference(self, stored: StoredObject) -> str | None:
        """See :func:`~sdcc.archive.stored_files.difference`."""
        return await self._read_in_thread(
            stored_files.difference, stored.kept, self.root, self._fs, self._goes_on
        )

    async def status(self, path: str) -> os.stat_result:
        """See :func:`~sdcc.archive.stored_files.status`."""
        return await self._read_in_thread(stored_files.status, path, self.root, self._fs)

    async def any_exists(self, paths: Iterable[str]) -> bool:
        """Whether one of these files or directories is there, though it may be that it cannot be read."""
        return await self._read_in_thread(self._any_exists, paths)

    async def has_directory(self, path: str) -> bool:
        """Whether the directory that holds a file is there, or held it."""
        return await self.any_exists([os.path.dirname(path)])

    async def settle(self, changed_at: float, report: Report) -> bool:
        """Return when no server can be about to register or remove a file.

        Or when the work does not go on.

        :param changed_at: see :attr:`~sdcc.archive.stored_files.FoundFile.changed_at`.
        :return: whether anything may have changed meanwhile.
        """
        if changed_at < self._settled_before:
            return False
        remaining = min(changed_at + self._settled_after - self._now(), self._settled_after)
        if remaining <= 0:
            return False
        end = self._clock.seconds() + remaining
        if remaining > NOTEWORTHY and end > self._announced + NOTEWORTHY:
            self._announced = end
            report.say(f"waiting for {remaining:.0f} s: a server may be about to register what just came")
        while self.course.goes_on and (left := end - self._clock.seconds()) > 0:
            await deferLater(self._clock, min(left, PULSE))
        return True

    async def settle_from_now(self, report: Report) -> None:
        """Return when no server can be about to change what it is about to change now."""
        await self.settle(self._now(), report)

    # --- what is done to one ---

    def remove(self, path: str) -> Awaitable[None]:
        """Remove a file that is disowned; FileNotFoundError where it is gone already."""
        return self._read_in_thread(self._fs.remove, f"{self.root}/{path}")

    def record(self, stored: StoredObject) -> Awaitable[None]:
        """See :func:`~sdcc.archive.quarantine.record`."""
        return self._read_in_thread(quarantine.record, stored, self.root, self._fs)

    def set_aside(self, path: str) -> Awaitable[str]:
        """See :func:`~sdcc.archive.quarantine.set_aside`."""
        return self._read_in_thread(quarantine.set_aside, path, self.root, self._fs)

    async def rename(self, path: str) -> str:
        """Give an object's file another name beside its old one, as if it had been received anew."""
        directory, name = os.path.split(path)
        new = f"{directory}/{name.rpartition('-')[0]}-{self._new_token()}{stored_files.SUFFIX}"
        await self._read_in_thread(quarantine.move, path, new, self.root, self._fs)
        return new

    def _read(self, path: str, *, durably: bool = False) -> FoundFile:
        found = stored_files.read(path, self.root, self._fs, durably=durably, goes_on=self._goes_on)
        if quarantine.is_another(found.stored, self.root, self._fs):
            raise NoObject(f"not what was received, as {quarantine.QUARANTINE} has it")
        return found

    def _read_durably(self, path: str) -> FoundFile:
        found = self._read(path, durably=True)
        directory = os.path.dirname(path)
        if directory not in self._synced:  # since the walk has listed it, with all the names that it gives
            self._directories.make_durable(f"{self.root}/{path}")
            if len(self._synced) >= REMEMBERED:
                self._synced.clear()
            self._synced.add(directory)
        return found

    def _goes_on(self) -> bool:
        """Asked in any thread."""
        return self.course.goes_on

    def _any_exists(self, paths: Iterable[str]) -> bool:
        for path in paths:
            try:
                stored_files.status(path, self.root, self._fs)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError:
                pass
            return True
        return False
