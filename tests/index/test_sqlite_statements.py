"""The SQL: it writes no more than it must, and finds by index what it looks for."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sdcc.index.sqlite_file import open_writer, prepare, transaction
from sdcc.index.sqlite_statements import MAXIMUM_ROWS, ROW_FAULTS, START, read, register
from sdcc.interfaces import Registered, StoredObject

Make = Callable[..., StoredObject]


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    path = tmp_path / "index.db"
    prepare(path, 0)
    with contextlib.closing(open_writer(path, 0)) as connection:
        yield connection


def changes(connection: sqlite3.Connection, *group: StoredObject) -> int:
    """Rows that a group writes."""
    before = connection.total_changes
    with transaction(connection):
        register(connection, group)
    return connection.total_changes - before


def test_levels_that_stay_as_they_are_are_not_rewritten(connection: sqlite3.Connection, make: Make) -> None:
    assert changes(connection, make("1", patient_id="P", modality="CT")) == 3
    assert changes(connection, make("2", patient_id="P", modality="CT"), make("3")) == 2
    assert changes(connection, make("4", patient_id="Q")) == 2
    assert changes(connection, make("5", modality="MR")) == 2


def test_a_group_may_have_more_rows_than_a_statement(connection: sqlite3.Connection, make: Make) -> None:
    """Each is registered, and each that takes another's place says so."""
    count = 2 * MAXIMUM_ROWS + 3
    uids = [f"1.{number}" for number in range(1, count + 1)]
    first, second = ([make(uid, path=f"{name}/{uid}") for uid in uids] for name in "ab")

    assert changes(connection, *first) == count + 2
    with transaction(connection):
        answers = register(connection, second)
    assert answers == [Registered(f"a/{uid}") for uid in uids]


def test_a_number_that_no_column_holds_is_a_fault_of_its_row(
    connection: sqlite3.Connection, make: Make
) -> None:
    with pytest.raises(ROW_FAULTS), transaction(connection):
        register(connection, [make("1", size=2**63)])


def test_no_statement_scans_a_table(connection: sqlite3.Connection, make: Make) -> None:
    """So that its cost does not grow with the archive. An object moves, to bring about every statement."""
    statements: list[str] = []
    changes(connection, make("1"))
    connection.set_trace_callback(statements.append)
    changes(connection, make("1", study_instance_uid="1.3"), make("2"))
    for keywords in ({}, {"study_instance_uid": "1.2"}, {"faulty": True}):
        read(connection, START, 1000, **keywords)
    connection.set_trace_callback(None)
    plans = [plan_of(connection, statement) for statement in statements if len(statement) > 50]
    assert len(plans) == 11
    for step in (step for plan in plans for step in plan):
        assert not step.startswith(("SCAN study", "SCAN series", "SCAN instance", "SCAN gone")), step


def plan_of(connection: sqlite3.Connection, statement: str) -> list[str]:
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]


@pytest.mark.parametrize(
    ("keywords", "index"),
    [({}, "instance_by_received_at"), ({"faulty": True}, "instance_faulty_by_received_at")],
)
def test_a_page_begins_where_the_last_ended(
    connection: sqlite3.Connection, keywords: dict[str, Any], index: str
) -> None:
    """By the index, with nothing sorted and nothing skipped."""
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    read(connection, START, 1000, **keywords)
    connection.set_trace_callback(None)
    (plan,) = (plan_of(connection, statement) for statement in statements)
    assert plan[0].startswith(f"SEARCH instance USING INDEX {index} ("), plan
    assert not [step for step in plan if "TEMP B-TREE" in step]
