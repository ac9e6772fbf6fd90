"""Text in each of the statement's character sets, and in none of them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdcc.conformance import CHARACTER_SETS
from sdcc.data_set.text import DEFAULT_REPERTOIRE, repertoire

GREEK = (b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2", "Διονυσιος")
ENGLISH = (b"Adams^John Robert Quincy^^Rev.^B.A. M.Div.", "Adams^John Robert Quincy^^Rev.^B.A. M.Div.")
#: By the last part of a Defined Term: the sets of one byte a character, in which a name needs no escape.
SINGLE_BYTE = {
    "6": ENGLISH,
    "100": (b"\xc4neas^R\xfcdiger", "Äneas^Rüdiger"),
    "101": (b"Wa\xb3\xeasa^L\xf3d\xbc", "Wałęsa^Lódź"),
    "109": (b"\xd8or\xf8o^\xa1amrun", "Ĝorĝo^Ħamrun"),
    "110": (b"B\xbarzi\xf1\xb9^J\xe0nis", "Bērziņš^Jānis"),
    "144": (b"\xc2\xde\xdb\xe1\xe2\xde\xd9^\xbb\xd5\xd2", "Толстой^Лев"),
    "127": (b"\xe2\xc8\xc7\xe6\xea^\xe4\xe6\xd2\xc7\xd1", "قباني^لنزار"),
    "126": GREEK,
    "138": (b"\xf9\xf8\xe5\xef^\xe3\xe1\xe5\xf8\xe4", "שרון^דבורה"),
    "148": (b"\xc7avu\xfeo\xf0lu^\xddbrahim", "Çavuşoğlu^İbrahim"),
    "13": (b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
    "166": (b"\xca\xc1\xaa\xd2\xc2^\xe3\xa8\xb4\xd5", "สมชาย^ใจดี"),
}
#: The sets of several bytes a character, in a name as they are written when they are the only one announced.
MULTI_BYTE = {
    "87": (b"\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", "山田^太郎"),
    "159": (b"\x1b$(D\x30\x21\x30\x22\x1b(B^\x1b$(D\x6d\x63\x1b(B", "丂丄^龥"),
    "149": (b"\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7", "洪^吉洞"),
    "192": (b"Wang^XiaoDong=\xe7\x8e\x8b^\xe5\xb0\x8f\xe6\x9d\xb1", "Wang^XiaoDong=王^小東"),
    "GB18030": (b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab", "Wang^XiaoDong=王^小东"),
}
#: PS3.5 Tables 6-2 and C.12-3: what designates each as G1.
ESCAPES = {
    "100": b"\x1b-A",
    "101": b"\x1b-B",
    "109": b"\x1b-C",
    "110": b"\x1b-D",
    "144": b"\x1b-L",
    "127": b"\x1b-G",
    "126": b"\x1b-F",
    "138": b"\x1b-H",
    "148": b"\x1b-M",
    "13": b"\x1b)I",
    "166": b"\x1b-T",
}


def last_part(term):
    return term.replace("_", " ").split(" ")[-1]


def decode(character_set, value):
    """The text of a person's name, and every fault found on the way."""
    characters = repertoire(character_set.encode())
    text, fault = characters.decode(value, person_name=True)
    return text, [found for found in (characters.fault, fault) if found]


@pytest.mark.parametrize("row", CHARACTER_SETS, ids=lambda row: row.term)
@pytest.mark.parametrize(
    "spell",
    [
        lambda row: row.term,
        lambda row: row.defined_term,
        lambda row: f" {row.term.replace('_', '-')} ",
        lambda row: row.term.replace("_", " ").lower(),
        lambda row: row.defined_term.replace(" ", "_"),
        lambda row: row.defined_term.replace(" ", "").replace("_", ""),
    ],
    ids=["statement", "standard", "hyphens", "lower case", "underscores", "joined"],
)
def test_each_character_set_of_the_statement(row, spell):
    """However its term is spelt, each of the thirty gives the Unicode that was meant."""
    value, meant = {**SINGLE_BYTE, **MULTI_BYTE}[last_part(row.term)]

    assert decode(spell(row), value) == (meant, [])


def test_the_tables_above_are_complete():
    assert {last_part(row.term) for row in CHARACTER_SETS} == {*SINGLE_BYTE, *MULTI_BYTE}
    assert len(CHARACTER_SETS) == 30


@pytest.mark.parametrize("number", ESCAPES)
@pytest.mark.parametrize("first", ["", "ISO 2022 IR 6", "ISO_IR 6", "ISO 2022 IR 126"])
def test_a_single_byte_set_by_code_extension(number, first):
    """A further set is designated by its escape sequence, and each delimiter brings the first back."""
    value, meant = SINGLE_BYTE[number]
    escaped = b"^".join(ESCAPES[number] + part for part in value.split(b"^"))
    before, first_meant = GREEK if first.endswith("126") else (b"Smith", "Smith")

    assert decode(rf"{first}\ISO 2022 IR {number}", before + b"=" + escaped + b"=" + before) == (
        f"{first_meant}={meant}={first_meant}",
        [],
    )


