"""The Storage Commitment Requests that a report is owed for, a file each below `commitments`.

Several processes, on several hosts, may share the storage directory. Each holds the lock of a folder of its
own for as long as it lives, and of every folder whose lock could be had when it started, which a dead process
has left: what lies in these is its to see to, and stays where it is. A folder goes from process to
process and is never removed, so there are as many as there were processes at once.

A file appears under its name whole and durable, and is never written again. What it says is for the service.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count

from twisted.logger import Logger
from zope.interface import implementer

from sdcc.archive.directories import make_durable
from sdcc.archive.filesystem import IFileSystem
from sdcc.interfaces import CommitmentRequest, ICommitmentJournal, Provenance, Reference, RunInThread

#: The part of the storage directory where the folders are.
COMMITMENTS = "commitments"
#: In each folder: the lock of the process that has it.
LOCK = "lock"
#: What a file's name ends with, and before it is whole.
SUFFIX, UNFINISHED = ".json", ".part"
#: Bytes of a file that are read: more than the longest request that a service takes comes to.
LONGEST_FILE = 32 << 20


@implementer(ICommitmentJournal)
class CommitmentJournal:
    """See :class:`sdcc.interfaces.ICommitmentJournal`. A name is `folder/token.json`.

    :param root: the storage directory.
    :param new_token: gives a part of a file name that was never used before, of letters and digits.
    """

    _log = Logger()

    def __init__(
        self,
        root: str,
        *,
        filesystem: IFileSystem,
        run_in_thread: RunInThread,
        new_token: Callable[[], str],
    ) -> None:
        self._directory = f"{root}/{COMMITMENTS}"
        self._fs = filesystem
        self._run_in_thread = run_in_thread
        self._new_token = new_token
        #: By the name of its folder. What is new goes into the first.
        self._locks: dict[str, int] = {}

    def prepare(self) -> None:
        make_durable(self._fs, self._directory)
        for folder in sorted(self._fs.entries(self._directory)):
            try:
                self._claim(folder)
            except OSError as error:
                self._log.warn("{folder} cannot be taken over: {error}", folder=folder, error=error.strerror)
        for number in count(1):
            if self._locks:
                break
            with suppress(FileExistsError):
                self._fs.make_directory(f"{self._directory}/{number}")
                self._claim(str(number))  # unless another has taken it for a dead process's meanwhile
        self._fs.sync_directory(self._directory)  # also for a folder that a dead process had only just made
        for folder in self._locks:
            for name in self._fs.entries(f"{self._directory}/{folder}"):
                if name.endswith(UNFINISHED):
                    self._fs.remove(f"{self._directory}/{folder}/{name}")

    async def names(self) -> Sequence[str]:
        return await self._run_in_thread(self._names)

    async def add(self, request: CommitmentRequest) -> str:
        return await self._run_in_thread(self._add, request)

    async def read(self, name: str) -> CommitmentRequest:
        return await self._run_in_thread(self._read, name)

    async def remove(self, name: str) -> None:
        await self._run_in_thread(self._remove, name)

    async def stop(self) -> None:
        await self._run_in_thread(self._let_go)

    # --- in a thread ---

    def _claim(self, folder: str) -> None:
        lock = self._fs.lock(f"{self._directory}/{folder}/{LOCK}", wait=False)
        if lock is not None:
            self._locks[folder] = lock

    def _names(self) -> list[str]:
        return [
            f"{folder}/{name}"
            for folder in self._locks
            for name in self._fs.entries(f"{self._directory}/{folder}")
            if name.endswith(SUFFIX)
        ]

    def _add(self, request: CommitmentRequest) -> str:
        if not self._locks:
            raise FileNotFoundError(2, "no folder to write it down in")
        folder = next(iter(self._locks))
        name = f"{folder}/{self._new_token()}"
        unfinished, final = (f"{self._directory}/{name}{ending}" for ending in (UNFINISHED, SUFFIX))
        file = self._fs.create(unfinished)
        try:
            try:
                self._fs.write(file, [_encoded(request)])
                self._fs.sync(file)
            finally:
                self._fs.close(file)
            self._fs.rename(unfinished, final)
            self._fs.sync_directory(f"{self._directory}/{folder}")
        except OSError:
            for path in (unfinished, final):
                with suppress(OSError):  # where it stays, what is not owed is reported once more than it must
                    self._fs.remove(path)
            raise
        return f"{name}{SUFFIX}"

    def _read(self, name: str) -> CommitmentRequest:
        file = self._fs.open_existing(f"{self._directory}/{name}")
        try:
            return _decoded(self._fs.read(file, 0, LONGEST_FILE))
        finally:
            self._fs.close(file)

    def _remove(self, name: str) -> None:
        try:
            self._fs.remove(f"{self._directory}/{name}")
            self._fs.sync_directory(f"{self._directory}/{name.partition('/')[0]}")
        except OSError as error:
            self._log.warn(
                "{name} may be reported once more: it cannot be removed: {error}",
                name=name,
                error=error.strerror,
            )

    def _let_go(self) -> None:
        locks, self._locks = self._locks, {}
        for folder, lock in locks.items():
            try:
                self._fs.close(lock)
            except OSError as error:  # it is closed all the same
                self._log.warn(
                    "Closing the lock of {folder} failed: {error}", folder=folder, error=error.strerror
                )


def _encoded(request: CommitmentRequest) -> bytes:
    provenance = request.provenance
    document = {
        "transaction_uid": request.transaction_uid,
        "requested_at": request.requested_at.isoformat(),
        "calling_ae": provenance.calling_ae,
        "called_ae": provenance.called_ae,
        "calling_address": provenance.calling_address,
        "references": [
            [reference.sop_class_uid, reference.sop_instance_uid] for reference in request.references
        ],
    }
    return f"{json.dumps(document)}\n".encode("ascii")


def _decoded(data: bytes) -> CommitmentRequest:
    """:raises ValueError: it was not written by :func:`_encoded`."""
    try:
        document = json.loads(data)
        requested_at = datetime.datetime.fromisoformat(document["requested_at"])
        if requested_at.tzinfo is None:
            raise ValueError("a time without its zone")
        return CommitmentRequest(
            transaction_uid=document["transaction_uid"],
            requested_at=requested_at,
            provenance=Provenance(
                calling_ae=document["calling_ae"],
                called_ae=document["called_ae"],
                calling_address=document["calling_address"],
            ),
            references=tuple(Reference(*reference) for reference in document["references"]),
        )
    except (LookupError, RecursionError, TypeError, ValueError) as error:
        raise ValueError(f"it holds no request: {error!r}") from None
