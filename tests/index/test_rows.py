"""The columns are the fields, and rows go there and back."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable

import pytest

from sdcc.index.rows import INSTANCE, LEVELS, SERIES, STUDY, gather, registrations, stored_object
from sdcc.interfaces import Instance, Provenance, Registered, Series, StoredFile, StoredObject, Study

Make = Callable[..., StoredObject]


def names(record: type) -> list[str]:
    return [field.name for field in dataclasses.fields(record)]


def test_columns_are_the_fields_of_the_dataclasses() -> None:
    assert [*STUDY.names[: STUDY.fields]] == names(Study)
    assert [*SERIES.names[: SERIES.fields]] == names(Series)
    assert [*INSTANCE.names] == [
        *names(Instance),
        *(name for name in names(StoredFile) if name != "provenance"),
        *names(Provenance),
        "fault",
    ]


def test_no_two_levels_share_a_column() -> None:
    every = [name for level in LEVELS for name in level.names]
    assert len(set(every)) == len(every)


@pytest.mark.parametrize(
    ("name", "kind", "required"),
    [
        ("study_instance_uid", str, True),
        ("patient_name", str, False),
        ("study_date", datetime.date, False),
        ("study_time", datetime.time, False),
        ("series_number", int, False),
        ("size", int, True),
        ("received_at", datetime.datetime, True),
        ("calling_ae", str, True),
        ("fault", str, False),
    ],
)
def test_columns_know_their_type_and_whether_they_may_be_null(name: str, kind: type, required: bool) -> None:
    (column,) = [column for level in LEVELS for column in level.columns if column.name == name]
    assert (column.type, column.required) == (kind, required)


def test_an_object_comes_back_from_its_rows(make: Make) -> None:
    stored = make(patient_name="Yamada^Tarou", study_time=datetime.time(1, 2, 3), rows=512, fault="odd")
    values = {
        name: value for level in LEVELS for name, value in zip(level.names, level.row(stored), strict=True)
    }
    assert stored_object(values) == stored


def test_a_group_has_each_study_and_series_once(make: Make) -> None:
    gathered = gather(
        [
            make("1", series_instance_uid="1.2.1"),
            make("2", series_instance_uid="1.2.2"),
            make("3", series_instance_uid="1.2.1"),
            make("4", series_instance_uid="1.2.1", study_instance_uid="1.3"),
        ]
    )
    assert [row[0] for row in gathered.studies] == ["1.2", "1.3"]
    assert [row[:2] for row in gathered.series] == [("1.2", "1.2.1"), ("1.2", "1.2.2"), ("1.3", "1.2.1")]
    assert [row[:3] for row in gathered.instances] == [
        ("1.2", "1.2.1", "1"),
        ("1.2", "1.2.2", "2"),
        ("1.2", "1.2.1", "3"),
        ("1.3", "1.2.1", "4"),
    ]


def test_within_a_group_the_newest_value_wins_where_there_is_one(make: Make) -> None:
    (study,) = gather(
        [
            make("1", patient_id="A", study_id="7"),
            make("2", patient_id="B", study_id=None, patient_sex="F"),
        ]
    ).studies
    values = dict(zip(STUDY.names, study, strict=True))
    assert (values["patient_id"], values["study_id"], values["patient_sex"]) == ("B", "7", "F")


def test_of_one_uid_in_a_group_only_the_last_has_rows(make: Make) -> None:
    """Even where it is the very same object; and its study's values are then the newest."""
    first, second = make("1", study_instance_uid="1.3"), make("2", patient_id="B")
    last = make("1", patient_id="A")
    gathered = gather([first, last, second, last])
    assert [row[0] for row in gathered.studies] == ["1.2"]
    assert [row[2] for row in gathered.instances] == ["2", "1"]
    assert dict(zip(STUDY.names, gathered.studies[0], strict=True))["patient_id"] == "A"


def test_each_is_answered_with_the_path_that_it_replaced(make: Make) -> None:
    group = [make("1", path="b"), make("2", path="x"), make("1", path="c"), make("1", path="c")]
    assert registrations(group, {"1": "a"}) == [
        Registered("a"),
        Registered(None),
        Registered("b"),
        Registered(None),
    ]
