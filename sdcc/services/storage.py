"""The Storage Service Class as SCP (PS3.4 Annex B): from a C-STORE-RQ to an object that is safe.

Success is answered when the object's file and its row are durable, and nothing of the object stays
behind any other answer. Of the archive and the index it knows only :mod:`sdcc.interfaces`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import NamedTuple

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from sdcc.conformance import STORAGE_SERVICE
from sdcc.dimse.command import CommandField
from sdcc.dimse.messages import StoreRequest, error_comment
from sdcc.dimse.status import Status
from sdcc.interfaces import (
    Announcement,
    CannotUnderstand,
    DataSetMismatch,
    Durations,
    IIndex,
    IObjectStore,
    IOperation,
    IReception,
    IServiceProvider,
    NotStored,
    Outcome,
    OutcomeUnknown,
    OutOfResources,
    Session,
    StoredObject,
)
from sdcc.services.operation import Decided

#: What an object that was not kept is answered with; the first that fits.
STATUSES: tuple[tuple[type[NotStored], Status], ...] = (
    (OutOfResources, Status.OUT_OF_RESOURCES),
    (DataSetMismatch, Status.DATA_SET_DOES_NOT_MATCH),
    (CannotUnderstand, Status.CANNOT_UNDERSTAND),
    (NotStored, Status.PROCESSING_FAILURE),
)


class _Kept(NamedTuple):
    """An object that is safe."""

    stored: StoredObject
    #: When its file was durable.
    synced_at: float
    has_replaced: bool


@implementer(IServiceProvider)
class StorageProvider:
    """C-STORE.

    :param clock: measures what a C-STORE takes.
    :param congestion: why no more can be taken into memory at present; None: it can.
    :param registered: told, at once, of the Study Instance UID of each object that has been.
    """

    service = STORAGE_SERVICE
    command_fields = frozenset({CommandField.C_STORE_RQ})

    _log = Logger()

    def __init__(
        self,
        objects: IObjectStore,
        index: IIndex,
        clock: IReactorTime,
        congestion: Callable[[], str | None] = lambda: None,
        registered: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._objects = objects
        self._index = index
        self._clock = clock
        self._congestion = congestion
        self._registered = registered
        self._removals: set[Deferred[None]] = set()

    @property
    def refusal(self) -> str | None:
        """Why nothing can be stored at present; None: it can."""
        refusal: str | None = self._objects.refusal or self._index.refusal or self._congestion()
        return refusal

    def begin(self, request: StoreRequest, transfer_syntax_uid: str, session: Session) -> IOperation:
        if not request.has_data_set:
            return Decided(
                Status.CANNOT_UNDERSTAND, "C-STORE-RQ without a Data Set", on_written=session.on_written
            )
        if (refusal := self.refusal) is not None:
            return Decided(Status.OUT_OF_RESOURCES, error_comment(refusal), on_written=session.on_written)
        announcement = Announcement(
            sop_class_uid=request.affected_sop_class_uid,
            sop_instance_uid=request.affected_sop_instance_uid,
            transfer_syntax_uid=transfer_syntax_uid,
            provenance=session.provenance,
        )
        return _Store(self._objects.begin(announcement, session.on_written), self._keep, self._clock)

    async def settle(self) -> None:
        """Wait for the removal of files whose operations have been answered.

        For a stop: after the index's, which may settle doubts, and before the archive's. A doubt
        that is left even then is not waited for.
        """
        while self._removals:
            await DeferredList(list(self._removals))

    async def _keep(self, reception: IReception) -> _Kept:
        """Return when the object is safe; a file that took part and is not wanted goes away.

        :raises NotStored: the object is not kept, as far as is known.
        """
        stored: StoredObject = await reception.complete()
        synced = self._clock.seconds()
        path = stored.file.path
        try:
            registered = await self._index.register(stored)
        except OutcomeUnknown as doubt:
            Deferred.fromCoroutine(self._settle(path, doubt)).addErrback(self._stays, path)
            raise
        except OutOfResources:
            await self._objects.remove(path)
            raise
        except Exception:  # a fault of the program, past which the index's contract says nothing
            self._remove_later(self._remove_disowned(stored), path)
            raise
        self._registered(stored.study.study_instance_uid)
        if registered.replaced is not None:
            self._remove_later(self._objects.remove(registered.replaced), registered.replaced)
        return _Kept(stored, synced, registered.replaced is not None)

    async def _settle(self, path: str, doubt: OutcomeUnknown) -> None:
        """When the outcome is known, which may take long, remove the file that lost."""
        registered = await doubt.settled
        loser = path if registered is None else registered.replaced
        if loser is not None:
            self._remove_later(self._objects.remove(loser), loser)

    async def _remove_disowned(self, stored: StoredObject) -> None:
        path = stored.file.path
        try:
            if await self._index.disown(stored.instance.sop_instance_uid, path):
                await self._objects.remove(path)
        except OutOfResources as error:
            self._log.warn("{path} is left where it is: {reason}", path=path, reason=error)

    def _remove_later(self, removal: Coroutine[Deferred[None], object, None], path: str) -> None:
        """Begin to remove a file, keeping nobody waiting but :meth:`settle`."""
        pending = Deferred.fromCoroutine(removal)
        self._removals.add(pending)
        pending.addErrback(self._stays, path)
        pending.addBoth(lambda _: self._removals.remove(pending))

    def _stays(self, failure: Failure, path: str) -> None:
        self._log.failure("{path} is left where it is", failure, path=path)


@implementer(IOperation)
class _Store:
    """One C-STORE.

    :param keep: completes the reception and registers what it gives.
    """

    _log = Logger()

    def __init__(
        self,
        reception: IReception,
        keep: Callable[[IReception], Awaitable[_Kept]],
        clock: IReactorTime,
    ) -> None:
        self._reception = reception
        self._keep = keep
        self._clock = clock
        self._size = 0
        self._begun = clock.seconds()

    def write(self, data: memoryview) -> None:
        self._size += len(data)
        self._reception.write(data)

    async def complete(self) -> Outcome:
        received = self._clock.seconds()
        try:
            kept = await self._keep(self._reception)
        except NotStored as fault:
            status = next(status for kind, status in STATUSES if isinstance(fault, kind))
            return Outcome(status=status, comment=error_comment(str(fault)), size=self._size)
        except Exception:  # the boundary of an operation: a fault of the program ends no association
            self._log.failure("C-STORE failed")
            return Outcome(
                status=Status.PROCESSING_FAILURE, comment="A fault of the program", size=self._size
            )
        return Outcome(
            status=Status.SUCCESS,
            size=self._size,
            durations=Durations(
                received - self._begun, kept.synced_at - received, self._clock.seconds() - kept.synced_at
            ),
            stored=kept.stored,
            has_replaced=kept.has_replaced,
        )

    async def abandon(self) -> None:
        await self._reception.abandon()
