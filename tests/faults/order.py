"""Whether each Success in a trace came after all that makes its object safe from a power cut.

It knows the calls of the process and nothing of its code: what is durable follows from which descriptors
were synced after what. The trace begins with a process that finds no storage directory yet.
"""

from __future__ import annotations

import os
from collections import defaultdict

from ..interop.wire import P_DATA, PDU, STATUS, elements

SYNCS = ("fsync", "fdatasync")
WRITES = ("write", "writev", "pwrite64")
#: Bytes to a socket: SDCC's, and those of PostgreSQL's client.
SENDS = ("sendto", "sendmsg")
#: What is to be traced. Not every architecture has all of them.
CALLS = (
    "open",
    "openat",
    "mkdir",
    "mkdirat",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    *WRITES,
    *SYNCS,
    *SENDS,
)
STORE_RSP = 0x8001
FRAME_HEADER = 24


class Order:
    """
    :param calls: as :func:`.trace.read` gives them.
    :param root: the directory that held the storage directory to be, and was there before.
    :param port: the server's.
    :param commits: those of its index.
    """

    def __init__(self, calls, *, root, port, commits):
        self._root = str(root)
        self._commits = commits
        #: Syncs and writes by path; moments at which a name came to be, by path.
        self._syncs, self._writes, self._named = defaultdict(list), defaultdict(list), defaultdict(list)
        #: By SOP Instance UID, in order: the links that gave its files their paths, moments of its Successes.
        self.links, self.answers = defaultdict(list), defaultdict(list)
        self._unlinks = []
        self._read([call for call in calls if call.has_succeeded])
        sends = (call for call in calls if call.name in SENDS and f":{port}->" in call.file)
        for moment, answer in successes(sends):
            self.answers[answer[0x1000]].append(moment)

    def _read(self, calls):
        existing = set()
        for call in calls:
            match call.name.removesuffix("at"):
                case "fsync" | "fdatasync":
                    self._syncs[call.file].append(call)
                case "write" | "writev" | "pwrite64":
                    self._writes[call.file].append(call)
                case "unlink":
                    existing.discard(call.paths[0])
                    self._unlinks.append(call)
                case "mkdir" | "open" | "link" if self._makes_a_name(call, existing):
                    path = call.paths[-1]
                    existing.add(path)
                    self._named[path].append(call.ended)
                    if path.endswith(".dcm"):
                        self.links[os.path.basename(path).rpartition("-")[0]].append(call)

    def _makes_a_name(self, call, existing):
        path = call.paths[-1]
        makes = not call.name.startswith("open") or "O_CREAT" in call.arguments
        return makes and path.startswith(f"{self._root}/") and path not in existing

    def violations(self):
        """What came too early, in words."""
        for uid, moments in self.answers.items():
            links = self.links[uid]
            if len(links) < len(moments):
                yield f"{uid}: Success without a file"
            for moment, link in zip(moments, links, strict=False):
                for what in self._missing(link, moment):
                    yield f"{link.paths[1]}: Success before {what}"
        yield from self._removed_too_early()

    def _missing(self, link, moment):
        part, path = link.paths
        if link.ended > moment:
            yield "its name"
        if not self._is_synced(part, max(call.ended for call in self._writes[part]), moment):
            yield "the sync of its bytes"
        yield from self._unsynced_names(path, moment)
        commit = self.commit(link)
        if commit is None or commit > moment:
            yield "its commit"
        for file in self._commits.files:
            yield from self._unsynced_names(file, moment)

    def commit(self, link):
        """When the row of a file was durable; None: never."""
        return self._commits.of(link.paths[1].encode().rpartition(b"-")[2], link.ended)

    def _unsynced_names(self, path, moment):
        """Of a file and of every directory above it that is new."""
        while made := [named for named in self._named[path] if named < moment]:
            above = os.path.dirname(path)
            if not self._is_synced(above, made[-1], moment):
                yield f"the sync of {above}"
            path = above

    def _is_synced(self, path, since, moment):
        return any(since < sync.begun and sync.ended < moment for sync in self._syncs[path])

    def _removed_too_early(self):
        for unlink in self._unlinks:
            for links in self.links.values():
                paths = [link.paths[1] for link in links]
                if unlink.paths[0] in paths:
                    later = [self.commit(link) for link in links[paths.index(unlink.paths[0]) + 1 :]]
                    if not any(commit is not None and commit < unlink.begun for commit in later):
                        yield f"{unlink.paths[0]}: removed before the commit of what takes its place"


def successes(sends):
    """(moment, elements) of each C-STORE-RSP with status 0000: when its first byte began to leave."""
    streams = defaultdict(bytes)
    for call in sends:
        stream = streams[call.file] + call.data[: max(call.result, 0)]
        while len(stream) >= 6 and len(stream) >= (end := 6 + int.from_bytes(stream[2:6])):
            pdu = PDU(stream[0], stream[6:end])
            stream = stream[end:]
            if pdu.type == P_DATA:
                answer = elements(pdu.body[6:])
                if (answer[0x0100], answer[STATUS]) == (STORE_RSP, 0):
                    yield call.begun, answer
        assert not stream, "an answer that is sent in pieces, which this does not follow"


class SQLiteCommits:
    """A transaction is durable when its write-ahead log is synced after the frame that ends it."""

    def __init__(self, calls, database):
        log = f"{database}-wal"
        self.files = (str(database), log)
        calls = [call for call in calls if call.file == log and call.has_succeeded]
        self._writes = [call for call in calls if call.name == "pwrite64"]
        self._syncs = [call for call in calls if call.name in SYNCS]

    def of(self, token, after):
        """When a transaction was durable that wrote this token first; None: never.

        :param after: it was not written before.
        """
        ends = is_found = False
        for write in self._writes:
            if len(write.data) == FRAME_HEADER:  # its second number is the database's size after a commit
                ends = write.data[4:8] != bytes(4)
                continue
            is_found |= write.begun > after and token in write.data
            if is_found and ends:
                return min((sync.ended for sync in self._syncs if sync.begun > write.ended), default=None)
        return None


class PostgreSQLCommits:
    """A transaction is durable when the server, which waits for its own disk, says that it is done."""

    files = ()
    #: ReadyForQuery, with no transaction open: the statement's own has been committed.
    READY = b"Z\0\0\0\5I"
    SETTING = b"SET synchronous_commit = "

    def __init__(self, calls, port):
        self._calls = [call for call in calls if f"->127.0.0.1:{port}]" in call.file]

    def of(self, token, after):
        for statement in self._calls:
            if statement.name in SENDS and statement.begun > after and token in statement.data:
                return self._done(statement)
        return None

    def _done(self, statement):
        session = [call for call in self._calls if call.file == statement.file]
        settings = [
            call.data.partition(self.SETTING)[2][:3]
            for call in session
            if self.SETTING in call.data and call.ended < statement.begun
        ]
        if settings[-1:] != [b"on;"]:
            return None
        said = b""
        for call in session:
            if call.name == "recvfrom" and call.begun > statement.begun and call.has_succeeded:
                said += call.data
                if self.READY in said:
                    return call.ended
        return None
