"""Whither retrieved objects go: over associations of SDCC's own, or back over the requestor's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from sdcc.interfaces import AssociationLost, ICaller, IConversation, IOwnAssociation, IRequests
from sdcc.queries import Holding
from sdcc.services.query_retrieve.storage_contexts import Batch, batches

#: Associations that are opened anew in one retrieval, for what is left where the peer broke one.
MOST_REOPENED = 1


class Destination(Protocol):
    """Where to, and how it stands."""

    @property
    def requests(self) -> IRequests | None:
        """The association at hand; None: there is none."""

    @property
    def fault(self) -> str:
        """Why there is none, and will be none."""

    def batches(self, holdings: Iterable[Holding]) -> Iterator[tuple[str, ...] | None]:
        """The SOP Classes that go together, in their order; None: all at once."""

    async def open(self) -> None:
        """Have an association for the batch that was given last, if one can be had. Never raises."""

    async def broken(self, reason: str, *, by_peer: bool = True) -> bool:
        """The association is no more; gives whether there is another.

        :param by_peer: or by the network; else by what could not be read here.
        :raises AssociationLost: there can be none.
        """

    async def close(self) -> None:
        """Never raises."""


class Called:
    """The Move Destination (PS3.4 C.4.2.2).

    :param conversation: with whom it is called for.
    """

    def __init__(self, caller: ICaller, ae_title: str, calling_ae: str, conversation: IConversation) -> None:
        self._caller = caller
        self._ae_title = ae_title
        self._calling_ae = calling_ae
        self._conversation = conversation
        self._batch: Batch | None = None
        self._reopened = 0
        self.requests: IOwnAssociation | None = None
        self.fault = ""
        conversation.at_end(self._drop)

    def _drop(self) -> None:
        """Nobody waits any more for what a destination may be slow to answer."""
        if self.requests is not None:
            self.requests.abort()

    def batches(self, holdings: Iterable[Holding]) -> Iterator[tuple[str, ...] | None]:
        found = tuple(batches(holdings))
        for batch in found:
            self._batch = batch
            yield batch.sop_classes if len(found) > 1 else None

    async def open(self) -> None:
        await self.close()
        if self.fault or self._batch is None:
            return
        try:
            self.requests = await self._caller.open(self._ae_title, self._calling_ae, self._batch.contexts)
        except AssociationLost as lost:
            self.fault = str(lost)

    async def broken(self, reason: str, *, by_peer: bool = True) -> bool:
        if self.requests is not None:
            self.requests.abort()
            self.requests = None
        if self._conversation.is_cancelled or (by_peer and self._reopened == MOST_REOPENED):
            self.fault = reason
            return False
        if by_peer:
            self._reopened += 1
        await self.open()
        return self.requests is not None

    async def close(self) -> None:
        requests, self.requests = self.requests, None
        if requests is not None:
            await requests.release()


class Requestor:
    """Who asks for the objects with C-GET, and is the SCP of Storage meanwhile (PS3.4 C.4.3)."""

    fault = ""

    def __init__(self, requests: IRequests) -> None:
        self.requests = requests

    def batches(self, holdings: Iterable[Holding]) -> Iterator[tuple[str, ...] | None]:
        yield None

    async def open(self) -> None:
        """It is."""

    async def broken(self, reason: str, *, by_peer: bool = True) -> bool:
        raise AssociationLost(reason)

    async def close(self) -> None:
        """It is the requestor's."""
