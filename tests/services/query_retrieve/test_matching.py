"""The matching of PS3.4 C.2.2.2 as it is read from a value, by its VR."""

from __future__ import annotations

from datetime import date, time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdcc.data_set.elements import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, Element
from sdcc.data_set.text import DEFAULT_REPERTOIRE, repertoire
from sdcc.queries import DateRange, PersonName, SingleValue, TimeRange, UIDList, WildCard
from sdcc.services.query_retrieve.matching import LONGEST_TEXT, READINGS, BadValue, read_matching

NEW_YEAR, LEAP_DAY = date(2024, 1, 1), date(2024, 2, 29)
LAST = 999_999


def read(vr, value, characters=DEFAULT_REPERTOIRE, explicit_vr=None):
    return read_matching(
        vr, Element(explicit_vr or vr.encode(), value), characters, EXPLICIT_VR_LITTLE_ENDIAN
    )


@pytest.mark.parametrize("vr", [*READINGS, "US"])
def test_nothing_is_universal(vr):
    assert read(vr, b"") is None


@pytest.mark.parametrize("vr", READINGS)
@pytest.mark.parametrize("value", [b" ", b"\0", b"*", b"* ", b"**"])
def test_padding_and_an_asterisk_alone_are_universal(vr, value):
    assert read(vr, value) is None


@pytest.mark.parametrize(
    ("vr", "value", "matching"),
    [
        # single values, without their padding
        ("LO", b"P1 ", SingleValue("P1")),
        ("LO", b" P1", SingleValue("P1")),
        ("LO", b"a B", SingleValue("a B")),
        ("SH", b"1-2", SingleValue("1-2")),
        ("CS", b"CT", SingleValue("CT")),
        ("AE", b"CT01", SingleValue("CT01")),
        ("AS", b"045Y", SingleValue("045Y")),
        ("DS", b"1.80", SingleValue("1.80")),
        ("IS", b"7 ", SingleValue(7)),
        ("IS", b"+007", SingleValue(7)),
        ("IS", b"-1", SingleValue(-1)),
        ("UI", b"1.2.3\0", SingleValue("1.2.3")),
        ("UI", b"no UID", SingleValue("no UID")),
        ("US", b"\x00\x02", SingleValue(512)),
        # lists
        ("UI", b"1.2\\1.3", UIDList(("1.2", "1.3"))),
        ("UI", b"1.2\\\\1.3\\\0", UIDList(("1.2", "1.3"))),
        ("UI", b"\\1.2", SingleValue("1.2")),
        ("CS", b"CT\\MR ", UIDList(("CT", "MR"))),
        ("LO", b"P1\\P2", UIDList(("P1", "P2"))),
        # wild cards
        ("LO", b"P*", WildCard("P*")),
        ("LO", b"*P?1 ", WildCard("*P?1")),
        ("SH", b"?", WildCard("?")),
        ("CS", b"C?", WildCard("C?")),
        ("AE", b"CT*", WildCard("CT*")),
        # text of which a backslash is a part
        ("LT", b"a\\b", SingleValue("a\\b")),
        ("LT", b"a \\ b ", SingleValue("a \\ b")),
        ("ST", b"a\\b*", WildCard("a\\b*")),
        ("UT", b"free", SingleValue("free")),
        ("UR", b"http://x/*", WildCard("http://x/*")),
        ("UC", b"a\\b", UIDList(("a", "b"))),
        # names, by component group
        ("PN", b"Doe^Jane", PersonName(("Doe^Jane",))),
        ("PN", b"Doe*", PersonName(("Doe*",))),
        ("PN", b"Doe^Jane^^^ ", PersonName(("Doe^Jane",))),
        ("PN", b"Doe^^", PersonName(("Doe",))),
        ("PN", b"A^B=C^D=E", PersonName(("A^B", "C^D", "E"))),
        ("PN", b"=C^D", PersonName(("", "C^D"))),
        ("PN", b"*=C^D", PersonName(("", "C^D"))),
        ("PN", b"A^B==", PersonName(("A^B",))),
        ("PN", b"A^B=*=*", PersonName(("A^B",))),
        ("PN", b"*^Jane", PersonName(("*^Jane",))),
        ("PN", b"*=*", None),
        ("PN", b"^", None),
        # dates
        ("DA", b"20240229", SingleValue(LEAP_DAY)),
        ("DA", b"2024.02.29", SingleValue(LEAP_DAY)),
        ("DA", b"20240101-20240229", DateRange(NEW_YEAR, LEAP_DAY)),
        ("DA", b"20240101 - 20240229 ", DateRange(NEW_YEAR, LEAP_DAY)),
        ("DA", b"2024.01.01-2024.02.29", DateRange(NEW_YEAR, LEAP_DAY)),
        ("DA", b"20240101-", DateRange(NEW_YEAR, None)),
        ("DA", b"-20240229", DateRange(None, LEAP_DAY)),
        ("DA", b"20240229-20240101", DateRange(LEAP_DAY, NEW_YEAR)),
        # times: what is left out is any
        ("TM", b"101530.250000", SingleValue(time(10, 15, 30, 250_000))),
        ("TM", b"101530.25", TimeRange(time(10, 15, 30, 250_000), time(10, 15, 30, 259_999))),
        ("TM", b"101530", TimeRange(time(10, 15, 30), time(10, 15, 30, LAST))),
        ("TM", b"1015", TimeRange(time(10, 15), time(10, 15, 59, LAST))),
        ("TM", b"10:15", TimeRange(time(10, 15), time(10, 15, 59, LAST))),
        ("TM", b"10", TimeRange(time(10), time(10, 59, 59, LAST))),
        ("TM", b"235960", TimeRange(time(23, 59, 59), time(23, 59, 59, LAST))),
        ("TM", b"1015-1030", TimeRange(time(10, 15), time(10, 30, 59, LAST))),
        ("TM", b"10:15:00 - 10:30:00", TimeRange(time(10, 15), time(10, 30, 0, LAST))),
        ("TM", b"1015-", TimeRange(time(10, 15), None)),
        ("TM", b"-10", TimeRange(None, time(10, 59, 59, LAST))),
    ],
)
def test_what_a_value_means(vr, value, matching):
    assert read(vr, value) == matching


