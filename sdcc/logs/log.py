"""The log of the process: Twisted's observer, and what an administrator may change of it while it runs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from twisted.logger import ILogObserver, LogEvent, LogLevel
from zope.interface import implementer

from sdcc.config import LogSettings
from sdcc.logs.file import RotatedFile, Rotation
from sdcc.logs.levels import Levels
from sdcc.logs.lines import Format, as_json, dated, plain, with_priority
from sdcc.logs.outlets import Descriptor, Outlet, Syslog, is_journal
from sdcc.logs.writer import Writer


@dataclass(frozen=True, slots=True)
class ToSyslog:
    """Syslog, with a prefix before the process ID."""

    prefix: str


@dataclass(frozen=True, slots=True)
class ToStandardOutput:
    descriptor: int = 1


#: Where the log goes; a path is a file's.
Destination = Path | ToSyslog | ToStandardOutput


@implementer(ILogObserver)
class Log:
    """
    :param environment: in which the journal is found.
    :ivar is_elsewhere: whether who sees the standard output of the process does not see it.
    """

    def __init__(
        self,
        settings: LogSettings,
        destination: Destination,
        *,
        environment: Mapping[str, str] = os.environ,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.is_elsewhere = not isinstance(destination, ToStandardOutput)
        self._levels = Levels(settings.levels)
        self._now = now
        self._file: RotatedFile | None = None
        line_of: Format = as_json if settings.format == "json" else plain
        outlet: Outlet
        if isinstance(destination, ToSyslog):
            outlet = Syslog(destination.prefix)
            line_of = with_priority(line_of)
        elif isinstance(destination, ToStandardOutput):
            outlet = Descriptor(destination.descriptor)
            if is_journal(destination.descriptor, environment):
                line_of = with_priority(line_of)
            elif line_of is plain:
                line_of = dated
        else:
            line_of = dated if line_of is plain else line_of
            outlet = self._file = RotatedFile(destination, _rotation(settings), tell=self._tell, now=now)
        self._line_of = line_of
        self._writer = Writer(outlet, last_resort=_to_standard_error, line_of=self._warning)

    def __call__(self, event: LogEvent) -> None:
        level = event.get("log_level", LogLevel.info)
        if self._levels.let_through(event.get("log_namespace", "-"), level):
            line = self._line_of(event)
            if line:
                self._writer.put(line)

    # --- course ---

    def begin(self) -> None:
        """Write, whatever is logged from now on and was before, and return when it is written.

        :raises OSError: the log cannot be written.
        """
        self._writer.begin()

    def start(self) -> None:
        """Write from a thread of its own from now on: it does not survive a fork."""
        self._writer.start()

    def stop(self) -> None:
        """Have all of it written. What is logged from now on is written at once again."""
        self._writer.stop()

    # --- for administrators ---

    @property
    def fault(self) -> str | None:
        """Why the log cannot be written at the moment."""
        return self._writer.fault

    def levels(self) -> dict[str, str]:
        """Logger to level, of those that have one; it holds for the loggers below."""
        return self._levels.all()

    def set_level(self, name: str, level: str) -> None:
        """Until :meth:`reconfigure` or a restart.

        :raises UnknownLevel: a ValueError, whose text says what is allowed.
        """
        self._levels.set(name, level)

    def reconfigure(self, settings: LogSettings) -> None:
        """Levels and rotation as the settings have them; `file` and `format` wait for a restart."""
        self._levels.replace(settings.levels)
        if self._file is not None:
            self._file.rotation = _rotation(settings)

    def reopen(self) -> None:
        """Leave a file that was moved away, and begin anew at its path. Nothing else has to be."""
        self._writer.reopen()

    # --- warnings about the log itself ---

    def _tell(self, text: str) -> None:
        self._writer.put(self._warning(text))

    def _warning(self, text: str) -> str:
        return self._line_of(
            {
                "log_format": "{line}",
                "line": text,
                "log_level": LogLevel.warn,
                "log_namespace": "sdcc.logs",
                "log_time": self._now(),
            }
        )


def _rotation(settings: LogSettings) -> Rotation:
    return Rotation(size=settings.rotate_size, every=settings.rotate_every, keep=settings.keep)


def _to_standard_error(lines: bytes) -> None:
    os.write(2, lines)
