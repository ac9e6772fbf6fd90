"""An event as a line: for people, for programs, and with its priority for the journal and syslog.

Nothing here raises, whatever the event holds: a line that tells of a fault must not be the next one.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TypeAlias

from twisted.logger import LogEvent, LogLevel, formatEvent

from sdcc.printable import ascii_json, printable

#: Gives the line with its line feed; nothing for an event without a text.
Format: TypeAlias = Callable[[LogEvent], str]

#: RFC 5424 6.2.1, by the name of a level.
PRIORITIES = {"debug": 7, "info": 6, "warn": 4, "error": 3, "critical": 2}

#: Characters of a text, that is some hundred lines of a traceback.
LONGEST = 16_384

#: Of an event of the older `twisted.python.log`: what stands in its text, or is of no use to others.
_OLDER = frozenset({"format", "isError", "message", "system", "time", "why"})


def plain(event: LogEvent) -> str:
    """Logger, level and text, as `twistd` writes them. Further lines, as of a traceback, begin with a tab."""
    text = _text(event)
    traceback = _traceback(event)
    if traceback:
        text = f"{text}\n{traceback}"
    if not text:
        return ""
    if not text.isprintable():
        text = "\n\t".join(printable(line) for line in text.rstrip("\n").split("\n"))
    system = event.get("log_system")
    if system is None:
        return f"[{_logger(event)}#{_level(event)}] {text}\n"
    return f"[{printable(str(system))}] {text}\n"


def dated(event: LogEvent) -> str:
    """:func:`plain` after the local time."""
    line = plain(event)
    return line and f"{_local_time(int(_time(event)))} {line}"


def as_json(event: LogEvent) -> str:
    """A JSON object: `time`, `level`, `logger` and `message`; `traceback` and `fields` where there are any.

    The fields are those of the event that are JSON as they are, but for one that is the whole message.
    """
    message = _text(event)
    traceback = _traceback(event)
    if not (message or traceback):
        return ""
    seconds, milliseconds = divmod(int(_time(event) * 1000), 1000)
    line: dict[str, object] = {
        "time": f"{_universal_time(seconds)}.{milliseconds:03}Z",
        "level": _level(event),
        "logger": _logger(event),
        "message": message,
    }
    if traceback:
        line["traceback"] = traceback
    fields = {
        name: value
        for name, value in event.items()
        if not name.startswith("log_") and name not in _OLDER and _is_plain(value) and value != message
    }
    if fields:
        line["fields"] = fields
    return f"{ascii_json(line)}\n"


def with_priority(line_of: Format) -> Format:
    """Before each line its priority, `<6>`, which the journal takes off (sd-daemon(3))."""

    def prioritised(event: LogEvent) -> str:
        prefix = f"<{PRIORITIES[_level(event)]}>"
        return "".join(f"{prefix}{line}\n" for line in line_of(event).splitlines())

    return prioritised


def _text(event: LogEvent) -> str:
    line = event.get("line")
    text = line if isinstance(line, str) and event.get("log_format") == "{line}" else formatEvent(event)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} … cut"


def _traceback(event: LogEvent) -> str:
    failure = event.get("log_failure")
    if failure is None:
        return ""
    try:
        text = str(failure.getTraceback())
    except Exception as error:  # of a strange exception's own methods
        text = f"(no traceback: {type(error).__name__})"
    return text if len(text) <= LONGEST else f"cut … {text[-LONGEST:]}"


def _time(event: LogEvent) -> float:
    time = event.get("log_time")
    return time if isinstance(time, float) else 0.0


def _level(event: LogEvent) -> str:
    level = event.get("log_level")
    name: str = LogLevel.info.name if level is None else level.name
    return name


def _logger(event: LogEvent) -> str:
    return event.get("log_namespace") or "-"


def _is_plain(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, Mapping):
        return type(value) is dict and all(type(key) is str and _is_plain(value[key]) for key in value)
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, str):
        return len(value) <= LONGEST
    return value is None or isinstance(value, int)


@lru_cache(4)
def _local_time(second: int) -> str:
    return datetime.datetime.fromtimestamp(second).astimezone().strftime("%Y-%m-%dT%H:%M:%S%z")


@lru_cache(4)
def _universal_time(second: int) -> str:
    return datetime.datetime.fromtimestamp(second, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S")
