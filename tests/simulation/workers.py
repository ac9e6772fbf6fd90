"""Worker threads without threads: a job runs at an instant that the seed decides.

While it runs, others may: at any of its calls of the disk, the seed may let another job that is under way run
from beginning to end. So jobs meet halfway, as threads do, and yet there is but one thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from .reactor import Reactor
from .schedule import Event, Schedule

T = TypeVar("T")
Job = tuple[Deferred[Any], Callable[..., Any], tuple[object, ...]]


class Workers:
    """
    :param size: jobs that may be under way at once.
    :param delay: the most that a job, or its result, waits for its turn.
    """

    def __init__(
        self, schedule: Schedule, reactor: Reactor, name: str, size: int, *, delay: Callable[[], float]
    ) -> None:
        self._schedule = schedule
        self._reactor = reactor
        self._name = name
        self._size = size
        self._delay = delay
        self._waiting: deque[Job] = deque()
        #: Jobs under way, in the order in which their threads took them.
        self._begun: dict[Event, Job] = {}
        #: Those and the ones that run.
        self._busy = 0
        #: Results on their way back, which come in the order in which the jobs ended.
        self._results: deque[tuple[Deferred[Any], Any]] = deque()
        self._is_started = False

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

    def _begin(self) -> None:
        while self._is_started and self._waiting and self._busy < self._size:
            self._busy += 1
            event = self._reactor.later(self._some_time(), self._take_turn)
            self._begun[event] = self._waiting.popleft()

    def _take_turn(self) -> None:
        """The first that is due."""
        event = next(event for event in self._begun if not event.is_pending)
        self._work(self._begun.pop(event))

    def meet(self) -> None:
        """Let a job that is under way run now, if there is one, while another is in the middle of its own."""
        if self._begun:
            event = self._schedule.random.choice([*self._begun])
            event.cancel()
            self._work(self._begun.pop(event))

    def _work(self, job: Job) -> None:
        done, call, arguments = job
        try:
            result: Any = call(*arguments)
        except Exception:
            result = Failure()
        self._busy -= 1
        self._results.append((done, result))
        self._reactor.later(self._some_time(), self._return)
        del job, arguments  # as Twisted's threads do
        self._begin()

    def _return(self) -> None:
        done, result = self._results.popleft()
        done.callback(result)

    def _some_time(self) -> float:
        return self._schedule.random.uniform(0, self._delay())
