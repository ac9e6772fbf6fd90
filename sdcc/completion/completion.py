"""Studies become stable: those that this process registers objects of, in time, and all others now and then.

What is kept here is lost with the process, and nothing with it: the look through the index finds what a
process left behind, what others registered than by reception, and what could not be decided while the index
was away.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from sdcc.completion.notices import Notices
from sdcc.completion.watched import Watched
from sdcc.interfaces import IStudyStates, OutOfResources, StableStudy
from sdcc.pauses import Pauses

#: Studies that are watched at once: some 200 bytes each.
MAXIMUM_WATCHED = 10_000
#: Studies that become stable in one transaction.
PORTION = 50
#: Seconds from one look through the index to the next, and to the next attempt where the index is away.
INTERVAL, RETRY = 60.0, 5.0
#: Seconds that are waited beyond the time: that of day may run slower than the clock that wakes us.
LEEWAY = 0.25
#: Somebody is told of studies whose last objects are no older, and then for so long: what fails on a Friday
#: evening is seen on Monday morning. Of an index that is built anew no more is announced.
NEWS = datetime.timedelta(days=3)


class Completion:
    """
    :param stable_after: seconds without a new object.
    :param notices: of all means that somebody is told by.
    :param now: the time, aware, UTC, as objects are stamped with.
    """

    _log = Logger()

    def __init__(
        self,
        states: IStudyStates,
        *,
        stable_after: float,
        notices: Sequence[Notices],
        clock: IReactorTime,
        now: Callable[[], datetime.datetime],
    ) -> None:
        self._states = states
        self._stable_after = stable_after
        self._notices = notices
        self._clock = clock
        self._now = now
        self._watched = Watched(MAXIMUM_WATCHED)
        #: When the next of the watched may be stable.
        self._call: IDelayedCall | None = None
        self._pauses = Pauses(clock)
        self._under_way: set[Deferred[None]] = set()
        self._is_stopping = False

    # --- from the service ---

    def start(self) -> None:
        """Begin, in the reactor's thread."""
        self._begin(self._look_now_and_then())
        for notices in self._notices:
            notices.start()

    def interrupt(self) -> None:
        """Begin nothing new; what runs may go on. Called before the last objects are registered."""
        self._is_stopping = True
        if self._call is not None:
            self._call.cancel()
            self._call = None
        self._pauses.end()
        for notices in self._notices:
            notices.interrupt()

    async def stop(self) -> None:
        """After :meth:`interrupt`: end what still runs, while the index is there."""
        while self._under_way:
            await DeferredList(list(self._under_way))
        for notices in self._notices:
            await notices.stop()

    # --- from reception ---

    def registered(self, study_instance_uid: str) -> None:
        """An object of this study has been. In the hot path: it takes a microsecond, and raises nothing."""
        self._watched.note(study_instance_uid, self._clock.seconds())
        if self._call is None and not self._is_stopping:
            self._call = self._clock.callLater(self._stable_after + LEEWAY, self._come_back)

    # --- what has become stable ---

    def _come_back(self) -> None:
        self._call = None
        self._begin(self._settle_watched())

    async def _settle_watched(self) -> None:
        until = self._clock.seconds() - self._stable_after - LEEWAY
        while not self._is_stopping and (uids := self._watched.take(until, PORTION)):
            await self._settle(uids)
        oldest = self._watched.oldest
        if oldest is not None and not self._is_stopping:
            if self._call is not None:  # of a study that was registered meanwhile, whose time is over later
                self._call.cancel()
            rest = max(0.0, oldest + self._stable_after + LEEWAY - self._clock.seconds())
            self._call = self._clock.callLater(rest, self._come_back)

    async def _look_now_and_then(self) -> None:
        # What the process before left behind may not have been quiet for long enough at the first look.
        pause = min(INTERVAL, self._stable_after + LEEWAY)
        while not self._is_stopping:
            is_done = await self._look()
            if not self._is_stopping:
                await self._pauses.rest(pause if is_done else RETRY)
            if is_done:
                pause = INTERVAL

    async def _look(self) -> bool:
        """Look through the index; False: it is away."""
        try:
            async with aclosing(self._states.quiet(self._quiet_since)) as quiet:
                async for uids in quiet:
                    if self._is_stopping or not await self._settle(uids):
                        return False
            given_up = await self._states.give_up(self._now() - NEWS)
        except (OutOfResources, OSError, ValueError) as error:
            self._log.debug("Studies that may be stable wait for the index: {reason}", reason=error)
            return False
        except Exception:  # the boundary: what one look fails at, the next one may not
            self._log.failure("The look for stable studies has failed")
            return True
        for uid, means in given_up:
            self._log.error("Study {uid}: {means} is given up, and nobody is told", uid=uid, means=means)
        return True

    async def _settle(self, study_instance_uids: Sequence[str]) -> bool:
        """Whether the index could decide."""
        now = self._now()
        try:
            stable = await self._states.make_stable(
                study_instance_uids,
                quiet_since=self._quiet_since,
                news_since=now - NEWS,
                now=now,
                means=[notices.means for notices in self._notices],
            )
        except (OutOfResources, OSError, ValueError) as error:
            self._log.debug("Studies that may be stable wait for the index: {reason}", reason=error)
            return False
        self._tell(stable)
        return True

    @property
    def _quiet_since(self) -> datetime.datetime:
        return self._now() - datetime.timedelta(seconds=self._stable_after)

    def _tell(self, stable: Sequence[StableStudy]) -> None:
        news = [study for study in stable if study.is_news]
        for study in news:
            self._log.info(
                "Study {uid} is stable: series {series}, objects {instances}, bytes {size}",
                uid=study.study_instance_uid,
                series=study.series,
                instances=study.instances,
                size=study.size,
            )
        if len(stable) > len(news):
            self._log.info(
                "Studies that are stable, and whose last objects came over {days} days ago: {number}",
                days=NEWS.days,
                number=len(stable) - len(news),
            )
        if news:
            for notices in self._notices:
                notices.wake()

    def _begin(self, work: Coroutine[Deferred[Any], Any, None]) -> None:
        under_way = Deferred.fromCoroutine(work)
        self._under_way.add(under_way)
        under_way.addErrback(lambda failure: self._log.failure("Study completion has failed", failure))
        under_way.addBoth(lambda _: self._under_way.discard(under_way))
