"""The schema of the index on PostgreSQL: created and upgraded in place, or refused with a sentence.

Several processes may do so at once. Knows the schema's versions, and nothing of what the tables mean.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import resources

from sdcc.index.postgres_folding import fold_names
from sdcc.index.postgres_session import Session


def _scripts() -> tuple[str, ...]:
    schema = resources.files(__package__) / "schema"
    names = sorted(entry.name for entry in schema.iterdir() if entry.name.startswith("postgres-"))
    return tuple((schema / name).read_text("utf-8") for name in names)


#: What makes each version of the schema from the one before, from version 1 on.
SCRIPTS = _scripts()
#: What is to be done behind the script of a version, in its transaction, that SQL cannot say.
_BEHIND: Mapping[int, Callable[[Session], Awaitable[None]]] = {2: fold_names}

#: Asked of the catalogue itself: what functions such as to_regclass say may be as old as the transaction.
_TABLES = """
    SELECT relname FROM pg_catalog.pg_class
    WHERE relname IN ('sdcc_schema', 'study') AND pg_catalog.pg_table_is_visible(oid)
"""
_VERSION = "SELECT version FROM sdcc_schema"
_CREATE = """
    CREATE TABLE sdcc_schema (version integer NOT NULL);
    INSERT INTO sdcc_schema VALUES (0)
"""
#: An index on millions of rows, or the same that another process is at, takes longer than a registration may.
_BEGIN = """
    BEGIN;
    SET LOCAL statement_timeout = 0;
    SET LOCAL lock_timeout = 0;
    SELECT pg_advisory_xact_lock(hashtextextended('sdcc_schema', 0))
"""
_SET_VERSION = "UPDATE sdcc_schema SET version = %s"
#: It changes nothing, and shows that the database can be written. Not to the version that was read: a newer
#: program may have upgraded it since.
_TOUCH_VERSION = "UPDATE sdcc_schema SET version = version"


async def prepare(session: Session, scripts: Sequence[str] = SCRIPTS) -> None:
    """Create the schema, or upgrade it; make sure that the database can be written.

    After an exception the session is in no state to be used.

    :raises ValueError: the tables are another program's, or newer than this program.
    :raises Refused: as the server says.
    :raises Lost: the connection broke.
    """
    if await _version(session, len(scripts)) < len(scripts):
        with session.unhurried():
            await _upgrade(session, scripts)
    else:
        await session.run(_TOUCH_VERSION)


async def _upgrade(session: Session, scripts: Sequence[str]) -> None:
    await session.run(_BEGIN)
    version = await _version(session, len(scripts))
    if version == 0:
        await session.run(_CREATE)
    for number in range(version, len(scripts)):
        await session.run(scripts[number])
        if (behind := _BEHIND.get(number + 1)) is not None:
            await behind(session)
    await session.run(_SET_VERSION, len(scripts))
    await session.run("COMMIT")


async def check(session: Session) -> None:
    """Make sure that the schema is of this program's version.

    :raises FileNotFoundError: there is none.
    :raises ValueError: it is another.
    """
    version = await _version(session, len(SCRIPTS))
    if version == 0:
        raise FileNotFoundError(
            "there is no index yet in the database; SDCC makes it when it starts, "
            "and `sdccctl reindex` makes one of the files that are there"
        )
    if version < len(SCRIPTS):
        raise ValueError(
            f"schema version {version} is older than this program's, {len(SCRIPTS)}; "
            "start SDCC once to upgrade it"
        )


async def _version(session: Session, newest: int) -> int:
    """The version of the schema, 0 where there is none yet.

    :param newest: the version that this program knows.
    """
    tables = await session.run(_TABLES)
    if ("sdcc_schema",) not in tables:
        if tables:
            raise ValueError("the tables are another program's; name another database in [index] url")
        return 0
    [(version,)] = await session.run(_VERSION)
    if version > newest:
        raise ValueError(
            f"schema version {version} is newer than this program's, {newest}; "
            "use the SDCC that wrote it, or a newer one"
        )
    return int(version)
