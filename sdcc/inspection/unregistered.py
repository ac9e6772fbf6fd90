"""Every file against its row: what lies under `objects` must be registered."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator, Callable

from sdcc.archive import stored_files
from sdcc.archive.stored_files import FoundFile, Interrupted, NoObject
from sdcc.inspection.course import Course, Report, in_order
from sdcc.inspection.files import Files
from sdcc.inspection.findings import Counts, Finding, Kind
from sdcc.inspection.remedies import Remedies
from sdcc.inspection.restoring import path_of, unnamed
from sdcc.interfaces import IIndex


class UnregisteredFiles:
    """Goes through the files.

    :param found: told of each finding.
    :param since: the first day of reception.
    """

    def __init__(
        self,
        index: IIndex,
        files: Files,
        remedies: Remedies,
        counts: Counts,
        found: Callable[[Finding], None],
        *,
        since: datetime.date,
    ) -> None:
        self._index = index
        self._files = files
        self._course: Course = files.course
        self._remedies = remedies
        self._counts = counts
        self._found = found
        self._since = since

    async def check(self, report: Report) -> None:
        """Find what is wrong, and mend it as far as it is to be.

        :raises OSError: the directory of objects is gone.
        """

        async def judge(path: str) -> Finding | None:
            return await self._course.attempt(self._judge, path, report)

        async for _, judging in in_order(self._unnamed(), judge, ahead=self._files.ahead):
            finding = await judging
            if finding is not None:
                self._found(finding)
            report.advance()

    async def _unnamed(self) -> AsyncIterator[str]:
        def cannot_be_read(path: str, error: OSError) -> None:
            words = [error.strerror or str(error)]
            self._found(Finding(kind=Kind.UNREADABLE, path=path, words=words))

        async for paths in self._files.batches(cannot_be_read, since=self._since, strays=True):
            self._counts.files += len(paths)
            for path in await unnamed(self._index, paths):
                if not self._course.goes_on:
                    return
                yield path

    async def _judge(self, path: str, report: Report) -> Finding | None:
        """What is wrong with a file that no row seems to name; None: nothing, or it is gone."""
        try:
            found = await self._settled(path, report)
        except (FileNotFoundError, Interrupted):
            return None
        except OSError as error:
            return Finding(kind=Kind.UNREADABLE, path=path, words=[error.strerror or str(error)])
        if not self._course.goes_on:
            return None
        if found is None or isinstance(found, NoObject):
            finding = Finding(kind=Kind.STRAY, path=path)
            if found is not None:
                finding = Finding(
                    kind=Kind.NO_OBJECT,
                    path=path,
                    uid=stored_files.sop_instance_uid(path),
                    words=[str(found)],
                )
            return finding if await self._remedies.mend_file(finding) else None
        uid = found.stored.instance.sop_instance_uid
        if await path_of(self._index, uid) == path:
            return None  # of a UID that cannot stand in a path, or registered meanwhile
        finding = Finding(kind=Kind.ORPHAN, path=path, uid=uid)
        return finding if await self._remedies.mend_orphan(finding, found.stored, report) else None

    async def _settled(self, path: str, report: Report) -> FoundFile | NoObject | None:
        """The file, when no server can be about to change anything of it; None: it is a stray.

        :raises OSError: it cannot be read, or is gone.
        """
        found = await self._read(path)
        changed_at = (
            found.changed_at if isinstance(found, FoundFile) else (await self._files.status(path)).st_ctime
        )
        return await self._read(path) if await self._files.settle(changed_at, report) else found

    async def _read(self, path: str) -> FoundFile | NoObject | None:
        if not stored_files.may_be_object(path):
            await self._files.status(path)
            return None
        try:
            if self._remedies.mend(Kind.ORPHAN):
                return await self._files.read_durably(path)
            return await self._files.read(path)
        except NoObject as fault:
            return fault
