"""The idle timer: whether a peer gets on with what it began."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: Fewer bytes than this, inside a message and within the timeout, are no progress.
LEAST_PROGRESS = 1024


class ProgressWatch:
    """Calls `expired` when the peer makes no progress for `timeout` seconds.

    :param is_our_turn: whether the peer waits for us just now, which is never held against it.
    """

    def __init__(
        self,
        clock: IReactorTime,
        timeout: float,
        *,
        is_our_turn: Callable[[], bool],
        expired: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._timeout = timeout
        self._is_our_turn = is_our_turn
        self._expired = expired
        self._since = clock.seconds()
        self._bytes = 0
        self._call: IDelayedCall | None = clock.callLater(timeout, self._check)

    def received(self, count: int, *, inside_message: bool) -> None:
        self._bytes += count
        if not inside_message or self._bytes >= LEAST_PROGRESS:
            self.progressed()

    def progressed(self) -> None:
        self._since = self._clock.seconds()
        self._bytes = 0

    def stop(self) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    def _check(self) -> None:
        if self._is_our_turn():
            self.progressed()
        left = self._since + self._timeout - self._clock.seconds()
        if left > 0:
            self._call = self._clock.callLater(left, self._check)
        else:
            self._call = None
            self._expired()
