"""The simulated database: rows that survive every crash, as its own promise has it, and groups in doubt.

What two kinds of real ones do when a commit fails is here: one says so, and only a crash or the next
transaction decides what became of it (SQLite); the other's connection breaks (PostgreSQL).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from sdcc.interfaces import Registered, StoredObject


class Database:
    """
    :param committed: is told of each object when its row is durable.
    """

    def __init__(self, random: Random, committed: Callable[[StoredObject], None]) -> None:
        self._random = random
        self._committed = committed
        #: By SOP Instance UID.
        self.rows: dict[str, StoredObject] = {}
        #: By path, for all objects that ever were registered; of the ones given up None.
        self._known: dict[str, Registered | None] = {}
        #: Groups of which nobody can say whether they are durable.
        self._undecided: list[Sequence[StoredObject]] = []

    def commit(self, group: Sequence[StoredObject]) -> list[Registered]:
        """Commit a group; what is registered already gives the same answer again."""
        self._undecided.clear()  # what lay unsynced is overwritten
        return [self._register(stored) for stored in group]

    def fail_to_commit(self, group: Sequence[StoredObject]) -> None:
        """It may be durable all the same."""
        self._undecided.append(group)

    def decide(self) -> None:
        """A crash, or someone who looks, decides what is durable of the failed groups."""
        undecided, self._undecided = self._undecided, []
        for group in undecided:
            if self._random.random() < 0.5:
                for stored in group:
                    self._register(stored)

    def settle(self, stored: StoredObject) -> Registered | None:
        """Whether an object was registered; if not, it never will be."""
        self.decide()
        return self._known.setdefault(stored.file.path, None)

    def restore(self, stored: StoredObject) -> bool:
        """Register what was found on disk, unless as much is known."""
        held = self.rows.get(stored.instance.sop_instance_uid)
        if held is not None and held.file.received_at >= stored.file.received_at:
            return False
        if stored.file.path in self._known:
            return False
        self.commit([stored])
        return True

    def _register(self, stored: StoredObject) -> Registered:
        path = stored.file.path
        if path in self._known:
            known = self._known[path]
            assert known is not None, "an object is registered that was given up"
            return known
        before = self.rows.get(stored.instance.sop_instance_uid)
        self.rows[stored.instance.sop_instance_uid] = stored
        registered = self._known[path] = Registered(before.file.path if before else None)
        self._committed(stored)
        return registered
