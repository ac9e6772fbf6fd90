"""Worker threads without threads: a job runs whole, at an instant that the seed decides."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from .reactor import Reactor
from .schedule import Schedule

T = TypeVar("T")
Job = tuple[Deferred[Any], Callable[..., Any], tuple[object, ...]]


class Workers:
    """
    :param size: jobs that may be under way at once.
    :param delay: the most that a job, or its result, waits for its turn.
    """

    def __init__(self, schedule: Schedule, reactor: Reactor, name: str, size: int, *, delay: float) -> None:
        self._schedule = schedule
        self._reactor = reactor
        self._name = name
        self._size = size
        self._delay = delay
        self._waiting: deque[Job] = deque()
        #: Jobs under way, and results on their way back.
        self._busy = 0
        self._returning = 0
        self._is_started = False

    @property
    def is_idle(self) -> bool:
        return not (self._busy or self._waiting or self._returning)

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
            self._reactor.later(self._some_time(), self._work, self._waiting.popleft())

    def _work(self, job: Job) -> None:
        done, call, arguments = job
        try:
            result: Any = call(*arguments)
        except Exception:
            result = Failure()
        self._busy -= 1
        self._returning += 1
        self._reactor.later(self._some_time(), self._return, done, result)
        del job, arguments  # as Twisted's threads do
        self._begin()

    def _return(self, done: Deferred[Any], result: Any) -> None:
        self._returning -= 1
        done.callback(result)

    def _some_time(self) -> float:
        return self._schedule.random.uniform(0, self._delay)
