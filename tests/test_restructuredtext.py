"""Tables and literals of reStructuredText, as text and as docutils reads them."""

from __future__ import annotations

import pytest
from docutils import nodes
from docutils.core import publish_doctree
from hypothesis import example, given
from hypothesis import strategies as st

from sdcc.restructuredtext import WIDTH, literal, table


def test_a_table_is_as_wide_as_its_cells() -> None:
    assert table(("A", "Header"), [("first", "x"), ("b", "y z")]).splitlines() == [
        "=====  ======",
        "A      Header",
        "=====  ======",
        "first  x",
        "b      y z",
        "=====  ======",
    ]


def test_the_last_column_is_wrapped() -> None:
    lines = table(("A", "B"), [("first", "word " * 40), ("second", "end")]).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert lines[3].startswith("first   word")
    assert lines[4].startswith("        word")
    assert lines[-2] == "second  end"


def test_a_word_longer_than_the_column_stays_whole() -> None:
    assert "x" * 200 in table(("A", "B"), [("first", "x" * 200)])


@pytest.mark.parametrize(
    ("text", "shown"),
    [("CT01", "``CT01``"), ("*A_", "``*A_``"), ("A`B", r"A\`B"), ("``_|", r"\`\`\_\|")],
)
def test_a_literal_stands_for_itself(text: str, shown: str) -> None:
    assert literal(text) == shown


@given(
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=16).map(str.strip).filter(bool)
)
@example("``")
@example("A``")
@example("-")
@example("..")
@example("==")
@example("[1]_")
def test_docutils_reads_a_literal_as_the_text_that_it_was(text: str) -> None:
    """Any warning is an error."""
    document = publish_doctree(
        table(("A", "B"), [(literal(text), f"before {literal(text)} after"), ("b", "c")]),
        settings_overrides={"halt_level": 1, "report_level": 5},
    )
    entries = [entry.astext() for entry in document.findall(nodes.entry)]
    assert entries[2:] == [text, f"before {text} after", "b", "c"]
