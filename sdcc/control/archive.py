"""The index and the files of the archive, for a command that takes long and that Ctrl-C ends in order."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from twisted.internet.task import deferLater

from sdcc.archive.filesystem import FileSystem
from sdcc.config import Configuration
from sdcc.control.synchronous import INTERRUPTED, React, interruptible, started, with_reactor
from sdcc.inspection.files import PULSE, Files
from sdcc.interfaces import IIndex
from sdcc.printable import printable
from sdcc.threads import LooseThreads
from sdcc.world import index_of

#: What is done with both; it gives an exit code, and raises OSError or ValueError with a text for people.
Work = Callable[[IIndex, Files], Coroutine[Any, Any, int]]


def run(call: Callable[[Any], Coroutine[Any, Any, int]], react: React) -> int:
    """Perform a command with a reactor; give its exit code."""
    try:
        return with_reactor(call, react)
    except BrokenPipeError:  # who reads the lines has seen enough
        raise
    except (OSError, ValueError) as error:
        print(printable(str(error)), file=sys.stderr)
        return 1


async def with_archive(configuration: Configuration, reactor: Any, work: Work) -> int:
    """Do work with index and files, which an interruption is told to `files`.

    :param reactor: a real one, whose threads and signals are used.
    """
    threads = configuration.storage.threads
    with ExitStack() as ends:
        index_threads, walking, reading = (
            ends.enter_context(started(reactor, name, size))
            for name, size in (("index", 1), ("walking", 1), ("reading", threads))
        )
        index = index_of(
            configuration,
            reactor,
            run_in_thread=index_threads.run,
            read_in_thread=walking.run,
            lookup_in_thread=LooseThreads(reactor, "lookup").run,
            remove=_remove,
            # The server's doubts are for the server to settle, who may remove files then.
            doubts=Path(ends.enter_context(tempfile.TemporaryDirectory()), "doubts"),
        )
        files = Files(
            str(configuration.storage.directory),
            filesystem=FileSystem(),
            walk_in_thread=walking.run,
            read_in_thread=reading.run,
            ahead=2 * threads,
            timeout=configuration.index.timeout,
            clock=reactor,
            now=time.time,
        )
        with interruptible(reactor, files.course.interrupt):
            try:
                return await work(index, files)
            finally:
                await index.stop()


async def open_to_write(index: IIndex, files: Files, configuration: Configuration, clock: Any) -> None:
    """
    :raises OSError: the index cannot be made, or does not open within its timeout.
    :raises ValueError: it is none of this version.
    """
    index.prepare()
    index.start()
    end = clock.seconds() + configuration.index.timeout
    while (refusal := index.refusal) is not None and files.course.goes_on:
        if clock.seconds() > end:
            raise OSError(refusal)
        await deferLater(clock, PULSE)


async def counted(files: Files) -> int:
    """How many files of objects there are, which people are told that they wait for.

    :raises OSError: there is no directory of objects, or it cannot be read.
    """
    print("counting the files", file=sys.stderr)
    return await files.count()


def ending(files: Files) -> int | None:
    """The exit code where the work did not come to its end, which people are told."""
    if files.course.is_interrupted:
        print("interrupted; run it again to go on", file=sys.stderr)
        return INTERRUPTED
    if (failure := files.course.index_failure) is not None:
        print(printable(f"{failure}; run it again to go on"), file=sys.stderr)
        return 1
    return None


async def _remove(path: str) -> None:
    raise AssertionError("an object that was found is never in doubt")
