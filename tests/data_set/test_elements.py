"""The walk over elements: what it keeps, what it passes, what it reads, and what it survives."""

from __future__ import annotations

import re
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdcc.data_set import elements
from sdcc.data_set.elements import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    read_leading_elements,
)

CLASS, STUDY, ROWS, BITS = 0x00080016, 0x0020000D, 0x00280010, 0x00280100
SEQUENCE, PRIVATE = 0x00081140, 0x00091001
WANTED = frozenset((CLASS, STUDY, ROWS, BITS))
REQUIRED = frozenset((CLASS, STUDY))
UNDEFINED = 0xFFFFFFFF
#: PS3.5 7.1.2; ZZ stands for one that is not defined yet.
SHORT_VRS = re.findall("..", "AEASATCSDADSDTFDFLISLOLTPNSHSLSSSTTMUIULUS")
LONG_VRS = re.findall("..", "OBODOFOLOVOWSQSVUCUNURUTUVZZ")


class Writer:
    """Writes elements in one encoding, the wrong ones too."""

    def __init__(self, encoding):
        self.encoding = encoding
        self.order = ">" if encoding is EXPLICIT_VR_BIG_ENDIAN else "<"
        self.implicit = encoding is IMPLICIT_VR_LITTLE_ENDIAN

    def header(self, tag, vr, length):
        group, number = tag >> 16, tag & 0xFFFF
        if self.implicit or group == 0xFFFE:
            return struct.pack(self.order + "HHI", group, number, length)
        if vr in LONG_VRS:
            return struct.pack(self.order + "HH2sHI", group, number, vr.encode(), 0, length)
        return struct.pack(self.order + "HH2sH", group, number, vr.encode(), length)

    def element(self, tag, vr, value):
        return self.header(tag, vr, len(value)) + value

    def item(self, content, *, undefined=False):
        if undefined:
            return self.header(0xFFFEE000, "", UNDEFINED) + content + self.header(0xFFFEE00D, "", 0)
        return self.element(0xFFFEE000, "", content)

    def sequence(self, content, *, vr="SQ", tag=SEQUENCE):
        """A sequence of undefined length."""
        return self.header(tag, vr, UNDEFINED) + content + self.header(0xFFFEE0DD, "", 0)

    def data_set(self, between=b"", *, after=b""):
        """The wanted elements, with something before the second and something after the last."""
        return (
            self.element(CLASS, "UI", b"1.2\0")
            + between
            + self.element(STUDY, "UI", b"1.3\0")
            + self.element(ROWS, "US", struct.pack(self.order + "H", 512))
            + self.element(BITS, "US", struct.pack(self.order + "H", 16))
            + after
        )

    def nested(self, depth):
        """Sequences and items of undefined length, one in another."""
        opening = self.header(SEQUENCE, "SQ", UNDEFINED) + self.header(0xFFFEE000, "", UNDEFINED)
        closing = self.header(0xFFFEE00D, "", 0) + self.header(0xFFFEE0DD, "", 0)
        return opening * depth + closing * depth


class Source:
    """Bytes that remember what was read of them; what lies past them, up to a size, is zeros."""

    def __init__(self, data, size=None):
        self.data = data
        self.size = len(data) if size is None else size
        self.reads = []

    def read(self, offset, length):
        self.reads.append((offset, length))
        return self.data[offset : offset + length].ljust(min(length, self.size - offset), b"\0")

    @property
    def amount(self):
        return sum(length for _, length in self.reads)


ENCODINGS = [IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN]
NAMES = ["implicit", "explicit", "big endian"]
LITTLE = Writer(EXPLICIT_VR_LITTLE_ENDIAN)


@pytest.fixture(params=ENCODINGS, ids=NAMES)
def writer(request):
    return Writer(request.param)


@pytest.fixture(params=ENCODINGS[1:], ids=NAMES[1:])
def explicit(request):
    return Writer(request.param)


def walk(writer, data):
    source = data if isinstance(data, Source) else Source(data)
    return read_leading_elements(source.read, source.size, writer.encoding, WANTED, REQUIRED)


def values(found):
    return {tag: element.value for tag, element in found.elements.items()}


def whole(writer):
    return {
        CLASS: b"1.2\0",
        STUDY: b"1.3\0",
        ROWS: struct.pack(writer.order + "H", 512),
        BITS: struct.pack(writer.order + "H", 16),
    }


def assert_passed(writer, between):
    """The elements in between are passed, and all that is wanted is found around them."""
    found = walk(writer, writer.data_set(between))

    assert values(found) == whole(writer)
    assert (found.faults, found.broken) == ({}, None)


def test_the_vr_is_kept(writer):
    found = walk(writer, writer.data_set())

    assert found.elements[ROWS].vr == (b"" if writer.implicit else b"US")


