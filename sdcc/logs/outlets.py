"""Where lines go that are no file of ours: standard output, the journal behind it, syslog."""

from __future__ import annotations

import os
import syslog
from collections.abc import Callable, Mapping
from typing import Protocol


class Outlet(Protocol):
    """Used by one thread at a time, but for :meth:`reopen`."""

    def open(self) -> None:
        """:raises OSError:"""

    def write(self, data: bytes) -> int:
        """Take whole lines, or what is left of them; gives how many bytes were. May block.

        :raises OSError:
        """

    def reopen(self) -> None: ...

    def close(self) -> None: ...


class Descriptor:
    """A stream of somebody else's, such as standard output."""

    def __init__(self, descriptor: int, write: Callable[[int, bytes], int] = os.write) -> None:
        self._descriptor = descriptor
        self._write = write

    def open(self) -> None: ...

    def write(self, data: bytes) -> int:
        return self._write(self._descriptor, data) if data else 0

    def reopen(self) -> None: ...

    def close(self) -> None: ...


class Syslog:
    """The system's log. Each line begins with its priority.

    :param prefix: before the process ID in each line.
    """

    def __init__(
        self,
        prefix: str,
        *,
        begin: Callable[..., object] = syslog.openlog,
        send: Callable[[int, str], object] = syslog.syslog,
    ) -> None:
        self._prefix = prefix
        self._begin = begin
        self._send = send

    def open(self) -> None:
        self._begin(self._prefix, syslog.LOG_PID, syslog.LOG_DAEMON)

    def write(self, data: bytes) -> int:
        if not data:
            return 0
        for line in data.decode().rstrip("\n").split("\n"):
            priority, _, text = line.removeprefix("<").partition(">")
            self._send(int(priority), text)
        return len(data)

    def reopen(self) -> None: ...

    def close(self) -> None: ...


def is_journal(descriptor: int, environment: Mapping[str, str]) -> bool:
    """Whether it is the stream that systemd connected to the journal: `$JOURNAL_STREAM` of systemd.exec(5).

    The variable alone says nothing: it is handed down to processes whose output goes elsewhere.
    """
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return environment.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
