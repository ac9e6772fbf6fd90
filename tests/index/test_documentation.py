"""docs/index.rst says of the database what is so."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docutils.core
import docutils.nodes
import pytest

from sdcc.config import INDEX_FILE_NAME
from sdcc.index import postgres_schema
from sdcc.index.sqlite_file import SCRIPTS
from sdcc.interfaces import StoredObject

DOCUMENT = Path(__file__).parents[2] / "docs" / "index.rst"
LEVELS = ("study", "series", "instance")
TABLES = (*LEVELS, "gone", "notice")
LINE = re.compile(
    r"^(CREATE TABLE (?P<table>\w+)|    (?P<column>\w+) .*-- (?P<tag>\([0-9A-F]{4},[0-9A-F]{4}\)))"
)
ADDED = re.compile(
    r"^ALTER TABLE (?P<table>\w+) ADD COLUMN (?P<column>\w+)[^;]*; +-- (?P<tag>\([0-9A-F]{4},[0-9A-F]{4}\))",
    re.MULTILINE,
)


@pytest.fixture(scope="module")
def document() -> docutils.nodes.document:
    settings = {"halt_level": 2, "report_level": 2, "syntax_highlight": "none"}
    return docutils.core.publish_doctree(DOCUMENT.read_text("utf-8"), settings_overrides=settings)


@pytest.fixture
def engine(new_sqlite: Callable[[], contextlib.AbstractContextManager[Any]]) -> Iterator[Any]:
    with new_sqlite() as engine:
        yield engine


def section(document: docutils.nodes.document, title: str) -> docutils.nodes.section:
    (found,) = [each for each in document.findall(docutils.nodes.section) if each[0].astext() == title]
    return found


def documented(document: docutils.nodes.document, table: str) -> list[tuple[str, str, str]]:
    """The columns: name, type and what they hold."""
    (body,) = section(document, table).findall(docutils.nodes.tbody)
    return [tuple(cell.astext() for cell in row) for row in body]


def blocks(document: docutils.nodes.document, language: str) -> list[str]:
    literal = document.findall(docutils.nodes.literal_block)
    return [block.astext() for block in literal if language in block["classes"]]


def statements(document: docutils.nodes.document) -> list[str]:
    return [part.strip() for block in blocks(document, "sql") for part in block.split(";") if part.strip()]


class Anything(dict[str, str]):
    """A value for whatever parameter a statement has."""

    def __missing__(self, key: str) -> str:
        return "2024-05-01"


@pytest.mark.parametrize("table", TABLES)
def test_columns_types_and_nulls_are_the_schemas(
    document: docutils.nodes.document, engine: Any, table: str
) -> None:
    schema = [
        (f"{name} *" if required or key else name, kind)
        for _, name, kind, required, _, key in engine.select(f"PRAGMA table_info({table})")
    ]
    assert [(name, kind) for name, kind, _ in documented(document, table)] == schema


@pytest.mark.parametrize("table", LEVELS)
def test_tags_are_those_of_the_schemas_comments(document: docutils.nodes.document, table: str) -> None:
    tags, current = {}, ""
    for line in SCRIPTS[0].splitlines():
        if found := LINE.match(line):
            current = found["table"] or current
            if found["column"] and current == table:
                tags[found["column"]] = found["tag"]
    for script in SCRIPTS[1:]:
        tags |= {found["column"]: found["tag"] for found in ADDED.finditer(script) if found["table"] == table}
    words = {name.rstrip(" *"): holds[:11] for name, _, holds in documented(document, table)}
    assert {name: holds for name, holds in words.items() if holds.startswith("(")} == tags
    assert len(tags) > 10


def test_it_describes_the_newest_schema(document: docutils.nodes.document) -> None:
    text = " ".join(document.astext().split())
    assert f"schema version {len(SCRIPTS)} " in text
    assert f"the database is {INDEX_FILE_NAME} in the storage directory" in text


def test_every_lookup_uses_an_index(document: docutils.nodes.document, engine: Any) -> None:
    lookups = [statement for statement in statements(document) if not statement.startswith("VACUUM")]
    assert len(lookups) > 10
    for statement in lookups:
        steps = [step for *_, step in engine.select(f"EXPLAIN QUERY PLAN {statement}", Anything())]
        assert not [step for step in steps if step.startswith("SCAN") and "faulty" not in step], statement
        assert any("INDEX" in step for step in steps), statement


# --- on PostgreSQL ---------------------------------------------------------------------------------


@pytest.fixture
def postgresql_engine(new_postgresql: Callable[[], contextlib.AbstractContextManager[Any]]) -> Iterator[Any]:
    with new_postgresql() as engine:
        yield engine


def test_types_on_postgresql_are_the_schemas(
    document: docutils.nodes.document, engine: Any, postgresql_engine: Any
) -> None:
    columns = (
        "SELECT data_type FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position"
    )
    pairs = set()
    for table in TABLES:
        on_sqlite = [kind for _, _, kind, *_ in engine.select(f"PRAGMA table_info({table})")]
        on_postgresql = [kind for (kind,) in postgresql_engine.select(columns, [table])]
        pairs |= set(zip(on_sqlite, on_postgresql, strict=True))
    assert {(on_sqlite, kind) for on_sqlite, kind, _ in documented(document, "Types")} == pairs


def test_every_lookup_on_postgresql_uses_an_index(
    document: docutils.nodes.document, postgresql_engine: Any
) -> None:
    postgresql_engine.select("SET enable_seqscan = off")
    lookups = [part.strip() for block in blocks(document, "postgresql") for part in block.split(";")]
    lookups = [statement for statement in lookups if "SELECT *" in statement or "SELECT path" in statement]
    assert len(lookups) > 10
    for statement in lookups:
        plan = "\n".join(line for (line,) in postgresql_engine.select(f"EXPLAIN {statement}"))
        assert "Seq Scan" not in plan, plan
        if "modality" not in statement and "fault" not in statement:
            assert "Index Cond" in plan, plan


def test_the_schema_on_postgresql_is_the_newest(document: docutils.nodes.document) -> None:
    text = " ".join(section(document, "On PostgreSQL").astext().split())
    assert f"schema version {len(postgres_schema.SCRIPTS)} there" in text


# --- on SQLite -------------------------------------------------------------------------------------


def test_the_copy_is_whole_and_needs_no_right_to_write(
    document: docutils.nodes.document, engine: Any, make: Callable[..., StoredObject], tmp_path: Path
) -> None:
    engine.register(make())
    (statement,) = [statement for statement in statements(document) if statement.startswith("VACUUM")]
    engine.select(statement, {"copy": str(tmp_path / "copy.db")})
    with contextlib.closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("SELECT path FROM instance").fetchall() == [(make().file.path,)]


def test_the_program_reads_while_the_server_writes(
    document: docutils.nodes.document, engine: Any, make: Callable[..., StoredObject]
) -> None:
    engine.register(make())
    (program,) = blocks(document, "python")
    names: dict[str, Any] = {}
    exec(program.replace(f"/var/lib/sdcc/{INDEX_FILE_NAME}", str(engine.path)), names)
    assert names["newest"] == [("2024-05-01T09:30:00.000000Z", "1.2.3", make().file.path)]


def test_a_name_is_found_without_regard_to_case(engine: Any, make: Callable[..., StoredObject]) -> None:
    engine.register(make(patient_name="Yamada^Tarou"))
    for condition in ("= 'YAMADA^TAROU'", "LIKE 'yamada^%'"):
        assert engine.select(f"SELECT patient_name FROM study WHERE patient_name {condition}")


def test_a_day_compares_with_times_of_reception(engine: Any, make: Callable[..., StoredObject]) -> None:
    engine.register(make("1", seconds=-(9 * 3600 + 1800) - 1), make("2", seconds=-(9 * 3600 + 1800)))
    since = "SELECT sop_instance_uid FROM instance WHERE received_at >= '2024-05-01'"
    assert engine.select(since) == [("2",)]
