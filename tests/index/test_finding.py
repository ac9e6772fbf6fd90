"""What a query finds, and how it comes: page by page, alike on both databases."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest

from sdcc.index import approaches, finding
from sdcc.index.rows import LEVELS, stored_object
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

from .asking import find, uids

Make = Callable[..., StoredObject]


# --- levels ----------------------------------------------------------------------------------------


@pytest.fixture
def filled(engine: Any, make: Make) -> Any:
    """Two patients of one ID, one without any; three studies, four series, six objects."""

    def described(uid: str, series: str, study: str, **values: Any) -> StoredObject:
        return make(uid, series_instance_uid=series, study_instance_uid=study, **values)

    engine.register(
        described("1", "1.1", "1", patient_id="P", patient_name="A^B", modality="CT", instance_number=1),
        described("2", "1.1", "1", patient_id="P", modality="CT", instance_number=2),
        described("3", "1.2", "1", patient_id="P", modality="SR", sop_class_uid="1.9"),
    )
    engine.register(described("4", "2.1", "2", patient_id="P", patient_name="B^C", modality="MR"))
    engine.register(
        described("5", "3.1", "3", patient_id="P", issuer_of_patient_id="I", patient_name="Else"),
        described("6", "4.1", "4", patient_name="Nobody", modality="CT"),
    )
    return engine


def test_no_condition_finds_everything(filled: Any) -> None:
    assert uids(filled, Level.STUDY) == ["1", "2", "3", "4"]
    assert uids(filled, Level.SERIES) == ["1.1", "1.2", "2.1", "3.1", "4.1"]
    assert uids(filled, Level.IMAGE) == ["1", "2", "3", "4", "5", "6"]


def test_a_patient_is_an_id_and_its_issuer_as_the_study_that_came_last_has_them(filled: Any) -> None:
    """No study without a Patient ID is a patient's."""
    wanted = ("patient_id", "issuer_of_patient_id", "patient_name", "number_of_patient_related_studies")
    found = find(filled, Level.PATIENT, wanted=wanted)
    assert {tuple(match[name] for name in wanted) for match in found} == {
        ("P", None, "B^C", 2),
        ("P", "I", "Else", 1),
    }
    assert len(found) == 2


def test_a_patient_is_found_by_what_any_of_the_studies_said(filled: Any) -> None:
    """Once, and as the last of those studies has it: a name that was changed, or left out, hides nobody."""
    wanted = ("patient_id", "patient_name", "number_of_patient_related_studies")
    for pattern, name in {"A^B": "A^B", "*^*": "B^C", "B^C": "B^C"}.items():
        found = find(filled, Level.PATIENT, Condition("patient_name", PersonName((pattern,))), wanted=wanted)
        assert [match for match in found if match["patient_name"] != "Else"] == [
            {"patient_id": "P", "patient_name": name, "number_of_patient_related_studies": 2}
        ]


