"""The attributes that the index needs, read out of a Data Set.

One table says which. Pure functions of bytes, made for a worker thread. Only a UID that cannot be
had is an error: whatever else is wrong becomes a fault, in words that never hold a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from pydicom.datadict import keyword_for_tag
from twisted.logger import Logger

from sdcc import conformance
from sdcc.archive import elements
from sdcc.archive.text import Repertoire, repertoire
from sdcc.archive.values import READERS, Reader
from sdcc.interfaces import CannotUnderstand, Instance, Series, Study

_log = Logger()

#: Characters of a :attr:`ParsedDataSet.fault`.
LONGEST_FAULT = 500
#: Values that are remembered, as the next objects of a series hold most of them again, and bytes of one at
#: most: half a megabyte, whatever is sent.
REMEMBERED, LONGEST_REMEMBERED = 1024, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedDataSet:
    """What the index is told of a Data Set."""

    study: Study
    series: Series
    instance: Instance
    #: What could not be read, in words; None: everything could.
    fault: str | None


class Attribute(NamedTuple):
    """Where an attribute goes, and its VR."""

    level: type[Study | Series | Instance]
    field: str
    vr: str


SPECIFIC_CHARACTER_SET = 0x00080005

#: By tag, which includes every field of the three levels.
ATTRIBUTES: Mapping[int, Attribute] = MappingProxyType(
    {
        0x00080008: Attribute(Instance, "image_type", "CS"),
        0x00080016: Attribute(Instance, "sop_class_uid", "UI"),
        0x00080018: Attribute(Instance, "sop_instance_uid", "UI"),
        0x00080020: Attribute(Study, "study_date", "DA"),
        0x00080021: Attribute(Series, "series_date", "DA"),
        0x00080022: Attribute(Instance, "acquisition_date", "DA"),
        0x00080023: Attribute(Instance, "content_date", "DA"),
        0x00080030: Attribute(Study, "study_time", "TM"),
        0x00080031: Attribute(Series, "series_time", "TM"),
        0x00080032: Attribute(Instance, "acquisition_time", "TM"),
        0x00080033: Attribute(Instance, "content_time", "TM"),
        0x00080050: Attribute(Study, "accession_number", "SH"),
        0x00080060: Attribute(Series, "modality", "CS"),
        0x00080070: Attribute(Series, "manufacturer", "LO"),
        0x00080080: Attribute(Series, "institution_name", "LO"),
        0x00080090: Attribute(Study, "referring_physician_name", "PN"),
        0x00081010: Attribute(Series, "station_name", "SH"),
        0x00081030: Attribute(Study, "study_description", "LO"),
        0x0008103E: Attribute(Series, "series_description", "LO"),
        0x00081040: Attribute(Series, "institutional_department_name", "LO"),
        0x00081050: Attribute(Series, "performing_physician_name", "PN"),
        0x00081060: Attribute(Study, "name_of_physicians_reading_study", "PN"),
        0x00081070: Attribute(Series, "operators_name", "PN"),
        0x00081080: Attribute(Study, "admitting_diagnoses_description", "LO"),
        0x00081090: Attribute(Series, "manufacturer_model_name", "LO"),
        0x00100010: Attribute(Study, "patient_name", "PN"),
        0x00100020: Attribute(Study, "patient_id", "LO"),
        0x00100021: Attribute(Study, "issuer_of_patient_id", "LO"),
        0x00100030: Attribute(Study, "patient_birth_date", "DA"),
        0x00100032: Attribute(Study, "patient_birth_time", "TM"),
        0x00100040: Attribute(Study, "patient_sex", "CS"),
        0x00101000: Attribute(Study, "other_patient_ids", "LO"),
        0x00101010: Attribute(Study, "patient_age", "AS"),
        0x00101020: Attribute(Study, "patient_size", "DS"),
        0x00101030: Attribute(Study, "patient_weight", "DS"),
        0x00102160: Attribute(Study, "ethnic_group", "SH"),
        0x00102180: Attribute(Study, "occupation", "SH"),
        0x001021B0: Attribute(Study, "additional_patient_history", "LT"),
        0x00104000: Attribute(Study, "patient_comments", "LT"),
        0x00180015: Attribute(Series, "body_part_examined", "CS"),
        0x00181030: Attribute(Series, "protocol_name", "LO"),
        0x0020000D: Attribute(Study, "study_instance_uid", "UI"),
        0x0020000E: Attribute(Series, "series_instance_uid", "UI"),
        0x00200010: Attribute(Study, "study_id", "SH"),
        0x00200011: Attribute(Series, "series_number", "IS"),
        0x00200013: Attribute(Instance, "instance_number", "IS"),
        0x00200052: Attribute(Series, "frame_of_reference_uid", "UI"),
        0x00200060: Attribute(Series, "laterality", "CS"),
        0x00280002: Attribute(Instance, "samples_per_pixel", "US"),
        0x00280004: Attribute(Instance, "photometric_interpretation", "CS"),
        0x00280008: Attribute(Instance, "number_of_frames", "IS"),
        0x00280010: Attribute(Instance, "rows", "US"),
        0x00280011: Attribute(Instance, "columns", "US"),
        0x00280100: Attribute(Instance, "bits_allocated", "US"),
        0x00400244: Attribute(Series, "performed_procedure_step_start_date", "DA"),
        0x00400245: Attribute(Series, "performed_procedure_step_start_time", "TM"),
        0x00400253: Attribute(Series, "performed_procedure_step_id", "SH"),
    }
)
#: The attributes without which an object cannot be kept.
REQUIRED = (0x00080016, 0x00080018, 0x0020000D, 0x0020000E)

_WANTED = frozenset((SPECIFIC_CHARACTER_SET, *ATTRIBUTES))

#: Every other Transfer Syntax is Explicit VR Little Endian outside the Pixel Data.
_ENCODINGS = {
    conformance.IMPLICIT_VR_LITTLE_ENDIAN: elements.IMPLICIT_VR_LITTLE_ENDIAN,
    conformance.EXPLICIT_VR_BIG_ENDIAN: elements.EXPLICIT_VR_BIG_ENDIAN,
}


def parse(read: elements.Read, size: int, transfer_syntax_uid: str) -> ParsedDataSet:
    """Read the attributes of a Data Set of `size` bytes.

    :param read: gives the Data Set's bytes from an offset, fewer than asked for only at its end.
    :raises CannotUnderstand: one of :data:`REQUIRED` is missing, or not reached. The text is fit
        for an Error Comment.
    """
    encoding = _ENCODINGS.get(transfer_syntax_uid, elements.EXPLICIT_VR_LITTLE_ENDIAN)
    leading = elements.read_leading_elements(read, size, encoding, _WANTED, frozenset(REQUIRED))
    faults: dict[int, str] = {}
    character_set = leading.elements.pop(SPECIFIC_CHARACTER_SET, None)
    characters = repertoire(character_set.value if character_set else b"")
    if characters.fault:
        faults[SPECIFIC_CHARACTER_SET] = characters.fault
    fields: dict[type, dict[str, Any]] = {Study: {}, Series: {}, Instance: {}}
    for tag, element in leading.elements.items():
        level, field, vr = ATTRIBUTES[tag]
        value, fault = _read(vr, element, characters, encoding)
        if value is not None:
            fields[level][field] = value
        if fault:
            faults[tag] = fault
    for tag in REQUIRED:
        level, field, _ = ATTRIBUTES[tag]
        if field not in fields[level]:
            raise CannotUnderstand(_why_missing(tag, faults.get(tag), leading.broken))
    return ParsedDataSet(
        study=Study(**fields[Study]),
        series=Series(**fields[Series]),
        instance=Instance(**fields[Instance]),
        fault=_in_words(faults, leading),
    )


def _read(
    vr: str, element: elements.Element, characters: Repertoire, encoding: elements.Encoding
) -> tuple[Any, str | None]:
    """A value, or None, and what was wrong."""
    read = _remembered if len(element.value) <= LONGEST_REMEMBERED else _afresh
    try:
        return read(READERS[vr], element, characters, encoding)
    except Exception:  # The boundary: no fault of the program loses an object whose UIDs are known.
        _log.failure("A value of VR {vr} could not be read", vr=vr)
        return None, "could not be read"


def _afresh(
    read: Reader, element: elements.Element, characters: Repertoire, encoding: elements.Encoding
) -> tuple[Any, str | None]:
    return read(element, characters, encoding)


_remembered = lru_cache(maxsize=REMEMBERED)(_afresh)


def _name(tag: int) -> str:
    return f"{keyword_for_tag(tag)} ({tag >> 16:04X},{tag & 0xFFFF:04X})".lstrip()


def _why_missing(tag: int, fault: str | None, broken: tuple[str, int] | None) -> str:
    if fault:
        return f"{_name(tag)}: {fault}"
    if broken:
        reason, at = broken
        return f"({at >> 16:04X},{at & 0xFFFF:04X}) {reason}, no {keyword_for_tag(tag)}"
    return f"no {_name(tag)} in the Data Set"


def _in_words(faults: Mapping[int, str], leading: elements.LeadingElements) -> str | None:
    every = [*faults.items(), *((tag, fault) for fault, tag in leading.faults.items())]
    if leading.broken:
        fault, tag = leading.broken
        every.insert(0, (tag, fault))
    words = "; ".join([f"{_name(tag)}: {fault}" for tag, fault in dict.fromkeys(every)])
    if len(words) > LONGEST_FAULT:
        words = words[: LONGEST_FAULT - 3] + "..."
    return words or None
