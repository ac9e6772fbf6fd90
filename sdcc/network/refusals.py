"""The log's lines about peers that were not let in.

The lines of an association are in proportion to what its peer was allowed to do. A refusal costs a peer
nothing: at full speed a single stranger could fill the disk with them, and nobody else is to lose a line
for that.
"""

from __future__ import annotations

from collections import Counter

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

#: Not of a class, whose name would take the place of this one.
log = Logger(namespace="sdcc.association")

#: So many lines about each address are written within so many seconds.
LINES, PERIOD = 200, 10.0
#: Addresses that are told apart within them. All others share what one has.
ADDRESSES = 1000
ELSEWHERE = "elsewhere"


class RefusalLog:
    """Writes a bounded number of lines about each address; how many more there were is told in one."""

    def __init__(
        self, clock: IReactorTime, *, lines: int = LINES, period: float = PERIOD, addresses: int = ADDRESSES
    ) -> None:
        self._clock = clock
        self._lines = lines
        self._period = period
        self._addresses = addresses
        self._end = clock.seconds()
        self._counts: Counter[str] = Counter()
        self._withheld: Counter[str] = Counter()
        self._telling: IDelayedCall | None = None

    def warn(self, address: str, text: str, /, **fields: object) -> None:
        """A line about a peer at an address, as :class:`twisted.logger.Logger` takes it."""
        now = self._clock.seconds()
        if now >= self._end:
            self._end = now + self._period
            self._counts.clear()
        if address not in self._counts and len(self._counts) >= self._addresses:
            address = ELSEWHERE
        self._counts[address] += 1
        if self._counts[address] <= self._lines:
            log.warn(text, **fields)
            return
        if self._telling is None:
            self._telling = self._clock.callLater(self._end - now, self._tell)
        self._withheld[address] += 1

    def close(self) -> None:
        """Tell now what is still to be told."""
        if self._telling is not None:
            self._telling.cancel()
            self._tell()

    def _tell(self) -> None:
        self._telling = None
        [(address, count)] = self._withheld.most_common(1)
        log.warn(
            "{total} more peers were not let in within {period:g} s, {count} of them from {address}",
            total=self._withheld.total(),
            period=self._period,
            count=count,
            address=address,
        )
        self._withheld.clear()
