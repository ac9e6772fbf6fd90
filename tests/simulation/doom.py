"""When a life of the servers ends: after so many of one kind of thing have happened."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any


class Crash(BaseException):
    """The end of a process, in the middle of whatever it does. No `except Exception` may survive it.

    :ivar process: the one that dies; None: any one.
    """

    def __init__(self, process: Any = None) -> None:
        super().__init__("crash")
        self.process = process


#: What is counted, and up to what: every event; every call of the disk, before which or after which it
#: may end; every transaction; every Success that has reached its peer.
KINDS = {"event": 200, "call": 40, "commit": 3, "acknowledgement": 2}


@dataclass(slots=True)
class Doom:
    """Counts, and crashes."""

    kind: str
    count: int

    def tick(self, kind: str, process: Any = None) -> None:
        """:raises Crash: this was the last."""
        if kind == self.kind:
            self.count -= 1
            if self.count == 0:
                raise Crash(process)

    @classmethod
    def draw(cls, random: Random) -> Doom:
        kind = random.choice([*KINDS])
        return cls(kind, random.randint(1, KINDS[kind]))

    @classmethod
    def none(cls) -> Doom:
        """Of a life that ends in order."""
        return cls("nothing", 0)
