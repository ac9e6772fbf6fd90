"""What is known of an object, from its announcement to its rows: plain values."""

from __future__ import annotations

import datetime
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Who sent an object, and to whom; AE titles as an AE value can hold them (PS3.5 6.2)."""

    calling_ae: str
    called_ae: str
    #: The peer's IP address; empty where only the object's file is known.
    calling_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What a C-STORE-RQ and its Presentation Context say of the Data Set to come."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """The Study level, with the patient's attributes as this study gave them.

    Text is Unicode, several values are joined by a backslash; None: absent or empty. A sequence is the JSON
    text of an array of its items, each an object with the names of :data:`sdcc.indexed.ITEM_ATTRIBUTES`.
    The field names are the index's column names.
    """

    study_instance_uid: str
    patient_id: str | None = None
    issuer_of_patient_id: str | None = None
    patient_name: str | None = None
    patient_birth_date: datetime.date | None = None
    patient_sex: str | None = None
    study_id: str | None = None
    study_date: datetime.date | None = None
    study_time: datetime.time | None = None
    accession_number: str | None = None
    referring_physician_name: str | None = None
    study_description: str | None = None
    patient_birth_time: datetime.time | None = None
    other_patient_ids: str | None = None
    ethnic_group: str | None = None
    patient_age: str | None = None
    patient_size: str | None = None
    patient_weight: str | None = None
    occupation: str | None = None
    patient_comments: str | None = None
    additional_patient_history: str | None = None
    admitting_diagnoses_description: str | None = None
    name_of_physicians_reading_study: str | None = None
    procedure_code_sequence: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The Series level; a Series is known by its own UID within its Study's."""

    series_instance_uid: str
    modality: str | None = None
    series_number: int | None = None
    series_date: datetime.date | None = None
    series_time: datetime.time | None = None
    series_description: str | None = None
    body_part_examined: str | None = None
    laterality: str | None = None
    protocol_name: str | None = None
    manufacturer: str | None = None
    manufacturer_model_name: str | None = None
    station_name: str | None = None
    institution_name: str | None = None
    institutional_department_name: str | None = None
    performing_physician_name: str | None = None
    operators_name: str | None = None
    frame_of_reference_uid: str | None = None
    performed_procedure_step_start_date: datetime.date | None = None
    performed_procedure_step_start_time: datetime.time | None = None
    performed_procedure_step_id: str | None = None
    request_attributes_sequence: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """The attributes of one SOP Instance that its own Data Set gives."""

    sop_instance_uid: str
    sop_class_uid: str
    instance_number: int | None = None
    acquisition_date: datetime.date | None = None
    acquisition_time: datetime.time | None = None
    content_date: datetime.date | None = None
    content_time: datetime.time | None = None
    image_type: str | None = None
    number_of_frames: int | None = None
    samples_per_pixel: int | None = None
    photometric_interpretation: str | None = None
    rows: int | None = None
    columns: int | None = None
    bits_allocated: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """Where an object lies and how it came there."""

    #: Relative to the storage directory, with "/" between its parts.
    path: str
    #: Bytes of the file, and of the Data Set within it.
    size: int
    data_set_size: int
    #: SHA-256 of the Data Set, lower case hexadecimal.
    sha256: str
    transfer_syntax_uid: str
    #: When the last byte had come; aware, UTC.
    received_at: datetime.datetime
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """One durable object as the index registers it: a row of each level."""

    study: Study
    series: Series
    instance: Instance
    file: StoredFile
    #: What could not be read of the Data Set, in words; None: everything could.
    fault: str | None = None

    @property
    def kept(self) -> Kept:
        return Kept(
            path=self.file.path,
            sha256=self.file.sha256,
            sop_class_uid=self.instance.sop_class_uid,
            sop_instance_uid=self.instance.sop_instance_uid,
            transfer_syntax_uid=self.file.transfer_syntax_uid,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A registered object's file, and what its row says that proves it to be what was received."""

    #: :attr:`StoredFile.path`.
    path: str
    sha256: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


@dataclass(frozen=True, slots=True)
class Registered:
    """A committed registration."""

    #: The path of the file that this object took the place of, which no row names any more.
    replaced: str | None = None