@pytest.mark.parametrize(
    "between",
    [
        lambda w: w.element(0x00080000, "UL", b"\x08\0\0\0"),
        lambda w: w.element(0x00090010, "LO", b"CREATOR 1.0 ") + w.element(PRIVATE, "UN", b"\x01\x02\x03"),
        lambda w: w.element(PRIVATE, "OB", b"\xfe\xff\xdd\xe0" * 10),
        lambda w: w.element(PRIVATE, "LO", b""),
        lambda w: w.element(SEQUENCE, "SQ", b""),
        lambda w: w.element(SEQUENCE, "SQ", w.item(w.element(STUDY, "UI", b"9.9 "))),
        lambda w: w.sequence(b""),
        lambda w: w.sequence(w.item(b"") + w.item(b"", undefined=True)),
        lambda w: w.sequence(w.item(w.element(STUDY, "UI", b"9.9 ")) * 3),
        lambda w: w.sequence(w.item(w.data_set(), undefined=True) * 3),
        lambda w: w.sequence(w.item(w.sequence(w.item(w.data_set(), undefined=True)), undefined=True) * 2),
        lambda w: w.sequence(w.item(w.element(SEQUENCE, "SQ", w.item(b"")), undefined=True)),
        # Encapsulated Pixel Data, of an icon (PS3.5 A.4).
        lambda w: w.sequence(w.item(w.sequence(w.item(b"") + w.item(b"jpeg"), vr="OB"), undefined=True)),
    ],
    ids=range(13),
)
def test_what_is_not_wanted_is_passed(writer, between):
    """Whatever stands between the wanted elements, nested elements of the same tags too."""
    assert_passed(writer, between(writer))


@pytest.mark.parametrize("vr", SHORT_VRS)
def test_a_vr_whose_length_has_16_bits(explicit, vr):
    value = b"x" * 0xFFFF
    header = struct.pack(explicit.order + "HH2sH", 9, 1, vr.encode(), len(value))

    assert_passed(explicit, header + value)


@pytest.mark.parametrize("vr", LONG_VRS)
def test_a_vr_whose_length_has_32_bits(explicit, vr):
    """That is also how a VR that is not defined yet will have it."""
    value = b"x" * 0x10002
    header = struct.pack(explicit.order + "HH2sHI", 9, 1, vr.encode(), 0, len(value))

    assert_passed(explicit, header + value)


@pytest.mark.parametrize("outer_undefined", [True, False])
def test_an_unknown_sequence_is_implicit_little_endian_throughout(explicit, outer_undefined):
    """PS3.5 6.2.2: the items of a sequence of VR UN, their delimitations and all that is in them."""
    implicit = Writer(IMPLICIT_VR_LITTLE_ENDIAN)
    items = implicit.item(
        implicit.data_set(implicit.sequence(implicit.item(b"", undefined=True))), undefined=True
    )
    closing = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    unknown = explicit.header(PRIVATE, "UN", UNDEFINED) + items + closing
    beside = explicit.element(0x00091002, "LO", b"text")

    assert_passed(explicit, unknown + beside)
    assert_passed(explicit, explicit.sequence(explicit.item(unknown + beside, undefined=outer_undefined)))


@pytest.mark.parametrize("vr", [b"??", b"\0\0", b"  ", b"--", b"lo"])
def test_what_is_no_vr_has_a_length_of_16_bits(explicit, vr):
    between = struct.pack(explicit.order + "HH2sH", 9, 0x1001, vr, 4) + b"data"
    found = walk(explicit, explicit.data_set(between))

    assert values(found) == whole(explicit)
    assert found.faults == {"has no valid VR": PRIVATE}


def test_an_unknown_vr_with_a_length_of_16_bits(explicit):
    between = struct.pack(explicit.order + "HH2sH", 9, 0x1001, b"ZZ", 4) + b"data"
    found = walk(explicit, explicit.data_set(between))

    assert values(found) == whole(explicit)
    assert found.faults == {"has no valid VR": PRIVATE}


def test_elements_of_implicit_vr_among_explicit_ones():
    """Some senders put elements as they found them into another Transfer Syntax, or all of them."""
    implicit = Writer(IMPLICIT_VR_LITTLE_ENDIAN)
    blob = implicit.element(PRIVATE, "", b"x" * 0x12346)
    nested = implicit.sequence(implicit.item(implicit.data_set(), undefined=True))

    mixed = walk(LITTLE, LITTLE.data_set(blob + nested))
    assert values(mixed) == whole(LITTLE)
    assert mixed.faults == {"has no valid VR": PRIVATE}
    assert values(walk(LITTLE, implicit.data_set(blob + nested))) == whole(LITTLE)


