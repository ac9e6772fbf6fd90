"""Objects that were found on disk, among those that are registered: to which of them they give way.

Which of a group do is decided within its transaction, from the rows as they then are. Knows no database.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from sdcc.interfaces import NotStored, Registered, StoredObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(StoredObject):
    """An object that was found on disk. It is never in doubt: its file stays, whatever becomes of its row.

    :ivar over: see :meth:`sdcc.interfaces.IIndex.restore`.
    """

    over: str | None = None

    def gives_way_to(self, other: Held) -> bool:
        """Whether another object of its UID stays."""
        if other.path == self.file.path:
            return True
        if self.over is not None:
            return other.path != self.over
        return other.received_at >= self.file.received_at


class Superseded(NotStored):
    """A :class:`Found` object gives way."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the index holds under a SOP Instance UID."""

    path: str
    received_at: datetime.datetime


def found(stored: StoredObject, over: str | None = None) -> Found:
    given = {field.name: getattr(stored, field.name) for field in dataclasses.fields(StoredObject)}
    return Found(**given, over=over)


def superseded(
    group: Sequence[StoredObject], held: Mapping[str, Held], gone: Container[str] = ()
) -> list[bool]:
    """Of each of a group whether it gives way, to a row or to one before it in the group.

    :param held: by SOP Instance UID, before the group.
    :param gone: paths that may not be registered again.
    """
    current = dict(held)
    gives_way = []
    for stored in group:
        uid, file = stored.instance.sop_instance_uid, stored.file
        other = current.get(uid)
        is_superseded = isinstance(stored, Found) and (
            file.path in gone or (other is not None and stored.gives_way_to(other))
        )
        if not is_superseded:
            current[uid] = Held(file.path, file.received_at)
        gives_way.append(is_superseded)
    return gives_way


def standing(group: Sequence[StoredObject], gives_way: Sequence[bool]) -> list[StoredObject]:
    """Those of a group that do not give way."""
    return [stored for stored, is_superseded in zip(group, gives_way, strict=True) if not is_superseded]


def answers(gives_way: Sequence[bool], registered: Sequence[Registered]) -> list[Registered | Superseded]:
    """How each of a group is answered.

    :param registered: how those are that do not give way.
    """
    following = iter(registered)
    return [Superseded() if is_superseded else next(following) for is_superseded in gives_way]
