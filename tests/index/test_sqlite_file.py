"""The database file: made durably, upgraded in place, and refused with a sentence where it cannot serve."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from sdcc.index import sqlite_file
from sdcc.index.rows import INSTANCE, SERIES, STUDY, Level
from sdcc.index.sqlite_file import APPLICATION_ID, SCRIPTS, open_writer, prepare, transaction
from sdcc.index.sqlite_readers import Readers

WAIT = 0.02
NEWER = (*SCRIPTS, "ALTER TABLE study ADD COLUMN note TEXT;\n")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.db"


def value(path: Path, statement: str) -> object:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchone()[0]


def alter(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


# --- made ------------------------------------------------------------------------------------------


def test_patients_names_are_for_the_user_and_the_group_alone(tmp_path: Path) -> None:
    """Also where the umask lets everybody read."""
    before = os.umask(0o022)
    try:
        path = tmp_path / "new" / "index.db"
        prepare(path, WAIT)
        connection = open_writer(path, WAIT)
        with contextlib.closing(connection), transaction(connection):
            sqlite_file.touch(connection)
            modes = {file.name: file.stat().st_mode & 0o777 for file in (path.parent, *path.parent.iterdir())}
    finally:
        os.umask(before)
    assert modes.pop("new") == 0o750
    assert modes.keys() > {"index.db", "index.db-wal"}
    assert set(modes.values()) == {0o640}


def test_a_new_database_bears_its_marks_and_keeps_a_write_ahead_log(path: Path) -> None:
    prepare(path, WAIT)
    assert value(path, "PRAGMA application_id") == APPLICATION_ID
    assert value(path, "PRAGMA user_version") == len(SCRIPTS)
    assert value(path, "PRAGMA journal_mode") == "wal"


def test_missing_directories_are_made_and_every_new_entry_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    really = sqlite_file.sync_directory

    def sync(directory: Path) -> None:
        really(directory)
        synced.append(directory)

    monkeypatch.setattr(sqlite_file, "sync_directory", sync)
    prepare(tmp_path / "a" / "b" / "index.db", WAIT)
    assert synced == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]


def test_what_is_prepared_stays_as_it_is_when_prepared_again(path: Path) -> None:
    prepare(path, WAIT)
    alter(path, "INSERT INTO study (study_instance_uid) VALUES ('1.2')")
    prepare(path, WAIT)
    assert value(path, "SELECT study_instance_uid FROM study") == "1.2"


def test_an_empty_file_is_a_new_database(path: Path) -> None:
    """As a process leaves it that is killed while it makes one."""
    path.touch()
    prepare(path, WAIT)
    assert value(path, "PRAGMA user_version") == len(SCRIPTS)


def test_a_writer_syncs_each_commit_and_checks_references(path: Path) -> None:
    prepare(path, WAIT)
    with contextlib.closing(open_writer(path, WAIT)) as connection:
        settings = [
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "foreign_keys")
        ]
        assert settings == [2, 1]
        with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"), transaction(connection):
            connection.execute("INSERT INTO series (study_key, series_instance_uid) VALUES (1, '1.2')")
        assert not connection.in_transaction


@pytest.mark.parametrize("level", [STUDY, SERIES, INSTANCE], ids=lambda level: level.table)
def test_the_tables_have_the_levels_columns_behind_their_keys(path: Path, level: Level) -> None:
    kinds = {str: "TEXT", int: "INTEGER"}
    prepare(path, WAIT)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        columns = connection.execute(f"PRAGMA table_info({level.table})").fetchall()
    attributes = [
        (name, kind, bool(required))
        for _, name, kind, required, *_ in columns
        if name[-4:] != "_key" and name != "stable_at"
    ]
    assert attributes == [
        (column.name, kinds.get(column.type, "TEXT"), column.required) for column in level.columns
    ]


# --- upgraded --------------------------------------------------------------------------------------


def test_an_older_database_is_upgraded_in_place(path: Path) -> None:
    prepare(path, WAIT)
    alter(path, "INSERT INTO study (study_instance_uid) VALUES ('1.2')")
    prepare(path, WAIT, NEWER)
    assert value(path, "PRAGMA user_version") == len(NEWER)
    assert value(path, "SELECT study_instance_uid || coalesce(note, ' without') FROM study") == "1.2 without"


def test_a_database_of_version_1_keeps_its_rows_and_learns_what_is_gone(path: Path) -> None:
    prepare(path, WAIT, SCRIPTS[:1])
    alter(path, "INSERT INTO study (study_instance_uid, patient_name) VALUES ('1.2', 'Yamada^T')")
    assert value(path, "SELECT count(*) FROM sqlite_master WHERE name = 'gone'") == 0
    prepare(path, WAIT)
    assert value(path, "PRAGMA user_version") == len(SCRIPTS)
    assert value(path, "SELECT study_instance_uid || patient_name FROM study") == "1.2Yamada^T"
    alter(path, "INSERT INTO gone (path) VALUES ('given up')")
    assert value(path, "SELECT length(since) FROM gone") == len("2024-05-01T09:30:00.000Z")


def test_a_database_of_version_2_learns_to_compare_the_names_that_it_has(path: Path) -> None:
    prepare(path, WAIT, SCRIPTS[:2])
    alter(path, "INSERT INTO study (study_instance_uid, patient_name) VALUES ('1', 'MÜLLER^Jörg^^=山田')")
    alter(path, "INSERT INTO study (study_instance_uid, referring_physician_name) VALUES ('2', 'É^A\\B=C')")
    alter(path, "INSERT INTO series (study_key, series_instance_uid, operators_name) VALUES (1, '1', 'ÄB')")
    prepare(path, WAIT)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        names = connection.execute(
            "SELECT patient_name_alphabetic, patient_name_ideographic, patient_name_phonetic,"
            " referring_physician_name_folded, operators_name_folded, performing_physician_name_folded"
            " FROM study LEFT JOIN series USING (study_key) ORDER BY study_key"
        ).fetchall()
    assert names == [
        ("müller^jörg", "山田", "", None, "äb", None),
        (None, None, None, "é^a\\b=c", None, None),
    ]


def test_studies_of_version_3_are_stable_since_their_last_reception_and_nobody_is_told(path: Path) -> None:
    prepare(path, WAIT, SCRIPTS[:3])
    alter(path, "INSERT INTO study (study_instance_uid) VALUES ('1.2'), ('1.3')")
    alter(path, "INSERT INTO series (study_key, series_instance_uid) VALUES (1, 'a'), (1, 'b')")
    alter(
        path,
        "INSERT INTO instance (series_key, sop_instance_uid, sop_class_uid, path, size, data_set_size,"
        " sha256, transfer_syntax_uid, received_at, calling_ae, called_ae, calling_address)"
        " SELECT series_key, series_instance_uid, '1', '', 1, 1, printf('%064d', 0), '1',"
        " printf('2024-05-0%dT09:30:00.000000Z', 3 - series_key), '', '', '' FROM series",
    )
    prepare(path, WAIT)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        studies = connection.execute("SELECT study_instance_uid, stable_at FROM study").fetchall()
    assert studies == [("1.2", "2024-05-02T09:30:00.000000Z"), ("1.3", None)]
    assert value(path, "SELECT count(*) FROM notice") == 0


def test_a_program_of_version_2_refuses_the_newest(path: Path) -> None:
    prepare(path, WAIT)
    words = f"schema version {len(SCRIPTS)} is newer than this program's, 2; use the SDCC"
    with pytest.raises(ValueError, match=words):
        prepare(path, WAIT, SCRIPTS[:2])


def test_an_upgrade_that_fails_changes_nothing(path: Path) -> None:
    prepare(path, WAIT)
    with pytest.raises(OSError, match="no such table: nowhere"):
        prepare(path, WAIT, (*SCRIPTS, "CREATE TABLE other (a);\nDELETE FROM nowhere;\n"))
    assert value(path, "PRAGMA user_version") == len(SCRIPTS)
    assert value(path, "SELECT count(*) FROM sqlite_master WHERE name = 'other'") == 0


def test_an_upgrade_waits_for_another_process_that_is_at_it(path: Path) -> None:
    """Among many rows that takes longer than a registration may wait."""
    prepare(path, WAIT, SCRIPTS[:2])
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN EXCLUSIVE")
        end = threading.Timer(0.5, lambda: other.execute("COMMIT"))
        end.start()
        prepare(path, 0.01)
        end.join()
    assert value(path, "PRAGMA user_version") == len(SCRIPTS)


def test_processes_may_prepare_one_database_at_once(path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from sdcc.index.sqlite_file import prepare;"
        "print(flush=True); sys.stdin.readline(); prepare(Path(sys.argv[1]), 60.0)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, path / "new"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate()[1] for process in processes] == [""] * 4
    assert value(path / "new", "PRAGMA user_version") == len(SCRIPTS)


def test_the_switch_to_the_log_waits_for_who_is_about_to_write(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which SQLite itself does not."""
    prepare(path, WAIT)
    alter(path, "PRAGMA journal_mode = DELETE")
    waits: list[float] = []
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:

        def wait(seconds: float) -> None:
            waits.append(seconds)
            other.execute("ROLLBACK")

        def lock(connection: sqlite3.Connection, timeout: float) -> None:
            other.execute("BEGIN IMMEDIATE")
            really(connection, timeout)

        really = sqlite_file._keep_log
        monkeypatch.setattr(sqlite_file, "_keep_log", lock)
        monkeypatch.setattr(sqlite_file.time, "sleep", wait)
        prepare(path, 60.0)
    assert waits
    assert value(path, "PRAGMA journal_mode") == "wal"


