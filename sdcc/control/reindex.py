"""`sdccctl reindex`: the index built anew from the files, or what it lacks added."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from twisted.internet import task

from sdcc.config import Configuration
from sdcc.control import archive
from sdcc.control.archive import counted, ending, open_to_write, with_archive
from sdcc.control.arguments import Commands, add_json
from sdcc.control.progress import Progress
from sdcc.control.reindexing import Reindexing
from sdcc.control.synchronous import React
from sdcc.inspection.files import Files
from sdcc.interfaces import IIndex
from sdcc.printable import ascii_json

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
    add_json(command, "a JSON object with the counts; the files that are faulty stay on standard error")
    command.set_defaults(run=run)


def run(options: argparse.Namespace, configuration: Configuration, *, react: React = task.react) -> int:
    return archive.run(lambda reactor: reindex(configuration, reactor, as_json=options.json), react)


async def reindex(configuration: Configuration, reactor: Any, *, as_json: bool = False) -> int:
    """Restore what the files hold; give the exit code.

    :param reactor: a real one, whose threads and signals are used.
    :raises OSError: the storage directory or the index cannot be used.
    :raises ValueError: the index is none of this version.
    """

    async def restore(index: IIndex, files: Files) -> int:
        reindexing = Reindexing(index, files)
        total = await counted(files)
        await open_to_write(index, files, configuration, reactor)
        progress = Progress(total, seconds=reactor.seconds)
        try:
            await reindexing.run(progress)
        finally:
            progress.close()
        print(ascii_json(asdict(reindexing.counts)) if as_json else reindexing.counts)
        code = ending(files)
        return code if code is not None else int(reindexing.counts.faulty > 0)

    return await with_archive(configuration, reactor, restore)
