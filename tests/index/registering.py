"""A process that registers objects in an index, and prints the path of each once it is committed.

Arguments: the database, a file of SQLite or a URL of PostgreSQL; a prefix for the SOP Instance UIDs; how many
objects (0: until it is killed). Every fiftieth object has the same UID again and a path that sorts behind the
earlier ones'. All processes share the same few studies and series, which are changed, emptied and made again.
Run by the tests, imported by none.
"""

from __future__ import annotations

import datetime
import itertools
import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock, react

from sdcc.index.postgres import PostgreSQLIndex
from sdcc.index.sqlite import SQLiteIndex
from sdcc.interfaces import Instance, Provenance, Series, StoredFile, StoredObject, Study


def described(prefix: str, number: int) -> StoredObject:
    study = f"1.2.{number % 7}"
    return StoredObject(
        study=Study(study_instance_uid=study, patient_id=f"{prefix}-{number}"),
        series=Series(series_instance_uid=f"{study}.{number % 3}", modality="CT"),
        instance=Instance(
            sop_instance_uid=f"{prefix}.{number % 50}", sop_class_uid="1.2.840.10008.5.1.4.1.1.2"
        ),
        file=StoredFile(
            path=f"objects/{prefix}.{number % 50}-{number:08}",
            size=1132,
            data_set_size=800,
            sha256="0f" * 32,
            transfer_syntax_uid="1.2.840.10008.1.2",
            received_at=datetime.datetime.now(datetime.UTC),
            provenance=Provenance(calling_ae="CT01", called_ae="SDCC", calling_address="192.0.2.17"),
        ),
    )


async def register(index: SQLiteIndex | PostgreSQLIndex, prefix: str, count: int) -> None:
    index.prepare()
    index.start()
    for number in range(count) if count else itertools.count():
        stored = described(prefix, number)
        await index.register(stored)
        print(stored.instance.sop_instance_uid, stored.file.path, flush=True)
    await index.stop()


async def remove(path: str) -> None:
    raise AssertionError("nothing is in doubt")


def on_sqlite(database: str, prefix: str, count: int) -> None:
    index = SQLiteIndex(
        Path(database), run_in_thread=execute, read_in_thread=execute, clock=Clock(), timeout=60.0
    )
    failures: list[BaseException] = []
    Deferred.fromCoroutine(register(index, prefix, count)).addErrback(
        lambda failure: failures.append(failure.value)
    )
    if failures:
        raise failures[0]


def on_postgresql(database: str, prefix: str, count: int) -> None:
    async def main(reactor: Any) -> None:
        index = PostgreSQLIndex(
            database,
            doubts=Path("doubts"),
            remove=remove,
            run_in_thread=execute,
            lookup_in_thread=execute,
            reactor=reactor,
            connections=4,
            timeout=60.0,
        )
        await register(index, prefix, count)

    react(main)


_, database, prefix, count = sys.argv
(on_postgresql if database.startswith("postgresql:") else on_sqlite)(database, prefix, int(count))
