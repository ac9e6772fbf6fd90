"""What the servers take for the time of day, which may jump."""

from __future__ import annotations

import datetime

from .schedule import Schedule

BEGINNING = datetime.datetime(2024, 2, 29, 23, 59, 50, tzinfo=datetime.UTC)
#: Seconds.
JUMPS = (-400 * 86400, -86400, -3600, -1, 1, 3600, 86400, 400 * 86400)


class WallClock:
    """Soon it is midnight, and another day's directories are made."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._offset = 0.0

    def now(self) -> datetime.datetime:
        return BEGINNING + datetime.timedelta(seconds=self._schedule.now + self._offset)

    def seconds(self) -> float:
        return self.now().timestamp()

    def jump(self) -> None:
        self._offset += self._schedule.random.choice(JUMPS)
        self._schedule.note("the clock says", self.now().isoformat())
