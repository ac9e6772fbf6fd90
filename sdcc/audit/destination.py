"""Where the audit trail goes."""

from __future__ import annotations

from typing import Protocol


class Destination(Protocol):
    """Called from the reactor's thread; none of it blocks or raises."""

    def start(self) -> None:
        """Begin; what was written before waits until then."""

    def write(self, line: bytes) -> None:
        """Have a line of syslog written, when it can be."""

    async def stop(self) -> None:
        """Write what waits, if it can be written now."""
