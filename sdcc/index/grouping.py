"""Group commit: while one transaction runs, the objects that arrive wait and go together in the next.

An object is answered when the transaction that holds it ends, or at the timeout: refused for certain
while it has never been in one, with an unknown outcome otherwise. Knows no database.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from sdcc.interfaces import NotStored, OutcomeUnknown, OutOfResources, Registered, StoredObject

#: Objects in one transaction at most, so that the first of them does not wait long for the last.
MAXIMUM_GROUP = 128

#: How one object of a group was answered by the database. OutcomeUnknown, where even the database cannot say.
Result = Registered | NotStored
#: Commits a group and gives a result for each of it, in its order. What it raises but :class:`Interrupted`
#: is a fault of the program, which every object of the group is answered with.
Commit = Callable[[Sequence[StoredObject]], Awaitable[Sequence[Result]]]
#: Where the outcome of an object goes whose answer was that it is unknown.
Settled = Deferred[Registered | None]
#: Takes note of an object before that answer. What becomes of a commit that is still under way goes to the
#: Deferred by itself; whoever interrupts it fires the Deferred.
Doubt = Callable[[StoredObject, Settled], Awaitable[None]]


class Interrupted(Exception):
    """Nobody can say what became of a commit, but it may be tried again, which does no harm if it succeeded.

    Raised by a commit that has had the queue held first.
    """


@dataclass(slots=True, eq=False)
class _Entry:
    stored: StoredObject
    timer: IDelayedCall = field(init=False)
    answer: Deferred[Registered] = field(default_factory=Deferred)
    #: It has been in a transaction of unknown outcome.
    is_doubtful: bool = False
    settled: Settled | None = None


async def _no_note(stored: StoredObject, settled: Settled) -> None:
    """For a commit that is never interrupted."""


class GroupCommit:
    """The queue before one writer.

    :param commit: never called again before its last call has ended.
    :param timeout: seconds from :meth:`submit` to an answer.
    :param doubt: awaited before an object is answered with an unknown outcome.
    :param unsettled: called between two commits, when one has failed for an object that an interrupted
        one may have committed: it is to be settled before the next.
    """

    def __init__(
        self,
        commit: Commit,
        *,
        clock: IReactorTime,
        timeout: float,
        maximum: int = MAXIMUM_GROUP,
        doubt: Doubt = _no_note,
        unsettled: Callable[[], None] = lambda: None,
    ) -> None:
        self._commit = commit
        self._unsettled = unsettled
        self._doubt = doubt
        self._clock = clock
        self._timeout = timeout
        self._maximum = maximum
        self._waiting: deque[_Entry] = deque()
        self._running = False
        self._held: str | None = None
        self._at_rest: list[Deferred[None]] = []
        self._overdue = False
        #: Objects in a transaction to how many had so many; one that was interrupted is none.
        self.groups: Counter[int] = Counter()

    @property
    def late(self) -> str | None:
        """What is wrong while a transaction outlives the timeout of one of its objects."""
        return self._no_answer if self._overdue else None

    async def submit(self, stored: StoredObject) -> Registered:
        """Commit an object with the next group.

        :raises OutOfResources: as the commit said, or it waited too long for its turn.
        :raises OutcomeUnknown: as the commit said, or the commit takes too long.
        """
        entry = _Entry(stored)
        entry.timer = self._clock.callLater(self._timeout, self._expire, entry)
        self._waiting.append(entry)
        self.wake()
        return await entry.answer

    def wake(self) -> None:
        """Begin a transaction now, though nothing waits, unless one is under way or none may begin."""
        if not self._running and self._held is None:
            self._running = True
            Deferred.fromCoroutine(self._run())

    def hold(self, reason: str) -> None:
        """Begin no transaction until :meth:`release`.

        :param reason: what an object is refused with whose time runs out meanwhile.
        """
        self._held = reason

    def release(self) -> None:
        self._held = None
        if self._waiting:
            self.wake()

    async def rest(self) -> None:
        """Wait until nothing waits and no transaction is under way."""
        if self._running or self._waiting:
            at_rest: Deferred[None] = Deferred()
            self._at_rest.append(at_rest)
            await at_rest

    async def _run(self) -> None:
        await self._commit_next()
        while self._waiting and self._held is None:
            await self._commit_next()
        self._running = False
        self._tell_rest()

    def _tell_rest(self) -> None:
        if self._running or self._waiting:
            return
        at_rest, self._at_rest = self._at_rest, []
        for waiting in at_rest:
            waiting.callback(None)

    async def _commit_next(self) -> None:
        group = [self._waiting.popleft() for _ in range(min(self._maximum, len(self._waiting)))]
        results: Sequence[Registered | Exception]
        try:
            results = await self._commit([entry.stored for entry in group])
        except Interrupted:
            self._put_back(group)
            return
        except Exception as fault:  # The boundary: every caller is to see it, and the queue to live on.
            results = [fault] * len(group)
        self._overdue = False
        if group:
            self.groups[len(group)] += 1
        is_settled = True
        for entry, result in zip(group, results, strict=True):
            if entry.is_doubtful and not isinstance(result, Registered | OutcomeUnknown):
                is_settled = False
                self._leave_in_doubt(entry, str(result))
            else:
                _deliver(entry, result)
        if not is_settled:
            self._unsettled()

    def _leave_in_doubt(self, entry: _Entry, reason: str) -> None:
        """That this commit failed says nothing of the one before, which was interrupted."""
        if entry.settled is None:
            entry.timer.cancel()
            entry.settled = Deferred()
            Deferred.fromCoroutine(self._answer_unknown(entry, entry.settled, reason))

    def _put_back(self, group: Sequence[_Entry]) -> None:
        self._overdue = False
        for entry in reversed(group):
            if entry.settled is None:
                entry.is_doubtful = True
                self._waiting.appendleft(entry)

    def _expire(self, entry: _Entry) -> None:
        reason = self._held or self._no_answer
        if entry not in self._waiting:
            self._overdue = True
        else:
            self._waiting.remove(entry)
            if not entry.is_doubtful:
                entry.answer.errback(OutOfResources(reason))
                self._tell_rest()
                return
        entry.settled = Deferred()
        Deferred.fromCoroutine(self._answer_unknown(entry, entry.settled, reason))

    async def _answer_unknown(self, entry: _Entry, settled: Settled, reason: str) -> None:
        await self._doubt(entry.stored, settled)
        entry.answer.errback(OutcomeUnknown(reason, settled))
        self._tell_rest()

    @property
    def _no_answer(self) -> str:
        return f"index did not answer within {self._timeout:g} s"


def _deliver(entry: _Entry, result: Registered | Exception) -> None:
    if entry.settled is not None:
        _settle(entry.settled, result)
        return
    entry.timer.cancel()
    if isinstance(result, Registered):
        entry.answer.callback(result)
    else:
        entry.answer.errback(result)


def _settle(settled: Settled, result: Registered | Exception) -> None:
    match result:
        case Registered():
            settled.callback(result)
        case OutcomeUnknown():
            Deferred.fromCoroutine(_outcome(result.settled)).chainDeferred(settled)
        case NotStored():
            settled.callback(None)
        case _:
            settled.errback(result)


async def _outcome(settled: Awaitable[Registered | None]) -> Registered | None:
    return await settled
