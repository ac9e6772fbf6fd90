"""What a session with a PostgreSQL server is to those who use it: statements in, rows out, and three faults.

Knows no driver; :mod:`sdcc.index.postgres_driver` is where sessions come from.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any, Protocol

#: (0000,0902) Error Comment, VR LO.
MAXIMUM_REASON = 64

#: An SQLSTATE.
DATA_EXCEPTION = "22000"
#: SQLSTATEs, or classes of them, of what is wrong with a row: data that is out of range, a constraint that it
#: breaks, a limit of the server that it passes, and SDCC's own.
_ROW = ("22", "23", "54", "SDCC1")
#: What another transaction is to blame for; the next try may well succeed.
_CONFLICT = ("40",)
#: What took too long: a lock, or the statement.
_LATE = ("55P03", "57014")


class Session(Protocol):
    """A session in which each statement is a transaction, unless BEGIN says otherwise."""

    async def run(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Execute a statement, or several separated by semicolons; give the rows of the last.

        :param parameters: what stands for each `%s`; without any, `%` has no meaning.
        :raises Refused: it has certainly had no effect.
        :raises Lost: nobody knows whether it had; the session is closed.
        """

    def unhurried(self) -> AbstractContextManager[None]:
        """For the block, statements may take as long as the server lets them."""

    def close(self) -> None:
        """May come at any time, and twice."""


@contextmanager
def closing_on_error(session: Session) -> Iterator[None]:
    try:
        yield
    except BaseException:
        session.close()
        raise


@asynccontextmanager
async def transaction(session: Session) -> AsyncIterator[None]:
    """Commit what the block does, whose first statement says BEGIN; nothing of it where it raises.

    :raises Refused: also from the block.
    :raises Lost: also from the block; nobody knows what became of the transaction.
    """
    try:
        yield
        await session.run("COMMIT")
    except Refused:
        await session.run("ROLLBACK")
        raise
    except BaseException:
        session.close()  # or what comes next would be part of this transaction
        raise


class Unreachable(Exception):
    """No session could be opened. The text has no password in it."""


class Lost(Exception):
    """The connection broke, or the server did not answer in time."""


class Refused(Exception):
    """The server refused a statement. The text has no value of a row in it.

    :ivar sqlstate: the server's code, of five characters.
    """

    def __init__(self, sqlstate: str, text: str) -> None:
        super().__init__(text)
        self.sqlstate = sqlstate

    @property
    def is_of_row(self) -> bool:
        """Whether it is a row that cannot be stored, and not the database that is at fault."""
        return self.sqlstate.startswith(_ROW)

    @property
    def is_conflict(self) -> bool:
        return self.sqlstate.startswith(_CONFLICT)

    @property
    def is_of_database(self) -> bool:
        """Whether a new session, perhaps with another server, may do better."""
        return not (self.is_of_row or self.is_conflict or self.sqlstate in _LATE)


def reason(error: Exception) -> str:
    """What the peer is told: no host, no row's value, one line."""
    prefix = "index" if isinstance(error, (Refused, ValueError)) else "index unreachable"
    text = re.split("[;\n]", str(error))[0].rpartition("failed: ")[2].removeprefix("FATAL:  ")
    return f"{prefix}: {text}"[:MAXIMUM_REASON]
