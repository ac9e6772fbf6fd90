"""Names as they are compared."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from sdcc.index.folding import folded, folded_names, folded_patient_name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yamada", "yamada"),
        ("MÜLLER", "müller"),
        ("Mu\u0308ller", "müller"),
        ("Straße", "straße"),
        ("STRAẞE", "straße"),
        ("ΣΟΦΟΣ", "σοφοσ"),
        ("Σοφός", "σοφόσ"),
        ("ИВАНОВ", "иванов"),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER A}", "\N{FULLWIDTH LATIN SMALL LETTER A}"),
        ("山田", "山田"),
        ("\N{DESERET CAPITAL LETTER LONG I}", "\N{DESERET SMALL LETTER LONG I}"),
    ],
)
def test_case_is_folded_in_every_script(text: str, expected: str) -> None:
    assert folded(text) == expected


def test_a_character_stays_one() -> None:
    """As a pattern's `?` is one, once it is composed; and what is folded stays as it is when folded again."""
    for character in map(chr, range(sys.maxunicode + 1)):
        composed = unicodedata.normalize("NFC", character)
        assert len(folded(character)) == len(composed)
        assert folded(folded(character)) == folded(character)


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        (None, (None, None, None)),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", ("yamada^tarou", "山田^太郎", "やまだ^たろう")),
        ("A^B^^^ ", ("a^b", "", "")),
        ("=X^^=", ("", "x", "")),
        ("^^^^", ("", "", "")),
        ("A=B=C=D", ("a", "b", "c=d")),
        ("^A^", ("^a", "", "")),
    ],
)
def test_a_patients_name_has_three_groups_without_empty_ends(name: str | None, groups: object) -> None:
    assert folded_patient_name(name) == groups


def test_other_names_keep_their_delimiters() -> None:
    assert folded_names("A^B^=C^\\=D") == "a^b=c\\=d"
    assert folded_names(None) is None


@pytest.mark.parametrize("fold", [folded_patient_name, folded_names])
def test_what_is_no_text_is_refused(fold: object) -> None:
    with pytest.raises(TypeError):
        fold(4711)
