"""What mends an index on every database: rows without files, files that no row is to name, loose rows."""

from __future__ import annotations

import datetime
import math
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from sdcc.index import postgres_mending, sqlite, sqlite_mending
from sdcc.index.restoring import found
from sdcc.interfaces import LooseRow, OutOfResources, Registered, StoredObject, Unstorable

Make = Callable[..., StoredObject]

LEVELS = "SELECT study_instance_uid, series_instance_uid FROM study JOIN series USING (study_key)"


def unregister(engine: Any, stored: StoredObject) -> bool:
    return engine.run(engine.index.unregister(stored.instance.sop_instance_uid, stored.file.path))


def disown(engine: Any, uid: str, path: str) -> bool:
    return engine.run(engine.index.disown(uid, path))


def loose(engine: Any) -> list[tuple[str, str, str | None, bool]]:
    return [(row.level, row.uid, row.path, row.is_empty) for row in loose_rows(engine)]


def loose_rows(engine: Any) -> list[LooseRow]:
    async def collect() -> list[LooseRow]:
        return [row async for row in engine.index.loose_rows()]

    return engine.run(collect())


# --- rows whose files are gone ---------------------------------------------------------------


def test_a_row_is_unregistered_with_the_levels_that_this_empties(engine: Any, make: Make) -> None:
    gone, sibling, other = (
        make("1"),
        make("2", study_instance_uid="1.3"),
        make("3", series_instance_uid="1.2.9"),
    )
    engine.register(gone, sibling, other)
    assert unregister(engine, gone)
    assert engine.instances() == [sibling, other]
    assert sorted(engine.select(LEVELS)) == [("1.2", "1.2.9"), ("1.3", "1.2.1")]
    assert unregister(engine, sibling)
    assert engine.select("SELECT study_instance_uid FROM study") == [("1.2",)]


def test_levels_that_hold_more_stay(engine: Any, make: Make) -> None:
    engine.register(make("1"), make("2"))
    assert unregister(engine, make("1"))
    assert engine.instances() == [make("2")]


def test_a_row_that_names_another_file_by_now_stays(engine: Any, make: Make) -> None:
    engine.register(make(path="first"))
    engine.register(make(path="second", seconds=1))
    assert not unregister(engine, make(path="first"))
    assert not unregister(engine, make("9"))
    assert [stored.file.path for stored in engine.instances()] == ["second"]


def test_what_was_unregistered_may_come_again(engine: Any, make: Make) -> None:
    engine.register(make(path="first"))
    assert unregister(engine, make(path="first"))
    assert engine.register(make(path="second")) == [Registered(None)]
    assert [stored.file.path for stored in engine.instances()] == ["second"]


# --- files that no row is to name --------------------------------------------------------------


def test_a_file_that_its_row_names_is_not_disowned(engine: Any, make: Make) -> None:
    engine.register(make(path="first"))
    assert not disown(engine, make().instance.sop_instance_uid, "first")
    assert engine.instances() == [make(path="first")]
    engine.register(make(path="second", seconds=1))
    assert disown(engine, make().instance.sop_instance_uid, "first")


@pytest.mark.parametrize("uid", ["1.2.1.1", "", "it's %s"])
def test_a_file_that_no_row_names_is_disowned(engine: Any, make: Make, uid: str) -> None:
    engine.register(make("9"))
    assert disown(engine, uid, "orphan")
    assert disown(engine, uid, "orphan")
    assert engine.instances() == [make("9")]


@pytest.mark.parametrize("change", ["disown", "unregister"])
def test_the_statement_of_a_registration_that_comes_later_does_not_register_it(
    engine: Any, make: Make, change: str
) -> None:
    if change == "unregister":
        engine.register(make("1", path="given up"))
        assert unregister(engine, make("1", path="given up"))
    else:
        assert disown(engine, "1", "given up")
    received, restored, good = engine.register(
        make("1", path="given up", seconds=1), found(make("1", path="given up", seconds=1)), make("2")
    )
    assert isinstance(received, Unstorable)
    assert not isinstance(restored, Registered)
    assert good == Registered(None)
    assert engine.instances() == [make("2")]


def test_a_registration_that_comes_later_than_its_successor_replaces_nothing(engine: Any, make: Make) -> None:
    """As where its process was held up, and another has found its file, and a third has replaced it."""
    engine.register(make("1", path="first"))
    assert engine.register(make("1", path="second", seconds=1)) == [Registered("first")]
    [late] = engine.register(make("1", path="first"))
    assert isinstance(late, Unstorable)
    assert engine.instances() == [make("1", path="second", seconds=1)]
    assert engine.select("SELECT path, successor FROM gone") == [("first", "second")]


def test_what_is_registered_again_under_its_own_path_is_not_gone(engine: Any, make: Make) -> None:
    for _ in range(2):
        assert engine.register(make("1")) == [Registered(None)]
    assert engine.select("SELECT count(*) FROM gone") == [(0,)]


