"""The attributes that a query may ask for: every one that the index holds, and what it reckons from them.

PS3.4 C.6.1.1 and C.6.2.1, as a table by tag.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sdcc import conformance
from sdcc.data_set.text import SPECIFIC_CHARACTER_SET
from sdcc.indexed import ATTRIBUTES
from sdcc.interfaces import Instance, Series, Study
from sdcc.queries import Level

QUERY_RETRIEVE_LEVEL = 0x00080052
RETRIEVE_AE_TITLE = 0x00080054
INSTANCE_AVAILABILITY = 0x00080056
#: Query/Retrieve View and Timezone Offset From UTC: they say how to answer, which is not negotiated here.
_NO_KEYS = frozenset({SPECIFIC_CHARACTER_SET, QUERY_RETRIEVE_LEVEL, 0x00080053, 0x00080201})

#: Bytes of a Specific Character Set, thirty terms.
LONGEST_CHARACTER_SET = 512

#: The levels of each Information Model, from the top down. In the Study Root a patient's attributes are the
#: study's (PS3.4 C.6.2.1.2).
MODELS: Mapping[str, tuple[Level, ...]] = MappingProxyType(
    {
        conformance.PATIENT_ROOT_FIND: tuple(Level),
        conformance.PATIENT_ROOT_MOVE: tuple(Level),
        conformance.PATIENT_ROOT_GET: tuple(Level),
        conformance.STUDY_ROOT_FIND: tuple(Level)[1:],
        conformance.STUDY_ROOT_MOVE: tuple(Level)[1:],
        conformance.STUDY_ROOT_GET: tuple(Level)[1:],
    }
)

#: The Unique Key of each level.
UNIQUE_KEYS: Mapping[Level, int] = MappingProxyType(
    {
        Level.PATIENT: 0x00100020,
        Level.STUDY: 0x0020000D,
        Level.SERIES: 0x0020000E,
        Level.IMAGE: 0x00080018,
    }
)

#: Of :class:`sdcc.interfaces.Study`, which holds the patient's attributes as its study gave them.
_OF_PATIENTS = frozenset(
    {
        *("patient_id", "issuer_of_patient_id", "patient_name", "patient_birth_date", "patient_birth_time"),
        *("patient_sex", "other_patient_ids", "ethnic_group", "patient_comments"),
    }
)
_LEVELS = {Study: Level.STUDY, Series: Level.SERIES, Instance: Level.IMAGE}


@dataclass(frozen=True, slots=True)
class Key:
    """An attribute that queries may ask for."""

    level: Level
    #: As :class:`sdcc.queries.Query` has it.
    field: str
    vr: str
    #: Whether a value in the request is a condition; else the attribute is only returned.
    is_matched: bool = True


def _indexed() -> dict[int, Key]:
    return {
        tag: Key(Level.PATIENT if field in _OF_PATIENTS else _LEVELS[level], field, vr)
        for tag, (level, field, vr) in ATTRIBUTES.items()
    }


#: By tag.
KEYS: Mapping[int, Key] = MappingProxyType(
    {
        **_indexed(),
        0x00080061: Key(Level.STUDY, "modalities_in_study", "CS"),
        0x00080062: Key(Level.STUDY, "sop_classes_in_study", "UI"),
        0x00083002: Key(Level.IMAGE, "transfer_syntax_uid", "UI", is_matched=False),
        0x00201200: Key(Level.PATIENT, "number_of_patient_related_studies", "IS", is_matched=False),
        0x00201202: Key(Level.PATIENT, "number_of_patient_related_series", "IS", is_matched=False),
        0x00201204: Key(Level.PATIENT, "number_of_patient_related_instances", "IS", is_matched=False),
        0x00201206: Key(Level.STUDY, "number_of_study_related_series", "IS", is_matched=False),
        0x00201208: Key(Level.STUDY, "number_of_study_related_instances", "IS", is_matched=False),
        0x00201209: Key(Level.SERIES, "number_of_series_related_instances", "IS", is_matched=False),
    }
)


def is_key(tag: int) -> bool:
    """Neither private, nor a group length, nor of a group or place that no key has."""
    is_private, is_group_length = bool(tag >> 16 & 1), not tag & 0xFFFF
    return tag > SPECIFIC_CHARACTER_SET and not is_private and not is_group_length and tag not in _NO_KEYS
