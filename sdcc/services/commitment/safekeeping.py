"""Whether an object is safe: its row is there, its file is there, and the file is what was received.

A commitment is given by what is found, not by what was once answered: every file is read whole, and its hash
compared with the one that was taken on the way in.
"""

from __future__ import annotations

import errno
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import cast

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
#: How often an object may be received anew while its file is being read, before it is called a failure.
MOST_REPLACEMENTS = 5
#: Seconds from one line about a long check to the next.
REPORT_INTERVAL = 30.0

_WANTED = frozenset({"path", "sha256", "sop_class_uid", "sop_instance_uid", "transfer_syntax_uid"})
_SCARCE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})


class Interrupted(Exception):
    """Nobody wants to know any more."""


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
        reported = self._clock.seconds()
        for first in range(0, len(references), BATCH):
            batch = references[first : first + BATCH]
            kept = await self._kept([reference.sop_instance_uid for reference in batch])
            for reference in batch:
                reasons.append(
                    await self._reason(reference, kept.get(reference.sop_instance_uid), whose, goes_on)
                )
                if self._clock.seconds() - reported >= REPORT_INTERVAL:
                    reported = self._clock.seconds()
                    self._log.info(
                        "{whose}: {done} of {all} objects checked",
                        whose=whose,
                        done=len(reasons),
                        all=len(references),
                    )
        return reasons

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

    async def _reason(
        self, reference: Reference, kept: Kept | None, whose: str, goes_on: Callable[[], bool]
    ) -> int:
        for _ in range(MOST_REPLACEMENTS):
            if not goes_on():
                raise Interrupted
            if kept is None:
                return NO_SUCH_OBJECT
            if kept.sop_class_uid != reference.sop_class_uid:
                return CLASS_INSTANCE_CONFLICT
            reason, fault = await self._fault(kept, goes_on)
            if reason == COMMITTED:
                return COMMITTED
            # The row that was read is some time old: the object may have been received anew meanwhile.
            found = await self._kept([reference.sop_instance_uid])
            if found.get(reference.sop_instance_uid) == kept:
                break
            kept = found.get(reference.sop_instance_uid)
        if not goes_on():
            raise Interrupted
        assert kept is not None
        self._log.error("{whose}: {path} is not committed: {fault}", whose=whose, path=kept.path, fault=fault)
        return reason

    async def _fault(self, kept: Kept, goes_on: Callable[[], bool]) -> tuple[int, str]:
        """The reason, and what is wrong in words."""
        await self._turn.acquire()
        try:
            difference = await self._objects.difference(kept, goes_on)
        except OSError as error:
            reason = RESOURCE_LIMITATION if error.errno in _SCARCE else PROCESSING_FAILURE
            return reason, error.strerror or str(error)
        finally:
            self._turn.release()
        return (COMMITTED, "") if difference is None else (PROCESSING_FAILURE, difference)
