"""A service, the operations that it performs, and what these say to their peers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from zope.interface import Attribute, Interface

from sdcc.interfaces.objects import Provenance, StoredObject
from sdcc.interfaces.observation import Durations, StudyTransfer


@dataclass(frozen=True, slots=True, kw_only=True)
class SubOperations:
    """The counters of a C-MOVE-RSP or C-GET-RSP (PS3.7 9.1.4.1); None: the response does not carry it."""

    remaining: int | None
    completed: int
    failed: int
    warning: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an operation ended, or how far it has come: what a response carries."""

    #: PS3.7 Annex C.
    status: int
    #: (0000,0902), at most 64 characters; empty: none.
    comment: str = ""
    #: Bytes of the Data Set received, for the log.
    size: int = 0
    #: The response's Data Set in the context's Transfer Syntax: an Identifier; None: it has none.
    data_set: bytes | None = None
    sub_operations: SubOperations | None = None
    #: (0000,0901): the attributes of the Identifier that were wrong, group << 16 | element.
    offending_element: tuple[int, ...] = ()
    #: For the log alone, without patient data; empty: nothing.
    note: str = ""
    #: For observers alone, as :class:`~sdcc.interfaces.OperationFacts` has them.
    durations: Durations | None = None
    stored: StoredObject | None = None
    has_replaced: bool = False
    identifier: bytes = field(default=b"", repr=False)
    transfers: tuple[StudyTransfer, ...] = ()


class IOperation(Interface):
    """One DIMSE operation being performed for a peer."""

    def write(data: memoryview) -> None:
        """Take the next bytes of the request's Data Set. Never raises."""

    async def complete() -> Outcome:
        """The request is whole: perform it.

        Never raises but for a fault of the program, and the :class:`AssociationLost` of its own conversation.
        """

    async def abandon() -> None:
        """The association is gone before the request was whole."""


class IConversation(Interface):
    """What an operation may say to its peer, and hear, before it ends: all but C-STORE and C-ECHO, which
    have one response and nothing to say before it."""

    context = Attribute(
        "PresentationContext: that the request came on, with what was negotiated for it; "
        "None: the request is a C-STORE or C-ECHO"
    )
    is_cancelled = Attribute("bool: whether the peer has sent a C-CANCEL-RQ for it, or is gone")

    async def respond(outcome: Outcome) -> None:
        """Send a response that is not the last, and come back when the transport takes more.

        :raises AssociationLost: nobody is there any more.
        """

    def at_end(call: Callable[[], None]) -> None:
        """Have `call` called as soon as the peer is gone, or else when the operation has ended."""

    requests = Attribute(
        "IRequests: sub-operations and notifications over the same association, also when the operation has "
        "ended, for as long as the association is open"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What an operation may know of its association."""

    #: Of the operation that is being performed.
    conversation: IConversation
    provenance: Provenance
    #: The services that the calling AE may use, as `[[remote]]` names them.
    services: frozenset[str]
    #: Told how many Data Set bytes no longer wait in memory.
    on_written: Callable[[int], None]


class IServiceProvider(Interface):
    """One service class as SCP (PS3.4)."""

    service = Attribute("str: the service's name in `[[remote]]` services")
    command_fields = Attribute("frozenset[int]: the requests it performs (PS3.7 E.1-1)")

    def begin(request: Any, transfer_syntax_uid: str, session: Session) -> IOperation:
        """Begin to perform a request that :mod:`sdcc.services.registry` has let pass.

        :param request: a request of :mod:`sdcc.dimse.messages`.
        """
