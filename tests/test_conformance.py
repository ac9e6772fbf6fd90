"""The statement as data, against the published statement and against pydicom's dictionaries."""

from __future__ import annotations

import pytest
from pydicom.charset import python_encoding
from pydicom.uid import UID

from sdcc import conformance

#: The published statement's 2.3.2.2, after 1.2.840.10008.5.1.4.1.1.
STORAGE = (
    *("1", "1.1", "1.1.1", "1.2", "1.2.1", "1.3", "1.3.1", "2", "3", "3.1", "4", "4.1", "4.2", "4.3", "5"),
    *("6", "6.1", "7", "12.1", "12.2", "12.3", "20", "77.1", "77.1.1", "77.1.2", "77.1.3", "77.1.4"),
    *("77.2", "128", "481.1"),
)
#: The published statement's 2.
SECTION_2 = (
    *("1", "1.1", "1.1.1", "1.2", "1.2.1", "2", "3", "3.1", "4", "4.1", "4.2", "4.3", "5", "6", "6.1", "7"),
    *("12.1", "12.2", "12.3", "20", "77.1", "77.1.1", "77.1.2", "77.1.3", "77.1.4", "77.2", "128"),
)
#: The published statement's 2.3.2.2.1, after 1.2.840.10008.1.2.
TRANSFER_SYNTAXES = ("", ".1", ".2", ".4.50", ".4.51", ".4.70", ".4.90", ".4.91", ".5")
#: The published statement's 6, with the underscores of its source.
CHARACTER_SETS = (
    *("ISO_IR_6", "ISO_IR_100", "ISO_IR_101", "ISO_IR_109", "ISO_IR_110", "ISO_IR_144", "ISO_IR_127"),
    *("ISO_IR_126", "ISO_IR_138", "ISO_IR_148", "ISO_IR_13", "ISO_IR_87", "ISO_IR_166", "ISO_IR_192"),
    *("ISO_2022_IR_6", "ISO_2022_IR_100", "ISO_2022_IR_101", "ISO_2022_IR_109", "ISO_2022_IR_110"),
    *("ISO_2022_IR_144", "ISO_2022_IR_127", "ISO_2022_IR_126", "ISO_2022_IR_138", "ISO_2022_IR_148"),
    *("ISO_2022_IR_13", "ISO_2022_IR_166", "ISO_2022_IR_87", "ISO_2022_IR_159", "ISO_2022_IR_149", "GB18030"),
)


def test_the_storage_classes_are_the_union_of_both_lists() -> None:
    suffixes = tuple(c.uid.removeprefix("1.2.840.10008.5.1.4.1.1.") for c in conformance.STORAGE_CLASSES)
    assert suffixes == STORAGE
    assert len(set(STORAGE)) == 30
    assert set(STORAGE) >= set(SECTION_2)


def test_each_storage_class_takes_the_nine_transfer_syntaxes() -> None:
    expected = [f"1.2.840.10008.1.2{suffix}" for suffix in TRANSFER_SYNTAXES]
    for sop_class in conformance.STORAGE_CLASSES:
        assert list(sop_class.transfer_syntaxes) == expected
        assert sop_class.service == "storage"


def test_verification_takes_implicit_vr_little_endian_alone() -> None:
    assert conformance.VERIFICATION.uid == "1.2.840.10008.1.1"
    assert list(conformance.VERIFICATION.transfer_syntaxes) == ["1.2.840.10008.1.2"]
    assert conformance.VERIFICATION.service == "verification"


@pytest.mark.parametrize("sop_class", conformance.STORAGE_CLASSES, ids=lambda c: c.uid)
def test_each_name_is_the_standards(sop_class: conformance.SOPClass) -> None:
    """But for "Trial", which the published statement leaves out of the two retired VL classes."""
    uid = UID(sop_class.uid)
    name = uid.name.removesuffix(" - Trial") + (" (Retired)" if uid.is_retired else "")
    assert sop_class.name == name


