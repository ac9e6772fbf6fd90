"""What is PostgreSQL's own in the index: transactions, sessions, several processes on one database."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import globalLogPublisher

from sdcc.index import postgres
from sdcc.index.doubts import Doubt
from sdcc.index.postgres_session import Refused
from sdcc.index.postgres_statements import START, read, register, settle
from sdcc.interfaces import OutOfResources, Registered, StoredObject, Unstorable

Make = Callable[..., StoredObject]
REGISTERING = Path(__file__).with_name("registering.py")


@pytest.fixture
def engine(new_postgresql: Any) -> Iterator[Any]:
    with new_postgresql() as engine:
        yield engine


def session(engine: Any) -> Any:
    return engine.index._writer._session


def versions(engine: Any) -> list[Any]:
    """Which transaction has written each row, by table."""
    return [
        sorted(engine.select(f"SELECT ctid::text, xmin::text FROM {table}"))
        for table in ("study", "series", "instance")
    ]


# --- registration --------------------------------------------------------------------------------


def test_levels_that_stay_as_they_are_are_not_rewritten(engine: Any, make: Make) -> None:
    engine.register(make("1", patient_id="P", series_number=1, modality="CT"))
    before = versions(engine)
    engine.register(make("2", patient_id="P", series_number=1), make("3"))
    assert versions(engine)[:2] == before[:2]
    engine.register(make("4", patient_id="Q"))
    assert versions(engine)[0] != before[0]
    assert versions(engine)[1] == before[1]


def test_a_group_that_is_registered_again_is_answered_the_same_and_changes_nothing(
    engine: Any, make: Make
) -> None:
    """As it is when nobody knows what became of its commit."""
    engine.register(make("1", path="a"), make("2", path="b"))
    group = [make("1", path="c"), make("2", path="d"), make("3", path="e"), make("1", path="f")]
    answers = engine.register(*group)
    assert answers == [Registered("a"), Registered("b"), Registered(None), Registered("c")]
    before = versions(engine)
    assert engine.register(*group)[1:] == answers[1:]
    assert engine.register(*group)[0] in (Registered("a"), Registered(None))
    assert versions(engine) == before


def test_a_group_of_which_a_part_is_registered_already_is_registered_whole(engine: Any, make: Make) -> None:
    engine.register(make("1", path="a"))
    engine.register(make("1", path="b"))
    assert engine.register(make("1", path="b"), make("2", path="c")) == [Registered("a"), Registered(None)]
    assert sorted(stored.file.path for stored in engine.instances()) == ["b", "c"]


def test_what_was_replaced_or_given_up_is_never_registered_again(engine: Any, make: Make) -> None:
    engine.register(make("1", path="a"))
    engine.register(make("1", path="b"))
    assert engine.run(settle(session(engine), [Doubt("2", "given up")])) == [None]
    outcomes = engine.register(make("1", path="a"), make("3", path="c"), make("2", path="given up"))
    assert [type(outcome) for outcome in outcomes] == [Unstorable, Registered, Unstorable]
    assert sorted(stored.file.path for stored in engine.instances()) == ["b", "c"]


def test_what_is_kept_of_replaced_files_ends_after_30_days(engine: Any, make: Make) -> None:
    for path in "abc":
        engine.register(make(path=path))
    engine.select("UPDATE gone SET since = now() - interval '31 days' WHERE path = 'a' RETURNING path")
    engine.register(make(path="d"))
    assert engine.select("SELECT path, successor FROM gone ORDER BY path") == [("b", "c"), ("c", "d")]


@pytest.mark.parametrize("again", [1, 2])
def test_a_doubt_is_settled_as_what_happened_however_often(engine: Any, make: Make, again: int) -> None:
    engine.register(make("1", path="a"), make("2", path="b"), make("4", path="f"))
    engine.register(make("2", path="c"), make("4", path="g"))
    engine.register(make("4", path="h"))
    doubts = [Doubt("1", "a"), Doubt("2", "c"), Doubt("3", "d"), Doubt("1", "e"), Doubt("4", "g")]
    for _ in range(again):
        assert engine.run(settle(session(engine), doubts)) == [
            Registered(None),
            Registered("b"),
            None,
            None,
            Registered("f"),
        ]


def test_a_large_group_of_long_texts_is_registered(engine: Any, make: Make) -> None:
    """Of text of four bytes a character, as long as the archive gives it, in columns that have an index."""
    text = "\U0001f600" * 512
    group = [
        make(
            f"{number}",
            study_instance_uid=f"{number % 5}",
            patient_id=text,
            patient_name=text,
            accession_number=text,
        )
        for number in range(128)
    ]
    assert engine.register(*group) == [Registered(None)] * 128
    assert engine.instances()[0].study.patient_name == text


def test_on_a_server_whose_commits_take_15_ms_transactions_are_at_most_a_quarter_of_the_objects(
    engine: Any, make: Make, postgresql: Any
) -> None:
    """With 16 associations of small objects."""
    objects, associations = 25, 16
    for setting in ("fsync = on", "commit_siblings = 0", "commit_delay = 15000"):
        postgresql.execute(f"ALTER SYSTEM SET {setting}")
    postgresql.execute("SELECT pg_reload_conf()")

    def transactions() -> int:
        [(count,)] = engine.select("SELECT pg_current_xact_id()::text::bigint")
        return int(count)

    async def association(number: int) -> None:
        for place in range(objects):
            await engine.index.register(make(f"{number}.{place}", study_instance_uid=f"{number}"))

    async def storm() -> None:
        await gatherResults([Deferred.fromCoroutine(association(number)) for number in range(associations)])

    try:
        engine.run(engine.until(lambda: engine.select("SHOW commit_delay") == [("15000",)]))
        before, begun = transactions(), time.monotonic()
        engine.run(storm())
        taken = time.monotonic() - begun
        spent = transactions() - before - 1
    finally:
        postgresql.execute("ALTER SYSTEM RESET ALL")
        postgresql.execute("SELECT pg_reload_conf()")
    assert engine.select("SELECT count(*) FROM instance") == [(objects * associations,)]
    assert objects <= spent <= objects * associations / 4
    assert taken > 0.015 * spent, "the commits took their time"


# --- many at once --------------------------------------------------------------------------------


def test_first_objects_of_one_new_study_from_many_at_once(engine: Any, make: Make) -> None:
    """From 32 associations of two servers, in series that some share, again and again."""
    indexes = [engine.index, engine.another()]

    async def association(number: int, round_number: int) -> Registered:
        study = f"{round_number}"
        stored = make(
            f"{round_number}.{number}",
            study_instance_uid=study,
            series_instance_uid=f"{study}.{number % 3}",
            patient_id=f"P{number}",
        )
        registered: Registered = await indexes[number % 2].register(stored)
        return registered

    async def rounds() -> None:
        for round_number in range(30):
            answers = await gatherResults(
                [Deferred.fromCoroutine(association(number, round_number)) for number in range(32)]
            )
            assert answers == [Registered(None)] * 32

    engine.run(rounds())
    counts = [engine.select(f"SELECT count(*) FROM {table}") for table in ("study", "series", "instance")]
    assert counts == [[(30,)], [(90,)], [(960,)]]


def test_one_object_from_two_servers_at_once_has_one_winner_and_each_loser_is_told_once(
    engine: Any, make: Make
) -> None:
    """Also where it moves between studies that are emptied and made again meanwhile."""
    indexes = [engine.index, engine.another()]

    async def store(number: int) -> str | None:
        stored = make(
            "1",
            path=f"{number}",
            seconds=number,
            study_instance_uid=f"{number % 3}",
            series_instance_uid=f"{number % 5}",
            sha256=f"{number:064}",
        )
        registered: Registered = await indexes[number % 2].register(stored)
        return registered.replaced

    async def storm() -> list[str | None]:
        return await gatherResults([Deferred.fromCoroutine(store(number)) for number in range(300)])

    replaced = engine.run(storm())
    [winner] = engine.instances()
    number = int(winner.file.path)
    assert winner.file.sha256 == f"{number:064}"
    assert winner.study.study_instance_uid == f"{number % 3}"
    assert sorted(filter(None, replaced), key=int) == [str(each) for each in range(300) if each != number]
    assert engine.select("SELECT count(*) FROM study") == [(1,)]
    assert engine.select("SELECT count(*) FROM series") == [(1,)]


def test_processes_may_start_on_one_new_database_and_write_at_once(postgresql: Any, tmp_path: Path) -> None:
    with postgresql.database() as database:
        processes = [
            subprocess.Popen(
                [sys.executable, REGISTERING, postgresql.url(database), prefix, "200"],
                stdout=subprocess.PIPE,
                cwd=tmp_path,
                text=True,
            )
            for prefix in ("1", "2", "3")
        ]
        expected: dict[str, str] = {}
        for process in processes:
            output, _ = process.communicate()
            assert process.returncode == 0
            expected |= dict(line.split(" ") for line in output.splitlines())
        rows = postgresql.execute("SELECT sop_instance_uid, path FROM instance", database=database)
        assert dict(rows) == expected
        assert len(expected) == 150
        levels = (
            "SELECT DISTINCT study_instance_uid, series_instance_uid "
            "FROM instance JOIN series USING (series_key) JOIN study USING (study_key)"
        )
        [(series,)] = postgresql.execute("SELECT count(*) FROM series", database=database)
        assert series == len(postgresql.execute(levels, database=database))


# --- sessions ------------------------------------------------------------------------------------


def test_nothing_is_registered_before_it_is_started(engine: Any, make: Make) -> None:
    index = engine.unprepared()
    assert index.refusal == "index is not open yet"
    with pytest.raises(OutOfResources, match=r"^index is not open yet$"):
        engine.run(index.register(make()))


def test_what_weakens_a_promise_is_set_right_whatever_the_servers_defaults(engine: Any) -> None:
    wrong = {
        "synchronous_commit": "off",
        "default_transaction_isolation": "serializable",
        "timezone": "Asia/Tokyo",
    }
    for name, value in wrong.items():
        engine.select(f"ALTER DATABASE {engine.database} SET {name} = '{value}'")
    try:
        engine.index = engine.another()
        settings = engine.run(
            session(engine).run(
                "SELECT current_setting('synchronous_commit'), current_setting('transaction_isolation'), "
                "current_setting('timezone'), current_setting('application_name'), "
                "current_setting('statement_timeout'), current_setting('lock_timeout')"
            )
        )
    finally:
        engine.select(f"ALTER DATABASE {engine.database} RESET ALL")
    assert settings == [("on", "read committed", "UTC", "sdcc", "8s", "6s")]


def test_the_plans_of_a_registration_are_kept(engine: Any) -> None:
    """Planning each statement of it anew takes the server longer than all the rest; and none that is kept
    reads all of a table to join it, which was empty when it was made."""
    names = ("plan_cache_mode", "enable_hashjoin", "enable_mergejoin")
    settings = [engine.run(session(engine).run(f"SHOW {name}")) for name in names]
    assert settings == [[("force_generic_plan",)], [("off",)], [("off",)]]


@pytest.mark.parametrize("stronger", ["remote_apply", "local"])
def test_what_the_server_keeps_safer_by_its_own_choice_stays(engine: Any, stronger: str) -> None:
    engine.select(f"ALTER DATABASE {engine.database} SET synchronous_commit = {stronger}")
    try:
        engine.index = engine.another()
        assert engine.run(session(engine).run("SHOW synchronous_commit")) == [(stronger,)]
    finally:
        engine.select(f"ALTER DATABASE {engine.database} RESET ALL")


def test_a_lock_that_another_keeps_is_a_certain_refusal(new_postgresql: Any, make: Make) -> None:
    with new_postgresql(timeout=0.5) as engine:
        engine.hold()
        outcomes = engine.register(make("1"), make("2"))
        assert [str(outcome) for outcome in outcomes] == [
            "index: canceling statement due to lock timeout"
        ] * 2
        assert [type(outcome) for outcome in outcomes] == [OutOfResources] * 2
        engine.release()
        assert engine.index.refusal is None
        assert engine.register(make("1")) == [Registered(None)]


def test_a_statement_that_takes_too_long_is_a_certain_refusal_too(engine: Any) -> None:
    """The server cancels it, which the driver tells in a way of its own."""
    engine.run(session(engine).run("SET statement_timeout = 50"))
    with pytest.raises(Refused, match="canceling statement") as refused:
        engine.run(session(engine).run("SELECT pg_sleep(5)"))
    assert refused.value.sqlstate == "57014"
    assert engine.run(session(engine).run("SELECT 1")) == [(1,)]


def test_a_conflict_is_tried_again(engine: Any, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    async def conflicting(*arguments: Any) -> list[Registered]:
        tried.append(1)
        if len(tried) < 3:
            raise Refused("40P01", "deadlock detected")
        return await register(*arguments)

    monkeypatch.setattr("sdcc.index.postgres_writer.register", conflicting)
    assert engine.register(make()) == [Registered(None)]


def test_one_bad_row_costs_few_transactions(engine: Any, make: Make) -> None:
    [(before,)] = engine.select("SELECT pg_current_xact_id()::text::bigint")
    group = [make(str(place), sha256="" if place == 5 else "0f" * 32) for place in range(7)]
    assert [type(outcome) for outcome in engine.register(*group)].count(Unstorable) == 1
    [(after,)] = engine.select("SELECT pg_current_xact_id()::text::bigint")
    assert after - before - 1 <= 8


def test_a_fault_of_the_database_is_refused_and_tried_again_on_a_new_session(engine: Any, make: Make) -> None:
    engine.select("ALTER TABLE instance RENAME TO elsewhere")
    try:
        [outcome] = engine.register(make())
        assert type(outcome) is OutOfResources
        assert str(outcome) == 'index: relation "instance" does not exist'
    finally:
        engine.select("ALTER TABLE elsewhere RENAME TO instance")
    engine.run(engine.until(lambda: engine.index._writer._session is not None))
    assert engine.register(make()) == [Registered(None)]


# --- readers -------------------------------------------------------------------------------------


def test_a_reader_needs_neither_prepare_nor_start(engine: Any, make: Make) -> None:
    engine.register(make())
    engine.index = engine.unprepared()
    assert engine.instances() == [make()]


def test_a_reader_of_a_new_database_creates_nothing(postgresql: Any, engine: Any) -> None:
    with postgresql.database() as database:
        engine.index = engine.unprepared(url=postgresql.url(database))
        with pytest.raises(FileNotFoundError, match=r"^there is no index yet in the database"):
            engine.instances()
        assert postgresql.execute(
            "SELECT count(*) FROM pg_tables WHERE tablename = 'study'", database=database
        ) == [(0,)]
        engine.run(engine.index.stop())


def test_readers_are_as_many_as_allowed(engine: Any, make: Make, postgresql: Any) -> None:
    engine.register(*(make(f"{number}") for number in range(10)))

    async def listings() -> list[int]:
        async def count() -> int:
            return len([stored async for stored in engine.index.instances()])

        return await gatherResults([Deferred.fromCoroutine(count()) for _ in range(12)])

    assert engine.run(listings()) == [10] * 12
    engine.run(engine.until(lambda: len(postgresql.backends(engine.database)) == 4))


def test_objects_registered_between_pages_are_read_in_their_turn(
    engine: Any, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "PAGE", 2)
    objects = [make(str(number), seconds=number) for number in range(5)]
    engine.register(*objects[:3])

    async def listed() -> list[StoredObject]:
        seen = []
        async for stored in engine.index.instances():
            seen.append(stored)
            if len(seen) == 1:
                assert await engine.index._writer._commit(objects[3:]) == [Registered(None)] * 2
        return seen

    assert engine.run(listed()) == objects


@pytest.mark.parametrize(
    ("keywords", "index"),
    [
        ({}, "instance_by_received_at"),
        ({"faulty": True}, "instance_faulty_by_received_at"),
        ({"study_instance_uid": "1"}, "study_study_instance_uid_key"),
    ],
)
def test_a_page_begins_where_the_last_ended(engine: Any, keywords: dict[str, Any], index: str) -> None:
    """By the index, with nothing sorted but what is of one study."""

    class Explaining:
        plan: list[str]

        async def run(self, statement: str, *parameters: Any) -> list[Any]:
            await session(engine).run("SET enable_seqscan = off")
            rows = await session(engine).run(f"EXPLAIN {statement}", *parameters)
            self.plan = [line for (line,) in rows]
            return []

    explaining = Explaining()
    engine.run(read(explaining, START, 1000, **keywords))
    plan = "\n".join(explaining.plan)
    assert f"Index Scan using {index} on" in plan or f"Index Scan on {index}" in plan, plan
    assert "Seq Scan" not in plan, plan


# --- credentials ---------------------------------------------------------------------------------

PASSWORD = "top: secret/@%"


@pytest.fixture(scope="module")
def role(postgresql: Any) -> Iterator[str]:
    """A role that needs its password, and has rights in a database of its own."""
    postgresql.execute("CREATE ROLE secretive LOGIN PASSWORD %s", [PASSWORD])
    with postgresql.database() as database:
        postgresql.execute(f"ALTER DATABASE {database} OWNER TO secretive")
        yield database
    postgresql.execute("DROP ROLE secretive")


@pytest.fixture
def log() -> Iterator[list[str]]:
    lines: list[str] = []

    def observe(event: dict[str, Any]) -> None:
        lines.append(event.get("log_format", "").format(**event) + repr(event))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


def in_url(server: Any, database: str, directory: Path, environment: Any) -> str:
    return f"postgresql://secretive:top%3A%20secret%2F%40%25@127.0.0.1:{server.port}/{database}"


def in_password_file(server: Any, database: str, directory: Path, environment: Any) -> str:
    file = directory / "pgpass"
    file.write_text(f"127.0.0.1:{server.port}:*:secretive:{PASSWORD.replace(':', chr(92) + ':')}\n")
    file.chmod(0o600)
    environment.setenv("PGPASSFILE", str(file))
    return f"postgresql://secretive@127.0.0.1:{server.port}/{database}"


def in_service(server: Any, database: str, directory: Path, environment: Any) -> str:
    file = directory / "services"
    file.write_text(
        f"[archive]\nhost=127.0.0.1\nport={server.port}\nuser=secretive\ndbname={database}\npassword={PASSWORD}\n"
    )
    environment.setenv("PGSERVICEFILE", str(file))
    return "postgresql://?service=archive"


def in_service_of_the_environment(server: Any, database: str, directory: Path, environment: Any) -> str:
    in_service(server, database, directory, environment)
    environment.setenv("PGSERVICE", "archive")
    return "postgresql://"


def in_environment(server: Any, database: str, directory: Path, environment: Any) -> str:
    values = {
        "HOST": "127.0.0.1",
        "PORT": server.port,
        "USER": "secretive",
        "DATABASE": database,
        "PASSWORD": PASSWORD,
    }
    for name, value in values.items():
        environment.setenv(f"PG{name}", str(value))
    return "postgresql://"


WAYS = [in_url, in_password_file, in_service, in_service_of_the_environment, in_environment]


@pytest.fixture(params=WAYS)
def url(request: Any, postgresql: Any, role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A URL that leads to the password, by each way there is."""
    return str(request.param(postgresql, role, tmp_path, monkeypatch))


