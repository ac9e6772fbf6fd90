"""What registration must do on every database."""

from __future__ import annotations

import contextlib
import datetime
import random
import re
from collections.abc import Callable
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from sdcc.interfaces import IIndex, IndexFigures, OutOfResources, Registered, StoredObject, Unstorable

Make = Callable[..., StoredObject]
ODD_TEXT = "山田^太郎=やまだ^たろう \\ 'quoted' \"twice\" \N{REPLACEMENT CHARACTER}\t\x1b 😀"
STUDY_LEVEL = {
    "patient_id": "P1",
    "issuer_of_patient_id": "Clinic",
    "patient_name": ODD_TEXT,
    "patient_birth_date": datetime.date(1, 1, 1),
    "patient_sex": "O",
    "study_id": "S1",
    "study_date": datetime.date(2024, 2, 29),
    "study_time": datetime.time(23, 59, 59, 999999),
    "accession_number": "A1",
    "referring_physician_name": "Sato^Hanako",
    "study_description": "one\\two",
}
SERIES_LEVEL = {
    "modality": "CT",
    "series_number": -1,
    "series_date": datetime.date(9999, 12, 31),
    "series_time": datetime.time(0, 0),
    "series_description": "thorax",
    "body_part_examined": "CHEST",
    "laterality": "L",
    "protocol_name": "routine",
    "manufacturer": "Maker",
    "manufacturer_model_name": "Model",
    "station_name": "CT01",
    "institution_name": "Hospital",
    "institutional_department_name": "Radiology",
    "performing_physician_name": "A^B",
    "operators_name": "C^D",
    "frame_of_reference_uid": "1.9",
}
INSTANCE_LEVEL = {
    "instance_number": 2**63 - 1,
    "acquisition_date": datetime.date(2024, 5, 1),
    "acquisition_time": datetime.time(1, 2, 3),
    "content_date": datetime.date(2024, 5, 2),
    "content_time": datetime.time(1, 2, 3, 500000),
    "image_type": "ORIGINAL\\PRIMARY",
    "number_of_frames": 3,
    "samples_per_pixel": 1,
    "photometric_interpretation": "MONOCHROME2",
    "rows": 512,
    "columns": 256,
    "bits_allocated": 16,
    "fault": "patient_name: bytes that the character set does not define",
}


def test_it_provides_the_interface(engine: Any) -> None:
    assert verifyObject(IIndex, engine.index)


@pytest.mark.parametrize(
    "values",
    [{}, STUDY_LEVEL | SERIES_LEVEL | INSTANCE_LEVEL, {"path": "objects/\N{SNOWMAN}", "size": 2**40}],
    ids=["only what is required", "everything", "other"],
)
def test_what_was_registered_is_read_back_the_same(engine: Any, make: Make, values: dict[str, Any]) -> None:
    stored = make(**values)
    assert engine.run(engine.index.register(stored)) == Registered(None)
    assert engine.instances() == [stored]


def test_the_transactions_of_objects_are_counted(engine: Any, make: Make) -> None:
    assert engine.index.figures == IndexFigures({}, doubts=0)
    for uid in ("1", "2"):
        engine.run(engine.index.register(make(uid)))
    assert engine.index.figures == IndexFigures({1: 2}, doubts=0)


def test_a_time_of_reception_of_another_zone_is_kept_as_the_same_instant(engine: Any, make: Make) -> None:
    zone = datetime.timezone(datetime.timedelta(hours=9))
    received_at = datetime.datetime(2024, 5, 1, 1, 0, tzinfo=zone)
    engine.run(engine.index.register(make(received_at=received_at)))
    (stored,) = engine.instances()
    assert stored.file.received_at == received_at
    assert stored.file.received_at.utcoffset() == datetime.timedelta(0)


def test_a_study_and_a_series_are_rows_once(engine: Any, make: Make) -> None:
    engine.register(make("1"), make("2"))
    engine.register(make("3", series_instance_uid="1.2.2"))
    assert engine.select("SELECT study_instance_uid FROM study") == [("1.2",)]
    assert engine.select("SELECT series_instance_uid FROM series") == [("1.2.1",), ("1.2.2",)]


def test_one_series_uid_in_two_studies_is_two_series(engine: Any, make: Make) -> None:
    engine.register(make("1", modality="CT"), make("2", study_instance_uid="1.3", modality="MR"))
    assert [(s.study.study_instance_uid, s.series.modality) for s in engine.instances()] == [
        ("1.2", "CT"),
        ("1.3", "MR"),
    ]


