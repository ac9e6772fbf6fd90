"""Values of each Value Representation that the index knows, good and bad."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdcc.data_set.elements import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    NO_VR,
    Element,
)
from sdcc.data_set.text import DEFAULT_REPERTOIRE, repertoire
from sdcc.data_set.values import LONGEST_TEXT, READERS

LITTLE, BIG, IMPLICIT = EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN


def read(vr, value, *, characters=DEFAULT_REPERTOIRE, encoding=LITTLE, explicit_vr=None):
    return READERS[vr](Element(explicit_vr or vr.encode(), value), characters, encoding)


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (b"20040119", datetime.date(2004, 1, 19)),
        (b"2004.01.19", datetime.date(2004, 1, 19)),
        (b"20240229", datetime.date(2024, 2, 29)),
        (b"00010101 ", datetime.date(1, 1, 1)),
        (b" 20040119\0", datetime.date(2004, 1, 19)),
        (b"20040119\\20050101", datetime.date(2004, 1, 19)),
    ],
)
def test_dates(value, meant):
    assert read("DA", value) == (meant, None)


@pytest.mark.parametrize(
    "value",
    [
        b"00000000",
        b"20230229",
        b"20041301",
        b"2004011",
        b"200401191",
        b"2004.0119",
        b"2004-01-19",
        b"20040119-",
        b"ANONYMOUS",
        b"2004011\xb2",
        b"20\x0004119",
    ],
)
def test_no_dates(value):
    assert read("DA", value) == (None, "not a date")


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (b"07", datetime.time(7)),
        (b"0730", datetime.time(7, 30)),
        (b"073059", datetime.time(7, 30, 59)),
        (b"073059.1", datetime.time(7, 30, 59, 100000)),
        (b"073059.000001", datetime.time(7, 30, 59, 1)),
        (b"073059.12345 ", datetime.time(7, 30, 59, 123450)),
        (b"07:30:59", datetime.time(7, 30, 59)),
        (b"07:30:59.5", datetime.time(7, 30, 59, 500000)),
        (b"235960", datetime.time(23, 59, 59)),
        (b"000000\0", datetime.time(0)),
        (b"120000\\130000", datetime.time(12)),
    ],
)
def test_times(value, meant):
    assert read("TM", value) == (meant, None)


@pytest.mark.parametrize(
    "value",
    [
        b"7",
        b"073",
        b"24",
        b"0760",
        b"073061",
        b"073059.",
        b"073059.1234567",
        b"07 30",
        b"073059-",
        b"-1",
        b"??",
    ],
)
def test_no_times(value):
    assert read("TM", value) == (None, "not a time")


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (b"0", 0),
        (b"12 ", 12),
        (b" +12", 12),
        (b"-12", -12),
        (b"000000000012", 12),
        (b"2147483647", 2**31 - 1),
        (b"-2147483648", -(2**31)),
        (b"1\\2\\3", 1),
        (b"7\0", 7),
    ],
)
def test_integers(value, meant):
    assert read("IS", value) == (meant, None)


@pytest.mark.parametrize(
    "value",
    [b"1A", b"1.0", b"1e3", b"1_000", b"+ 1", b"-", b"2147483648", b"-2147483649", b"9" * 4000, b"\xb2"],
)
def test_no_integers(value):
    assert read("IS", value) == (None, "not an integer")


@pytest.mark.parametrize(
    ("encoding", "vr", "value", "meant"),
    [
        (LITTLE, b"US", b"\x00\x02", 512),
        (BIG, b"US", b"\x02\x00", 512),
        (IMPLICIT, b"", b"\xff\xff", 65535),
        (LITTLE, b"US", b"\x01\x00\x02\x00", 1),
        (BIG, b"US", b"\x00\x01\x00\x02", 1),
        (LITTLE, b"UN", b"\x00\x02", 512),
        (BIG, b"UN", b"\x00\x02", 512),
        (LITTLE, NO_VR, b"\x00\x02", 512),
    ],
)
def test_unsigned_shorts(encoding, vr, value, meant):
    """In the byte order of the Transfer Syntax, save for those of VR UN."""
    assert READERS["US"](Element(vr, value), DEFAULT_REPERTOIRE, encoding) == (meant, None)


@pytest.mark.parametrize(
    ("vr", "value"), [(b"US", b"\x01"), (b"US", b"\x01\0\0"), (b"IS", b"12"), (b"UL", b"\1\0\0\0")]
)
def test_no_unsigned_shorts(vr, value):
    assert read("US", value, explicit_vr=vr) == (None, "not of VR US")


@pytest.mark.parametrize("value", [b"1.2.840.10008.1.2", b"1.2.840\0", b"1.2.840 ", b"0", b"1.02", b"1" * 64])
def test_uids(value):
    assert read("UI", value) == (value.decode().rstrip("\0 "), None)


@pytest.mark.parametrize(
    "value", [b"1..2", b".1", b"1.", b"1.2a", b"1.2\\1.3", b"../1", b"1" * 65, b"1.2\n", b"1. 2"]
)
def test_what_is_no_uid_is_kept_as_text(value):
    assert read("UI", value) == (value.decode(), "not a UID")


def test_a_uid_is_never_cut():
    """Two that began alike would be one."""
    assert read("UI", b"1" * LONGEST_TEXT) == ("1" * LONGEST_TEXT, "not a UID")
    assert read("UI", b"1" * (LONGEST_TEXT + 1)) == (None, "too long")


@pytest.mark.parametrize("vr", ["LO", "PN", "SH"])
def test_text_is_in_the_character_set_announced(vr):
    assert read(vr, b"R\xfcdiger\\X ", characters=repertoire(b"ISO_IR 100")) == ("Rüdiger\\X", None)


def test_only_a_person_name_has_component_groups():
    assert read("PN", b"A^B==") == ("A^B", None)
    assert read("LO", b"A^B==") == ("A^B==", None)


@pytest.mark.parametrize(("vr", "kept"), [("CS", "R\ufffd"), ("UI", "R\ufffd")])
def test_codes_are_ascii_whatever_is_announced(vr, kept):
    assert read(vr, b"R\xfc", characters=repertoire(b"ISO_IR 100")) == (
        kept,
        "bytes outside its character set",
    )


@pytest.mark.parametrize("vr", ["CS", "LO", "PN", "SH"])
def test_long_text_is_cut(vr):
    assert read(vr, b"x" * LONGEST_TEXT) == ("x" * LONGEST_TEXT, None)
    assert read(vr, b"x" * (LONGEST_TEXT + 1)) == ("x" * LONGEST_TEXT, "too long, cut")


@pytest.mark.parametrize("vr", READERS)
def test_an_empty_value_is_none(vr):
    assert read(vr, b"") == (None, None)


@pytest.mark.parametrize("vr", [vr for vr in READERS if vr != "US"])
@pytest.mark.parametrize("value", [b"  ", b"\0\0"])
def test_padding_alone_is_none(vr, value):
    assert read(vr, value) == (None, None)


@pytest.mark.parametrize("vr", ["CS", "LO", "PN", "SH", "DA", "TM", "IS"])
def test_empty_values_alone_are_none(vr):
    assert read(vr, b"\\ \\") == (None, None)


@settings(deadline=None)
@given(st.sampled_from([*READERS]), st.binary(max_size=80), st.sampled_from([LITTLE, BIG, IMPLICIT]))
def test_any_bytes_give_what_the_index_takes(vr, value, encoding):
    """Or None, and without an exception."""
    found, fault = read(vr, value, encoding=encoding)

    if isinstance(found, str):
        assert 0 < len(found) <= LONGEST_TEXT
        assert "\0" not in found
    elif isinstance(found, int):
        assert -(2**31) <= found < 2**31
    assert fault is None or "\\" not in fault


def test_a_backslash_in_a_long_text_is_text():
    """And what comes before it keeps its spaces: there are no several values to trim."""
    assert read("LT", b"left \\ right\r\nbelow ") == ("left \\ right\r\nbelow", None)
    assert read("LO", b"left \\ right ") == ("left\\right", None)
