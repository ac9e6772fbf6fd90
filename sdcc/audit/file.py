"""The audit trail in a file: a line a message, appended and synced in batches."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from sdcc.audit.backlog import Backlog
from sdcc.interfaces import RunInThread

#: Patients' names are in it.
FILE_MODE = 0o600
#: Seconds until it is tried again.
RETRY = 5.0


class NotAppended(Exception):
    """Not all lines are in the file.

    :ivar whole: how many are.
    """

    def __init__(self, error: OSError, whole: int) -> None:
        super().__init__(error.strerror or str(error))
        self.whole = whole


def _is_torn(path: str) -> bool:
    """Whether a file's last line is not whole: the disk was full, or whoever wrote it was killed."""
    if not os.path.isfile(path) or not os.path.getsize(path):
        return False
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() != b"\n"


def _sync(file: int) -> None:
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a terminal or a pipe, which cannot be synced
            raise


class LineFile:
    """A file that others may move away. All of it blocks, and is for one thread."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: int | None = None

    def append(self, lines: Sequence[bytes]) -> None:
        """Append lines, durably.

        :raises NotAppended: whoever tries the rest again may repeat lines, but loses none.
        """
        data = b"".join(line + b"\n" for line in lines)
        written = 0
        try:
            file = self._opened()
            while written < len(data):
                written += os.write(file, data[written:])
            _sync(file)
        except OSError as error:
            self.close()
            # After a sync that failed nobody knows which of them are on the disk.
            whole = data.count(b"\n", 0, written) if written < len(data) else 0
            raise NotAppended(error, whole) from error

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _opened(self) -> int:
        """The file of that name, which may be another by now."""
        if self._file is not None and not self._is_there(self._file):
            self.close()
        if self._file is None:
            torn = _is_torn(self._path)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._file = os.open(self._path, flags, FILE_MODE)
            if torn:
                os.write(self._file, b"\n")
        return self._file

    def _is_there(self, file: int) -> bool:
        ours = os.fstat(file)
        try:
            there = os.stat(self._path)
        except FileNotFoundError:
            return False
        return (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)


class AuditFile:
    """
    :param run_in_thread: runs one call at a time, in order.
    """

    _log = Logger()

    def __init__(self, file: LineFile, where: str, run_in_thread: RunInThread, clock: IReactorTime) -> None:
        self._file = file
        self._run_in_thread = run_in_thread
        self._clock = clock
        self._backlog = Backlog(where)
        self._turn = DeferredLock()
        self._retry: IDelayedCall | None = None
        self._has_started = False

    def start(self) -> None:
        self._has_started = True
        self._go_on()

    def write(self, line: bytes) -> None:
        self._backlog.add(line)
        self._go_on()

    async def stop(self) -> None:
        await self._write_all()
        self._has_started = False
        self._forget_retry()
        self._backlog.close()
        await self._run_in_thread(self._file.close)

    def _go_on(self) -> None:
        if self._has_started and self._retry is None and not self._turn.locked:
            Deferred.fromCoroutine(self._write_all())

    async def _write_all(self) -> None:
        async with self._turn:
            self._forget_retry()
            while self._backlog:
                lines = self._backlog.take()
                try:
                    await self._run_in_thread(self._file.append, lines)
                except NotAppended as error:
                    self._backlog.put_back(lines[error.whole :])
                    self._backlog.broken(str(error))
                    self._retry = self._clock.callLater(RETRY, self._try_again)
                    return
                except Exception:  # a fault of the program, which nobody else would see
                    self._log.failure("Writing the audit trail failed")
                    self._backlog.put_back(lines)
                    self._backlog.broken("a fault of the program")
                    self._retry = self._clock.callLater(RETRY, self._try_again)
                    return
                self._backlog.mended()

    def _forget_retry(self) -> None:
        retry, self._retry = self._retry, None
        if retry is not None:
            retry.cancel()

    def _try_again(self) -> None:
        self._retry = None
        self._go_on()
