"""System calls of a running server fail, injected by strace: the object is given up, and nothing else."""

from __future__ import annotations

import pytest

from ..interop.halves import CONTEXTS
from ..interop.server import CONFIGURATION
from ..interop.wire import ERROR_COMMENT, STATUS
from .injection import injected
from .service import LARGE, OUT_OF_RESOURCES, Witness, is_stored, refuses, serves, store

EIO = "disk: Input/output error"

#: What fails, and what the sender is told. `when=1`: the next try would succeed.
FAULTS = {
    "no-file": ("openat:error=EROFS", "disk: Read-only file system"),
    "no-descriptor-left": ("openat:error=EMFILE", "disk: Too many open files"),
    "no-room-for-the-bytes": ("writev:error=ENOSPC", "disk full"),
    "no-room-for-some-of-the-bytes": ("writev:error=EDQUOT:when=2", "disk: Disk quota exceeded"),
    "bytes-not-written": ("writev:error=EIO:when=1", EIO),
    "bytes-not-read-back": ("pread64:error=EIO:when=1", EIO),
    "bytes-not-synced": ("fsync:error=EIO:when=1", EIO),
    "file-not-closed": ("close:error=EIO:when=1", EIO),
    "no-directory": ("?mkdir,?mkdirat:error=EROFS", "disk: Read-only file system"),
    "no-room-for-a-directory": ("?mkdir,?mkdirat:error=ENOSPC:when=2", "disk full"),
    "no-name": ("?link,?linkat:error=EIO:when=1", EIO),
    "old-name-not-removed": ("?unlink,?unlinkat:error=EIO:when=1", EIO),
    "series-not-synced": ("fsync:error=EIO:when=2", EIO),
    "study-not-synced": ("fsync:error=EIO:when=3", EIO),
    "day-not-synced": ("fsync:error=EIO:when=4", EIO),
    "index-full": ("pwrite64:error=ENOSPC:when=1", "index: database or disk is full"),
    "index-not-written": ("pwrite64:error=EIO:when=2", "index: disk I/O error"),
    "index-not-synced": ("fdatasync:error=EIO:when=1", "index: disk I/O error"),
}


@pytest.fixture(scope="module")
def configuration():
    """One thread writes, for strace counts each one's calls by themselves."""
    return CONFIGURATION + "threads = 1\n"


@pytest.mark.parametrize(("rule", "comment"), FAULTS.values(), ids=FAULTS)
def test_an_error_costs_one_object(server, strace, connect, rule, comment):
    witness = Witness(server, connect(server.address))
    peer = connect(server.address)
    peer.associate(*CONTEXTS)
    assert is_stored(peer)
    # The index's attributes are read back where they are not in the first bytes of an object.
    beyond = {"private": LARGE} if rule.startswith("pread64") else {}
    with injected(strace, server, rule) as injection:
        refuses(server, peer, witness, comment, **beyond)
    assert any(call.result == -1 for call in injection.calls())
    serves(peer, witness)
    peer.release()


def test_a_file_whose_sync_failed_is_given_up(server, strace, connect):
    """The next sync would succeed, and say nothing of the bytes that the first one has lost."""
    peer = connect(server.address)
    peer.associate(*CONTEXTS)
    with injected(
        strace, server, "fsync:error=EIO:when=1", calls=("openat", "?link", "?linkat", "?unlink", "?unlinkat")
    ) as injection:
        response = store(peer)
    assert (response[STATUS], response[ERROR_COMMENT]) == (OUT_OF_RESOURCES, EIO)
    (created,) = (call.paths[0] for call in injection.calls() if "O_CREAT" in call.arguments)
    later = [
        call.name.removesuffix("at")
        for call in injection.calls()
        if created in (call.file, *call.paths) and call.name != "openat"
    ]
    assert later == ["fsync", "unlink"]
    peer.release()
