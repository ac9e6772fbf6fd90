"""The system calls of a process, as `strace -f -xx -yy` writes them to a file.

strace lets a call of one thread begin only after it has written down what led to it, so the lines' order
is one in which causes come before effects.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: What follows for a trace to be read here: threads too, names for descriptors, every byte in hexadecimal.
OPTIONS = ("-f", "-yy", "-xx")

_LINE = re.compile(r"(?P<thread>\d+) +(?P<rest>.*)", re.ASCII)
_UNFINISHED = " <unfinished ...>"
_RESUMED = re.compile(r"<\.\.\. (?P<name>\w+) resumed>(?P<rest>.*)")
_CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+|\?)(?P<more>.*)")
_DESCRIPTOR = re.compile(r"\b\d+<(?P<file>(?:->|[^>])*)>")
_STRING = re.compile(r'"(?P<bytes>(?:\\x[0-9a-f]{2})*)"')


class NoTrace(ValueError):
    """A line that strace does not write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A system call that has returned."""

    name: str
    #: What its first descriptor is open for: a path, or `TCP:[here->there]`; empty: it has none.
    file: str = ""
    #: Its strings, in order; of long ones the beginning.
    strings: tuple[bytes, ...] = ()
    #: The arguments as strace wrote them.
    arguments: str = ""
    result: int = 0
    #: Places in the trace: 1 in `begun` comes before 2 in `ended`.
    begun: int
    ended: int

    @property
    def paths(self):
        return tuple(string.decode() for string in self.strings)

    @property
    def data(self):
        return b"".join(self.strings)

    @property
    def has_succeeded(self):
        return self.result >= 0


def read(lines):
    """The calls in the order in which they returned; one that never did is not among them.

    :raises NoTrace: see there.
    """
    calls, unfinished = [], {}
    for place, line in enumerate(lines):
        thread, rest = _matched(_LINE, line)
        if rest.startswith(("---", "+++")):  # a signal, or the thread's end
            continue
        if rest.endswith(_UNFINISHED):
            unfinished[thread] = (place, rest.removesuffix(_UNFINISHED))
            continue
        begun = place
        if rest.startswith("<..."):
            _, tail = _matched(_RESUMED, rest)
            begun, head = unfinished.pop(thread)
            rest = head + tail
        call = _call(rest, begun, place)
        if call is not None:
            calls.append(call)
    return calls


def _matched(pattern, text):
    match = pattern.fullmatch(text.rstrip("\n"))
    if match is None:
        raise NoTrace(text)
    return match.groups()


def _call(text, begun, ended):
    name, arguments, result, _ = _matched(_CALL, text)
    if result == "?":  # the process has died in it
        return None
    descriptor = _DESCRIPTOR.search(arguments)
    return Call(
        name=name,
        file=_file(descriptor["file"]) if descriptor else "",
        strings=tuple(_bytes(string["bytes"]) for string in _STRING.finditer(arguments)),
        arguments=arguments,
        result=int(result),
        begun=begun,
        ended=ended,
    )


def _file(text):
    return _bytes(text).decode() if text.startswith("\\x") else text


def _bytes(text):
    return bytes.fromhex(text.replace("\\x", ""))
