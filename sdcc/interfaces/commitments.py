"""What is owed to peers: the reports of Storage Commitment, and where they are written down."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from zope.interface import Interface

from sdcc.interfaces.objects import Provenance


@dataclass(frozen=True, slots=True)
class Reference:
    """An item of a Referenced SOP Sequence (0008,1199)."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentRequest:
    """A Storage Commitment Request (PS3.4 J.3.2.1) that was answered Success, so that a report is owed."""

    transaction_uid: str
    #: None comes twice.
    references: tuple[Reference, ...]
    provenance: Provenance
    #: Aware, UTC.
    requested_at: datetime.datetime


class ICommitmentJournal(Interface):
    """The Storage Commitment Requests that a report is owed for, on disk.

    Each is known by a name. They outlive the process, and fall to another one that starts later.
    """

    def prepare() -> None:
        """Take over what dead processes owed. Blocks; raises OSError."""

    async def names() -> Sequence[str]:
        """The requests that this process has to see to, in no order.

        :raises OSError: they cannot be listed.
        """

    async def add(request: CommitmentRequest) -> str:
        """Write a request down; its name, when it is durable.

        :raises OSError: it is not written down.
        """

    async def read(name: str) -> CommitmentRequest:
        """:raises OSError: it cannot be read.
        :raises ValueError: the file is damaged.
        """

    async def remove(name: str) -> None:
        """Nothing is owed any more. Never raises: what cannot be removed is logged, and reported again."""

    async def stop() -> None:
        """Leave what is there to whoever starts next."""
