"""Values sorted into buckets."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

#: Upper bounds of what is measured in seconds.
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Histogram:
    """How many values there were up to each bound, and beyond the last; and their sum."""

    __slots__ = ("_bounds", "_counts", "sum")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self._bounds = bounds
        #: Of each bucket by itself; the last is beyond every bound.
        self._counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        self._counts[bisect_left(self._bounds, value)] += times
        self.sum += value * times

    @property
    def is_empty(self) -> bool:
        return not any(self._counts)

    def buckets(self) -> Iterator[tuple[float, int]]:
        """Each bound, and how many values were not above it; the last is infinity."""
        return zip((*self._bounds, float("inf")), accumulate(self._counts), strict=True)
