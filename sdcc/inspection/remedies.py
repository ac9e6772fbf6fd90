"""What is done about findings. Nothing that may be the only copy of what was acknowledged is ever removed.

Of two files of one object the row decides, which somebody was told of, and no clock: the server's own look
never replaces a row whose file is there. Where the administrator has the later one registered, the
clocks may have been wrong, so that the other file is kept, unless both hold the same.

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

#: What is certainly harmless, and mends what a crash leaves. Where later versions are left as they are,
#: earlier ones are removed: the row that stands was never switched by the clocks alone.
HARMLESS = frozenset({Kind.ORPHAN})
EVERYTHING = frozenset(Kind)
#: All but what may only be away: the administrator has to say that it is not.
UNDISPUTED = EVERYTHING - {Kind.DIRECTORY_MISSING}


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

    async def mend_registered(self, finding: Finding, stored: StoredObject) -> bool:
        """Unregister an object whose file is not what it was; a file that is there goes aside.

        What its row said is kept in the quarantine.

        :return: whether it is a finding still.
        """
        if finding.kind == Kind.UNREADABLE:
            return True
        return await self._mend(finding, lambda _: self._give_up(finding, stored))

    async def mend_file(self, finding: Finding) -> bool:
        """Put a file aside that is no object.

        :return: whether it is a finding still.
        """
        return await self._mend(finding, self._disown_and_set_aside)

    async def mend_orphan(self, finding: Finding, stored: StoredObject, report: Report) -> bool:
        """Register an object that lies in a durable file that no row names, or put aside what loses.

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

    async def _give_up(self, finding: Finding, stored: StoredObject) -> bool:
        try:
            await self._files.record(stored)
        except OSError as error:
            finding.words.append(f"its row cannot be written down: {error.strerror}")
            return True
        if finding.kind not in (Kind.MISSING, Kind.DIRECTORY_MISSING):
            if not await self._set_aside(finding):
                return False
            if not finding.is_mended:
                return True
        with asking_index():
            was_registered = await self._index.unregister(finding.uid, finding.path)
        if was_registered:
            finding.mended("unregistered, to be sent again")
            finding.is_lost = True
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
        restored = await restore(self._index, stored, over="")
        match restored.outcome:
            case Outcome.ALREADY_REGISTERED:
                return False
            case Outcome.REGISTERED:
                finding.mended("registered")
            case Outcome.OTHER_VERSION:
                assert restored.other is not None
                await self._compare(finding, stored, restored.other)
            case Outcome.GIVEN_UP:
                return await self._take_up_again(finding, stored, report)
            case Outcome.REFUSED:
                finding.words.append(restored.reason)
        return True

    async def _compare(self, finding: Finding, stored: StoredObject, other: str) -> None:
        """Find which of two files stays: an orphan, or the one that its object's row names."""
        path = stored.file.path
        try:
            registered = (await self._files.read(other)).stored
        except (FileNotFoundError, NotADirectoryError):
            await self._take_place(finding, stored, other)
            return
        except (NoObject, OSError):
            finding.words.append("kept because the registered file cannot be read")
            return
        if not await self._is_what_was_received(registered):
            third = await path_of(self._index, finding.uid)
            if third in (None, other):
                finding.words.append("kept because the registered file is not what was received")
            else:  # it has been registered meanwhile
                await self._compare(finding, stored, third)
        elif _contents(registered) == _contents(stored):
            await self._remove(finding, path, "a copy of a registered object")
        elif registered.file.received_at >= stored.file.received_at:
            await self._drop(finding, path)
        else:
            finding.kind = Kind.LATER
            if not self.mend(finding.kind):
                finding.words.append("received later than what is registered; left as it is")
                return
            loser = await self._take_place(finding, stored, other)
            if loser is not None:
                await self._drop(finding, loser)

    async def _is_what_was_received(self, registered: StoredObject) -> bool:
        """Whether a file agrees with the row that names it, if there is one."""
        with asking_index():
            async for row in self._index.instances(registered.study.study_instance_uid):
                if row.file.path == registered.file.path:
                    return (
                        row.instance.sop_instance_uid == registered.instance.sop_instance_uid
                        and row.file.size == registered.file.size
                        and _contents(row) == _contents(registered)
                    )
        return False

    async def _take_place(self, finding: Finding, stored: StoredObject, other: str) -> str | None:
        """Register an orphan in the place of another file.

        :return: which of both no row will name; None: that has been seen to, or nobody can say.
        """
        restored = await restore(self._index, stored, over=other)
        if restored.outcome == Outcome.REGISTERED:
            finding.mended("registered")
            return other
        if restored.other == other:  # the orphan's own path was given up: it had been replaced before
            finding.words.append("its path was given up")
            return stored.file.path
        if restored.other is not None:  # a third has been registered meanwhile
            finding.kind = Kind.ORPHAN
            await self._compare(finding, stored, restored.other)
        else:
            finding.words.append(restored.reason or "left, for somebody else sees to it")
        return None

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

    async def _drop(self, finding: Finding, path: str) -> None:
        """Put away what is not registered of two versions of an object."""
        if not self.mend(Kind.LATER):
            await self._remove(finding, path, "older version of a registered object")
        elif await self._is_disowned(finding, path):
            try:
                finding.mended(f"another version moved to {await self._files.set_aside(path)}")
            except FileNotFoundError:
                pass
            except OSError as error:
                finding.is_mended = False
                finding.words.append(f"another version cannot be moved: {error.strerror}")

    async def _remove(self, finding: Finding, path: str, what: str) -> None:
        if not await self._is_disowned(finding, path):
            return
        try:
            await self._files.remove(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            finding.words.append(f"{what}, cannot be removed: {error.strerror}")
            return
        finding.mended(f"{what}, removed")

    async def _is_disowned(self, finding: Finding, path: str) -> bool:
        with asking_index():
            is_disowned = await self._index.disown(finding.uid, path)
        if not is_disowned:
            finding.words.append(f"{path} is registered by now")
        return is_disowned

    async def _set_aside(self, finding: Finding) -> bool:
        """:return: whether it is a finding still."""
        try:
            finding.mended(f"moved to {await self._files.set_aside(finding.path)}")
        except FileNotFoundError:  # a server has replaced the object in this moment
            return False
        except OSError as error:
            finding.words.append(f"cannot be moved: {error.strerror}")
        return True


def _contents(stored: StoredObject) -> tuple[str, str]:
    """What two files of one object must agree in for one to be needless."""
    return stored.file.sha256, stored.file.transfer_syntax_uid
