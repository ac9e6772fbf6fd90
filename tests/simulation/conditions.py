"""The weather of one seed: how slow, how broken and how crowded its world is.

Each seed draws its own, so that some worlds are calm where others storm. Product constants are drawn too,
far smaller than the real ones: a buffer that holds four batches overflows as well as one that holds sixteen.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from unittest.mock import patch

from sdcc.config import Access, AssociationSettings, Configuration, Index, Local, Storage, StudySettings
from sdcc.index.grouping import GroupCommit
from sdcc.network.limits import WaitingBytes

#: Nothing is ever there: the disk is simulated.
ROOT = Path("/archive")
FIRST_PORT = 11112


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Times are seconds, sizes bytes."""

    #: Servers that share the disk and the database.
    processes: int
    #: Of the index: "sqlite" or "postgresql".
    engine: str
    #: How often a server is started anew, at most, and how many peers come each time.
    lives: int
    peers: int
    #: The most that a piece of a stream takes on its way, and the longest piece.
    latency: float
    piece: int
    #: The most that a job waits for its thread, and a transaction for its database.
    job_time: float
    commit_time: float
    threads: int
    #: How likely a job may be held up in its middle, while others go on.
    holds: float
    #: How likely a call fails.
    disk_faults: float
    index_faults: float
    #: Whether the disk fills up now and then, or fails altogether for a while; whether somebody removes a
    #: folder of `incoming` that is in use; whether the network splits, and time jumps.
    fills: bool
    breaks: bool
    tidies: bool
    splits: bool
    jumps: bool
    #: Whether a power cut is possible, or only the death of a process.
    power_cuts: bool
    batch: int
    queue: int
    #: What the kernel, and then the transport, take of our answers.
    pipe: int
    send_buffer: int
    maximum_pdu_length: int
    maximum_group: int
    index_timeout: float
    maximum_associations: int

    @property
    def is_disk_sound(self) -> bool:
        """Whether a file that is to be removed is removed."""
        return not (self.disk_faults or self.breaks)

    @property
    def maximum_object_size(self) -> int:
        """The largest that peers send is larger."""
        return 3 * self.batch

    @property
    def waiting_of_one(self) -> int:
        return 8 * self.batch

    @property
    def waiting_of_all(self) -> int:
        return 16 * self.batch

    @property
    def waiting_spared(self) -> int:
        return 2 * self.batch

    @property
    def minimum_free(self) -> int:
        return 16 * self.batch if self.fills else 0

    def configuration(self, number: int) -> Configuration:
        """Of one of the servers."""
        return Configuration(
            locals=(Local(port=FIRST_PORT + number, max_associations=self.maximum_associations),),
            access=Access(unknown_callers="accept"),
            storage=Storage(
                directory=ROOT,
                minimum_free=self.minimum_free,
                maximum_object_size=self.maximum_object_size,
                threads=self.threads,
            ),
            index=Index(timeout=self.index_timeout),
            study=StudySettings(stable_after=0),  # the simulated database knows no SQL
            association=AssociationSettings(
                maximum_pdu_length=self.maximum_pdu_length,
                artim_timeout=5.0,
                idle_timeout=20.0,
                drain_timeout=8.0,
            ),
        )

    @contextmanager
    def sizes(self) -> Iterator[None]:
        """The product's constants, for as long as this seed runs."""
        waiting = partial(WaitingBytes, self.waiting_of_one, self.waiting_of_all, self.waiting_spared)
        with ExitStack() as stack:
            stack.enter_context(patch("sdcc.archive.reception.BATCH", self.batch))
            stack.enter_context(patch("sdcc.network.exchange.QUEUE_LIMIT", self.queue))
            stack.enter_context(patch("sdcc.parts.WaitingBytes", waiting))
            queue = partial(GroupCommit, maximum=self.maximum_group)
            stack.enter_context(patch("sdcc.index.sqlite.GroupCommit", queue))
            stack.enter_context(patch("sdcc.index.postgres_writer.GroupCommit", queue))
            yield


def draw(random: Random) -> Conditions:
    """The conditions of a seed."""

    def sometimes(value: float, chance: float = 0.3) -> float:
        return value if random.random() < chance else 0.0

    batch = random.choice((128, 256, 512))
    return Conditions(
        processes=1 if random.random() < 0.75 else 2,
        engine=random.choice(("sqlite", "postgresql")),
        lives=random.randint(1, 4),
        peers=random.randint(2, 6),
        latency=random.choice((0.001, 0.05, 0.5)),
        piece=random.choice((100, 1000, 8192)),
        job_time=random.choice((0.001, 0.001, 0.02, 1.0, 4.0)),
        commit_time=random.choice((0.001, 0.001, 0.02, 0.02, 1.0, 4.0, 12.0)),
        threads=random.randint(1, 4),
        holds=sometimes(0.7, 0.4),
        disk_faults=sometimes(random.choice((0.005, 0.05))),
        index_faults=sometimes(random.choice((0.05, 0.3))),
        fills=bool(sometimes(1, 0.15)),
        breaks=bool(sometimes(1, 0.15)),
        tidies=bool(sometimes(1, 0.1)),
        splits=bool(sometimes(1)),
        jumps=bool(sometimes(1)),
        power_cuts=random.random() < 0.8,
        batch=batch,
        queue=batch,
        pipe=random.choice((128, 1024)),
        send_buffer=random.choice((128, 1024)),
        maximum_pdu_length=random.choice((256, 1024, 4096)),
        maximum_group=random.choice((1, 2, 128)),
        index_timeout=random.choice((2.0, 10.0)),
        maximum_associations=random.choice((2, 100, 100)),
    )
