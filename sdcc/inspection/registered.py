"""Every row against its file: what is registered must be there, and be what was received."""

from __future__ import annotations

import datetime
import os.path
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from sdcc.archive import stored_files
from sdcc.inspection.course import Report, from_index, in_order
from sdcc.inspection.files import BATCH, Files
from sdcc.inspection.findings import Counts, Finding, Kind
from sdcc.inspection.remedies import Remedies
from sdcc.inspection.restoring import path_of
from sdcc.interfaces import IIndex, StoredObject


@dataclass(frozen=True, slots=True)
class _Suspicion:
    """What seems to be wrong with a registered object's file."""

    kind: Kind
    words: tuple[str, ...] = ()
    #: When the file was last changed; None: when it was looked for.
    changed_at: float | None = None


class RegisteredObjects:
    """Goes through the rows.

    :param found: told of each finding.
    :param received_since: only what was received then or later.
    """

    def __init__(
        self,
        index: IIndex,
        files: Files,
        remedies: Remedies,
        counts: Counts,
        found: Callable[[Finding], None],
        *,
        received_since: datetime.datetime | None,
    ) -> None:
        self._index = index
        self._files = files
        self._course = files.course
        self._remedies = remedies
        self._counts = counts
        self._found = found
        self._received_since = received_since

    async def none_has_its_file(self) -> bool:
        """Whether there are rows, and not one of their files, nor a directory of one."""
        paths: set[str] = set()
        is_empty = True
        async for stored in self._rows():
            is_empty = False
            paths |= {stored.file.path, os.path.dirname(stored.file.path)}
            if len(paths) >= BATCH:
                if await self._files.any_exists(paths):
                    return False
                paths.clear()
        return not is_empty and not await self._files.any_exists(paths)

    async def check(self, report: Report) -> None:
        """Find what is wrong, and mend it as far as it is to be.

        :raises IndexFailure: the index cannot be asked.
        """

        async def look(stored: StoredObject) -> _Suspicion | None:
            return await self._course.attempt(self._suspicion, stored)

        suspicious: list[tuple[StoredObject, _Suspicion]] = []
        async for stored, checking in in_order(self._rows(), look, ahead=self._files.ahead):
            suspicion = await checking
            if suspicion is not None:
                suspicious.append((stored, suspicion))
            self._counts.rows += 1
            report.advance()
            if len(suspicious) == BATCH:
                await self._judge(suspicious, report)
                suspicious.clear()
        await self._judge(suspicious, report)

    def _rows(self) -> AsyncIterator[StoredObject]:
        return from_index(self._index.instances(received_since=self._received_since), self._course)

    async def _suspicion(self, stored: StoredObject) -> _Suspicion | None:
        if not stored_files.may_be_object(stored.file.path):
            return _Suspicion(Kind.MISSING, ("its path is none that SDCC gives",))
        try:
            return await self._compared(stored)
        except (FileNotFoundError, NotADirectoryError):
            if await self._files.has_directory(stored.file.path):
                return _Suspicion(Kind.MISSING)
            return _Suspicion(Kind.DIRECTORY_MISSING)
        except OSError as error:
            return _Suspicion(Kind.UNREADABLE, (error.strerror or str(error),))

    async def _compared(self, stored: StoredObject) -> _Suspicion | None:
        """:raises OSError: the file is not there, or cannot be read."""
        status = await self._files.status(stored.file.path)
        if status.st_size != stored.file.size:
            return _Suspicion(Kind.WRONG_SIZE, changed_at=status.st_ctime)
        difference = await self._files.difference(stored)
        return None if difference is None else _Suspicion(Kind.ALTERED, (difference,), status.st_ctime)

    async def _judge(self, suspicious: list[tuple[StoredObject, _Suspicion]], report: Report) -> None:
        """Look again when no server can be about to change anything of them."""
        moments = [suspicion.changed_at for _, suspicion in suspicious]
        if None in moments:
            await self._files.settle_from_now(report)
        elif suspicious:
            await self._files.settle(max(moment for moment in moments if moment is not None), report)
        for stored, _ in suspicious:
            if not self._course.goes_on:
                return
            uid, path = stored.instance.sop_instance_uid, stored.file.path
            if await path_of(self._index, uid) != path:
                continue
            suspicion = await self._suspicion(stored)
            if suspicion is not None and self._course.goes_on:
                finding = Finding(kind=suspicion.kind, path=path, uid=uid, words=[*suspicion.words])
                if await self._remedies.mend_registered(finding, stored):
                    self._found(finding)
