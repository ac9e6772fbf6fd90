"""The short way over plain elements: it leads to just what the walk without it finds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdcc.archive import elements
from sdcc.archive.elements import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    LONGEST_VALUE,
    read_leading_elements,
)

from .test_elements import BITS, CLASS, LITTLE, PRIVATE, REQUIRED, ROWS, STUDY, WANTED, Source

THE_LONG_WAY = replace(EXPLICIT_VR_LITTLE_ENDIAN, pass_plain=EXPLICIT_VR_BIG_ENDIAN.pass_plain)

TAGS = (CLASS, STUDY, ROWS, BITS, PRIVATE, BITS - 1, BITS + 1, 0x00290010, 0x7FE00010, 0xFFFEE000)
VRS = ("UI", "US", "LO", "UN", "SQ", "ZZ")
LENGTHS = (0, 2, 4, 12, LONGEST_VALUE, LONGEST_VALUE + 2)

shapes = st.tuples(st.sampled_from(TAGS), st.sampled_from(VRS), st.sampled_from(LENGTHS))


def both(data, size=None):
    """What is found, and what was read for it, on the short way and on the long one."""
    results = []
    for encoding in (EXPLICIT_VR_LITTLE_ENDIAN, THE_LONG_WAY):
        source = Source(data, size)
        found = read_leading_elements(source.read, source.size, encoding, WANTED, REQUIRED)
        results.append((found, source.reads))
    return results


@settings(deadline=None)
@given(st.lists(shapes, max_size=30), st.integers(0, 30), st.sampled_from([16, 64, elements.FIRST_READ]))
def test_the_same_is_found_and_read_as_on_the_long_way(drawn, cut, window):
    """Whatever follows what, wherever the Data Set ends, and however little of it is at hand."""
    data = b"".join([LITTLE.element(tag, vr, b"1" * length) for tag, vr, length in drawn])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(elements, "FIRST_READ", window)
        short, long = both(data[: len(data) - cut])

    assert short == long


@settings(deadline=None)
@given(st.data())
def test_damage_is_found_to_be_the_same(data):
    whole = LITTLE.data_set(LITTLE.element(PRIVATE, "LO", b"private ") * 3)
    place = data.draw(st.integers(0, len(whole) - 1))
    short, long = both(whole[:place] + data.draw(st.binary(min_size=1, max_size=4)) + whole[place + 1 :])

    assert short == long


def test_plain_elements_are_passed_at_once():
    """Or the short way would be no way at all."""
    data = LITTLE.data_set()
    kept = {}
    at = EXPLICIT_VR_LITTLE_ENDIAN.pass_plain(data, 0, WANTED, kept)

    assert (at, kept.keys()) == (len(data) - 20, {CLASS, STUDY})
