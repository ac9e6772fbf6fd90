"""What receivers are given to do, and one cell: one receiver, one work, some associations."""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .messages import CONTEXTS, Template, echoes
from .objects import SHAPES
from .processes import peak_memory, processor_seconds
from .sender import Association, open_and_release, send

_studies = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Work:
    """Something to do, so many times."""

    title: str
    count: int
    #: With --quick.
    quick_count: int
    associations: tuple[int, ...] = (1,)
    #: Of :data:`SHAPES`; empty: nothing is stored.
    shape: str = ""


WORKS = {
    "a": Work("CT, 525 KB", 200, 100, (1, 4, 16), "ct"),
    "b": Work("small, 15 KB", 500, 200, (1, 4, 16), "small"),
    "c": Work("multi-frame, 126 MB", 3, 1, (1, 4), "multiframe"),
    "d": Work("C-ECHO", 1000, 300),
    "e": Work("open, echo, release", 200, 50),
}


@cache
def template(shape):
    return Template(SHAPES[shape])


def measure(make_receiver, letter, associations, count):
    """A cell: what it took, and what the receiver has in the end, as JSON has it."""
    work = WORKS[letter]
    with tempfile.TemporaryDirectory(prefix="sdcc-benchmark-") as directory:
        os.sync()
        receiver = make_receiver(Path(directory), associations)
        try:
            found = (_storing if work.shape else _asking)(receiver, work, associations, count)
        finally:
            receiver.stop()
        if work.shape:
            found["files"] = receiver.files(template(work.shape).data_bytes)
            found["registered"] = receiver.registered
            if found["registered"] is not None:
                found["registered"] -= associations  # what warmed it up
    return found


def _storing(receiver, work, associations, count):
    shape = template(work.shape)
    messages = shape.messages(count, study=next(_studies))
    return _over(receiver, associations, messages, count * shape.data_bytes)


def _asking(receiver, work, associations, count):
    if work is WORKS["d"]:
        return _over(receiver, associations, echoes(count), 0)
    (message,) = echoes(1)
    cycles = (receiver.address, receiver.title, message, CONTEXTS[0])
    open_and_release(*cycles, 5)
    return _costs(receiver, lambda: open_and_release(*cycles, count), 0)


def _over(receiver, count, messages, size):
    """On associations that are open and have carried a small object."""
    associations = [Association(receiver.address, receiver.title, *CONTEXTS) for _ in range(count)]
    warm_up = template("warm-up").messages(count, study=next(_studies))
    for association, message in zip(associations, warm_up, strict=True):
        assert send([association], [message]).statuses == [0]
    found = _costs(receiver, lambda: send(associations, messages), size)
    for association in associations:
        association.peer.release()
        association.peer.close()
    return found


def _costs(receiver, act, size):
    os.sync()
    processor, own, waited = processor_seconds(*receiver.roots), time.process_time(), time.perf_counter()
    sent = act()
    waited = time.perf_counter() - waited
    own = time.process_time() - own
    processor = processor_seconds(*receiver.roots) - processor
    return {
        "seconds": sent.seconds,
        "answers": sorted(sent.answer_seconds),
        "statuses": {f"{status:04X}": sent.statuses.count(status) for status in sorted(set(sent.statuses))},
        "bytes": size,
        "processor_seconds": processor,
        "sender_processor_seconds": own,
        "peak_memory": peak_memory(*receiver.roots),
    }
