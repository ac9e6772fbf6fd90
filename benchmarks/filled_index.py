"""SDCC with an index that has many rows already, as what receives.

The rows are copies of those that one C-STORE has left, with UIDs and paths of their own, of the usual lengths
and in no order. Their files are not there: storing does not look at them. One index is used for all cells,
and grows by what these store.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import ClassVar, NamedTuple

import psycopg2

from .messages import CONTEXTS
from .sdcc_receivers import SDCC, SDCCOnPostgreSQL
from .sender import Association, send
from .work import studies, template

#: Series of each study, and instances of each series.
SERIES, INSTANCES = 4, 250


class _Level(NamedTuple):
    table: str
    above: str | None
    #: Columns that are each row's own, the UID first.
    own: tuple[str, ...]


_STUDY = _Level("study", None, ("study_instance_uid",))
_SERIES = _Level("series", "study", ("series_instance_uid",))
_INSTANCE = _Level("instance", "series", ("sop_instance_uid", "path"))
#: A UID's end: all differ, and where one lies says nothing of the next.
_SCATTER = "1000000000000000000 + CAST({number} AS bigint) * 618033989 {modulo} 1000000007"
_DIGITS = 19


def fill(database, mark, instances, *, of_study=SERIES, of_series=INSTANCES):
    """Add so many rows, at least, to an index of one object; gives how many objects it then has.

    :param database: a connection.
    :param mark: what a parameter looks like to it.
    :param of_study: series of each study.
    :param of_series: instances of each series.
    """
    with contextlib.closing(database.cursor()) as cursor:
        _multiply(cursor, mark, _STUDY, -(-instances // (of_study * of_series)))
        _multiply(cursor, mark, _SERIES, of_study)
        _multiply(cursor, mark, _INSTANCE, of_series)
        cursor.execute("SELECT count(*) FROM instance")
        ((found,),) = cursor.fetchall()
    database.commit()
    return found


def _multiply(cursor, mark, level, count):
    """:param count: of rows, for each row of the level above."""
    table, above, own = level
    cursor.execute(f"SELECT * FROM {table} LIMIT 1")
    row = dict(zip((column[0] for column in cursor.description), cursor.fetchone(), strict=True))
    del row[f"{table}_key"]
    number = "n" if above is None else f"{above}.{above}_key * {count} + n"
    # where parameters begin with %, another is written twice
    text = f"CAST({_SCATTER.format(number=number, modulo='%%' if '%' in mark else '%')} AS text)"
    uid = row[own[0]]
    expressions, parameters = [], []
    for column, value in row.items():
        if column == f"{above}_key":
            expressions.append(f"{above}.{column}")
        elif column in own:
            before, _, after = value.rpartition(uid)
            expressions.append(f"{mark} || {text} || {mark}")
            parameters += before + uid[:-_DIGITS], after
        else:
            expressions.append(mark)
            parameters.append(value)
    cursor.execute(
        f"INSERT INTO {table} ({', '.join(row)})"
        f" WITH RECURSIVE number (n) AS (VALUES (0) UNION ALL SELECT n + 1 FROM number WHERE n + 1 < {count})"
        f" SELECT {', '.join(expressions)} FROM number{f', {above}' if above else ''}",
        parameters,
    )


def _store_one(receiver):
    try:
        association = Association(receiver.address, receiver.title, *CONTEXTS)
        assert send([association], template("warm-up").messages(1, study=next(studies))).statuses == [0]
        association.close()
        receiver.stop()
    finally:
        receiver.discard()


class _Filled:
    """What both have in common: how many objects were there when they started."""

    #: That the index is to have.
    instances: ClassVar = 1_000_000
    _before = 0

    def _start(self, associations):
        super()._start(associations)
        self._before = self.registered

    @property
    def registered(self):
        return super().registered - self._before


class FilledSDCC(_Filled, SDCC):
    """On SQLite; the index lies in the storage directory while it runs."""

    _index: ClassVar = Path()

    @classmethod
    @contextlib.contextmanager
    def prepared(cls):
        with tempfile.TemporaryDirectory(prefix="sdcc-filled-") as directory:
            _store_one(SDCC(Path(directory), 1))
            (index,) = Path(directory).rglob("index.sqlite")
            with contextlib.closing(sqlite3.connect(index)) as database:
                fill(database, "?", cls.instances)
            cls._index = Path(shutil.move(index, directory))
            yield

    def _start(self, associations):
        storage = self.directory / "sdcc-data"
        storage.mkdir()
        self._own = Path(shutil.move(self._index, storage))
        super()._start(associations)

    def discard(self):
        super().discard()
        shutil.move(self._own, self._index)


class FilledSDCCOnPostgreSQL(_Filled, SDCCOnPostgreSQL):
    """In one database, which outlives it."""

    _filled: ClassVar = ""

    @classmethod
    @contextlib.contextmanager
    def prepared(cls):
        with super().prepared(), cls.postgresql.database() as cls._filled:
            with tempfile.TemporaryDirectory(prefix="sdcc-filled-") as directory:
                _store_one(cls(Path(directory), 1))
            with contextlib.closing(psycopg2.connect(cls.postgresql.url(cls._filled))) as database:
                fill(database, "%s", cls.instances)
            # What else would be done while the first cells are measured.
            for statement in ("VACUUM ANALYZE", "CHECKPOINT"):
                cls.postgresql.execute(statement, database=cls._filled)
            yield

    def _to_use(self):
        return contextlib.nullcontext(self._filled)
