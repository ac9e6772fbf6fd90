"""The files of the archive, found and restored to an index that does not know them.

Files are read by several threads at once and restored in the order of their paths, which is that of the days
of reception; many wait for the index together, so that they share transactions. What the index knows
already is passed over unread. Knows neither database, and prints nothing itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from sdcc.archive import stored_files
from sdcc.archive.filesystem import IFileSystem
from sdcc.archive.stored_files import FoundFile, NoObject
from sdcc.interfaces import IIndex, OutcomeUnknown, OutOfResources, RunInThread, StoredObject
from sdcc.printable import printable

#: Files that the index is asked about at once.
BATCH = 500
#: Objects that wait for the index at most.
IN_FLIGHT = 512
#: How long a file is left to a server that may be about to register or remove it, in timeouts of the index.
SETTLED_AFTER = 1.5
#: Seconds of waiting that are said.
NOTEWORTHY = 1.0
#: Seconds in which an interruption is noticed.
PULSE = 0.1


class Report(Protocol):
    """Where it is told how far the work has come."""

    def advance(self) -> None: ...

    def say(self, line: str) -> None: ...


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
    """One pass through the archive.

    :param root: the storage directory.
    :param walk_in_thread: runs one call at a time.
    :param threads: how many calls `read_in_thread` runs at once.
    :param timeout: the index's, in seconds.
    :param now: seconds since the epoch.
    """

    def __init__(
        self,
        index: IIndex,
        root: str,
        *,
        filesystem: IFileSystem,
        walk_in_thread: RunInThread,
        read_in_thread: RunInThread,
        threads: int,
        timeout: float,
        clock: IReactorTime,
        now: Callable[[], float],
    ) -> None:
        self._index = index
        self._root = root
        self._fs = filesystem
        self._walk_in_thread = walk_in_thread
        self._read_in_thread = read_in_thread
        self._ahead = 2 * threads
        self._settled_after = SETTLED_AFTER * timeout
        self._clock = clock
        self._now = now
        self._readings: deque[tuple[str, Deferred[FoundFile]]] = deque()
        self._slots = DeferredSemaphore(IN_FLIGHT)
        self._fault: Failure | None = None
        self._report: Report
        self.counts = Counts()
        self.is_interrupted = False
        #: Why the index takes nothing any more.
        self.index_failure: str | None = None

    @property
    def _goes_on(self) -> bool:
        return not (self.is_interrupted or self.index_failure or self._fault)

    def interrupt(self) -> None:
        """Begin nothing more; what is under way is finished."""
        self.is_interrupted = True

    async def count(self) -> int:
        """How many files there are.

        :raises OSError: there is no directory of objects, or it cannot be read.
        """
        walk = await self._walk_in_thread(stored_files.paths, self._root, self._fs)
        total = 0
        while self._goes_on and (some := await self._next(walk)):
            total += len(some)
        return total

    async def run(self, report: Report) -> None:
        """Restore every object, as far as neither an interruption nor the index puts an end to it."""
        self._report = report
        unreadable: list[tuple[str, OSError]] = []
        walk = stored_files.paths(self._root, self._fs, lambda path, error: unreadable.append((path, error)))
        while self._goes_on and (some := await self._next(walk)):
            await self._restore_unknown(some)
        while self._readings:
            await self._restore_next()
        for _ in range(IN_FLIGHT):
            await self._slots.acquire()
        for path, error in unreadable:
            self._faulty(path, error.strerror or error)
        if self._fault is not None:
            self._fault.raiseException()

    async def _next(self, walk: Iterator[str]) -> list[str]:
        return await self._walk_in_thread(lambda: [*islice(walk, BATCH)])

    async def _restore_unknown(self, paths: list[str]) -> None:
        try:
            known = await self._index.paths([*map(stored_files.sop_instance_uid, paths)])
        except (OSError, ValueError) as error:
            self.index_failure = str(error)
            return
        registered = {*known.values()}
        for path in paths:
            if path in registered:
                self.counts.already_registered += 1
                self._report.advance()
                continue
            if len(self._readings) >= self._ahead:
                await self._restore_next()
            if not self._goes_on:
                return
            self._readings.append((path, Deferred.fromCoroutine(self._read(path))))

    async def _read(self, path: str) -> FoundFile:
        return await self._read_in_thread(stored_files.read, path, self._root, self._fs)

    # --- one file ---

    async def _restore_next(self) -> None:
        path, reading = self._readings.popleft()
        try:
            found = await self._settled(await reading)
        except FileNotFoundError:  # a server has replaced the object meanwhile
            self._report.advance()
        except NoObject as fault:
            self._faulty(path, str(fault))
        except OSError as error:
            self._faulty(path, error.strerror or error)
        else:
            await self._slots.acquire()
            Deferred.fromCoroutine(self._restore(found.stored)).addErrback(self._break)

    async def _settled(self, found: FoundFile) -> FoundFile:
        """The file, as it is once no server that registers it may still remove it."""
        remaining = min(found.changed_at + self._settled_after - self._now(), self._settled_after)
        if remaining <= 0:
            return found
        if remaining > NOTEWORTHY:
            self._report.say(
                f"waiting for {remaining:.0f} s: a server may be about to register what just came"
            )
        end = self._clock.seconds() + remaining
        while self._goes_on and (left := end - self._clock.seconds()) > 0:
            await deferLater(self._clock, min(left, PULSE))
        return await self._read(found.stored.file.path)

    async def _restore(self, stored: StoredObject) -> None:
        try:
            if not self._goes_on:
                return
            if await self._index.restore(stored):
                self.counts.registered += 1
            elif await self._is_registered(stored):
                self.counts.already_registered += 1
            else:
                self.counts.older_versions += 1
            self._report.advance()
        except OutOfResources as error:
            if isinstance(error, OutcomeUnknown) or self._index.refusal is not None:
                self.index_failure = str(error)
            else:
                self._faulty(stored.file.path, str(error))
        except OSError as error:
            self.index_failure = str(error)
        finally:
            self._slots.release()

    async def _is_registered(self, stored: StoredObject) -> bool:
        uid = stored.instance.sop_instance_uid
        return (await self._index.paths([uid])).get(uid) == stored.file.path

    def _faulty(self, path: str, reason: object) -> None:
        self.counts.faulty += 1
        self._report.say(printable(f"{self._root}/{path}: {reason}"))
        self._report.advance()

    def _break(self, failure: Failure) -> None:
        self._fault = failure
