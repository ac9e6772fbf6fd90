"""What it takes to find studies in a full index: `python -m benchmarks.finding`, in the root of the source.

For each database an index is filled with studies, and asked as the services ask it, with the reactor and a
thread for reading, but over no network.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.internet.threads import deferToThread

from sdcc.index.postgres import PostgreSQLIndex
from sdcc.index.sqlite import SQLiteIndex
from sdcc.interfaces import Instance, Provenance, Series, StoredFile, StoredObject, Study
from sdcc.queries import Condition, DateRange, Level, PersonName, Query, SingleValue, UIDList

from .filled_index import fill
from .sdcc_receivers import POSTGRESQL_SETTINGS

STUDIES, SERIES_OF_STUDY, INSTANCES_OF_SERIES = 100_000, 2, 5
#: How often each query is put; the medians are told.
ROUNDS = 9
#: Of a C-FIND at STUDY level, as workstations ask.
WANTED = frozenset(
    (
        *(
            "study_instance_uid",
            "patient_id",
            "patient_name",
            "patient_birth_date",
            "patient_sex",
            "study_id",
        ),
        *("study_date", "study_time", "accession_number", "study_description", "modalities_in_study"),
        *("number_of_study_related_series", "number_of_study_related_instances"),
    )
)
OF_A_FILE = frozenset(
    (
        *("sop_instance_uid", "sop_class_uid", "path", "size", "data_set_size", "sha256"),
        "transfer_syntax_uid",
    )
)
#: What makes the studies differ: {n} is each one's number.
DIFFERING = """
    UPDATE study SET
        patient_id = 'P' || (study_key / 2), accession_number = 'A' || study_key,
        patient_name = 'Name' || substr('' || (1000000 + study_key * 7919 % 99991), 2) || '^Given',
        patient_name_alphabetic = 'name' || substr('' || (1000000 + study_key * 7919 % 99991), 2) || '^given',
        study_date = {date}
"""
ON_SQLITE = DIFFERING.format(date="date('2015-01-01', (study_key * 7919 % 3650) || ' days')")
ON_POSTGRESQL = DIFFERING.format(date="date '2015-01-01' + CAST(study_key * 7919 % 3650 AS integer)")


def queries(uids):
    """:param uids: of SOP Instances that are there."""

    def asked(field, matching, level=Level.STUDY, wanted=WANTED):
        return Query(level=level, conditions=(Condition(field, matching),), wanted=wanted)

    month = DateRange(datetime.date(2020, 5, 1), datetime.date(2020, 5, 31))
    return {
        "patient ID": asked("patient_id", SingleValue("P31337")),
        "name, NAME0123*": asked("patient_name", PersonName(("NAME0123*",))),
        "name, naMe*": asked("patient_name", PersonName(("naMe*",))),
        "name, *5^GIVEN": asked("patient_name", PersonName(("*5^GIVEN",))),
        "dates, a month": asked("study_date", month),
        "dates, all": asked("study_date", DateRange(datetime.date(2000, 1, 1), None)),
        "patients, all": Query(level=Level.PATIENT, wanted=frozenset(("patient_id", "patient_name"))),
        "instances of a month": asked("study_date", month, Level.IMAGE, OF_A_FILE),
        f"{len(uids)} instances": asked("sop_instance_uid", UIDList(uids), Level.IMAGE, OF_A_FILE),
    }


async def measure(index):
    """For each query: seconds to the first match, seconds to the last, and how many there were."""
    uids = []
    async for match in index.find(Query(level=Level.IMAGE, wanted=frozenset(("sop_instance_uid",)))):
        uids.append(match["sop_instance_uid"])
        if len(uids) == 50_000:
            break
    for name, query in queries(tuple(uids[::25])).items():
        firsts, lasts, count = [], [], 0
        end = time.monotonic() + 5
        while len(firsts) < 3 or (len(firsts) < ROUNDS and time.monotonic() < end):
            begun, first, count = time.perf_counter(), None, 0
            async for _ in index.find(query):
                first = first or time.perf_counter() - begun
                count += 1
            firsts.append(first or 0)
            lasts.append(time.perf_counter() - begun)
        first, last = statistics.median(firsts), statistics.median(lasts)
        print(
            f"    {name:24} {first * 1e3:8.2f} ms"
            f" {count:8} in {last * 1e3:9.1f} ms {count / last:9.0f} a second"
        )


def stored():
    """The object that all others are copies of."""
    uid = "1.2.276.0.7230010.3.1.1." + "0" * 19
    return StoredObject(
        study=Study(
            study_instance_uid=uid, patient_name="Name^Given", patient_id="P", study_description="Head"
        ),
        series=Series(series_instance_uid=uid, modality="CT", series_number=1),
        instance=Instance(sop_instance_uid=uid, sop_class_uid="1.2.840.10008.5.1.4.1.1.2", instance_number=1),
        file=StoredFile(
            path=f"objects/{uid}.dcm",
            size=525_000,
            data_set_size=524_500,
            sha256="0f" * 32,
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            received_at=datetime.datetime(2024, 5, 1, tzinfo=datetime.UTC),
            provenance=Provenance(calling_ae="CT01", called_ae="SDCC", calling_address="192.0.2.17"),
        ),
    )


async def fill_and_measure(index, connect, mark, *statements):
    index.prepare()
    index.start()
    await index.register(stored())
    with contextlib.closing(connect()) as database:
        of_study = SERIES_OF_STUDY * INSTANCES_OF_SERIES
        fill(database, mark, STUDIES * of_study, of_study=SERIES_OF_STUDY, of_series=INSTANCES_OF_SERIES)
        for statement in statements:
            database.cursor().execute(statement)
            database.commit()
    await measure(index)
    await index.stop()


async def on_sqlite(reactor, directory):
    path = directory / "index.sqlite"
    index = SQLiteIndex(
        path, run_in_thread=deferToThread, read_in_thread=deferToThread, clock=reactor, timeout=60.0
    )
    print(f"SQLite {sqlite3.sqlite_version}")
    await fill_and_measure(index, lambda: sqlite3.connect(path), "?", ON_SQLITE)


async def on_postgresql(reactor, directory):
    from tests.postgresql import PostgreSQL  # noqa: PLC0415  # it may not be installed

    async def keep(path):
        raise AssertionError(f"{path} is not in doubt")

    with contextlib.closing(PostgreSQL(POSTGRESQL_SETTINGS)) as server, server.database() as name:
        index = PostgreSQLIndex(
            server.url(name),
            doubts=directory / "doubts",
            remove=keep,
            run_in_thread=deferToThread,
            lookup_in_thread=deferToThread,
            reactor=reactor,
            connections=4,
            timeout=60.0,
        )
        print(f"PostgreSQL {server.execute('SHOW server_version')[0][0]}")
        # What else the server would do while the first queries are measured.
        tidying = "VACUUM ANALYZE", "CHECKPOINT"
        await fill_and_measure(index, lambda: server.connect(name), "%s", ON_POSTGRESQL, *tidying)


def main(reactor, *words):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.finding", description=__doc__)
    databases = {"sqlite": on_sqlite, "postgresql": on_postgresql}
    parser.add_argument("databases", nargs="*", metavar="DATABASE", help=f"of {', '.join(databases)}; all")
    chosen = parser.parse_args(words).databases or [*databases]

    async def each():
        for name in chosen:
            with tempfile.TemporaryDirectory(prefix="sdcc-finding-") as directory:
                await databases[name](reactor, Path(directory))

    return Deferred.fromCoroutine(each())


if __name__ == "__main__":
    react(main, sys.argv[1:])
