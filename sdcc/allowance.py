"""How much may be written about strangers, who pay nothing for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.interfaces import IDelayedCall, IReactorTime

ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class Withheld:
    """What was not written within one period."""

    total: int
    #: Where most of them came from, and how many did.
    address: str
    count: int


class Allowance:
    """Permits a bounded number about each address in each period; how many more there were is told.

    :param tell: called at the end of a period in which some were withheld.
    :param each: so many about each address are permitted within `period` seconds.
    :param addresses: that are told apart within it. All others share what one has.
    """

    def __init__(
        self,
        clock: IReactorTime,
        tell: Callable[[Withheld], None],
        *,
        each: int,
        period: float,
        addresses: int = 1000,
    ) -> None:
        self._clock = clock
        self._tell_of = tell
        self._each = each
        self._period = period
        self._addresses = addresses
        self._end = clock.seconds()
        self._counts: Counter[str] = Counter()
        self._withheld: Counter[str] = Counter()
        self._telling: IDelayedCall | None = None

    def permits(self, address: str) -> bool:
        """Whether one more may be written about a peer at an address; if not, it is counted."""
        now = self._clock.seconds()
        if now >= self._end:
            self._end = now + self._period
            self._counts.clear()
        if address not in self._counts and len(self._counts) >= self._addresses:
            address = ELSEWHERE
        self._counts[address] += 1
        if self._counts[address] <= self._each:
            return True
        if self._telling is None:
            self._telling = self._clock.callLater(self._end - now, self._tell)
        self._withheld[address] += 1
        return False

    def close(self) -> None:
        """Tell now what is still to be told."""
        if self._telling is not None:
            self._telling.cancel()
            self._tell()

    def _tell(self) -> None:
        self._telling = None
        [(address, count)] = self._withheld.most_common(1)
        withheld = Withheld(self._withheld.total(), address, count)
        self._withheld.clear()
        self._tell_of(withheld)
