"""The database that alone decides which objects exist."""

from __future__ import annotations

import datetime
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from zope.interface import Attribute, Interface

from sdcc.interfaces.objects import Registered, StoredObject
from sdcc.queries import Holding, Match, Query


@dataclass(frozen=True, slots=True, kw_only=True)
class LooseRow:
    """A row of the index with no row above it, or a study's or series' with no object below it.

    Registration leaves none: another hand, or a database that was damaged.
    """

    level: Literal["study", "series", "instance"]
    #: In its table.
    key: int
    uid: str
    #: An instance's :attr:`StoredFile.path`.
    path: str | None
    #: It holds no object; else there is no row above it.
    is_empty: bool


@dataclass(frozen=True, slots=True)
class IndexFigures:
    """What is counted of an index's work."""

    #: Objects in one transaction to how many transactions have had so many. Few keys: a group is bounded.
    groups: Mapping[int, int]
    #: Objects of which nobody knows at present whether they are registered.
    doubts: int


class IIndex(Interface):
    """The database that alone decides which objects exist."""

    figures = Attribute("IndexFigures: since the start, and as they are now.")
    refusal = Attribute("str | None: why nothing can be registered at present; None while it can.")
    leaves_doubts = Attribute(
        "bool: after `stop`, whether registrations are left whose outcome nobody knows and that are written "
        "down nowhere: files and rows may disagree then, as after a crash."
    )
    study_states = Attribute("IStudyStates: which studies are stable.")

    def prepare() -> None:
        """What can fail before service starts: open, create or upgrade. Blocks; raises
        OSError or ValueError with a text for the administrator."""

    def start() -> None:
        """Begin, in the reactor's thread, after :meth:`prepare`; a server is connected to from now on."""

    async def stop() -> None:
        """Finish what waits to be committed, then close."""

    async def register(stored: StoredObject) -> Registered:
        """Commit one object's rows; returns when they are durable.

        A row of the same SOP Instance UID is replaced in the same transaction, also where it
        stood under another Study or Series; levels that this empties are removed.

        :raises OutOfResources: certainly not registered (the caller removes the file).
        :raises OutcomeUnknown: perhaps registered (the caller keeps the file until settled).
        """

    async def restore(stored: StoredObject, *, over: str | None = None) -> Registered | None:
        """Register an object that was found on disk, durable under its path, unless the index knows more.

        None, and nothing changes: its path is registered, or an object of the same SOP Instance
        UID that it may not replace; or a transaction has given the path up. Its file stays in any case.

        :param over: the path of the one file whose place it may take in the object's row; "": of none.
            None: of any that was received earlier.
        :raises Unstorable: this object will never be registered.
        :raises OutOfResources: not registered, as far as is known; it may be tried again.
        """

    async def paths(sop_instance_uids: Sequence[str]) -> Mapping[str, str]:
        """The path of each of these objects that is registered, by its UID.

        :raises OSError: the index cannot be read.
        :raises ValueError: it is no index of this version.
        """

    def instances(
        study_instance_uid: str | None = None,
        *,
        faulty: bool = False,
        received_since: datetime.datetime | None = None,
    ) -> AsyncIterator[StoredObject]:
        """Everything registered (of one study), in order of reception, in bounded memory.

        :param faulty: only objects of which something could not be read.
        :param received_since: only what was received then or later; aware.
        """

    def find(query: Query) -> AsyncGenerator[Match | None, None]:
        """What matches, as it is found, in bounded memory whatever matches.

        Where nothing is found for long, None comes now and then: a turn for who may want to end it.
        Who does not read to the end closes it, with `aclose`.

        :raises OSError: the index cannot be read.
        :raises ValueError: it is no index of this version.
        """

    async def holdings(query: Query) -> Sequence[Holding]:
        """How many objects a query of IMAGE level matches, by SOP Class and Transfer Syntax.

        :raises OSError: the index cannot be read.
        :raises ValueError: it is no index of this version.
        """

    async def disown(sop_instance_uid: str, path: str) -> bool:
        """Make sure that an object's row does not name this file and never will, so that it may be removed.

        False, and nothing changes: the row names it.

        :raises OutOfResources: not done, as far as is known; it may be tried again.
        """

    async def unregister(sop_instance_uid: str, path: str) -> bool:
        """Remove an object's row, with the levels that this empties; the file is disowned with it.

        False, and nothing changes: no row of the object names this file.

        :raises OutOfResources: not done, as far as is known; it may be tried again.
        """

    def loose_rows() -> AsyncIterator[LooseRow]:
        """Every row that does not hang together with others: instances first, then series, then studies.

        :raises OSError: the index cannot be read.
        :raises ValueError: it is no index of this version.
        """

    async def remove_loose(rows: Sequence[LooseRow]) -> None:
        """Remove those of these rows that are still loose. Their files are not disowned.

        :raises OutOfResources: not done, as far as is known; it may be tried again.
        """
