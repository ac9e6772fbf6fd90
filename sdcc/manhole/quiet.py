"""What conch says of itself, on each packet and window, is not for SDCC's log."""

from __future__ import annotations

from twisted.logger import ILogObserver, LogEvent, Logger
from zope.interface import implementer


@implementer(ILogObserver)
class _Nowhere:
    def __call__(self, event: LogEvent) -> None:
        """Dropped."""


#: In the place of the logger of a class of conch's.
QUIET = Logger(namespace="sdcc.manhole.ssh", observer=_Nowhere())
