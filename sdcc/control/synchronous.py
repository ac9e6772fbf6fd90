"""Coroutines of the server, run in this thread until they end.

Without a reactor, where nothing that they await is ever still to come; or with one, which Ctrl-C stops.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn, TypeVar

from twisted.internet.defer import Deferred

from sdcc.threads import Threads

T = TypeVar("T")
#: The exit code of what Ctrl-C has ended, as a shell has it.
INTERRUPTED = 130
#: Runs a coroutine function with a reactor, then raises SystemExit, as :func:`twisted.internet.task.react`.
React = Callable[[Callable[..., Coroutine[Deferred[None], object, None]]], NoReturn]


async def at_once(call: Callable[..., T], /, *arguments: object) -> T:
    """A :class:`~sdcc.interfaces.RunInThread` that needs no other thread."""
    return call(*arguments)


def result(awaitable: Awaitable[T]) -> T:
    """What an awaitable gives that waits for nothing."""
    try:
        awaitable.__await__().__next__()
    except StopIteration as end:
        value: T = end.value
        return value
    raise AssertionError("something was to be waited for")


def each(items: AsyncIterator[T]) -> Iterator[T]:
    """What an asynchronous iterator gives that waits for nothing."""
    while True:
        try:
            item = result(items.__anext__())
        except StopAsyncIteration:
            return
        yield item


def with_reactor(call: Callable[[Any], Coroutine[Any, Any, T]], react: React) -> T:
    """What a coroutine function gives, or raises, that is run with a reactor; once in a process."""
    outcome: list[T | BaseException] = []

    async def run(reactor: Any) -> None:
        try:
            outcome.append(await call(reactor))
        except BaseException as error:  # The boundary: it is raised again where it is of use.
            outcome.append(error)

    with suppress(SystemExit):
        react(run)
    [value] = outcome
    if isinstance(value, BaseException):
        raise value
    return value


@contextmanager
def interruptible(reactor: Any, interrupt: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C calls `interrupt`, and the reactor stops when the block has come to its end."""
    ended: Deferred[None] = Deferred()
    is_interrupted = False

    def shut_down() -> Deferred[None]:
        nonlocal is_interrupted
        is_interrupted = True
        interrupt()
        return ended

    trigger = reactor.addSystemEventTrigger("before", "shutdown", shut_down)
    try:
        yield
    finally:
        ended.callback(None)
        if not is_interrupted:
            reactor.removeSystemEventTrigger(trigger)


@contextmanager
def started(reactor: Any, name: str, size: int) -> Iterator[Threads]:
    """Threads that do work within the block."""
    threads = Threads(reactor, name, size)
    threads.start()
    try:
        yield threads
    finally:
        threads.stop()
