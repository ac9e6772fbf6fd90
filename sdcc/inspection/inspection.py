"""One comparison of index and files, from the first row to the last file."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection

from sdcc.inspection.course import Report, asking_index, from_index
from sdcc.inspection.files import BATCH, Files
from sdcc.inspection.findings import Counts, Finding, Kind
from sdcc.inspection.registered import RegisteredObjects
from sdcc.inspection.remedies import Remedies
from sdcc.inspection.unregistered import UnregisteredFiles
from sdcc.interfaces import IIndex, LooseRow

_MIDNIGHT = datetime.time(tzinfo=datetime.UTC)


class Inspection:
    """
    :param mended: the kinds of findings that are mended.
    :param found: told of each finding.
    :param since: the first day of reception; None: all that there is.
    """

    def __init__(
        self,
        index: IIndex,
        files: Files,
        *,
        mended: Collection[Kind],
        found: Callable[[Finding], None],
        since: datetime.date | None = None,
    ) -> None:
        self.counts = Counts()
        self._index = index
        self._course = files.course
        self._found_by_caller = found
        self._remedies = Remedies(index, files, mended)
        self._since = since
        self._registered = RegisteredObjects(
            index,
            files,
            self._remedies,
            self.counts,
            self._found,
            received_since=None if since is None else datetime.datetime.combine(since, _MIDNIGHT),
        )
        self._unregistered = UnregisteredFiles(
            index, files, self._remedies, self.counts, self._found, since=since or datetime.date.min
        )

    async def none_has_its_file(self) -> bool:
        """Whether there are rows, and not one of their files: the files' disk is not mounted, perhaps."""
        return bool(await self._course.attempt(self._registered.none_has_its_file))

    async def run(self, report: Report) -> None:
        """Look at everything, as far as nothing puts an end to it: rows first, for what is done about them
        may make an orphan of a file."""
        if self._since is None:
            await self._course.attempt(self._check_loose_rows)
        if self._course.goes_on:
            await self._course.attempt(self._registered.check, report)
        if self._course.goes_on:
            await self._course.attempt(self._unregistered.check, report)
        self._course.raise_fault()

    def _found(self, finding: Finding) -> None:
        self.counts.add(finding)
        self._found_by_caller(finding)

    async def _check_loose_rows(self) -> None:
        some: list[LooseRow] = []
        async for row in from_index(self._index.loose_rows(), self._course):
            some.append(row)
            if len(some) == BATCH:
                await self._tell_loose(some)
                some.clear()
        await self._tell_loose(some)

    async def _tell_loose(self, rows: list[LooseRow]) -> None:
        findings = [
            Finding(
                kind=Kind.EMPTY if row.is_empty else Kind.NO_PARENT,
                path=row.path or "",
                uid=row.uid,
                words=[f"{row.level} row"],
            )
            for row in rows
        ]
        if rows and self._remedies.mend(Kind.NO_PARENT):
            with asking_index():
                await self._index.remove_loose(rows)
            for finding in findings:
                finding.mended("removed")
        for finding in findings:
            self._found(finding)
