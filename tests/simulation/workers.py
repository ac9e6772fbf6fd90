"""Worker threads of a server, as the schedule has them: jobs begin, are held up, and end when the seed says.

A job that the seed does not hold up runs whole, at one instant. One that it does is left in the middle of a
call of the disk, as long as a slow disk may take, while everything else goes on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from .doom import Crash
from .fiber import Fiber
from .reactor import Reactor
from .schedule import Schedule

T = TypeVar("T")
Job = tuple[Deferred[Any], Callable[..., Any], tuple[object, ...]]

#: How likely a job that may be held up is, at a call that waits for the disk and at any other.
HOLD_AT_SYNC = 0.4
HOLD = 0.05
#: For how long at most, in seconds: a disk may be slow.
LONGEST_HOLD = 5.0


class Workers:
    """
    :param size: jobs that may be under way at once.
    :param delay: the most that a job, or its result, waits for its turn.
    :param holds: how likely a job may be held up.
    """

    def __init__(
        self,
        schedule: Schedule,
        reactor: Reactor,
        name: str,
        size: int,
        *,
        delay: Callable[[], float],
        holds: float,
    ) -> None:
        self._schedule = schedule
        self._reactor = reactor
        self._name = name
        self._size = size
        self._delay = delay
        self._holds = holds
        self._waiting: deque[Job] = deque()
        #: How many are under way.
        self._busy = 0
        #: Results on their way back, which come in the order in which the jobs ended.
        self._results: deque[tuple[Deferred[Any], Any]] = deque()
        self._is_started = False
        #: Those that are left off, and the one that runs.
        self._held: dict[Fiber, None] = {}
        self._running: Fiber | None = None

    @property
    def is_idle(self) -> bool:
        return not (self._busy or self._waiting or self._results)

    def start(self) -> None:
        self._is_started = True
        self._begin()

    def stop(self) -> None:
        """The real one blocks the reactor while a job runs, so none may be left."""
        assert self.is_idle, f"the {self._name} threads are stopped with work under way"
        self._is_started = False

    def run(self, call: Callable[..., T], /, *arguments: object) -> Deferred[T]:
        done: Deferred[T] = Deferred()
        self._waiting.append((done, call, arguments))
        self._begin()
        return done

    # --- for the simulation ---

    def hold_up(self, chance: float) -> None:
        """From within a job: perhaps let others run."""
        if self._running is not None and self._schedule.random.random() < chance:
            self._running.leave_off()

    def die(self) -> None:
        """What is left off finds its process dead when it goes on, and ends."""
        for fiber in self._held:
            try:
                fiber.go_on()
            except Crash:
                continue
        self._held.clear()

    def _begin(self) -> None:
        while self._is_started and self._waiting and self._busy < self._size:
            self._busy += 1
            self._reactor.later(self._some_time(), self._work, self._waiting.popleft())

    def _work(self, job: Job) -> None:
        done, call, arguments = job
        if self._holds and self._schedule.random.random() < self._holds:
            self._go_on(done, Fiber(lambda: _outcome(call, arguments)))
        else:
            self._end(done, _outcome(call, arguments))

    def _go_on(self, done: Deferred[Any], fiber: Fiber) -> None:
        self._held.pop(fiber, None)
        self._running = fiber
        try:
            fiber.go_on()
        finally:
            self._running = None
        if fiber.is_over:
            self._end(done, fiber.result)
        else:
            self._held[fiber] = None
            pause = self._schedule.random.uniform(0, LONGEST_HOLD)
            self._reactor.later(pause, self._go_on, done, fiber)

    def _end(self, done: Deferred[Any], outcome: Any) -> None:
        self._busy -= 1
        self._results.append((done, outcome))
        self._reactor.later(self._some_time(), self._return)
        self._begin()

    def _return(self) -> None:
        done, result = self._results.popleft()
        done.callback(result)

    def _some_time(self) -> float:
        return self._schedule.random.uniform(0, self._delay())


def _outcome(call: Callable[..., Any], arguments: tuple[object, ...]) -> Any:
    try:
        return call(*arguments)
    except Exception:
        return Failure()
