"""Statistics and tables say what was measured."""

from __future__ import annotations

import pytest

from benchmarks.figures import by_cell, faults, percentile
from benchmarks.page import filled_in, side_by_side_parts
from benchmarks.report import as_text, cell_tables, target_table
from benchmarks.targets import TARGETS, Target

from .made_up import result


@pytest.mark.parametrize(("share", "expected"), [(1, 1), (50, 50), (99, 99), (100, 100)])
def test_a_percentile_is_a_value_that_was_measured(share, expected):
    assert percentile(range(1, 101), share) == expected


def test_the_99th_percentile_of_a_few_is_the_largest():
    assert percentile([1, 2, 3], 99) == 3


def test_figures_are_of_one_object_and_one_megabyte():
    found = by_cell([result("x", seconds=2.0)])["a", 1]["x"]
    assert found == {
        "rate": 50.0,
        "megabytes": 25.0,
        "p50": 10.0,
        "p99": 20.0,
        "processor": 5.0,
        "processor_megabyte": 10.0,
        "memory": 60.0,
        "sender": 5.0,
        "lost": 0,
    }


def test_a_cell_is_the_median_of_its_rounds_and_loses_the_sum():
    rounds = [result("x", seconds=seconds, files=99) for seconds in (1.0, 4.0, 2.0)]
    found = by_cell([*rounds, {**result("x"), "failed": "so it did"}])["a", 1]["x"]
    assert (found["rate"], found["lost"]) == (50.0, 3)


def test_echoes_have_no_megabytes_and_lose_nothing():
    echo = result("x", bytes=0)
    del echo["files"]
    (_, (_, row)), *_ = cell_tables([echo | {"work": "d"}], "x")
    assert row == ["x", "1.00", "100.0", "-", "10.00", "20.00", "5.00", "-", "60", "10", "-"]


def test_rates_are_compared_with_the_reference():
    ((title, rows),) = cell_tables([result("ours", seconds=2.0), result("theirs")], "ours")
    assert title == "(a) CT, 525 KB, over one association"
    assert [row[:3] for row in rows[1:]] == [["ours", "1.00", "50.0"], ["theirs", "2.00", "100.0"]]


def test_what_goes_wrong_is_said():
    assert list(faults([result("x")])) == []
    one = result("x", acknowledged=99, refused=["A700"], files=98, registered=97)
    assert list(faults([one, {**result("y"), "failed": "it died"}])) == [
        "(a) over 1, x, round 1: 99 acknowledged, others answered A700",
        "(a) over 1, x, round 1: 99 acknowledged, 98 files",
        "(a) over 1, x, round 1: 99 acknowledged, 97 registered",
        "(a) over 1, y, round 1: failed: it died",
    ]


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [
        ((1, 1), "aim reached"),
        ((1, 1.5), "holds"),
        ((2.1, 1), "MISSED"),
        ((1,), "aim reached, measured in part"),
        ((), "not measured"),
    ],
)
def test_a_target_is_as_good_as_its_worst_cell(seconds, verdict):
    target = Target("a", (4, 16), "theirs", 0.5, 1.0)
    results = [
        result(name, seconds=took, associations=associations)
        for associations, took in zip((4, 16), seconds, strict=False)
        for name, took in (("sdcc-sqlite", took), ("theirs", 1.0))
    ]
    assert target.verdict(by_cell(results)) == verdict


def test_every_target_has_a_row():
    titles, *rows = target_table([result("sdcc-sqlite"), result("storescp", seconds=0.5)])
    assert len(rows) == len(TARGETS)
    assert rows[0] == ["(a) CT, 525 KB", "1", "SQLite", "storescp", "0.50", "0.6", "1", "MISSED"]
    assert all(len(row) == len(titles) for row in rows)


def test_figures_stand_below_each_other():
    rows = [["a", "rate"], ["long", "1.5"], ["b", "10.5"]]
    assert as_text(rows) == [
        "a     rate",
        "long   1.5",
        "b     10.5",
    ]


def test_only_the_measured_parts_of_a_page_are_written():
    page = "By hand.\n\n.. measured: one\n\nold\n\n.. end of one\n\nMore.\n"
    assert filled_in(page, {"one": ["new"]}) == page.replace("old", "new")
    assert filled_in(filled_in(page, {"one": ["x", "y"]}), {"one": ["new"]}) == page.replace("old", "new")


@pytest.mark.parametrize("count", [0, 2])
def test_a_part_must_stand_in_the_page_once(count):
    page = ".. measured: one\n\nold\n\n.. end of one\n" * count
    with pytest.raises(LookupError, match=f"one stands {count} times"):
        filled_in(page, {"one": ["new"]})


def test_a_runs_parts_are_those_of_the_page():
    run = {
        "rounds": 5,
        "quick": False,
        "versions": {"x": "X 1", "y": "X 1"},
        "machine": {"Kernel": "K"},
        "results": [result("x")],
    }
    parts = side_by_side_parts(run, "x")
    assert parts["machine"][-4:] == ["Programs", "    X 1", "Run", "    5 rounds"]
    assert parts["faults"] == ["None."]
