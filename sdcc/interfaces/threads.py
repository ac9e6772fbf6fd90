"""How a blocking call is made elsewhere than in the reactor's thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class RunInThread(Protocol):
    """Runs a blocking call in a worker thread and gives an awaitable of its result.

    The awaitable fires in the reactor's thread; the call's exception is raised from it.
    """

    def __call__(self, call: Callable[..., T], /, *arguments: object) -> Awaitable[T]: ...
