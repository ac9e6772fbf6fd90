"""`sdccctl send`: DICOM files sent to a peer as they lie."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any

from twisted.internet import task

from sdcc.archive.filesystem import FileSystem
from sdcc.config import Configuration
from sdcc.control import peer
from sdcc.control.arguments import Commands, add_json, completed_as_file
from sdcc.control.outgoing import find
from sdcc.control.peer import NoPeer, Peer, caller
from sdcc.control.progress import BYTES, Progress
from sdcc.control.sending import Counts, Result, Sending
from sdcc.control.synchronous import INTERRUPTED, React, interruptible, started, with_reactor
from sdcc.printable import ascii_json, printable

DESCRIPTION = """\
Send DICOM files to another Application Entity with C-STORE, each Data Set as it lies in its file: nothing is
converted. A directory stands for all files in it, and in the directories in it, but for those that are
called DICOMDIR. What is proposed to the peer is what the files are: their SOP Classes and Transfer Syntaxes.

Each file that is not sent is a line on standard error, with the peer's status and Error Comment, or with
what was in the way. The last line has the counts. The exit code is 1 where anything was not sent. A warning
is no failure: the peer has the object.

With --json there is a line for each file on standard output: file, sop_instance_uid, status (hexadecimal,
or null), comment."""

#: Seconds. The peer may write to a slow disk.
DEFAULT_TIMEOUT = 30.0


def add(commands: Commands) -> None:
    command = commands.add_parser(
        "send",
        help="send DICOM files to another Application Entity with C-STORE",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    peer.add(
        command,
        timeout="for the connection, for each answer, and for each time that the peer takes nothing more",
        default=DEFAULT_TIMEOUT,
    )
    files = command.add_argument("files", metavar="FILE", nargs="+", help="a file, or a directory of files")
    completed_as_file(files)
    add_json(command, "a JSON object a line, for programs")
    command.set_defaults(run=run)


def run(options: argparse.Namespace, configuration: Configuration, *, react: React = task.react) -> int:
    def call(called: Peer, reactor: Any) -> Coroutine[Any, Any, int]:
        return send(
            called, options.files, configuration, reactor, timeout=options.timeout, as_json=options.json
        )

    try:
        called = peer.peer(options.ae, configuration, tls=options.tls)
        return with_reactor(partial(call, called), react)
    except NoPeer as error:
        return peer.not_tried(error)


async def send(
    called: Peer,
    paths: Sequence[str],
    configuration: Configuration,
    reactor: Any,
    *,
    timeout: float,
    as_json: bool = False,
) -> int:
    """Send files; give the exit code.

    :param reactor: a real one, whose threads and signals are used.
    :param timeout: seconds for each step of the peer's.
    """
    counts = Counts()

    def told(result: Result) -> None:
        counts.add(result)
        if as_json:
            progress.print(json_line(result), sys.stdout)
        elif not result.is_sent:
            progress.say(text_line(result))

    def progressed(count: int) -> None:
        progress.advance(count)

    with started(reactor, "reading", 2) as threads:
        sending = Sending(
            caller(called, configuration, reactor, timeout=timeout),
            called_ae=called.ae_title,
            calling_ae=configuration.locals[0].ae_title,
            filesystem=FileSystem(),
            run_in_thread=threads.run,
            clock=reactor,
            told=told,
            progressed=progressed,
        )
        with interruptible(reactor, sending.interrupt):
            found = await threads.run(find, paths, lambda: not sending.is_interrupted)
            progress = Progress(found.size, seconds=reactor.seconds, unit=BYTES)
            try:
                for path, reason in found.faulty:
                    told(Result(path=path, sop_instance_uid=None, status=None, comment=reason))
                await sending.run(found.files)
            finally:
                progress.close()
    if sending.is_interrupted:
        print(f"interrupted; {counts}", file=sys.stderr)
        return INTERRUPTED
    print(counts, file=sys.stderr if as_json else sys.stdout)
    return int(counts.failed > 0)


def text_line(result: Result) -> str:
    status = "" if result.status is None else f"{result.status:04X} "
    return printable(f"{result.path}: {status}{result.comment}".rstrip())


def json_line(result: Result) -> str:
    return ascii_json(
        {
            "file": result.path,
            "sop_instance_uid": result.sop_instance_uid,
            "status": None if result.status is None else f"{result.status:04X}",
            "comment": result.comment,
        }
    )
