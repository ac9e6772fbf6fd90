"""How the databases go about a query: by an index, page by page, whatever the tables hold."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sdcc.index import approaches, finding
from sdcc.queries import (
    DERIVED,
    Condition,
    DateRange,
    DateTimeCondition,
    Level,
    PersonName,
    SingleValue,
    UIDList,
    WildCard,
)

from .asking import find, uids

COUNT = 5000
#: {date} is the date of the study with the number n.
STUDIES = """
    INSERT INTO study (
        study_instance_uid, patient_id, accession_number, study_date, study_time,
        patient_name, patient_name_alphabetic, patient_name_ideographic, patient_name_phonetic)
    WITH RECURSIVE number (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM number WHERE n < {count})
    SELECT '1.' || n, 'P' || (n / 2), 'A' || n, {date}, '09:30:00', 'N' || n, 'n' || n, 'i' || n, ''
    FROM number
"""
SERIES = """
    INSERT INTO series (study_key, series_instance_uid, modality)
    SELECT study_key, study_instance_uid || '.1', 'CT' FROM study
"""
INSTANCES = """
    INSERT INTO instance (
        series_key, sop_instance_uid, sop_class_uid, path, size, data_set_size, sha256, transfer_syntax_uid,
        received_at, calling_ae, called_ae, calling_address)
    SELECT series_key, series_instance_uid || '.1', '1.2', series_instance_uid, 1, 1,
        '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef', '1.2.840.10008.1.2',
        '2024-05-01T09:30:00.000000Z', 'A', 'B', 'C' FROM series
"""
DATES = {
    "sqlite": "date('2024-01-01', (n % 100) || ' days')",
    "postgresql": "date '2024-01-01' + n % 100",
}


class Planned:
    """An index with many rows, which tells the plans of the statements that a query comes to."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.is_sqlite = hasattr(engine, "path")
        self.pages: list[tuple[str, Any]] = []
        page = engine.index._page

        async def noted(statement: str, parameters: Any) -> Any:
            if "max(study_key)" not in statement:  # which every index on the key gives at once
                self.pages.append((statement, parameters))
            return await page(statement, parameters)

        engine.index._page = noted

    def plans(self, level: Level, *conditions: Any, wanted: tuple[str, ...] = ()) -> list[list[str]]:
        """Of each page the plan's lines, without what is reckoned for each row."""
        self.pages.clear()
        assert find(self.engine, level, *conditions, wanted=wanted)
        return [self._plan(statement, parameters) for statement, parameters in self.pages]

    def _plan(self, statement: str, parameters: Any) -> list[str]:
        if self.is_sqlite:
            rows = self.engine.select(f"EXPLAIN QUERY PLAN {statement}", parameters)
            top = {key for key, above, *_ in rows if above == 0}
            return [step for key, *_, step in rows if key in top and not step.startswith("CORRELATED")]
        lines = [line for (line,) in self.engine.select(f"EXPLAIN {statement}", parameters)]
        kept, subplan = [], None
        for line in lines:
            depth = len(line) - len(line.lstrip())
            if subplan is not None and depth > subplan:
                continue
            subplan = depth if line.lstrip().startswith("SubPlan") else None
            kept += [line.strip()] if subplan is None else []
        return kept


@pytest.fixture(scope="module")
def planned(new_engine: Callable[[], contextlib.AbstractContextManager[Any]]) -> Iterator[Planned]:
    with new_engine() as engine:
        planned = Planned(engine)
        dates = DATES["sqlite" if planned.is_sqlite else "postgresql"]
        engine.tamper(STUDIES.format(count=COUNT, date=dates), SERIES, INSTANCES)
        if not planned.is_sqlite:  # where nobody gathers statistics
            engine.select("ANALYZE study, series, instance")
        yield planned
        if not planned.is_sqlite:  # or other tests' plans would go by what was there
            engine.select(
                "DELETE FROM pg_statistic WHERE starelid IN"
                " ('study'::regclass, 'series'::regclass, 'instance'::regclass)"
            )


