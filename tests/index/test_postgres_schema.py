"""The schema on PostgreSQL: made once whoever comes first, upgraded in place, and refused with a sentence."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred, gatherResults

from sdcc.index import postgres_folding
from sdcc.index.postgres_schema import SCRIPTS, check, prepare
from sdcc.index.postgres_session import Refused
from sdcc.index.rows import INSTANCE, SERIES, STUDY, Level
from sdcc.interfaces import StoredObject

Make = Callable[..., StoredObject]
NEWER = (*SCRIPTS, "ALTER TABLE study ADD COLUMN note text")
TYPES = {
    str: "text",
    int: "bigint",
    datetime.date: "date",
    datetime.time: "time without time zone",
    datetime.datetime: "timestamp with time zone",
}


class Bench:
    """A database with nothing in it, and sessions with it."""

    def __init__(self, engine: Any, server: Any, database: str) -> None:
        self.run = engine.run
        self.until = engine.until
        self.database = database
        self.server = server
        self.unprepared = lambda **given: engine.unprepared(url=server.url(database), **given)
        self._sessions = self.unprepared()._sessions

    def session(self) -> Any:
        return self.run(self._sessions.open(lambda _: None, to_write=True))

    def select(self, statement: str) -> Any:
        return self.server.execute(statement, database=self.database)

    def prepare(self, *scripts: str) -> None:
        session = self.session()
        try:
            self.run(prepare(session, scripts or SCRIPTS))
        finally:
            session.close()


@pytest.fixture
def bench(new_postgresql: Any, postgresql: Any) -> Iterator[Bench]:
    with new_postgresql() as engine, postgresql.database() as database:
        yield Bench(engine, postgresql, database)


def test_what_is_prepared_stays_as_it_is_when_prepared_again(bench: Bench) -> None:
    bench.prepare()
    bench.select("INSERT INTO study (study_instance_uid) VALUES ('1.2')")
    bench.prepare()
    assert bench.select("SELECT study_instance_uid FROM study") == [("1.2",)]
    assert bench.select("SELECT version FROM sdcc_schema") == [(len(SCRIPTS),)]


@pytest.mark.parametrize("level", [STUDY, SERIES, INSTANCE], ids=lambda level: level.table)
def test_the_tables_have_the_levels_columns_behind_their_keys(bench: Bench, level: Level) -> None:
    bench.prepare()
    columns = bench.select(
        "SELECT column_name, data_type, is_nullable = 'NO' FROM information_schema.columns "
        f"WHERE table_name = '{level.table}' ORDER BY ordinal_position"
    )
    attributes = [column for column in columns if not column[0].endswith("_key") and column[0] != "stable_at"]
    assert attributes == [(column.name, TYPES[column.type], column.required) for column in level.columns]


def test_several_may_prepare_one_database_at_once(bench: Bench) -> None:
    sessions = [bench.session() for _ in range(8)]

    async def at_once() -> None:
        await gatherResults([Deferred.fromCoroutine(prepare(session)) for session in sessions])

    bench.run(at_once())
    assert bench.select("SELECT version FROM sdcc_schema") == [(len(SCRIPTS),)]


def test_an_older_database_is_upgraded_in_place_by_several_at_once(bench: Bench) -> None:
    bench.prepare()
    bench.select("INSERT INTO study (study_instance_uid) VALUES ('1.2')")
    sessions = [bench.session() for _ in range(4)]

    async def at_once() -> None:
        await gatherResults([Deferred.fromCoroutine(prepare(session, NEWER)) for session in sessions])

    bench.run(at_once())
    assert bench.select("SELECT version FROM sdcc_schema") == [(len(NEWER),)]
    assert bench.select("SELECT study_instance_uid, note FROM study") == [("1.2", None)]


def test_an_upgrade_by_a_newer_program_is_not_taken_back(bench: Bench) -> None:
    """One that comes between the look at the version and the trial whether the database can be written."""
    bench.prepare()
    session = bench.session()

    class Overtaken:
        async def run(self, statement: str, *parameters: object) -> Any:
            rows = await session.run(statement, *parameters)
            if statement.lstrip().startswith("SELECT version"):
                await prepare(session, NEWER)
            return rows

    bench.run(prepare(Overtaken()))
    assert bench.select("SELECT version FROM sdcc_schema") == [(len(NEWER),)]


def test_a_database_of_version_1_learns_to_compare_the_names_that_it_has(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many rows there are."""
    monkeypatch.setattr(postgres_folding, "PAGE", 2)
    bench.prepare(*SCRIPTS[:1])
    bench.select(
        "INSERT INTO study (study_instance_uid, patient_name, referring_physician_name) VALUES"
        " ('1', 'MÜLLER^Jörg^^=山田', NULL), ('2', NULL, 'É^A\\B=C'), ('3', NULL, NULL), ('4', 'X', 'Y'),"
        " ('5', E'O''Br%s', NULL)"
    )
    bench.select(
        "INSERT INTO series (study_key, series_instance_uid, operators_name)"
        " SELECT study_key, '1', 'ÄB' FROM study"
    )
    bench.prepare()
    assert bench.select(
        "SELECT patient_name_alphabetic, patient_name_ideographic, patient_name_phonetic,"
        " referring_physician_name_folded FROM study ORDER BY study_instance_uid"
    ) == [
        ("müller^jörg", "山田", "", None),
        (None, None, None, "é^a\\b=c"),
        (None, None, None, None),
        ("x", "", "", "y"),
        ("o'br%s", "", "", None),
    ]
    assert bench.select("SELECT DISTINCT operators_name_folded FROM series") == [("äb",)]


