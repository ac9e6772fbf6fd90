"""The threads of the process, and how the reactor's thread gives them work."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

T = TypeVar("T")


class Threads:
    """A pool of threads, to be given work once it is started.

    Threads do not survive the fork of a daemon, so there are none before `start`.
    """

    def __init__(self, reactor: IReactorFromThreads, name: str, size: int) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(0, size, name)

    def run(self, call: Callable[..., T], *arguments: object) -> Deferred[T]:
        return deferToThreadPool(self._reactor, self._pool, call, *arguments)

    def start(self) -> None:
        self._pool.start()

    def stop(self) -> None:
        """Blocks while a job runs: whoever gave one has waited for it before."""
        self._pool.stop()


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
