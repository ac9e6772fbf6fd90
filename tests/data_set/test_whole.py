"""Small Data Sets, read at once: every element, or why not."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdcc.data_set.elements import EXPLICIT_VR_LITTLE_ENDIAN as EXPLICIT
from sdcc.data_set.elements import IMPLICIT_VR_LITTLE_ENDIAN as IMPLICIT
from sdcc.data_set.elements import UNDEFINED
from sdcc.data_set.whole import NotReadable, read_elements

NAME, SEQUENCE, NUMBER = 0x00100010, 0x00400275, 0x00200013
ITEM, ITEM_END, SEQUENCE_END = (struct.pack("<HHI", 0xFFFE, number, 0) for number in (0xE000, 0xE00D, 0xE0DD))
OPEN_ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, UNDEFINED)


def explicit(tag, vr, value=b"", length=None):
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    length = len(value) if length is None else length
    return (
        head + (struct.pack("<HI", 0, length) if vr in (b"SQ", b"UN") else struct.pack("<H", length)) + value
    )


def implicit(tag, value=b"", length=None):
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


def values(data, encoding=EXPLICIT):
    return {tag: (vr, value) for tag, (vr, value) in read_elements(data, encoding).items()}


NESTED = OPEN_ITEM + explicit(NAME, b"PN", b"A^") + explicit(SEQUENCE, b"SQ", ITEM) + ITEM_END


def test_every_element_is_there_empty_or_not():
    data = explicit(NAME, b"PN", b"A^") + explicit(NUMBER, b"IS") + explicit(SEQUENCE, b"SQ", ITEM)

    assert values(data) == {NAME: (b"PN", b"A^"), NUMBER: (b"IS", b""), SEQUENCE: (b"SQ", ITEM)}


def test_in_implicit_vr_nothing_says_what_it_is():
    data = implicit(NAME, b"A^") + implicit(NUMBER)

    assert values(data, IMPLICIT) == {NAME: (b"", b"A^"), NUMBER: (b"", b"")}


@pytest.mark.parametrize("encoding", [EXPLICIT, IMPLICIT])
def test_a_sequence_of_undefined_length_ends_where_it_ends(encoding):
    """What is within it is nothing of its own."""
    write = explicit if encoding is EXPLICIT else lambda tag, _, *rest: implicit(tag, *rest)
    inside = OPEN_ITEM + write(NAME, b"PN", b"A^") + write(SEQUENCE, b"SQ", ITEM) + ITEM_END + SEQUENCE_END
    data = write(NUMBER, b"IS", b"1 ") + write(SEQUENCE, b"SQ", inside, UNDEFINED) + write(NAME, b"PN", b"B^")

    found = read_elements(data, encoding)

    assert [found[tag].value for tag in found] == [b"1 ", inside, b"B^"]
    assert list(found) == [NUMBER, SEQUENCE, NAME]


def test_many_sequences_are_read():
    one = explicit(0x00400000, b"SQ", SEQUENCE_END, UNDEFINED)
    data = b"".join(
        explicit(0x00400000 + number, b"SQ", SEQUENCE_END, UNDEFINED)
        for number in range(256 * 1024 // len(one))
    )
    assert len(read_elements(data, EXPLICIT)) == 13107


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (explicit(NAME, b"PN", b"A^")[:-1], "(0010,0010) runs past the end"),
        (explicit(NAME, b"PN", b"A^") + b"\x10", "(0010,0010) no whole element follows"),
        (explicit(NAME, b"SQ", b"", 8), "(0010,0010) runs past the end"),
        (implicit(NAME, b"A^" * 200), "(0010,0010) has no valid VR"),
        (explicit(NAME, b"PN") * 2, "(0010,0010) is there twice"),
        (explicit(SEQUENCE, b"SQ", b"", UNDEFINED), "(0040,0275) has no end"),
        (explicit(SEQUENCE, b"SQ", OPEN_ITEM, UNDEFINED), "(0040,0275) has no end"),
        (explicit(SEQUENCE, b"SQ", OPEN_ITEM + b"\0" * 5, UNDEFINED), "(0040,0275) no whole element follows"),
        (explicit(SEQUENCE, b"SQ", explicit(NAME, b"PN"), UNDEFINED), "(0040,0275) item out of place"),
        (ITEM, "(FFFE,E000) item out of place"),
    ],
)
def test_what_is_no_data_set_is_named(data, reason):
    with pytest.raises(NotReadable) as raised:
        read_elements(data, EXPLICIT)
    assert str(raised.value) == reason
    assert len(reason) <= 64


@given(st.binary(max_size=200), st.sampled_from([EXPLICIT, IMPLICIT]))
@settings(max_examples=300)
def test_bytes_of_any_kind_are_read_or_named(data, encoding):
    try:
        found = read_elements(data, encoding)
    except NotReadable:
        return
    assert sum(len(element.value) for element in found.values()) <= len(data)
