"""How the site is told of stable studies by one means: as often as it takes, and a few at a time.

What is to be told stands in the index. A notice that this process is at is its own for a time; if the process
dies, another takes it then. So it is delivered at least once, and now and then twice.
"""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from sdcc.interfaces import IStudyStates, Notice, OutOfResources, StableStudy
from sdcc.pauses import Pauses

#: Seconds to the second attempt, and at most from one to the next. In between a pause is as long as the study
#: has been stable, so that they double, whoever makes the attempts.
FIRST_PAUSE, LONGEST_PAUSE = 10.0, 3600.0
#: Seconds from one question what is due to the next, where another process may have put it there.
INTERVAL = 60.0
#: Seconds beyond an attempt's own time, after which whoever was at it is taken for dead.
GRACE = 60.0


class NotDelivered(Exception):
    """The text says why, without patient data."""


#: Tells of a study, or raises :class:`NotDelivered`; cancelled where it takes too long, or the process stops.
Deliver = Callable[[StableStudy], Awaitable[None]]


class Notices:
    """
    :param means: its name, in the index and the log.
    :param timeout: seconds that an attempt may take.
    :param at_once: how many there are at a time.
    """

    _log = Logger()

    def __init__(
        self,
        means: str,
        deliver: Deliver,
        states: IStudyStates,
        *,
        timeout: float,
        at_once: int,
        clock: IReactorTime,
        now: Callable[[], datetime.datetime],
    ) -> None:
        self.means = means
        self._deliver = deliver
        self._states = states
        self._timeout = timeout
        self._at_once = at_once
        self._clock = clock
        self._now = now
        self._pauses = Pauses(clock)
        self._attempts: set[Deferred[None]] = set()
        #: What of them may be broken off: what became of one is written down all the same.
        self._deliveries: set[Deferred[None]] = set()
        self._running: Deferred[None] | None = None
        #: Whether something may be due that was not asked for.
        self._is_woken = False
        self._is_stopping = False

    def start(self) -> None:
        self._running = Deferred.fromCoroutine(self._run())

    def wake(self) -> None:
        """Something may be due."""
        self._is_woken = True
        self._pauses.end()

    def interrupt(self) -> None:
        """Begin nothing new."""
        self._is_stopping = True
        self.wake()

    async def stop(self) -> None:
        """After :meth:`interrupt`: break off what is under way. The next start tries again at once."""
        if self._running is not None:
            await self._running
        for delivery in tuple(self._deliveries):
            delivery.cancel()
        while self._attempts:
            await DeferredList(list(self._attempts))

    async def _run(self) -> None:
        while not self._is_stopping:
            self._is_woken = False
            pause = await self._begin_what_is_due()
            if not self._is_woken and not self._is_stopping:
                await self._pauses.rest(pause)

    async def _begin_what_is_due(self) -> float:
        """Seconds for which nothing more is to be done, unless something happens."""
        free = self._at_once - len(self._attempts)
        if not free:
            return INTERVAL
        try:
            due = await self._states.next_due(self.means)
            now = self._now()
            if due is None or due > now:
                return INTERVAL if due is None else min(INTERVAL, (due - now).total_seconds())
            until = now + datetime.timedelta(seconds=self._timeout + GRACE)
            taken = await self._states.take(self.means, now=now, until=until, limit=free)
        except (OutOfResources, OSError, ValueError) as error:
            self._log.debug("Notices by {means} wait for the index: {reason}", means=self.means, reason=error)
            return FIRST_PAUSE
        except Exception:  # the boundary: what fails now may not the next time
            self._log.failure("Notices by {means} have failed", means=self.means)
            return INTERVAL
        for notice in taken:
            self._begin(notice)
        return 0.0 if taken else FIRST_PAUSE

    def _begin(self, notice: Notice) -> None:
        attempt = Deferred.fromCoroutine(self._attempt(notice))
        self._attempts.add(attempt)
        attempt.addErrback(lambda failure: self._log.failure("A notice has failed", failure))
        attempt.addBoth(self._ended, attempt)

    def _ended(self, _: Any, attempt: Deferred[None]) -> None:
        self._attempts.discard(attempt)
        self.wake()

    async def _attempt(self, notice: Notice) -> None:
        reason = await self._deliver_within_its_time(notice.study)
        uid, means = notice.study.study_instance_uid, self.means
        try:
            if reason is None:
                self._log.info("Study {uid}: {means} is done", uid=uid, means=means)
                await self._states.strike(notice)
                return
            now = self._now()
            pause = 0.0 if self._is_stopping else _pause((now - notice.study.stable_at).total_seconds())
            self._log.warn(
                "Study {uid}: {means}: {reason}; next attempt in {pause:.0f} s",
                uid=uid,
                means=means,
                reason=reason,
                pause=pause,
            )
            await self._states.put_back(notice, now + datetime.timedelta(seconds=pause))
        except (OutOfResources, OSError, ValueError) as error:
            self._log.warn(
                "Study {uid}: {means} will be repeated, for the index is away: {reason}",
                uid=uid,
                means=means,
                reason=error,
            )

    async def _deliver_within_its_time(self, study: StableStudy) -> str | None:
        """Why it was not delivered; None: it was."""
        delivery = Deferred.fromCoroutine(_delivery(self._deliver, study))
        self._deliveries.add(delivery)
        try:
            await delivery.addTimeout(self._timeout, self._clock)
        except NotDelivered as error:
            return str(error)
        except DeferredTimeout:
            return f"it took longer than {self._timeout:g} s"
        except CancelledError:
            return "broken off, as SDCC is stopping"
        except Exception:  # the boundary: what one attempt fails at, the next one may not
            self._log.failure(
                "Study {uid}: {means} has failed", uid=study.study_instance_uid, means=self.means
            )
            return "a fault of the program"
        finally:
            self._deliveries.discard(delivery)
        return None


async def _delivery(deliver: Deliver, study: StableStudy) -> None:
    await deliver(study)


def _pause(age: float) -> float:
    return min(max(FIRST_PAUSE, age), LONGEST_PAUSE)
