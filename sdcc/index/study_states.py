"""Studies that become stable: what is asked of them in SQL that every database takes. Knows no database."""

from __future__ import annotations

import datetime
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar

from sdcc.interfaces import Notice, StableStudy

#: Studies that are looked at, and that become stable, in one transaction: others wait for its end.
PORTION = 50

#: A row for each series of a study and each pair of AEs that its objects came by, for a condition on `study`.
FACTS = """
    SELECT study.study_key, study_instance_uid, patient_id, accession_number, calling_ae, called_ae,
        count(*), CAST(sum(size) AS bigint), max(received_at), series.series_key
    FROM study JOIN series ON series.study_key = study.study_key JOIN instance USING (series_key)
    WHERE {condition}
    GROUP BY study.study_key, series.series_key, calling_ae, called_ae
"""
#: Of a study, in a form for which no index is looked through: there may be as many as in an index built anew.
UNSTABLE = "(stable_at IS NULL) IS TRUE"
#: Beginning behind a key, in an order that an index has. The last reception is looked up for each study, of
#: which few are not stable.
QUIET = f"""
    SELECT study_instance_uid, study_key FROM study
    WHERE stable_at IS NULL AND study_key > {{p}} AND (
        SELECT max(received_at) FROM series JOIN instance USING (series_key)
        WHERE series.study_key = study.study_key) <= {{p}}
    ORDER BY stable_at, study_key LIMIT {PORTION}
"""
NEXT_DUE = "SELECT min(due) FROM notice WHERE means = {p}"
#: Of a study that has changed since, or is no more.
REMOVE_OBSOLETE = """
    DELETE FROM notice WHERE means = {p} AND due <= {p} AND NOT EXISTS (
        SELECT 1 FROM study WHERE study.study_key = notice.study_key AND study.stable_at = notice.stable_at)
"""
PUT_BACK = "UPDATE notice SET due = {p} WHERE study_key = {p} AND means = {p} AND stable_at = {p}"
STRIKE = "DELETE FROM notice WHERE study_key = {p} AND means = {p} AND stable_at = {p}"
OVERDUE = """
    SELECT study_instance_uid, means FROM notice JOIN study USING (study_key, stable_at) WHERE stable_at < {p}
"""
REMOVE_OVERDUE = "DELETE FROM notice WHERE stable_at < {p}"

Select = Callable[[str, Sequence[object]], Awaitable[Sequence[Sequence[Any]]]]


class StudyStates(ABC):
    """What both databases do alike of :class:`~sdcc.interfaces.IStudyStates`.

    :cvar mark: what stands for a parameter in a statement.
    """

    mark: ClassVar[str]

    def __init__(self, select: Select) -> None:
        self._select_marked = select

    @staticmethod
    @abstractmethod
    def given(instant: datetime.datetime, /) -> Any:
        """An instant as the database is given it."""

    @staticmethod
    @abstractmethod
    def instant(value: Any, /) -> datetime.datetime:
        """An instant of what the database gives; aware, UTC."""

    @abstractmethod
    async def _execute(self, statement: str, *parameters: object) -> None:
        """Change notices, in a transaction of its own."""

    async def _select(self, statement: str, *parameters: object) -> Sequence[Sequence[Any]]:
        return await self._select_marked(statement.format(p=self.mark), parameters)

    async def quiet(self, since: datetime.datetime) -> AsyncGenerator[Sequence[str], None]:
        after = 0
        while rows := await self._select(QUIET, after, self.given(since)):
            yield [uid for uid, _ in rows]
            after = rows[-1][1]

    async def next_due(self, means: str) -> datetime.datetime | None:
        [(due,)] = await self._select(NEXT_DUE, means)
        return None if due is None else self.instant(due)

    async def put_back(self, notice: Notice, due: datetime.datetime) -> None:
        await self._execute(PUT_BACK.format(p=self.mark), self.given(due), *self._identity(notice))

    async def strike(self, notice: Notice) -> None:
        await self._execute(STRIKE.format(p=self.mark), *self._identity(notice))

    async def give_up(self, stable_before: datetime.datetime) -> Sequence[tuple[str, str]]:
        given_up = await self._select(OVERDUE, self.given(stable_before))
        if given_up:
            await self._execute(REMOVE_OVERDUE.format(p=self.mark), self.given(stable_before))
        return [(uid, means) for uid, means in given_up]

    def _identity(self, notice: Notice) -> tuple[int, str, Any]:
        return notice.key, notice.means, self.given(notice.study.stable_at)


def studies(
    rows: Sequence[Sequence[Any]],
    instant: Callable[[Any], datetime.datetime],
    stable_at: Callable[[int, datetime.datetime], datetime.datetime],
) -> dict[int, StableStudy]:
    """The studies, by their keys, that rows of :data:`FACTS` tell of.

    :param instant: of a database's value of a time of reception.
    :param stable_at: of a study's key and its last reception.
    """
    of_study: dict[int, list[Sequence[Any]]] = {}
    for row in rows:
        of_study.setdefault(row[0], []).append(row)
    found = {}
    for key, parts in of_study.items():
        _, uid, patient_id, accession_number, calling_ae, called_ae, *_ = last = max(
            parts, key=lambda part: part[8]
        )
        received_at = instant(last[8])
        found[key] = StableStudy(
            study_instance_uid=uid,
            patient_id=patient_id,
            accession_number=accession_number,
            series=len({part[9] for part in parts}),
            instances=sum(part[6] for part in parts),
            size=sum(part[7] for part in parts),
            last_received_at=received_at,
            calling_ae=calling_ae,
            called_ae=called_ae,
            stable_at=stable_at(key, received_at),
        )
    return found


def settled(
    rows: Sequence[Sequence[Any]],
    instant: Callable[[Any], datetime.datetime],
    *,
    quiet_since: datetime.datetime,
    news_since: datetime.datetime,
    now: datetime.datetime,
) -> dict[int, StableStudy]:
    """Those of the studies that rows tell of which become stable now, by their keys."""

    def stable_at(_: int, received_at: datetime.datetime) -> datetime.datetime:
        return now if received_at >= news_since else received_at

    found = studies(rows, instant, stable_at)
    return {key: study for key, study in found.items() if study.last_received_at <= quiet_since}


def notices(
    means: str,
    stable_at: Mapping[int, datetime.datetime],
    rows: Sequence[Sequence[Any]],
    instant: Callable[[Any], datetime.datetime],
) -> list[Notice]:
    """The notices of studies that rows tell of.

    :param stable_at: by the studies' keys.
    """
    found = studies(rows, instant, lambda key, _: stable_at[key])
    return [Notice(key=key, means=means, study=study) for key, study in found.items()]
