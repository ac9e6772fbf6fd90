"""Signals are heard in a turn of the reactor, and by whoever heard them before when that is over."""

from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import Any

from sdcc.signals import Signals


class System:
    """What hears each signal."""

    def __init__(self) -> None:
        self.hearing: dict[int, Any] = {signal.SIGTERM: "the reactor", signal.SIGHUP: signal.SIG_DFL}

    def set(self, number: int, heard: Any) -> Any:
        before = self.hearing.get(number)
        self.hearing[number] = heard
        return before


def test_what_a_signal_asks_for_is_done_in_a_turn_of_the_reactor() -> None:
    system, turns, heard = System(), [], []
    reactor = SimpleNamespace(callFromThread=turns.append)
    Signals(system.set, reactor).hear(signal.SIGHUP, lambda: heard.append("SIGHUP"))
    system.hearing[signal.SIGHUP](signal.SIGHUP, None)
    assert heard == []
    [turn] = turns
    turn()
    assert heard == ["SIGHUP"]


def test_who_heard_it_before_hears_it_again() -> None:
    """Also one that was set twice meanwhile, and one of whom Python knows nothing."""
    system = System()
    before = dict(system.hearing)
    signals = Signals(system.set, SimpleNamespace())
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
        signals.hear(number, list)
    signals.restore()
    assert system.hearing == before | {signal.SIGINT: signal.SIG_DFL}
    system.hearing[signal.SIGTERM] = "another"
    signals.restore()
    assert system.hearing[signal.SIGTERM] == "another"
