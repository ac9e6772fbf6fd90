"""PDUs that are not whole yet, which must be held until they are: those of all connections together.

An A-ASSOCIATE-RQ may be long, and anybody may begin one and never end it. P-DATA-TF is not held.
"""

from __future__ import annotations

#: Bytes of all connections.
GATHERED_BYTES_OF_ALL = 32 * 1024 * 1024
#: Whoever has sent no more than this is borne whatever others do: ordinary requests are shorter.
SPARED_BYTES = 32 * 1024


class Gathering:
    """What all connections of a process hold of PDUs that are not whole."""

    def __init__(self, limit: int = GATHERED_BYTES_OF_ALL, spared: int = SPARED_BYTES) -> None:
        self.limit = limit
        self._spared = spared
        self.total = 0

    def replace(self, held: int, now: int) -> bool:
        """A connection that held so many bytes holds others now; gives whether it may."""
        self.total += now - held
        return self.total <= self.limit or now <= self._spared
