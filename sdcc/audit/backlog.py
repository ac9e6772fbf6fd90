"""What waits to be written, as much of it as may; what is lost is counted, and told in the log."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from twisted.logger import Logger

#: Bytes that may wait: ten thousand messages and more.
MAXIMUM = 16 << 20
#: Bytes that are taken at once.
BATCH = 1 << 20


class Backlog:
    """
    :param where: what is written to, for the log.
    """

    _log = Logger()

    def __init__(self, where: str, *, maximum: int = MAXIMUM) -> None:
        self._where = where
        self._maximum = maximum
        self._records: deque[bytes] = deque()
        self._size = 0
        self._lost = 0
        self._is_broken = False

    def __bool__(self) -> bool:
        return bool(self._records)

    def add(self, record: bytes) -> None:
        """The newest is lost where too much waits: what came first may be the cause of the rest."""
        if self._size + len(record) > self._maximum:
            self._lost += 1
            self.broken("it does not keep up")
        else:
            self._records.append(record)
            self._size += len(record)

    def take(self) -> list[bytes]:
        """The oldest."""
        taken: list[bytes] = []
        size = 0
        while self._records and (not taken or size + len(self._records[0]) <= BATCH):
            taken.append(self._records.popleft())
            size += len(taken[-1])
        self._size -= size
        return taken

    def put_back(self, records: Sequence[bytes]) -> None:
        self._records.extendleft(reversed(records))
        self._size += sum(map(len, records))

    def lose(self) -> None:
        """One that cannot be written at all."""
        self._lost += 1

    # --- outages ---

    def broken(self, reason: str) -> None:
        if not self._is_broken:
            self._is_broken = True
            self._log.error(
                "The audit trail cannot be written to {where}: {reason}. Messages wait, up to {maximum} MiB",
                where=self._where,
                reason=reason,
                maximum=self._maximum >> 20,
            )

    def mended(self) -> None:
        if self._is_broken:
            self._is_broken = False
            lost, self._lost = self._lost, 0
            self._log.warn(
                "The audit trail is written to {where} again; messages lost: {lost}",
                where=self._where,
                lost=lost,
            )

    def close(self) -> None:
        """Nothing more will be written."""
        lost = self._lost + len(self._records)
        self._records.clear()
        if lost:
            self._log.error(
                "Messages of the audit trail that were not written to {where}: {lost}",
                where=self._where,
                lost=lost,
            )
