"""Values that are remembered from one Data Set to the next: never another's, and never many."""

from __future__ import annotations

import pytest

from sdcc.archive import attributes
from sdcc.conformance import EXPLICIT_VR_BIG_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN

from .test_attributes import minimal, parse_bytes


@pytest.fixture(autouse=True)
def nothing_is_remembered():
    attributes._remembered.cache_clear()


def held():
    return attributes._remembered.cache_info().currsize


def test_the_same_bytes_are_another_text_in_another_character_set():
    name = (0x00100010, "PN", b"\xc4neas")
    texts = [
        parse_bytes(minimal((0x00080005, "CS", character_set), name)).study.patient_name
        for character_set in (b"ISO_IR 100", b"ISO_IR 144", b"ISO_IR 100")
    ]

    assert texts == ["\xc4neas", "\u0424neas", "\xc4neas"]


def test_the_same_bytes_are_another_number_in_another_byte_order():
    rows = (0x00280010, "US", b"\x01\x02")
    little = parse_bytes(minimal(rows), EXPLICIT_VR_LITTLE_ENDIAN)
    element = attributes.elements.Element(b"US", rows[2])
    big, _ = attributes._read(
        rows[0], element, attributes.repertoire(b""), attributes._ENCODINGS[EXPLICIT_VR_BIG_ENDIAN]
    )

    assert (little.instance.rows, big) == (0x0201, 0x0102)


def test_a_fault_is_told_of_every_data_set():
    data = minimal((0x00080020, "DA", b"tomorrow"))

    assert [parse_bytes(data).fault, parse_bytes(data).fault] == ["StudyDate (0008,0020): not a date"] * 2


def test_a_long_value_is_not_kept_in_memory():
    """A peer may send as many different ones as it likes."""
    parse_bytes(minimal())
    before = held()
    parse_bytes(minimal((0x00081030, "LO", b"x" * (attributes.LONGEST_REMEMBERED + 2))))

    assert held() == before


def test_only_so_many_are_kept_in_memory():
    for number in range(attributes.REMEMBERED + 100):
        parse_bytes(minimal((0x00080050, "SH", b"%06d" % number)))

    assert held() == attributes.REMEMBERED