@pytest.mark.parametrize("sop_class", conformance.STORAGE_CLASSES, ids=lambda c: c.uid)
def test_each_class_has_a_short_word_for_the_log(sop_class: conformance.SOPClass) -> None:
    assert 2 <= len(sop_class.short) <= 4
    assert sop_class.short.isupper()


def test_the_transfer_syntaxes_are_named() -> None:
    for uid, name in conformance.STORAGE_TRANSFER_SYNTAXES.items():
        assert UID(uid).is_transfer_syntax
        assert UID(uid).name.startswith(name.partition(",")[0].partition(" (")[0])


def test_the_table_has_the_31_classes_then_the_services_and_then_the_additional_ones() -> None:
    additional = conformance.storage_class("1.2.3", "Of ours", "OT")
    table = conformance.sop_classes([additional])
    published = [conformance.VERIFICATION, *conformance.STORAGE_CLASSES]
    assert len(published) == 31
    assert list(conformance.sop_classes().values()) == [*published, *conformance.SERVICE_CLASSES]
    assert len(conformance.sop_classes()) == 38
    assert list(table) == [*conformance.sop_classes(), "1.2.3"]
    assert all(table[uid].uid == uid for uid in table)


#: UID below 1.2.840.10008, service, and what is accepted of extended negotiation: PS3.4 C.5 and C.6, J.3.
SERVICE_CLASSES = [
    ("5.1.4.1.2.1.1", "query", [1, 1, 0, 0, 0]),
    ("5.1.4.1.2.1.2", "retrieve", [1, 0]),
    ("5.1.4.1.2.1.3", "retrieve", [1, 0]),
    ("5.1.4.1.2.2.1", "query", [1, 1, 0, 0, 0]),
    ("5.1.4.1.2.2.2", "retrieve", [1, 0]),
    ("5.1.4.1.2.2.3", "retrieve", [1, 0]),
    ("1.20.1", "commitment", []),
]


def test_the_classes_of_the_other_services_are_the_standards() -> None:
    assert [
        (found.uid.removeprefix("1.2.840.10008."), found.service, list(found.extended))
        for found in conformance.SERVICE_CLASSES
    ] == SERVICE_CLASSES
    assert {service for _, service, _ in SERVICE_CLASSES} | {"verification", "storage"} == set(
        conformance.SERVICES
    )


@pytest.mark.parametrize("sop_class", conformance.SERVICE_CLASSES, ids=lambda c: c.uid)
def test_each_has_the_standards_name_and_the_two_plain_transfer_syntaxes(
    sop_class: conformance.SOPClass,
) -> None:
    assert UID(sop_class.uid).name.removesuffix(" SOP Class").replace("\u2013", "-") == sop_class.name
    assert list(sop_class.transfer_syntaxes) == ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"]


def test_nothing_of_the_published_statement_is_negotiated_further() -> None:
    for sop_class in (conformance.VERIFICATION, *conformance.STORAGE_CLASSES):
        assert sop_class.extended == b""


def test_the_identifiers_are_the_statements() -> None:
    assert conformance.IMPLEMENTATION_CLASS_UID == "1.2.392.100224.1.2002.100.5"
    assert conformance.IMPLEMENTATION_VERSION_NAME == "SDCC 1.1"
    assert len(conformance.IMPLEMENTATION_VERSION_NAME) <= 16
    assert sorted(conformance.APPLICATION_CONTEXTS) == ["1.2.840.10008.3.1.1.1", "1.2.840.1008.3.1.1.1"]


def test_the_character_sets_are_the_statements_thirty() -> None:
    assert tuple(row.term for row in conformance.CHARACTER_SETS) == CHARACTER_SETS
    assert len(set(CHARACTER_SETS)) == 30


@pytest.mark.parametrize("row", conformance.CHARACTER_SETS, ids=lambda row: row.term)
def test_each_is_read_as_a_defined_term(row: conformance.CharacterSet) -> None:
    """The same letters and digits, but for the two that are no Defined Terms."""
    assert row.defined_term in python_encoding
    exceptions = {"ISO_IR_6": "", "ISO_IR_87": "ISO 2022 IR 87"}
    same = row.defined_term.replace(" ", "_") == row.term
    assert same or row.defined_term == exceptions[row.term]
