"""The associations over which this side asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from zope.interface import Attribute, Interface


class AssociationLost(Exception):
    """An association ended, or could not be had, before what was asked over it was answered.

    The text says at which step, for the log and an Error Comment.
    """


class IRequests(Interface):
    """An established association as this side may make requests over it, one at a time."""

    contexts = Attribute(
        "Mapping[int, PresentationContext]: by ID, the accepted contexts on which this side is SCU, and "
        "those of Storage Commitment on which it is SCP, which has events to report"
    )

    async def request(
        context_id: int,
        message: Any,
        data_set: AsyncIterator[bytes | bytearray] | None = None,
        length: int | None = None,
    ) -> Any:
        """Send a request of :mod:`sdcc.dimse.messages` and its Data Set; give the peer's last
        :class:`~sdcc.dimse.messages.Response` to it.

        Of the Data Set no more is asked for than the transport takes. Its iterator is closed in any case
        where any of it was asked for.

        :param message: its Message ID and `has_data_set` are set here, whatever they are.
        :param length: bytes of `data_set`, where that is known; no more of it is asked for then.

        :raises AssociationLost: there is no answer and will be none.
        :raises Exception: what `data_set` raised; the association is aborted then, because a message that
            was begun cannot be taken back, unless nothing of it had been sent yet.
        """


class IOwnAssociation(IRequests):
    """An association that SDCC has opened."""

    async def release() -> None:
        """End it in order. Never raises."""

    def abort() -> None:
        """End it at once."""


class ICaller(Interface):
    """Opens associations to the `[[remote]]` that have a port."""

    def may_call(ae_title: str) -> bool:
        """Whether it is a `[[remote]]` with a port."""

    async def open(called_ae: str, calling_ae: str, contexts: Sequence[Any]) -> IOwnAssociation:
        """:param contexts: of :class:`sdcc.upper_layer.items.ProposedContext`.

        May be cancelled.

        :raises AssociationLost: not connected, rejected, or no answer in time.
        """