def test_studies_of_version_2_are_stable_since_their_last_reception_and_nobody_is_told(bench: Bench) -> None:
    bench.prepare(*SCRIPTS[:2])
    bench.select("INSERT INTO study (study_instance_uid) VALUES ('1.2'), ('1.3')")
    bench.select(
        "INSERT INTO series (study_key, series_instance_uid)"
        " SELECT study_key, uid FROM study, unnest(ARRAY['a', 'b']) AS uid WHERE study_instance_uid = '1.2'"
    )
    bench.select(
        "INSERT INTO instance (series_key, sop_instance_uid, sop_class_uid, path, size, data_set_size,"
        " sha256, transfer_syntax_uid, received_at, calling_ae, called_ae, calling_address)"
        " SELECT series_key, series_instance_uid, '1', '', 1, 1, repeat('0', 64), '1',"
        " CASE series_instance_uid WHEN 'a' THEN timestamptz '2024-05-02Z' ELSE '2024-05-01Z' END,"
        " '', '', '' FROM series"
    )
    bench.prepare()
    received_at = datetime.datetime(2024, 5, 2, tzinfo=datetime.UTC)
    studies = bench.select("SELECT study_instance_uid, stable_at FROM study ORDER BY study_key")
    assert studies == [("1.2", received_at), ("1.3", None)]
    assert bench.select("SELECT count(*) FROM notice") == [(0,)]


def test_an_upgrade_that_fails_changes_nothing(bench: Bench) -> None:
    bench.prepare()
    with pytest.raises(Refused, match='relation "nowhere" does not exist'):
        bench.prepare(*SCRIPTS, "CREATE TABLE other (a integer); DELETE FROM nowhere")
    assert bench.select("SELECT version, to_regclass('other') FROM sdcc_schema") == [(len(SCRIPTS), None)]


def test_a_newer_schema_is_refused_for_as_long_as_it_is_there(bench: Bench, make: Make) -> None:
    bench.prepare(*NEWER)
    index = bench.unprepared()
    index.prepare()
    index.start()
    bench.run(bench.until(lambda: "newer" in index.refusal))
    assert index.refusal == f"index: schema version {len(NEWER)} is newer than this program's, {len(SCRIPTS)}"
    with pytest.raises(
        ValueError,
        match=f"schema version {len(NEWER)} is newer than this program's, {len(SCRIPTS)}; use the SDCC that",
    ):
        bench.run(index.instances().__anext__())
    bench.run(index.stop())


def test_the_tables_of_another_program_are_left_alone(bench: Bench) -> None:
    bench.select("CREATE TABLE study (name text)")
    with pytest.raises(ValueError, match="the tables are another program's; name another database"):
        bench.prepare()
    assert bench.select("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(1,)]


def test_a_database_that_cannot_be_written_is_seen_at_once(bench: Bench) -> None:
    bench.prepare()
    session = bench.session()
    bench.run(session.run("SET default_transaction_read_only = on"))
    with pytest.raises(Refused, match="cannot execute UPDATE in a read-only transaction"):
        bench.run(prepare(session))


def test_a_reader_asks_for_an_upgrade_and_makes_none(bench: Bench) -> None:
    bench.prepare()
    bench.select("UPDATE sdcc_schema SET version = 0")
    bench.select("UPDATE sdcc_schema SET version = -1")
    with pytest.raises(
        ValueError, match=f"schema version -1 is older than this program's, {len(SCRIPTS)}; start SDCC once"
    ):
        bench.run(check(bench.session()))


def test_an_upgrade_may_take_longer_than_a_registration(bench: Bench) -> None:
    """Of many rows, or while another process is at it; what comes after is in haste again."""
    bench.prepare()
    session = bench.run(bench.unprepared(timeout=0.5)._sessions.open(lambda _: None, to_write=True))
    slowly = (*SCRIPTS, "SELECT pg_sleep(1); CREATE TABLE slow (a integer)")
    bench.run(prepare(session, slowly))
    assert bench.select("SELECT version, to_regclass('slow')::text FROM sdcc_schema") == [
        (len(slowly), "slow")
    ]
    with pytest.raises(Refused, match="statement timeout"):
        bench.run(session.run("SELECT pg_sleep(1)"))
    session.close()
