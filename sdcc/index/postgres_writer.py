"""The one writing session of a PostgreSQL index: kept open, opened anew, and what its loss means.

A group whose commit is interrupted is committed again on the next session, which changes nothing if the
first commit has succeeded. An object that was answered meanwhile, with an unknown outcome, is not committed
again: it is settled on the next session, before anything else. After that it is registered or never will be.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredList, DeferredLock
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from sdcc.index import postgres_schema
from sdcc.index.doubts import Doubt, Journal
from sdcc.index.grouping import GroupCommit, Interrupted, Result, Settled
from sdcc.index.postgres_session import Lost, Refused, Session, Unreachable, closing_on_error, reason
from sdcc.index.postgres_statements import register, settle
from sdcc.index.restoring import Found
from sdcc.interfaces import IndexFigures, OutOfResources, Registered, StoredObject, Unstorable

T = TypeVar("T")

#: Seconds from one attempt to open a session to the next: at first, and at most. They double in between.
FIRST_DELAY = 0.1
MAXIMUM_DELAY = 5.0
#: How often a group is tried that another transaction was in conflict with.
ATTEMPTS = 3
#: Doubts that are settled in one transaction.
MAXIMUM_SETTLED = 128

#: Why there may be no session.
FAULTS = (Unreachable, Lost, Refused, ValueError, OSError)

#: Opens a session; the callable is told if it is lost while nothing is executed.
Open = Callable[[Callable[[Lost], None]], Awaitable[Session]]
#: Removes the file of a path that no row names.
Remove = Callable[[str], Awaitable[None]]


@dataclass(slots=True)
class _Absence:
    """The time for which there is no session."""

    since: float
    reason: str = "index unreachable: not connected yet"
    #: What the log has said of it.
    told: set[str] = field(default_factory=set)


class Writer:
    """Registers objects, in groups, as soon as there is a session.

    :param timeout: seconds that a registration may take.
    :param remove: for files of objects that were in doubt.
    """

    _log = Logger()

    def __init__(
        self,
        open_session: Open,
        *,
        journal: Journal,
        remove: Remove,
        clock: IReactorTime,
        timeout: float,
    ) -> None:
        self._open = open_session
        self._journal = journal
        self._remove = remove
        self._clock = clock
        self._timeout = timeout
        self._queue = GroupCommit(
            self._commit, clock=clock, timeout=timeout, doubt=self._take_note, unsettled=self._settle_anew
        )
        self._session: Session | None = None
        #: Held by the one transaction that the session is in.
        self._turn = DeferredLock()
        self._doubts: dict[Doubt, Settled | None] = {}
        self._tasks: set[Deferred[Any]] = set()
        self._is_stopped = False
        self._delay = FIRST_DELAY
        self._trial: IDelayedCall | None = None
        #: Long ago, so that nobody waits for the first session.
        self._absence: _Absence | None = _Absence(since=float("-inf"))
        self._queue.hold(self._absence.reason)

    @property
    def refusal(self) -> str | None:
        """Why nothing can be registered; a short absence of the database is waited for instead."""
        if self._absence is None:
            return self._queue.late
        is_long = self._clock.seconds() - self._absence.since >= self._timeout
        return self._absence.reason if is_long else None

    @property
    def figures(self) -> IndexFigures:
        return IndexFigures(self._queue.groups, len(self._doubts))

    def start(self) -> None:
        """Open a session as soon as possible."""
        Deferred.fromCoroutine(self._connect())

    async def submit(self, stored: StoredObject) -> Registered:
        return await self._queue.submit(stored)

    async def rest(self) -> None:
        """Wait until everything is answered. There may be doubts left."""
        await self._queue.rest()

    async def stop(self, close_sessions: Callable[[], None]) -> None:
        """End what is under way.

        :param close_sessions: closes those too that are still being opened.
        """
        self._is_stopped = True
        if self._trial is not None:
            self._trial.cancel()
            self._trial = None
        close_sessions()
        while self._tasks:
            await DeferredList([*self._tasks])
        await self._journal.close()

    # --- registration ---

    async def _commit(self, group: Sequence[StoredObject]) -> Sequence[Result]:
        async with self._turn:
            session = self._session
            if session is None:  # a change before this has lost it
                raise Interrupted
            try:
                return await self._commit_on(session, group)
            except Lost as loss:
                self._lose(loss)
                raise Interrupted from loss

    async def change(self, change: Callable[[Session], Awaitable[T]]) -> T:
        """Change something in a transaction of its own, between two groups.

        :raises OutOfResources: not changed, as far as is known.
        """
        async with self._turn:
            session = self._session
            if session is None:
                raise OutOfResources(self._absence.reason if self._absence else "index is stopped")
            try:
                return await change(session)
            except (Refused, Lost) as error:
                if isinstance(error, Lost) or error.is_of_database:
                    self._lose(error)
                raise OutOfResources(reason(error)) from None

    async def _commit_on(self, session: Session, group: Sequence[StoredObject]) -> Sequence[Result]:
        """Commit a group in one transaction; where one object's row spoils it for others, by halves."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await register(session, group)
            except Refused as refused:
                refusal = refused
            if attempt == ATTEMPTS or not refusal.is_conflict:
                break
        if refusal.is_of_row and len(group) > 1:
            middle = len(group) // 2
            halves = group[:middle], group[middle:]
            return [result for half in halves for result in await self._commit_on(session, half)]
        if refusal.is_of_database:
            self._lose(refusal)
        kind = Unstorable if refusal.is_of_row else OutOfResources
        return [kind(reason(refusal)) for _ in group]

    def _settle_anew(self) -> None:
        """Doubts are settled first thing on a session, so there must be another."""
        self._lose(Lost("an interrupted registration failed when it was repeated"))

    # --- the session ---

    async def _connect(self) -> None:
        try:
            session = await self._open(self._lose)
            with closing_on_error(session):
                await postgres_schema.prepare(session)
                await self._settle(session)
        except Exception as error:  # The boundary: whatever it is, it is tried again.
            if not isinstance(error, FAULTS):
                self._log.failure("Index: a fault of the program")
            self._miss(error)
            return
        self._delay = FIRST_DELAY
        self._session, self._absence = session, None
        self._log.info("Index: PostgreSQL is there")
        self._queue.release()

    def _lose(self, error: Exception) -> None:
        """The session is gone, or of no use."""
        if self._session is not None:
            self._session.close()
            self._session = None
            self._miss(error)

    def _miss(self, error: Exception) -> None:
        """There is no session: say so, and try again."""
        if self._is_stopped:
            return
        if self._absence is None:
            self._absence = _Absence(since=self._clock.seconds())
        self._absence.reason = reason(error)
        self._tell(self._absence, " ".join(str(error).split()))
        self._queue.hold(self._absence.reason)
        self._trial = self._clock.callLater(self._delay, self._try_again)
        self._delay = min(2 * self._delay, MAXIMUM_DELAY)

    def _try_again(self) -> None:
        self._trial = None
        Deferred.fromCoroutine(self._connect())

    def _tell(self, absence: _Absence, text: str) -> None:
        if not absence.told:
            self._log.error("Index: PostgreSQL is away: {reason}", reason=text)
        elif text not in absence.told:
            self._log.info("Index: PostgreSQL is still away: {reason}", reason=text)
        absence.told.add(text)

    def _begin(self, task: Coroutine[Deferred[Any], Any, None]) -> None:
        """Begin what :meth:`stop` waits for."""
        pending = Deferred.fromCoroutine(task)
        self._tasks.add(pending)
        pending.addErrback(self._log_fault)
        pending.addBoth(lambda _: self._tasks.discard(pending))

    def _log_fault(self, failure: Failure) -> None:
        self._log.failure("Index: a fault of the program", failure)

    # --- doubts ---

    async def _take_note(self, stored: StoredObject, settled: Settled) -> None:
        if isinstance(stored, Found):  # to settle it would give its file up
            return
        doubt = Doubt(stored.instance.sop_instance_uid, stored.file.path)
        self._doubts[doubt] = settled
        settled.addCallbacks(self._ended, self._keep, callbackArgs=(doubt,), errbackArgs=(doubt,))
        await self._journal.note(doubt)

    async def _settle(self, session: Session) -> None:
        for doubt in await self._journal.take_over():
            self._doubts.setdefault(doubt, None)
        # Until there is none: meanwhile, the time of others may have run out.
        while some := [*self._doubts][:MAXIMUM_SETTLED]:
            for doubt, outcome in zip(some, await settle(session, some), strict=True):
                self._conclude(outcome, doubt)

    def _ended(
        self, outcome: Registered | None, doubt: Doubt
    ) -> Registered | Deferred[Registered | None] | None:
        """The commit of an object has ended, that is in doubt, or the doubt has."""
        if doubt not in self._doubts:
            return outcome
        if outcome is not None:
            self._doubts[doubt] = None
            self._conclude(outcome, doubt)
            return outcome
        # That it failed is not enough: another process may have registered the file that it found.
        settled = self._doubts[doubt] = Deferred()
        self._begin(self._settle_failed(doubt))
        return settled

    async def _settle_failed(self, doubt: Doubt) -> None:
        try:
            [outcome] = await self.change(lambda session: settle(session, [doubt]))
        except OutOfResources as error:
            self._lose(Lost(str(error)))  # the next session settles it
            return
        if doubt in self._doubts:
            self._conclude(outcome, doubt)

    def _conclude(self, outcome: Registered | None, doubt: Doubt) -> None:
        """It is certain what became of an object, and stays so."""
        settled = self._doubts.pop(doubt)
        loser = doubt.path if outcome is None else outcome.replaced
        self._begin(self._remove_and_strike(loser, doubt))
        if settled is not None:
            settled.callback(outcome)

    async def _remove_and_strike(self, loser: str | None, doubt: Doubt) -> None:
        """A doubt stays written down until its file is gone, or a crash in between would leave an orphan."""
        if loser is not None:
            await self._remove(loser)
        await self._journal.strike(doubt)

    def _keep(self, failure: Failure, doubt: Doubt) -> Failure:
        """The program failed before the outcome was known: the next session settles it."""
        self._doubts[doubt] = None
        return failure
