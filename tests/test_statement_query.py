"""The keys of queries as the conformance statement lists them, read through docutils."""

from __future__ import annotations

import pytest
from docutils import nodes
from docutils.core import publish_doctree

from sdcc.services.query_retrieve.keys import KEYS
from sdcc.services.query_retrieve.matching import READINGS
from sdcc.statement_query import MATCHINGS, answers_limit, query_keys


@pytest.fixture(scope="module")
def rows() -> list[tuple[str, ...]]:
    document = publish_doctree(query_keys(), settings_overrides={"halt_level": 1, "report_level": 5})
    return [
        tuple(" ".join(entry.astext().split()) for entry in row.findall(nodes.entry))
        for row in document.findall(nodes.row)
    ]


def test_every_key_is_listed_once_under_its_level(rows: list[tuple[str, ...]]) -> None:
    listed = {tag: level for level, _, tag, _ in rows[1:]}

    assert len(rows) == 1 + len(listed) == 1 + len(KEYS) + 2
    for tag, key in KEYS.items():
        assert listed[f"({tag >> 16:04X},{tag & 0xFFFF:04X})"] == key.level
    assert [tag for tag, level in listed.items() if level == "every"] == ["(0008,0054)", "(0008,0056)"]


@pytest.mark.parametrize(
    "row",
    [
        ("PATIENT", "Patient ID", "(0010,0020)", "single value, list, wild card; the Unique Key"),
        ("STUDY", "Study Date", "(0008,0020)", "single value, range"),
        ("STUDY", "Study Instance UID", "(0020,000D)", "single value, list; the Unique Key"),
        ("STUDY", "Number of Study Related Series", "(0020,1206)", "returned only"),
        (
            *("STUDY", "Procedure Code Sequence", "(0008,1032)"),
            "sequence, of Code Value (0008,0100), Coding Scheme Designator (0008,0102), Coding Scheme Version"
            " (0008,0103), Code Meaning (0008,0104): each single value, list, wild card",
        ),
        ("IMAGE", "Instance Number", "(0020,0013)", "single value, as a number"),
        ("every", "Instance Availability", "(0008,0056)", "returned only"),
    ],
)
def test_a_row_says_how_its_key_is_matched(rows: list[tuple[str, ...]], row: tuple[str, ...]) -> None:
    assert row in rows


def test_what_is_said_of_a_vr_is_what_is_read_from_its_values() -> None:
    for vr, words in MATCHINGS.items():
        if vr in ("US", "SQ"):
            continue
        reading = READINGS[vr].__name__
        assert ("wild card" in words) is (reading in ("_text", "_long_text", "_person_name"))
        assert ("list" in words) is (reading in ("_text", "_single_or_list"))
        assert ("range" in words) is (reading in ("_date", "_time"))


@pytest.mark.parametrize(
    ("maximum", "words"),
    [
        (0, "The number of answers is not limited."),
        (500, "A query with more than 500 matches ends with A700 after so many answers."),
    ],
)
def test_the_limit_on_answers(maximum: int, words: str) -> None:
    assert answers_limit(maximum) == words
