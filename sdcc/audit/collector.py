"""The audit trail on its way to a syslog collector: sent as it comes, and again when the collector is back.

How lines are sent is the part of a :class:`Line`. None of them confirms anything: what a collector did not
read, or what was on its way when it went, is lost, and nobody here can know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from sdcc.audit.backlog import Backlog

#: Seconds until it is tried again; twice as many each time, up to the most.
FIRST_RETRY, LAST_RETRY = 1.0, 60.0
#: Seconds that it may take to find and to reach a collector.
OPEN_TIMEOUT = 30.0


class TooLong(Exception):
    """A line that cannot be sent."""


class Line(Protocol):
    """How lines reach a collector."""

    async def open(self, resumed: Callable[[], None], lost: Callable[[str], None]) -> None:
        """Be ready to send.

        :param resumed: called when it takes more again.
        :param lost: called, once, when it takes nothing any more.
        :raises OSError: it cannot be.
        """

    @property
    def takes_more(self) -> bool: ...

    def send(self, line: bytes) -> None:
        """:raises OSError: it takes nothing any more.
        :raises TooLong: it takes others.
        """

    async def close(self) -> None:
        """When all is sent, but soon. Never raises."""


class Collector:
    _log = Logger()

    def __init__(self, line: Line, where: str, clock: IReactorTime) -> None:
        self._line = line
        self._clock = clock
        self._backlog = Backlog(where)
        self._is_open = False
        self._opening: Deferred[None] | None = None
        self._retry: IDelayedCall | None = None
        self._seconds = FIRST_RETRY
        self._has_stopped = False

    def start(self) -> None:
        self._open()

    def write(self, line: bytes) -> None:
        self._backlog.add(line)
        self._flush()

    async def stop(self) -> None:
        self._has_stopped = True
        if self._retry is not None:
            self._retry.cancel()
        if self._opening is not None:
            self._opening.cancel()
        if self._is_open:
            self._flush(whatever_it_takes=True)
            self._is_open = False
            await self._line.close()
        self._backlog.close()

    def _open(self) -> None:
        self._retry = None
        opening = Deferred.fromCoroutine(self._line.open(self._flush, self._lost))
        self._opening = opening.addTimeout(OPEN_TIMEOUT, self._clock)
        self._opening.addCallbacks(self._opened, lambda failure: self._failed(failure.value))

    def _opened(self, _: None) -> None:
        self._opening = None
        self._is_open = True
        self._flush()

    def _failed(self, error: BaseException) -> None:
        self._opening = None
        if self._has_stopped:
            return
        if isinstance(error, OSError):
            self._again(error.strerror or str(error))
        elif isinstance(error, DeferredTimeout):
            self._again("no answer in time")
        else:
            self._again(f"a fault of the program: {error!r}")

    def _lost(self, reason: str) -> None:
        if self._is_open:
            self._is_open = False
            self._again(reason)

    def _again(self, reason: str) -> None:
        self._backlog.broken(reason)
        self._retry = self._clock.callLater(self._seconds, self._open)
        self._seconds = min(self._seconds * 2, LAST_RETRY)

    def _flush(self, *, whatever_it_takes: bool = False) -> None:
        while self._backlog and self._may_send(whatever_it_takes):
            self._send(self._backlog.take(), whatever_it_takes)
        if self._is_open and not self._backlog:  # not before: what opens need not take anything
            self._seconds = FIRST_RETRY
            self._backlog.mended()

    def _may_send(self, whatever_it_takes: bool) -> bool:
        return self._is_open and (whatever_it_takes or self._line.takes_more)

    def _send(self, lines: list[bytes], whatever_it_takes: bool) -> None:
        for number, line in enumerate(lines):
            if not self._may_send(whatever_it_takes):
                self._backlog.put_back(lines[number:])
                return
            try:
                self._line.send(line)
            except TooLong:
                self._backlog.lose()
                self._log.warn("A message of the audit trail is too long: {size} bytes", size=len(line))
            except OSError as error:
                self._backlog.put_back(lines[number:])
                self._lost(error.strerror or str(error))
                return
