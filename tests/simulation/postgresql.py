"""The product's index on PostgreSQL, with a simulated server: sessions that break, doubts written down."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred

from sdcc.index.doubts import Doubt
from sdcc.index.postgres import PostgreSQLIndex
from sdcc.index.postgres_session import Lost, Refused, Unreachable
from sdcc.index.restoring import Superseded
from sdcc.interfaces import Registered, StoredObject

from .conditions import ROOT
from .database import GivenUp
from .reactor import Life
from .reading import Reading
from .troubles import Troubles

#: The most that a session lives, in seconds, where the server has its troubles.
LIFETIME = 30.0


class Session:
    """See :class:`sdcc.index.postgres_session.Session`; what is executed has a name instead of SQL."""

    def __init__(self, troubles: Troubles, timeout: float, on_lost: Callable[[Lost], None]) -> None:
        self._troubles = troubles
        self._timeout = timeout
        self._on_lost = on_lost
        self._is_closed = False
        self._executing: Deferred[Any] | None = None
        if troubles.is_faulty and troubles.chance:
            troubles.reactor.later(troubles.schedule.random.uniform(0, LIFETIME), self._break)

    async def register(self, group: Sequence[StoredObject]) -> list[Registered | Superseded]:
        return await self._execute(lambda fault: self._commit(group, fault), self._troubles.fault(group))

    async def settle(self, doubts: Sequence[Doubt]) -> list[Registered | None]:
        fault = self._troubles.fault([])
        return await self._execute(
            lambda fault: [self._troubles.database.settle(doubt) for doubt in doubts], fault
        )

    def close(self) -> None:
        self._is_closed = True
        executing, self._executing = self._executing, None
        if executing is not None:
            executing.errback(Lost("closed"))

    def _commit(self, group: Sequence[StoredObject], fault: str | None) -> list[Registered | Superseded]:
        try:
            return self._troubles.commit(group)
        except GivenUp:
            raise Refused("SDCC1", "a file that was given up") from None

    async def _execute(self, execute: Callable[[str | None], Any], fault: str | None) -> Any:
        """The server may execute what nobody waits for any more."""
        if self._is_closed:
            raise Lost("closed")
        troubles = self._troubles
        if fault == "lost before":
            self.close()
            raise Lost("server closed the connection unexpectedly")
        answer = self._executing = Deferred()
        timer = troubles.reactor.callLater(self._timeout, self.close)

        def arrive() -> None:
            outcome: Any
            try:
                if fault == "refused":
                    raise Refused("57P01", "terminating connection due to administrator command")
                outcome = execute(fault)
            except Refused as refused:
                outcome = refused
            if fault in ("lost after", "in doubt"):
                self.close()
            troubles.reactor.later(troubles.some_time(), answered, outcome)

        def answered(outcome: Any) -> None:
            if self._executing is answer:
                self._executing = None
                (answer.errback if isinstance(outcome, Exception) else answer.callback)(outcome)

        troubles.reactor.later(troubles.some_time(), arrive)
        try:
            return await answer
        finally:
            if timer.active():
                timer.cancel()

    def _break(self) -> None:
        if self._executing is not None:
            self.close()
        elif not self._is_closed:
            self.close()
            self._on_lost(Lost("server closed the connection unexpectedly"))


class Sessions:
    """See :class:`sdcc.index.postgres_driver.Sessions`."""

    def __init__(self, troubles: Troubles, timeout: float) -> None:
        self._troubles = troubles
        self._timeout = timeout
        self._open: list[Session] = []
        self._is_closed = False

    def check(self) -> None:
        pass

    async def open(self, on_lost: Callable[[Lost], None], *, to_write: bool) -> Session:
        await self._troubles.pause()
        if self._is_closed or self._troubles.fault([]) is not None:
            raise Unreachable("connection to server failed: Connection refused")
        session = Session(self._troubles, self._timeout, on_lost)
        self._open.append(session)
        return session

    def close(self) -> None:
        self._is_closed = True
        for session in self._open:
            session.close()


class Journals:
    """The doubts that processes have written down, which survive them."""

    def __init__(self) -> None:
        self.of: dict[Life, list[Doubt]] = {}

    def doubts(self) -> Iterator[Doubt]:
        return itertools.chain.from_iterable(self.of.values())


class JournalFiles:
    """See `_Files` of :mod:`sdcc.index.doubts`: one process's view of the journals. Each call blocks."""

    def __init__(self, journals: Journals, life: Life) -> None:
        self._journals = journals
        self._life = life

    def prepare(self) -> None:
        pass

    def append(self, doubts: Iterable[Doubt]) -> None:
        self._journals.of.setdefault(self._life, []).extend(doubts)

    def take_over(self) -> list[Doubt]:
        dead = [life for life in self._journals.of if life.is_dead or life.has_left]
        found = [doubt for life in dead for doubt in self._journals.of.pop(life)]
        self.append(found)
        return found

    def clear(self) -> None:
        self._journals.of.pop(self._life, None)

    def close(self) -> None:
        self._life.has_left = True


class PostgreSQL(Reading, PostgreSQLIndex):
    def __init__(self, troubles: Troubles, journals: Journals, **given: Any) -> None:
        def sessions(url: str, *, timeout: float, **others: Any) -> Sessions:
            return Sessions(troubles, timeout)

        with patch("sdcc.index.postgres.Sessions", sessions):
            super().__init__("postgresql://simulated/", doubts=ROOT / "doubts", connections=4, **given)
        self._journal._files = JournalFiles(journals, troubles.reactor.life)
        self.database, self.pause = troubles.database, troubles.pause

    def prepare(self) -> None:
        self._journal.prepare()


async def _register(session: Session, group: Sequence[StoredObject]) -> list[Registered | Superseded]:
    return await session.register(group)


async def _settle(session: Session, doubts: Sequence[Doubt]) -> list[Registered | None]:
    return await session.settle(doubts)


async def _prepare(session: Session) -> None:
    pass


@contextmanager
def without_sql() -> Iterator[None]:
    """The writer's statements are those of the simulated sessions."""
    with (
        patch("sdcc.index.postgres_writer.register", _register),
        patch("sdcc.index.postgres_writer.settle", _settle),
        patch("sdcc.index.postgres_schema.prepare", _prepare),
    ):
        yield
