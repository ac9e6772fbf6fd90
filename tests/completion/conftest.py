"""What the tests of study completion share: a study, an index that remembers, and time."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Sequence
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher
from zope.interface import implementer

from sdcc.interfaces import IStudyStates, Notice, OutOfResources, StableStudy

BEGIN = datetime.datetime(2024, 5, 1, 9, 30, tzinfo=datetime.UTC)


def make_study(uid: str = "1.2", **values: Any) -> StableStudy:
    given: dict[str, Any] = {
        "study_instance_uid": uid,
        "patient_id": "P-1",
        "accession_number": None,
        "series": 2,
        "instances": 30,
        "size": 4711,
        "last_received_at": BEGIN,
        "calling_ae": "CT01",
        "called_ae": "SDCC",
        "stable_at": BEGIN + datetime.timedelta(seconds=60),
    }
    return StableStudy(**given | values)


@implementer(IStudyStates)
class States:
    """An index with one study after the other in it.

    :ivar received: Study Instance UID to its last reception, of those that are not stable.
    :ivar due: by UID and means, what is to be delivered, and when.
    :ivar fault: raised by every call.
    """

    def __init__(self) -> None:
        self.received: dict[str, datetime.datetime] = {}
        self.due: dict[tuple[str, str], tuple[StableStudy, datetime.datetime]] = {}
        self.struck: list[tuple[str, str]] = []
        self.asked: list[Sequence[str]] = []
        self.fault: Exception | None = None

    def _called(self) -> None:
        if self.fault is not None:
            raise self.fault

    async def quiet(self, since: datetime.datetime) -> AsyncGenerator[Sequence[str], None]:
        self._called()
        for uid in sorted(self.received):
            if self.received[uid] <= since:
                yield [uid]

    async def make_stable(
        self,
        study_instance_uids: Sequence[str],
        *,
        quiet_since: datetime.datetime,
        news_since: datetime.datetime,
        now: datetime.datetime,
        means: Collection[str],
    ) -> Sequence[StableStudy]:
        self.asked.append(list(study_instance_uids))
        self._called()
        stable = []
        for uid in study_instance_uids:
            last = self.received.get(uid)
            if last is None or last > quiet_since:
                continue
            del self.received[uid]
            is_news = last >= news_since
            study = make_study(uid, last_received_at=last, stable_at=now if is_news else last)
            stable.append(study)
            for each in means if is_news else ():
                self.due[uid, each] = study, now
        return stable

    async def next_due(self, means: str) -> datetime.datetime | None:
        self._called()
        return min((due for (_, each), (_, due) in self.due.items() if each == means), default=None)

    async def take(
        self, means: str, *, now: datetime.datetime, until: datetime.datetime, limit: int
    ) -> Sequence[Notice]:
        self._called()
        taken = []
        for (uid, each), (study, due) in self.due.items():
            if each == means and due <= now and len(taken) < limit:
                taken.append(Notice(key=1, means=means, study=study))
                self.due[uid, each] = study, until
        return taken

    async def put_back(self, notice: Notice, due: datetime.datetime) -> None:
        self._called()
        self.due[notice.study.study_instance_uid, notice.means] = notice.study, due

    async def strike(self, notice: Notice) -> None:
        self._called()
        key = notice.study.study_instance_uid, notice.means
        del self.due[key]
        self.struck.append(key)

    async def give_up(self, stable_before: datetime.datetime) -> Sequence[tuple[str, str]]:
        self._called()
        old = [key for key, (study, _) in self.due.items() if study.stable_at < stable_before]
        for key in old:
            del self.due[key]
        return old


@dataclasses.dataclass
class Time:
    """A clock, and the time of day that goes with it."""

    clock: Clock = dataclasses.field(default_factory=Clock)

    def now(self) -> datetime.datetime:
        return BEGIN + datetime.timedelta(seconds=self.clock.seconds())

    def pass_by(self, seconds: float) -> None:
        """In steps, so that what comes of one thing may take time as well; so many that no sum is rounded."""
        self.clock.pump([0.0, *[seconds / 8] * 8, 0.0])


@pytest.fixture
def states() -> States:
    return States()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def begin() -> datetime.datetime:
    return BEGIN


@pytest.fixture
def study() -> Callable[..., StableStudy]:
    return make_study


@pytest.fixture
def away() -> OutOfResources:
    return OutOfResources("index unreachable")


@pytest.fixture
def log() -> Iterator[list[LogEvent]]:
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)
