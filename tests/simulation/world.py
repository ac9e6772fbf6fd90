"""One seed, lived through: servers started, stormed, stopped or killed, again and again, and checked.

Of all that is drawn from the seed this is the beginning: :func:`run` with the same seed does the same again.
"""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable
from random import Random

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from sdcc.archive.incoming import INCOMING
from sdcc.service import CannotStart

from . import conditions, peers
from .conditions import ROOT
from .database import Database
from .disk import Disk
from .doom import Crash, Doom
from .history import History
from .network import Network
from .postgresql import Journals, without_sql
from .process import Process
from .promises import Broken, Promises
from .schedule import Event, Schedule, Trace
from .wall_clock import WallClock

#: More events than any seed needs: what goes on for longer goes on for ever.
ENDLESS = 100_000
#: How long it may take until nothing is left of peers and faults that are gone: the idle timeout and ARTIM's.
RECOVERY = 60.0


class World:
    """Everything there is."""

    def __init__(self, seed: int, trace: Trace) -> None:
        random = Random(seed)
        self.conditions = conditions.draw(random)
        self._tokens = itertools.count()
        self.schedule = Schedule(random, trace)
        self.schedule.note("seed", seed, self.conditions)
        self.random = random
        self.doom = Doom.none()
        self.disk = Disk()
        self.clock = WallClock(self.schedule)
        self.network = Network(
            self.schedule,
            latency=self.conditions.latency,
            piece=self.conditions.piece,
            pipe=self.conditions.pipe,
            send_buffer=self.conditions.send_buffer,
        )
        self.history = History(self.schedule, self._acknowledged)
        self.promises = Promises(self)
        self.database = Database(random, self.promises.committed)
        self.journals = Journals()
        self.processes = [Process(self, number) for number in range(self.conditions.processes)]
        self.crowd = peers.Crowd(
            self.schedule,
            self.network,
            self.history,
            self.conditions,
            ports=[process.port for process in self.processes],
        )
        self._troubles: list[Event] = []
        #: Processes that were: what is dropped would run its `finally` blocks, which no dead process does.
        self._graveyard: list[Process] = []
        self._present = 0
        self._failure: BaseException | None = None

    def new_token(self) -> str:
        return f"t{next(self._tokens):04}"

    # --- lives ---

    def run(self) -> None:
        """:raises AssertionError: a promise is broken."""
        for _ in range(self.conditions.lives):
            self._live(Doom.draw(self.random) if self.random.random() < 0.8 else Doom.none())
        self._live_well()

    def end(self) -> None:
        """Leave nothing half done."""
        for process in self.processes:
            process.die(None)

    def _live(self, end: Doom) -> None:
        self.doom = end
        self._trouble()
        for _ in range(self.conditions.peers):
            self._invite(peers.some_kind(self.random))
        # Some are stopped while peers are still at it.
        patience = self.random.uniform(0, 8.0) if self.random.random() < 0.3 else float("inf")
        until = self.schedule.now + patience
        try:
            self._start(may_fail=True)
            self._go_on_until(lambda: not self._present or self.schedule.now >= until)
            self._stop()
        except Crash as crash:
            self._crash(crash.process)
            self.promises.after_crash()

    def _live_well(self) -> None:
        """Once more, in a world without faults: normal service without anybody's help."""
        self.doom = Doom.none()
        for trouble in self._troubles:
            trouble.cancel()
        self.disk.free, self.disk.is_broken = Disk.PLENTY, False
        self.network.split_until = 0.0
        self._stop()
        self._start(may_fail=False)
        self._go_on_until(lambda: not self._present)
        self._let_pass(RECOVERY)
        self._go_on_until(lambda: not any(process.is_looking for process in self.processes))
        self.promises.after_looks(self.processes)
        for process in self.processes:
            self.promises.after_rest(process)
        before = self.history.count
        self._invite(peers.stores_one)
        self._go_on_until(lambda: not self._present)
        if self.history.count == before:
            raise Broken("all is well, and nothing can be stored")
        self._stop()

    def _start(self, *, may_fail: bool) -> None:
        self._go_on_until(lambda: not any(process.is_stopping for process in self.processes))
        for number, process in enumerate(self.processes):
            if process.is_running:
                continue
            self._graveyard.append(process)
            self.processes[number] = fresh = Process(self, number)
            self.schedule.note(fresh, "starts")
            try:
                fresh.start(may_fail=may_fail)
            except CannotStart as reason:
                if not may_fail or self.conditions.is_disk_sound:
                    raise
                self.schedule.note(fresh, "does not start:", reason)
                fresh.die("RST")
        if not may_fail or self.conditions.is_disk_sound:
            self.promises.after_start(self.processes)

    def _stop(self) -> None:
        self.schedule.note("the servers stop")
        for process in self.processes:
            if process.is_running:
                process.stop()
        self._go_on_until(lambda: not any(process.is_stopping for process in self.processes))
        for process in self.processes:
            if not process.is_dead:
                self.promises.after_stop(process)
        if not any(process.is_dead for process in self.processes):
            self.promises.after_all_stops()

    def _crash(self, process: Process | None) -> None:
        """The power fails, or one process is killed."""
        is_power_cut = self.conditions.power_cuts and self.random.random() < 0.8
        dying = self.processes if is_power_cut else [process or self.random.choice(self.processes)]
        self.schedule.note("the power is cut" if is_power_cut else f"{dying[0]} is killed")
        for dead in dying:
            dead.die(None if is_power_cut and self.random.random() < 0.5 else "RST")
            self.history.server_died(dead.port)
        self.database.decide()
        if is_power_cut:
            self.disk.power_cut(self.random)

    # --- what happens ---

    def _go_on_until(self, is_over: Callable[[], bool]) -> None:
        for _ in range(ENDLESS):
            if is_over():
                return
            self.doom.tick("event")
            if not self.schedule.step():
                raise Broken("nothing is to come any more, and what was waited for has not come")
            self.promises.check()
            if self._failure is not None:
                raise self._failure
        raise Broken("it goes on for ever")

    def _acknowledged(self) -> None:
        """What a peer learns, and the end of a server, are two events."""
        self.promises.acknowledged()
        self.schedule.later(0, lambda: self.doom.tick("acknowledgement"))

    def _let_pass(self, seconds: float) -> None:
        end = self.schedule.later(seconds, lambda: None)
        self._go_on_until(lambda: not end.is_pending)

    def _invite(self, kind: peers.Kind) -> None:
        self._present += 1
        Deferred.fromCoroutine(peers.live(self.crowd, kind)).addBoth(self._gone)

    def _gone(self, result: Failure | None) -> None:
        self._present -= 1
        if isinstance(result, Failure):
            self._failure = result.value

    def _trouble(self) -> None:
        """Plan what happens to the whole world in this life."""
        uniform = self.random.uniform
        if self.conditions.splits:
            self._later(uniform(0, 5), self.network.split, uniform(0, 30))
        if self.conditions.jumps:
            self._later(uniform(0, 5), self.schedule.stall, uniform(0, 40))
            self._later(uniform(0, 5), self.clock.jump)
        if self.conditions.fills:
            begin = uniform(0, 5)
            self._later(begin, self._set_free, int(uniform(0, 2) * self.conditions.minimum_free))
            self._later(begin + uniform(0, 10), self._set_free, Disk.PLENTY)
        if self.conditions.breaks:
            begin = uniform(0, 5)
            self._later(begin, self._set_broken, True)
            self._later(begin + uniform(0, 5), self._set_broken, False)
        if self.conditions.tidies:
            self._later(uniform(0, 5), self._tidy)

    def _later(self, delay: float, trouble: Callable[..., None], *arguments: float) -> None:
        self._troubles.append(self.schedule.later(delay, trouble, *arguments))

    def _set_free(self, size: int) -> None:
        self.schedule.note("free on the disk:", size)
        self.disk.free = size

    def _set_broken(self, is_broken: bool) -> None:
        self.schedule.note("the disk", "is broken" if is_broken else "works again")
        self.disk.is_broken = is_broken

    def _tidy(self) -> None:
        """Somebody removes a folder of `incoming`, though its process lives."""
        path = f"{ROOT}/{INCOMING}"
        if names := self.disk.names(path):
            name = self.random.choice(names)
            self.schedule.note("somebody removes", name)
            for inside in self.disk.names(f"{path}/{name}"):
                self.disk.directory(f"{path}/{name}").unlink(inside)
            self.disk.directory(path).unlink(name)


def run(seed: int, trace: Trace | None = None) -> Trace:
    """Live through a seed.

    :raises AssertionError: a promise is broken; the trace ends there.
    """
    world = World(seed, trace or Trace())
    gc.disable()  # or coroutines of dead processes would end when it pleases the collector
    world.promises.listen()
    try:
        with world.conditions.sizes(), without_sql():
            world.run()
    finally:
        world.end()
        world.promises.stop_listening()
        gc.enable()
    return world.schedule.trace
