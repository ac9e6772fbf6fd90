"""How late the reactor is: what blocks it makes every peer wait."""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from sdcc.metrics.histogram import Histogram

#: Seconds between two looks.
INTERVAL = 0.5


class Lag:
    """Sets a timer again and again, and measures how late it comes."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._timer: IDelayedCall | None = None
        self._due = 0.0
        #: Seconds that each timer was late.
        self.seconds = Histogram()

    def start(self) -> None:
        self._due = self._clock.seconds() + INTERVAL
        self._timer = self._clock.callLater(INTERVAL, self._look)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        # The clock may have been set back.
        self.seconds.observe(max(0.0, self._clock.seconds() - self._due))
        self.start()
