"""How far a long command has come, on standard error: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TextIO

from tqdm import tqdm

#: Seconds from one line to the next.
INTERVAL = 10.0

_BAR = "{percentage:3.0f}% {bar} "

tqdm.monitor_interval = 0  # no thread beside ours: each step is shown, or the next is


@dataclass(frozen=True, slots=True)
class Unit:
    """What is counted."""

    #: As tqdm writes it after a number, and whether that is shortened to thousands, millions.
    suffix: str
    is_scaled: bool
    line: str


FILES = Unit(" files", False, "{n_fmt} of {total_fmt} files, {rate_noinv_fmt}, {remaining} left")
BYTES = Unit("B", True, "{n_fmt}B of {total_fmt}B, {rate_noinv_fmt}, {remaining} left")


class Progress:
    """
    :param seconds: a clock.
    """

    def __init__(
        self,
        total: int,
        *,
        seconds: Callable[[], float],
        stream: TextIO | None = None,
        unit: Unit = FILES,
    ) -> None:
        self._stream = stream or sys.stderr
        self._seconds = seconds
        self._began = self._said = seconds()
        self._total = total
        self._done = 0
        self._unit = unit
        self._bar: tqdm[NoReturn] | None = None
        if _is_terminal(self._stream):
            self._bar = tqdm(
                total=total,
                file=self._stream,
                bar_format=_BAR + unit.line,
                unit=unit.suffix,
                unit_scale=unit.is_scaled,
                miniters=1,
                dynamic_ncols=True,
            )

    def advance(self, count: int = 1) -> None:
        """So much more is done. It may be more than was counted, where more has come meanwhile."""
        self._done += count
        self._total = max(self._total, self._done)
        if self._bar is not None:
            self._bar.total = self._total
            self._bar.update(count)
        elif self._seconds() - self._said >= INTERVAL:
            self._said = self._seconds()
            self.say(
                tqdm.format_meter(
                    self._done,
                    self._total,
                    self._said - self._began,
                    bar_format=self._unit.line,
                    unit=self._unit.suffix,
                    unit_scale=self._unit.is_scaled,
                )
            )

    def say(self, line: str) -> None:
        """A line that stays, above the bar."""
        self.print(line, self._stream)

    def print(self, line: str, stream: TextIO) -> None:
        """A line to a stream that may be on the same terminal as the bar."""
        if self._bar is not None:
            self._bar.clear()
        print(line, file=stream, flush=True)
        if self._bar is not None:
            self._bar.refresh()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def _is_terminal(stream: TextIO) -> bool:
    """Whether it is one that a bar fits on; some have no width."""
    return stream.isatty() and os.get_terminal_size(stream.fileno()).columns > 0
