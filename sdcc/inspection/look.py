"""The server's own look after an unclean stop, through the days that it may have spoilt.

It begins when the index works, goes on beside reception one file at a time, and mends what is certainly
harmless. All else is logged for the administrator.
"""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from sdcc.inspection.files import Files
from sdcc.inspection.findings import Finding
from sdcc.inspection.inspection import Inspection
from sdcc.inspection.remedies import HARMLESS
from sdcc.interfaces import IIndex

#: Findings that the log names, each in a line.
NAMED = 100
#: Seconds from one question whether the index works to the next.
INTERVAL = 0.5
#: Seconds to the next attempt after the index has failed.
PAUSE = 60.0
#: The clock may have been set back while objects came: so much earlier may they lie.
MARGIN = datetime.timedelta(days=1)


class Look:
    """
    :param since: the first day of reception that may be spoilt.
    :param done: told, once, that all is looked through.
    """

    _log = Logger()

    def __init__(
        self,
        index: IIndex,
        files: Files,
        *,
        since: datetime.date,
        done: Callable[[], Awaitable[None]],
        clock: IReactorTime,
    ) -> None:
        self._index = index
        self._files = files
        self._since = since - min(MARGIN, since - datetime.date.min)
        self._done = done
        self._clock = clock
        self._named = 0
        self._ended: Deferred[None] | None = None

    def start(self) -> None:
        """Begin, in the reactor's thread."""
        self._ended = Deferred.fromCoroutine(self._run())

    async def stop(self) -> None:
        """Return when nothing is under way any more."""
        self._files.course.interrupt()
        if self._ended is not None:
            await self._ended

    async def _run(self) -> None:
        try:
            while not await self._look():
                await self._wait(PAUSE)
                if self._files.course.is_interrupted:
                    return
        except OSError as error:
            self._log.warn("The look has failed: {error}; the next start begins anew", error=error)
        except Exception:  # the boundary: reception goes on
            self._log.failure("The look through what was received has failed")

    async def _look(self) -> bool:
        """Whether nothing is left to be done."""
        course = self._files.course
        course.index_failure = None
        while self._index.refusal is not None and course.goes_on:
            await self._wait(INTERVAL)
        if course.is_interrupted:
            return False
        self._log.info(
            "A server has not stopped in order: looking through what was received since {since}",
            since=self._since,
        )
        self._named = 0
        inspection = Inspection(
            self._index, self._files, mended=HARMLESS, found=self._tell, since=self._since
        )
        await inspection.run(self)
        counts = inspection.counts
        if course.is_interrupted:
            self._log.info(
                "The look ends with the server, and begins anew with the next: {counts}", counts=counts
            )
            return False
        if course.index_failure is not None:
            self._log.warn("The look has to wait: {reason}", reason=course.index_failure)
            return False
        if counts.left:
            self._log.warn("Looked through: {counts}; run `sdccctl verify --repair`", counts=counts)
        else:
            self._log.info("Looked through: {counts}", counts=counts)
        await self._done()
        return True

    async def _wait(self, seconds: float) -> None:
        end = self._clock.seconds() + seconds
        while not self._files.course.is_interrupted and (left := end - self._clock.seconds()) > 0:
            await deferLater(self._clock, min(left, INTERVAL))

    def _tell(self, finding: Finding) -> None:
        self._named += 1
        if self._named <= NAMED:
            words = "; ".join(finding.words) or "left as it is"
            self._log.warn(
                "{kind}: {path} ({words})", kind=finding.kind.value, path=finding.path, words=words
            )

    # --- its report to itself ---

    def advance(self) -> None:
        """See :class:`~sdcc.inspection.course.Report`."""

    def say(self, line: str) -> None:
        self._log.debug("{line}", line=line)
