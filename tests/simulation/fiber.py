"""A job that can be left in its middle, and gone on with later.

It has a thread, for want of another way to keep a call in Python half done; but there is one baton, and
whoever does not hold it waits. So nothing ever runs beside anything else, and the seed decides everything.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class Fiber:
    """A call, to be run by :meth:`go_on` as often as it takes."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._mine = threading.Semaphore(0)
        self._others = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._end: BaseException | None = None
        self.is_over = False
        self.result: Any = None

    def go_on(self) -> None:
        """Return when the call has ended, or has left off once more.

        :raises BaseException: it has ended with what is no Exception.
        """
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._mine.release()
        self._others.acquire()
        if self.is_over:
            self._thread.join()
        if self._end is not None:
            raise self._end

    def leave_off(self) -> None:
        """From within the call: wait for the next :meth:`go_on`."""
        self._others.release()
        self._mine.acquire()

    def _run(self) -> None:
        try:
            self.result = self._call()
        except BaseException as end:  # the end of a process goes to where the world is
            self._end = end
        self.is_over = True
        self._others.release()
