"""How a Storage Commitment Result reaches its peer (PS3.4 J.3.3): by N-EVENT-REPORT, over some association.

A report may come twice, where the peer's answer to the first was lost; it never stays out while the peer can
be reached within :data:`GIVEN_UP_AFTER`.
"""

from __future__ import annotations

import datetime
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from sdcc.conformance import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    STORAGE_COMMITMENT,
    STORAGE_COMMITMENT_INSTANCE,
)
from sdcc.dimse.messages import EventReportRequest, Response
from sdcc.dimse.status import Status, is_warning
from sdcc.interfaces import (
    AssociationLost,
    CommitmentRequest,
    ICaller,
    ICommitmentJournal,
    IConversation,
    IOwnAssociation,
    IRequests,
    Provenance,
    RunInThread,
)
from sdcc.pauses import Pauses
from sdcc.services.commitment.references import Failure, event_information
from sdcc.services.commitment.safekeeping import COMMITTED
from sdcc.upper_layer.items import ProposedContext
from sdcc.upper_layer.negotiation import PresentationContext

#: Event Types (PS3.4 Table J.3-2).
ALL_COMMITTED, FAILURES_EXIST = 1, 2
#: Seconds to the second attempt, when a peer has most likely only been busy, and at most from one to the
#: next: a modality that was switched off for the night is found within the hour.
FIRST_PAUSE, LONGEST_PAUSE = 10.0, 3600.0
#: From the request on: a modality that is switched off on Friday evening is back on Monday morning.
GIVEN_UP_AFTER = datetime.timedelta(days=3)
#: Why nobody is told yet, where the log says more.
A_FAULT = "a fault of the program"
#: Bytes of a Data Set that are handed over at once.
BLOCK = 64 * 1024

CONTEXT = ProposedContext(
    id=1,
    abstract_syntax=STORAGE_COMMITMENT,
    transfer_syntaxes=(EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN),
)


class NotTaken(Exception):
    """The peer has answered a report with a failure, or cannot be given it in this way."""


