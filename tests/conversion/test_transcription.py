"""Elements in another encoding, byte by byte; and what is no Data Set is said to be none."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR

from sdcc.conformance import EXPLICIT_VR_BIG_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from sdcc.conversion import structure
from sdcc.conversion.faults import CannotEncode
from sdcc.conversion.structure import DEEPEST, read
from sdcc.conversion.transcription import ENCODINGS, Transcriber, turned_round

IMPLICIT, EXPLICIT, BIG_ENDIAN = (
    ENCODINGS[uid] for uid in (IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN)
)
UNDEFINED = 0xFFFFFFFF
#: PS3.5 7.1.2, typed again.
LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
ITEM_END, SEQUENCE_END = (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)


def implicit(group, number, value=b"", *, length=None):
    return struct.pack("<HHI", group, number, len(value) if length is None else length) + value


def explicit(group, number, vr, value=b"", *, length=None, order="<"):
    length = len(value) if length is None else length
    if vr in LONG_VRS:
        return struct.pack(order + "HH2s2xI", group, number, vr, length) + value
    return struct.pack(order + "HH2sH", group, number, vr, length) + value


def item(value, *, order="<", length=UNDEFINED):
    end = struct.pack(order + "HHI", *ITEM_END, 0) if length == UNDEFINED else b""
    return struct.pack(order + "HHI", 0xFFFE, 0xE000, length) + value + end


def end(order="<"):
    return struct.pack(order + "HHI", *SEQUENCE_END, 0)


def transcribed(data, source, target):
    written = []
    Transcriber(data, source, target, written.append).data_set(read(data, 0, source))
    return b"".join(written)


CASES = {
    "a short VR": (
        implicit(0x0010, 0x0010, b"A^B "),
        explicit(0x0010, 0x0010, b"PN", b"A^B "),
        explicit(0x0010, 0x0010, b"PN", b"A^B ", order=">"),
    ),
    "numbers of two bytes": (
        implicit(0x0028, 0x0010, b"\x01\x02"),
        explicit(0x0028, 0x0010, b"US", b"\x01\x02"),
        explicit(0x0028, 0x0010, b"US", b"\x02\x01", order=">"),
    ),
    "a tag is two numbers": (
        implicit(0x0028, 0x0009, b"\x54\x00\x10\x01"),
        explicit(0x0028, 0x0009, b"AT", b"\x54\x00\x10\x01"),
        explicit(0x0028, 0x0009, b"AT", b"\x00\x54\x01\x10", order=">"),
    ),
    "numbers of four bytes": (
        implicit(0x0008, 0x2142, b"\x01\x02\x03\x04") + implicit(0x0018, 0x6020, b"\1\2\3\4\5\6\7\x08"),
        explicit(0x0008, 0x2142, b"IS", b"\x01\x02\x03\x04")
        + explicit(0x0018, 0x6020, b"SL", b"\1\2\3\4\5\6\7\x08"),
        explicit(0x0008, 0x2142, b"IS", b"\x01\x02\x03\x04", order=">")
        + explicit(0x0018, 0x6020, b"SL", b"\4\3\2\1\x08\7\6\5", order=">"),
    ),
    "numbers of eight bytes": (
        implicit(0x0018, 0x9087, b"\1\2\3\4\5\6\7\x08"),
        explicit(0x0018, 0x9087, b"FD", b"\1\2\3\4\5\6\7\x08"),
        explicit(0x0018, 0x9087, b"FD", b"\x08\7\6\5\4\3\2\1", order=">"),
    ),
    "words": (
        implicit(0x7FE0, 0x0010, b"\1\2\3\4"),
        explicit(0x7FE0, 0x0010, b"OW", b"\1\2\3\4"),
        explicit(0x7FE0, 0x0010, b"OW", b"\2\1\4\3", order=">"),
    ),
    "what is in no dictionary": (
        implicit(0x0009, 0x1001, b"\1\2"),
        explicit(0x0009, 0x1001, b"UN", b"\1\2"),
        explicit(0x0009, 0x1001, b"UN", b"\1\2", order=">"),
    ),
    "a private creator, and what is known of it": (
        implicit(0x0009, 0x0010, b"SPI ") + implicit(0x0009, 0x1010, b"text"),
        explicit(0x0009, 0x0010, b"LO", b"SPI ") + explicit(0x0009, 0x1010, b"LO", b"text"),
        explicit(0x0009, 0x0010, b"LO", b"SPI ", order=">")
        + explicit(0x0009, 0x1010, b"LO", b"text", order=">"),
    ),
    "signed where the pixels are": (
        implicit(0x0028, 0x0103, b"\1\0") + implicit(0x0028, 0x0106, b"\xff\xfe"),
        explicit(0x0028, 0x0103, b"US", b"\1\0") + explicit(0x0028, 0x0106, b"SS", b"\xff\xfe"),
        explicit(0x0028, 0x0103, b"US", b"\0\1", order=">")
        + explicit(0x0028, 0x0106, b"SS", b"\xfe\xff", order=">"),
    ),
    "unsigned where they are not": (
        implicit(0x0028, 0x0106, b"\xff\xfe"),
        explicit(0x0028, 0x0106, b"US", b"\xff\xfe"),
        explicit(0x0028, 0x0106, b"US", b"\xfe\xff", order=">"),
    ),
    "a table of one value": (
        implicit(0x0028, 0x3002, b"\1\0\0\0\x10\0") + implicit(0x0028, 0x3006, b"\1\2"),
        explicit(0x0028, 0x3002, b"US", b"\1\0\0\0\x10\0") + explicit(0x0028, 0x3006, b"US", b"\1\2"),
        explicit(0x0028, 0x3002, b"US", b"\0\1\0\0\0\x10", order=">")
        + explicit(0x0028, 0x3006, b"US", b"\2\1", order=">"),
    ),
    "a sequence": (
        implicit(0x0008, 0x1140, item(implicit(0x0028, 0x0010, b"\1\2")) + end(), length=UNDEFINED),
        explicit(
            *(0x0008, 0x1140, b"SQ"),
            item(explicit(0x0028, 0x0010, b"US", b"\1\2")) + end(),
            length=UNDEFINED,
        ),
        explicit(
            *(0x0008, 0x1140, b"SQ"),
            item(explicit(0x0028, 0x0010, b"US", b"\2\1", order=">"), order=">") + end(">"),
            length=UNDEFINED,
            order=">",
        ),
    ),
    "a sequence of no item": (
        implicit(0x0008, 0x1140, end(), length=UNDEFINED),
        explicit(0x0008, 0x1140, b"SQ", end(), length=UNDEFINED),
        explicit(0x0008, 0x1140, b"SQ", end(">"), length=UNDEFINED, order=">"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("source", "target"), [(0, 1), (0, 2), (1, 0), (2, 0), (1, 2), (2, 1)])
def test_an_element_in_each_encoding_becomes_what_it_is_in_the_others(name, source, target):
    encodings, cases = (IMPLICIT, EXPLICIT, BIG_ENDIAN), CASES[name]
    assert transcribed(cases[source], encodings[source], encodings[target]) == cases[target]


@pytest.mark.parametrize("encoding", [EXPLICIT, BIG_ENDIAN])
def test_in_its_own_encoding_an_element_stays_byte_for_byte(encoding):
    """Explicit lengths, and what has no VR at all, included."""
    order = "<" if encoding is EXPLICIT else ">"
    inner = explicit(0x0008, 0x1150, b"UI", b"1.2\0", order=order)
    data = explicit(0x0008, 0x1140, b"SQ", item(inner, order=order, length=len(inner)), order=order)
    data += explicit(0x0010, 0x0010, b"??", b"A^B ", order=order)
    assert transcribed(data, encoding, encoding) == data


#: A tag of each VR, which the dictionary knows, and what its length is a multiple of.
OF_EACH_VR = {
    b"AE": (0x0008, 0x0054, 2), b"AS": (0x0010, 0x1010, 2), b"AT": (0x0028, 0x0009, 4),
    b"CS": (0x0008, 0x0060, 2), b"DA": (0x0008, 0x0020, 2), b"DS": (0x0010, 0x1030, 2),
    b"DT": (0x0008, 0x002A, 2), b"FD": (0x0018, 0x9087, 8), b"FL": (0x0018, 0x605A, 4),
    b"IS": (0x0020, 0x0013, 2), b"LO": (0x0010, 0x0020, 2), b"LT": (0x0010, 0x4000, 2),
    b"OB": (0x0042, 0x0011, 2), b"OD": (0x7FE0, 0x0009, 8), b"OF": (0x7FE0, 0x0008, 4),
    b"OL": (0x0066, 0x0040, 4), b"OV": (0x7FE0, 0x0001, 8), b"OW": (0x7FE0, 0x0010, 2),
    b"PN": (0x0010, 0x0010, 2), b"SH": (0x0008, 0x0050, 2), b"SL": (0x0018, 0x6020, 4),
    b"SS": (0x0018, 0x9219, 2), b"ST": (0x0008, 0x0081, 2), b"SV": (0x0072, 0x0082, 8),
    b"TM": (0x0008, 0x0030, 2), b"UC": (0x0008, 0x0119, 2), b"UI": (0x0008, 0x0018, 2),
    b"UL": (0x0018, 0x6016, 4), b"UN": (0x0009, 0x1001, 2), b"UR": (0x0008, 0x0120, 2),
    b"US": (0x0028, 0x0010, 2), b"UT": (0x0040, 0xA160, 2), b"UV": (0x0008, 0x040C, 8),
}  # fmt: skip


@st.composite
def elements_of_all_kinds(draw):
    vr = draw(st.sampled_from(sorted(OF_EACH_VR)))
    group, number, unit = OF_EACH_VR[vr]
    return explicit(group, number, vr, draw(st.binary(max_size=6)) * unit)


def sequences(of_elements):
    items = st.lists(st.lists(of_elements, max_size=4).map(b"".join).map(item), max_size=3)
    return items.map(lambda it: explicit(0x0008, 0x1140, b"SQ", b"".join(it) + end(), length=UNDEFINED))


@given(st.lists(st.recursive(elements_of_all_kinds(), sequences, max_leaves=20), max_size=8).map(b"".join))
def test_there_and_back_again_every_byte_is_what_it_was(data):
    for by in (IMPLICIT, BIG_ENDIAN):
        assert transcribed(transcribed(data, EXPLICIT, by), by, EXPLICIT) == data


#: PS3.5 7.3: what eight bytes become, and of which VRs.
TURNED = {
    b"\2\1\4\3\6\5\x08\7": b"AT OW SS US",
    b"\4\3\2\1\x08\7\6\5": b"FL OF OL SL UL",
    b"\x08\7\6\5\4\3\2\1": b"FD OD OV SV UV",
}


@pytest.mark.parametrize("vr", OF_EACH_VR)
def test_each_vr_is_turned_round_by_its_unit(vr):
    group, number, _ = OF_EACH_VR[vr]
    value = bytes(range(1, 9))
    turned = next((turned for turned, vrs in TURNED.items() if vr in vrs.split()), value)
    little, big = explicit(group, number, vr, value), explicit(group, number, vr, turned, order=">")
    assert transcribed(little, EXPLICIT, BIG_ENDIAN) == big
    assert transcribed(big, BIG_ENDIAN, IMPLICIT) == implicit(group, number, value)


def test_the_tags_here_have_their_vrs_in_the_dictionary():
    found = {
        vr: dictionary_VR((group, number)) for vr, (group, number, _) in OF_EACH_VR.items() if vr != b"UN"
    }
    assert {vr.decode(): listed.split()[-1] for vr, listed in found.items()} == {
        vr.decode(): vr.decode() for vr in found
    }


def test_explicit_lengths_of_sequences_and_items_become_undefined():
    inner = implicit(0x0008, 0x1150, b"1.2\0")
    data = implicit(0x0008, 0x1140, item(inner, length=len(inner)))
    expected = item(explicit(0x0008, 0x1150, b"UI", b"1.2\0")) + end()
    assert transcribed(data, IMPLICIT, EXPLICIT) == explicit(
        0x0008, 0x1140, b"SQ", expected, length=UNDEFINED
    )


def test_a_sequence_of_vr_un_stays_in_implicit_vr():
    """PS3.5 6.2.2."""
    inner = item(implicit(0x0008, 0x1150, b"1.2\0"))
    data = explicit(0x0009, 0x1001, b"UN", inner + end(), length=UNDEFINED)
    after = explicit(0x0010, 0x0010, b"PN", b"A^B ")
    assert transcribed(data + after, EXPLICIT, IMPLICIT) == (
        implicit(0x0009, 0x1001, inner + end(), length=UNDEFINED) + implicit(0x0010, 0x0010, b"A^B ")
    )


def test_what_is_too_long_for_its_vr_is_un():
    """PS3.5 6.2.2."""
    value = b"x" * 0x10000
    assert transcribed(implicit(0x0010, 0x0010, value), IMPLICIT, EXPLICIT) == explicit(
        0x0010, 0x0010, b"UN", value
    )


def test_what_is_too_long_for_its_vr_is_in_little_endian_as_all_that_is_un():
    value = b"\1\2" * 0x8000
    assert transcribed(implicit(0x0028, 0x0010, value), IMPLICIT, BIG_ENDIAN) == explicit(
        0x0028, 0x0010, b"UN", value, order=">"
    )


@pytest.mark.parametrize(
    ("vr", "padded"),
    [
        *((vr, b"odd ") for vr in (b"PN", b"LO", b"UT")),
        *((vr, b"odd\0") for vr in (b"UI", b"OB", b"UN")),
    ],
)
def test_a_value_of_odd_length_is_padded_as_its_vr_wants_it(vr, padded):
    """PS3.5 7.1.1: there is none in what is written."""
    odd, even = explicit(0x0009, 0x1001, vr, b"odd"), explicit(0x0009, 0x1001, vr, padded)
    assert transcribed(odd, EXPLICIT, EXPLICIT) == even
    assert transcribed(odd, EXPLICIT, IMPLICIT) == implicit(0x0009, 0x1001, padded)
    assert transcribed(odd, EXPLICIT, BIG_ENDIAN) == explicit(0x0009, 0x1001, vr, padded, order=">")


def test_a_value_of_odd_length_is_padded_within_a_sequence_too():
    odd, even = implicit(0x0010, 0x0010, b"A^B"), implicit(0x0010, 0x0010, b"A^B ")
    data = implicit(0x0008, 0x1140, item(odd, length=len(odd)))
    assert transcribed(data, IMPLICIT, IMPLICIT) == implicit(
        0x0008, 0x1140, item(even) + end(), length=UNDEFINED
    )


def test_what_a_private_dictionary_takes_for_a_sequence_may_be_none():
    creator = implicit(0x0009, 0x0010, b"MMCPrivate")
    written = explicit(0x0009, 0x0010, b"LO", b"MMCPrivate")
    assert transcribed(creator + implicit(0x0009, 0x101F, b"no items"), IMPLICIT, EXPLICIT) == (
        written + explicit(0x0009, 0x101F, b"UN", b"no items")
    )
    assert transcribed(creator + implicit(0x0009, 0x101F, item(b"")), IMPLICIT, EXPLICIT) == (
        written + explicit(0x0009, 0x101F, b"SQ", item(b"") + end(), length=UNDEFINED)
    )


def test_lengths_that_would_be_wrong_are_left_out_on_every_level():
    inner = implicit(0x0008, 0x0000, bytes(4)) + implicit(0x0008, 0x1150, b"1.2\0")
    data = implicit(0x0008, 0x0000, bytes(4)) + implicit(0x0008, 0x0001, bytes(4))
    data += implicit(0x0008, 0x1140, item(inner) + end(), length=UNDEFINED)
    expected = item(explicit(0x0008, 0x1150, b"UI", b"1.2\0")) + end()
    assert transcribed(data, IMPLICIT, EXPLICIT) == explicit(
        0x0008, 0x1140, b"SQ", expected, length=UNDEFINED
    )


def test_a_value_longer_than_a_block_is_turned_round_all_of_it():
    value = bytes(range(256)) * (1 << 13)
    found = transcribed(explicit(0x7FE0, 0x0010, b"OW", value), EXPLICIT, BIG_ENDIAN)
    assert found == explicit(0x7FE0, 0x0010, b"OW", turned_round(value, 2), order=">")


def test_what_is_left_over_is_not_turned_round():
    assert turned_round(b"\1\2\3\4\5", 2) == b"\2\1\4\3\5"


# --- what is no Data Set, or cannot be said --------------------------------------------------


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (explicit(0x0010, 0x0010, b"PN", b"A^B")[:-1], r"\(0010,0010\) runs past the end"),
        (explicit(0x0010, 0x0010, b"PN")[:-3], "cut short"),
        (explicit(0x0008, 0x1140, b"SQ", item(b""), length=UNDEFINED), r"\(0008,1140\) has no end"),
        (
            explicit(0x0008, 0x1140, b"SQ", explicit(0x0010, 0x0010, b"PN")),
            r"\(0008,1140\) holds what is no item",
        ),
        (explicit(0x0008, 0x1140, b"SQ", item(b"", length=9)), r"an item of \(0008,1140\) runs past the end"),
        (item(b"", length=0), r"\(FFFE,E000\) is out of place"),
        (struct.pack("<HHI", *ITEM_END, 0), r"\(FFFE,E00D\) is out of place"),
        (
            explicit(0x7FE0, 0x0010, b"OB", item(b"", length=0), length=UNDEFINED),
            "encapsulated Pixel Data has no end",
        ),
        (
            explicit(0x7FE0, 0x0010, b"OB", b"whatever", length=UNDEFINED),
            "encapsulated Pixel Data has no end",
        ),
        (explicit(0x7FE0, 0x0010, b"OB", end(), length=UNDEFINED), r"\(7FE0,0010\) is encapsulated"),
    ],
)
def test_what_is_wrong_is_named(data, reason):
    with pytest.raises(CannotEncode, match=reason):
        transcribed(data, EXPLICIT, IMPLICIT)


ENCAPSULATED = explicit(0x7FE0, 0x0010, b"OB", item(b"", length=0) + end(), length=UNDEFINED)


@pytest.mark.parametrize("target", [IMPLICIT, EXPLICIT, BIG_ENDIAN])
def test_nothing_encapsulated_gets_into_what_is_not_compressed(target):
    """It would be no Data Set of that Transfer Syntax, though its elements look the same in Explicit VR."""
    for data in (
        ENCAPSULATED,
        explicit(0x0088, 0x0200, b"SQ", item(ENCAPSULATED) + end(), length=UNDEFINED),
        explicit(0x0088, 0x0200, b"SQ", item(ENCAPSULATED, length=len(ENCAPSULATED))),
    ):
        with pytest.raises(CannotEncode, match=r"\(7FE0,0010\) is encapsulated"):
            transcribed(data, EXPLICIT, target)


@pytest.mark.parametrize("within", [implicit(0x0009, 0x1001, b"odd"), ENCAPSULATED[:4] + ENCAPSULATED[8:]])
def test_what_is_of_no_vr_must_be_able_to_stay_as_it_is(within):
    data = explicit(0x0009, 0x1001, b"UN", item(within) + end(), length=UNDEFINED)
    with pytest.raises(CannotEncode, match=r"\(0009,1001\) has no VR and holds what cannot stay"):
        transcribed(data, EXPLICIT, EXPLICIT)


def test_an_element_without_a_vr_can_only_lose_it():
    data = explicit(0x0010, 0x0010, b"??", b"A^B ")
    assert transcribed(data, EXPLICIT, IMPLICIT) == implicit(0x0010, 0x0010, b"A^B ")
    with pytest.raises(CannotEncode, match=r"\(0010,0010\) has no valid VR"):
        transcribed(data, EXPLICIT, BIG_ENDIAN)


def nested(depth):
    data = b""
    for _ in range(depth):
        data = explicit(0x0008, 0x1140, b"SQ", item(data) + end(), length=UNDEFINED)
    return data


def test_sequences_lie_no_deeper_than_any_that_is_meant():
    read(nested(DEEPEST), 0, EXPLICIT)
    with pytest.raises(CannotEncode, match="more than 50 deep"):
        read(nested(DEEPEST + 1), 0, EXPLICIT)


def test_there_are_no_more_elements_than_any_object_has(monkeypatch):
    monkeypatch.setattr(structure, "MOST_ELEMENTS", 10)
    read(implicit(0x0010, 0x0010) * 10, 0, IMPLICIT)
    with pytest.raises(CannotEncode, match="more than 10 elements"):
        read(implicit(0x0010, 0x0010) * 11, 0, IMPLICIT)


WHOLE = nested(2) + explicit(0x0010, 0x0010, b"PN", b"A^B ")


@pytest.mark.parametrize("cut", range(1, len(WHOLE)))
@pytest.mark.parametrize("encoding", [IMPLICIT, EXPLICIT, BIG_ENDIAN])
def test_wherever_a_data_set_is_cut_there_is_a_reason_or_a_result(cut, encoding):
    for data in (WHOLE[:cut], WHOLE[cut:]):
        with suppress(CannotEncode):
            assert isinstance(transcribed(data, encoding, IMPLICIT), bytes)
