"""The parts of files' names that tell one reception from another, and whose a file is."""

from __future__ import annotations

import os.path
from itertools import count


class Tokens:
    """A process's. Called from any thread.

    :param mark: letters and digits that no other process has, as long as every other's.
    """

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._numbers = count()

    def __call__(self) -> str:
        """Letters and digits that were never given before."""
        return f"{self._mark}{next(self._numbers):06x}"

    def are_in(self, path: str) -> bool:
        """Whether an object's file bears one of these, whatever any clock says of its age."""
        return os.path.basename(path).rpartition("-")[2].startswith(self._mark)
