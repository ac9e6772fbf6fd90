"""Which studies are stable, and who is still to be told: what must hold on every database."""

from __future__ import annotations

import contextlib
import datetime
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from sdcc.index import study_states
from sdcc.interfaces import IStudyStates, Notice, OutOfResources, StableStudy, StoredObject

Make = Callable[..., StoredObject]
#: When the objects that tests make are received.
RECEIVED = datetime.datetime(2024, 5, 1, 9, 30, tzinfo=datetime.UTC)


def after(seconds: float) -> datetime.datetime:
    return RECEIVED + datetime.timedelta(seconds=seconds)


class Bench:
    """What a process does that takes a study for complete a minute after its last object."""

    def __init__(self, engine: Any, make: Make) -> None:
        self.engine = engine
        self.states = engine.index.study_states
        self._make = make

    def register(self, *numbers: int, **values: Any) -> None:
        objects = [self._make(f"1.2.3.{number}", path=f"{number}-{values}", **values) for number in numbers]
        self.engine.register(*objects)

    def make_stable(self, now: float, *uids: str, means: tuple[str, ...] = ("post",)) -> list[StableStudy]:
        stable = self.states.make_stable(
            uids or ("1.2",),
            quiet_since=after(now - 60),
            news_since=after(now - 86400),
            now=after(now),
            means=means,
        )
        return list(self.engine.run(stable))

    def take(self, now: float, *, until: float = 1e6, means: str = "post", limit: int = 9) -> list[Notice]:
        taken = self.states.take(means, now=after(now), until=after(until), limit=limit)
        return list(self.engine.run(taken))

    def quiet(self, since: float) -> list[str]:
        async def collect() -> list[str]:
            return [uid async for portion in self.states.quiet(after(since)) for uid in portion]

        return self.engine.run(collect())

    @property
    def stable_at(self) -> dict[str, Any]:
        rows = self.engine.select("SELECT study_instance_uid, stable_at FROM study")
        return {uid: datetime.datetime.fromisoformat(at) if isinstance(at, str) else at for uid, at in rows}

    @property
    def notices(self) -> int:
        return self.engine.select("SELECT count(*) FROM notice")[0][0]


@pytest.fixture
def bench(engine: Any, make: Make) -> Bench:
    return Bench(engine, make)


def test_it_provides_the_interface(bench: Bench) -> None:
    assert verifyObject(IStudyStates, bench.states)


# --- becoming stable -------------------------------------------------------------------------------


def test_a_study_is_stable_when_nothing_has_come_for_the_time(bench: Bench) -> None:
    bench.register(1, 2, seconds=10)
    assert bench.make_stable(69.9) == []
    assert bench.stable_at == {"1.2": None}
    assert [study.study_instance_uid for study in bench.make_stable(70)] == ["1.2"]
    assert bench.stable_at == {"1.2": after(70)}


def test_what_is_in_it_is_counted_and_the_last_object_tells_who_sent_it(bench: Bench) -> None:
    first = {"patient_id": "P", "accession_number": "A", "called_ae": "SDCC"}
    bench.register(1, 2, seconds=1, calling_ae="CT01", **first)
    bench.register(3, seconds=9, calling_ae="CT02", called_ae="STORE")
    bench.register(4, seconds=5, calling_ae="CT03", series_instance_uid="1.2.9")
    bench.register(5, seconds=20, study_instance_uid="1.3", calling_ae="MR")
    assert bench.make_stable(70) == [
        StableStudy(
            study_instance_uid="1.2",
            patient_id="P",
            accession_number="A",
            series=2,
            instances=4,
            size=4 * 1132,
            last_received_at=after(9),
            calling_ae="CT02",
            called_ae="STORE",
            stable_at=after(70),
        )
    ]


def test_it_becomes_stable_once_whoever_asks(bench: Bench) -> None:
    bench.register(1)
    other = Bench(bench.engine, bench._make)
    other.states = bench.engine.another().study_states
    assert len(bench.make_stable(70)) == 1
    assert other.make_stable(80) == []
    assert bench.stable_at == {"1.2": after(70)}
    assert bench.notices == 1


