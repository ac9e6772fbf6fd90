"""Simulated time: what happens next, in an order that the seed decides, and a trace of all that happened.

One event at a time; two that are due at the same instant come in an order drawn from the seed. Nothing here
reads a clock, and no order depends on where an object lies in memory.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

#: Lines of the trace that a failure shows.
TAIL = 80


class Event:
    """A call that is to come, which may be cancelled until it does."""

    __slots__ = ("arguments", "call", "time")

    def __init__(self, time: float, call: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.time = time
        self.call: Callable[..., Any] | None = call
        self.arguments = arguments

    @property
    def is_pending(self) -> bool:
        return self.call is not None

    def cancel(self) -> None:
        self.call = None
        self.arguments = ()


class Trace:
    """What happened, in order: a hash of all of it, and its last lines.

    :param tell: is given each line as it comes.
    """

    def __init__(self, tell: Callable[[str], None] | None = None) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self._tell = tell
        self.tail: deque[str] = deque(maxlen=TAIL)
        self.length = 0

    def note(self, line: str) -> None:
        self.length += 1
        self._hash.update(line.encode())
        self.tail.append(line)
        if self._tell is not None:
            self._tell(line)

    @property
    def hash(self) -> str:
        return self._hash.hexdigest()


class Schedule:
    """The clock, and the events that are to come."""

    def __init__(self, random: Random, trace: Trace) -> None:
        self.random = random
        self.trace = trace
        self.now = 0.0
        #: Seconds for which nothing could happen, in all.
        self.stalled = 0.0
        self._events: list[tuple[float, float, int, Event]] = []
        self._number = 0

    def note(self, *words: object) -> None:
        self.trace.note(f"{self.now:.6f} {' '.join(map(str, words))}")

    def later(self, delay: float, call: Callable[..., Any], *arguments: Any) -> Event:
        event = Event(self.now + delay, call, arguments)
        self._add(event)
        return event

    def step(self) -> bool:
        """Let the next event happen; False: there is none."""
        while self._events:
            event = heapq.heappop(self._events)[-1]
            if (call := event.call) is not None:
                arguments = event.arguments
                event.cancel()
                self.now = max(self.now, event.time)
                call(*arguments)
                return True
        return False

    def stall(self, seconds: float) -> None:
        """Let time pass in which nothing happens: what was due meanwhile is due at its end, in any order."""
        self.note("nothing happens for", seconds, "s")
        end = self.now + seconds
        self.stalled += seconds
        events, self._events = self._events, []
        for _, _, _, event in sorted(events):
            if event.is_pending:
                event.time = max(event.time, end)
                self._add(event)

    def _add(self, event: Event) -> None:
        self._number += 1
        heapq.heappush(self._events, (event.time, self.random.random(), self._number, event))