def goes_by(plan: list[str], index: str) -> bool:
    """Whether a page is looked up in an index, and nothing is read that is not near it.

    SQLite has it in its order; PostgreSQL may sort what little there is.
    """
    text = "\n".join(plan)
    is_named = any(
        f"{word} {index}{end}" in text for word in ("INDEX", "using", "on") for end in (" ", "_in_order ")
    )
    return is_named and not any(
        word in text for word in ("SCAN study", "Seq Scan", "study_pkey", "TEMP B-TREE")
    )


def name(*groups: str) -> Condition:
    return Condition("patient_name", PersonName(groups))


FEBRUARY = DateRange(datetime.date(2024, 2, 1), datetime.date(2024, 2, 29))


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        (Condition("patient_id", SingleValue("P77")), "study_by_patient_id"),
        (Condition("patient_id", WildCard("P7*")), "study_by_patient_id"),
        (Condition("accession_number", SingleValue("A77")), "study_by_accession_number"),
        (Condition("accession_number", WildCard("A7?5")), "study_by_accession_number"),
        (Condition("study_date", FEBRUARY), "study_by_study_date"),
        (Condition("study_date", SingleValue(datetime.date(2024, 2, 1))), "study_by_study_date"),
        (
            DateTimeCondition(
                date_field="study_date",
                time_field="study_time",
                first=datetime.datetime(2024, 2, 1, 9),
                last=datetime.datetime(2024, 2, 29, 10),
            ),
            "study_by_study_date",
        ),
        (name("", "I77*"), "study_by_ideographic_name"),
        (name("N7^*", "I7*"), "study_by_alphabetic_name"),
    ],
    ids=str,
)
@pytest.mark.parametrize("level", [Level.PATIENT, Level.STUDY])
def test_studies_are_found_by_an_index(planned: Planned, level: Level, asked: Any, index: str) -> None:
    plans = planned.plans(level, asked, wanted=("patient_name", "number_of_study_related_series"))
    for plan in plans:
        assert goes_by(plan, index), plan


