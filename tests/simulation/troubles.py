"""What may become of a transaction, but for its success."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from twisted.internet.defer import Deferred

from sdcc.index.restoring import Superseded
from sdcc.interfaces import Registered, StoredObject

from .database import Database
from .reactor import Reactor
from .schedule import Schedule

#: The most that a transaction takes where there are no troubles, in seconds.
FAST = 0.01
FAULTS = ("refused", "lost before", "lost after", "in doubt", "mishap before", "mishap after")


class Mishap(Exception):
    """A fault of the program, which costs one operation and nothing else."""


@dataclass(slots=True, eq=False)
class Troubles:
    """What one process sees of its database, for as long as :attr:`is_faulty`.

    :param chance: of a fault.
    :param time: the most that a transaction takes, in seconds.
    :param committing: called, outside of any of the server's code, when a transaction is durable.
    :param excuse: is told of files that may stay though no row names them.
    """

    database: Database
    schedule: Schedule
    reactor: Reactor
    chance: float
    time: float
    committing: Callable[[], None]
    excuse: Callable[..., None]
    is_faulty: bool = False

    def fault(self, group: Sequence[StoredObject]) -> str | None:
        """What becomes of this transaction; None: it succeeds."""
        random = self.schedule.random
        fault = random.choice(FAULTS) if self.is_faulty and random.random() < self.chance else None
        if not group and fault is not None:
            fault = "lost before"
        names = [name(stored.file.path) for stored in group]
        self.schedule.note(self.reactor.life, "begins to commit", *names, fault or "")
        if fault == "mishap before":
            self.excuse(*(stored.file.path for stored in group))
            raise Mishap
        if fault == "mishap after":
            answers = self.commit(group)
            self.excuse(*(a.replaced for a in answers if isinstance(a, Registered) and a.replaced))
            raise Mishap
        return fault

    def commit(self, group: Sequence[StoredObject]) -> list[Registered | Superseded]:
        answers = self.database.commit(group)
        for stored, answer in zip(group, answers, strict=True):
            self.schedule.note(name(stored.file.path), "is committed:", answer)
        self.reactor.later(0, self.committing)
        return answers

    def some_time(self) -> float:
        return self.schedule.random.uniform(0, self.time if self.is_faulty else FAST)

    def pause(self) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        self.reactor.later(self.some_time(), done.callback, None)
        return done


def name(path: str | None) -> str:
    """A file's, for the trace."""
    return path.rpartition("/")[2] if path else "none"
