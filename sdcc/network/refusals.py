"""The log's lines about peers that were not let in.

The lines of an association are in proportion to what its peer was allowed to do. A refusal costs a peer
nothing: at full speed a single stranger could fill the disk with them, and nobody else is to lose a line
for that.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from sdcc.allowance import ELSEWHERE, Allowance, Withheld

__all__ = ["ADDRESSES", "ELSEWHERE", "LINES", "PERIOD", "RefusalLog"]

#: Not of a class, whose name would take the place of this one.
log = Logger(namespace="sdcc.association")

#: So many lines about each address are written within so many seconds.
LINES, PERIOD = 200, 10.0
#: Addresses that are told apart within them. All others share what one has.
ADDRESSES = 1000


class RefusalLog:
    """Writes a bounded number of lines about each address; how many more there were is told in one."""

    def __init__(
        self, clock: IReactorTime, *, lines: int = LINES, period: float = PERIOD, addresses: int = ADDRESSES
    ) -> None:
        self._period = period
        self._allowance = Allowance(clock, self._tell, each=lines, period=period, addresses=addresses)

    def warn(self, address: str, text: str, /, **fields: object) -> None:
        """A line about a peer at an address, as :class:`twisted.logger.Logger` takes it."""
        if self._allowance.permits(address):
            log.warn(text, **fields)

    def close(self) -> None:
        """Tell now what is still to be told."""
        self._allowance.close()

    def _tell(self, withheld: Withheld) -> None:
        log.warn(
            "{total} more peers were not let in within {period:g} s, {count} of them from {address}",
            total=withheld.total,
            period=self._period,
            count=withheld.count,
            address=withheld.address,
        )
