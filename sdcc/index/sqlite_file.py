"""The SQLite database file: opened, created, upgraded, and what is wrong with it in an administrator's words.

Blocks. Knows the schema's versions, and nothing of what the tables mean.

The file is never opened but through SQLite: closing any other descriptor of it would drop the locks
that SQLite holds on it, because POSIX advisory locks belong to the process.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path

from sdcc.index.disk import sync_directory
from sdcc.index.folding import folded_names, folded_patient_name

#: In the file's header, where `file` and our own checks find it: "SDCC".
APPLICATION_ID = 0x53444343
#: The group may read, as it may the objects; the umask may take that away. SQLite gives its other files
#: the mode of this one.
FILE_MODE = 0o640
DIRECTORY_MODE = 0o750
#: KiB of pages that a writer keeps in memory: full after some hundred objects, and no slower among a million
#: than with sixteen times as many.
WRITER_CACHE = 1024
#: Seconds.
LOCK_POLL = 0.01
#: Seconds to wait for another process that may be upgrading.
UPGRADE_TIMEOUT = 600


def _scripts() -> tuple[str, ...]:
    schema = resources.files(__package__) / "schema"
    names = sorted(entry.name for entry in schema.iterdir() if entry.name.startswith("sqlite-"))
    return tuple((schema / name).read_text("utf-8") for name in names)


#: What makes each version of the schema from the one before, from version 1 on.
SCRIPTS = _scripts()


def prepare(path: Path, lock_timeout: float, scripts: Sequence[str] = SCRIPTS) -> None:
    """Create the database, durably, or upgrade it; make sure that it can be written.

    Several processes may do so at once; one waits while another upgrades, whatever the timeout.

    :param lock_timeout: seconds to wait while another process writes.
    :raises OSError: the file or its directory cannot be created or written.
    :raises ValueError: the file is something else, or newer than this program.
    """
    _make_directory(path.parent)
    _create(path)
    with in_words(path), contextlib.closing(_connect(path, "rw", lock_timeout)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        # Before SQLite 3.38 this was an option, and registration needs it.
        connection.execute("SELECT value FROM json_each('[]')")
        _make_functions(connection)
        application_id, version = _marks(connection)
        if application_id == APPLICATION_ID and version < len(scripts):
            connection.execute(f"PRAGMA busy_timeout = {1000 * UPGRADE_TIMEOUT}")
        with transaction(connection, "EXCLUSIVE"):
            for script in scripts[_version(path, connection, len(scripts)) :]:
                for statement in _statements(script):
                    connection.execute(statement)
            # Written even where they are the same: it shows that they can be.
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {len(scripts)}")
        _keep_log(connection, lock_timeout)
    sync_directory(path.parent)


def open_writer(path: Path, lock_timeout: float) -> sqlite3.Connection:
    """Open a prepared database; any thread may use the connection, one at a time.

    :raises sqlite3.Error: it cannot be opened, or is not as :func:`prepare` left it.
    """
    with contextlib.ExitStack() as on_error:
        connection = on_error.enter_context(contextlib.closing(_connect(path, "rw", lock_timeout)))
        if _marks(connection) != (APPLICATION_ID, len(SCRIPTS)):
            raise sqlite3.DatabaseError("not the database that was there at start")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA cache_size = -{WRITER_CACHE}")
        on_error.pop_all()
    return connection


def identity(path: Path) -> object:
    """Of the files that bear the names of a database and its log; equal as long as they are the same."""
    try:
        found = [os.stat(name) for name in (str(path), f"{path}-wal")]
    except OSError:
        return object()
    return [(status.st_dev, status.st_ino) for status in found]


def open_reader(path: Path, lock_timeout: float) -> sqlite3.Connection:
    """Open a database only to read it; nothing is created or upgraded. One thread at a time may use it.

    :raises FileNotFoundError: there is none yet.
    :raises ValueError: the file is something else, or of another version.
    :raises OSError: it cannot be read.
    """
    if not path.exists():
        raise FileNotFoundError(
            f"{path}: there is no index yet; SDCC makes it when it starts, "
            "and `sdccctl reindex` makes one of the files that are there"
        )
    with in_words(path), contextlib.ExitStack() as on_error:
        connection = on_error.enter_context(contextlib.closing(_connect(path, "ro", lock_timeout)))
        with transaction(connection, "DEFERRED"):
            version = _version(path, connection, len(SCRIPTS))
        if version < len(SCRIPTS):
            raise ValueError(
                f"{path}: schema version {version} is older than this program's, {len(SCRIPTS)}; "
                "start SDCC once to upgrade it"
            )
        on_error.pop_all()
    return connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[None]:
    """Commit what the block does, or nothing of it where it raises."""
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        # Still open only where something failed, and did not roll back by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def touch(connection: sqlite3.Connection) -> None:
    """Change nothing, and yet make the transaction one that is written and synced as any other."""
    connection.execute(f"PRAGMA user_version = {_marks(connection)[1]}")


def _connect(path: Path, mode: str, lock_timeout: float) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=lock_timeout,
        isolation_level=None,
        check_same_thread=False,
    )


def _make_functions(connection: sqlite3.Connection) -> None:
    """What scripts use beyond SQLite's own: names as they are compared, for the rows that are there."""
    connection.create_function("sdcc_patient_name", 2, lambda name, group: folded_patient_name(name)[group])
    connection.create_function("sdcc_names", 1, folded_names)


