"""Waiting that can end before its time."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime


class Pauses:
    """Pauses of coroutines, all of which :meth:`end` ends at once."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._resting: set[Deferred[None]] = set()

    async def rest(self, seconds: float) -> None:
        resting: Deferred[None] = Deferred()
        call = self._clock.callLater(seconds, resting.callback, None)
        self._resting.add(resting)
        try:
            await resting
        finally:
            self._resting.discard(resting)
            if call.active():
                call.cancel()

    def end(self) -> None:
        for resting in tuple(self._resting):
            resting.callback(None)
