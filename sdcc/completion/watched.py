"""The studies that this process has lately registered objects of. Knows no clock and no index."""

from __future__ import annotations

from collections import OrderedDict


class Watched:
    """Studies in the order of their last registrations, and when those were, in seconds of some clock.

    :param capacity: with so many, others are not noted: who looks through the index finds them.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._last: OrderedDict[str, float] = OrderedDict()

    def note(self, study_instance_uid: str, now: float) -> None:
        """In the hot path of reception."""
        last = self._last
        if study_instance_uid in last:
            last[study_instance_uid] = now
            last.move_to_end(study_instance_uid)
        elif len(last) < self._capacity:
            last[study_instance_uid] = now

    @property
    def oldest(self) -> float | None:
        """When the study was last registered of that is the next to be quiet; None: there is none."""
        return next(iter(self._last.values()), None)

    def take(self, until: float, limit: int) -> list[str]:
        """Take out studies that were last registered of then or before."""
        taken: list[str] = []
        while len(taken) < limit and (oldest := self.oldest) is not None and oldest <= until:
            taken.append(self._last.popitem(last=False)[0])
        return taken
