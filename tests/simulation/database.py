"""The simulated database: rows that survive every crash, as its own promise has it.

What the SQL of both engines does with a group of objects is here in a few lines, and what becomes of a
transaction whose COMMIT failed: nobody knows before a crash, or the next transaction, decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from sdcc.index.doubts import Doubt
from sdcc.index.restoring import Held, Superseded, answers, standing, superseded
from sdcc.index.rows import registrations
from sdcc.interfaces import Registered, StoredObject


class GivenUp(Exception):
    """A file that was replaced, or settled as not registered, cannot be registered again."""


class Database:
    """
    :param committed: is told of each object when its row is durable.
    """

    def __init__(self, random: Random, committed: Callable[[StoredObject], None]) -> None:
        self._random = random
        self._committed = committed
        #: By SOP Instance UID.
        self.rows: dict[str, StoredObject] = {}
        #: Paths that no row names any more: the path that took the place, or None where it was never named.
        self._gone: dict[str, str | None] = {}
        #: Groups of which nobody can say whether they are durable.
        self._undecided: list[Sequence[StoredObject]] = []

    def answers(self, group: Sequence[StoredObject]) -> list[Registered]:
        """How each of a group is answered if it is committed now, or was with the last transaction."""
        before = {}
        for stored in group:
            uid = stored.instance.sop_instance_uid
            if uid in self.rows:
                before[uid] = self.replaced_by(stored.file.path) or self.rows[uid].file.path
        return registrations(group, before)

    def commit(self, group: Sequence[StoredObject]) -> list[Registered | Superseded]:
        """Commit a group; one that is registered already gives the same answers again.

        :raises GivenUp: nothing is committed.
        """
        self._undecided.clear()  # what lay unsynced is overwritten
        held = {uid: Held(row.file.path, row.file.received_at) for uid, row in self.rows.items()}
        gives_way = superseded(group, held, self._gone)
        return answers(gives_way, self._register(standing(group, gives_way)))

    def _register(self, group: Sequence[StoredObject]) -> list[Registered]:
        last = {stored.instance.sop_instance_uid: stored for stored in group}
        if any(stored.file.path in self._gone for stored in last.values()):
            raise GivenUp
        registered = self.answers(group)
        for uid, stored in last.items():
            held = self.rows.get(uid)
            if held is None or held.file.path != stored.file.path:
                if held is not None:
                    self._gone[held.file.path] = stored.file.path
                self.rows[uid] = stored
                self._committed(stored)
        return registered

    def fail_to_commit(self, group: Sequence[StoredObject]) -> None:
        """It may be durable all the same."""
        self._undecided.append(group)

    def decide(self) -> None:
        """A crash, or someone who looks, decides what is durable of the groups that failed."""
        undecided, self._undecided = self._undecided, []
        for group in undecided:
            if self._random.random() < 0.5:
                self.commit(group)

    def settle(self, doubt: Doubt) -> Registered | None:
        """What became of an object; if it is not registered, it never will be."""
        self.decide()
        held = self.rows.get(doubt.sop_instance_uid)
        if held is not None and held.file.path == doubt.path:
            return Registered(self.replaced_by(doubt.path))
        if self._gone.setdefault(doubt.path, None) is None:
            return None
        return Registered(self.replaced_by(doubt.path))

    def disown(self, uid: str, path: str) -> bool:
        """Make sure that the object's row never names this file; False: it does."""
        held = self.rows.get(uid)
        if held is not None and held.file.path == path:
            return False
        self._gone.setdefault(path, None)
        return True

    def unregister(self, uid: str, path: str) -> bool:
        """Remove an object's row; False: it names another file."""
        held = self.rows.get(uid)
        if held is None or held.file.path != path:
            return False
        del self.rows[uid]
        return self.disown(uid, path)

    def is_gone(self, path: str) -> bool:
        """Whether it is never registered again."""
        return path in self._gone

    def replaced_by(self, path: str) -> str | None:
        """The path whose place this one took."""
        return next((before for before, successor in self._gone.items() if successor == path), None)
