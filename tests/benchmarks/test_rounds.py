"""Every receiver has the same turns, and none spoils another's."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import rounds
from benchmarks.endurance import PARTS
from benchmarks.floor import tables
from benchmarks.machine import description, file_system
from benchmarks.page import filled_in, side_by_side_parts
from benchmarks.targets import TARGETS
from benchmarks.work import WORKS

PAGE = Path(__file__).parents[2] / "docs" / "performance.rst"


class Receiver:
    """One that is only ever said to have been measured."""

    fewest_associations = 2
    most_associations = 10

    @classmethod
    def prepared(cls):
        return contextlib.nullcontext()

    @classmethod
    def version(cls):
        return "as it is"


class Broken(Receiver):
    pass


@pytest.fixture
def measured(monkeypatch):
    """Receivers and cells in the order in which they were measured."""
    found = []

    def measure(receiver, *cell):
        found.append((receiver, *cell))
        if receiver is Broken:
            raise OSError("no such luck")
        return {"seconds": 1.0}

    monkeypatch.setattr(rounds, "measure", measure)
    return found


def test_another_receiver_is_first_in_each_round_and_at_each_cell(measured):
    receivers = {name: type(name, (Receiver,), {}) for name in "xyz"}
    rounds.run(receivers, [("a", 4, 100), ("b", 4, 100)], 3)
    names = [receiver.__name__ for receiver, *_ in measured]
    turns = ["".join(names[start : start + 3]) for start in range(0, len(names), 3)]
    assert turns == ["yzx", "zxy", "zxy", "xyz", "xyz", "yzx"]


def test_a_receiver_that_fails_leaves_the_others_their_results(measured):
    results, versions = rounds.run({"broken": Broken, "sound": Receiver}, [("a", 4, 100)], 2)
    assert len(measured) == 4
    assert versions == {"broken": "as it is", "sound": "as it is"}
    broken = [{"receiver": "broken", "work": "a", "associations": 4, "round": number} for number in (1, 2)]
    assert results == [
        *({**each, "failed": "OSError: no such luck"} for each in broken),
        *({**each, "receiver": "sound", "seconds": 1.0} for each in broken),
    ]


def test_a_receiver_is_asked_for_no_more_and_no_fewer_associations_than_it_is_for(measured):
    rounds.run({"x": Receiver}, [("a", number, 100) for number in (1, 2, 10, 11)], 1)
    assert measured == [(Receiver, "a", 2, 100), (Receiver, "a", 10, 100)]


def test_every_association_has_something_to_do():
    chosen = SimpleNamespace(work=["c"], associations=[1, 4], quick=True)
    assert list(rounds.cells(chosen)) == [("c", 1, 1), ("c", 4, 4)]


def test_every_target_is_measured():
    for target in TARGETS:
        assert set(target.associations) <= set(WORKS[target.work].associations)


def test_the_page_has_a_place_for_all_that_is_measured():
    run = {"rounds": 1, "quick": True, "versions": {}, "machine": {}, "results": []}
    parts = side_by_side_parts(run, "x") | {part: ["measured"] for part in (*PARTS, *tables([]))}
    filled_in(PAGE.read_text("utf-8"), parts)


def test_the_machine_is_described_without_its_name():
    assert file_system("/proc/self") == "proc"
    assert list(description()) == ["Processor", "Memory", "Kernel", "File system", "One fsync", "Date"]
