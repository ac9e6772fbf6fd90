"""The bare loop does all that durability takes, and the tables say what is out of reach."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat

import pytest

from benchmarks import floor
from benchmarks.bare_loop import Loop
from benchmarks.figures import faults
from benchmarks.rounds import run

from .made_up import result

LOOPS = floor.receivers([])


@contextlib.contextmanager
def started(kind, directory):
    loop = kind(directory, 16)
    try:
        yield loop
    finally:
        loop.discard()


@pytest.fixture
def loop(tmp_path):
    with started(Loop, tmp_path) as found:
        yield found


@pytest.fixture
def calls(loop, monkeypatch):
    """What has been done that is to last, in its order."""
    found = []
    fsync, link = os.fsync, os.link

    def synced(file):
        found.append("sync directory" if stat.S_ISDIR(os.fstat(file).st_mode) else "sync file")
        fsync(file)

    def linked(old, new):
        found.append("link")
        link(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "link", linked)
    loop.rows.set_trace_callback(lambda said: found.append(said) if said == "COMMIT" else None)
    return found


@pytest.mark.parametrize("name", LOOPS)
def test_every_way_leaves_every_object_and_its_row(name):
    results, _ = run({name: LOOPS[name]}, [("b", 16, 37)], 1)
    assert list(faults(results)) == []
    assert [(each["files"], each.get("registered")) for each in results] == [
        (37, None if name.startswith("no sync") else 37)
    ]


def test_a_group_has_a_sync_for_each_file_then_their_names_and_one_sync_and_commit_for_all(loop, calls):
    for names in (["a", "b"], ["c"]):
        loop.store(names, b"data")
    assert calls == [
        *("sync file", "sync file", "link", "link", "sync directory", "COMMIT"),
        *("sync file", "link", "sync directory", "COMMIT"),
    ]
    assert sorted(os.listdir(loop.directory / "objects")) == ["a.dcm", "b.dcm", "c.dcm"]
    assert os.listdir(loop.directory / "incoming") == []


def test_the_log_is_synced_at_each_commit(loop):
    (mode,), (synchronous,) = (
        loop.rows.execute(f"PRAGMA {name}").fetchone() for name in ("journal_mode", "synchronous")
    )
    assert (mode, synchronous) == ("wal", 2)


def test_without_sync_there_is_none_and_no_row(loop, calls):
    loop.durable = False
    loop.store(["a", "b"], b"data")
    assert calls == ["link", "link"]
    assert loop.rows.execute("SELECT count(*) FROM object").fetchone() == (0,)


@pytest.mark.parametrize("name", [name for name in LOOPS if name.endswith(floor.HASHED)])
def test_what_is_hashed_is_the_data_set(name, tmp_path, monkeypatch):
    hashed = []
    sha256 = hashlib.sha256
    monkeypatch.setattr(hashlib, "sha256", lambda data: hashed.append(data) or sha256(data))
    with started(LOOPS[name], tmp_path) as loop:
        loop.store(["one", "other"], b"data")
        rows = loop.rows.execute("SELECT sha256 FROM object").fetchall()
    assert hashed == [b"data", b"data"]
    assert rows == [(sha256(b"data").hexdigest(),)] * 2 * loop.durable


def test_of_the_loops_side_by_side_each_has_its_share_of_a_group(monkeypatch):
    groups = []
    store = Loop.store
    monkeypatch.setattr(
        Loop, "store", lambda self, names, data: groups.append(len(names)) or store(self, names, data)
    )
    run({"4 loops": LOOPS["4 loops"]}, [("b", 16, 32)], 1)
    assert groups == [4] * 8


def made_up(associations, work="b", **rates):
    return [
        result(name.replace("_", " "), work=work, associations=associations, seconds=100 / rate)
        for name, rate in rates.items()
    ]


SMALL = made_up(1, no_sync=9000, in_turn=1000, storescp=2000) + made_up(
    4, in_turn=2000, storescp=2000, **{"4_threads": 2500}
)


def test_what_was_measured_of_the_loop_is_shown_and_nothing_else():
    hashed = [each | {"receiver": each["receiver"] + floor.HASHED} for each in made_up(4, in_turn=1800)]
    assert floor.loop_table([*SMALL, *hashed]) == [
        ["work", "at a time", "SHA-256", *floor.WAYS, "CPU ms in turn"],
        ["(b) small, 15 KB", "1", "no", "9,000", "1,000", "-", "-", "-", "5.00"],
        ["(b) small, 15 KB", "4", "no", "-", "2,000", "2,500", "-", "-", "5.00"],
        ["(b) small, 15 KB", "4", "yes", "-", "1,800", "-", "-", "-", "5.00"],
    ]


@pytest.mark.parametrize(
    ("storescp", "ct", "small", "shown"),
    [
        (1000, 800, 900, ["1,000", "800", "0.80", "0.70", "0.6", "0.42", "not ruled out"]),
        (1000, 500, 700, ["1,000", "500", "0.50", "0.40", "0.6", "-", "only if written before"]),
        (1000, 500, 550, ["1,000", "500", "0.50", "0.40", "0.6", "-", "OUT OF REACH"]),
    ],
)
def test_what_the_loop_does_not_reach_even_with_small_objects_is_out_of_reach(storescp, ct, small, shown):
    rates = {"storescp": storescp, "in_turn": ct, f"in_turn{floor.HASHED}": ct - 100}
    titles, *rows = floor.reach_table(made_up(1, "a", **rates) + made_up(1, in_turn=small))
    assert rows == [["(a) CT, 525 KB", "1", "storescp", *shown]]
    assert len(titles) == len(rows[0])


def test_the_loop_is_as_good_as_its_best_way_that_is_durable_hashing_or_not():
    hashed = made_up(1, **{f"in_turn{floor.HASHED}": 900}) + made_up(4, **{f"in_turn{floor.HASHED}": 2600})
    _, *rows = floor.reach_table(SMALL + hashed)
    assert [row[1:7] for row in rows] == [
        ["1", "storescp", "2,000", "1,000", "0.50", "0.45"],
        ["4", "storescp", "2,000", "2,600", "1.30", "1.30"],
    ]