@pytest.mark.parametrize(
    ("character_set", "value", "meant"),
    [
        (  # PS3.5 H.3.1
            r"\ISO 2022 IR 87",
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
        ),
        (  # PS3.5 H.3.2
            r"ISO 2022 IR 13\ISO 2022 IR 87",
            b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J="
            b"\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
            "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
        ),
        (  # PS3.5 I.2
            r"\ISO 2022 IR 149",
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
            "Hong^Gildong=洪^吉洞=홍^길동",
        ),
        (  # PS3.5 K.2
            r"\ISO 2022 IR 58",
            b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
            "Zhang^XiaoDong=张^小东",
        ),
        # Misspelt, as the statement has it.
        (r"ISO_2022_IR_6\ISO_2022_IR_87", b"\x1b$B;3ED\x1b(B^A", "山田^A"),
        (r"ISO_IR_6\ISO_IR_149", b"\x1b$)C\xfb\xf3", "洪"),
        # Kanji of both sets, and katakana after an escape sequence, in one name.
        (
            r"ISO 2022 IR 6\ISO 2022 IR 13\ISO 2022 IR 87\ISO 2022 IR 159",
            b"\x1b)I\xd4\xcf\xc0\xde^A=\x1b$B;3\x1b$(D\x30\x21\x1b$BED\x1b(B",
            "ﾔﾏﾀﾞ^A=山丂田",
        ),
        # Bytes 3D, 5C and 5E are no delimiters while they are half a kanji.
        (r"\ISO 2022 IR 87", b"\x1b$B=P8}\x1b(B^\x1b$B0=0^0\\\x1b(B=A", "出口^綾緯移=A"),
        # G1 stays designated while G0 changes.
        (
            r"\ISO 2022 IR 144\ISO 2022 IR 87",
            b"\x1b-L\xbb\xee\x1b$B;3\x1b(B\xda\x1b(J\xdc",
            "Лю山км",
        ),
        # TAB, LF, FF and CR bring the first sets back as well.
        (
            r"ISO 2022 IR 100\ISO 2022 IR 126",
            b"\x1b-F\xc4\r\n\xc4\x1b-F\xc4\t\xc4\x1b-F\xc4\x0c\xc4",
            "Δ\r\nÄΔ\tÄΔ\fÄ",
        ),
        (r"ISO 2022 IR 13\ISO 2022 IR 87", b"\x1b$B;3\r\n\xd4", "山\r\nﾔ"),
        # Spaces are no part of the sets.
        (r"\ISO 2022 IR 87", b"\x1b$B;3 ED\x1b(B J", "山 田 J"),
    ],
)
def test_code_extension(character_set, value, meant):
    assert decode(character_set, value) == (meant, [])


def test_of_several_values_each_begins_with_the_first_set():
    """A backslash ends a designation, but is none while it is half a character."""
    characters = repertoire(rb"ISO 2022 IR 100\ISO 2022 IR 126\ISO 2022 IR 87")

    assert characters.decode(b"\x1b-F\xc4\\\xc4\\\x1b$B0\\;3\x1b(B\\Z") == ("Δ\\Ä\\移山\\Z", None)


def test_only_a_name_is_delimited_by_circumflex_and_equals_sign():
    characters = repertoire(rb"ISO 2022 IR 100\ISO 2022 IR 126")

    assert characters.decode(b"\x1b-F\xc4^\xc4=\xc4") == ("Δ^Δ=Δ", None)
    assert characters.decode(b"\x1b-F\xc4^\xc4\x1b-F\xc4=\xc4", person_name=True) == ("Δ^ÄΔ=Ä", None)


@pytest.mark.parametrize(
    ("character_set", "value", "meant"),
    [
        ("ISO_IR 13", b"~\\\xa1\xdf", "‾\\｡ﾟ"),
        (r"\ISO 2022 IR 13", b"~\x1b(J~\x1b(B~", "~‾~"),
        # 5C as a second byte, and a character of four bytes.
        ("GB18030", b"\x81\\^\x95\x34\xb2\x35", "乗^𠮷"),
        ("GBK", b"\xcd\xf5", "王"),
        ("ISO_IR 192", "𠮷野^\u200dA".encode(), "𠮷野^\u200dA"),
        ("ISO_IR 100", b"A\xa0B", "A\xa0B"),
    ],
)
def test_characters_that_are_often_got_wrong(character_set, value, meant):
    assert decode(character_set, value) == (meant, [])


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (b"Smith^John ", "Smith^John"),
        (b" Smith^John\0", "Smith^John"),
        (b"A \\ B\\C\0", "A\\B\\C"),
        (b"Smith^John==", "Smith^John"),
        (b"Smith==S\\Jones= ", "Smith==S\\Jones"),
        (b"OB^^^^", "OB^^^^"),
        (b"=\\ ", "\\"),
        (b"", ""),
    ],
)
def test_padding_goes_and_what_separates_stays(value, meant):
    assert DEFAULT_REPERTOIRE.decode(value, person_name=True) == (meant, None)