def test_the_walk_stops_after_the_last_wanted_tag(writer):
    """What follows is not looked at, broken or not."""
    for after in (writer.header(0x7FE00010, "OB", UNDEFINED) + b"junk", writer.header(0x00280101, "UN", 99)):
        assert walk(writer, writer.data_set(after=after)).broken is None


def test_a_required_element_is_looked_for_a_little_further(writer):
    """Tags may be out of order, but not the Pixel Data and not without end."""
    stray = writer.element(0x00400001, "LO", b"stray ")
    first = writer.element(CLASS, "UI", b"1.2\0")
    late = writer.element(STUDY, "UI", b"1.3\0")
    pixels = writer.element(0x7FE00010, "OB", b"\0\0")

    assert STUDY in walk(writer, first + stray * elements.MOST_STRAYS + late).elements
    assert STUDY not in walk(writer, first + stray * (elements.MOST_STRAYS + 1) + late).elements
    assert STUDY not in walk(writer, first + pixels + late).elements


def test_elements_out_of_order_are_found(writer):
    data = writer.element(BITS, "US", b"\x10\0") + writer.element(STUDY, "UI", b"1.3\0")

    assert values(walk(writer, data + writer.element(CLASS, "UI", b"1.2\0"))) == {
        BITS: b"\x10\0",
        STUDY: b"1.3\0",
        CLASS: b"1.2\0",
    }


def test_the_first_of_two_elements_counts(writer):
    found = walk(writer, writer.data_set(writer.element(CLASS, "UI", b"9.9\0")))

    assert found.elements[CLASS].value == b"1.2\0"
    assert found.faults == {"is there twice": CLASS}


def test_a_wanted_element_may_be_no_sequence(writer):
    found = walk(
        writer, writer.data_set(after=writer.sequence(b"", tag=BITS)).replace(writer.data_set()[-10:], b"")
    )

    assert BITS not in found.elements
    assert found.faults == {"is a sequence": BITS}


def test_a_delimitation_out_of_place_is_passed(writer):
    """As some senders write one after a sequence of defined length."""
    found = walk(writer, writer.data_set(writer.header(0xFFFEE0DD, "", 0)))

    assert values(found) == whole(writer)
    assert found.faults == {"item out of place": 0xFFFEE0DD}


@pytest.mark.parametrize(
    ("between", "reason"),
    [
        (lambda w: w.header(PRIVATE, "UN", 0xFFFFFFFE), "runs past the end"),
        (lambda w: w.header(PRIVATE, "LO", 1000), "runs past the end"),
        (lambda w: w.header(PRIVATE, "SQ", UNDEFINED), "item out of place"),
        (lambda w: w.header(PRIVATE, "UN", UNDEFINED) + b"\xfe\xff\x00\xe0\xff\xff\xff\xff", "has no end"),
        (lambda w: w.sequence(w.header(0xFFFEE000, "", 0xFFFFFFFE), tag=PRIVATE), "has no end"),
        (lambda w: w.sequence(w.header(0xFFFEE000, "", UNDEFINED), tag=PRIVATE), "item out of place"),
        (lambda w: w.sequence(w.item(w.item(b""), undefined=True), tag=PRIVATE), "item out of place"),
        (lambda w: w.sequence(w.element(CLASS, "UI", b"1.2\0"), tag=PRIVATE), "item out of place"),
        (lambda w: w.header(PRIVATE, "SQ", UNDEFINED) + w.nested(100)[:-8], "item out of place"),
    ],
    ids=range(9),
)
def test_the_walk_ends_where_elements_are_broken(writer, between, reason):
    """It says why and at which tag of the outermost Data Set, and keeps what it had."""
    found = walk(writer, writer.data_set(between(writer)))

    assert found.broken == (reason, PRIVATE)
    assert values(found) == {CLASS: b"1.2\0"}
    assert len(reason) <= 24


@pytest.mark.parametrize("length", range(1, 8))
def test_the_data_set_may_not_end_in_a_header(writer, length):
    found = walk(writer, writer.data_set() + b"\0" * length)

    assert values(found) == whole(writer)
    assert found.broken == ("no whole element follows", BITS)


def test_an_empty_data_set_has_no_elements(writer):
    assert walk(writer, b"") == elements.LeadingElements()


# --- what is read --------------------------------------------------------------------------


def test_a_small_header_is_read_at_once(writer):
    source = Source(writer.data_set(after=writer.header(0x7FE00010, "OB", 10**9)), size=10**9)
    walk(writer, source)

    assert source.reads == [(0, elements.FIRST_READ)]


