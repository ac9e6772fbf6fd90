"""The files of the archive, found and restored to an index that does not know them.

Files are read by several threads at once and restored in the order of their paths, which is that of the days
of reception; many wait for the index together, so that they share transactions. What the index knows
already is passed over unread. Knows neither database, and prints nothing itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from twisted.internet.defer import Deferred, DeferredSemaphore

from sdcc.archive.stored_files import FoundFile, Interrupted, NoObject
from sdcc.inspection.course import Report, in_order
from sdcc.inspection.files import Files
from sdcc.inspection.restoring import Outcome, restore, unnamed
from sdcc.interfaces import IIndex, StoredObject
from sdcc.printable import printable

#: Objects that wait for the index at most.
IN_FLIGHT = 512


@dataclass(slots=True)
class Counts:
    """What became of the files."""

    registered: int = 0
    already_registered: int = 0
    #: Of objects whose newer version is registered.
    older_versions: int = 0
    faulty: int = 0

    def __str__(self) -> str:
        return (
            f"registered {self.registered}, already registered {self.already_registered}, "
            f"older versions {self.older_versions}, faulty {self.faulty}"
        )


class Reindexing:
    """One pass through the archive."""

    def __init__(self, index: IIndex, files: Files) -> None:
        self._index = index
        self._files = files
        self._course = files.course
        self._slots = DeferredSemaphore(IN_FLIGHT)
        self._report: Report
        self.counts = Counts()

    async def run(self, report: Report) -> None:
        """Restore every object, as far as neither an interruption nor the index puts an end to it."""
        self._report = report
        unreadable: list[tuple[str, OSError]] = []
        batches = self._files.batches(lambda path, error: unreadable.append((path, error)))
        async for path, reading in in_order(self._unknown(batches), self._read, ahead=self._files.ahead):
            await self._restore_read(path, await reading)
        for _ in range(IN_FLIGHT):
            await self._slots.acquire()
        for path, error in unreadable:
            self._faulty(path, error.strerror or error)
        self._course.raise_fault()

    async def _unknown(self, batches: AsyncIterator[list[str]]) -> AsyncIterator[str]:
        """The paths that no row names."""
        async for paths in batches:
            unknown = await self._course.attempt(unnamed, self._index, paths)
            if unknown is None:
                return
            remaining = {*unknown}
            for path in paths:
                if path in remaining:
                    if not self._course.goes_on:
                        return
                    yield path
                else:
                    self.counts.already_registered += 1
                    self._report.advance()

    async def _read(self, path: str) -> FoundFile | NoObject | OSError:
        """The file, or why it cannot be read."""
        try:
            return await self._files.read_durably(path)
        except (NoObject, OSError) as fault:
            return fault

    async def _restore_read(self, path: str, found: FoundFile | NoObject | OSError) -> None:
        """
        :param found: what :meth:`_read` has given.
        """
        if isinstance(found, FoundFile) and await self._files.settle(found.changed_at, self._report):
            found = await self._read(path)
        match found:
            case Interrupted():
                pass
            case FileNotFoundError():  # a server has replaced the object meanwhile
                self._report.advance()
            case NoObject():
                self._faulty(path, str(found))
            case OSError():
                self._faulty(path, found.strerror or found)
            case FoundFile():
                await self._slots.acquire()
                Deferred.fromCoroutine(self._restore(found.stored))

    async def _restore(self, stored: StoredObject) -> None:
        try:
            if self._course.goes_on:
                await self._course.attempt(self._restore_to_index, stored)
        finally:
            self._slots.release()

    async def _restore_to_index(self, stored: StoredObject) -> None:
        restored = await restore(self._index, stored)
        match restored.outcome:
            case Outcome.REGISTERED:
                self.counts.registered += 1
            case Outcome.ALREADY_REGISTERED:
                self.counts.already_registered += 1
            case Outcome.OTHER_VERSION:
                self.counts.older_versions += 1
            case Outcome.GIVEN_UP:
                self._faulty(stored.file.path, "was given up; `sdccctl verify --repair` may register it")
                return
            case Outcome.REFUSED:
                self._faulty(stored.file.path, restored.reason)
                return
        self._report.advance()

    def _faulty(self, path: str, reason: object) -> None:
        self.counts.faulty += 1
        self._report.say(printable(f"{self._files.root}/{path}: {reason}"))
        self._report.advance()
