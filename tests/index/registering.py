"""A process that registers objects in a SQLite index, and prints the path of each once it is committed.

Arguments: the database, a prefix for the SOP Instance UIDs, how many objects (0: until it is killed). Every
fiftieth object has the same UID again and a path that sorts behind the earlier ones'. All processes share the
same few studies and series, which are changed, emptied and made again. Run by the tests, imported by none.
"""

from __future__ import annotations

import datetime
import itertools
import sys
from pathlib import Path

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock

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


async def main(path: str, prefix: str, count: str) -> None:
    index = SQLiteIndex(
        Path(path), run_in_thread=execute, read_in_thread=execute, clock=Clock(), timeout=60.0
    )
    index.prepare()
    for number in range(int(count)) if int(count) else itertools.count():
        stored = described(prefix, number)
        await index.register(stored)
        print(stored.instance.sop_instance_uid, stored.file.path, flush=True)
    await index.stop()


failures: list[BaseException] = []
Deferred.fromCoroutine(main(*sys.argv[1:])).addErrback(lambda failure: failures.append(failure.value))
if failures:
    raise failures[0]