@pytest.mark.parametrize(
    ("character_set", "value", "kept", "faults"),
    [
        # Bytes above 7F where nothing is announced.
        ("", b"R\xfcdiger", "R\ufffddiger", ["bytes outside its character set"]),
        ("ISO_IR 6", b"\xe7\x8e\x8b", "\ufffd\ufffd\ufffd", ["bytes outside its character set"]),
        (
            r"\ISO 2022 IR 149",
            b"\xfb\xf3^\x1b$)C\xfb\xf3^\xfb\xf3",
            "��^洪^��",
            ["bytes outside its character set"],
        ),
        # Bytes that the set announced does not have.
        ("ISO_IR 192", b"R\xfcdiger", "R\ufffddiger", ["bytes outside its character set"]),
        ("ISO_IR 192", b"\xed\xa0\x80", "\ufffd\ufffd\ufffd", ["bytes outside its character set"]),
        ("ISO_IR 127", b"\xe2\xff", "ق\ufffd", ["bytes outside its character set"]),
        ("ISO_IR 13", b"\x8eR\xb1", "\ufffdRｱ", ["bytes outside its character set"]),
        ("ISO_IR 100", b"A\x80\x9fB", "A\ufffd\ufffdB", ["control characters"]),
        (r"\ISO 2022 IR 87", b"\x1b$B;3E\x1b(BX", "山\ufffdX", ["bytes outside its character set"]),
        # What no text may hold.
        ("ISO_IR 100", b"A\0B\x07", "A\ufffdB\ufffd", ["control characters"]),
        ("", b"\x1b[2J\x7f", "\ufffd[2J\ufffd", ["control characters"]),
        ("ISO_IR 192", b"\x1b$B;3", "\ufffd$B;3", ["control characters"]),
        (r"\ISO 2022 IR 87", b"\x1b$B;3\x1b\x1b(BX\x1b", "山\ufffdX\ufffd", ["control characters"]),
        # Sets that are used but not announced: the text is right, and can be doubted.
        ("", b"\x1b$B;3ED\x1b(B", "山田", ["unannounced escape sequence"]),
        (r"\ISO 2022 IR 87", b"\x1b-F\xc4", "Δ", ["unannounced escape sequence"]),
        # Terms.
        ("ISO_IR 999", b"R\xfcdiger", "R\ufffddiger", ["unknown term", "bytes outside its character set"]),
        ("latin_1", b"Ruediger", "Ruediger", ["unknown term"]),
        ("\xff\x00", b"Ruediger", "Ruediger", ["unknown term"]),
        (r"ISO_IR 100\ISO_IR 999", b"R\xfcdiger", "Rüdiger", ["unknown term"]),
        (r"ISO_IR 100\ISO_IR 192", b"R\xfcdiger", "Rüdiger", ["terms that cannot be combined"]),
        (r"ISO_IR 192\ISO 2022 IR 87", "山田".encode(), "山田", ["terms that cannot be combined"]),
        (r"GB18030\ISO_IR 192", b"\xcd\xf5", "王", ["terms that cannot be combined"]),
        (
            r"\ISO_IR 192",
            "山".encode(),
            "���",
            ["terms that cannot be combined", "bytes outside its character set"],
        ),
    ],
)
def test_what_cannot_be_decoded_is_replaced_and_told(character_set, value, kept, faults):
    assert decode(character_set, value) == (kept, faults)


TERMS = st.lists(st.sampled_from([row.term for row in CHARACTER_SETS] + ["", "X"]), max_size=4).map("\\".join)
PIECES = [*ESCAPES.values(), b"\x1b$B", b"\x1b$(D", b"\x1b$)C", b"\x1b(B", b"^", b"=", b"\\", b"\r"]
FRAGMENTS = st.lists(st.binary(max_size=6) | st.sampled_from(PIECES)).map(b"".join)


@settings(deadline=None)
@given(TERMS.map(str.encode) | st.binary(max_size=40), FRAGMENTS, st.booleans())
def test_any_bytes_give_text_that_a_database_takes(character_set, value, person_name):
    characters = repertoire(character_set)
    text, fault = characters.decode(value, person_name=person_name)

    assert not any(ord(character) < 9 or 0xD800 <= ord(character) < 0xE000 for character in text)
    assert text.encode("utf-8").decode("utf-8") == text
    assert fault or "\ufffd" not in text or "\ufffd".encode() in value
