"""Coroutines of the server, run in this thread: nothing that they await is ever still to come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TypeVar

T = TypeVar("T")


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
