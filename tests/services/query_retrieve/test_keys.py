"""The attributes that queries may ask for."""

from __future__ import annotations

import dataclasses

import pytest
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from sdcc import conformance
from sdcc.indexed import ITEM_ATTRIBUTES
from sdcc.interfaces import Instance, Series, StoredFile, Study
from sdcc.queries import DERIVED, Level
from sdcc.services.query_retrieve.keys import KEYS, MODELS, UNIQUE_KEYS
from sdcc.services.query_retrieve.matching import READINGS

FIELDS = {
    field.name: level
    for kind, level in ((Study, Level.STUDY), (Series, Level.SERIES), (Instance, Level.IMAGE))
    for field in dataclasses.fields(kind)
}
#: PS3.4 Tables C.6-1 to C.6-5, without those of which only a value is returned.
REQUIRED = {
    Level.PATIENT: {"PatientName", "PatientID"},
    Level.STUDY: {"StudyDate", "StudyTime", "AccessionNumber", "StudyID", "StudyInstanceUID"},
    Level.SERIES: {"Modality", "SeriesNumber", "SeriesInstanceUID"},
    Level.IMAGE: {"InstanceNumber", "SOPInstanceUID"},
}


@pytest.mark.parametrize("level", Level)
def test_every_required_key_is_one_of_its_level(level):
    assert {KEYS[tag_for_keyword(keyword)].level for keyword in REQUIRED[level]} == {level}


def test_every_field_of_the_index_and_all_that_it_reckons_can_be_asked_for():
    assert {key.field for key in KEYS.values()} == {*FIELDS, *DERIVED, "transfer_syntax_uid"}
    assert "transfer_syntax_uid" in {field.name for field in dataclasses.fields(StoredFile)}


@pytest.mark.parametrize("tag", KEYS, ids=keyword_for_tag)
def test_a_key_has_the_vr_of_the_standard_and_the_level_of_the_index(tag):
    key = KEYS[tag]
    assert key.vr == dictionary_VR(tag)
    assert key.vr in {*READINGS, "US", "SQ"}
    assert (key.vr == "SQ") is (tag in ITEM_ATTRIBUTES)
    if key.field in DERIVED:
        assert key.level == DERIVED[key.field]
    elif key.field in FIELDS:
        assert key.level in (
            {Level.PATIENT, Level.STUDY} if FIELDS[key.field] is Level.STUDY else {FIELDS[key.field]}
        )


def test_a_patient_is_asked_for_by_what_is_the_patients_own():
    """What a study says of the patient at that time, such as the age, is the study's (PS3.4 C.6.2.1.2)."""
    patients = {keyword_for_tag(tag) for tag, key in KEYS.items() if key.level is Level.PATIENT}
    assert patients >= {"PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex"}
    assert patients.isdisjoint({"PatientAge", "PatientWeight", "AccessionNumber", "ReferringPhysicianName"})


def test_the_models_are_those_that_are_negotiated():
    of_the_services = {
        sop_class.uid
        for sop_class in conformance.SERVICE_CLASSES
        if sop_class.service in (conformance.QUERY_SERVICE, conformance.RETRIEVE_SERVICE)
    }
    assert MODELS.keys() == of_the_services
    assert MODELS[conformance.PATIENT_ROOT_FIND] == ("PATIENT", "STUDY", "SERIES", "IMAGE")
    assert MODELS[conformance.STUDY_ROOT_FIND] == ("STUDY", "SERIES", "IMAGE")


def test_each_level_has_its_unique_key():
    keywords = {level: keyword_for_tag(tag) for level, tag in UNIQUE_KEYS.items()}
    assert list(keywords) == list(Level)
    assert list(keywords.values()) == ["PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