def test_credentials_may_be_where_libpq_finds_them(engine: Any, make: Make, url: str, log: list[str]) -> None:
    index = engine.another(url=url)
    assert engine.run(index.register(make(url.rpartition("/")[2]))) == Registered(None)
    engine.run(index.stop())
    assert "secret" not in "".join(log).replace("secretive", "")


def test_a_wrong_password_is_told_but_not_which(
    engine: Any, postgresql: Any, url: str, log: list[str]
) -> None:
    postgresql.execute("ALTER ROLE secretive PASSWORD 'another'")
    try:
        index = engine.unprepared(url=url)
        index.prepare()
        index.start()
        engine.run(engine.until(lambda: "password authentication failed" in (index.refusal or "")))
        with pytest.raises(OSError, match="password authentication failed") as error:
            engine.run(index.instances().__anext__())
    finally:
        postgresql.execute("ALTER ROLE secretive PASSWORD %s", [PASSWORD])
    for text in (*log, index.refusal, str(error.value), repr(error.value)):
        assert "secret" not in text.replace("secretive", "")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:se%cret@h/d",
        "postgresql://h/d?secret",
        "postgresql://h?secret=1",
    ],
)
def test_a_url_that_cannot_be_read_keeps_it_from_starting_and_is_not_told(engine: Any, url: str) -> None:
    index = engine.unprepared(url=url)
    with pytest.raises(ValueError, match=r"^url cannot be read: ") as error:
        index.prepare()
    assert "cret" not in str(error.value)


