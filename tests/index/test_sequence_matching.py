"""Sequence Matching (PS3.4 C.2.2.2.6), alike on both databases."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from sdcc.index.attributes import SEQUENCES
from sdcc.indexed import ATTRIBUTES, ITEM_ATTRIBUTES
from sdcc.interfaces import StoredObject, Unstorable
from sdcc.queries import (
    Condition,
    DateRange,
    Level,
    Matching,
    PersonName,
    SequenceMatching,
    SingleValue,
    UIDList,
    WildCard,
)

from .asking import find, uids

Make = Callable[..., StoredObject]

CODES = "procedure_code_sequence"
ABDOMEN = {"code_value": "C1", "coding_scheme_designator": "LOCAL", "code_meaning": "CT of the abdomen"}
HEAD = {"code_value": "C2", "coding_scheme_designator": "99X", "code_meaning": "頭部 \"CT\" \\ 'x'"}
LOWER = {"code_value": "c1", "code_meaning": "{%s}\t[?]"}
PROCEDURES: dict[str, list[dict[str, str]] | None] = {
    "1": [ABDOMEN],
    "2": [ABDOMEN, HEAD],
    "3": [LOWER],
    "4": [{"code_meaning": "C1"}, {"coding_scheme_designator": "99X"}],
    "5": None,
}


@pytest.fixture
def filled(engine: Any, make: Make) -> Any:
    """A study of one object for each of PROCEDURES; in its series, requests that have the same items."""
    engine.register(
        *(
            make(
                name,
                study_instance_uid=name,
                series_instance_uid=name,
                procedure_code_sequence=items and json.dumps(items, ensure_ascii=False),
                request_attributes_sequence=items and json.dumps(items),
            )
            for name, items in PROCEDURES.items()
        )
    )
    return engine


def item(**conditions: Matching) -> SequenceMatching:
    return SequenceMatching(tuple(Condition(field, matching) for field, matching in conditions.items()))


def test_the_sequences_are_those_of_the_table() -> None:
    assert {ATTRIBUTES[tag].field for tag in ITEM_ATTRIBUTES} == SEQUENCES


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"code_value": SingleValue("C1")}, "1 2"),
        ({"code_value": SingleValue("c1")}, "3"),
        ({"code_value": SingleValue("C")}, ""),
        ({"code_value": UIDList(("C2", "c1"))}, "2 3"),
        ({"code_value": WildCard("?1")}, "1 2 3"),
        ({"code_meaning": WildCard("*abdomen")}, "1 2"),
        ({"code_meaning": WildCard("頭部*")}, "2"),
        ({"code_meaning": SingleValue(HEAD["code_meaning"])}, "2"),
        ({"code_meaning": SingleValue(LOWER["code_meaning"])}, "3"),
        ({"code_meaning": WildCard("C*")}, "1 2 4"),
        # all of them in one item
        ({"code_value": SingleValue("C1"), "coding_scheme_designator": SingleValue("LOCAL")}, "1 2"),
        ({"code_value": SingleValue("C1"), "coding_scheme_designator": SingleValue("99X")}, ""),
        ({"code_meaning": SingleValue("C1"), "coding_scheme_designator": SingleValue("99X")}, ""),
        # what an item does not have matches nothing
        ({"coding_scheme_designator": WildCard("?*")}, "1 2 4"),
        ({"coding_scheme_version": WildCard("*?")}, ""),
    ],
)
def test_an_item_that_matches_all_is_enough(
    filled: Any, conditions: dict[str, Matching], expected: str
) -> None:
    assert uids(filled, Level.STUDY, Condition(CODES, item(**conditions))) == expected.split()
    of_series = Condition("request_attributes_sequence", item(**conditions))
    assert uids(filled, Level.SERIES, of_series) == expected.split()


@pytest.mark.parametrize("level", Level)
def test_the_studys_sequence_is_asked_about_at_every_level(filled: Any, level: Level) -> None:
    asked = Condition(CODES, item(code_value=SingleValue("C2")))
    if level is Level.PATIENT:
        filled.tamper("UPDATE study SET patient_id = study_instance_uid")
    assert uids(filled, level, asked) == ["2"]


def test_with_conditions_of_other_attributes_both_must_hold(filled: Any) -> None:
    """By whichever the search goes."""
    asked = Condition(CODES, item(code_value=SingleValue("C1")))
    of_series = Condition("request_attributes_sequence", item(code_value=SingleValue("C2")))
    assert uids(filled, Level.STUDY, asked, Condition("study_instance_uid", UIDList(("2", "3")))) == ["2"]
    assert uids(filled, Level.IMAGE, of_series, Condition("study_instance_uid", SingleValue("2"))) == ["2"]
    assert uids(filled, Level.IMAGE, of_series, asked) == ["2"]


def given(engine: Any, level: Level, *conditions: Condition, uid: str) -> Any:
    """The procedure codes that are given for a study, as values and not as text."""
    matches = find(engine, level, *conditions, wanted=(CODES, "study_instance_uid", "patient_name"))
    (text,) = [match[CODES] for match in matches if match["study_instance_uid"] == uid]
    return text and json.loads(text)


@pytest.mark.parametrize("level", [Level.STUDY, Level.SERIES, Level.IMAGE])
def test_a_match_has_the_items_that_match(filled: Any, level: Level) -> None:
    for conditions, expected in (
        ([Condition(CODES, item(code_value=SingleValue("C2")))], [HEAD]),
        ([Condition(CODES, item(code_value=WildCard("C?")))], [ABDOMEN, HEAD]),
        (
            [
                Condition("study_instance_uid", SingleValue("2")),
                Condition(CODES, item(code_value=SingleValue("C1"), code_meaning=WildCard("CT*"))),
            ],
            [ABDOMEN],
        ),
    ):
        assert given(filled, level, *conditions, uid="2") == expected


def test_without_a_condition_all_items_are_given(filled: Any) -> None:
    for uid, items in PROCEDURES.items():
        assert given(filled, Level.STUDY, uid=uid) == items


def test_many_pages_are_asked_the_same(engine: Any, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The items' conditions come before what goes on behind the last page."""
    monkeypatch.setattr("sdcc.index.finding.FIRST_PAGE", 2)
    monkeypatch.setattr("sdcc.index.finding.PAGE", 3)
    names = [f"{number:02}" for number in range(11)]
    text = json.dumps([ABDOMEN, HEAD])
    engine.register(
        *(make(name, study_instance_uid=name, procedure_code_sequence=text, patient_id="P") for name in names)
    )
    asked = Condition(CODES, item(code_value=SingleValue("C2")))
    for others in ([], [Condition("patient_id", WildCard("P*"))]):
        matches = find(engine, Level.STUDY, asked, *others, wanted=("study_instance_uid", CODES))
        assert sorted(match["study_instance_uid"] for match in matches) == names
        assert all(json.loads(match[CODES]) == [HEAD] for match in matches)


