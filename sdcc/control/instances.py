"""`sdccctl instances`: what is registered, read from the index while the server goes on."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet import task
from twisted.internet.task import Clock

from sdcc.config import Configuration
from sdcc.control.arguments import Commands, add_json
from sdcc.control.synchronous import React, at_once, each, with_reactor
from sdcc.index.postgres import PostgreSQLIndex
from sdcc.index.sqlite import SQLiteIndex
from sdcc.interfaces import StoredObject
from sdcc.printable import ascii_json, byte_count, printable
from sdcc.world import index_of


def add(commands: Commands) -> None:
    words = "list the objects that are registered, the first received first"
    command = commands.add_parser("instances", help=words, description=words)
    command.add_argument("--study", metavar="UID", help="those of one study only")
    command.add_argument("--faulty", action="store_true", help="those of which SDCC could not read something")
    add_json(command, "a JSON object a line, for programs")
    command.set_defaults(run=run)


def run(options: argparse.Namespace, configuration: Configuration, *, react: React = task.react) -> int:
    line = json_line if options.json else text_line
    count = 0

    def show(stored: StoredObject) -> None:
        nonlocal count
        count += 1
        if count == 1 and not options.json:
            print(row(*COLUMNS, "file"))
        print(line(stored, str(configuration.storage.directory / stored.file.path)))

    try:
        for_each_registered(configuration, options.study, show, react, faulty=options.faulty)
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        print(printable(str(error)), file=sys.stderr)
        return 1
    if not count:
        of_study = f" of study {options.study}" if options.study else ""
        as_faulty = " as faulty" if options.faulty else ""
        print(printable(f"no object is registered{as_faulty}{of_study}"), file=sys.stderr)
    return 0


def for_each_registered(
    configuration: Configuration,
    study_instance_uid: str | None,
    show: Callable[[StoredObject], None],
    react: React,
    *,
    faulty: bool,
) -> None:
    """Go through the index's objects, in bounded memory; without a reactor where none is needed.

    :param react: see :func:`~sdcc.control.synchronous.with_reactor`.
    :param faulty: only those of which something could not be read.
    :raises OSError: there is no index, or it cannot be read.
    :raises ValueError: it is no index of this version.
    """
    if configuration.index_path is not None:
        for stored in each(_index(configuration, Clock()).instances(study_instance_uid, faulty=faulty)):
            show(stored)
        return

    async def read(reactor: Any) -> None:
        index = _index(configuration, reactor)
        try:
            async for stored in index.instances(study_instance_uid, faulty=faulty):
                show(stored)
        finally:
            await index.stop()

    with_reactor(read, react)


def _index(configuration: Configuration, reactor: Any) -> SQLiteIndex | PostgreSQLIndex:
    """For reading alone, which takes notice of the time only where a server must answer."""
    return index_of(
        configuration,
        reactor,
        run_in_thread=at_once,
        read_in_thread=at_once,
        lookup_in_thread=at_once,
        remove=_remove,
    )


async def _remove(path: str) -> None:
    raise AssertionError("who reads removes nothing")


# --- as lines ------------------------------------------------------------------------------

#: Of a line for people; the last column, the file, is as wide as it is.
COLUMNS = {"received (UTC)": 19, "from": 16, "mod.": 4, "size": 7, "patient ID": 16, "patient name": 24}


def row(*cells: str) -> str:
    return "  ".join(map(str.ljust, cells, (*COLUMNS.values(), 0)))


def text_line(stored: StoredObject, path: str) -> str:
    """For people: no character of a stranger's text can steer their terminal."""
    line = row(
        f"{stored.file.received_at:%Y-%m-%d %H:%M:%S}",
        printable(stored.file.provenance.calling_ae),
        printable(stored.series.modality or "-"),
        byte_count(stored.file.size),
        printable(stored.study.patient_id or "-"),
        printable(stored.study.patient_name or "-"),
        printable(path),
    )
    return f"{line}  ({printable(stored.fault)})" if stored.fault else line


def json_line(stored: StoredObject, path: str) -> str:
    file = stored.file
    return ascii_json(
        {
            "sop_instance_uid": stored.instance.sop_instance_uid,
            "sop_class_uid": stored.instance.sop_class_uid,
            "series_instance_uid": stored.series.series_instance_uid,
            "study_instance_uid": stored.study.study_instance_uid,
            "patient_id": stored.study.patient_id,
            "patient_name": stored.study.patient_name,
            "modality": stored.series.modality,
            "transfer_syntax_uid": file.transfer_syntax_uid,
            "path": path,
            "size": file.size,
            "sha256": file.sha256,
            "received_at": file.received_at.isoformat(timespec="microseconds"),
            "calling_ae": file.provenance.calling_ae,
            "called_ae": file.provenance.called_ae,
            "fault": stored.fault,
        }
    )
