"""What an association is at, for the administrator."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Activity:
    """At this moment."""

    #: The operation under way, in words; None: there is none.
    doing: str | None
    #: Of its Data Set, in memory, to be written.
    waiting_bytes: int


NOTHING = Activity(None, 0)