@pytest.mark.parametrize("together", [False, True], ids=["one after the other", "in one group"])
@pytest.mark.parametrize(
    ("field", "earlier", "newest", "kept"),
    [
        ("patient_name", "Yamada^T", "Suzuki^I", "Suzuki^I"),
        ("patient_name", "YAMADA^T", "Yamada^T", "Yamada^T"),
        ("patient_name", "Yamada^T", None, "Yamada^T"),
        ("study_date", None, datetime.date(2024, 5, 1), datetime.date(2024, 5, 1)),
        ("series_number", 1, 2, 2),
        ("series_number", 1, None, 1),
        ("modality", None, "CT", "CT"),
    ],
)
def test_the_newest_value_of_a_level_wins_and_an_absent_one_keeps_the_earlier(
    engine: Any, make: Make, *, field: str, earlier: object, newest: object, kept: object, together: bool
) -> None:
    objects = make("1", **{field: earlier}), make("2", **{field: newest})
    for group in [objects] if together else [[each] for each in objects]:
        engine.register(*group)
    for stored in engine.instances():
        part = stored.study if hasattr(stored.study, field) else stored.series
        assert getattr(part, field) == kept


def test_the_same_uid_again_replaces_the_row_and_names_the_earlier_file(engine: Any, make: Make) -> None:
    newer = make(path="second", seconds=1, rows=None, calling_ae="CT02", sha256="ab" * 32)
    assert engine.register(make(path="first", rows=512)) == [Registered(None)]
    assert engine.register(newer) == [Registered("first")]
    assert engine.instances() == [newer]


def test_registering_the_same_file_again_replaces_nothing(engine: Any, make: Make) -> None:
    engine.register(make())
    assert engine.register(make()) == [Registered(None)]
    assert engine.instances() == [make()]


def test_of_one_uid_twice_in_a_group_the_later_wins_and_both_are_answered(engine: Any, make: Make) -> None:
    engine.register(make(path="a"))
    assert engine.register(make(path="b"), make("9"), make(path="c")) == [
        Registered("a"),
        Registered(None),
        Registered("b"),
    ]
    assert {stored.file.path for stored in engine.instances()} == {make("9").file.path, "c"}


def test_a_superseded_object_of_a_group_leaves_no_empty_levels(engine: Any, make: Make) -> None:
    engine.register(make(study_instance_uid="1.3", series_instance_uid="1.3.1"), make())
    assert engine.select("SELECT study_instance_uid FROM study") == [("1.2",)]
    assert engine.select("SELECT series_instance_uid FROM series") == [("1.2.1",)]


@pytest.mark.parametrize(
    ("others", "to", "series"),
    [
        ([], ("1.2", "1.2.2"), [("1.2", "1.2.2")]),
        ([], ("1.3", "1.3.1"), [("1.3", "1.3.1")]),
        ([], ("1.3", "1.2.1"), [("1.3", "1.2.1")]),
        ([("1.2", "1.2.1")], ("1.3", "1.3.1"), [("1.2", "1.2.1"), ("1.3", "1.3.1")]),
        ([("1.2", "1.2.9")], ("1.3", "1.3.1"), [("1.2", "1.2.9"), ("1.3", "1.3.1")]),
    ],
    ids=["other series", "other study", "same series UID", "series not emptied", "study not emptied"],
)
def test_an_object_that_moves_leaves_no_empty_levels_behind(
    engine: Any, make: Make, others: list[tuple[str, str]], to: tuple[str, str], series: list[tuple[str, str]]
) -> None:
    def placed(uid: str, place: tuple[str, str], path: str) -> StoredObject:
        return make(uid, study_instance_uid=place[0], series_instance_uid=place[1], path=path)

    engine.register(placed("1", ("1.2", "1.2.1"), "before"))
    engine.register(*(placed(f"9.{place}", other, "other") for place, other in enumerate(others)))
    assert engine.register(placed("1", to, "after")) == [Registered("before")]
    levels = "SELECT study_instance_uid, series_instance_uid FROM study JOIN series USING (study_key)"
    assert sorted(engine.select(levels)) == series
    assert engine.select("SELECT count(*) FROM study") == [(len({study for study, _ in series}),)]
    assert engine.select("SELECT count(*) FROM instance") == [(1 + len(others),)]


@pytest.mark.parametrize("seed", range(20))
def test_any_groups_in_any_order_leave_what_a_dictionary_would(
    new_engine: Callable[[], contextlib.AbstractContextManager[Any]], make: Make, seed: int
) -> None:
    chance = random.Random(seed)
    expected: dict[str, StoredObject] = {}
    with new_engine() as engine:
        for group_number in range(12):
            group, answers = [], []
            for number in range(chance.randint(1, 5)):
                stored = make(
                    chance.choice("12345"),
                    study_instance_uid=chance.choice("AB"),
                    series_instance_uid=chance.choice("XYZ"),
                    path=f"{group_number}/{number}",
                    seconds=100 * group_number + number,
                )
                before = expected.get(stored.instance.sop_instance_uid)
                expected[stored.instance.sop_instance_uid] = stored
                group.append(stored)
                answers.append(Registered(before.file.path if before else None))
            assert engine.register(*group) == answers
            in_order = sorted(expected.values(), key=lambda stored: stored.file.received_at)
            assert engine.instances() == in_order
            places = {(s.study.study_instance_uid, s.series.series_instance_uid) for s in in_order}
            assert engine.select("SELECT count(*) FROM series") == [(len(places),)]
            assert engine.select("SELECT count(*) FROM study") == [(len({study for study, _ in places}),)]


