"""What receivers are given to do, and one cell: one receiver, one work, some associations."""

from __future__ import annotations

import atexit
import contextlib
import gc
import itertools
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .clients import files_to_send, send_with
from .figures import percentile
from .messages import CONTEXTS, Template, echoes
from .objects import SHAPES
from .processes import peak_memory, processor_seconds
from .receivers import dcmtk
from .sender import Association, open_and_release, send

#: Numbers that no study has had.
studies = itertools.count(1)
#: Of associations that are opened and released before those that are measured.
_CYCLES_BEFORE = 5


@cache
def template(shape):
    return Template(SHAPES[shape])


def storing(receiver, work, associations, count):
    shape = template(work.shape)
    messages = shape.messages(count, study=next(studies))
    return _over(receiver, associations, messages, count * shape.data_bytes)


def echoing(receiver, work, associations, count):
    del work
    return _over(receiver, associations, echoes(count), 0)


def _over(receiver, count, messages, size):
    """On associations that are open and have carried a small object."""
    associations = [Association(receiver.address, receiver.title, *CONTEXTS) for _ in range(count)]
    warm_up = template("warm-up").messages(count, study=next(studies))
    for association, message in zip(associations, warm_up, strict=True):
        assert send([association], [message]).statuses == [0]
    found = costs(receiver, lambda: send(associations, messages), size)
    for association in associations:
        association.close()
    return found | {"warmed_up_with": count}


def opening(receiver, work, associations, count):
    del work, associations
    (message,) = echoes(1)
    cycles = (receiver.address, receiver.title, message, CONTEXTS[0])
    open_and_release(*cycles, _CYCLES_BEFORE)
    return costs(receiver, lambda: open_and_release(*cycles, count), 0)


def storing_files(receiver, work, associations, count):
    """By one of DCMTK's programs, over one association of its own; its start is part of it."""
    del associations
    shape = template(work.shape)
    directory = files_to_send(shape, count)
    size = count * shape.data_bytes
    return costs(receiver, lambda: send_with(work.program, receiver, directory, count), size)


def costs(receiver, act, size):
    """What an act took, which gives what became of it.

    :param size: bytes of the Data Sets in it.
    """
    os.sync()
    gc.collect()
    gc.disable()
    try:
        processor, own = processor_seconds(*receiver.roots), time.process_time()
        sent = act()
        own, processor = time.process_time() - own, processor_seconds(*receiver.roots) - processor
    finally:
        gc.enable()
    answers = sorted(sent.answer_seconds)
    return {
        "seconds": sent.seconds,
        "answer_p50": percentile(answers, 50) if answers else None,
        "answer_p99": percentile(answers, 99) if answers else None,
        "acknowledged": sent.statuses.count(0),
        "refused": sorted({f"{status:04X}" for status in sent.statuses if status}),
        "bytes": size,
        "processor_seconds": processor,
        "sender_processor_seconds": own,
        "peak_memory": peak_memory(*receiver.roots),
    }


@dataclass(frozen=True, slots=True)
class Work:
    """Something to do, so many times."""

    title: str
    act: Callable[..., dict]
    count: int
    #: With --quick.
    quick_count: int
    associations: tuple[int, ...] = (1,)
    #: Of :data:`SHAPES`; empty: nothing is stored.
    shape: str = ""
    #: Of DCMTK, which sends; empty: the sender of our own.
    program: str = ""

    @property
    def can_be_done(self):
        return not self.program or dcmtk(self.program) is not None


WORKS = {
    "a": Work("CT, 525 KB", storing, 200, 100, (1, 4, 16), "ct"),
    "b": Work("small, 15 KB", storing, 500, 200, (1, 4, 16), "small"),
    "c": Work("multi-frame, 126 MB", storing, 3, 1, (1, 4), "multiframe"),
    "d": Work("C-ECHO", echoing, 2000, 300),
    "e": Work("open, echo, release", opening, 200, 50),
    "f": Work("CT files, by storescu", storing_files, 200, 50, shape="ct", program="storescu"),
    "g": Work("CT files, by dcmsend", storing_files, 200, 50, shape="ct", program="dcmsend"),
}


@cache
def _directories():
    """Where those of all cells lie until the process ends.

    Before ext4 makes a file, it looks at every inode that was removed within the last minutes: with the files
    of some cells removed, whoever comes after them waits 0.1 to 0.2 ms for each file.
    """
    made = tempfile.TemporaryDirectory(prefix="sdcc-benchmark-")
    atexit.register(made.cleanup)
    return made.name


@contextlib.contextmanager
def _emptied_directory():
    """A new one; nothing remains of it but its files' names."""
    directory = Path(tempfile.mkdtemp(dir=_directories()))
    try:
        yield directory
    finally:
        for path in directory.rglob("*"):
            if path.is_file():
                os.truncate(path, 0)


def measure(make_receiver, letter, associations, count):
    """A cell: what it took, and what the receiver has in the end, as JSON has it."""
    work = WORKS[letter]
    with _emptied_directory() as directory:
        receiver = make_receiver(directory, associations)
        try:
            found = receiver.take(work, associations, count)
            receiver.stop()
            warm_up = found.pop("warmed_up_with", 0)
            if work.shape:
                found["files"] = receiver.files(template(work.shape).data_bytes)
                if (registered := receiver.registered) is not None:
                    found["registered"] = registered - warm_up
        finally:
            receiver.discard()
    return found