@dataclass(slots=True, eq=False, kw_only=True)
class Owed:
    """A request that is to be reported on. What it asks for is in the journal, where it takes no memory."""

    name: str
    transaction_uid: str
    provenance: Provenance
    requested_at: datetime.datetime
    #: How many references it has, and what tells them from others.
    size: int
    digest: bytes
    #: Of the association that the request came on, while it may be open yet.
    conversation: IConversation | None = None
    #: Once it is checked: as :meth:`~sdcc.services.safekeeping.Safekeeping.reasons` gives it.
    reasons: array[int] | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from all others that are owed."""
        return self.provenance.calling_ae, self.provenance.called_ae, self.transaction_uid

    @property
    def whose(self) -> str:
        """For the log."""
        return f"Storage Commitment {self.transaction_uid} of {self.provenance.calling_ae}"


class Reports:
    """Sends reports, each once; nothing is retried here."""

    def __init__(self, journal: ICommitmentJournal, run_in_thread: RunInThread) -> None:
        self._journal = journal
        self._run_in_thread = run_in_thread

    async def send(self, owed: Owed, requests: IRequests, context: PresentationContext) -> None:
        """Return when the peer has taken it.

        :raises NotTaken: see there.
        :raises AssociationLost: the association is over, and this is not answered.
        :raises OSError: the journal cannot be read.
        :raises ValueError: it is damaged.
        """
        assert owed.reasons is not None
        data_set = await self._run_in_thread(
            _data_set, await self._journal.read(owed.name), owed.reasons, context.transfer_syntax
        )
        message = EventReportRequest(
            message_id=1,
            affected_sop_class_uid=STORAGE_COMMITMENT,
            affected_sop_instance_uid=STORAGE_COMMITMENT_INSTANCE,
            event_type_id=FAILURES_EXIST if any(owed.reasons) else ALL_COMMITTED,
        )
        response: Response = await requests.request(context.id, message, _blocks(data_set))
        status = response.status
        if status != Status.SUCCESS and not is_warning(status):
            raise NotTaken(f"N-EVENT-REPORT was answered {status:04X} {response.error_comment}".rstrip())


def _data_set(request: CommitmentRequest, reasons: array[int], transfer_syntax_uid: str) -> bytes:
    judged = list(zip(request.references, reasons, strict=True))
    return event_information(
        request.transaction_uid,
        [reference for reference, reason in judged if reason == COMMITTED],
        [Failure(reference, reason) for reference, reason in judged if reason != COMMITTED],
        retrieve_ae_title=request.provenance.called_ae,
        transfer_syntax_uid=transfer_syntax_uid,
    )


async def _blocks(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), BLOCK):
        yield data[start : start + BLOCK]


class Recipient:
    """A peer that reports wait for, which associations have to be opened to.

    However many wait, one association is open at a time, and one attempt made from pause to pause.

    :param calling_ae: of the requests, which is called now; and
    :param called_ae: of the requests, which calls now (PS3.4 J.3.3.1.2, note 2).
    :param ended: told of a report that nobody waits for any more; and why, where it was given up.
    """

    _log = Logger()

    def __init__(
        self,
        calling_ae: str,
        called_ae: str,
        *,
        caller: ICaller,
        reports: Reports,
        clock: IReactorTime,
        now: Callable[[], datetime.datetime],
        ended: Callable[[Owed, str | None], Awaitable[None]],
    ) -> None:
        self._calling_ae = calling_ae
        self._called_ae = called_ae
        self._caller = caller
        self._reports = reports
        self._now = now
        self._ended = ended
        self._pauses = Pauses(clock)
        self._pause = FIRST_PAUSE
        #: In the order in which they are to be tried.
        self._waiting: dict[Owed, None] = {}
        #: The association to the peer, before it stands and while it does.
        self._opening: Deferred[IOwnAssociation] | None = None
        self._association: IOwnAssociation | None = None
        #: That which the peer is being told.
        self._sending: Owed | None = None
        #: Whether one was added that has not been tried.
        self._has_new = False
        self._is_stopping = False
        self._running: Deferred[None] | None = None

    def add(self, owed: Owed) -> None:
        """Report as soon as possible: who has just asked is there."""
        self._waiting[owed] = None
        self._has_new = True
        self.retry()
        if self._running is None and not self._is_stopping:
            running = Deferred.fromCoroutine(self._run())
            if not running.called:
                self._running = running

    def retry(self) -> None:
        """End the pause, and have the next ones grow anew."""
        self._pause = FIRST_PAUSE
        self._pauses.end()

    def withdraw(self, owed: Owed) -> bool:
        """Whether it has been waiting here, and does so no more."""
        if owed is self._sending or owed not in self._waiting:
            return False
        del self._waiting[owed]
        return True

    def interrupt(self) -> None:
        """Begin nothing new, and end what is under way."""
        self._is_stopping = True
        self._pauses.end()
        if self._opening is not None:
            self._opening.cancel()
        if self._association is not None:
            self._association.abort()

    async def stop(self) -> None:
        """After :meth:`interrupt`: return when nothing is under way any more."""
        if self._running is not None:
            await self._running

    async def _run(self) -> None:
        try:
            while self._waiting and not self._is_stopping:
                reason = await self._try_whatever_comes()
                if self._is_stopping:
                    break
                for owed in tuple(self._waiting):
                    if owed in self._waiting and self._now() - owed.requested_at >= GIVEN_UP_AFTER:
                        await self._end(owed, reason)
                if self._waiting and not self._has_new:
                    await self._rest(reason)
        finally:
            self._running = None

    async def _try_whatever_comes(self) -> str:
        try:
            return await self._try()
        except Exception:  # the boundary: what one attempt fails at, the next one may not
            self._log.failure("Reporting to {ae} has failed", ae=self._calling_ae)
            return A_FAULT

    async def _rest(self, reason: str) -> None:
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE)
        self._log.warn(
            "Storage Commitment reports wait for {ae}: {number}, next attempt in {pause:.0f} s: {reason}",
            number=len(self._waiting),
            ae=self._calling_ae,
            pause=pause,
            reason=reason,
        )
        await self._pauses.rest(pause)

    async def _try(self) -> str:
        """Report on all that wait, over one association; why some wait still."""
        self._opening = Deferred.fromCoroutine(
            self._caller.open(self._calling_ae, self._called_ae, (CONTEXT,))
        )
        try:
            association = await self._opening
        except (AssociationLost, CancelledError) as error:
            return str(error)
        finally:
            self._opening = None
            self._has_new = False
        self._association = association
        try:
            return await self._report_over(association)
        finally:
            self._association = None
            await association.release()

    async def _report_over(self, association: IOwnAssociation) -> str:
        context = association.contexts.get(CONTEXT.id)
        # By default the requestor of an association is the SCU, which has nothing to report (J.3.3.1.2).
        if context is None or not context.requestor_is_scp:
            lacking = "Presentation Context" if context is None else "role of SCP"
            return f"the {lacking} of Storage Commitment was not granted"
        reason = ""
        for owed in tuple(self._waiting):
            if self._is_stopping:
                break
            if owed not in self._waiting:
                continue
            self._sending = owed
            # To the end: one that its peer stumbles over every time does not keep the others waiting.
            self._waiting[owed] = self._waiting.pop(owed)
            try:
                await self._reports.send(owed, association, context)
            except AssociationLost as error:
                return str(error)
            except (NotTaken, OSError, ValueError) as error:
                reason = str(error)
            else:
                self._pause = FIRST_PAUSE
                await self._end(owed, None)
            finally:
                self._sending = None
        return reason

    async def _end(self, owed: Owed, reason: str | None) -> None:
        del self._waiting[owed]
        await self._ended(owed, reason)
