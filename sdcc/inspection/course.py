"""How far a long work has come, and what may end it before its end."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from sdcc.interfaces import OutOfResources

T = TypeVar("T")
R = TypeVar("R")


class Report(Protocol):
    """Where it is told how far the work has come."""

    def advance(self) -> None:
        """One more file is done."""

    def say(self, line: str) -> None: ...


class IndexFailure(Exception):
    """The index cannot be asked or changed."""


@contextmanager
def asking_index() -> Iterator[None]:
    """:raises IndexFailure: for whatever the index says when it fails."""
    try:
        yield
    except (OutOfResources, OSError, ValueError) as error:
        raise IndexFailure(str(error)) from None


class Course:
    """Whether a work goes on, and why it does not."""

    def __init__(self) -> None:
        self.is_interrupted = False
        #: Why the index takes nothing any more.
        self.index_failure: str | None = None
        self._fault: Failure | None = None

    @property
    def goes_on(self) -> bool:
        return not (self.is_interrupted or self.index_failure or self._fault)

    def interrupt(self) -> None:
        """Begin nothing more; what is under way is finished."""
        self.is_interrupted = True

    def fail(self, failure: IndexFailure) -> None:
        """The index has put an end to it."""
        self.index_failure = self.index_failure or str(failure)

    async def attempt(self, work: Callable[..., Coroutine[Any, Any, T]], *arguments: object) -> T | None:
        """What a part of the work gives; None where it ends all of it."""
        try:
            return await work(*arguments)
        except IndexFailure as failure:
            self.fail(failure)
        except Exception:  # The boundary: what else is under way is to end before it is raised.
            self._fault = self._fault or Failure()
        return None

    def raise_fault(self) -> None:
        """Raise what the program has failed with, if it has."""
        if self._fault is not None:
            self._fault.raiseException()


async def from_index(rows: AsyncIterator[T], course: Course) -> AsyncIterator[T]:
    """What the index gives, as long as the work goes on.

    :raises IndexFailure: for whatever the index says when it fails.
    """
    while course.goes_on:
        with asking_index():
            try:
                row = await rows.__anext__()
            except StopAsyncIteration:
                return
        yield row


async def in_order(
    items: AsyncIterable[T], work: Callable[[T], Coroutine[Any, Any, R]], *, ahead: int
) -> AsyncIterator[tuple[T, Deferred[R]]]:
    """Each item and what work on it will come to; at most `ahead` are under way at once.

    Whoever takes them takes all of them, and `work` raises nothing.
    """
    under_way: deque[tuple[T, Deferred[R]]] = deque()
    async for item in items:
        under_way.append((item, Deferred.fromCoroutine(work(item))))
        if len(under_way) == ahead:
            yield under_way.popleft()
    while under_way:
        yield under_way.popleft()