def test_what_is_gone_is_forgotten_after_30_days(engine: Any, make: Make) -> None:
    """When something is replaced: then the table grows."""
    for path, since in (("old", "2024-05-01T09:30:00.000Z"), ("new", "2999-05-01T09:30:00.000Z")):
        engine.tamper(f"INSERT INTO gone (path, since) VALUES ('{path}', '{since}')")
    engine.register(make("1", path="first"))
    engine.register(make("1", path="second", seconds=1))
    assert {path for (path,) in engine.select("SELECT path FROM gone")} == {"first", "new"}


def test_a_registration_under_way_is_waited_for(
    engine: Any, make: Make, promise: Any, pending: object
) -> None:
    """Or it would be committed after the answer that no row names the file."""
    engine.hold()
    registered = promise(engine.index.register(make("1", path="new")))
    disowned = promise(engine.index.disown("1", "new"))
    assert disowned.outcome is pending
    engine.release()
    engine.wait(registered)
    engine.wait(disowned)
    assert registered.outcome == Registered(None)
    assert disowned.outcome is False


# --- rows that hang on nothing -------------------------------------------------------------------


def test_registration_leaves_no_loose_row(engine: Any, make: Make) -> None:
    engine.register(make("1"), make("2", study_instance_uid="1.3"))
    engine.register(make("1", path="moved", seconds=1, study_instance_uid="1.4"))
    assert loose(engine) == []


