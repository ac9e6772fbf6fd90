"""What is done about findings. Nothing of which there is no other copy is ever removed.

Steps come in an order in which a crash between any two leaves what the next inspection finds: a file goes
aside before its row goes, or it would be taken for an orphan; and a file that is removed is disowned
first, so that no row will name it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Coroutine
from typing import Any

from sdcc.archive.stored_files import NoObject, sop_instance_uid
from sdcc.inspection.course import IndexFailure, Report, asking_index
from sdcc.inspection.files import Files
from sdcc.inspection.findings import Finding, Kind
from sdcc.inspection.restoring import Outcome, may_be_named, path_of, restore
from sdcc.interfaces import IIndex, StoredObject

#: What is certainly harmless, and mends what a crash leaves.
HARMLESS = frozenset({Kind.ORPHAN})
EVERYTHING = frozenset(Kind)


class Remedies:
    """
    :param kinds: which findings are mended; the others are left as they are.
    """

    def __init__(self, index: IIndex, files: Files, kinds: Collection[Kind]) -> None:
        self._index = index
        self._files = files
        self._kinds = kinds

    def mend(self, kind: Kind) -> bool:
        """Whether findings of a kind are mended."""
        return kind in self._kinds

    async def mend_registered(self, finding: Finding) -> bool:
        """Unregister an object whose file is not what it was; a file that is there goes aside.

        :return: whether it is a finding still.
        """
        if finding.kind == Kind.UNREADABLE:
            return True
        return await self._mend(finding, self._give_up)

    async def mend_file(self, finding: Finding) -> bool:
        """Put a file aside that is no object.

        :return: whether it is a finding still.
        """
        return await self._mend(finding, self._disown_and_set_aside)

    async def mend_orphan(self, finding: Finding, stored: StoredObject, report: Report) -> bool:
        """Register an object that lies in a file that no row names; remove an older version.

        :return: whether it is a finding still.
        """
        return await self._mend(finding, lambda _: self._register(finding, stored, report))

    async def _mend(self, finding: Finding, remedy: Callable[[Finding], Coroutine[Any, Any, bool]]) -> bool:
        if not self.mend(finding.kind):
            return True
        try:
            return await remedy(finding)
        except IndexFailure as failure:  # What was done so far is to be told.
            finding.is_mended = False
            finding.words.append("not finished")
            self._files.course.fail(failure)
            return True

    async def _give_up(self, finding: Finding) -> bool:
        if finding.kind != Kind.MISSING:
            if not await self._set_aside(finding):
                return False
            if not finding.is_mended:
                return True
        with asking_index():
            was_registered = await self._index.unregister(finding.uid, finding.path)
        if was_registered:
            finding.mended("unregistered, to be sent again")
        return was_registered or finding.is_mended

    async def _disown_and_set_aside(self, finding: Finding) -> bool:
        if may_be_named(finding.path):
            with asking_index():
                is_disowned = await self._index.disown(sop_instance_uid(finding.path), finding.path)
            if not is_disowned:
                finding.words.append("left, for a row names it")
                return True
        return await self._set_aside(finding)

    async def _register(self, finding: Finding, stored: StoredObject, report: Report) -> bool:
        restored = await restore(self._index, stored)
        match restored.outcome:
            case Outcome.ALREADY_REGISTERED:
                return False
            case Outcome.REGISTERED:
                finding.mended("registered")
                if restored.other is not None:
                    await self._remove_older(finding, restored.other)
            case Outcome.OLDER_VERSION:
                assert restored.other is not None
                if await self._can_be_read(restored.other, finding.uid):
                    await self._remove_older(finding, stored.file.path)
                else:
                    finding.words.append("an older version, kept because the registered one cannot be read")
            case Outcome.GIVEN_UP:
                return await self._take_up_again(finding, stored, report)
            case Outcome.REFUSED:
                finding.words.append(restored.reason)
        return True

    async def _take_up_again(self, finding: Finding, stored: StoredObject, report: Report) -> bool:
        """Register an object under another name than the one that was given up."""
        finding.kind = Kind.GIVEN_UP
        await self._files.settle_from_now(report)  # for a server may be about to remove it
        path = stored.file.path
        try:
            await self._files.status(path)
            if not self.mend(finding.kind) or await path_of(self._index, finding.uid) is not None:
                return True
            path = await self._files.rename(path)
        except FileNotFoundError:
            return False
        except OSError as error:
            finding.words.append(f"cannot be renamed: {error.strerror}")
            return True
        renamed = dataclasses.replace(stored, file=dataclasses.replace(stored.file, path=path))
        if (await restore(self._index, renamed)).outcome == Outcome.REGISTERED:
            finding.mended(f"registered as {path}")
        return True

    async def _can_be_read(self, path: str, sop_instance_uid: str) -> bool:
        """Whether a file holds this object, whole as far as it can be told."""
        try:
            found = await self._files.read(path)
        except (NoObject, OSError):
            return False
        return found.stored.instance.sop_instance_uid == sop_instance_uid

    async def _remove_older(self, finding: Finding, path: str) -> None:
        """Remove the file of an object of which a newer one is registered, and can be read."""
        with asking_index():
            if not await self._index.disown(finding.uid, path):
                finding.words.append(f"{path} is registered by now")
                return
        try:
            await self._files.remove(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            finding.is_mended = False
            finding.words.append(f"an older version cannot be removed: {error.strerror}")
            return
        finding.mended("older version of a registered object, removed")

    async def _set_aside(self, finding: Finding) -> bool:
        """:return: whether it is a finding still."""
        try:
            finding.mended(f"moved to {await self._files.set_aside(finding.path)}")
        except FileNotFoundError:  # a server has replaced the object in this moment
            return False
        except OSError as error:
            finding.words.append(f"cannot be moved: {error.strerror}")
        return True
