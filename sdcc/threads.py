"""The threads of the process, and how the reactor's thread gives them work."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

T = TypeVar("T")


class _Job(NamedTuple):
    done: Deferred[Any]
    call: Callable[..., Any]
    arguments: tuple[object, ...]


class _Worker:
    """One thread, which sleeps until it is given a job."""

    def __init__(self) -> None:
        self._job: _Job | None = None
        self._awake = threading.Lock()
        self._awake.acquire()

    def give(self, job: _Job | None) -> None:
        """Wake it, once for each :meth:`sleep`."""
        self._job = job
        self._awake.release()

    def sleep(self) -> _Job | None:
        self._awake.acquire()
        job, self._job = self._job, None
        return job


class Threads:
    """A fixed number of threads, to be given work once they are started.

    Made for many short jobs, which Twisted's own pool takes longer to hand over than to do: a job wakes one
    thread, the one that was last busy, and the reactor answers all that has ended in one turn.

    Threads do not survive the fork of a daemon, so there are none before `start`.
    """

    def __init__(self, reactor: IReactorFromThreads, name: str, size: int) -> None:
        self._reactor = reactor
        self._name = name
        self._size = size
        self._threads: list[threading.Thread] = []
        #: Guards the next three.
        self._mutex = threading.Lock()
        self._waiting: deque[_Job] = deque()
        self._idle: list[_Worker] = []
        self._is_stopped = False
        #: In the order in which the jobs ended, until the reactor takes them.
        self._results: deque[tuple[Deferred[Any], Any]] = deque()
        #: Whether the reactor has been told of results since it last began to take them.
        self._is_told = False

    def run(self, call: Callable[..., T], *arguments: object) -> Deferred[T]:
        done: Deferred[T] = Deferred()
        job = _Job(done, call, arguments)
        with self._mutex:
            worker = self._idle.pop() if self._idle else None
            if worker is None:
                self._waiting.append(job)
        if worker is not None:
            worker.give(job)
        return done

    def start(self) -> None:
        for number in range(1, self._size + 1):
            thread = threading.Thread(
                target=self._work, args=(_Worker(),), name=f"{self._name} {number}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Blocks while a job runs: whoever gave one has waited for it before."""
        with self._mutex:
            self._is_stopped = True
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.give(None)
        for thread in self._threads:
            thread.join()

    def _work(self, worker: _Worker) -> None:
        while (job := self._next(worker)) is not None:
            try:
                result = job.call(*job.arguments)
            except BaseException:  # handed on, whatever it is
                result = Failure()
            self._results.append((job.done, result))
            del job, result  # a thread that sleeps keeps nobody's bytes
            if not self._is_told:
                self._is_told = True
                self._reactor.callFromThread(self._deliver)

    def _next(self, worker: _Worker) -> _Job | None:
        with self._mutex:
            if self._waiting:
                return self._waiting.popleft()
            if self._is_stopped:
                return None
            self._idle.append(worker)
        return worker.sleep()

    def _deliver(self) -> None:
        """What ends from now on tells the reactor anew, and has its turn after others."""
        self._is_told = False
        for _ in range(len(self._results)):
            done, result = self._results.popleft()
            done.callback(result)


class LooseThreads:
    """A thread for each call, for the few calls that may hang and that no stop waits for."""

    def __init__(self, reactor: IReactorFromThreads, name: str) -> None:
        self._reactor = reactor
        self._name = name

    def run(self, call: Callable[..., T], *arguments: object) -> Deferred[T]:
        done: Deferred[T] = Deferred()

        def work() -> None:
            try:
                result = call(*arguments)
            except Exception:  # handed on, whatever it is
                self._reactor.callFromThread(done.errback, Failure())
            else:
                self._reactor.callFromThread(done.callback, result)

        threading.Thread(target=work, name=self._name, daemon=True).start()
        return done
