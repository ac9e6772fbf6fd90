"""The columns of the three levels, and the rows of objects that are registered together.

Here the dataclasses of :mod:`sdcc.interfaces` become rows, and rows become them again. Rows go to a
database as JSON; how it reads them, and how they come back, is for each database's module. Knows no database.
"""

from __future__ import annotations

import dataclasses
import datetime
import operator
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from sdcc.index.folding import FOLDED_NAMES, PATIENT_NAME_GROUPS, folded_names, folded_patient_name
from sdcc.interfaces import Instance, Provenance, Registered, Series, StoredFile, StoredObject, Study

Value = str | int | datetime.date | datetime.time | datetime.datetime | None
Row = tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column, named as the field that it holds, or as what it is reckoned from."""

    name: str
    #: str, int, datetime.date, datetime.time or datetime.datetime (aware, UTC).
    type: type
    #: May not be NULL.
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A table, less its keys. No two levels share a column's name."""

    table: str
    columns: tuple[Column, ...]
    names: tuple[str, ...]
    #: An object's values in the columns' order.
    row: Callable[[StoredObject], Row]
    #: How many of the columns hold fields; behind them is what is reckoned from these.
    fields: int


def _columns(record: type) -> Iterator[Column]:
    hints = typing.get_type_hints(record)
    for field in dataclasses.fields(record):
        hint = hints[field.name]
        alternatives = typing.get_args(hint) or (hint,)
        if alternatives[0] in typing.get_args(Value):
            yield Column(name=field.name, type=alternatives[0], required=types.NoneType not in alternatives)


def _level(
    table: str,
    parts: Mapping[str, type],
    *others: Column,
    reckoned: Sequence[str] = (),
    reckon: Callable[[StoredObject], Row] | None = None,
) -> Level:
    """
    :param parts: the parts of a :class:`StoredObject` that the level holds, by where they are in it.
    :param reckoned: the columns, of text, that `reckon` gives the values for.
    """
    columns = {
        f"{part}.{column.name}": column for part, record in parts.items() for column in _columns(record)
    }
    columns |= {column.name: column for column in others}
    every = *columns.values(), *(Column(name=name, type=str, required=False) for name in reckoned)
    fields: Callable[[StoredObject], Row] = attrgetter(*columns)
    return Level(
        table=table,
        columns=every,
        names=tuple(column.name for column in every),
        row=fields if reckon is None else lambda stored: (*fields(stored), *reckon(stored)),
        fields=len(columns),
    )


def _folded_of_study(stored: StoredObject) -> Row:
    study = stored.study
    return (
        *folded_patient_name(study.patient_name),
        folded_names(study.referring_physician_name),
        folded_names(study.name_of_physicians_reading_study),
    )


def _folded_of_series(stored: StoredObject) -> Row:
    series = stored.series
    return folded_names(series.performing_physician_name), folded_names(series.operators_name)


_OF_STUDY, _OF_SERIES = tuple(FOLDED_NAMES.values())[:2], tuple(FOLDED_NAMES.values())[2:]

STUDY = _level(
    "study", {"study": Study}, reckoned=(*PATIENT_NAME_GROUPS, *_OF_STUDY), reckon=_folded_of_study
)
SERIES = _level("series", {"series": Series}, reckoned=_OF_SERIES, reckon=_folded_of_series)
INSTANCE = _level(
    "instance",
    {"instance": Instance, "file": StoredFile, "file.provenance": Provenance},
    Column(name="fault", type=str, required=False),
)
#: From the top down.
LEVELS = (STUDY, SERIES, INSTANCE)


def _reader(record: type) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """What takes a record's fields out of the values of all columns."""
    names = tuple(column.name for column in _columns(record))
    return lambda values: {name: values[name] for name in names}


_study, _series, _instance, _file, _provenance = map(
    _reader, (Study, Series, Instance, StoredFile, Provenance)
)


def stored_object(values: Mapping[str, Any]) -> StoredObject:
    """The object that the columns of all three levels that hold fields, by name, describe."""
    return StoredObject(
        study=Study(**_study(values)),
        series=Series(**_series(values)),
        instance=Instance(**_instance(values)),
        file=StoredFile(**_file(values), provenance=Provenance(**_provenance(values))),
        fault=values["fault"],
    )


# --- values as JSON ------------------------------------------------------------------------

#: What no database keeps in a text: NUL, and surrogates, which UTF-8 does not have.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def _text(value: str) -> str:
    return value if str.isprintable(value) else _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)


def utc_text(value: datetime.datetime) -> str:
    """An instant as text of one width, so that the order of texts is the order of time.

    :raises ValueError: it has no time zone.
    """
    if value.tzinfo is None:
        raise ValueError("a time of reception without its time zone cannot be stored")
    return value.astimezone(datetime.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


_ENCODERS: dict[type, Callable[[Any], str | int]] = {
    str: _text,
    int: operator.index,
    datetime.date: datetime.date.isoformat,
    datetime.time: datetime.time.isoformat,
    datetime.datetime: utc_text,
}


def encoder(columns: Sequence[Column]) -> Callable[[Row], list[str | int | None]]:
    """What makes JSON's values of a row's.

    It raises ValueError or TypeError at a value that is none of its column's.
    """
    encoders = [_ENCODERS[column.type] for column in columns]
    return lambda row: [
        None if value is None else encode(value) for encode, value in zip(encoders, row, strict=True)
    ]


# --- groups --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What one transaction writes for a group of objects: every row once, in order of arrival."""

    studies: Sequence[Row]
    #: Each behind its study's UID.
    series: Sequence[Row]
    #: Each behind its study's and its series' UID.
    instances: Sequence[Row]


def gather(group: Sequence[StoredObject]) -> Gathered:
    """The rows of a group; of several objects with one SOP Instance UID only the last has any."""
    last = {stored.instance.sop_instance_uid: place for place, stored in enumerate(group)}
    studies: dict[str, Row] = {}
    series: dict[tuple[str, str], Row] = {}
    instances: list[Row] = []
    for place, stored in enumerate(group):
        if last[stored.instance.sop_instance_uid] != place:
            continue
        key = stored.study.study_instance_uid, stored.series.series_instance_uid
        studies[key[0]] = _merged(studies.get(key[0]), STUDY.row(stored))
        series[key] = _merged(series.get(key), SERIES.row(stored))
        instances.append((*key, *INSTANCE.row(stored)))
    return Gathered(
        studies=list(studies.values()),
        series=[(study_instance_uid, *row) for (study_instance_uid, _), row in series.items()],
        instances=instances,
    )


def _merged(earlier: Row | None, newest: Row) -> Row:
    """The newest object's values, and the earlier ones where it holds none."""
    if earlier is None or earlier == newest:  # as most of a series are
        return newest
    return tuple(old if new is None else new for old, new in zip(earlier, newest, strict=True))


def registrations(group: Sequence[StoredObject], paths: Mapping[str, str]) -> list[Registered]:
    """How each of a committed group is answered.

    :param paths: SOP Instance UID to path, as the index had them before.
    """
    current = dict(paths)
    answers = []
    for stored in group:
        before = current.get(stored.instance.sop_instance_uid)
        current[stored.instance.sop_instance_uid] = stored.file.path
        answers.append(Registered(before if before != stored.file.path else None))
    return answers