def _keep_log(connection: sqlite3.Connection, lock_timeout: float) -> None:
    """Have the file keep a write-ahead log from now on."""
    deadline = time.monotonic() + lock_timeout
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            # SQLite does not wait by itself where another process is about to write.
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(LOCK_POLL)
        else:
            break
    if mode != "wal":
        raise sqlite3.OperationalError("no write-ahead log is possible on this file system")


def _marks(connection: sqlite3.Connection) -> tuple[int, int]:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return application_id, version


def _version(path: Path, connection: sqlite3.Connection, newest: int) -> int:
    """The version of the schema, 0 where there is none yet.

    :param connection: in a transaction, so that all that is looked at is of one moment.
    :param newest: the version that this program knows.
    """
    application_id, version = _marks(connection)
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application_id != APPLICATION_ID and (application_id, version, objects) != (0, 0, 0):
        raise ValueError(f"{path}: another program's database; name another file in [index] url")
    if version > newest:
        raise ValueError(
            f"{path}: schema version {version} is newer than this program's, {newest}; "
            "use the SDCC that wrote it, or a newer one"
        )
    return version


def _statements(script: str) -> Iterator[str]:
    """Each statement by itself: `executescript` would end the transaction around them."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _make_directory(directory: Path) -> None:
    """Create a directory and those above it, durably."""
    missing = [parent for parent in (directory, *directory.parents) if not parent.exists()]
    try:
        for path in reversed(missing):
            path.mkdir(DIRECTORY_MODE, exist_ok=True)
            sync_directory(path.parent)
    except OSError as error:
        raise OSError(
            f"{directory}: cannot be created ({error.strerror}); create it for SDCC's user, or name another "
            "file in [index] url"
        ) from error


def _create(path: Path) -> None:
    """Create an empty file, for SQLite to make a database of; nothing where there is one."""
    with contextlib.suppress(OSError):  # SQLite will say what is wrong
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, FILE_MODE))


#: SQLite's result codes, extended or primary: what is raised, and what an administrator is told.
_TROUBLES: dict[int, tuple[type[Exception], str]] = {
    sqlite3.SQLITE_NOTADB: (
        ValueError,
        "not an SQLite database; move it away, or name another file in [index] url",
    ),
    sqlite3.SQLITE_CORRUPT: (ValueError, "the database is damaged; put a backup in its place"),
    sqlite3.SQLITE_READONLY: (
        OSError,
        "cannot be written; this user must be able to write it and its directory",
    ),
    sqlite3.SQLITE_READONLY_DIRECTORY: (
        OSError,
        "this user cannot write its directory, which even reading needs while SDCC is stopped",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        OSError,
        "cannot be opened; it must be a file, in a directory that this user can write",
    ),
    sqlite3.SQLITE_BUSY: (OSError, "another program keeps it locked; end that program"),
}


@contextlib.contextmanager
def in_words(path: Path) -> Iterator[None]:
    """SQLite's errors in the block as an administrator is told of them."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        kind, words = (
            _TROUBLES.get(code) or _TROUBLES.get(code & 0xFF) or (OSError, "cannot be used as the index")
        )
        raise kind(f"{path}: {words} (SQLite: {error})") from error
