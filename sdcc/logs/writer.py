"""The thread that writes the log, and what becomes of lines when it cannot.

Before :meth:`Writer.begin` lines wait. From then until :meth:`Writer.start`, and after
:meth:`Writer.stop`, each is written at once: nothing else runs then, and nothing is to be missed.

Lines come from every thread, and from within signal handlers, which stand still the thread that they
interrupt: so no lock is taken on their way, and `SimpleQueue.put` is made to be entered again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Protocol

from sdcc.logs.outlets import Outlet

#: Lines that wait at most; with more, as when the disk hangs, the newest are counted instead.
LIMIT = 10_000
#: Lines that are written at once, at most.
BATCH = 1_000
#: Seconds from one write to the next while lines keep coming. The first one after silence is written at once.
PAUSE = 0.02
#: Seconds until what could not be written is tried again.
RETRY = 0.5
#: Seconds that a stop waits for a disk that hangs.
PATIENCE = 5.0
#: Why lines are lost of which none failed.
TOO_SLOW = "it takes them too slowly"


class Thread(Protocol):
    """What is used of :class:`threading.Thread`."""

    def join(self, timeout: float | None = None) -> None: ...

    def is_alive(self) -> bool: ...


def spawn(work: Callable[[], None]) -> Thread:
    """Run it in a thread that keeps no process alive."""
    thread = threading.Thread(target=work, name="log", daemon=True)
    thread.start()
    return thread


class Writer:
    """
    :param last_resort: takes what cannot be written at the end.
    :param line_of: makes a line of a warning of the writer's own.
    :ivar fault: why lines cannot be written at the moment; None: they can.
    """

    def __init__(
        self,
        outlet: Outlet,
        *,
        last_resort: Callable[[bytes], object],
        line_of: Callable[[str], str],
        spawn: Callable[[Callable[[], None]], Thread] = spawn,
        limit: int = LIMIT,
    ) -> None:
        self.fault: str | None = None
        self._outlet = outlet
        self._last_resort = last_resort
        self._line_of = line_of
        self._spawn = spawn
        self._limit = limit
        self._waiting: SimpleQueue[str] = SimpleQueue()
        #: Taken from the queue, and not written yet.
        self._taken = b""
        self._lost = 0
        self._told_lost = 0
        #: What is to be told as soon as it can be.
        self._past_fault: str | None = None
        self._writing = threading.Lock()
        self._is_begun = False
        self._thread: Thread | None = None
        self._ending = threading.Event()

    def put(self, line: str) -> None:
        """From any thread, at any time. Blocks only while there is no thread that writes."""
        if self._waiting.qsize() >= self._limit:
            self._lost += 1
            return
        self._waiting.put(line)
        if self._thread is None and self._is_begun:
            self._write_all()
            if self._ending.is_set():
                self._give_up()

    def reopen(self) -> None:
        """What was renamed or removed is left alone from now on."""
        self._outlet.reopen()
        self.put("")  # wakes the thread

    # --- course ---

    def begin(self) -> None:
        """Write what waits.

        :raises OSError: nothing can be written there.
        """
        self._outlet.open()
        self._is_begun = True
        self._write_all()

    def start(self) -> None:
        self._ending.clear()
        self._thread = self._spawn(self._work)

    def stop(self) -> None:
        """Write what waits, even if nothing was begun. What cannot be written goes to the last resort."""
        patience = 0 if self._ending.is_set() else PATIENCE
        self._ending.set()
        if self._thread is not None:
            self._waiting.put("")
            self._thread.join(patience)
            if self._thread.is_alive():
                return  # it hangs, and so would this one
            self._thread = None
        try:
            self._write_all() if self._is_begun else self.begin()
        except OSError as error:
            self._fail(error)
        self._is_begun = True
        self._give_up()

    def _give_up(self) -> None:
        while self.fault is not None and self._has_more:
            self._take()
            self._last_resort(self._taken)
            self._taken = b""

    # --- writing ---

    def _work(self) -> None:
        while not self._ending.is_set():
            first = "" if self._taken else self._waiting.get()
            with self._writing:
                self._write(first)
            self._ending.wait(PAUSE if self.fault is None else RETRY)

    def _write_all(self) -> None:
        """Without a thread. What comes while another call writes, that one writes too."""
        while self._has_more and self._writing.acquire(blocking=False):
            try:
                self._write()
            finally:
                self._writing.release()
            if self.fault is not None:
                return

    @property
    def _has_more(self) -> bool:
        return bool(self._taken) or not self._waiting.empty()

    def _write(self, first: str = "") -> None:
        """All that there is, as far as the outlet takes it.

        :param first: is out of the queue already; empty: only to look what became of the file.
        """
        try:
            if first or not self._taken:  # more would pile up while nothing can be written
                self._take(first)
            while True:
                self._taken = self._taken[self._outlet.write(self._taken) :]
                self._works()
                if not self._has_more:
                    return
                if not self._taken:
                    self._take()
        except OSError as error:
            self._fail(error)

    def _take(self, first: str = "") -> None:
        lines = [first]
        with suppress(Empty):
            while len(lines) < BATCH:
                lines.append(self._waiting.get_nowait())
        self._taken += "".join(lines).encode("utf-8", "backslashreplace")

    def _fail(self, error: OSError) -> None:
        self.fault = self._past_fault = error.strerror or str(error)

    def _works(self) -> None:
        """Tell of what was lost, where it was: after all that found room."""
        self.fault = None
        if self._has_more or (self._lost == self._told_lost and self._past_fault is None):
            return
        lost, self._told_lost = self._lost - self._told_lost, self._lost
        reason, self._past_fault = self._past_fault or TOO_SLOW, None
        self._waiting.put(self._line_of(f"The log could not be written, lines lost: {lost} ({reason})"))