@pytest.mark.parametrize("again", [False, True], ids=["another object", "the same object again"])
def test_an_object_makes_it_unstable_and_it_becomes_stable_anew(bench: Bench, again: bool) -> None:
    bench.register(1)
    bench.make_stable(70)
    bench.register(1 if again else 2, seconds=100)
    assert bench.stable_at == {"1.2": None}
    assert bench.make_stable(159) == []
    assert len(bench.make_stable(160)) == 1
    [notice] = bench.take(160)
    assert notice.study.stable_at == after(160)


def test_an_object_that_changes_the_studys_attributes_makes_it_unstable_too(bench: Bench) -> None:
    bench.register(1)
    bench.make_stable(70)
    bench.register(2, seconds=100, patient_id="other")
    assert bench.stable_at == {"1.2": None}


def test_an_object_of_another_study_leaves_it_stable(bench: Bench) -> None:
    bench.register(1)
    bench.make_stable(70)
    bench.register(2, seconds=100, study_instance_uid="1.3")
    assert bench.stable_at == {"1.2": after(70), "1.3": None}


def test_an_object_that_is_found_on_disk_makes_it_unstable(bench: Bench, make: Make) -> None:
    bench.register(1)
    bench.make_stable(70)
    bench.engine.run(bench.engine.index.restore(make("1.2.3.9", seconds=100)))
    assert bench.stable_at == {"1.2": None}


def test_a_study_of_long_ago_is_stable_since_its_last_object_and_nobody_is_told(bench: Bench) -> None:
    """As those that `sdccctl reindex` registers."""
    bench.register(1, seconds=5)
    [study] = bench.make_stable(5 + 86400 + 1)
    assert (study.is_news, study.stable_at) == (False, after(5))
    assert bench.stable_at == {"1.2": after(5)}
    assert bench.notices == 0
    bench.register(2, study_instance_uid="1.3", seconds=5)
    [study] = bench.make_stable(5 + 86400, "1.3")
    assert study.is_news
    assert bench.notices == 1


