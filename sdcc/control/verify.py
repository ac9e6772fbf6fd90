"""`sdccctl verify`: every row against its file, every file against its row, and what disagrees mended."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Coroutine
from dataclasses import asdict
from typing import Any

from twisted.internet import task

from sdcc.config import Configuration
from sdcc.control import archive
from sdcc.control.archive import counted, ending, open_to_write, with_archive
from sdcc.control.arguments import Commands, add_json
from sdcc.control.progress import Progress
from sdcc.control.synchronous import React
from sdcc.inspection.files import Files
from sdcc.inspection.findings import Counts, Finding, Kind
from sdcc.inspection.inspection import Inspection
from sdcc.inspection.remedies import EVERYTHING, UNDISPUTED
from sdcc.interfaces import IIndex
from sdcc.printable import ascii_json

DESCRIPTION = """\
Compare the index with the files: each file that a row names is read and must be what was received, and each
file under objects must be named by a row. The server may run meanwhile.

Each finding is a line with its kind, the file's path in the storage directory, the SOP Instance UID, and
what it is or what was done, between tabs. The last line has the counts. The exit code is 1 where anything
is wrong and not mended.

With --repair whole objects are registered; rows whose files are gone or altered are removed, so that the
objects can be sent again; what they said is kept. Of two versions of an object the one that came later is
registered. The other, files that are altered, and files that are no objects go to the directory quarantine.
Nothing is removed but what is there twice. Where a file's directory is gone as well its disk may be away: its
row stays, unless --forget says not."""

NOT_MOUNTED = (
    "not one registered object has its file in {}: is its disk mounted? Nothing was changed. Where the files "
    "are lost indeed, begin with a new index."
)


def add(commands: Commands) -> None:
    command = commands.add_parser(
        "verify",
        help="compare the index with the files, and mend what disagrees",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--repair", action="store_true", help="mend what is found")
    command.add_argument(
        "--forget",
        action="store_true",
        help="the same, and unregister what is directory-missing: it is lost, and not on a disk that is away",
    )
    add_json(command, "a JSON object a line for each finding, and a last one with the counts")
    command.set_defaults(run=run)


def run(options: argparse.Namespace, configuration: Configuration, *, react: React = task.react) -> int:
    def call(reactor: Any) -> Coroutine[Any, Any, int]:
        return verify(
            configuration, reactor, repair=options.repair, forget=options.forget, as_json=options.json
        )

    return archive.run(call, react)


async def verify(
    configuration: Configuration,
    reactor: Any,
    *,
    repair: bool = False,
    forget: bool = False,
    as_json: bool = False,
) -> int:
    """Compare index and files; give the exit code.

    :param reactor: a real one, whose threads and signals are used.
    :param repair: mend what is found.
    :param forget: the same, and unregister objects whose directories are missing.
    :raises OSError: the storage directory or the index cannot be used.
    :raises ValueError: the index is none of this version.
    """
    line = json_line if as_json else str
    mended: Collection[Kind] = EVERYTHING if forget else UNDISPUTED if repair else ()

    async def compare(index: IIndex, files: Files) -> int:
        await index.paths([])  # an index that is not there is not made
        total = await counted(files)
        inspection = Inspection(
            index,
            files,
            mended=mended,
            found=lambda finding: progress.print(line(finding), sys.stdout),
        )
        if await inspection.none_has_its_file():
            print(NOT_MOUNTED.format(files.root), file=sys.stderr)
            return 1
        if mended:
            await open_to_write(index, files, configuration, reactor)
        progress = Progress(total, seconds=reactor.seconds)
        try:
            await inspection.run(progress)
        finally:
            progress.close()
        print(json_counts(inspection.counts) if as_json else inspection.counts)
        code = ending(files)
        return code if code is not None else int(inspection.counts.left > 0)

    return await with_archive(configuration, reactor, compare)


def json_line(finding: Finding) -> str:
    return ascii_json(asdict(finding))


def json_counts(counts: Counts) -> str:
    """Of the findings the number of each kind; `lost` are to be sent again, `left` are not mended."""
    return ascii_json(
        {
            "rows": counts.rows,
            "files": counts.files,
            "findings": counts.findings,
            "mended": counts.mended,
            "lost": counts.lost,
            "left": counts.left,
        }
    )
