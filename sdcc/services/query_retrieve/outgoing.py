"""Stored objects on their way out: found, read or converted ahead, sent, and what became of each.

While the answer to one object is awaited the next is got ready: its first block read, which is all of a small
one, or its conversion begun. No more than these two are in memory.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Self, cast

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from sdcc.dimse.messages import Response, StoreRequest
from sdcc.interfaces import (
    AssociationLost,
    CannotConvert,
    IConverter,
    IIndex,
    IObjectStore,
    IRequests,
    IScratchFile,
)
from sdcc.queries import Condition, Level, Match, Query, SingleValue
from sdcc.services.query_retrieve.destination import Destination
from sdcc.services.query_retrieve.storage_contexts import way
from sdcc.services.query_retrieve.sub_operations import Tally
from sdcc.services.query_retrieve.transfers import Transfers
from sdcc.upper_layer.negotiation import PresentationContext

#: Of a retrieval's objects that are not sent, how many the log names.
MOST_NAMED = 20


class Unsendable(Exception):
    """An object is not sent. The text is for the log and an Error Comment: no patient data in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A match, as far as it takes to send it and to record that. The names are those of the index."""

    sop_instance_uid: str
    sop_class_uid: str
    path: str
    data_set_size: int
    transfer_syntax_uid: str
    study_instance_uid: str
    patient_id: str | None
    patient_name: str | None

    @classmethod
    def of(cls, match: Match) -> Self:
        return cls(**{name: match[name] for name in WANTED})  # type: ignore[arg-type]

    @property
    def as_it_lies(self) -> str | None:
        """The Transfer Syntax in which its bytes can go out; None: not one byte for another.

        A Data Set of an odd number of bytes is none (PS3.5 7.1.1), and peers abort the association, and with
        it all that is to come, when they are sent one. Nobody but who parses it can say where a byte
        is missing: so it is encoded anew, as if for a peer that does not take its Transfer Syntax.
        """
        return None if self.data_set_size % 2 else self.transfer_syntax_uid


WANTED = frozenset(Found.__dataclass_fields__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """An object that can go out: its first block is there."""

    found: Found
    #: Whose context it is.
    requests: IRequests
    context_id: int
    first: bytes | bytearray
    rest: AsyncGenerator[bytes | bytearray, None]
    #: What it was converted to.
    scratch: IScratchFile | None

    async def data_set(self) -> AsyncGenerator[bytes | bytearray, None]:
        yield self.first
        async for block in self.rest:
            yield block

    async def let_go(self) -> None:
        """Sent or not. Never raises."""
        await self.rest.aclose()
        if self.scratch is not None:
            await self.scratch.remove()


class Outgoing:
    """The objects of one retrieval.

    :param originator: of the C-MOVE-RQ, the calling AE and the Message ID; None: it is a C-GET.
    :param priority: of the request, which each sub-operation repeats.
    """

    _log = Logger()

    def __init__(
        self,
        *,
        index: IIndex,
        objects: IObjectStore,
        converter: IConverter,
        destination: Destination,
        tally: Tally,
        transfers: Transfers,
        originator: tuple[str, int] | None,
        priority: int,
    ) -> None:
        self._index = index
        self._objects = objects
        self._converter = converter
        self._destination = destination
        self._tally = tally
        self._transfers = transfers
        self._originator = originator
        self._priority = priority
        #: Whether one is on its way, and has no answer yet.
        self.is_sending = False

    # --- getting ready ---

    def begin(self, match: Match) -> Coming:
        found = Found.of(match)
        return Coming(found, Deferred.fromCoroutine(self._ready(found)))

    async def _ready(self, found: Found) -> Ready:
        """:raises Unsendable: see there."""
        try:
            return await self._opened(found)
        except (OSError, CannotConvert) as fault:
            reason = _said(fault)
        # Perhaps it was replaced since it was found.
        newer = await self._newer(found)
        if newer is None:
            raise Unsendable(reason)
        try:
            return await self._opened(newer)
        except (OSError, CannotConvert) as fault:
            raise Unsendable(_said(fault)) from None

    async def _opened(self, found: Found) -> Ready:
        requests = self._destination.requests
        if requests is None:
            raise Unsendable(self._destination.fault)
        context = way(requests.contexts, found.sop_class_uid, found.as_it_lies)
        if context is None:
            raise Unsendable(_no_way(found, requests.contexts))
        scratch = None
        if context.transfer_syntax == found.as_it_lies:
            blocks = self._objects.read(found.path, found.data_set_size)
        else:
            scratch = await self._converter.convert(
                self._objects.absolute(found.path), context.transfer_syntax
            )
            blocks = scratch.read()
        try:
            first = await anext(blocks, b"")
        except BaseException:
            if scratch is not None:
                await scratch.remove()
            raise
        return Ready(
            found=found,
            requests=requests,
            context_id=context.id,
            first=first,
            rest=blocks,
            scratch=scratch,
        )

    async def _newer(self, found: Found) -> Found | None:
        query = Query(
            level=Level.IMAGE,
            conditions=(Condition("sop_instance_uid", SingleValue(found.sop_instance_uid)),),
            wanted=WANTED,
        )
        try:
            async with aclosing(self._index.find(query)) as matches:
                async for match in matches:
                    if match is not None:
                        newer = Found.of(match)
                        return None if newer.path == found.path else newer
        except (OSError, ValueError):
            pass  # what was wrong with the file is reason enough
        return None

    # --- sending ---

    async def send(self, coming: Coming) -> None:
        """Send an object, and count what became of it.

        :raises AssociationLost: nobody is there who asked for it.
        """
        found = coming.found
        try:
            ready = await coming.ready
            if ready.requests is not self._destination.requests:  # that one broke meanwhile
                await ready.let_go()
                ready = await self._ready(found)
            try:
                await self._send(ready)
            except AssociationLost as lost:  # once more, if there is another
                if not await self._destination.broken(str(lost)):
                    raise Unsendable(str(lost)) from None
                await self._send(await self._ready(found))
        except AssociationLost as lost:
            reason = str(lost)
            await self._destination.broken(reason)
        except OSError as fault:  # in the midst of it: nothing but an abort tells the peer
            self._log.warn("An object cannot be read to its end: {error}", error=fault.strerror)
            reason = _said(fault)
            await self._destination.broken(reason, by_peer=False)
        except Unsendable as fault:
            reason = str(fault)
        else:
            return
        self._tally.fail(found.sop_instance_uid, reason)
        self._tell(found, reason)

    async def _send(self, ready: Ready) -> None:
        """Send it once, and count the answer.

        :raises AssociationLost: there is none.
        :raises OSError: from the file.
        """
        found = ready.found
        self.is_sending = True
        try:
            length = found.data_set_size if ready.scratch is None else None
            response = await ready.requests.request(
                ready.context_id, self._request(found), ready.data_set(), length
            )
        finally:
            self.is_sending = False
            await ready.let_go()
        reason = self._tally.answered(found.sop_instance_uid, cast(Response, response).status)
        if reason is not None:
            self._tell(found, reason)
            return
        self._transfers.add(
            found.study_instance_uid, found.patient_id, found.patient_name, found.sop_class_uid
        )

    def _request(self, found: Found) -> StoreRequest:
        ae_title, message_id = self._originator or (None, None)
        return StoreRequest(
            message_id=1,
            affected_sop_class_uid=found.sop_class_uid,
            affected_sop_instance_uid=found.sop_instance_uid,
            priority=self._priority,
            move_originator_ae_title=ae_title,
            move_originator_message_id=message_id,
        )

    def _tell(self, found: Found, reason: str) -> None:
        """Who asked has the whole list."""
        if self._tally.failed <= MOST_NAMED:
            self._log.debug("{uid} is not sent: {reason}", uid=found.sop_instance_uid, reason=reason)


@dataclass(frozen=True, slots=True)
class Coming:
    """An object that is being got ready."""

    found: Found
    #: Fails with :class:`Unsendable`.
    ready: Deferred[Ready]

    def let_go(self) -> None:
        """It is not wanted any more, whenever it is ready."""
        self.ready.addCallbacks(lambda ready: Deferred.fromCoroutine(ready.let_go()), _unsendable)


def _unsendable(failure: Failure) -> None:
    failure.trap(Unsendable)


def _no_way(found: Found, contexts: Mapping[int, PresentationContext]) -> str:
    """Why an object is not sent that no context will do for."""
    if all(context.abstract_syntax != found.sop_class_uid for context in contexts.values()):
        return f"no context was accepted for SOP Class {found.sop_class_uid}"
    if found.as_it_lies is None:
        return "its size is odd, and no context was accepted to encode it anew"
    return f"neither {found.transfer_syntax_uid} nor a conversion was accepted"


def _said(fault: OSError | CannotConvert) -> str:
    if isinstance(fault, OSError):
        return f"the file cannot be read: {fault.strerror or fault}"
    return f"it cannot be converted: {fault}"
