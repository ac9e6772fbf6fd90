"""Files sent to one peer, association by association, and what became of each.

Prints nothing itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from pydicom.uid import UID
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from sdcc.archive.filesystem import IFileSystem
from sdcc.archive.reading import data_set
from sdcc.control.outgoing import OutgoingFile, batches, contexts
from sdcc.dimse.messages import StoreRequest
from sdcc.dimse.status import Status, is_warning
from sdcc.interfaces import AssociationLost, ICaller, IOwnAssociation, RunInThread
from sdcc.upper_layer.items import MAXIMUM_CONTEXTS, ProposedContext

#: Seconds that an interruption leaves to the object under way.
GRACE = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one file."""

    path: str
    #: None: it could not be read of the file.
    sop_instance_uid: str | None
    #: Of the peer's response; None: there was none.
    status: int | None
    #: The peer's Error Comment, or why there was no response.
    comment: str

    @property
    def is_warning(self) -> bool:
        return self.status is not None and is_warning(self.status)

    @property
    def is_sent(self) -> bool:
        return self.status == Status.SUCCESS or self.is_warning


@dataclass(slots=True)
class Counts:
    sent: int = 0
    failed: int = 0
    warnings: int = 0

    def add(self, result: Result) -> None:
        self.sent += result.is_sent
        self.failed += not result.is_sent
        self.warnings += result.is_warning

    def __str__(self) -> str:
        warnings = f", warnings: {self.warnings}" if self.warnings else ""
        return f"{self.sent} sent, {self.failed} failed{warnings}"


class Sending:
    """
    :param told: told what became of each file.
    :param progressed: told of bytes that the transport has taken, or that never will be sent.
    """

    def __init__(
        self,
        caller: ICaller,
        *,
        called_ae: str,
        calling_ae: str,
        filesystem: IFileSystem,
        run_in_thread: RunInThread,
        clock: IReactorTime,
        told: Callable[[Result], None],
        progressed: Callable[[int], None],
    ) -> None:
        self._caller = caller
        self._called_ae = called_ae
        self._calling_ae = calling_ae
        self._filesystem = filesystem
        self._run_in_thread = run_in_thread
        self._clock = clock
        self._told = told
        self._progressed = progressed
        self._opening: Deferred[IOwnAssociation] | None = None
        self._association: IOwnAssociation | None = None
        self._grace: IDelayedCall | None = None
        #: Responses of the peer, and bytes of the file under way that have been sent.
        self._answers = 0
        self._sent = 0
        self.is_interrupted = False

    async def run(self, files: Sequence[OutgoingFile]) -> None:
        """Send all of them, as far as nobody interrupts."""
        try:
            for batch in batches(files, MAXIMUM_CONTEXTS):
                await self._send(deque(batch))
        finally:
            if self._grace is not None and self._grace.active():
                self._grace.cancel()

    def interrupt(self) -> None:
        """Begin nothing more; what is under way has a moment to end in order."""
        self.is_interrupted = True
        self._grace = self._clock.callLater(GRACE, self._abort)
        if self._opening is not None:
            self._opening.cancel()

    def _abort(self) -> None:
        if self._association is not None:
            self._association.abort()

    async def _send(self, waiting: deque[OutgoingFile]) -> None:
        """One association, and another where one is lost; but none after one that has brought nothing."""
        while waiting and not self.is_interrupted:
            answers = self._answers
            try:
                self._association = await self._open(contexts(waiting))
            except CancelledError:
                return
            except AssociationLost as error:
                self._give_up(waiting, str(error))
                return
            try:
                lost = await self._send_over(self._association, waiting)
            finally:
                await self._association.release()
                self._association = None
            if lost is not None and self._answers == answers and not self.is_interrupted:
                self._give_up(waiting, f"not tried: {lost}")

    async def _open(self, proposed: Sequence[ProposedContext]) -> IOwnAssociation:
        """:raises CancelledError: it is interrupted."""
        self._opening = Deferred.fromCoroutine(self._caller.open(self._called_ae, self._calling_ae, proposed))
        try:
            return await self._opening
        finally:
            self._opening = None

    async def _send_over(self, association: IOwnAssociation, waiting: deque[OutgoingFile]) -> str | None:
        """Gives why the association is lost, if it is."""
        ids = {
            (context.abstract_syntax, context.transfer_syntax): context.id
            for context in association.contexts.values()
        }
        while waiting and not self.is_interrupted:
            file = waiting.popleft()
            if file.pair not in ids:
                sop_class, transfer_syntax = (UID(uid).name for uid in file.pair)
                self._fail(file, f"the peer does not take {sop_class} in {transfer_syntax}")
                continue
            try:
                await self._store(association, ids[file.pair], file)
            except AssociationLost as error:
                self._fail(file, str(error))
                return str(error)
            except OSError as error:  # the file's: whether the association has survived that is not known
                self._fail(file, error.strerror or str(error))
                return None
        return None

    async def _store(self, association: IOwnAssociation, context_id: int, file: OutgoingFile) -> None:
        sop_class_uid, _ = file.pair
        response = await association.request(
            context_id,
            StoreRequest(
                message_id=1,
                affected_sop_class_uid=sop_class_uid,
                affected_sop_instance_uid=file.sop_instance_uid,
            ),
            self._blocks(file),
        )
        self._answers += 1
        self._tell(file, response.status, response.error_comment)

    async def _blocks(self, file: OutgoingFile) -> AsyncIterator[bytes | bytearray]:
        async for block in data_set(
            file.path, file.size, filesystem=self._filesystem, run_in_thread=self._run_in_thread
        ):
            yield block
            self._sent += len(block)
            self._progressed(len(block))

    # --- telling ---

    def _give_up(self, waiting: deque[OutgoingFile], reason: str) -> None:
        while waiting:
            self._fail(waiting.popleft(), reason)

    def _fail(self, file: OutgoingFile, reason: str) -> None:
        self._tell(file, None, reason)

    def _tell(self, file: OutgoingFile, status: int | None, comment: str) -> None:
        left, self._sent = file.size - self._sent, 0
        self._progressed(left)
        self._told(
            Result(path=file.path, sop_instance_uid=file.sop_instance_uid, status=status, comment=comment)
        )
