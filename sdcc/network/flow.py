"""Reading from one transport, paused and resumed."""

from __future__ import annotations

from enum import Enum
from typing import Protocol


class Pausable(Protocol):
    """A transport, as far as it concerns this."""

    def pauseProducing(self) -> None: ...
    def resumeProducing(self) -> None: ...


class Hold(Enum):
    """Why nothing more is read from a peer for now."""

    #: Too much of its Data Sets waits to be written.
    WAITING_BYTES = "waiting bytes"
    #: It sent more requests than the one being performed.
    QUEUE = "queue"
    #: It does not read our answers.
    ANSWERS = "answers"

    #: Each member is there once. Enum's own hash, of the name, is a function in Python.
    __hash__ = object.__hash__


class Flow:
    """Reads while no :class:`Hold` stands."""

    def __init__(self, transport: Pausable) -> None:
        self._transport = transport
        self._holds: set[Hold] = set()
        self._open_for_good = False

    def hold(self, reason: Hold) -> None:
        if not self._holds and not self._open_for_good:
            self._transport.pauseProducing()
        self._holds.add(reason)

    def let_go(self, reason: Hold) -> None:
        if reason in self._holds:
            self._holds.remove(reason)
            if not self._holds and not self._open_for_good:
                self._transport.resumeProducing()

    def is_held(self, reason: Hold) -> bool:
        return reason in self._holds

    def open_for_good(self) -> None:
        """Read on whatever is held: nothing that comes matters any more but the end of the stream."""
        if self._holds and not self._open_for_good:
            self._transport.resumeProducing()
        self._open_for_good = True

    def close(self) -> None:
        """Touch the transport no more: it is gone, or going."""
        self._open_for_good = True
