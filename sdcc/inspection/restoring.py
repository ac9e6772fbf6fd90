"""An object's file given to the index, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from sdcc.archive import stored_files
from sdcc.inspection.course import asking_index
from sdcc.interfaces import IIndex, StoredObject, Unstorable
from sdcc.printable import printable


class Outcome(Enum):
    """What the index has made of a file."""

    REGISTERED = auto()
    ALREADY_REGISTERED = auto()
    #: Another file of the object is registered, whose place it may not take.
    OTHER_VERSION = auto()
    #: No file of the object is registered, and this one never will be.
    GIVEN_UP = auto()
    #: The index cannot hold what it would have to.
    REFUSED = auto()


@dataclass(frozen=True, slots=True)
class Restored:
    outcome: Outcome
    #: The path of the object's other file: the one that was replaced, or the one that stands.
    other: str | None = None
    #: Why the index has refused it.
    reason: str = ""


async def restore(index: IIndex, stored: StoredObject, *, over: str | None = None) -> Restored:
    """Register an object's file, which is durable under its path.

    :param over: see :meth:`~sdcc.interfaces.IIndex.restore`.
    :raises IndexFailure: it may be tried again.
    """
    with asking_index():
        try:
            registered = await index.restore(stored, over=over)
        except Unstorable as refusal:
            return Restored(Outcome.REFUSED, reason=str(refusal))
        if registered is not None:
            return Restored(Outcome.REGISTERED, registered.replaced)
        path = await path_of(index, stored.instance.sop_instance_uid)
    if path == stored.file.path:
        return Restored(Outcome.ALREADY_REGISTERED)
    return Restored(Outcome.GIVEN_UP) if path is None else Restored(Outcome.OTHER_VERSION, path)


async def path_of(index: IIndex, sop_instance_uid: str) -> str | None:
    """Where an object lies; None: it is not registered.

    :raises IndexFailure: the index cannot be asked.
    """
    with asking_index():
        return (await index.paths([sop_instance_uid])).get(sop_instance_uid)


async def unnamed(index: IIndex, paths: list[str]) -> list[str]:
    """Those of these files that no row of an object names whose UID stands in their names.

    :raises IndexFailure: the index cannot be asked.
    """
    uids = [stored_files.sop_instance_uid(path) for path in paths if may_be_named(path)]
    with asking_index():
        registered = {*(await index.paths(uids)).values()}
    return [path for path in paths if path not in registered]


def may_be_named(path: str) -> bool:
    """Whether a row may name a file: what SDCC never gives as a name may be such as no database takes."""
    return printable(path) == path
