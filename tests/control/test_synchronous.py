"""Coroutines that wait for nothing, without a reactor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, NoReturn

import pytest
from twisted.internet.defer import Deferred, succeed

from sdcc.control.synchronous import at_once, each, result, with_reactor


async def numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield await at_once(int, number)


async def failing() -> int:
    return await at_once(int, "x")


async def waiting(awaited: Deferred[int]) -> int:
    return await awaited


def test_a_result_is_given() -> None:
    assert result(waiting(succeed(3))) == 3


def test_an_exception_is_raised() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        result(failing())


@pytest.mark.parametrize("count", [0, 1, 3])
def test_each_item_is_given_in_order(count: int) -> None:
    assert list(each(numbers(count))) == list(range(count))


def test_waiting_is_a_fault_of_the_program() -> None:
    with pytest.raises(AssertionError, match="waited"):
        result(waiting(Deferred()))


def react(call: Any) -> NoReturn:
    """As Twisted's, with nothing to wait for."""
    result(call("reactor"))
    raise SystemExit(0)


async def length(reactor: str) -> int:
    return len(reactor)


async def broken(reactor: str) -> int:
    raise BrokenPipeError(reactor)


def test_what_a_coroutine_with_a_reactor_gives_or_raises_is_given_or_raised() -> None:
    assert with_reactor(length, react) == 7
    with pytest.raises(BrokenPipeError, match=r"^reactor$"):
        with_reactor(broken, react)