@pytest.mark.parametrize(
    ("asked", "column"),
    [
        (Condition("study_date", DateRange(datetime.date(2024, 1, 1), None)), "study_date"),
        (Condition("accession_number", WildCard("A*")), "accession_number"),
        (name("N*"), "patient_name_alphabetic"),
    ],
    ids=str,
)
def test_a_page_begins_where_the_last_one_ended(
    planned: Planned, asked: Any, column: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the index, with nothing skipped and nothing sorted."""
    monkeypatch.setattr(finding, "PAGE", 100)
    pages = planned.plans(Level.STUDY, asked)
    assert len(pages) > 50
    for plan in pages[1:20]:
        text = "\n".join(plan)
        begin = f"({column}>?" if planned.is_sqlite else f"ROW({column}"
        conditions = [step for step in plan if planned.is_sqlite or step.startswith("Index Cond")]
        assert begin in "\n".join(conditions).replace("(accession_number)::text", "accession_number"), plan
        assert "Sort" not in text, plan
        assert "TEMP B-TREE" not in text, plan


def test_a_name_is_found_by_the_indexes_of_its_groups(planned: Planned) -> None:
    plans = planned.plans(Level.STUDY, name("N7*"))
    indexes = [f"study_by_{group}_name" for group in ("alphabetic", "ideographic", "phonetic")]
    assert [next(index for index in indexes if goes_by(plan, index)) for plan in plans] == [
        *[indexes[0]] * (len(plans) - 2),
        *indexes[1:],
    ]


@pytest.mark.parametrize(
    "asked",
    [
        [],
        [name("*7")],
        [Condition("modalities_in_study", SingleValue("CT"))],
        [name("*")],
        [Condition("patient_id", WildCard("*7")), name("?7*")],
    ],
    ids=str,
)
def test_where_all_studies_are_looked_at_each_page_looks_at_its_own(
    planned: Planned, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the order of their keys, and no statement looks at those that others have."""
    monkeypatch.setattr(finding, "PAGE", 100)
    for plan in planned.plans(Level.STUDY, *asked)[1:]:
        text = "\n".join(plan)
        assert "study_pkey" in text or "USING INTEGER PRIMARY KEY" in text, plan
        assert "Sort" not in text, plan
        assert "TEMP B-TREE" not in text, plan


@pytest.mark.parametrize("level", [Level.SERIES, Level.IMAGE])
def test_what_is_below_is_looked_up(planned: Planned, level: Level) -> None:
    """However much is beside it."""
    wanted = ("path", "modality", "patient_id") if level is Level.IMAGE else ("modality", "patient_id")
    plans = planned.plans(level, Condition("study_date", FEBRUARY), wanted=wanted)
    assert len(plans) > 2
    for (statement, _), plan in zip(planned.pages, plans, strict=True):
        table = statement.partition(" FROM ")[2] and statement[7:].partition(".")[0]
        assert not [step for step in plan if step.startswith("SCAN") or f"Seq Scan on {table}" in step], plan


@pytest.mark.parametrize("level", [Level.SERIES, Level.IMAGE])
def test_series_are_looked_for_in_their_studies_and_not_among_all_of_a_modality(
    planned: Planned, level: Level
) -> None:
    of_study = Condition("study_instance_uid", SingleValue("1.77"))
    plans = planned.plans(level, of_study, Condition("modality", SingleValue("CT")))
    assert "series_by_modality" not in str(plans)


@pytest.mark.parametrize("field", ["sop_instance_uid", "series_instance_uid", "study_instance_uid"])
def test_thousands_of_uids_are_looked_up(planned: Planned, field: str) -> None:
    suffix = {"sop_instance_uid": ".1.1", "series_instance_uid": ".1", "study_instance_uid": ""}[field]
    every = tuple(f"1.{number}{suffix}" for number in range(1, 2 * COUNT))
    planned.pages.clear()
    assert len(uids(planned.engine, Level.IMAGE, Condition(field, UIDList(every)))) == COUNT
    table = {"sop_instance_uid": "instance", "series_instance_uid": "series"}.get(field, "study")
    looked_up = [planned._plan(*page) for page in planned.pages if page[0].startswith(f"SELECT {table}.")]
    assert len(looked_up) == 1 + -(-2 * COUNT // approaches.LOOKED_UP)  # the first page is a small one
    for plan in looked_up:
        assert not [step for step in plan if "SCAN" in step and "json_each" not in step], plan
        assert f"{field}" in "\n".join(plan), plan


@pytest.mark.parametrize("field", ["modalities_in_study", "sop_classes_in_study"])
def test_what_is_listed_is_looked_for_among_what_the_study_has(planned: Planned, field: str) -> None:
    """And not among all series of the modality, of which there may be more than of anything else."""
    value = {"modalities_in_study": "CT", "sop_classes_in_study": "1.2"}[field]
    planned.plans(Level.STUDY, Condition("study_date", FEBRUARY), Condition(field, SingleValue(value)))
    for statement, parameters in planned.pages:
        explain = "EXPLAIN QUERY PLAN" if planned.is_sqlite else "EXPLAIN"
        steps = "\n".join(str(row[-1]) for row in planned.engine.select(f"{explain} {statement}", parameters))
        assert "series_by_modality" not in steps
        if planned.is_sqlite:
            assert "sqlite_autoindex_series_1 (study_key=?)" in steps


def test_what_is_reckoned_is_looked_up(planned: Planned) -> None:
    planned.plans(Level.IMAGE, Condition("patient_id", SingleValue("P77")), wanted=tuple(DERIVED))
    statement, parameters = planned.pages[-1]
    explain = "EXPLAIN QUERY PLAN" if planned.is_sqlite else "EXPLAIN"
    steps = [str(row[-1]) for row in planned.engine.select(f"{explain} {statement}", parameters)]
    tables = ("study", "series", "instance", "other", "below", "lowest", "later")
    assert not [step for step in steps if step.startswith(tuple(f"SCAN {table}" for table in tables))]
    assert not [step for step in steps if "Seq Scan" in step]
