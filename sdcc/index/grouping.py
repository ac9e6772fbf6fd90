"""Group commit: while one transaction runs, the objects that arrive wait and go together in the next.

An object is answered when the transaction that holds it ends, or at the timeout: refused for certain
while it still waits, with an unknown outcome while its transaction is under way. Knows no database.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from sdcc.interfaces import NotStored, OutcomeUnknown, OutOfResources, Registered, StoredObject

#: Objects in one transaction at most, so that the first of them does not wait long for the last.
MAXIMUM_GROUP = 128

#: How one object of a group was answered by the database. OutcomeUnknown, where even the database cannot say.
Result = Registered | NotStored
#: Commits a group and gives a result for each of it, in its order. What it raises is a fault of the
#: program, which every object of the group is answered with.
Commit = Callable[[Sequence[StoredObject]], Awaitable[Sequence[Result]]]


@dataclass(slots=True, eq=False)
class _Entry:
    stored: StoredObject
    timer: IDelayedCall = field(init=False)
    answer: Deferred[Registered] = field(default_factory=Deferred)
    #: Where the outcome goes once the answer has been that it is unknown.
    settled: Deferred[Registered | None] | None = None


class GroupCommit:
    """The queue before one writer.

    :param commit: never called again before its last call has ended.
    :param timeout: seconds from :meth:`submit` to an answer.
    """

    def __init__(
        self, commit: Commit, *, clock: IReactorTime, timeout: float, maximum: int = MAXIMUM_GROUP
    ) -> None:
        self._commit = commit
        self._clock = clock
        self._timeout = timeout
        self._maximum = maximum
        self._waiting: deque[_Entry] = deque()
        self._running = False
        self._at_rest: list[Deferred[None]] = []
        self._overdue = False

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
        """Begin a transaction now, though nothing waits, unless one is under way."""
        if not self._running:
            self._running = True
            Deferred.fromCoroutine(self._run())

    async def rest(self) -> None:
        """Wait until nothing waits and no transaction is under way."""
        if self._running:
            at_rest: Deferred[None] = Deferred()
            self._at_rest.append(at_rest)
            await at_rest

    async def _run(self) -> None:
        await self._commit_next()
        while self._waiting:
            await self._commit_next()
        self._running = False
        at_rest, self._at_rest = self._at_rest, []
        for waiting in at_rest:
            waiting.callback(None)

    async def _commit_next(self) -> None:
        group = [self._waiting.popleft() for _ in range(min(self._maximum, len(self._waiting)))]
        results: Sequence[Registered | Exception]
        try:
            results = await self._commit([entry.stored for entry in group])
        except Exception as fault:  # The boundary: every caller is to see it, and the queue to live on.
            results = [fault] * len(group)
        self._overdue = False
        for entry, result in zip(group, results, strict=True):
            _deliver(entry, result)

    def _expire(self, entry: _Entry) -> None:
        if entry in self._waiting:
            self._waiting.remove(entry)
            entry.answer.errback(OutOfResources(self._no_answer))
        else:
            self._overdue = True
            entry.settled = Deferred()
            entry.answer.errback(OutcomeUnknown(self._no_answer, entry.settled))

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


def _settle(settled: Deferred[Registered | None], result: Registered | Exception) -> None:
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
