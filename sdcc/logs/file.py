"""A log file, renamed and begun anew by size and by time, by us or by whoever moves it away."""

from __future__ import annotations

import datetime
import os
import re
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

#: Others than the daemon's user and group never read it; the umask may take more away.
MODE = 0o640
#: Seconds between looks whether the path still names the file.
LOOK_EVERY = 1.0
#: Seconds after a rotation that failed until it is tried again.
TRY_AGAIN_AFTER = 60.0

#: What a period is called, in local time. Later ones sort after earlier ones.
PERIODS = {"day": "%Y-%m-%d", "hour": "%Y-%m-%dT%H"}
#: Added to a file's name when it is put aside, with a number where there is one of that second.
_STAMP = "%Y%m%dT%H%M%S"
_ASIDE = re.compile(r"\.(?P<stamp>[0-9]{8}T[0-9]{6})(\.(?P<number>[0-9]+))?")


class FileCalls(Protocol):
    """What is used of :mod:`os`; all of them block and raise OSError."""

    def open(self, path: Path, flags: int, mode: int) -> int: ...

    def write(self, file: int, data: bytes) -> int: ...

    def fstat(self, file: int) -> os.stat_result: ...

    def stat(self, path: Path) -> os.stat_result: ...

    def rename(self, old: Path, new: Path) -> None: ...

    def remove(self, path: Path) -> None: ...

    def listdir(self, path: Path) -> list[str]: ...

    def close(self, file: int) -> None: ...


class OperatingSystem:
    """The real calls."""

    open = staticmethod(os.open)
    write = staticmethod(os.write)
    fstat = staticmethod(os.fstat)
    stat = staticmethod(os.stat)
    rename = staticmethod(os.rename)
    remove = staticmethod(os.remove)
    listdir = staticmethod(os.listdir)
    close = staticmethod(os.close)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """When a file is put aside, and how many of those are kept."""

    #: Bytes; 0: never for its size.
    size: int
    #: Of :data:`PERIODS`; "never": not by time.
    every: str
    keep: int


class RotatedFile:
    """Used by one thread at a time; `rotation` and :meth:`reopen` are anybody's.

    :ivar rotation: may be replaced at any time.
    :param tell: of what an administrator should know; the file itself is written all the same.
    """

    def __init__(
        self,
        path: Path,
        rotation: Rotation,
        *,
        tell: Callable[[str], None],
        calls: FileCalls | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.rotation = rotation
        self._path = path
        self._tell = tell
        self._calls = calls or OperatingSystem()
        self._now = now
        self._file: int | None = None
        self._size = 0
        self._is_regular = True
        #: When something was last written to it.
        self._written_at = 0.0
        self._look_at = 0.0
        self._rotate_from = 0.0

    def open(self) -> None:
        """:raises OSError:"""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._file = self._calls.open(self._path, flags, MODE)
        status = self._calls.fstat(self._file)
        self._size = status.st_size
        self._is_regular = stat.S_ISREG(status.st_mode)
        self._written_at = status.st_mtime if status.st_size else self._now()
        self._look_at = self._now() + LOOK_EVERY

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            self._calls.close(file)

    def reopen(self) -> None:
        """At the next write: what has the path by then is written to, or a new file."""
        self._look_at = 0.0

    def write(self, data: bytes) -> int:
        """Append lines; gives of how many bytes, fewer where the disk is full.

        :raises OSError:
        """
        now = self._now()
        if self._file is not None and now >= self._look_at:
            self._look()
        if self._file is not None and now >= self._rotate_from and self._is_due(now, len(data)):
            self._rotate(now)
        if self._file is None:
            self.open()
        assert self._file is not None
        if not data:
            return 0
        written = self._calls.write(self._file, data)
        self._size += written
        self._written_at = now
        return written

    def _look(self) -> None:
        """Leave a file that was renamed or removed."""
        assert self._file is not None
        try:
            found = self._calls.stat(self._path)
        except FileNotFoundError:
            is_ours = False
        else:
            own = self._calls.fstat(self._file)
            is_ours = (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino)
            self._size = own.st_size  # it may have been truncated
        if not is_ours:
            self.close()
        self._look_at = self._now() + LOOK_EVERY

    # --- rotation ---

    def _is_due(self, now: float, more: int) -> bool:
        rotation = self.rotation
        if not (self._is_regular and self._size):
            return False
        if rotation.size and self._size + more > rotation.size:
            return True
        form = PERIODS.get(rotation.every)
        return form is not None and _local(now, form) > _local(self._written_at, form)

    def _rotate(self, now: float) -> None:
        try:
            self._calls.rename(self._path, self._path.with_name(self._new_name(now)))
        except OSError as error:
            self._rotate_from = now + TRY_AGAIN_AFTER
            self._tell(f"{self._path} cannot be put aside and is written on: {error.strerror}")
            return
        self.close()
        try:
            for _, _, name in self._aside()[: -self.rotation.keep]:
                self._calls.remove(self._path.with_name(name))
        except OSError as error:
            self._tell(f"an old log file of {self._path} cannot be removed: {error.strerror}")

    def _new_name(self, now: float) -> str:
        stamp = _local(now, _STAMP)
        last = max((number for taken, number, _ in self._aside() if taken == stamp), default=0)
        return f"{self._path.name}.{stamp}" + (f".{last + 1}" if last else "")

    def _aside(self) -> list[tuple[str, int, str]]:
        """Time, number and name of those put aside, the oldest first. Others' files are never among them."""
        found = []
        for name in self._calls.listdir(self._path.parent):
            if name.startswith(self._path.name):
                match = _ASIDE.fullmatch(name, len(self._path.name))
                if match is not None:
                    found.append((match["stamp"], int(match["number"] or 1), name))
        return sorted(found)


def _local(seconds: float, form: str) -> str:
    return datetime.datetime.fromtimestamp(seconds).strftime(form)
