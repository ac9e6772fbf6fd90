"""Doubts on disk: the objects whose registration may or may not have been committed.

An object is written down here before its sender is told that its outcome is unknown, and stays until it
is settled. What a process leaves when it dies is taken over by the next that looks. A doubt may be settled
twice, which changes nothing. Knows no database.

Each process has a file, a JSON object a line, appended to and synced. Its lock says that the process lives.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from twisted.internet.defer import Deferred, DeferredLock, succeed
from twisted.logger import Logger

from sdcc.index.disk import sync_directory
from sdcc.interfaces import RunInThread

SUFFIX = ".jsonl"
#: Bytes of randomness in a file's name.
NAME_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Doubt:
    """An object of unknown outcome."""

    sop_instance_uid: str
    #: See :attr:`sdcc.interfaces.StoredFile.path`.
    path: str


class Journal:
    """This process's doubts, and those that it took over.

    :param directory: may be shared with other processes, of other hosts too.
    :param run_in_thread: runs one call at a time, in order.
    """

    _log = Logger()

    def __init__(
        self,
        directory: Path,
        *,
        run_in_thread: RunInThread,
        new_name: Callable[[], str] = lambda: secrets.token_hex(NAME_LENGTH),
    ) -> None:
        self._run_in_thread = run_in_thread
        self._files = _Files(directory, new_name)
        self._open: set[Doubt] = set()
        self._waiting: list[tuple[Doubt, Deferred[None]]] = []
        self._is_writing = False
        #: Held while it is not known which files hold open doubts.
        self._taking_over = DeferredLock()
        #: Fires when nothing is being written.
        self._written: Deferred[None] = succeed(None)

    def prepare(self) -> None:
        """Make the directory, durably. Blocks; raises OSError."""
        self._files.prepare()

    async def note(self, doubt: Doubt) -> None:
        """Return when the doubt is durable. Never raises: where the disk fails, the log says so."""
        written: Deferred[None] = Deferred()
        self._open.add(doubt)
        self._waiting.append((doubt, written))
        if not self._is_writing:
            self._written = Deferred.fromCoroutine(self._write())
        await written

    async def strike(self, doubt: Doubt) -> None:
        """The doubt is settled, and what follows from that is done."""
        self._open.discard(doubt)
        if not self._is_writing:
            await self._clear()

    async def take_over(self) -> list[Doubt]:
        """The doubts that dead processes have left; they are this process's from now on.

        :raises OSError: the directory cannot be read.
        """
        async with self._taking_over:
            found = await self._run_in_thread(self._files.take_over)
            self._open.update(found)
        return found

    async def close(self) -> None:
        """Leave what is still open to the next process, when what is being written is."""
        await self._written
        await self._run_in_thread(self._files.close)

    async def _write(self) -> None:
        """Write down what waits; what comes meanwhile goes together in the next sync."""
        self._is_writing = True
        while self._waiting:
            batch, self._waiting = self._waiting, []
            await self._attempt("written down", self._files.append, [doubt for doubt, _ in batch])
            for _, written in batch:
                written.callback(None)
        self._is_writing = False
        await self._clear()

    async def _clear(self) -> None:
        async with self._taking_over:
            if not self._open:
                await self._attempt("cleared up", self._files.clear)

    async def _attempt(self, what: str, call: Callable[..., None], *arguments: object) -> None:
        """Whatever fails, those who wait are answered, and what comes later is attempted anew."""
        try:
            await self._run_in_thread(call, *arguments)
        except OSError as error:
            self._log.error("Index: doubts cannot be {what}: {error}", what=what, error=error)
        except Exception:
            self._log.failure("Index: a fault of the program; doubts cannot be {what}", what=what)


class _Files:
    """The journal's disk. Blocks; used by one thread at a time."""

    def __init__(self, directory: Path, new_name: Callable[[], str]) -> None:
        self._directory = directory
        self._new_name = new_name
        self._own: tuple[Path, int] | None = None
        self._taken_over: dict[Path, int] = {}

    def prepare(self) -> None:
        self._directory.mkdir(exist_ok=True)
        sync_directory(self._directory.parent)

    def append(self, doubts: Iterable[Doubt]) -> None:
        if self._own is None:
            self._own = self._create()
        lines = "".join(f"{json.dumps(asdict(doubt))}\n" for doubt in doubts)
        # The line break before them ends a line that a full disk has cut off.
        data = memoryview(f"\n{lines}".encode())
        while data:
            data = data[os.write(self._own[1], data) :]
        os.fsync(self._own[1])

    def take_over(self) -> list[Doubt]:
        """All of it anew where a file cannot be read: its doubts may not be forgotten."""
        taken: dict[Path, int] = {}
        found: list[Doubt] = []
        with ExitStack() as on_error:
            for path in sorted(self._directory.glob(f"*{SUFFIX}")):
                if path in self._taken_over or (self._own is not None and path == self._own[0]):
                    continue
                file = _lock(path, os.O_RDWR)
                if file is not None:
                    on_error.callback(os.close, file)
                    taken[path] = file
                    found += _doubts(file)
            on_error.pop_all()
        self._taken_over |= taken
        return found

    def clear(self) -> None:
        """Remove every file: nothing in them is open."""
        if self._own is not None:
            self._taken_over.update([self._own])
            self._own = None
        for path in self._taken_over:
            path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        if self._own is not None:
            os.close(self._own[1])
            self._own = None
        while self._taken_over:
            _, file = self._taken_over.popitem()
            os.close(file)

    def _create(self) -> tuple[Path, int]:
        while True:
            path = self._directory / f"{self._new_name()}{SUFFIX}"
            # Between its creation and its locking, another may take it for a dead process's.
            if (file := _lock(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND)) is not None:
                sync_directory(self._directory)
                return path, file


def _lock(path: Path, flags: int) -> int | None:
    """Open a file and lock it; None where another has it locked, or has removed it."""
    try:
        file = os.open(path, flags | os.O_CLOEXEC, 0o640)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    except BaseException:
        os.close(file)
        raise
    if os.fstat(file).st_nlink == 0:
        os.close(file)
        return None
    return file


def _doubts(file: int) -> Iterator[Doubt]:
    """What can be read of a file: a line that was cut off was never answered for."""
    with open(file, encoding="utf-8", errors="replace", closefd=False) as lines:
        for line in lines:
            try:
                yield Doubt(**json.loads(line))
            except (ValueError, TypeError):
                continue
