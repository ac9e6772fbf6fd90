"""The transactions of Storage Commitment, each from its request to its report (PS3.4 J.3).

A request is written down before it is answered, and stays written down until its peer has taken the report:
whatever ends the process, the next one goes on. What is found of the objects is kept in memory alone, so
that after a start they are looked at anew.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, DeferredLock, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from sdcc.interfaces import (
    AssociationLost,
    CommitmentRequest,
    ICaller,
    ICommitmentJournal,
    IConversation,
    Provenance,
)
from sdcc.pauses import Pauses
from sdcc.services.commitment.references import ActionInformation, digest
from sdcc.services.commitment.reports import (
    A_FAULT,
    FIRST_PAUSE,
    GIVEN_UP_AFTER,
    LONGEST_PAUSE,
    NotTaken,
    Owed,
    Recipient,
    Reports,
)
from sdcc.services.commitment.safekeeping import Interrupted, Safekeeping

#: What may be owed at once: more than a modality asks for in three days during which nobody takes its
#: reports. A transaction costs about 1 KiB of memory, a reference two bytes, and some hundred on disk.
MAXIMUM_TRANSACTIONS = 10_000
MAXIMUM_REFERENCES_OWED = 1_000_000
#: Transactions whose objects are looked at in turn: so a large one does not keep the small ones waiting.
CHECKED_AT_ONCE = 4
#: Why a peer is not told that cannot be called.
NO_WAY = "it has no port in [[remote]], and its association is over"


class TransactionInUse(Exception):
    """Another request has this Transaction UID, which identifies one only (PS3.4 J.3.2.1.2)."""


class TooMuchOwed(Exception):
    """No more can be promised at present. The text is for the Error Comment."""


class Transactions:
    """All that this process has to see to.

    :param now: the time, aware, UTC.
    """

    _log = Logger()

    def __init__(
        self,
        journal: ICommitmentJournal,
        safekeeping: Safekeeping,
        reports: Reports,
        caller: ICaller,
        *,
        clock: IReactorTime,
        now: Callable[[], datetime.datetime],
    ) -> None:
        self._journal = journal
        self._safekeeping = safekeeping
        self._reports = reports
        self._caller = caller
        self._clock = clock
        self._now = now
        self._pauses = Pauses(clock)
        self._checks = DeferredSemaphore(CHECKED_AT_ONCE)
        #: Held while what is written down is taken up.
        self._taking_up = DeferredLock()
        #: By calling AE, called AE and Transaction UID; None: it is being written down.
        self._owed: dict[tuple[str, str, str], Owed | None] = {}
        self._references = 0
        #: By calling and called AE.
        self._recipients: dict[tuple[str, str], Recipient] = {}
        self._under_way: set[Deferred[None]] = set()
        self._is_stopping = False

    # --- from the service ---

    def start(self) -> None:
        """Take up what is written down; called in the reactor's thread."""
        self._begin(self._take_up())

    def retry(self) -> None:
        """Whom nobody could tell so far is tried at once: it may be somewhere else now."""
        for recipient in self._recipients.values():
            recipient.retry()

    def interrupt(self) -> None:
        """Begin nothing new, and end what can be ended. What is asked for is still written down."""
        self._is_stopping = True
        self._pauses.end()
        for recipient in self._recipients.values():
            recipient.interrupt()

    async def stop(self) -> None:
        """After :meth:`interrupt`, and the end of all associations: return when nothing is under way."""
        while self._under_way:
            await DeferredList(list(self._under_way))
        for recipient in self._recipients.values():
            await recipient.stop()

    # --- from an operation ---

    async def take(
        self, information: ActionInformation, provenance: Provenance, conversation: IConversation
    ) -> None:
        """Return when a report is certain to come, whatever happens.

        The same request once more, as of a peer that has not heard the answer, is reported on once: over the
        newer association, if it is still to be.

        :raises TransactionInUse: see there.
        :raises TooMuchOwed: see there.
        :raises OSError: it cannot be written down.
        """
        async with self._taking_up:
            pass  # until then nobody knows which Transaction UIDs are in use
        key = (provenance.calling_ae, provenance.called_ae, information.transaction_uid)
        if key in self._owed:
            known = self._owed[key]
            if known is None or known.digest != information.digest:
                raise TransactionInUse
            known.conversation = conversation
            recipient = self._recipients.get((provenance.calling_ae, provenance.called_ae))
            if recipient is not None and recipient.withdraw(known):
                self._clock.callLater(0, self._begin_to_see_to, known)
            return
        size = len(information.references)
        if len(self._owed) >= MAXIMUM_TRANSACTIONS or self._references + size > MAXIMUM_REFERENCES_OWED:
            raise TooMuchOwed("Too many reports are owed at present")
        request = CommitmentRequest(
            transaction_uid=information.transaction_uid,
            references=information.references,
            provenance=provenance,
            requested_at=self._now(),
        )
        self._owed[key] = None
        self._references += size
        try:
            name = await self._journal.add(request)
        except BaseException:
            del self._owed[key]
            self._references -= size
            raise
        owed = self._owed[key] = _owed(name, request, information.digest, conversation)
        # The response is to go first, and it goes when this has returned.
        self._clock.callLater(0, self._begin_to_see_to, owed)

    # --- each ---

    def _begin(self, work: Coroutine[Deferred[Any], Any, None]) -> None:
        under_way = Deferred.fromCoroutine(work)
        self._under_way.add(under_way)
        under_way.addErrback(lambda failure: self._log.failure("Storage Commitment has failed", failure))
        under_way.addBoth(lambda _: self._under_way.discard(under_way))

    def _begin_to_see_to(self, owed: Owed) -> None:
        if not self._is_stopping:
            self._begin(self._see_to(owed))

    async def _take_up(self) -> None:
        async with self._taking_up:
            taken_up = await self._all_written_down()
        if taken_up:
            self._log.info("Storage Commitment, reports owed: {number}", number=len(taken_up))
        for owed in taken_up:
            self._begin_to_see_to(owed)

    async def _all_written_down(self) -> list[Owed]:
        taken_up: list[Owed] = []
        try:
            names = await self._journal.names()
        except OSError as error:
            self._log.error(
                "Storage Commitment: nothing that is owed can be read: {error}", error=error.strerror
            )
            return taken_up
        for name in names:
            if self._is_stopping:
                break
            try:
                request = await self._journal.read(name)
                owed = _owed(name, request, digest(request.references), None)
                if (known := self._owed.get(owed.key)) is None:
                    self._owed[owed.key] = owed
                    self._references += owed.size
                    taken_up.append(owed)
                elif known.digest == owed.digest:  # a process was asked once more for what a dead one owed
                    await self._journal.remove(name)
                else:
                    raise ValueError(f"{owed.whose} is in use by another request")
            except (OSError, ValueError) as error:
                self._log.error(
                    "Storage Commitment: {name} is left as it is, and nobody is told: {error}",
                    name=name,
                    error=error,
                )
        return taken_up

    async def _see_to(self, owed: Owed) -> None:
        """Until it is over, or waits for its recipient, or the process stops."""
        pause = FIRST_PAUSE
        while not self._is_stopping:
            try:
                await self._try(owed)
                return
            except Interrupted:
                return
            except (NotTaken, OSError, ValueError) as error:
                reason = str(error)
            except Exception:  # the boundary: what one attempt fails at, the next one may not
                self._log.failure("{whose} has failed", whose=owed.whose)
                reason = A_FAULT
            if self._now() - owed.requested_at >= GIVEN_UP_AFTER:
                await self._end(owed, reason)
                return
            self._log.warn(
                "{whose}: next attempt in {pause:.0f} s: {reason}",
                whose=owed.whose,
                pause=pause,
                reason=reason,
            )
            await self._pauses.rest(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _try(self, owed: Owed) -> None:
        """
        :raises NotTaken: by a peer that can be told on this association only.
        :raises Interrupted: the process stops.
        :raises OSError: the journal or the index cannot be read: nothing follows for the objects.
        :raises ValueError: one of them is damaged.
        """
        may_call = self._caller.may_call(owed.provenance.calling_ae)
        if owed.conversation is None and not may_call:
            await self._end(owed, NO_WAY)
            return
        async with self._checks:
            if self._is_stopping:
                return
            owed.reasons = await self._safekeeping.reasons(
                (await self._journal.read(owed.name)).references,
                whose=owed.whose,
                goes_on=lambda: not self._is_stopping,
            )
        while (conversation := owed.conversation) is not None and not self._is_stopping:
            try:
                await self._reports.send(owed, conversation.requests, conversation.context)
            except (AssociationLost, NotTaken) as error:
                if isinstance(error, NotTaken) and not may_call:
                    raise
                self._log.debug("{whose}: {reason}", whose=owed.whose, reason=error)
                if owed.conversation is conversation:  # and not that of the same request once more
                    owed.conversation = None
            else:
                await self._end(owed, None)
                return
        if self._is_stopping:
            return
        if may_call:
            self._recipient(owed.provenance).add(owed)
        else:
            await self._end(owed, NO_WAY)

    def _recipient(self, provenance: Provenance) -> Recipient:
        key = (provenance.calling_ae, provenance.called_ae)
        if key not in self._recipients:
            self._recipients[key] = Recipient(
                *key,
                caller=self._caller,
                reports=self._reports,
                clock=self._clock,
                now=self._now,
                ended=self._end,
            )
        return self._recipients[key]

    async def _end(self, owed: Owed, reason: str | None) -> None:
        """Nothing is owed any more.

        :param reason: why the peer has not been told; None: it has.
        """
        del self._owed[owed.key]
        self._references -= owed.size
        if reason is not None:
            self._log.error(
                "{whose}, objects: {number}, is given up, and nobody is told: {reason}",
                whose=owed.whose,
                number=owed.size,
                reason=reason,
            )
        else:
            assert owed.reasons is not None
            failures = sum(map(bool, owed.reasons))
            self._log.info(
                "{whose} is reported: committed {committed}, failed {failures}",
                whose=owed.whose,
                committed=owed.size - failures,
                failures=failures,
            )
        await self._journal.remove(owed.name)


def _owed(name: str, request: CommitmentRequest, digest: bytes, conversation: IConversation | None) -> Owed:
    return Owed(
        name=name,
        transaction_uid=request.transaction_uid,
        provenance=request.provenance,
        requested_at=request.requested_at,
        size=len(request.references),
        digest=digest,
        conversation=conversation,
    )
