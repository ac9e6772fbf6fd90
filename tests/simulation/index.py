"""The index contract on the simulated database: the product's group commit before a writer that fails.

A transaction takes its time, and may be refused, be lost on the way with its connection, or fail at its very
end. It keeps :class:`sdcc.interfaces.IIndex` all the same, and so must whoever uses it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from twisted.internet.defer import Deferred
from zope.interface import implementer

from sdcc.index.grouping import GroupCommit, Interrupted, Result, Settled
from sdcc.interfaces import IIndex, OutcomeUnknown, OutOfResources, Registered, StoredObject

from .conditions import Conditions
from .database import Database
from .reactor import DelayedCall, Reactor
from .schedule import Schedule

#: The most that a failing database takes to work again, in seconds.
OUTAGE = 6.0
#: The most that one that works takes to answer.
FAST = 0.01

#: What may become of a transaction, but for its success.
FAULTS = ("refused", "lost before", "lost after", "failed at its end", "mishap before", "mishap after")


class Mishap(Exception):
    """A fault of the program, which costs one operation and nothing else."""


@implementer(IIndex)
class Index:
    """
    :param excuse: is told of files that may stay though no row names them.
    :param committing: is told, outside of any of the server's code, that a transaction is or was durable.
    """

    def __init__(
        self,
        database: Database,
        schedule: Schedule,
        reactor: Reactor,
        conditions: Conditions,
        committing: Callable[[], None],
        excuse: Callable[..., None],
    ) -> None:
        self._database = database
        self._schedule = schedule
        self._reactor = reactor
        self._conditions = conditions
        self._committing = committing
        self._excuse = excuse
        #: It may fail, and be slow.
        self.is_faulty = False
        self._closed: str | None = "index is not open yet"
        self._absence: str | None = None
        self._trial: DelayedCall | None = None
        #: By path, in order: what is settled when the database is back.
        self._doubts: dict[str, tuple[StoredObject, Settled]] = {}
        self._queue = GroupCommit(
            self._commit,
            clock=reactor,
            timeout=conditions.index_timeout,
            maximum=conditions.maximum_group,
            doubt=self._take_note,
            unsettled=self._lose,
        )

    @property
    def refusal(self) -> str | None:
        return self._closed or self._absence or self._queue.late

    def prepare(self) -> None:
        self._database.decide()
        self._closed = None

    def start(self) -> None:
        pass

    async def stop(self) -> None:
        self._closed = "index is stopped"
        await self._queue.rest()
        if self._trial is not None:
            self._trial.cancel()
            self._return()

    async def register(self, stored: StoredObject) -> Registered:
        if self._closed is not None:
            raise OutOfResources(self._closed)
        return await self._queue.submit(stored)

    async def restore(self, stored: StoredObject) -> bool:
        await self._pause()
        return self._database.restore(stored)

    async def paths(self, sop_instance_uids: Sequence[str]) -> Mapping[str, str]:
        await self._pause()
        rows = self._database.rows
        return {uid: rows[uid].file.path for uid in sop_instance_uids if uid in rows}

    async def instances(
        self, study_instance_uid: str | None = None, *, faulty: bool = False
    ) -> AsyncIterator[StoredObject]:
        await self._pause()
        for stored in sorted(self._database.rows.values(), key=lambda stored: stored.file.received_at):
            if study_instance_uid in (None, stored.study.study_instance_uid) and (stored.fault or not faulty):
                yield stored

    # --- the writer ---

    async def _commit(self, group: Sequence[StoredObject]) -> Sequence[Result]:
        await self._pause()
        fault = self._random_fault() if group else None
        self._schedule.note("transaction of", *map(_name, group), fault or "commits")
        match fault:
            case "refused":
                return [OutOfResources("index: refused") for _ in group]
            case "mishap before":
                self._excuse(*(stored.file.path for stored in group))
                raise Mishap
            case "lost before":
                self._lose()
                raise Interrupted
            case "failed at its end":
                self._database.fail_to_commit(group)
                self._lose()
                return [OutcomeUnknown("index: commit failed", self._doubt(stored)) for stored in group]
        registered = self._database.commit(group)
        await self._commit_is_durable()
        if fault == "mishap after":
            self._excuse(*(answer.replaced for answer in registered if answer.replaced))
            raise Mishap
        if fault == "lost after":
            self._lose()
            raise Interrupted
        return registered

    def _random_fault(self) -> str | None:
        random = self._schedule.random
        if self.is_faulty and random.random() < self._conditions.index_faults:
            return random.choice(FAULTS)
        return None

    def _pause(self) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        most = self._conditions.commit_time if self.is_faulty else FAST
        self._reactor.later(self._schedule.random.uniform(0, most), done.callback, None)
        return done

    def _commit_is_durable(self) -> Deferred[None]:
        """The answer is on its way; the process may die before it comes."""
        self._reactor.later(0, self._committing)
        return self._pause()

    # --- absence ---

    def _lose(self) -> None:
        """The database is away, and will be back."""
        if self._absence is None:
            self._absence = "index unreachable"
            self._queue.hold(self._absence)
            self._trial = self._reactor.callLater(self._schedule.random.uniform(0, OUTAGE), self._return)

    def _return(self) -> None:
        """First of all, what is in doubt is settled."""
        self._trial = None
        self._schedule.note("the database is back; in doubt:", len(self._doubts))
        doubts, self._doubts = self._doubts, {}
        for stored, settled in doubts.values():
            outcome = self._database.settle(stored)
            self._schedule.note(_name(stored), "is settled:", outcome)
            settled.callback(outcome)
        self._absence = None
        self._queue.release()

    def _doubt(self, stored: StoredObject) -> Settled:
        settled: Settled = Deferred()
        self._doubts[stored.file.path] = (stored, settled)
        return settled

    async def _take_note(self, stored: StoredObject, settled: Settled) -> None:
        """See :data:`sdcc.index.grouping.Doubt`: a commit under way settles it by itself."""
        path = stored.file.path
        self._doubts[path] = (stored, settled)

        def forget(outcome: Registered | None) -> Registered | None:
            self._doubts.pop(path, None)
            return outcome

        settled.addCallback(forget)
        await self._pause()


def _name(stored: StoredObject) -> str:
    """For the trace."""
    return stored.file.path.rpartition("/")[2]
