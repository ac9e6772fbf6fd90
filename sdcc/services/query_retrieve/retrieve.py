"""The Retrieve part of the Query/Retrieve Service Class as SCP (PS3.4 C.4.2, C.4.3): C-MOVE and C-GET.

Objects go out one after the other as the index finds them; nothing is gathered but the UIDs of those that
failed. Of archive, index, network and decoders it knows only :mod:`sdcc.interfaces`.

The priority of a request is repeated in each of its sub-operations, for the destination to heed. Here
it changes nothing: retrievals are served side by side, and none waits for another.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from sdcc.conformance import RETRIEVE_SERVICE
from sdcc.dimse.command import CommandField, Priority
from sdcc.dimse.messages import GetRequest, MoveRequest, error_comment
from sdcc.dimse.status import Status
from sdcc.interfaces import (
    AssociationLost,
    ICaller,
    IConverter,
    IIndex,
    IObjectStore,
    IOperation,
    IServiceProvider,
    Outcome,
    Session,
)
from sdcc.queries import Condition, Match, Query, UIDList
from sdcc.services.operation import Decided
from sdcc.services.query_retrieve.destination import Called, Destination, Requestor
from sdcc.services.query_retrieve.identifiers import BadIdentifier, GatheredIdentifier
from sdcc.services.query_retrieve.outgoing import WANTED, Coming, Outgoing
from sdcc.services.query_retrieve.retrievals import read_retrieval
from sdcc.services.query_retrieve.sub_operations import Pending, Tally
from sdcc.services.query_retrieve.transfers import Transfers


class IndexFailed(Exception):
    """The index cannot be read any more."""


@implementer(IServiceProvider)
class RetrieveProvider:
    """C-MOVE and C-GET.

    :param clock: tells when a peer is to hear how far it is.
    """

    service = RETRIEVE_SERVICE
    command_fields = frozenset({CommandField.C_MOVE_RQ, CommandField.C_GET_RQ})

    def __init__(
        self,
        objects: IObjectStore,
        index: IIndex,
        converter: IConverter,
        caller: ICaller,
        clock: IReactorTime,
    ) -> None:
        self._objects = objects
        self._index = index
        self._converter = converter
        self._caller = caller
        self._clock = clock

    def begin(
        self, request: MoveRequest | GetRequest, transfer_syntax_uid: str, session: Session
    ) -> IOperation:
        if not request.has_data_set:
            return Decided(
                Status.CANNOT_UNDERSTAND, "The request has no Identifier", on_written=session.on_written
            )
        if isinstance(request, GetRequest):
            return self._operation(request, session, Requestor(session.conversation.requests))
        ae_title = request.move_destination.strip()
        if not self._caller.may_call(ae_title):
            return Decided(
                Status.MOVE_DESTINATION_UNKNOWN,
                error_comment(f"Move Destination {ae_title!r} is no [[remote]] with a port"),
                on_written=session.on_written,
            )
        called_ae = session.provenance.called_ae
        destination = Called(self._caller, ae_title, called_ae, session.conversation)
        return self._operation(request, session, destination)

    def _operation(
        self, request: MoveRequest | GetRequest, session: Session, destination: Destination
    ) -> IOperation:
        return _Retrieval(
            request,
            session,
            destination,
            objects=self._objects,
            index=self._index,
            converter=self._converter,
            clock=self._clock,
        )


@implementer(IOperation)
class _Retrieval:
    """One C-MOVE or C-GET."""

    _log = Logger()

    def __init__(
        self,
        request: MoveRequest | GetRequest,
        session: Session,
        destination: Destination,
        *,
        objects: IObjectStore,
        index: IIndex,
        converter: IConverter,
        clock: IReactorTime,
    ) -> None:
        self._request = request
        self._session = session
        self._conversation = session.conversation
        self._destination = destination
        self._objects = objects
        self._index = index
        self._converter = converter
        self._clock = clock
        self._identifier = GatheredIdentifier(session)
        self._tally = Tally(0)
        self._transfers = Transfers()
        #: Both for the log.
        self._whither = ""
        self._whose = f"C-GET of {session.provenance.calling_ae}"
        if isinstance(request, MoveRequest):
            self._whither = f"to {request.move_destination.strip()}: "
            self._whose = f"C-MOVE of {session.provenance.calling_ae} to {request.move_destination.strip()}"

    def write(self, data: memoryview) -> None:
        self._identifier.write(data)

    async def complete(self) -> Outcome:
        try:
            query = read_retrieval(self._identifier.whole(), self._conversation.context)
        except BadIdentifier as fault:
            offending = () if fault.tag is None else (fault.tag,)
            return Outcome(
                status=fault.status,
                comment=error_comment(str(fault)),
                size=self._identifier.size,
                offending_element=offending,
                identifier=self._identifier.kept,
            )
        try:
            return await self._retrieve(query)
        except AssociationLost as lost:  # nobody hears the answer, but what was sent is recorded
            return self._ended(Status.PROCESSING_FAILURE, str(lost))
        except Exception:  # the boundary of an operation: what was sent before is recorded all the same
            self._log.failure("{whose} failed", whose=self._whose)
            return self._ended(Status.PROCESSING_FAILURE, "A fault of the program")

    async def _retrieve(self, query: Query) -> Outcome:
        """:raises AssociationLost: who asked is gone."""
        try:
            holdings = await self._index.holdings(query)
        except (OSError, ValueError) as error:
            self._log.warn("{whose}: the index cannot be read: {error}", whose=self._whose, error=error)
            return self._ended(Status.UNABLE_TO_CALCULATE_MATCHES, "The index cannot be read, see the log")
        self._tally = Tally(sum(holding.count for holding in holdings))
        outgoing = self._outgoing()
        pending = Pending(
            self._conversation,
            self._tally,
            self._clock,
            lambda: isinstance(self._request, GetRequest) and outgoing.is_sending,
        )
        pending.start()
        try:
            for sop_classes in self._destination.batches(holdings):
                if self._conversation.is_cancelled:
                    break  # nobody is called for nothing
                await self._destination.open()
                await self._send(_of_classes(query, sop_classes), outgoing, pending)
        except IndexFailed as error:
            self._log.warn(
                "{whose}: the index failed in the midst of it: {error}", whose=self._whose, error=error
            )
            return self._ended(
                Status.UNABLE_TO_PERFORM_SUB_OPERATIONS, "The index cannot be read, see the log"
            )
        finally:
            pending.stop()
            await self._destination.close()
        return self._ended(Status.CANCEL if self._conversation.is_cancelled else self._tally.status)

    def _outgoing(self) -> Outgoing:
        return Outgoing(
            index=self._index,
            objects=self._objects,
            converter=self._converter,
            destination=self._destination,
            tally=self._tally,
            transfers=self._transfers,
            originator=self._originator,
            priority=self._priority,
        )

    async def _send(self, query: Query, outgoing: Outgoing, pending: Pending) -> None:
        """Send what matches, each got ready while the one before is on its way."""
        sending: Deferred[None] = succeed(None)
        try:
            async with aclosing(self._found(query)) as matches:
                async for match in matches:
                    coming = outgoing.begin(match)
                    before, sending = sending, succeed(None)  # what failed must not be awaited twice
                    try:
                        await before
                    except BaseException:
                        coming.let_go()
                        raise
                    if self._conversation.is_cancelled:
                        coming.let_go()
                        return
                    # What comes next is looked for when this one has left, and nobody waits for it.
                    sending = Deferred.fromCoroutine(self._send_one(outgoing, coming, pending))
        finally:
            await sending

    async def _found(self, query: Query) -> AsyncGenerator[Match, None]:
        """:raises IndexFailed: see there."""
        try:
            async with aclosing(self._index.find(query)) as matches:
                async for match in matches:
                    if match is not None:
                        yield match
        except (OSError, ValueError) as error:
            raise IndexFailed(str(error)) from error

    @staticmethod
    async def _send_one(outgoing: Outgoing, coming: Coming, pending: Pending) -> None:
        await outgoing.send(coming)
        await pending.report()

    @property
    def _originator(self) -> tuple[str, int] | None:
        if isinstance(self._request, GetRequest):
            return None
        return self._session.provenance.calling_ae, self._request.message_id

    @property
    def _priority(self) -> int:
        """What is none is not passed on."""
        known: Sequence[int] = list(Priority)
        return self._request.priority if self._request.priority in known else Priority.MEDIUM

    def _ended(self, status: Status, comment: str = "") -> Outcome:
        tally = self._tally
        for reason, count in tally.reasons.most_common():
            self._log.warn(
                "{whose}: {count} of {all} not sent: {reason}",
                whose=self._whose,
                count=count,
                all=tally.done,
                reason=reason,
            )
        reasons = tally.reasons.most_common(1)
        return Outcome(
            status=status,
            comment=error_comment(comment or (reasons[0][0] if reasons else "")),
            size=self._identifier.size,
            data_set=tally.failed_list(self._conversation.context.transfer_syntax),
            sub_operations=tally.counters(with_remaining=status == Status.CANCEL),
            note=f"{self._whither}completed {tally.completed}, "
            f"with warnings {tally.warning}, failed {tally.failed}",
            identifier=self._identifier.kept,
            transfers=self._transfers.studies(),
        )

    async def abandon(self) -> None:
        """Nothing has begun."""


def _of_classes(query: Query, sop_classes: tuple[str, ...] | None) -> Query:
    conditions = query.conditions
    if sop_classes is not None:
        conditions += (Condition("sop_class_uid", UIDList(sop_classes)),)
    return replace(query, conditions=conditions, wanted=WANTED)
