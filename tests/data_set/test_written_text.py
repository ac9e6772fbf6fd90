"""Text written in each of the statement's character sets, byte for byte and as another program reads it."""

from __future__ import annotations

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.charset import decode_bytes

from sdcc.conformance import CHARACTER_SETS
from sdcc.data_set.text import repertoire
from sdcc.data_set.written_text import encode

from .test_text import ESCAPES, MULTI_BYTE, SINGLE_BYTE, last_part

#: In no set but Unicode's and China's.
FACE = "\U0001f600"


def written(character_set, text, *, person_name=True):
    return encode(text, repertoire(character_set.encode()), person_name=person_name)


@pytest.mark.parametrize("row", CHARACTER_SETS, ids=lambda row: row.term)
def test_each_character_set_of_the_statement(row):
    value, meant = {**SINGLE_BYTE, **MULTI_BYTE}[last_part(row.term)]

    assert written(row.term, meant) == value


@pytest.mark.parametrize("row", CHARACTER_SETS, ids=lambda row: row.term)
def test_what_is_in_no_set_is_not_written(row):
    """Then it is for the caller to choose another."""
    is_unicode = last_part(row.term) in ("192", "GB18030")

    assert (written(row.term, f"A{FACE}") is None) is not is_unicode


@pytest.mark.parametrize(
    ("character_set", "text"),
    [
        ("", "Müller"),
        ("ISO_IR 100", "Łódź"),
        ("ISO_IR 100", "山田"),
        ("ISO_IR 101", "Ñandú"),
        ("ISO_IR 13", "~"),
        ("ISO_IR 13", "山"),
        ("ISO 2022 IR 126", "Ä"),
        (r"\ISO 2022 IR 87", "丂"),
        (r"\ISO 2022 IR 87", "Ä"),
        (r"\ISO 2022 IR 159", "山"),
        # A syllable that KS X 1001 does not have, though Python's codec spells it in eight bytes.
        (r"\ISO 2022 IR 149", "힣"),
        (r"\ISO 2022 IR 58", "張"),
        ("GBK", FACE),
        ("ISO_IR 100", "\ufffd"),
        # Of the set's codes some are no characters.
        ("ISO_IR 127", "\ufffd"),
        ("ISO_IR 100", "\x85"),
    ],
)
def test_what_a_set_does_not_have_is_not_written(character_set, text):
    assert written(character_set, text) is None


@pytest.mark.parametrize(
    ("character_set", "text", "value"),
    [
        (  # PS3.5 H.3.1
            r"\ISO 2022 IR 87",
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
        ),
        (  # PS3.5 H.3.2
            r"ISO 2022 IR 13\ISO 2022 IR 87",
            "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
            b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J="
            b"\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
        ),
        (  # PS3.5 I.2
            r"\ISO 2022 IR 149",
            "Hong^Gildong=洪^吉洞=홍^길동",
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
        ),
        (  # PS3.5 K.2
            r"\ISO 2022 IR 58",
            "Zhang^XiaoDong=张^小东",
            b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab",
        ),
        (r"ISO 2022 IR 100\ISO 2022 IR 126", "ÄΔ^Ä\\Ä", b"\xc4\x1b-F\xc4^\xc4\\\xc4"),
        (r"ISO 2022 IR 100\ISO 2022 IR 126", "ÄΔÄ", b"\xc4\x1b-F\xc4\x1b-A\xc4"),
        (r"\ISO 2022 IR 87\ISO 2022 IR 159", "山丂 A", b"\x1b$B;3\x1b$(D0!\x1b(B A"),
        # JIS X 0208 has Cyrillic letters of its own.
        (r"\ISO 2022 IR 144\ISO 2022 IR 87", "Лю山к A", b"\x1b-L\xbb\xee\x1b$B;3'\\\x1b(B A"),
        (r"ISO 2022 IR 13\ISO 2022 IR 87", "山ﾔ", b"\x1b$B;3\x1b(J\xd4"),
        (r"ISO 2022 IR 13\ISO 2022 IR 87", "‾~ﾔ", b"~\x1b(B~\xd4\x1b(J"),
    ],
)
def test_code_extension(character_set, text, value):
    """Sets are designated where they are needed, and each delimiter brings the first back."""
    assert written(character_set, text) == value


def test_only_a_name_is_delimited_by_circumflex_and_equals_sign():
    sets = r"ISO 2022 IR 100\ISO 2022 IR 126"

    assert written(sets, "Δ^Δ=Δ", person_name=False) == b"\x1b-F\xc4^\xc4=\xc4"
    assert written(sets, "Δ^Δ=Δ") == b"\x1b-F\xc4^\x1b-F\xc4=\x1b-F\xc4"


#: The sets of a value of Specific Character Set, and texts that are in them.
MIXTURES = {
    **{rf"\ISO 2022 IR {number}": [SINGLE_BYTE[number][1], "Smith", "A~B"] for number in ESCAPES},
    r"ISO 2022 IR 100\ISO 2022 IR 144\ISO 2022 IR 126": ["Äö", "Толстой", "Διο", "x y"],
    r"\ISO 2022 IR 87\ISO 2022 IR 159": ["山田", "丂", "やま", "Yamada", "出口綾緯移"],
    r"ISO 2022 IR 13\ISO 2022 IR 87": ["ﾔﾏﾀﾞ", "山田", "Yamada"],
    r"\ISO 2022 IR 149": ["洪", "길동", "Hong"],
    r"\ISO 2022 IR 58": ["张", "小东", "Zhang"],
    r"\ISO 2022 IR 100\ISO 2022 IR 87": ["Äö", "山田", "Smith"],
}
MIXED = st.sampled_from(sorted(MIXTURES)).flatmap(
    lambda sets: st.tuples(
        st.just(sets),
        st.lists(st.sampled_from([*MIXTURES[sets], "^", "=", " "]), min_size=1, max_size=12).map("".join),
    )
)


@given(MIXED)
@settings(max_examples=300)
def test_what_is_written_is_read_again(mixed):
    sets, text = mixed
    characters = repertoire(sets.encode())

    value = encode(text, characters, person_name=True)

    assert value is not None
    assert characters.decode(value, person_name=True) == (text.rstrip(" =").lstrip(" "), None)


# pydicom takes the escape sequence of GB 2312 for text, has Shift_JIS for JIS X 0201, and no delimiter
# brings Latin 1 back.
@given(MIXED.filter(lambda mixed: not mixed[0].endswith(("58", "126")) and "~" not in mixed[1]))
@settings(max_examples=300)
def test_another_program_reads_the_same(mixed):
    sets, text = mixed
    value = written(sets, text)

    encodings = pydicom.charset.convert_encodings(sets.split("\\"))
    assert decode_bytes(value, encodings, {"\\", "^", "="}) == text
