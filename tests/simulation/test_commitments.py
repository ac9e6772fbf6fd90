"""The journal of Storage Commitment through kills and power cuts: a promise is owed until it is kept."""

from __future__ import annotations

import datetime
import itertools
from random import Random

import pytest
from twisted.internet.defer import ensureDeferred, execute
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from sdcc.archive.commitments import COMMITMENTS, CommitmentJournal
from sdcc.interfaces import CommitmentRequest, Provenance, Reference

from .disk import Directory, Disk
from .doom import Crash
from .filesystem import FileSystem

SEEDS = 300
LIVES = 6
ROOT = "/storage"
#: Calls of the disk until a process dies: some die as they start, some in the midst of a removal.
LONGEST_LIFE = 60


class Process:
    """A journal on a disk, that ends before one of its calls."""

    is_dead = False

    def __init__(self, disk: Disk, random: Random, tokens: itertools.count) -> None:
        self.calls_left = random.randint(1, LONGEST_LIFE)
        self.filesystem = FileSystem(disk, self, random=random, faults=0.1, now=lambda: 0.0)
        self.journal = CommitmentJournal(
            ROOT,
            filesystem=self.filesystem,
            run_in_thread=execute,
            new_token=lambda: f"t{next(tokens):04}",
        )

    def about_to_call(self, call: str, path: str) -> None:
        self.calls_left -= 1
        if self.calls_left <= 0:
            raise Crash(self)

    def about_to_remove(self, path: str) -> None:
        pass

    def start(self) -> None:
        self.filesystem.is_faulty = False  # with a disk that fails it would not start at all
        self.journal.prepare()
        self.filesystem.is_faulty = True


def outcome(coroutine):
    """What a coroutine returns; raises what it raises."""
    results = []
    ensureDeferred(coroutine).addBoth(results.append)
    [result] = results
    if isinstance(result, Failure):
        result.raiseException()
    return result


class History:
    """Two processes at a time on one disk, and what they have promised."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.disk = Disk()
        self.disk.root.link(ROOT.strip("/"), Directory())  # which the object store has made durable
        self.disk.root.sync()
        self.tokens = itertools.count()
        #: By Transaction UID.
        self.promised: dict[str, CommitmentRequest] = {}
        #: Those whose writing down or removal nobody knows the outcome of.
        self.doubtful: dict[str, CommitmentRequest] = {}
        self.made = 0
        self.processes: list[Process] = []

    def live(self) -> None:
        for _ in range(LIVES):
            try:
                while len(self.processes) < 2:
                    self.processes.append(Process(self.disk, self.random, self.tokens))
                    self.processes[-1].start()
                self.check()
                while True:
                    self.act(self.random.choice(self.processes))
            except Crash as crash:
                self.die(crash.process)

    def die(self, process: Process) -> None:
        dying = [process]
        if self.random.random() < 0.6:
            self.disk.power_cut(self.random)
            dying = self.processes
        for dead in dying:
            dead.filesystem.die()
        self.processes = [alive for alive in self.processes if alive not in dying]

    def act(self, process: Process) -> None:
        if self.random.random() < 0.6:
            self.add(process)
        else:
            self.remove(process)

    def add(self, process: Process) -> None:
        uid = f"1.9.{next(self.tokens)}"
        self.doubtful[uid] = request = CommitmentRequest(
            transaction_uid=uid,
            references=tuple(Reference("1.2", f"1.3.{n}") for n in range(self.random.randint(1, 20))),
            provenance=Provenance(calling_ae="CT01", called_ae="SDCC", calling_address="192.0.2.7"),
            requested_at=datetime.datetime(2026, 7, 4, tzinfo=datetime.UTC),
        )
        try:
            outcome(process.journal.add(request))
        except OSError:
            return  # the peer was told so
        self.promised[uid] = self.doubtful.pop(uid)
        self.made += 1

    def remove(self, process: Process) -> None:
        process.filesystem.is_faulty = False
        names = outcome(process.journal.names())
        if names:
            name = self.random.choice(names)
            uid = outcome(process.journal.read(name)).transaction_uid
            if uid in self.promised:
                self.doubtful[uid] = self.promised.pop(uid)
            process.filesystem.is_faulty = True
            outcome(process.journal.remove(name))
        process.filesystem.is_faulty = True

    def check(self) -> None:
        """Each that was promised is there, and one process's; and nothing that nobody asked for."""
        found = []
        for process in self.processes:
            left, process.calls_left = process.calls_left, 10**6
            process.filesystem.is_faulty = False
            found += [outcome(process.journal.read(name)) for name in outcome(process.journal.names())]
            process.filesystem.is_faulty = True
            process.calls_left = left
        owed = {request.transaction_uid: request for request in found}
        assert len(owed) == len(found), "two processes, or two files, owe one report"
        assert owed.items() >= self.promised.items(), "a promise is lost"
        assert owed.items() <= (self.promised | self.doubtful).items()
        for path in self.disk.files(f"{ROOT}/{COMMITMENTS}"):
            assert path.endswith(("/lock", ".json", ".part")), path


@pytest.mark.parametrize("part", range(10))
def test_a_promise_is_owed_until_it_is_kept(part: int) -> None:
    made = 0
    with capturedLogs():
        for seed in range(part, SEEDS, 10):
            history = History(seed)
            history.live()
            made += history.made
    assert made > SEEDS // 10, "hardly anything was promised"