@pytest.mark.parametrize(
    ("field", "matching"),
    [
        (CODES, SingleValue("C1")),
        (CODES, item(code_value=PersonName(("C1",)))),
        (CODES, item(code_value=DateRange(None, None))),
        (CODES, item(code_value=item(code_value=SingleValue("C1")))),
        ("study_id", item(code_value=SingleValue("C1"))),
        ("study_date", item(code_value=SingleValue("C1"))),
    ],
)
def test_what_is_no_sequence_is_not_matched_as_one(filled: Any, field: str, matching: Matching) -> None:
    with pytest.raises(TypeError):
        uids(filled, Level.STUDY, Condition(field, matching))


@pytest.mark.parametrize("field", ["x'", "x') --", "a b", "a.b", ""])
def test_a_name_of_an_items_attribute_is_no_sql(filled: Any, field: str) -> None:
    with pytest.raises(ValueError, match="no attribute of an item"):
        uids(filled, Level.STUDY, Condition(CODES, item(**{field: SingleValue("C1")})))


@pytest.mark.parametrize("text", ["", "C1", "[", '[{"code_value": "C1"}'])
def test_what_is_no_json_is_not_registered(engine: Any, make: Make, text: str) -> None:
    """A query over every study would fail at it."""
    for values in ({CODES: text}, {"request_attributes_sequence": text}):
        (outcome,) = engine.register(make(**values))
        assert isinstance(outcome, Unstorable)
