"""Operations that need not wait for their Data Set to know how they end."""

from __future__ import annotations

from collections.abc import Callable

from zope.interface import implementer

from sdcc.interfaces import IOperation, Outcome


@implementer(IOperation)
class Decided:
    """Lets the request's Data Set go by and ends with a given status.

    The peer sends the Data Set before it reads any answer, so a refusal must swallow it.

    :param on_written: :attr:`sdcc.interfaces.Session.on_written`.
    """

    def __init__(self, status: int, comment: str = "", *, on_written: Callable[[int], None]) -> None:
        self._status = status
        self._comment = comment
        self._on_written = on_written
        self._size = 0

    def write(self, data: memoryview) -> None:
        self._size += len(data)
        self._on_written(len(data))

    async def complete(self) -> Outcome:
        return Outcome(status=self._status, comment=self._comment, size=self._size)

    async def abandon(self) -> None:
        pass
