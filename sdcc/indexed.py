"""The attributes of a Data Set that the index holds: one table.

The archive reads them out of what is received, and a query may ask for each of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from sdcc.interfaces import Instance, Series, Study


class Attribute(NamedTuple):
    """Where an attribute goes, and its VR."""

    level: type[Study | Series | Instance]
    field: str
    vr: str


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
        0x00081032: Attribute(Study, "procedure_code_sequence", "SQ"),
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
        0x00400275: Attribute(Series, "request_attributes_sequence", "SQ"),
    }
)


class ItemAttribute(NamedTuple):
    """An attribute of a sequence's items: its name in an item, and its VR, one of text."""

    name: str
    vr: str


#: By the tag of each sequence of :data:`ATTRIBUTES`, what the index holds of its items, by tag.
ITEM_ATTRIBUTES: Mapping[int, Mapping[int, ItemAttribute]] = MappingProxyType(
    {
        0x00081032: MappingProxyType(
            {
                0x00080100: ItemAttribute("code_value", "SH"),
                0x00080102: ItemAttribute("coding_scheme_designator", "SH"),
                0x00080103: ItemAttribute("coding_scheme_version", "SH"),
                0x00080104: ItemAttribute("code_meaning", "LO"),
            }
        ),
        0x00400275: MappingProxyType(
            {
                0x00080050: ItemAttribute("accession_number", "SH"),
                0x00321060: ItemAttribute("requested_procedure_description", "LO"),
                0x00400007: ItemAttribute("scheduled_procedure_step_description", "LO"),
                0x00400009: ItemAttribute("scheduled_procedure_step_id", "SH"),
                0x00401001: ItemAttribute("requested_procedure_id", "SH"),
            }
        ),
    }
)
