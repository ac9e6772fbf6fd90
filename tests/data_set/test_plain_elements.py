"""The short way over plain elements: it leads to just what the walk without it finds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdcc.data_set import elements
from sdcc.data_set.elements import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    LONGEST_VALUE,
    read_leading_elements,
)

from .test_elements import BITS, CLASS, PRIVATE, REQUIRED, ROWS, STUDY, UNDEFINED, WANTED, Source, Writer

WRITERS = [Writer(IMPLICIT_VR_LITTLE_ENDIAN), Writer(EXPLICIT_VR_LITTLE_ENDIAN)]

TAGS = (CLASS, STUDY, ROWS, BITS, PRIVATE, BITS - 1, BITS + 1, 0x00290010, 0x7FE00010, 0xFFFEE000)
VRS = ("UI", "US", "LO", "UN", "SQ", "ZZ")
LENGTHS = (0, 2, 4, 12, LONGEST_VALUE, LONGEST_VALUE + 2)

shapes = st.tuples(st.sampled_from(TAGS), st.sampled_from(VRS), st.sampled_from(LENGTHS))


def both(writer, data):
    """What is found, and what was read for it, on the short way and on the long one."""
    the_long_way = replace(writer.encoding, pass_plain=EXPLICIT_VR_BIG_ENDIAN.pass_plain)
    results = []
    for encoding in (writer.encoding, the_long_way):
        source = Source(data)
        found = read_leading_elements(source.read, source.size, encoding, WANTED, REQUIRED)
        results.append((found, source.reads))
    return results


@settings(deadline=None)
@given(
    st.sampled_from(WRITERS),
    st.sampled_from([(), [(CLASS, "UI", 2), (STUDY, "UI", 2)]]),
    st.lists(shapes, max_size=30),
    st.integers(0, 30),
    st.sampled_from([16, 64, elements.FIRST_READ]),
)
def test_the_same_is_found_and_read_as_on_the_long_way(writer, first, drawn, cut, window):
    """Whatever follows what, wherever the Data Set ends, and however little of it is at hand."""
    data = b"".join([writer.element(tag, vr, b"1" * length) for tag, vr, length in [*first, *drawn]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(elements, "FIRST_READ", window)
        short, long = both(writer, data[: len(data) - cut])

    assert short == long


@settings(deadline=None)
@given(st.sampled_from(WRITERS), st.data())
def test_damage_is_found_to_be_the_same(writer, data):
    whole = writer.data_set(writer.element(PRIVATE, "LO", b"private ") * 3)
    place = data.draw(st.integers(0, len(whole) - 1))
    short, long = both(
        writer, whole[:place] + data.draw(st.binary(min_size=1, max_size=4)) + whole[place + 1 :]
    )

    assert short == long


@settings(deadline=None)
@given(st.sampled_from(WRITERS), st.sampled_from(TAGS[:-1]))
def test_a_sequence_of_undefined_length_is_found_to_be_the_same(writer, tag):
    header = writer.header(0xFFFEE000, "", UNDEFINED) + writer.header(0xFFFEE00D, "", 0)
    short, long = both(writer, writer.data_set(writer.sequence(header, tag=tag)))

    assert short == long


@pytest.mark.parametrize("writer", WRITERS, ids=["implicit", "explicit"])
def test_plain_elements_are_passed_at_once(writer):
    """Or the short way would be no way at all."""
    data = writer.data_set()
    kept = {}
    at = writer.encoding.pass_plain(data, 0, WANTED, kept)

    assert (at, kept.keys()) == (len(data) - 20, {CLASS, STUDY})
