"""One server process in a simulated world: the real SDCC, with all that it touches given to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed

from sdcc.config import Configuration
from sdcc.inspection.look import Look
from sdcc.interfaces import RunInThread
from sdcc.service import SDCC
from sdcc.world import World

from .conditions import FIRST_PORT, Conditions
from .database import Database
from .disk import Disk
from .doom import Crash, Doom
from .filesystem import FileSystem
from .network import Network
from .postgresql import Journals, PostgreSQL
from .reactor import Reactor
from .schedule import Schedule
from .sqlite import SQLite
from .transport import Transport
from .troubles import FAST, Troubles
from .wall_clock import WallClock
from .workers import HOLD, HOLD_AT_SYNC, Workers


class Watched(Protocol):
    """What is told of a process."""

    def about_to_remove(self, path: str) -> None: ...

    def was_given(self, process: Process, transport: Transport, size: int) -> None: ...

    def excuse(self, *paths: str) -> None: ...


class Surroundings(Protocol):
    """What is there before a process is, and after it."""

    schedule: Schedule
    conditions: Conditions
    network: Network
    disk: Disk
    database: Database
    journals: Journals
    clock: WallClock
    promises: Watched
    doom: Doom

    def new_token(self) -> str: ...


class Process:
    """
    :param number: which of the servers it is.
    """

    def __init__(self, around: Surroundings, number: int) -> None:
        self._around = around
        self.number = number
        self.is_dead = False
        self.has_left = False
        self._stop: Deferred[None] | None = None
        conditions, schedule = around.conditions, around.schedule
        self.reactor = Reactor(schedule, self, around.network.ports)
        self.filesystem = FileSystem(
            around.disk,
            self,
            random=schedule.random,
            faults=conditions.disk_faults,
            now=around.clock.seconds,
        )
        self.troubles = Troubles(
            around.database,
            schedule,
            self.reactor,
            chance=conditions.index_faults,
            time=conditions.commit_time,
            committing=lambda: around.doom.tick("commit", self),
            excuse=around.promises.excuse,
        )
        self.workers: list[Workers] = []
        self.transports: dict[Transport, None] = {}
        self.service = SDCC(
            conditions.configuration(number),
            self.reactor,
            World(
                filesystem=self.filesystem,
                threads=self._threads,
                now=around.clock.now,
                new_token=around.new_token,
                process=lambda: f"host-{number}",
                index_of=self._index_of,
                set_signal=lambda number, heard: None,
                listen_control=lambda *_: lambda: succeed(None),  # nobody asks
            ),
        )

    @property
    def port(self) -> int:
        return FIRST_PORT + self.number

    def __str__(self) -> str:
        return f"server {self.number}"

    # --- its life ---

    def start(self, *, may_fail: bool) -> None:
        """
        :param may_fail: whether its disk and its database may fail, and be slow.
        :raises CannotStart: it needs help.
        """
        self.filesystem.is_faulty = self.troubles.is_faulty = may_fail
        self.service.startService()

    def stop(self) -> None:
        self._stop = self.service.stopService()

    @property
    def is_running(self) -> bool:
        return bool(self.service.running) and not self.is_dead

    @property
    def is_stopping(self) -> bool:
        return self._stop is not None and not self._stop.called and not self.is_dead

    @property
    def look(self) -> Look | None:
        """Its look after an unclean stop."""
        return self.service._look

    @property
    def is_looking(self) -> bool:
        ended = self.look and self.look._ended
        return bool(ended and not ended.called)

    def die(self, how: str | None) -> None:
        """
        :param how: its connections end; None: their peers are told nothing.
        """
        self.is_dead = True
        for workers in self.workers:
            workers.die()
        self.filesystem.die()
        for port in self.reactor.listening:
            port.close()
        for transport in self.transports:
            transport.vanish(how)

    # --- what its surroundings ask of it ---

    def about_to_call(self, call: str, path: str) -> None:
        if self.is_dead:  # a `finally` of what the crash interrupted
            raise Crash(self)
        self._around.schedule.note(self, call, path)
        try:
            self._around.doom.tick("call", self)
        except Crash:
            self.is_dead = True
            raise
        if call not in ("lock", "close") and not self._is_locked:
            self._hold_up(HOLD_AT_SYNC if call in ("sync", "fsync") else HOLD)

    @property
    def _is_locked(self) -> bool:
        """Whether another job might wait for this one, in the one thread that there is."""
        return self.filesystem.is_locked or self.service._parts.objects._incoming._mutex.locked()

    def _hold_up(self, chance: float) -> None:
        """Perhaps this call takes long; not with a lock, for which others would wait as only threads can."""
        for workers in self.workers:
            workers.hold_up(chance)
        if self.is_dead:
            raise Crash(self)

    def about_to_remove(self, path: str) -> None:
        self._around.promises.about_to_remove(path)

    def connected(self, transport: Transport) -> None:
        self.transports[transport] = None

    def disconnected(self, transport: Transport) -> None:
        del self.transports[transport]

    def was_given(self, transport: Transport, size: int) -> None:
        self._around.promises.was_given(self, transport, size)

    # --- what the server is made with ---

    def _threads(self, reactor: Any, name: str, size: int) -> Workers:
        conditions = self._around.conditions
        time = conditions.commit_time if name == "index" else conditions.job_time
        workers = Workers(
            self._around.schedule,
            self.reactor,
            name,
            size,
            delay=lambda: time if self.troubles.is_faulty else FAST,
            holds=conditions.holds,
        )
        self.workers.append(workers)
        return workers

    def _index_of(
        self,
        configuration: Configuration,
        reactor: Any,
        *,
        run_in_thread: RunInThread,
        read_in_thread: RunInThread,
        lookup_in_thread: RunInThread,
        remove: Callable[[str], Awaitable[None]],
    ) -> SQLite | PostgreSQL:
        timeout = configuration.index.timeout
        if self._around.conditions.engine == "sqlite":
            self.index: SQLite | PostgreSQL = SQLite(
                self.troubles,
                run_in_thread=run_in_thread,
                read_in_thread=read_in_thread,
                clock=self.reactor,
                timeout=timeout,
            )
        else:
            self.index = PostgreSQL(
                self.troubles,
                self._around.journals,
                run_in_thread=run_in_thread,
                lookup_in_thread=lookup_in_thread,
                remove=remove,
                reactor=self.reactor,
                timeout=timeout,
            )
        return self.index
