"""The free space of the storage directory, and the floor under which no object is taken.

It is asked for in a worker thread every two seconds, so what is known of it is never much older;
between two answers, what objects take is subtracted. Where no answer comes the disk hangs, and objects
would gather in memory: none is taken then either. Nothing here knows what an object is.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from sdcc.archive.filesystem import IFileSystem
from sdcc.interfaces import RunInThread

#: Seconds between two looks.
INTERVAL = 2.0
#: Seconds without an answer after which the disk is one that hangs, and not only busy.
PATIENCE = 30.0

UNDER_THE_FLOOR = "free space is under minimum_free"


class FreeSpace:
    """Free space against `minimum_free` bytes; 0: no floor, and the disk must only answer."""

    _log = Logger()

    def __init__(
        self,
        directory: str,
        *,
        filesystem: IFileSystem,
        run_in_thread: RunInThread,
        clock: IReactorTime,
        minimum_free: int,
    ) -> None:
        self._directory = directory
        self._fs = filesystem
        self._run_in_thread = run_in_thread
        self._clock = clock
        self._minimum = minimum_free
        #: None: nobody has looked yet.
        self._free: int | None = None
        #: Why no object is taken at present.
        self.shortage: str | None = None
        self._watch = LoopingCall(lambda: ensureDeferred(self._look()))
        self._watch.clock = clock
        self._ended: Deferred[LoopingCall] | None = None

    @property
    def free(self) -> int | None:
        """Bytes; None: not known yet."""
        return self._free

    def check(self) -> None:
        """Look at once, where there is a floor. Blocks; raises OSError."""
        if self._minimum:
            self._learn(self._fs.free_space(self._directory))

    def start(self) -> None:
        """Watch from now on."""
        if not self._watch.running:
            self._ended = self._watch.start(INTERVAL, now=False)

    def reconfigure(self, *, minimum_free: int) -> None:
        """Keep so many bytes free from now on, as far as the free space is known."""
        self._minimum = minimum_free
        if self._free is not None and self.shortage in (None, UNDER_THE_FLOOR):
            self._learn(self._free)  # of a disk that does not answer there is nothing new

    async def stop(self) -> None:
        """Return when no look is under way any more."""
        ended, self._ended = self._ended, None
        if ended is not None:
            self._watch.stop()
            await ended

    def take(self, size: int) -> bool:
        """Whether so many bytes can be written with the floor still free; if so, they count as written."""
        if not self._minimum or self._free is None:
            return True
        if self._free - size < self._minimum:
            return False
        self._free -= size
        return True

    async def _look(self) -> None:
        hanging = self._clock.callLater(PATIENCE, self._judge, f"disk did not answer within {PATIENCE:g} s")
        try:
            self._learn(await self._run_in_thread(self._fs.free_space, self._directory))
        except OSError as error:
            # Where nothing is to be kept free, nothing need be known of it: the disk has answered.
            self._judge(f"free space is not known: {error.strerror}" if self._minimum else None)
        except Exception:  # nobody waits for this look, and the next one must come
            self._log.failure("Asking for the free space failed")
        finally:
            if hanging.active():
                hanging.cancel()

    def _learn(self, free: int) -> None:
        self._free = free
        self._judge(UNDER_THE_FLOOR if free < self._minimum else None)

    def _judge(self, shortage: str | None) -> None:
        if shortage and not self.shortage:
            self._log.warn(
                "No object is taken: {shortage} ({free} bytes free, {minimum} wanted)",
                shortage=shortage,
                free=self._free or 0,
                minimum=self._minimum,
            )
        elif self.shortage and not shortage:
            self._log.info("Objects are taken again: {free} bytes are free", free=self._free)
        self.shortage = shortage