def test_a_database_of_another_encoding_is_refused_with_advice(engine: Any, postgresql: Any) -> None:
    postgresql.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
    try:
        index = engine.unprepared(url=postgresql.url("latin"))
        with pytest.raises(ValueError, match="encoding is LATIN1; create one for SDCC with ENCODING 'UTF8'"):
            engine.run(index.instances().__anext__())
        engine.run(index.stop())
    finally:
        postgresql.execute("DROP DATABASE latin WITH (FORCE)")


def test_of_several_hosts_the_one_that_answers_is_taken(engine: Any, make: Make, postgresql: Any) -> None:
    url = f"postgresql://postgres@127.0.0.1:1,localhost:{postgresql.port}/{engine.database}"
    assert engine.run(engine.another(url=url).register(make())) == Registered(None)


def test_a_host_without_an_address_is_told(engine: Any) -> None:
    index = engine.unprepared(url="postgresql://nowhere.invalid/d")
    with pytest.raises(OSError, match=r"^the index cannot be read: host nowhere\.invalid: "):
        engine.run(index.instances().__anext__())


def test_the_driver_is_not_asked_to_wait(engine: Any) -> None:
    """A connection that waits would keep the reactor waiting."""
    assert engine.index._writer._session._connection.async_
    assert psycopg2.extensions.get_wait_callback() is None
