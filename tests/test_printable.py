"""Text from strangers cannot forge a line, steer a terminal or spoil a row."""

from __future__ import annotations

import pytest

from sdcc.printable import ae_value, byte_count, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("CT 01", "CT 01"),
        ("Yamada^Tarou=山田^太郎", "Yamada^Tarou=山田^太郎"),
        ("a\nb", r"a\nb"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b2J", r"\x9b2J"),
        ("\u202eevil", r"\u202eevil"),
        ("\ud800", r"\ud800"),
        ("it's", "it's"),
        ("it's\0", r"it's\x00"),
    ],
)
def test_what_is_not_printable_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(text).isprintable()


@pytest.mark.parametrize(
    ("title", "value"),
    [
        ("CT01", "CT01"),
        ("  CT 01  ", "CT 01"),
        ("A\0B\nC", "A?B?C"),
        ("A\\B", "A?B"),
        ("M\xfcller", "M?ller"),
        ("A" * 20, "A" * 16),
        ("A" * 15 + " B", "A" * 15),
    ],
)
def test_an_ae_title_becomes_an_ae_value(title: str, value: str) -> None:
    assert ae_value(title) == value


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 KB"),
        (525_312, "525 KB"),
        (999_499, "999 KB"),
        (999_500, "1 MB"),
        (126_000_000, "126 MB"),
        (1_073_741_824, "1.07 GB"),
        (5_000_000_000_000, "5 TB"),
    ],
)
def test_bytes_have_three_digits(count: int, words: str) -> None:
    assert byte_count(count) == words
