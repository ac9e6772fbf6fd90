"""How many sub-operations of a retrieval are done, and what is said of that (PS3.4 C.4.2.1.6 to .8)."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from sdcc.conformance import IMPLICIT_VR_LITTLE_ENDIAN
from sdcc.dimse.status import Status, is_warning
from sdcc.interfaces import AssociationLost, IConversation, Outcome, SubOperations

#: Bytes of the longest value of an UI in Explicit VR; a list of more UIDs than this can hold is cut.
LONGEST_LIST = 0xFFFE
#: Different reasons of failures that are told apart.
MOST_REASONS = 10
#: (0008,0058)
_FAILED_LIST = (0x0008, 0x0058)


class Tally:
    """What became of each object.

    :ivar reasons: of failures, and how often each.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self.completed = self.failed = self.warning = 0
        self.reasons: Counter[str] = Counter()
        self._failed_uids: list[str] = []
        self._list_length = 0

    @property
    def done(self) -> int:
        return self.completed + self.failed + self.warning

    @property
    def is_over(self) -> bool:
        return self.done >= self._total

    def answered(self, sop_instance_uid: str, status: int) -> str | None:
        """Count what a peer answered; gives the reason where it took nothing."""
        if status == Status.SUCCESS:
            self.completed += 1
        elif is_warning(status):
            self.warning += 1
        else:
            reason = f"the destination answered {status:04X}H"
            self.fail(sop_instance_uid, reason)
            return reason
        return None

    def fail(self, sop_instance_uid: str, reason: str) -> None:
        self.failed += 1
        if reason in self.reasons or len(self.reasons) < MOST_REASONS:
            self.reasons[reason] += 1
        length = len(sop_instance_uid) + 1
        if self._list_length + length <= LONGEST_LIST + 1:
            self._list_length += length
            self._failed_uids.append(sop_instance_uid)

    def counters(self, *, with_remaining: bool) -> SubOperations:
        """What came in meanwhile may make more of them than were counted: never less than none remain."""
        return SubOperations(
            remaining=max(0, self._total - self.done) if with_remaining else None,
            completed=self.completed,
            failed=self.failed,
            warning=self.warning,
        )

    @property
    def status(self) -> Status:
        """Of the last response, where all were tried."""
        if not self.failed and not self.warning:
            return Status.SUCCESS
        if self.failed and not self.completed and not self.warning:
            return Status.UNABLE_TO_PERFORM_SUB_OPERATIONS
        return Status.SUB_OPERATIONS_WITH_FAILURES

    def failed_list(self, transfer_syntax_uid: str) -> bytes | None:
        """The Data Set of the last response: Failed SOP Instance UID List; None: none failed."""
        if not self._failed_uids:
            return None
        value = "\\".join(self._failed_uids).encode("ascii", "replace")
        value += bytes(len(value) % 2)
        if transfer_syntax_uid == IMPLICIT_VR_LITTLE_ENDIAN:
            return struct.pack("<HHI", *_FAILED_LIST, len(value)) + value
        return struct.pack("<HH2sH", *_FAILED_LIST, b"UI", len(value)) + value


class Pending:
    """Tells the peer from time to time how far it has come: after the first object, then no more often than
    :attr:`INTERVAL`; and every :attr:`HEARTBEAT` while an object takes long, so that nobody gives up.

    :param is_quiet: whether nothing is said now: an object is on its way over the peer's own association.
    """

    #: Seconds.
    INTERVAL = 0.2
    HEARTBEAT = 1.0

    def __init__(
        self, conversation: IConversation, tally: Tally, clock: IReactorTime, is_quiet: Callable[[], bool]
    ) -> None:
        self._conversation = conversation
        self._tally = tally
        self._clock = clock
        self._is_quiet = is_quiet
        self._last: float | None = None
        self._is_responding = False
        self._beat: IDelayedCall | None = None

    def start(self) -> None:
        self._beat = self._clock.callLater(self.HEARTBEAT, self._on_beat)

    def stop(self) -> None:
        if self._beat is not None and self._beat.active():
            self._beat.cancel()

    async def report(self) -> None:
        """An object is done.

        :raises AssociationLost: nobody is there any more.
        """
        now = self._clock.seconds()
        is_due = self._last is None or now - self._last >= self.INTERVAL
        if is_due and not self._is_responding and not self._tally.is_over:
            await self._respond()

    async def _respond(self) -> None:
        self._last = self._clock.seconds()
        self._is_responding = True
        try:
            await self._conversation.respond(
                Outcome(status=Status.PENDING, sub_operations=self._tally.counters(with_remaining=True))
            )
        finally:
            self._is_responding = False

    def _on_beat(self) -> None:
        self.start()
        is_due = self._last is None or self._clock.seconds() - self._last >= self.HEARTBEAT
        if is_due and not self._is_responding and not self._is_quiet():
            response: Deferred[None] = Deferred.fromCoroutine(self._respond())
            response.addErrback(_gone)


def _gone(failure: Failure) -> None:
    """The operation sees for itself that nobody is there any more."""
    failure.trap(AssociationLost)