@pytest.mark.parametrize("rows", [1, 2, 1000])
def test_loose_rows_are_found_and_removed_and_no_others(
    engine: Any, make: Make, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr("sdcc.index.loose.RANGE", rows)
    good = make("1", study_instance_uid="1.1", series_instance_uid="1.1.1")
    engine.register(
        good,
        make("2", study_instance_uid="1.2", series_instance_uid="1.2.1"),
        make("3", study_instance_uid="1.3", series_instance_uid="1.3.1"),
        make("4", study_instance_uid="1.4", series_instance_uid="1.4.1"),
        make("5", study_instance_uid="1.5", series_instance_uid="1.5.1"),
    )
    engine.tamper(
        "DELETE FROM series WHERE series_instance_uid = '1.2.1'",
        "DELETE FROM study WHERE study_instance_uid = '1.3'",
        "DELETE FROM instance WHERE sop_instance_uid = '4'",
        "DELETE FROM instance WHERE sop_instance_uid = '5'",
        "DELETE FROM series WHERE series_instance_uid = '1.5.1'",
    )
    assert loose(engine) == [
        ("instance", "2", make("2").file.path, False),
        ("instance", "3", make("3").file.path, False),
        ("series", "1.3.1", None, False),
        ("series", "1.4.1", None, True),
        ("study", "1.2", None, True),
        ("study", "1.4", None, True),
        ("study", "1.5", None, True),
    ]
    engine.run(engine.index.remove_loose(loose_rows(engine)))
    assert loose(engine) == []
    assert engine.instances() == [good]
    assert engine.select("SELECT sop_instance_uid FROM instance") == [("1",)]


@pytest.mark.parametrize("rows", [1, 3, 4, 5])
def test_loose_rows_are_looked_for_in_a_few_rows_at_a_time_to_the_last(
    engine: Any, make: Make, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    """Also behind gaps between the keys that are wider; one statement for all would never end."""
    monkeypatch.setattr("sdcc.index.loose.RANGE", rows)
    select, asked = engine.index._select, []

    async def note(statement: str, *parameters: int) -> Any:
        asked.append((statement, parameters))
        return await select(statement, *parameters)

    monkeypatch.setattr(engine.index, "_select", note)
    uids = [str(number) for number in range(12)]
    engine.register(*(make(uid, series_instance_uid=f"1.2.{uid}") for uid in uids))
    engine.tamper(
        "DELETE FROM instance WHERE sop_instance_uid IN ('2', '3', '4', '5', '6')",
        "DELETE FROM series WHERE series_instance_uid IN ('1.2.3', '1.2.4', '1.2.5', '1.2.6')",
        "DELETE FROM series WHERE series_instance_uid IN ('1.2.0', '1.2.10', '1.2.11')",
    )
    assert [(level, uid) for level, uid, _, _ in loose(engine)] == [
        ("instance", "0"),
        ("instance", "10"),
        ("instance", "11"),
        ("series", "1.2.2"),
    ]
    for level, left in (("instance", 7), ("series", 5), ("study", 1)):
        looked_at = [
            engine.select(
                f"SELECT {level}_key FROM {level} WHERE {level}_key > {after} AND {level}_key <= {end}"
            )
            for statement, (after, end) in asked
            if statement.endswith(f"ORDER BY {level}_key")
        ]
        assert max(map(len, looked_at)) == min(rows, left)
        assert len(looked_at) == math.ceil(left / rows)
        assert sum(map(len, looked_at)) == left


def test_a_level_that_was_filled_meanwhile_stays(engine: Any, make: Make) -> None:
    engine.register(make("1"))
    engine.tamper("DELETE FROM instance")
    rows = loose_rows(engine)
    assert [row.level for row in rows] == ["series", "study"]
    engine.register(make("2"))
    engine.run(engine.index.remove_loose(rows))
    assert engine.instances() == [make("2")]


def test_the_file_of_a_row_that_was_loose_may_be_restored(engine: Any, make: Make) -> None:
    engine.register(make("1"))
    engine.tamper("DELETE FROM series")
    engine.run(engine.index.remove_loose(loose_rows(engine)))
    assert engine.run(engine.index.restore(make("1"))) == Registered(None)
    assert engine.instances() == [make("1")]
    assert loose(engine) == []


# --- what was received since a moment --------------------------------------------------------------


@pytest.mark.parametrize("page", [1, 1000])
@pytest.mark.parametrize(("seconds", "expected"), [(-1, "123"), (0, "123"), (1e-6, "23"), (1, "23"), (3, "")])
def test_instances_since_a_moment(
    engine: Any, make: Make, monkeypatch: pytest.MonkeyPatch, *, page: int, seconds: float, expected: str
) -> None:
    monkeypatch.setattr(engine.module, "PAGE", page)
    engine.register(make("1"), make("2", seconds=1), make("3", seconds=2))
    zone = datetime.timezone(datetime.timedelta(hours=9))
    since = (make().file.received_at + datetime.timedelta(seconds=seconds)).astimezone(zone)
    assert "".join(s.instance.sop_instance_uid for s in engine.instances(received_since=since)) == expected


# --- an index that fails ---------------------------------------------------------------------------


def test_after_stop_nothing_is_changed(engine: Any, make: Make) -> None:
    engine.register(make("1"))
    engine.run(engine.index.stop())
    for change in (
        engine.index.disown("1", "x"),
        engine.index.unregister("1", make("1").file.path),
        engine.index.remove_loose([]),
    ):
        with pytest.raises(OutOfResources, match=r"^index is stopped$"):
            engine.run(change)


def test_a_sqlite_that_fails_refuses_a_change_until_it_works_again(
    new_sqlite: Any, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with new_sqlite() as engine:
        engine.register(make("1"))
        with monkeypatch.context() as patch:
            patch.setattr(sqlite_mending, "unregister", fail)
            with pytest.raises(OutOfResources, match=r"^index: disk I/O error$"):
                unregister(engine, make("1"))
        with pytest.raises(OutOfResources, match=r"^index: disk I/O error$"):
            unregister(engine, make("1"))
        assert engine.index.refusal == "index: disk I/O error"
        engine.clock.advance(sqlite.TRIAL_INTERVAL)
        assert unregister(engine, make("1"))


def test_a_session_that_is_lost_refuses_a_change_until_there_is_another(
    new_postgresql: Any, make: Make
) -> None:
    with new_postgresql() as engine:
        engine.register(make("1"))
        engine.index._writer._session.close()
        for _ in range(2):  # it finds the session lost, and then none
            with pytest.raises(OutOfResources, match=r"^index"):
                unregister(engine, make("1"))
        engine.run(engine.until(lambda: engine.index._writer._session is not None))
        assert unregister(engine, make("1"))


def test_a_refused_change_leaves_the_session_out_of_any_transaction(
    new_postgresql: Any, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with new_postgresql() as engine:
        engine.register(make("1"))
        session = engine.index._writer._session
        with monkeypatch.context() as patch:
            patch.setattr(postgres_mending, "_WHERE_IT_STANDS", "SELECT 1 / 0 -- %s %s")
            with pytest.raises(OutOfResources, match=r"^index: division by zero$"):
                unregister(engine, make("1"))
        assert unregister(engine, make("1"))
        assert engine.index._writer._session is session


def test_changes_and_registrations_at_once_share_the_session_in_turn(
    new_postgresql: Any, make: Make, promise: Any
) -> None:
    """Two transactions at a time on one session would be one."""
    with new_postgresql() as engine:
        engine.register(*(make(str(number), study_instance_uid=f"1.{number}") for number in range(20)))
        removed = [
            promise(engine.index.unregister(str(number), make(str(number)).file.path)) for number in range(20)
        ]
        added = [promise(engine.index.restore(make(str(number)))) for number in range(100, 120)]
        for each in (*removed, *added):
            engine.wait(each)
        assert [each.outcome for each in removed] == [True] * 20
        assert [each.outcome for each in added] == [Registered(None)] * 20
        assert {stored.instance.sop_instance_uid for stored in engine.instances()} == {
            str(number) for number in range(100, 120)
        }
