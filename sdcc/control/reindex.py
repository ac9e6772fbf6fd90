"""`sdccctl reindex`: the index built anew from the files, or what it lacks added."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from sdcc.archive.filesystem import FileSystem
from sdcc.config import Configuration
from sdcc.control.arguments import Commands
from sdcc.control.progress import Progress
from sdcc.control.reindexing import PULSE, Reindexing
from sdcc.control.synchronous import React, with_reactor
from sdcc.interfaces import IIndex
from sdcc.printable import printable
from sdcc.service import index_of
from sdcc.threads import LooseThreads, Threads

#: The exit code of what Ctrl-C has ended, as a shell has it.
INTERRUPTED = 130

DESCRIPTION = """\
Register every object that lies in the storage directory in the index of the configuration, which is made
if it is not there. What is registered already is passed over, so that the command may be interrupted and
run again. Of several files of one object the newest is registered.

A file that cannot be read as an object is named and stays where it is. Rows whose files are gone stay as
well. The server may run meanwhile. What a file does not say is left out: the sender's IP address. For the
time of reception stands the file's last modification."""


def add(commands: Commands) -> None:
    command = commands.add_parser(
        "reindex",
        help="build the index anew from the files, or add what it lacks",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace, configuration: Configuration, *, react: React = task.react) -> int:
    async def call(reactor: Any) -> int:
        return await reindex(configuration, reactor)

    try:
        return with_reactor(call, react)
    except (OSError, ValueError) as error:
        print(printable(str(error)), file=sys.stderr)
        return 1


async def reindex(configuration: Configuration, reactor: Any) -> int:
    """Restore what the files hold; give the exit code.

    :param reactor: a real one, whose threads and signals are used.
    :raises OSError: the storage directory or the index cannot be used.
    :raises ValueError: the index is none of this version.
    """
    with ExitStack() as ends:
        index_threads, walking, reading = (
            _started(Threads(reactor, name, size), ends)
            for name, size in (("index", 1), ("walking", 1), ("reading", configuration.storage.threads))
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
        reindexing = Reindexing(
            index,
            str(configuration.storage.directory),
            filesystem=FileSystem(),
            walk_in_thread=walking.run,
            read_in_thread=reading.run,
            threads=configuration.storage.threads,
            timeout=configuration.index.timeout,
            clock=reactor,
            now=time.time,
        )
        ended: Deferred[None] = Deferred()

        def interrupt() -> Deferred[None]:
            reindexing.interrupt()
            return ended

        trigger = reactor.addSystemEventTrigger("before", "shutdown", interrupt)
        try:
            return await _perform(reindexing, index, reactor, configuration.index.timeout)
        finally:
            ended.callback(None)
            if not reindexing.is_interrupted:
                reactor.removeSystemEventTrigger(trigger)


async def _perform(reindexing: Reindexing, index: IIndex, reactor: Any, timeout: float) -> int:
    print("counting the files", file=sys.stderr)
    total = await reindexing.count()
    index.prepare()
    index.start()
    try:
        await _until_open(index, reindexing, reactor, timeout)
        progress = Progress(total, seconds=reactor.seconds)
        try:
            await reindexing.run(progress)
        finally:
            progress.close()
    finally:
        await index.stop()
    print(reindexing.counts)
    if reindexing.is_interrupted:
        print("interrupted; run it again to go on", file=sys.stderr)
        return INTERRUPTED
    if reindexing.index_failure is not None:
        print(printable(f"{reindexing.index_failure}; run it again to go on"), file=sys.stderr)
        return 1
    return 1 if reindexing.counts.faulty else 0


async def _until_open(index: IIndex, reindexing: Reindexing, reactor: Any, timeout: float) -> None:
    """:raises OSError: the index does not open within its timeout."""
    end = reactor.seconds() + timeout
    while (refusal := index.refusal) is not None and not reindexing.is_interrupted:
        if reactor.seconds() > end:
            raise OSError(refusal)
        await deferLater(reactor, PULSE)


def _started(threads: Threads, ends: ExitStack) -> Threads:
    threads.start()
    ends.callback(threads.stop)
    return threads


async def _remove(path: str) -> None:
    raise AssertionError("an object that was found is never in doubt")
