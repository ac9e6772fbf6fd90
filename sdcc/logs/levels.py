"""Which events are told: a level for a logger holds for all loggers below it that have none of their own."""

from __future__ import annotations

from collections.abc import Iterable

from constantly import NamedConstant
from twisted.logger import InvalidLogLevelError, LogLevel

NAMES = tuple(level.name for level in LogLevel.iterconstants())
#: Of a logger with none above it that has a level: Twisted's own, and what is printed.
ELSEWHERE = LogLevel.info


class UnknownLevel(ValueError):
    """The text says which levels there are."""


class Levels:
    """Asked for every event, so the answers are kept by logger."""

    def __init__(self, levels: Iterable[tuple[str, str]]) -> None:
        self.replace(levels)

    def replace(self, levels: Iterable[tuple[str, str]]) -> None:
        """These and no others.

        :raises UnknownLevel: nothing has changed.
        """
        self._levels = {name: _level(level) for name, level in levels}
        self._told: dict[str, frozenset[NamedConstant]] = {}

    def set(self, name: str, level: str) -> None:
        """:raises UnknownLevel: nothing has changed."""
        self._levels[name] = _level(level)
        self._told = {}

    def all(self) -> dict[str, str]:
        """Logger to level, of those that have one of their own."""
        return {name: level.name for name, level in sorted(self._levels.items())}

    def let_through(self, namespace: str, level: NamedConstant) -> bool:
        told = self._told.get(namespace)
        if told is None:
            lowest = self._of(namespace)
            told = frozenset(each for each in LogLevel.iterconstants() if each >= lowest)
            self._told[namespace] = told
        return level in told

    def _of(self, namespace: str) -> NamedConstant:
        name = namespace
        while name not in self._levels and "." in name:
            name = name.rpartition(".")[0]
        return self._levels.get(name, ELSEWHERE)


def _level(name: str) -> NamedConstant:
    try:
        return LogLevel.levelWithName(name)
    except InvalidLogLevelError:
        raise UnknownLevel(f"{name!r} is no level; allowed: {', '.join(NAMES)}") from None
