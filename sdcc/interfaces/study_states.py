"""Studies that are complete, as far as anybody can say: no object of a stable one has come for a while."""

from __future__ import annotations

import datetime
from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import dataclass

from zope.interface import Interface


@dataclass(frozen=True, slots=True, kw_only=True)
class StableStudy:
    """A study that is stable, and what is in it."""

    study_instance_uid: str
    patient_id: str | None
    accession_number: str | None
    #: How many.
    series: int
    instances: int
    #: Bytes of its files.
    size: int
    #: Of the object that came last; aware, UTC.
    last_received_at: datetime.datetime
    calling_ae: str
    called_ae: str
    #: Aware, UTC.
    stable_at: datetime.datetime

    @property
    def is_news(self) -> bool:
        """Whether somebody is to be told."""
        return self.stable_at != self.last_received_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """By some means somebody is still to be told of a study."""

    #: The study's, in its table.
    key: int
    means: str
    study: StableStudy


class IStudyStates(Interface):
    """What the index knows of it. A registration makes its study unstable, in its transaction.

    Several processes may share an index: each of these calls is one decision, which holds for all of them.
    Every call raises

    - OutOfResources where nothing was changed, as far as is known, and it may be tried again;
    - OSError where the index cannot be read; ValueError where it is none of this version.
    """

    def quiet(since: datetime.datetime) -> AsyncGenerator[Sequence[str], None]:
        """Study Instance UIDs, in portions, of studies that are not stable, and of which nothing has come
        after that time; aware. Who does not read to the end closes it, with `aclose`."""

    async def make_stable(
        study_instance_uids: Sequence[str],
        *,
        quiet_since: datetime.datetime,
        news_since: datetime.datetime,
        now: datetime.datetime,
        means: Collection[str],
    ) -> Sequence[StableStudy]:
        """Make stable those of these studies that are not, and of which nothing has come after `quiet_since`.

        :param news_since: a study whose last object came before is stable since then, and no news; of
            others a notice is due, by each of the means.
        """

    async def next_due(means: str) -> datetime.datetime | None:
        """When the next notice is due; None: there is none."""

    async def take(
        means: str, *, now: datetime.datetime, until: datetime.datetime, limit: int
    ) -> Sequence[Notice]:
        """Notices that are due, for this process to deliver; nobody else takes them until then."""

    async def put_back(notice: Notice, due: datetime.datetime) -> None:
        """It could not be delivered; nothing happens if its study has changed since."""

    async def strike(notice: Notice) -> None:
        """It is delivered."""

    async def give_up(stable_before: datetime.datetime) -> Sequence[tuple[str, str]]:
        """Strike all notices of studies that became stable so long ago: the studies' UIDs, and the means."""
