"""What a query matches, found by looking at every object: PS3.4 C.2.2.2 with neither a database nor SQL.

Slow and plain on purpose, and of its own: of the program's code it uses the values that it compares alone.
"""

from __future__ import annotations

import datetime
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from sdcc.interfaces import StoredObject
from sdcc.queries import (
    Condition,
    DateRange,
    DateTimeCondition,
    Level,
    Match,
    PersonName,
    Query,
    SingleValue,
    TimeRange,
    UIDList,
    WildCard,
)

#: The delimiter of a component that a name leaves out: there for a pattern that has one, and no character.
_LEFT_OUT = "\0"
NAMES = frozenset(
    (
        "patient_name",
        "referring_physician_name",
        "name_of_physicians_reading_study",
        "performing_physician_name",
        "operators_name",
    )
)
SEVERAL = frozenset(("image_type", "other_patient_ids", "admitting_diagnoses_description"))


def matches(query: Query, objects: Sequence[StoredObject]) -> list[Match]:
    """Each match once, with what is wanted; in no order. The objects are in the order in which they came.

    All objects of a study, and of a series, say the same of it.
    """
    found = []
    for of_one in _entities(query.level, objects):
        facts = _facts(of_one[-1], objects)
        if all(_holds(condition, facts) for condition in query.conditions):
            found.append((of_one, {name: facts[name] for name in query.wanted}))
    if query.level is not Level.PATIENT:
        return [match for _, match in found]
    return [
        [*of_patient][-1][1]
        for _, of_patient in groupby(
            sorted(found, key=lambda one: (repr(_patient(one[0][0])), objects.index(one[0][0]))),
            key=lambda one: _patient(one[0][0]),
        )
    ]


def _patient(stored: StoredObject) -> tuple[str | None, str | None]:
    return stored.study.patient_id, stored.study.issuer_of_patient_id


def _entities(level: Level, objects: Iterable[StoredObject]) -> Iterable[list[StoredObject]]:
    """The objects of each study, series or object; of a patient's studies those with a Patient ID."""
    groups: dict[Any, list[StoredObject]] = {}
    for stored in objects:
        study = stored.study.study_instance_uid
        if level is Level.PATIENT and stored.study.patient_id is None:
            continue
        series = study, stored.series.series_instance_uid
        key = {Level.SERIES: series, Level.IMAGE: stored.instance.sop_instance_uid}.get(level, study)
        groups.setdefault(key, []).append(stored)
    return groups.values()


def _facts(stored: StoredObject, objects: Iterable[StoredObject]) -> dict[str, Any]:
    """Every attribute that can be asked for, of an object and of what it is part of."""
    facts: dict[str, Any] = {}
    for part in (stored.study, stored.series, stored.instance, stored.file):
        facts |= {name: getattr(part, name) for name in part.__dataclass_fields__}
    of_study = [each for each in objects if each.study.study_instance_uid == stored.study.study_instance_uid]
    of_series = [
        each for each in of_study if each.series.series_instance_uid == stored.series.series_instance_uid
    ]
    of_patient = [each for each in objects if stored.study.patient_id and _patient(each) == _patient(stored)]

    def count(of: Iterable[StoredObject], *names: str) -> int | None:
        return len({tuple(_uid(each, name) for name in names) for each in of}) or None

    listed = {
        "modalities_in_study": {each.series.modality for each in of_study} - {None},
        "sop_classes_in_study": {each.instance.sop_class_uid for each in of_study},
    }
    return facts | {
        "number_of_patient_related_studies": count(of_patient, "study"),
        "number_of_patient_related_series": count(of_patient, "study", "series"),
        "number_of_patient_related_instances": count(of_patient, "sop"),
        "number_of_study_related_series": count(of_study, "series"),
        "number_of_study_related_instances": count(of_study, "sop"),
        "number_of_series_related_instances": count(of_series, "sop"),
        **{name: "\\".join(sorted(values)) or None for name, values in listed.items()},
        "each": listed,
    }


def _uid(stored: StoredObject, kind: str) -> str:
    return {
        "study": stored.study.study_instance_uid,
        "series": stored.series.series_instance_uid,
        "sop": stored.instance.sop_instance_uid,
    }[kind]


def _holds(condition: Condition | DateTimeCondition, facts: dict[str, Any]) -> bool:
    if isinstance(condition, DateTimeCondition):
        return _is_within(condition, facts[condition.date_field], facts[condition.time_field])
    value = facts[condition.field]
    if value is None:
        return False
    if condition.field in facts["each"]:
        return any(_is_like(condition.matching, each) for each in facts["each"][condition.field])
    if condition.field in SEVERAL or condition.field in NAMES - {"patient_name"}:
        return any(_is_like(condition.matching, part) for part in value.split("\\"))
    return _is_like(condition.matching, value)


def _is_within(condition: DateTimeCondition, date: datetime.date | None, time: datetime.time | None) -> bool:
    """Where the time is not known, the day must be none that an end is on."""
    if date is None:
        return False
    first, last = condition.first, condition.last
    if time is None:
        return (first is None or first.date() < date) and (last is None or date < last.date())
    instant = datetime.datetime.combine(date, time)
    return (first is None or first <= instant) and (last is None or instant <= last)


def _is_like(matching: Any, value: Any) -> bool:
    match matching:
        case SingleValue(asked):
            return bool(asked == value)
        case UIDList(uids):
            return value in uids
        case WildCard(pattern):
            return is_glob(pattern, value)
        case PersonName(groups):
            return _is_name(groups, value)
        case DateRange(first, last) | TimeRange(first, last):
            return (first is None or first <= value) and (last is None or value <= last)
    raise AssertionError(matching)


def is_glob(pattern: str, text: str) -> bool:
    """`*` is any characters, `?` any one: which places of the text each part of the pattern leads to."""
    places = {0}
    for sign in pattern:
        if sign == "*":
            places = set(range(min(places, default=len(text) + 1), len(text) + 1))
        else:
            places = {place + 1 for place in places if place < len(text) and _is_one(sign, text[place])}
    return len(text) in places


def _is_one(sign: str, character: str) -> bool:
    if character == _LEFT_OUT:
        return sign == "^"
    return sign in ("?", character)


def _fold(text: str) -> str:
    return "".join(
        folded if len(folded := character.casefold()) == 1 else character
        for character in unicodedata.normalize("NFC", text)
    )


def _is_name(groups: tuple[str, ...], value: str) -> bool:
    """Components left out at the end of a group are there, and empty, as often as a pattern wants them."""
    of_value = [group.rstrip("^ ") for group in _fold(value).split("=")] + [""] * 3
    asked = [_fold(group).rstrip("^ ") for group in groups]

    def fits(pattern: str, group: str) -> bool:
        return pattern == "" or any(is_glob(pattern, group + _LEFT_OUT * empty) for empty in range(6))

    if len(asked) == 1:
        return any(fits(asked[0], group) for group in of_value)
    return all(fits(pattern, group) for pattern, group in zip(asked, of_value, strict=False))