# --- refused ---------------------------------------------------------------------------------------


def text_file(path: Path) -> None:
    path.write_text("This is not a database, however long one looks at it.\n" * 40)


def directory(path: Path) -> None:
    path.mkdir()


def another_programs(path: Path) -> None:
    alter(path, "CREATE TABLE patient (name)")


def another_application(path: Path) -> None:
    prepare(path, WAIT)
    alter(path, "PRAGMA application_id = 1")


def newer(path: Path) -> None:
    prepare(path, WAIT, NEWER)


def damaged(path: Path) -> None:
    prepare(path, WAIT)
    content = bytearray(path.read_bytes())
    content[100:4096] = bytes(3996)
    path.write_bytes(content)


def read_only(path: Path) -> None:
    """Of a future write format, which SQLite takes as read-only: permissions do not bind root."""
    prepare(path, WAIT)
    content = bytearray(path.read_bytes())
    content[18] = 3
    path.write_bytes(content)


REFUSED: list[tuple[Callable[[Path], None], type[Exception], str]] = [
    (text_file, ValueError, "not an SQLite database; move it away"),
    (directory, OSError, "cannot be opened; it must be a file"),
    (another_programs, ValueError, "another program's database; name another file"),
    (another_application, ValueError, "another program's database; name another file"),
    (
        newer,
        ValueError,
        f"schema version {len(NEWER)} is newer than this program's, {len(SCRIPTS)}; use the SDCC that",
    ),
    (damaged, ValueError, "the database is damaged; put a backup in its place"),
    (read_only, OSError, "cannot be written; this user must be able to write it"),
]


