"""Random queries of random objects: what each database finds is what :mod:`.oracle` does."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from sdcc.index import approaches, finding
from sdcc.index.attributes import SEQUENCES
from sdcc.index.rows import LEVELS
from sdcc.interfaces import StoredObject
from sdcc.queries import (
    DERIVED,
    Condition,
    DateRange,
    DateTimeCondition,
    Holding,
    Level,
    Matching,
    PersonName,
    Query,
    SingleValue,
    TimeRange,
    UIDList,
    WildCard,
)

from . import oracle
from .asking import find

Make = Callable[..., StoredObject]

OBJECTS, QUERIES = 150, 120

_NAMES = (
    *(
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
        "YAMADA^HANAKO^^^Dr",
        "yamada",
        "=山田^花子",
        "==やまだ",
        "^Tarou",
    ),
    *("Müller^Jörg", "MU\u0308LLER^JO\u0308RG", "Straße^A", "STRASSE^A", "Ωμέγα^Σοφός", "İnce^I", "ǅ^ﬀ"),
    *(
        "O'Brien^50%_[x]",
        "a*b^?",
        'Quo"te^A',
        "Kim^A=김^가",
        "\N{GRINNING FACE}^\U0010ffff",
        "A^B^C^D^E",
        "A",
    ),
    *("A^B", "A B", "AB^", None),
)
_PHYSICIANS = (*_NAMES, "Yamada^Tarou=山田\\Müller^Jörg", 'A"\\B=C\\D', "A^B\\=山田^花子")
_IDS = ("1", "01", "1 ", "P1", "p1", "P2", "P_1", "P%1", "[P]1", "Ä1", "患者", "P1\\P2", "P*", None)
_TEXTS = (
    "CT",
    "ct",
    "CT\\MR",
    "T1\\T2",
    'A"\\B',
    "A\\\tB",
    "Größe",
    "[a-z]",
    "%",
    "_",
    "\U0001f600",
    "Ab",
    None,
)
_DATES = (
    *(datetime.date(2024, 2, day) for day in (27, 28, 29)),
    datetime.date(2024, 3, 1),
    datetime.date(1, 1, 1),
)
_TIMES = (
    *(datetime.time(0), datetime.time(0, 0, 0, 1), datetime.time(9, 30), datetime.time(9, 30, 0, 10)),
    *(datetime.time(23, 59, 59), datetime.time(23, 59, 59, 999999)),
)
_NUMBERS = (0, 1, 2, -1, 2**31 - 1)

_COLUMNS = {
    column.name: column
    for table in LEVELS
    for column in table.columns[: table.fields]
    if column.type is not datetime.datetime and column.name not in SEQUENCES
}
_UIDS = ("study_instance_uid", "series_instance_uid", "sop_instance_uid")
_OF_FILES = {field.name for field in dataclasses.fields(StoredObject)} | {
    *("path", "size", "data_set_size", "sha256", "calling_ae", "called_ae", "calling_address", "fault")
}
_PAIRS = ("study", "series", "acquisition", "content", "performed_procedure_step_start")


def _values(name: str) -> tuple[Any, ...]:
    of_types: dict[type, tuple[Any, ...]] = {
        datetime.date: (*_DATES, None),
        datetime.time: (*_TIMES, None),
        int: (*_NUMBERS, None),
        str: _PHYSICIANS if name in oracle.NAMES else _TEXTS,
    }
    of_fields: dict[str, tuple[Any, ...]] = {
        "patient_name": _NAMES,
        **dict.fromkeys(("patient_id", "accession_number", "issuer_of_patient_id"), _IDS),
        **dict.fromkeys(("sop_class_uid", "transfer_syntax_uid"), ("1.2.3", "1.2.30")),
        "frame_of_reference_uid": ("1.2.3", None),
    }
    return of_fields.get(name) or of_types[_COLUMNS[name].type]


def _described(random: Random, table: int) -> dict[str, Any]:
    return {
        column.name: random.choice(_values(column.name))
        for column in LEVELS[table].columns[: LEVELS[table].fields]
        if column.name in _COLUMNS and column.name not in _UIDS and column.name not in _OF_FILES
    }


def objects(random: Random, make: Make) -> list[StoredObject]:
    """Of few patients, studies and series, some of which say nothing; two studies may share a series' UID."""
    studies = {f"1.{number}": _described(random, 0) for number in range(OBJECTS // 5)}
    series: dict[tuple[str, str], dict[str, Any]] = {}
    made = []
    for number in range(OBJECTS):
        study = f"1.{number}" if f"1.{number}" in studies else random.choice([*studies])
        uid = f"2.{random.randrange(OBJECTS // 3)}"
        of_series = series.setdefault((study, uid), _described(random, 1))
        of_instance = _described(random, 2)
        made.append(
            make(
                f"3.{number}",
                study_instance_uid=study,
                series_instance_uid=uid,
                **studies[study],
                **of_series,
                **of_instance,
            )
        )
    return made


def _mutated(random: Random, text: str) -> str:
    """A text, or a pattern, that is like another."""
    for _ in range(random.randrange(3)):
        start = random.randrange(len(text) + 1)
        end = min(len(text), start + random.randrange(4))
        text = text[:start] + random.choice(["*", "?", "", "^", "A", "**", "*?"]) + text[end:]
    return random.choice([text, text, text.upper(), text.lower(), f"{text}*", f"*{text}"])


def _matching(random: Random, name: str) -> Matching:
    kind = _COLUMNS[name].type if name in _COLUMNS else int if name.startswith("number") else str
    if kind is datetime.date:
        return _range(random, DateRange, _DATES)
    if kind is datetime.time:
        return _range(random, TimeRange, _TIMES)
    if kind is int:
        return SingleValue(random.choice((*_NUMBERS, 3, 5)))
    if name in _UIDS or name == "sop_classes_in_study":
        place = str(1 + _UIDS.index(name)) if name in _UIDS else "1.2"
        uids = [f"{place}.{random.randrange(OBJECTS // 4)}" for _ in range(random.randrange(1, 40))]
        return random.choice([UIDList(tuple(uids)), SingleValue(uids[0])])
    return _text(random, name)


def _range(random: Random, make: Any, values: tuple[Any, ...]) -> Matching:
    ends: list[Any] = [random.choice(values), random.choice(values)]
    if random.random() < 0.3:
        return SingleValue(ends[0])
    if random.random() < 0.4:
        ends[random.randrange(2)] = None
    return make(*ends)


def _text(random: Random, name: str) -> Matching:
    texts = [each for each in (_values(name) if name in _COLUMNS else _TEXTS) if each is not None]
    text = _mutated(random, random.choice(texts))
    if name in oracle.NAMES:
        return PersonName(tuple(text.split("\\")[0].split("=")[:3]))
    if "*" in text or "?" in text:
        return WildCard(text)
    return random.choice([SingleValue(text), UIDList((text, random.choice(texts)))])


def query(random: Random, level: Level) -> Query:
    names = [
        name
        for depth, table in enumerate(LEVELS)
        for name in table.names[: table.fields]
        if name in _COLUMNS and name not in _OF_FILES and depth <= max(0, list(Level).index(level) - 1)
    ]
    derived = [name for name, of in DERIVED.items() if list(Level).index(of) <= list(Level).index(level)]
    common = [
        "patient_id",
        "patient_name",
        "accession_number",
        "study_date",
        *_UIDS[: max(1, list(Level).index(level))],
    ]
    conditions: list[Condition | DateTimeCondition] = [
        Condition(name, _matching(random, name))
        for name in random.choices([*common * 5, *names, *derived], k=random.choice([0, 1, 1, 1, 2, 2, 3]))
    ]
    if random.random() < 0.15:
        pair = random.choice([pair for pair in _PAIRS if f"{pair}_date" in names])
        ends: list[datetime.datetime | None] = [
            datetime.datetime.combine(random.choice(_DATES), random.choice(_TIMES)) for _ in range(2)
        ]
        if random.random() < 0.4:
            ends[random.randrange(2)] = None
        conditions.append(
            DateTimeCondition(
                date_field=f"{pair}_date", time_field=f"{pair}_time", first=ends[0], last=ends[1]
            )
        )
    wanted = frozenset(random.sample([*names, *derived], k=random.choice([1, 3, 8])))
    return Query(level=level, conditions=tuple(conditions), wanted=wanted | {_UNIQUE[level]})


_UNIQUE = dict(zip(Level, ("patient_id", *_UIDS), strict=True))


def _sorted(matches: Any) -> list[str]:
    return sorted(repr(sorted(match.items())) for match in matches)


@pytest.mark.parametrize("seed", range(2))
def test_every_query_finds_what_matches_and_nothing_else(
    engine: Any, make: Make, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """At every level, whatever the pages' size; and as many as there are holdings of."""
    random = Random(seed)
    registered = objects(random, make)
    engine.register(*registered)
    found_any = 0
    for number, level in zip(range(QUERIES), itertools.cycle(Level), strict=False):
        monkeypatch.setattr(finding, "PAGE", random.choice([1, 2, 3, 10, 1000]))
        monkeypatch.setattr(finding, "FIRST_PAGE", random.choice([1, 2, 50]))
        monkeypatch.setattr(approaches, "LOOKED_UP", random.choice([1, 2, 500]))
        asked = query(random, level)
        found = find(engine, level, *asked.conditions, wanted=tuple(asked.wanted))
        expected = oracle.matches(asked, registered)
        got, due = _sorted(found), _sorted(expected)
        assert got == due, (
            number,
            asked,
            [each for each in due if each not in got][:2],
            [each for each in got if each not in due][:2],
        )
        found_any += bool(found)
        if level is Level.IMAGE:
            holdings: list[Holding] = engine.run(engine.index.holdings(asked))
            assert sum(holding.count for holding in holdings) == len(expected)
    assert found_any > QUERIES / 4
