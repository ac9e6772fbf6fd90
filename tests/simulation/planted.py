"""Faults planted in the server: proof that the simulation sees what it is there to see.

Each puts something wrong in the place of something right, for as long as its context lasts. They are the
mistakes that such a server is made with: each passes a test that looks only at what happens on a good day.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred

from sdcc.archive.directories import Directories
from sdcc.archive.filesystem import IFileSystem
from sdcc.archive.partial import PartialFile
from sdcc.archive.reception import Reception
from sdcc.index.grouping import GroupCommit, _Entry
from sdcc.inspection.files import Files
from sdcc.inspection.findings import Kind
from sdcc.inspection.look import Look
from sdcc.inspection.remedies import HARMLESS
from sdcc.interfaces import IReception, NotStored, OutOfResources, StoredObject
from sdcc.network.connection import Connection
from sdcc.network.exchange import Exchange, Performance
from sdcc.network.flow import Flow, Hold
from sdcc.network.limits import AssociationLimits
from sdcc.network.protocol import AcceptorProtocol
from sdcc.services.storage import StorageProvider

from .filesystem import FileSystem

Plant = Callable[[], AbstractContextManager[Any]]


def instead(owner: type, name: str, wrong: Any) -> Plant:
    """Another method in the place of one."""
    return lambda: patch.object(owner, name, wrong)


def never(owner: type, name: str) -> Plant:
    """A method that does nothing."""
    return instead(owner, name, lambda *arguments, **keywords: None)


# --- the disk ------------------------------------------------------------------------------

_sync_directories = Directories.sync
_rename = Directories._rename
_finish = PartialFile.finish
_lock = FileSystem.lock


def _sync_the_last_alone(self: Directories, directories: list[str]) -> None:
    _sync_directories(self, directories[:1])


def _trust_what_is_there(self: Directories, file: str, path: str, directory: str) -> list[str]:
    unsynced = _rename(self, file, path, directory)
    self._remember(unsynced)
    return unsynced


class _Late:
    """A file system that neither syncs nor closes a file when it is told to."""

    def __init__(self, real: IFileSystem) -> None:
        self._real = real
        self.file: int | None = None

    def sync(self, file: int) -> None:
        self.file = file

    def close(self, file: int) -> None:
        if file != self.file:
            self._real.close(file)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def _sync_after_the_rename(self: PartialFile, block: Any, received_at: datetime.datetime) -> StoredObject:
    real, late = self._fs, _Late(self._fs)
    self._fs = late
    try:
        return _finish(self, block, received_at)
    finally:
        self._fs = real
        if late.file is not None:
            real.sync(late.file)
            real.close(late.file)


def _lock_of_nobody(self: FileSystem, path: str, *, wait: bool) -> int | None:
    """Whoever asks for a lock gets it."""
    found = self._disk.find(path)
    if found is not None:
        found.locked_by = None
    return _lock(self, path, wait=wait)


# --- the order of things -------------------------------------------------------------------


async def _answer_before_commit(self: StorageProvider, reception: IReception) -> None:
    stored = await reception.complete()
    Deferred.fromCoroutine(self._index.register(stored)).addErrback(lambda failure: None)


async def _remove_before_the_switch(self: StorageProvider, reception: IReception) -> None:
    stored = await reception.complete()
    for path in (await self._index.paths([stored.instance.sop_instance_uid])).values():
        await self._objects.remove(path)
    await self._index.register(stored)


async def _take_doubt_for_refusal(self: StorageProvider, reception: IReception) -> None:
    stored = await reception.complete()
    try:
        registered = await self._index.register(stored)
    except NotStored:
        await self._objects.remove(stored.file.path)
        raise
    if registered.replaced is not None:
        self._remove_later(self._objects.remove(registered.replaced), registered.replaced)


async def _leave_the_replaced(self: StorageProvider, reception: IReception) -> None:
    stored = await reception.complete()
    try:
        await self._index.register(stored)
    except OutOfResources:
        await self._objects.remove(stored.file.path)
        raise


def _put_back_all(self: GroupCommit, group: Sequence[_Entry]) -> None:
    for entry in reversed(group):
        entry.is_doubtful = True
        self._waiting.appendleft(entry)


def _refuse_what_is_under_way(self: GroupCommit, entry: _Entry) -> None:
    if entry in self._waiting:
        self._waiting.remove(entry)
    entry.settled = Deferred()
    entry.answer.errback(OutOfResources("too late"))


# --- memory, slots and other peers ---------------------------------------------------------

_perform = Exchange._perform


def _hold_answers_alone(self: Flow, reason: Hold) -> None:
    if reason is Hold.ANSWERS:
        self._holds.add(reason)


def _forget_what_was_dropped(self: Reception, reason: str) -> None:
    self._refusal = self._refusal or reason
    self._gathered = bytearray()


async def _echo_after_the_disk(self: Exchange, current: Performance) -> None:
    storage = next(p for p in self._registry._providers.values() if isinstance(p, StorageProvider))
    await storage._objects._run_in_thread(int)
    await _perform(self, current)


async def _keep_what_was_abandoned(self: Reception, reason: str = "abandoned") -> None:
    self._closed(self)


#: By name: what a commit message would say of it.
FAULTS: dict[str, Plant] = {
    "directories are not synced": never(FileSystem, "sync_directory"),
    "files are not synced": never(FileSystem, "sync"),
    "a new directory's entry is not synced": instead(Directories, "sync", _sync_the_last_alone),
    "a file has its name before it is synced": instead(PartialFile, "finish", _sync_after_the_rename),
    "Success before the commit": instead(StorageProvider, "_keep", _answer_before_commit),
    "the replaced file is removed before the switch": instead(
        StorageProvider, "_keep", _remove_before_the_switch
    ),
    "the replaced file is never removed": instead(StorageProvider, "_keep", _leave_the_replaced),
    "an unknown outcome is taken for a refusal": instead(StorageProvider, "_keep", _take_doubt_for_refusal),
    "a commit under way is refused for certain": instead(GroupCommit, "_expire", _refuse_what_is_under_way),
    "incoming of a living process is removed": instead(FileSystem, "lock", _lock_of_nobody),
    "incoming of dead processes is kept": never(FileSystem, "remove_directory"),
    "an abandoned object is kept": instead(Reception, "abandon", _keep_what_was_abandoned),
    "a buffer without limit": never(Flow, "hold"),
    "the queue has no limit": instead(Flow, "hold", _hold_answers_alone),
    "nobody reads on": never(Flow, "let_go"),
    "bytes that are dropped wait for ever": instead(Reception, "_refuse", _forget_what_was_dropped),
    "a slot is never given back": never(AssociationLimits, "release"),
    "ARTIM does not run": never(Connection, "_take_effect"),
    "silent peers are kept": never(AcceptorProtocol, "_idle"),
    "an echo waits for the disk": instead(Exchange, "_perform", _echo_after_the_disk),
    "the look mends nothing": never(Look, "start"),
}

#: What takes some thousand seeds to find, since several things must happen in one moment.
RARE: dict[str, Plant] = {
    "a directory is trusted as soon as it is there": instead(Directories, "_rename", _trust_what_is_there),
    "what was answered is committed again": instead(GroupCommit, "_put_back", _put_back_all),
    "a stop does not wait for removals": never(StorageProvider, "settle"),
    "what is found is registered before it is durable": instead(Files, "read_durably", Files.read),
    "the look replaces a row by the clock": lambda: patch(
        "sdcc.inspection.look.HARMLESS", HARMLESS | {Kind.LATER}
    ),
}