def test_quiet_studies_are_found_portion_by_portion(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not those that are stable, nor those that something has come of."""
    count = 2 * study_states.PORTION + 3
    uids = [f"1.{number}" for number in range(count)]
    for number, uid in enumerate(uids):
        bench.register(number, study_instance_uid=uid, seconds=number)
    bench.register(999, study_instance_uid="1.3", seconds=500)
    bench.make_stable(300, "1.1")
    assert bench.quiet(count) == [uid for uid in uids if uid not in ("1.1", "1.3")]
    assert bench.quiet(4) == ["1.0", "1.2", "1.4"]


def test_a_study_that_lost_its_last_object_is_not_stable(bench: Bench) -> None:
    bench.engine.tamper("INSERT INTO study (study_instance_uid) VALUES ('1.2')")
    assert bench.quiet(1000) == []
    assert bench.make_stable(1000) == []


# --- notices ---------------------------------------------------------------------------------------


def test_a_notice_is_due_by_each_means_at_once(bench: Bench) -> None:
    bench.register(1)
    [study] = bench.make_stable(70, means=("command", "post"))
    assert bench.engine.run(bench.states.next_due("command")) == after(70)
    for means in ("command", "post"):
        assert [(notice.means, notice.study) for notice in bench.take(70, means=means)] == [(means, study)]


def test_without_means_nothing_is_due(bench: Bench) -> None:
    bench.register(1)
    assert len(bench.make_stable(70, means=())) == 1
    assert bench.notices == 0
    assert bench.engine.run(bench.states.next_due("post")) is None


def test_what_one_has_taken_nobody_takes_before_the_time(bench: Bench) -> None:
    """After that whoever took it is taken for dead."""
    bench.register(1)
    bench.make_stable(70)
    assert len(bench.take(70, until=100)) == 1
    assert bench.take(99) == []
    assert bench.engine.run(bench.states.next_due("post")) == after(100)
    assert len(bench.take(100)) == 1


def test_no_more_are_taken_than_asked_for_those_first_that_wait_longest(bench: Bench) -> None:
    for number in range(3):
        bench.register(number, study_instance_uid=f"1.{number}")
    for number in (2, 0, 1):
        bench.make_stable(70 + number, f"1.{number}")
    assert {notice.study.study_instance_uid for notice in bench.take(90, limit=2)} == {"1.0", "1.1"}
    assert [notice.study.study_instance_uid for notice in bench.take(90, limit=2)] == ["1.2"]


def test_a_notice_that_is_put_back_is_taken_again_and_one_that_is_struck_is_not(bench: Bench) -> None:
    bench.register(1)
    bench.make_stable(70)
    [notice] = bench.take(70)
    bench.engine.run(bench.states.put_back(notice, after(200)))
    assert bench.take(199) == []
    assert bench.take(200) == [notice]
    bench.engine.run(bench.states.strike(notice))
    assert bench.notices == 0


def test_a_notice_of_a_study_that_has_changed_is_none(bench: Bench) -> None:
    bench.register(1)
    bench.make_stable(70)
    bench.register(2, seconds=100)
    assert bench.take(110) == []
    assert bench.notices == 0


def test_who_was_at_a_notice_has_no_say_in_the_next_one(bench: Bench) -> None:
    """An object came while a command ran."""
    bench.register(1)
    bench.make_stable(70)
    [old] = bench.take(70)
    bench.register(2, seconds=100)
    bench.make_stable(160)
    bench.engine.run(bench.states.put_back(old, after(9999)))
    bench.engine.run(bench.states.strike(old))
    [new] = bench.take(160)
    assert (new.study.stable_at, new.study.instances) == (after(160), 2)


def test_what_nobody_could_deliver_is_given_up(bench: Bench) -> None:
    bench.register(1)
    bench.register(2, study_instance_uid="1.3", seconds=100)
    bench.make_stable(70, means=("command", "post"))
    bench.make_stable(160, "1.3")
    assert sorted(bench.engine.run(bench.states.give_up(after(71)))) == [("1.2", "command"), ("1.2", "post")]
    assert bench.engine.run(bench.states.give_up(after(71))) == []
    assert bench.notices == 1


def test_an_index_that_is_stopped_changes_nothing(bench: Bench) -> None:
    bench.register(1)
    bench.engine.index._closed = "index is stopped"
    with pytest.raises(OutOfResources, match="index is stopped"):
        bench.make_stable(70)
    assert bench.stable_at == {"1.2": None}


def test_what_is_not_stable_is_found_without_looking_at_what_is(bench: Bench) -> None:
    on_postgresql = bench.states.mark == "%s"
    if on_postgresql:
        bench.engine.select("SET enable_seqscan = off")
    statement = study_states.QUIET.format(p="'1'").replace("<= '1'", "<= '2024-05-01'")
    plan = "\n".join(
        str(row)
        for row in bench.engine.select(f"EXPLAIN {'' if on_postgresql else 'QUERY PLAN'} {statement}")
    )
    assert "study_by_stable_at" in plan
    assert "SCAN" not in plan
    assert "Seq Scan" not in plan


def test_a_study_is_looked_up_however_many_are_not_stable(bench: Bench) -> None:
    """As all are of an index that was built anew: or each portion of them would look through all others."""
    on_postgresql = bench.states.mark == "%s"
    if on_postgresql:
        bench.engine.select("SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off")
    statement = inspect.getmodule(type(bench.states))._UNSTABLE
    explain = f"EXPLAIN {'' if on_postgresql else 'QUERY PLAN'} {statement}"
    plan = str(bench.engine.select(explain, [["1.2"] if on_postgresql else '["1.2"]']))
    assert "study_by_stable_at" not in plan
    assert "Seq Scan" not in plan


@pytest.fixture
def on_postgresql(
    new_postgresql: Callable[[], contextlib.AbstractContextManager[Any]], make: Make
) -> Iterator[Bench]:
    with new_postgresql() as engine:
        yield Bench(engine, make)


def test_an_object_that_is_being_registered_is_waited_for(on_postgresql: Bench, promise: Any) -> None:
    """By another process: its row is not to be seen yet, and it does not touch the study's."""
    bench, select = on_postgresql, on_postgresql.engine.select
    bench.register(1)
    select("BEGIN; SELECT sdcc_lock(2, ARRAY['1.2'])")
    select("UPDATE instance SET received_at = received_at + interval '30 seconds'")
    pending = promise(
        bench.states.make_stable(
            ["1.2"], quiet_since=after(10), news_since=after(0), now=after(70), means=["post"]
        )
    )
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    bench.engine.run(bench.engine.until(lambda: select(waiting) == [(1,)]))
    select("COMMIT")
    bench.engine.wait(pending)
    assert pending.outcome == []
    assert bench.stable_at == {"1.2": None}