@pytest.mark.parametrize(("made", "kind", "words"), REFUSED, ids=[made.__name__ for made, *_ in REFUSED])
def test_what_cannot_serve_is_refused_with_advice_and_left_alone(
    path: Path, made: Callable[[Path], None], kind: type[Exception], words: str
) -> None:
    made(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(kind) as refusal:
        prepare(path, WAIT)
    assert str(refusal.value).startswith(f"{path}: {words}")
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_database_that_stays_locked_is_refused(path: Path) -> None:
    prepare(path, WAIT)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OSError, match="another program keeps it locked; end that program"):
            prepare(path, WAIT)


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=f"^{tmp_path / 'file' / 'a'}: cannot be created "):
        prepare(tmp_path / "file" / "a" / "index.db", WAIT)


# --- read ------------------------------------------------------------------------------------------


def test_a_reader_can_write_nothing(path: Path) -> None:
    prepare(path, WAIT)
    with pytest.raises(OSError, match="cannot be written"), Readers(path, WAIT).one() as connection:
        connection.execute("DELETE FROM study")


def test_a_reader_does_not_upgrade(path: Path) -> None:
    prepare(path, WAIT)
    alter(path, "PRAGMA user_version = 0")
    words = f"older than this program's, {len(SCRIPTS)}; start SDCC once"
    with pytest.raises(ValueError, match=words), Readers(path, WAIT).one():
        pass
    assert value(path, "PRAGMA user_version") == 0


NO_INDEX = [case for case in REFUSED if case[0] not in (directory, read_only)]


@pytest.mark.parametrize(("made", "kind", "words"), NO_INDEX, ids=[made.__name__ for made, *_ in NO_INDEX])
def test_a_reader_refuses_what_is_no_index(
    path: Path, made: Callable[[Path], None], kind: type[Exception], words: str
) -> None:
    made(path)
    with pytest.raises(kind) as refusal, Readers(path, WAIT).one():
        pass
    assert str(refusal.value).startswith(f"{path}: {words}")