def test_a_patient_whose_next_study_comes_meanwhile_is_found_once(
    engine: Any, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither again by the new study, nor not at all because that one stands where the search has been."""
    monkeypatch.setattr(finding, "FIRST_PAGE", 1)
    monkeypatch.setattr(finding, "PAGE", 1)

    def visit(uid: str, patient: str, name: str) -> StoredObject:
        return make(
            uid, study_instance_uid=uid, series_instance_uid=uid, patient_id=patient, patient_name=name
        )

    engine.register(visit("1", "P", "M^B"), visit("2", "Q", "M^C"))
    query = Query(
        level=Level.PATIENT,
        conditions=(Condition("patient_name", PersonName(("M^*",))),),
        wanted=frozenset(["patient_id"]),
    )

    async def take() -> list[Any]:
        found = []
        async for match in engine.index.find(query):
            if not found:
                await engine.index.register(visit("3", "P", "M^Z"))
                await engine.index.register(visit("4", "Q", "M^A"))
            found += [match["patient_id"]] if match else []
        return found

    assert engine.run(take()) == ["P", "Q"]


def test_what_comes_in_the_place_of_a_row_that_was_found_is_no_match(
    engine: Any, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else's objects, though SQLite gives their series the key of one that has gone meanwhile."""
    monkeypatch.setattr(finding, "PAGE", 2)

    def of(patient: str, uid: str, **values: Any) -> StoredObject:
        described = {"study_instance_uid": f"9.{patient}", "series_instance_uid": uid, "patient_id": patient}
        return make(uid, **described | values)

    engine.register(of("Q", "0"), of("P", "1"), of("P", "1.1", series_instance_uid="1"), of("P", "2"))
    query = Query(
        level=Level.IMAGE,
        conditions=(Condition("patient_id", SingleValue("P")),),
        wanted=frozenset(["patient_id", "sop_instance_uid"]),
    )

    async def take() -> list[Any]:
        found = []
        async for match in engine.index.find(query):
            if not found:
                await engine.index.register(of("Q", "2", series_instance_uid="0", path="another.dcm"))
                await engine.index.register(of("Q", "3"))
            found += [(match["patient_id"], match["sop_instance_uid"])] if match else []
        return found

    assert engine.run(take()) == [("P", "1"), ("P", "1.1")]


def test_a_search_without_matches_gives_a_turn_to_who_may_end_it(
    engine: Any, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every statement; None is no match."""
    monkeypatch.setattr(finding, "PAGE", 1)
    engine.register(*(make(f"{number}", series_instance_uid=f"2.{number}") for number in range(5)))
    query = Query(level=Level.IMAGE, conditions=(Condition("instance_number", SingleValue(9)),))

    async def take() -> list[Any]:
        return [match async for match in engine.index.find(query)]

    turns = engine.run(take())
    assert len(turns) > 5
    assert set(turns) == {None}


@pytest.mark.parametrize(
    ("level", "conditions", "expected"),
    [
        (Level.SERIES, {"patient_id": SingleValue("P"), "modality": UIDList(("CT", "MR"))}, "1.1 2.1"),
        (Level.SERIES, {"patient_name": PersonName(("a*",)), "modality": WildCard("?R")}, "1.2"),
        (Level.IMAGE, {"modality": SingleValue("CT")}, "1 2 6"),
        (Level.IMAGE, {"patient_id": SingleValue("P"), "instance_number": SingleValue(2)}, "2"),
        (
            Level.IMAGE,
            {"study_instance_uid": SingleValue("1"), "series_instance_uid": UIDList(("1.1", "2.1"))},
            "1 2",
        ),
        (Level.IMAGE, {"study_instance_uid": UIDList(("2", "3", "2"))}, "4 5"),
        (Level.IMAGE, {"sop_instance_uid": UIDList(("6", "1", "7")), "patient_id": SingleValue("P")}, "1"),
        (Level.STUDY, {"modalities_in_study": SingleValue("CT")}, "1 4"),
        (Level.STUDY, {"modalities_in_study": UIDList(("MR", "SR"))}, "1 2"),
        (Level.STUDY, {"modalities_in_study": WildCard("?T"), "patient_id": SingleValue("P")}, "1"),
        (Level.STUDY, {"sop_classes_in_study": UIDList(("1.9", "1.8"))}, "1"),
        (Level.SERIES, {"modalities_in_study": SingleValue("SR")}, "1.1 1.2"),
        (Level.STUDY, {"number_of_study_related_series": SingleValue(2)}, "1"),
        (Level.PATIENT, {"number_of_patient_related_instances": SingleValue(4)}, "P"),
    ],
)
def test_conditions_of_every_level_hold_together(
    filled: Any, level: Level, conditions: dict[str, Matching], expected: str
) -> None:
    asked = [Condition(field, matching) for field, matching in conditions.items()]
    assert uids(filled, level, *asked) == expected.split()


def test_what_is_reckoned_is_given_at_its_level_and_below(filled: Any) -> None:
    (image,) = find(
        filled, Level.IMAGE, Condition("sop_instance_uid", SingleValue("1")), wanted=tuple(DERIVED)
    )
    assert image == {
        "number_of_patient_related_studies": 2,
        "number_of_patient_related_series": 3,
        "number_of_patient_related_instances": 4,
        "modalities_in_study": "CT\\SR",
        "sop_classes_in_study": "1.2.840.10008.5.1.4.1.1.2\\1.9",
        "number_of_study_related_series": 2,
        "number_of_study_related_instances": 3,
        "number_of_series_related_instances": 2,
    }
    wanted = ("modalities_in_study", "number_of_patient_related_studies")
    (without,) = find(filled, Level.STUDY, Condition("study_instance_uid", SingleValue("3")), wanted=wanted)
    assert without == {"modalities_in_study": None, "number_of_patient_related_studies": 1}
    (nobody,) = find(filled, Level.STUDY, Condition("study_instance_uid", SingleValue("4")), wanted=wanted)
    assert nobody == {"modalities_in_study": "CT", "number_of_patient_related_studies": None}


def test_values_come_in_the_types_of_the_fields(engine: Any, make: Make) -> None:
    stored = make(
        "1",
        study_date=datetime.date(2024, 5, 1),
        study_time=datetime.time(9, 30, 0, 5),
        patient_name="Yamada^Tarou=山田^太郎",
        series_number=-3,
    )
    engine.register(stored)
    names = tuple(name for level in LEVELS for name in level.names[: level.fields])
    (match,) = find(engine, Level.IMAGE, wanted=names)
    assert stored_object(match) == stored


@pytest.mark.parametrize(
    "query",
    [
        Query(level=Level.STUDY, wanted=frozenset(["modality"])),
        Query(level=Level.STUDY, conditions=(Condition("modality", SingleValue("CT")),)),
        Query(level=Level.PATIENT, conditions=(Condition("no_such_field", SingleValue("CT")),)),
        Query(level=Level.SERIES, wanted=frozenset(["number_of_frames"])),
    ],
)
def test_what_is_below_the_level_is_refused(engine: Any, query: Query) -> None:
    with pytest.raises(ValueError, match=f"is no attribute of level {query.level} or of one above"):
        engine.run(engine.index.find(query).__anext__())


@pytest.mark.parametrize(
    "asked",
    [
        Condition("study_date", WildCard("2024*")),
        Condition("study_time", SingleValue("0930")),
        Condition("instance_number", UIDList(("1",))),
        Condition("study_description", PersonName(("A",))),
        Condition("received_at", SingleValue(datetime.date(2024, 5, 1))),
        Condition("patient_id", TimeRange(datetime.time(9), None)),
        DateTimeCondition(date_field="study_date", time_field="series_time", first=None, last=None),
    ],
    ids=str,
)
def test_what_an_attribute_cannot_be_matched_with_is_a_fault_of_the_program(engine: Any, asked: Any) -> None:
    with pytest.raises(TypeError):
        engine.run(engine.index.find(Query(level=Level.IMAGE, conditions=(asked,))).__anext__())


def test_holdings_are_counted_by_class_and_transfer_syntax(engine: Any, make: Make) -> None:
    engine.register(
        make("1"), make("2"), make("3", transfer_syntax_uid="1.2.4"), make("4", study_instance_uid="9")
    )
    query = Query(level=Level.IMAGE, conditions=(Condition("study_instance_uid", SingleValue("1.2")),))
    found = engine.run(engine.index.holdings(query))
    ct = "1.2.840.10008.5.1.4.1.1.2"
    assert sorted(found, key=lambda holding: holding.count) == [
        Holding(sop_class_uid=ct, transfer_syntax_uid="1.2.4", count=1),
        Holding(sop_class_uid=ct, transfer_syntax_uid="1.2.840.10008.1.2.1", count=2),
    ]


# --- many ------------------------------------------------------------------------------------------


@pytest.fixture
def many(engine: Any, make: Make, monkeypatch: pytest.MonkeyPatch) -> Any:
    """24 studies of 2 days with 1 series each, but one of 3, of 1 object each, but one of 10; pages of 4."""
    monkeypatch.setattr(finding, "PAGE", 4)
    monkeypatch.setattr(finding, "FIRST_PAGE", 2)
    monkeypatch.setattr(approaches, "LOOKED_UP", 3)
    names = "Yamada^A=山田", "Yamada^B=Yamada", "Else=yamada", "X==YAMADA"
    objects = []
    for number in range(24):
        study = f"1.{number:02}"
        for series in range(3 if number == 5 else 1):
            for instance in range(10 if number == 7 else 1):
                objects.append(
                    make(
                        f"{study}.{series}.{instance}",
                        study_instance_uid=study,
                        series_instance_uid=f"{study}.{series}",
                        patient_id=f"P{number % 3}",
                        patient_name=names[number % 4],
                        accession_number=f"A{number:02}",
                        study_date=datetime.date(2024, 5, 1 + number % 2),
                        study_time=datetime.time(number),
                    )
                )
    engine.register(*objects)
    return engine


EVERY_STUDY = {f"1.{number:02}" for number in range(24)}


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ((), EVERY_STUDY),
        ((Condition("patient_name", PersonName(("yamada*",))),), EVERY_STUDY),
        ((Condition("patient_name", PersonName(("yam?da*",))),), EVERY_STUDY),
        ((Condition("patient_name", PersonName(("*ada*",))),), EVERY_STUDY),
        ((Condition("patient_id", WildCard("P*")),), EVERY_STUDY),
        ((Condition("accession_number", WildCard("A*")),), EVERY_STUDY),
        ((Condition("study_date", DateRange(datetime.date(2024, 5, 1), None)),), EVERY_STUDY),
        ((Condition("study_date", DateRange(None, datetime.date(2024, 5, 2))),), EVERY_STUDY),
        ((Condition("study_date", SingleValue(datetime.date(2024, 5, 2))),), set(sorted(EVERY_STUDY)[1::2])),
        ((Condition("patient_id", SingleValue("P1")),), set(sorted(EVERY_STUDY)[1::3])),
        ((Condition("study_instance_uid", UIDList(tuple(sorted(EVERY_STUDY)))),), EVERY_STUDY),
        (
            (
                DateTimeCondition(
                    date_field="study_date",
                    time_field="study_time",
                    first=datetime.datetime(2024, 5, 1, 2),
                    last=datetime.datetime(2024, 5, 2, 23),
                ),
            ),
            EVERY_STUDY - {"1.00"},
        ),
    ],
)
def test_pages_hold_each_match_once(many: Any, conditions: tuple[Any, ...], expected: set[str]) -> None:
    """Whatever order they are walked in, and at every level."""
    assert uids(many, Level.STUDY, *conditions) == sorted(expected)
    assert len(uids(many, Level.SERIES, *conditions)) == len(expected) + 2 * ("1.05" in expected)
    assert (
        len(uids(many, Level.IMAGE, *conditions))
        == len(set(uids(many, Level.IMAGE, *conditions)))
        == len(expected) + 2 * ("1.05" in expected) + 9 * ("1.07" in expected)
    )


def test_no_page_is_larger_than_it_may_be(many: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many objects a series has."""
    sizes = []
    page = many.index._page

    async def counted(*arguments: Any) -> Any:
        rows = await page(*arguments)
        sizes.append(len(rows))
        return rows

    monkeypatch.setattr(many.index, "_page", counted)
    assert len(find(many, Level.IMAGE)) == 35
    assert max(sizes) == finding.PAGE


def test_rows_are_looked_up_below_as_many_as_a_page_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or below one, where it alone has more."""
    monkeypatch.setattr(finding, "PAGE", 4)
    rows = [(key, None, count) for key, count in enumerate([1, 2, 1, 0, 9, 4, 0, 3])]
    assert [*finding._portions(rows)] == [[0, 1, 2, 3], [4], [5, 6], [7]]


def test_the_first_matches_come_before_the_rest_is_read(many: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = []
    page = many.index._page

    async def counted(*arguments: Any) -> Any:
        pages.append(arguments)
        return await page(*arguments)

    monkeypatch.setattr(many.index, "_page", counted)
    matches = many.index.find(Query(level=Level.STUDY, wanted=frozenset(["patient_id"])))
    for _ in range(2):
        many.run(matches.__anext__())
    assert len(pages) == 1
    many.run(matches.aclose())


def test_who_takes_matches_slowly_keeps_nobody_waiting(many: Any) -> None:
    """No connection, of which there are few, and no transaction, which would keep SQLite's log growing."""
    query = Query(level=Level.IMAGE, wanted=frozenset(["patient_id"]))
    slow = [many.index.find(query) for _ in range(20)]
    for matches in slow:
        many.run(matches.__anext__())
    assert len(find(many, Level.IMAGE)) == 35
    if many.module.__name__ == "sdcc.index.sqlite":
        many.tamper("PRAGMA wal_checkpoint(TRUNCATE)")
        assert many.path.with_name(f"{many.path.name}-wal").stat().st_size == 0
    else:
        assert many.select(
            "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%%' AND datname = %s",
            [many.database],
        ) == [(0,)]
    for matches in slow:
        many.run(matches.aclose())


def test_objects_are_registered_while_matches_are_taken(many: Any, make: Make) -> None:
    """Nothing of what was there is lost or comes twice; what is new may come."""
    query = Query(level=Level.IMAGE, wanted=frozenset(["sop_instance_uid"]))

    async def take() -> list[Any]:
        found = []
        async for match in many.index.find(query):
            new = make(
                f"2.{len(found)}", study_instance_uid=f"1.{len(found) % 30:02}", series_instance_uid="2.1"
            )
            await many.index.register(new)
            if match is not None:
                found.append(match["sop_instance_uid"])
            if len(found) == 200:
                break
        return found

    found = many.run(take())
    assert len(set(found)) == len(found)
    assert {uid for uid in found if uid.startswith("1.")} == {
        f"1.{number:02}.{series}.{instance}"
        for number in range(24)
        for series in range(3 if number == 5 else 1)
        for instance in range(10 if number == 7 else 1)
    }


def test_a_series_uid_that_many_studies_have_is_found_in_each(many: Any, make: Make) -> None:
    many.register(
        *(make(f"3.{study}", study_instance_uid=study, series_instance_uid="3") for study in EVERY_STUDY)
    )
    asked = Condition("series_instance_uid", UIDList(("3", "1.05.1")))
    assert len(uids(many, Level.SERIES, asked)) == 25
    assert len(uids(many, Level.IMAGE, asked)) == 25