# --- objects that cannot be stored ----------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        {"series_number": 2**63},
        {"rows": -(2**70)},
        {"sha256": "ZZZ"},
        {"size": None},
        {"received_at": datetime.datetime(2024, 5, 1)},
        {"study_date": "20240501"},
        {"patient_name": 4711},
    ],
    ids=lambda values: next(iter(values)),
)
def test_a_row_that_cannot_be_stored_fails_alone_and_its_values_are_not_told(
    engine: Any, make: Make, values: dict[str, Any]
) -> None:
    good, bad, another = make("1"), make("2", **values), make("3", path="other", seconds=1)
    outcomes = engine.register(good, bad, another)
    assert [outcomes[0], outcomes[2]] == [Registered(None), Registered(None)]
    assert type(outcomes[1]) is Unstorable
    assert re.match("index: .", str(outcomes[1]))
    assert len(str(outcomes[1])) <= 64
    for value in values.values():
        assert str(value) not in str(outcomes[1])
    assert engine.instances() == [good, another]
    assert engine.index.refusal is None


@pytest.mark.parametrize("character", ["\0", "\ud800"])
def test_what_no_database_keeps_in_a_text_becomes_a_replacement_character(
    engine: Any, make: Make, character: str
) -> None:
    engine.register(
        make(patient_name=f"Yamada{character}Tarou", station_name=character, image_type="\U0001f600")
    )
    (stored,) = engine.instances()
    assert stored.study.patient_name == "Yamada\N{REPLACEMENT CHARACTER}Tarou"
    assert stored.series.station_name == "\N{REPLACEMENT CHARACTER}"
    assert stored.instance.image_type == "\U0001f600"


# --- reading ---------------------------------------------------------------------------------


def test_an_empty_index_has_no_instances(engine: Any) -> None:
    assert engine.instances() == []
    assert engine.instances("1.2", faulty=True) == []


@pytest.mark.parametrize("page", [1, 2, 3, 4, 1000])
@pytest.mark.parametrize(
    ("arguments", "keywords", "expected"),
    [
        ((), {}, "4123"),
        (("1.2",), {}, "412"),
        (("1.3",), {}, "3"),
        (("1.4",), {}, ""),
        ((), {"faulty": True}, "23"),
        (("1.2",), {"faulty": True}, "2"),
    ],
)
def test_instances_come_in_order_of_reception_whatever_the_page(
    engine: Any,
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
    *,
    page: int,
    arguments: tuple[str, ...],
    keywords: dict[str, bool],
    expected: str,
) -> None:
    """Of two received in one instant, the one registered first comes first."""
    monkeypatch.setattr(engine.module, "PAGE", page)
    engine.register(make("1", seconds=1))
    engine.register(
        make("3", seconds=3, study_instance_uid="1.3", fault="odd"),
        make("4", seconds=0),
        make("2", seconds=1, fault="odd"),
    )
    listed = engine.instances(*arguments, **keywords)
    assert "".join(stored.instance.sop_instance_uid for stored in listed) == expected


# --- the ends ----------------------------------------------------------------------------------


def test_stop_commits_what_waits(engine: Any, make: Make, promise: Any, pending: object) -> None:
    engine.hold()
    registered = [promise(engine.index.register(make(uid))) for uid in "123"]
    stopped = promise(engine.index.stop())
    assert stopped.outcome is pending
    engine.release()
    engine.wait(stopped)
    assert stopped.outcome is None
    assert [each.outcome for each in registered] == [Registered(None)] * 3
    assert engine.select("SELECT count(*) FROM instance") == [(3,)]


def test_after_stop_nothing_is_registered(engine: Any, make: Make) -> None:
    engine.run(engine.index.stop())
    assert engine.index.refusal == "index is stopped"
    with pytest.raises(OutOfResources, match=r"^index is stopped$"):
        engine.run(engine.index.register(make()))


def test_stop_may_come_twice(engine: Any, make: Make) -> None:
    engine.register(make())
    engine.run(engine.index.stop())
    engine.run(engine.index.stop())


def test_nothing_is_refused_while_it_works(engine: Any) -> None:
    assert engine.index.refusal is None


def test_another_index_on_the_database_sees_what_was_registered(engine: Any, make: Make) -> None:
    engine.register(make("1"))
    other = engine.another()
    assert engine.run(other.register(make("1", path="newer"))) == Registered(make("1").file.path)
    engine.run(other.stop())
    assert [stored.file.path for stored in engine.instances()] == ["newer"]
