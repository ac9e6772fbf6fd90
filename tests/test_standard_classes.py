"""The Storage SOP Classes of the standard, against pynetdicom's independent list."""

from __future__ import annotations

import pytest
from pynetdicom import sop_class as pynetdicom

from sdcc import conformance
from sdcc.standard_classes import other_name, private_storage_class, standard_storage_classes

#: PS3.4 B.6 and earlier editions; pynetdicom knows none that is retired.
RETIRED = {
    "1.2.840.10008.5.1.4.1.1.3": "Ultrasound Multi-frame Image Storage",
    "1.2.840.10008.5.1.4.1.1.5": "Nuclear Medicine Image Storage",
    "1.2.840.10008.5.1.4.1.1.6": "Ultrasound Image Storage",
    "1.2.840.10008.5.1.4.1.1.8": "Standalone Overlay Storage",
    "1.2.840.10008.5.1.4.1.1.9": "Standalone Curve Storage",
    "1.2.840.10008.5.1.4.1.1.9.1": "Waveform Storage - Trial",
    "1.2.840.10008.5.1.4.1.1.10": "Standalone Modality LUT Storage",
    "1.2.840.10008.5.1.4.1.1.11": "Standalone VOI LUT Storage",
    "1.2.840.10008.5.1.4.1.1.12.3": "X-Ray Angiographic Bi-Plane Image Storage",
    "1.2.840.10008.5.1.4.1.1.77.1": "VL Image Storage - Trial",
    "1.2.840.10008.5.1.4.1.1.77.2": "VL Multi-frame Image Storage - Trial",
    "1.2.840.10008.5.1.4.1.1.88.1": "Text SR Storage - Trial",
    "1.2.840.10008.5.1.4.1.1.88.2": "Audio SR Storage - Trial",
    "1.2.840.10008.5.1.4.1.1.88.3": "Detail SR Storage - Trial",
    "1.2.840.10008.5.1.4.1.1.88.4": "Comprehensive SR Storage - Trial",
    "1.2.840.10008.5.1.4.1.1.129": "Standalone PET Curve Storage",
    "1.2.840.10008.5.1.4.34.1": "RT Beams Delivery Instruction Storage - Trial",
}


def test_they_are_pynetdicoms_storage_classes_and_the_retired_ones() -> None:
    assert set(standard_storage_classes()) == set(pynetdicom._STORAGE_CLASSES.values()) | set(RETIRED)


def test_the_retired_ones_say_so() -> None:
    found = {uid: c.name for uid, c in standard_storage_classes().items() if c.name.endswith(" (Retired)")}
    assert found == {uid: f"{name} (Retired)" for uid, name in RETIRED.items()}


def test_they_include_the_thirty_of_the_statement() -> None:
    assert {c.uid for c in conformance.STORAGE_CLASSES} <= set(standard_storage_classes())


def test_each_is_a_storage_class_of_nine_transfer_syntaxes() -> None:
    for uid, found in standard_storage_classes().items():
        assert (found.uid, found.service) == (uid, conformance.STORAGE_SERVICE)
        assert found.transfer_syntaxes == conformance.STORAGE_TRANSFER_SYNTAXES


@pytest.mark.parametrize(
    "uid",
    [
        *pynetdicom._NON_PATIENT_OBJECT_CLASSES.values(),
        *pynetdicom._STORAGE_COMMITMENT_CLASSES.values(),
        "1.2.840.10008.1.3.10",  # Media Storage Directory Storage
        "1.2.840.10008.5.1.1.27",  # Stored Print Storage
        "1.2.840.10008.5.1.4.1.1.501.1",  # DICOS CT Image Storage
        "1.2.840.10008.5.1.4.1.1.601.1",  # Eddy Current Image Storage, of DICONDE
        "1.2.840.10008.5.1.4.1.2.2.2",  # Study Root Query/Retrieve - MOVE
        "1.2.840.10008.1.2",  # a Transfer Syntax
    ],
)
def test_what_is_not_an_object_of_a_patient_is_none_of_them_and_known_as_something_else(uid: str) -> None:
    assert uid not in standard_storage_classes()
    assert other_name(uid) is not None


@pytest.mark.parametrize("uid", ["1.2.3", "1.2.840.10008.5.1.4.1.1.999", "1.2.840.10008.5.1.4.1.1.2"])
def test_a_storage_class_is_known_as_nothing_else(uid: str) -> None:
    assert other_name(uid) is None


@pytest.mark.parametrize(
    ("uid", "short"),
    [
        ("1.2.840.10008.5.1.4.1.1.2.1", "CT"),
        ("1.2.840.10008.5.1.4.1.1.88.67", "SR"),
        ("1.2.840.10008.5.1.4.1.1.104.1", "PDF"),
        ("1.2.840.10008.5.1.4.1.1.30", "OT"),
    ],
)
def test_the_log_has_a_short_word_for_each(uid: str, short: str) -> None:
    assert standard_storage_classes()[uid].short == short


def test_a_private_class_takes_the_same_transfer_syntaxes() -> None:
    found = private_storage_class("1.2.3")
    assert (found.uid, found.short, found.service) == ("1.2.3", "OT", conformance.STORAGE_SERVICE)
    assert found.transfer_syntaxes == conformance.STORAGE_TRANSFER_SYNTAXES
