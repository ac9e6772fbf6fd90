"""Every kind of matching, at every level, alike on both databases."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest

from sdcc.index.rows import LEVELS
from sdcc.interfaces import StoredObject
from sdcc.queries import (
    Condition,
    DateRange,
    DateTimeCondition,
    Level,
    Matching,
    PersonName,
    SingleValue,
    TimeRange,
    UIDList,
    WildCard,
)

from .asking import uids

Make = Callable[..., StoredObject]


def objects(make: Make, field: str, values: dict[str, Any]) -> list[StoredObject]:
    """An object for each value, in a study and a series that have its name, too."""
    return [
        make(name, study_instance_uid=name, series_instance_uid=name, **{field: value})
        for name, value in values.items()
    ]


DAYS = {f"1.{day}": datetime.date(2024, 5, day) for day in (1, 2, 3)} | {"9": None}
TIMES = {
    "1.0": datetime.time(0),
    "1.1": datetime.time(9, 30),
    "1.2": datetime.time(9, 30, 0, 1),
    "1.3": datetime.time(9, 30, 1),
    "9": None,
}
IDS = {
    "1": "A1",
    "2": "a1",
    "3": "A12",
    "4": "A%_[x]",
    "5": "A%y[x]",
    "6": "",
    "7": None,
    "8": "O'Brien\"",
    "9": "\N{GRINNING FACE}1",
}
IMAGE_TYPES = {
    "1": "ORIGINAL\\PRIMARY\\AXIAL",
    "2": "DERIVED\\SECONDARY",
    "3": "PRIMARY",
    "4": 'A"B\\\\C\tD',
    "5": None,
}
NAMES = {
    "1": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "2": "YAMADA^HANAKO^^^",
    "3": "yamada",
    "4": "Yamadaya^Tarou",
    "5": "Müller^JÖRG",
    "6": "Straße^A",
    "7": "=山田^花子",
    "8": "Ωμέγα^Σοφός",
    "9": None,
    "10": "^Tarou",
    "11": "O'Brien^50%_[x]",
}
OPERATORS = {
    "1": "Yamada^Tarou=山田^太郎\\Müller^JÖRG",
    "2": "YAMADA^HANAKO^^=^花子",
    "3": "Suzuki=山田",
    "4": None,
}


def name(*groups: str) -> PersonName:
    return PersonName(groups)


#: An attribute, its values by the names of their objects, and what is asked about it with who is found.
CASES: list[tuple[str, dict[str, Any], dict[Matching, str]]] = [
    (
        "patient_id",
        IDS,
        {
            SingleValue("A1"): "1",
            SingleValue("A%_[x]"): "4",
            SingleValue("O'Brien\""): "8",
            SingleValue(""): "6",
            SingleValue("A*"): "",
            SingleValue("A1\0"): "",
            SingleValue("A1\ud800"): "",
            UIDList(("A1", "a1", "A1", "none", "O'Brien\"", "\0")): "1 2 8",
            UIDList(()): "",
            WildCard("A*"): "1 3 4 5",
            WildCard("A1"): "1",
            WildCard("A?"): "1",
            WildCard("?1"): "1 2 9",
            WildCard("A?*?"): "3 4 5",
            WildCard("A%_[*"): "4",
            WildCard("A%_[[]x]"): "",
            WildCard("*[x]"): "4 5",
            WildCard("*'*"): "8",
            WildCard("*"): "1 2 3 4 5 6 8 9",
            WildCard("**"): "1 2 3 4 5 6 8 9",
            WildCard("A*\0"): "",
            WildCard("\U0010ffff*"): "",
            WildCard("\N{GRINNING FACE}*"): "9",
        },
    ),
    (
        "study_id",
        IDS,
        {
            WildCard("A?*?"): "3 4 5",
            SingleValue("a1"): "2",
        },
    ),
    (
        "patient_name",
        {"1": "Ab", "2": "AB"},
        {
            SingleValue("AB"): "2",
            WildCard("A?"): "1 2",
        },
    ),
    (
        "study_description",
        {"1": "A\\B", "2": "A"},
        {
            WildCard("A*B"): "1",
        },
    ),
    (
        "image_type",
        IMAGE_TYPES,
        {
            SingleValue("PRIMARY"): "1 3",
            WildCard("*ARY"): "1 2 3",
            WildCard("ORIGINAL*AXIAL"): "",
            WildCard("A?????"): "",
            WildCard("A????"): "1",
            SingleValue('A"B'): "4",
            SingleValue("C\tD"): "4",
            UIDList(("AXIAL", "DERIVED")): "1 2",
        },
    ),
    (
        "other_patient_ids",
        {"1": "A\\B", "2": "AB", "3": None},
        {
            SingleValue("B"): "1",
        },
    ),
    (
        "patient_name",
        NAMES,
        {
            name("Yamada^Tarou"): "1",
            name("yAMADA^tAROU^^^"): "1",
            name("Yamada^Hanako"): "2",
            name("Yamada"): "3",
            name("yamada^"): "3",
            name("yamada^*"): "1 2 3",
            name("yamada^*^*"): "1 2 3",
            name("yamada*"): "1 2 3 4",
            name("yamada?*"): "1 2 4",
            name("*tarou"): "1 10 4",
            name("^tarou"): "10",
            name("^*"): "10",
            name("*^t?rou*"): "1 10 4",
            name("山田^太郎"): "1",
            name("山田*"): "1 7",
            name("山田^?子"): "7",
            name("やまだ*"): "1",
            name("yamada*", "山田*"): "1",
            name("", "山田*"): "1 7",
            name("*", "山田*", "*"): "1 7",
            name("", "", "やまだ^たろう"): "1",
            name("山田*", ""): "",
            name("", "yamada*"): "",
            name("*"): "1 10 11 2 3 4 5 6 7 8",
            name("", ""): "1 10 11 2 3 4 5 6 7 8",
            name("mÜLLER^jörg"): "5",
            name("mu\u0308ller*"): "5",
            name("m?LLER^*"): "5",
            name("STRA?E^a"): "6",
            name("STRAẞE^*"): "6",
            name("ωΜΈγα^ΣΟΦόσ"): "8",
            name("o'brien^50%_[*"): "11",
            name("o'brien^50%?[x]"): "11",
            name("yamada\0*"): "",
        },
    ),
    (
        "operators_name",
        OPERATORS,
        {
            name("yamada^*"): "1 2",
            name("müller^jörg"): "1",
            name("yamada*JÖRG"): "",
            name("山田*"): "1 3",
            name("yamada*", "山田*"): "1",
            name("müller*", "山田*"): "",
            name("", "^花子"): "2",
            name("*"): "1 2 3",
        },
    ),
    (
        "referring_physician_name",
        OPERATORS,
        {
            name("SUZUKI"): "3",
        },
    ),
    (
        "study_date",
        DAYS,
        {
            SingleValue(datetime.date(2024, 5, 2)): "1.2",
            DateRange(datetime.date(2024, 5, 2), datetime.date(2024, 5, 3)): "1.2 1.3",
            DateRange(None, datetime.date(2024, 5, 2)): "1.1 1.2",
            DateRange(datetime.date(2024, 5, 2), None): "1.2 1.3",
            DateRange(datetime.date(2024, 5, 3), datetime.date(2024, 5, 1)): "",
        },
    ),
    (
        "series_date",
        DAYS,
        {
            DateRange(None, datetime.date(2024, 5, 1)): "1.1",
        },
    ),
    (
        "patient_birth_date",
        DAYS,
        {
            SingleValue(datetime.date(2024, 5, 3)): "1.3",
        },
    ),
    (
        "study_time",
        TIMES,
        {
            SingleValue(datetime.time(9, 30)): "1.1",
            TimeRange(datetime.time(9, 30), datetime.time(9, 30, 1)): "1.1 1.2 1.3",
            TimeRange(None, datetime.time(9, 30)): "1.0 1.1",
        },
    ),
    (
        "content_time",
        TIMES,
        {
            TimeRange(datetime.time(9, 30, 0, 1), None): "1.2 1.3",
        },
    ),
    (
        "patient_birth_time",
        TIMES,
        {
            SingleValue(datetime.time(9, 30, 0, 1)): "1.2",
        },
    ),
    (
        "instance_number",
        {"1": -1, "2": 10, "3": None},
        {
            SingleValue(-1): "1",
            SingleValue(2**63): "",
        },
    ),
]


@pytest.mark.parametrize(("field", "values", "asked"), CASES, ids=[field for field, *_ in CASES])
def test_what_matches_is_found_and_nothing_else(
    engine: Any, make: Make, field: str, values: dict[str, Any], asked: dict[Matching, str]
) -> None:
    """At the level of the attribute and at every one below it."""
    engine.register(*objects(make, field, values))
    (top,) = [place for place, level in enumerate(LEVELS) if field in level.names]
    for level in (Level.STUDY, Level.SERIES, Level.IMAGE)[top:]:
        found = {each: uids(engine, level, Condition(field, each)) for each in asked}
        assert found == {each: names.split() for each, names in asked.items()}, level


MOMENTS = {
    "1": (datetime.date(2024, 5, 1), datetime.time(9)),
    "2": (datetime.date(2024, 5, 1), datetime.time(9, 0, 0, 1)),
    "3": (datetime.date(2024, 5, 2), datetime.time(8)),
    "4": (datetime.date(2024, 5, 3), datetime.time(10)),
    "5": (datetime.date(2024, 5, 2), None),
    "6": (datetime.date(2024, 5, 3), None),
    "7": (None, datetime.time(9)),
}


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ((2024, 5, 1, 9), (2024, 5, 3, 10), "1 2 3 4 5"),
        ((2024, 5, 1, 9, 0, 0, 1), (2024, 5, 3, 9), "2 3 5"),
        (None, (2024, 5, 1, 9), "1"),
        ((2024, 5, 2, 9), None, "4 6"),
        ((2024, 5, 3), (2024, 5, 2), ""),
    ],
)
def test_a_date_and_its_time_are_one_instant(
    engine: Any, make: Make, first: Any, last: Any, expected: str
) -> None:
    """Without its time, a date is sure to match only between the days that the range ends on."""
    first, last = (end and datetime.datetime(*end) for end in (first, last))
    fields = "study_date", "study_time", "content_date", "content_time"
    engine.register(
        *(
            make(each, study_instance_uid=each, **dict(zip(fields, (date, time) * 2, strict=True)))
            for each, (date, time) in MOMENTS.items()
        )
    )
    for of in ("study", "content"):
        asked = DateTimeCondition(date_field=f"{of}_date", time_field=f"{of}_time", first=first, last=last)
        assert uids(engine, Level.IMAGE, asked) == expected.split()


# --- hostile ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("*" * 10_000, True),
        ("A" + "*" * 10_000 + "B", False),
        ("*?" * 10_000, False),
        ("?" * 10_000, False),
        ("*A" * 256, True),
        ("*A" * 257, False),
        ("*A" * 5_000, False),
        ("*A" * 255 + "*B", False),
        ("%" * 10_000, False),
        ("[" * 20_000 + "*", False),
        ("\\" * 9_999 + "*", False),
        ("^" * 10_000 + "*", False),
        ("*^" * 5_000, True),
    ],
    ids=lambda value: value[:6] + "…" if isinstance(value, str) else "",
)
def test_a_pattern_may_be_as_long_as_it_likes(engine: Any, make: Make, pattern: str, matches: bool) -> None:
    text = "A" * 256
    engine.register(make(patient_id=text, patient_name=text, image_type=text, operators_name=text))
    if not pattern.endswith("*^"):
        for field in ("patient_id", "image_type"):
            assert bool(uids(engine, Level.IMAGE, Condition(field, WildCard(pattern)))) is matches
    for field in ("patient_name", "operators_name"):
        asked = Condition(field, PersonName((pattern,)))
        assert bool(uids(engine, Level.IMAGE, asked)) is (matches)


@pytest.mark.parametrize(
    "value", [*"'\"\\%_?;", "''", "%s", "{p}", "--", "$1", ":a", "\t\r\n", "\x85\ufeff\uffff"]
)
def test_a_value_means_nothing_but_itself(engine: Any, make: Make, value: str) -> None:
    """In no statement, and in no pattern but what a pattern has."""
    engine.register(make("1", study_id=value, operators_name=value, study_description=f"a{value}b"))
    engine.register(make("2", study_instance_uid="1.3", study_id="else", operators_name="else"))
    assert uids(engine, Level.IMAGE, Condition("study_id", SingleValue(value))) == ["1"]
    assert uids(engine, Level.IMAGE, Condition("study_id", UIDList((value,)))) == ["1"]
    assert uids(engine, Level.IMAGE, Condition("study_description", WildCard(f"?{value}*"))) == ["1"]
    if value != "\\":
        assert uids(engine, Level.IMAGE, Condition("operators_name", SingleValue(value))) == ["1"]