def test_a_huge_value_is_passed_without_being_read():
    """Nothing within 4 GB of private data is asked for."""
    length = 0xFFFFFFF0
    before = LITTLE.element(CLASS, "UI", b"1.2\0") + LITTLE.header(PRIVATE, "UN", length)
    after = LITTLE.element(STUDY, "UI", b"1.3\0") + LITTLE.element(BITS, "US", b"\x10\0")
    reads = []

    def read(offset, amount):
        reads.append((offset, amount))
        there = offset - len(before) - length
        return (after[there:] if there >= 0 else (before + bytes(amount))[offset:])[:amount]

    found = read_leading_elements(read, len(before) + length + len(after), LITTLE.encoding, WANTED, REQUIRED)

    assert found.elements.keys() == {CLASS, STUDY, BITS}
    assert reads == [(0, elements.FIRST_READ), (len(before) + length, len(after))]


def test_many_values_are_leapt_over(writer):
    """After a leap little is read: what is read is in proportion to the headers."""
    count, length = 200, 60_000
    source = Source(writer.data_set(writer.element(PRIVATE, "OB", bytes(length)) * count))
    found = walk(writer, source)

    assert values(found) == whole(writer)
    assert source.amount <= elements.FIRST_READ + (count + 1) * elements.READ_AFTER_LEAP
    assert all(offset + amount <= source.size for offset, amount in source.reads)


def test_many_headers_are_read_in_few_reads(writer):
    source = Source(writer.data_set(writer.element(PRIVATE, "LO", b"data") * 100_000))
    found = walk(writer, source)

    assert values(found) == whole(writer)
    assert source.amount <= source.size + len(source.reads) * 12
    assert len(source.reads) <= source.size // elements.LONGEST_READ + 3


def test_too_many_headers_are_given_up(writer, monkeypatch):
    monkeypatch.setattr(elements, "MOST_READ", 10 * elements.LONGEST_READ)
    found = walk(writer, writer.data_set(writer.element(PRIVATE, "LO", b"") * 100_000))

    assert found.broken == ("too many elements", PRIVATE)


@pytest.mark.parametrize("depth", [10_000, 20_000])
def test_deep_nesting_costs_no_more_than_its_headers(writer, depth):
    """No recursion, and no more reads than a flat Data Set of that length takes."""
    source = Source(writer.data_set(writer.nested(depth)))
    found = walk(writer, source)

    assert values(found) == whole(writer)
    assert source.amount <= source.size + len(source.reads) * 12


@pytest.mark.parametrize("value_length", [1, elements.LONGEST_VALUE])
@pytest.mark.parametrize("window", [12, 13, 16, 20, 64])
def test_windows_of_any_length_give_the_same(writer, window, value_length, monkeypatch):
    """Headers and values that lie across what was read at once are whole."""
    for name in ("FIRST_READ", "READ_AFTER_LEAP", "LONGEST_READ"):
        monkeypatch.setattr(elements, name, window)
    nested = writer.sequence(writer.item(writer.data_set(), undefined=True) + writer.item(bytes(50)))
    data = writer.element(CLASS, "UT", b"9" * value_length) + nested + writer.data_set()[12:]

    assert walk(writer, data).elements[CLASS].value == b"9" * value_length
    assert walk(writer, data).elements.keys() >= {CLASS, ROWS, BITS}


def test_a_wanted_value_is_kept_up_to_a_limit(writer):
    length = 10 * elements.LONGEST_READ
    source = Source(writer.element(CLASS, "UT", b"9" * length) + writer.element(STUDY, "UI", b"1.3\0"))
    found = walk(writer, source)

    assert values(found) == {CLASS: b"9" * elements.LONGEST_VALUE, STUDY: b"1.3\0"}
    assert found.faults == {"too long, cut": CLASS}
    assert source.amount < length


@settings(deadline=None)
@given(st.sampled_from(ENCODINGS), st.binary(max_size=400))
def test_any_bytes_end_the_walk(encoding, data):
    """Without an exception, and after reading no more than there is and a header for each read."""
    source = Source(data)
    walk(Writer(encoding), source)

    assert source.amount <= len(data) * 14


@settings(deadline=None)
@given(st.data(), st.sampled_from(ENCODINGS))
def test_elements_of_any_shape_end_the_walk(data, encoding):
    """The same with headers that make sense and nesting that does not."""
    writer = Writer(encoding)
    tags = st.sampled_from([CLASS, STUDY, SEQUENCE, PRIVATE, 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD, 0x00400000])
    lengths = st.sampled_from([0, 2, 8, 12, UNDEFINED, 0xFFFFFFFE])
    headers = data.draw(st.lists(st.tuples(tags, st.sampled_from(LONG_VRS), lengths), max_size=40))
    found = walk(writer, b"".join(writer.header(*header) for header in headers))

    assert found.elements.keys() <= WANTED
