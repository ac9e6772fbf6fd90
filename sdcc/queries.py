"""What can be asked of the index: a query's level, its conditions, and what is wanted of each match.

The matching of PS3.4 C.2.2 as values, whatever the Identifier that they were read from and the
database that answers them. Nothing here performs I/O.
"""

from __future__ import annotations

import datetime
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias


class Level(enum.StrEnum):
    """The Query/Retrieve Levels (PS3.4 C.3), from the top down, as (0008,0052) has them."""

    PATIENT = "PATIENT"
    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"


# --- matching: how a value is compared ------------------------------------------------------
#
# Text is Unicode. Where an attribute has several values, one that matches is enough (C.2.2.2). An
# attribute without a value is matched by no condition. Universal Matching is no condition at all.


@dataclass(frozen=True, slots=True)
class SingleValue:
    """Single Value Matching (PS3.4 C.2.2.2.1): equal, case-sensitive."""

    value: str | int | datetime.date | datetime.time


@dataclass(frozen=True, slots=True)
class UIDList:
    """List of UID Matching (C.2.2.2.2); also of what is listed likewise, as Modalities in Study."""

    uids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WildCard:
    """Wild Card Matching (C.2.2.2.4): `*` is any sequence of characters, none included, `?` is any one."""

    pattern: str


@dataclass(frozen=True, slots=True)
class PersonName:
    """Person names, by component group and without regard to case (C.2.2.2.1, PS3.5 6.2.1).

    A pattern with one group matches in whichever group of the name it fits; with several, each that is
    not empty must match the group of its place. The groups' patterns are as :class:`WildCard`'s.
    """

    #: Alphabetic, ideographic, phonetic; one to three.
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DateRange:
    """Range Matching of dates (C.2.2.2.5), both ends included; None: open. Not both are None."""

    first: datetime.date | None
    last: datetime.date | None


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Range Matching of times of day (C.2.2.2.5.2), both ends included; None: open. Not both are None."""

    first: datetime.time | None
    last: datetime.time | None


@dataclass(frozen=True, slots=True)
class SequenceMatching:
    """Sequence Matching (C.2.2.2.6): an item that matches every condition is enough.

    A match has only those of the sequence's items that do. Fields are those of
    :data:`sdcc.indexed.ITEM_ATTRIBUTES`.
    """

    #: One at least.
    conditions: tuple[Condition, ...]


Matching: TypeAlias = SingleValue | UIDList | WildCard | PersonName | DateRange | TimeRange | SequenceMatching


@dataclass(frozen=True, slots=True)
class Condition:
    """An attribute, and how its value must match.

    :ivar field: of :class:`sdcc.interfaces.Study`, `Series`, `Instance`, or one of :data:`DERIVED`.
    """

    field: str
    matching: Matching


@dataclass(frozen=True, slots=True, kw_only=True)
class DateTimeCondition:
    """Combined date and time matching (C.2.2.2.5.3): the two attributes as one instant; None: open."""

    date_field: str
    time_field: str
    first: datetime.datetime | None
    last: datetime.datetime | None


#: What is reckoned from the levels below, by the level that it is an attribute of. The texts of several
#: values are joined by a backslash, as everywhere.
DERIVED: Mapping[str, Level] = {
    "number_of_patient_related_studies": Level.PATIENT,
    "number_of_patient_related_series": Level.PATIENT,
    "number_of_patient_related_instances": Level.PATIENT,
    "modalities_in_study": Level.STUDY,
    "sop_classes_in_study": Level.STUDY,
    "number_of_study_related_series": Level.STUDY,
    "number_of_study_related_instances": Level.STUDY,
    "number_of_series_related_instances": Level.SERIES,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question, hierarchical or relational: the index takes conditions of its level and of any above."""

    level: Level
    #: All of them must hold.
    conditions: tuple[Condition | DateTimeCondition, ...] = ()
    #: Names of fields of the level and those above, of DERIVED of the same, and at IMAGE level of
    #: :class:`sdcc.interfaces.StoredFile`. What is not wanted need not be reckoned.
    wanted: frozenset[str] = frozenset()


#: One match: a value for each field that was wanted; of a sequence its JSON text.
#:
#: At PATIENT level one a Patient ID and its issuer: of their studies that match, the attributes of the one
#: that came last are given. A study without a Patient ID, the level's unique key (C.6.1.1.2), is found at the
#: other levels alone.
Match: TypeAlias = Mapping[str, str | int | datetime.date | datetime.time | datetime.datetime | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Objects of one SOP Class and Transfer Syntax among those that match."""

    sop_class_uid: str
    transfer_syntax_uid: str
    count: int
