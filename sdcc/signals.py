"""What the process is told by signals: heard in a turn of the reactor, never in the midst of something."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeAlias

from twisted.internet.interfaces import IReactorFromThreads

#: As :func:`signal.signal`: sets what hears a signal, and gives what did so before.
SetSignal: TypeAlias = Callable[[int, Any], Any]


class Signals:
    """Hears signals from :meth:`hear` to :meth:`restore`; called in the main thread."""

    def __init__(self, set_signal: SetSignal, reactor: IReactorFromThreads) -> None:
        self._set_signal = set_signal
        self._reactor = reactor
        #: What heard each before.
        self._before: dict[int, Any] = {}

    def hear(self, number: int, heard: Callable[[], object]) -> None:
        def received(number: int, frame: FrameType | None) -> None:
            self._reactor.callFromThread(heard)

        before = self._set_signal(number, received)
        # None: it was not set by Python, which cannot set it so again.
        self._before.setdefault(number, signal.SIG_DFL if before is None else before)

    def restore(self) -> None:
        """Have whoever heard them before hear them again."""
        while self._before:
            self._set_signal(*self._before.popitem())
