"""Objects that are found on disk: what `restore` must do on every database, and how groups give way."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable
from typing import Any

import pytest

from sdcc.index.postgres_session import Lost
from sdcc.index.restoring import Found, Held, Superseded, answers, found, standing, superseded
from sdcc.interfaces import OutcomeUnknown, OutOfResources, Registered, StoredObject, Unstorable

Make = Callable[..., StoredObject]
RECEIVED = datetime.datetime(2024, 5, 1, 9, 30, tzinfo=datetime.UTC)


def restore(engine: Any, *objects: StoredObject, over: str | None = None) -> list[bool]:
    """Of each whether it was registered."""
    return [engine.run(engine.index.restore(stored, over=over)) is not None for stored in objects]


def test_an_object_that_nobody_knows_is_registered(engine: Any, make: Make) -> None:
    stored = make(patient_name="Yamada^T", rows=512, fault="odd")
    assert restore(engine, stored) == [True]
    assert engine.instances() == [stored]


@pytest.mark.parametrize("change", [{}, {"seconds": 1, "patient_name": "Other"}])
def test_a_path_that_is_registered_changes_nothing(
    engine: Any, make: Make, change: dict[str, object]
) -> None:
    engine.register(make(patient_name="Yamada^T"))
    assert restore(engine, make(**change)) == [False]
    assert engine.instances() == [make(patient_name="Yamada^T")]


@pytest.mark.parametrize(
    ("seconds", "replaces"), [(-1, False), (-1e-6, False), (0, False), (1e-6, True), (1, True)]
)
def test_only_an_older_object_is_replaced(engine: Any, make: Make, seconds: float, replaces: bool) -> None:
    known, other = make(path="known"), make(path="other", seconds=seconds)
    engine.register(known)
    assert restore(engine, other) == [replaces]
    assert engine.instances() == [other if replaces else known]


def test_the_file_that_was_replaced_is_named(engine: Any, make: Make) -> None:
    engine.register(make(path="known"))
    assert engine.run(engine.index.restore(make(path="newer", seconds=1))) == Registered("known")


def test_what_gives_way_leaves_no_trace_in_any_level(engine: Any, make: Make) -> None:
    engine.register(make(path="known", patient_name="Yamada^T"))
    older = {"seconds": -1, "patient_name": "Older", "patient_id": "4711", "modality": "CT"}
    assert restore(
        engine, make(path="a", **older), make(path="b", study_instance_uid="1.3", **older)
    ) == [False, False]  # fmt: skip
    assert engine.select("SELECT study_instance_uid, patient_name, patient_id FROM study") == [
        ("1.2", "Yamada^T", None)
    ]
    assert engine.select("SELECT modality FROM series") == [(None,)]


def test_what_moves_to_another_study_leaves_no_empty_level(engine: Any, make: Make) -> None:
    engine.register(make(path="known"))
    assert restore(engine, make(path="newer", seconds=1, study_instance_uid="1.3")) == [True]
    assert engine.select("SELECT study_instance_uid FROM study") == [("1.3",)]


@pytest.mark.parametrize("seed", range(5))
def test_of_many_in_one_transaction_the_newest_wins_whichever_is_met_first(
    engine: Any, make: Make, seed: int
) -> None:
    versions = [make(uid, path=f"{uid}/{second}", seconds=second) for uid in "123" for second in range(4)]
    random.Random(seed).shuffle(versions)
    results = engine.register(*map(found, versions))
    newest: dict[str, StoredObject] = {}
    for stored, result in zip(versions, results, strict=True):
        before = newest.get(stored.instance.sop_instance_uid)
        wins = before is None or stored.file.received_at > before.file.received_at
        assert type(result) is (Registered if wins else Superseded)
        if wins:
            newest[stored.instance.sop_instance_uid] = stored
    assert {stored.file.path for stored in engine.instances()} == {"1/3", "2/3", "3/3"}


def test_those_that_are_registered_in_the_same_transaction_are_never_refused(engine: Any, make: Make) -> None:
    group = [make(path="received", seconds=5), found(make(path="older")), make("9")]
    results = engine.register(*group)
    assert [type(result) for result in results] == [Registered, Superseded, Registered]
    assert {stored.file.path for stored in engine.instances()} == {"received", make("9").file.path}


def test_many_in_flight_share_transactions(engine: Any, make: Make, promise: Any) -> None:
    engine.hold()
    restored = [promise(engine.index.restore(make(str(number)))) for number in range(50)]
    engine.release()
    for each in restored:
        engine.wait(each)
    assert [each.outcome for each in restored] == [Registered(None)] * 50
    assert len(engine.instances()) == 50


def test_a_row_that_cannot_be_stored_fails_alone(engine: Any, make: Make) -> None:
    good, bad = make("1"), make("2", series_number=2**63)
    results = engine.register(found(good), found(bad), found(make("3")))
    assert [type(result) for result in results] == [Registered, Unstorable, Registered]
    with pytest.raises(Unstorable, match=r"^index: "):
        restore(engine, bad)
    assert restore(engine, make("4")) == [True]


def test_after_stop_nothing_is_restored(engine: Any, make: Make) -> None:
    engine.run(engine.index.stop())
    with pytest.raises(OutOfResources, match=r"^index is stopped$"):
        restore(engine, make())


def test_paths_are_those_of_the_objects_that_are_registered(engine: Any, make: Make) -> None:
    engine.register(make("1.1"), make("1.2"), make("1.3", path="other"))
    assert engine.run(engine.index.paths(["1.1", "1.3", "1.9"])) == {
        "1.1": make("1.1").file.path,
        "1.3": "other",
    }
    assert engine.run(engine.index.paths([])) == {}


@pytest.mark.parametrize("over", [None, "", "second"])
def test_a_path_that_was_given_up_is_not_registered_again(engine: Any, make: Make, over: str | None) -> None:
    engine.register(make(path="first"))
    engine.register(make(path="second", seconds=1))
    engine.tamper("INSERT INTO gone (path) VALUES ('given up')")
    gone = [make(path="first", seconds=2), make(path="given up", seconds=3), make("9", path="given up")]
    assert restore(engine, *gone, over=over) == [False] * 3
    assert [type(result) for result in engine.register(*map(found, gone), found(make("8")))] == [
        *[Superseded] * 3,
        Registered,
    ]
    assert {stored.file.path for stored in engine.instances()} == {"second", make("8").file.path}


@pytest.mark.parametrize("seconds", [-1, 0, 1])
@pytest.mark.parametrize(
    ("over", "replaces"), [("known", True), ("", False), ("elsewhere", False)], ids=["it", "none", "another"]
)
def test_it_takes_the_place_of_the_file_that_is_named_and_of_no_other(
    engine: Any, make: Make, seconds: float, over: str, replaces: bool
) -> None:
    """Whatever the clock said when they were received."""
    known, other = make(path="known"), make(path="other", seconds=seconds)
    engine.register(known)
    assert restore(engine, other, over=over) == [replaces]
    assert engine.instances() == [other if replaces else known]


@pytest.mark.parametrize("over", ["", "known"])
def test_where_there_is_no_row_there_is_a_place(engine: Any, make: Make, over: str) -> None:
    assert restore(engine, make(), over=over) == [True]
    assert engine.instances() == [make()]


# --- on PostgreSQL ---------------------------------------------------------------------------


def test_an_object_whose_commit_was_interrupted_is_noted_nowhere(
    new_postgresql: Any, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For whoever settles a doubt removes the file of what is not registered."""

    async def commit(group: object) -> None:
        raise Lost("pulled")

    with new_postgresql(timeout=0.5) as engine:
        monkeypatch.setattr(engine.index._writer, "_commit_on", lambda session, group: commit(group))
        with pytest.raises(OutcomeUnknown):
            restore(engine, make())
        monkeypatch.undo()
        engine.run(engine.until(lambda: engine.index.refusal is None))
        assert engine.removed == []
        assert [*(engine.directory / "doubts").iterdir()] == []
        assert engine.select("SELECT count(*) FROM gone") == [(0,)]
        assert restore(engine, make()) == [True]


# --- groups, of no database ------------------------------------------------------------------


def test_what_is_found_is_the_same_object(make: Make) -> None:
    stored = found(make(patient_id="4711"))
    assert isinstance(stored, Found)
    assert (stored.study, stored.file) == (make(patient_id="4711").study, make().file)


def test_a_group_is_answered_in_its_order(make: Make) -> None:
    group = [found(make("1")), found(make("2", path="b")), make("2", path="c", seconds=-9), found(make("3"))]
    gives_way = superseded(
        group, {"1": Held("older", RECEIVED - datetime.timedelta(1))}, {make("3").file.path}
    )
    assert gives_way == [False, False, False, True]
    assert standing(group, gives_way) == group[:3]
    one, two, three = (Registered(str(number)) for number in range(3))
    *registered, last = answers(gives_way, [one, two, three])
    assert registered == [one, two, three]
    assert type(last) is Superseded
