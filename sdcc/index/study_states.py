"""Studies that become stable: what is asked of them in SQL that every database takes. Knows no database."""

from __future__ import annotations

import datetime
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any

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
#: Beginning behind a key. The last reception is looked up for each study: there are few that are not stable.
QUIET = f"""
    SELECT study_instance_uid, study_key FROM study
    WHERE stable_at IS NULL AND study_key > {{p}} AND (
        SELECT max(received_at) FROM series JOIN instance USING (series_key)
        WHERE series.study_key = study.study_key) <= {{p}}
    ORDER BY study_key LIMIT {PORTION}
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


async def quiet(select: Select, statement: str, since: object) -> AsyncGenerator[Sequence[str], None]:
    after = 0
    while rows := await select(statement, (after, since)):
        yield [uid for uid, _ in rows]
        after = rows[-1][1]


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