@pytest.mark.parametrize(
    ("vr", "value", "fault"),
    [
        ("DA", b"20230229", "not a date or a range of dates"),
        ("DA", b"2024", "not a date or a range of dates"),
        ("DA", b"2024*", "not a date or a range of dates"),
        ("DA", b"2024-02-29", "not a date or a range of dates"),
        ("DA", b"-", "not a date or a range of dates"),
        ("DA", b"20240101-2024", "not a date or a range of dates"),
        ("DA", b"20240101-20240102-20240103", "not a date or a range of dates"),
        ("DA", b"20240101\\20240102", "not a date or a range of dates"),
        ("TM", b"2400", "not a time or a range of times"),
        ("TM", b"10*", "not a time or a range of times"),
        ("TM", b"1", "not a time or a range of times"),
        ("TM", b"-", "not a time or a range of times"),
        ("TM", b"10-1", "not a time or a range of times"),
        ("TM", b"10\\11", "not a time or a range of times"),
        ("IS", b"1*", "not an integer"),
        ("IS", b"1\\2", "not an integer"),
        ("IS", b"1.5", "not an integer"),
        ("US", b"\1", "not of VR US"),
        ("US", b"\1\0\2\0", "one value is allowed"),
        ("CS", b"C*\\MR", "a wild card in one of several values"),
        ("PN", b"Doe\\Roe", "one name is allowed"),
        ("PN", b"A=B=C=D", "more than three component groups"),
        ("LO", b"\xe4", "bytes outside its character set"),
        ("CS", b"\xe4", "bytes outside its character set"),
        ("LO", b"a\x01b", "control characters"),
        ("LO", b"x" * (LONGEST_TEXT + 1), "too long"),
    ],
)
def test_a_value_that_is_none_is_refused_and_never_universal(vr, value, fault):
    with pytest.raises(BadValue) as raised:
        read(vr, value)
    assert str(raised.value) == fault


def test_a_list_of_uids_may_be_long():
    uids = [f"1.2.{number}" for number in range(4000)]
    assert read("UI", "\\".join(uids).encode()) == UIDList(tuple(uids))


def test_text_is_in_the_character_sets_that_the_identifier_names():
    latin, kanji = repertoire(b"ISO_IR 100"), repertoire(rb"\ISO 2022 IR 87")

    assert read("PN", b"M\xfcller*", latin) == PersonName(("Müller*",))
    assert read("LO", b"\xc4", latin) == SingleValue("Ä")
    # Half a kanji is no wild card, nor equals sign, nor backslash.
    assert read("PN", b"\x1b$B=P8}\x1b(B^\x1b$B0=0^0\\\x1b(B", kanji) == PersonName(("出口^綾緯移",))
    assert read("LO", b"\x1b$B;3\x1b(B*", kanji) == WildCard("山*")
    with pytest.raises(BadValue):
        read("CS", b"\xc4", latin)
    # In a name a circumflex brings the first set back.
    greek = repertoire(rb"ISO 2022 IR 100\ISO 2022 IR 126")
    assert read("PN", b"\x1b-F\xc4^\xc4", greek) == PersonName(("Δ^Ä",))
    assert read("LO", b"\x1b-F\xc4^\xc4", greek) == SingleValue("Δ^Δ")


def test_escape_sequences_that_are_not_announced_are_borne():
    assert read("PN", b"\x1b$B;3ED\x1b(B", repertoire(b"ISO 2022 IR 100")) == PersonName(("山田",))


def test_a_number_is_read_wherever_it_came_from():
    in_implicit_vr = Element(b"", b"\x00\x02")
    assert read_matching("US", in_implicit_vr, DEFAULT_REPERTOIRE, IMPLICIT_VR_LITTLE_ENDIAN) == SingleValue(
        512
    )
    assert read("US", b"\x00\x02", explicit_vr=b"UN") == SingleValue(512)
    with pytest.raises(BadValue):
        read("US", b"12", explicit_vr=b"IS")


@given(
    st.sampled_from([*READINGS, "US"]),
    st.one_of(
        st.lists(st.integers(0, 255), max_size=40).map(bytes),
        st.text("0123*?-^=\\. :", max_size=20).map(str.encode),
    ),
)
@settings(max_examples=500)
def test_any_bytes_mean_something_or_are_refused(vr, value):
    try:
        matching = read(vr, value)
    except BadValue:
        return
    if isinstance(matching, DateRange | TimeRange):
        assert (matching.first, matching.last) != (None, None)
    elif isinstance(matching, PersonName):
        assert 1 <= len(matching.groups) <= 3
        assert matching.groups[-1]
    elif isinstance(matching, UIDList):
        assert len(matching.uids) > 1
        assert all(matching.uids)
