"""Whether an object is safe: its row is there, its file is there, and the file is what was received.

A commitment is given by what is found, not by what was once answered: every file is read whole, and its hash
compared with the one that was taken on the way in.
"""

from __future__ import annotations

import errno
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, cast

from twisted.internet.defer import DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from sdcc.dimse.status import Status
from sdcc.interfaces import IIndex, IObjectStore, Kept, Reference
from sdcc.queries import Condition, Level, Query, UIDList

#: What takes the place of a reason: the object is safe.
COMMITTED = 0
#: (0008,1197) of what is not (PS3.3 C.14.1.1): there is no such object;
NO_SUCH_OBJECT = Status.NO_SUCH_SOP_INSTANCE
#: it is of another SOP Class;
CLASS_INSTANCE_CONFLICT = 0x0119
#: its file is gone, altered or cannot be read;
PROCESSING_FAILURE = Status.PROCESSING_FAILURE
#: or cannot be read at present, for want of something that the system has too little of.
RESOURCE_LIMITATION = Status.RESOURCE_LIMITATION

#: Rows that the index is asked for at once.
BATCH = 500
#: How often an object may be received anew while files are being read, before it is called a failure.
MOST_REPLACEMENTS = 5
#: Seconds from one line about a long check to the next.
REPORT_INTERVAL = 30.0

_WANTED = frozenset({"path", "sha256", "sop_class_uid", "sop_instance_uid", "transfer_syntax_uid"})
_SCARCE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})


class Interrupted(Exception):
    """Nobody wants to know any more."""


class _Finding(NamedTuple):
    reason: int
    #: For the log: of the file, and what is wrong with it; empty: nothing is.
    path: str = ""
    fault: str = ""


_UNKNOWN = _Finding(PROCESSING_FAILURE)
_NEVER_STILL = _Finding(PROCESSING_FAILURE, fault="it is received anew over and over")


class _Progress:
    """Tells the log how far a long check has come."""

    _log = Logger()

    def __init__(self, whose: str, number: int, clock: IReactorTime) -> None:
        self.whose = whose
        self._number = number
        self._clock = clock
        self._done = 0
        self._told_at = clock.seconds()

    def one_more(self) -> None:
        self._done += 1
        if self._clock.seconds() - self._told_at >= REPORT_INTERVAL:
            self._told_at = self._clock.seconds()
            self._log.info(
                "{whose}: {done} of {all} objects checked",
                whose=self.whose,
                done=self._done,
                all=self._number,
            )


class Safekeeping:
    """Reads one file at a time, whoever asks: reception and queries are not to wait for it.

    Who asks for much does not keep others waiting, since they take turns from file to file.
    """

    _log = Logger()

    def __init__(self, index: IIndex, objects: IObjectStore, clock: IReactorTime) -> None:
        self._index = index
        self._objects = objects
        self._clock = clock
        self._turn = DeferredLock()

    async def reasons(
        self, references: Sequence[Reference], *, whose: str, goes_on: Callable[[], bool]
    ) -> array[int]:
        """For each reference :data:`COMMITTED`, or the reason why it is not.

        :param whose: for the log.
        :param goes_on: asked in any thread.
        :raises Interrupted: it did not go on.
        :raises OSError: the index cannot be read.
        :raises ValueError: it is no index of this version.
        """
        reasons = array("H")
        progress = _Progress(whose, len(references), self._clock)
        for first in range(0, len(references), BATCH):
            reasons.extend(await self._judged(references[first : first + BATCH], progress, goes_on))
        return reasons

    async def _judged(
        self, references: Sequence[Reference], progress: _Progress, goes_on: Callable[[], bool]
    ) -> list[int]:
        uids = [reference.sop_instance_uid for reference in references]
        findings = [_UNKNOWN] * len(references)
        rows = await self._kept(uids)
        unsettled = list(range(len(references)))
        for _ in range(MOST_REPLACEMENTS):
            for number in unsettled:
                finding = await self._finding(references[number], rows.get(uids[number]), goes_on)
                if not goes_on():
                    raise Interrupted
                if findings[number] is _UNKNOWN:
                    progress.one_more()
                findings[number] = finding
            # The rows were read before the files: an object may have been received anew meanwhile, with
            # other bytes, or be registered no more.
            before, rows = rows, await self._kept([uids[number] for number in unsettled])
            unsettled = [number for number in unsettled if before.get(uids[number]) != rows.get(uids[number])]
            if not unsettled:
                break
        for number in unsettled:
            findings[number] = _NEVER_STILL._replace(path=uids[number])
        for finding in findings:
            if finding.fault:
                self._log.error(
                    "{whose}: {path} is not committed: {fault}",
                    whose=progress.whose,
                    path=finding.path,
                    fault=finding.fault,
                )
        return [finding.reason for finding in findings]

    async def _kept(self, uids: Sequence[str]) -> Mapping[str, Kept]:
        query = Query(
            level=Level.IMAGE,
            conditions=(Condition("sop_instance_uid", UIDList(tuple(uids))),),
            wanted=_WANTED,
        )
        matches = [cast(dict[str, str], dict(match)) async for match in self._index.find(query) if match]
        return {
            match["sop_instance_uid"]: Kept(**{field: match[field] for field in _WANTED}) for match in matches
        }

    async def _finding(self, reference: Reference, row: Kept | None, goes_on: Callable[[], bool]) -> _Finding:
        if row is None:
            return _Finding(NO_SUCH_OBJECT)
        if row.sop_class_uid != reference.sop_class_uid:
            return _Finding(CLASS_INSTANCE_CONFLICT)
        await self._turn.acquire()
        try:
            difference = await self._objects.difference(row, goes_on)
        except OSError as error:
            reason = RESOURCE_LIMITATION if error.errno in _SCARCE else PROCESSING_FAILURE
            return _Finding(reason, row.path, error.strerror or str(error))
        finally:
            self._turn.release()
        return (
            _Finding(COMMITTED) if difference is None else _Finding(PROCESSING_FAILURE, row.path, difference)
        )
