"""The server's own look: when it begins, what it mends, what it leaves, and how it ends."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from sdcc.inspection.look import INTERVAL, NAMED, PAUSE, Look
from sdcc.interfaces import OutOfResources

TODAY = datetime.datetime.now(datetime.UTC).date()
DAY = datetime.timedelta(days=1)

pytestmark = pytest.mark.usefixtures("settled")


class Looking:
    """A look that has begun, and what its end was told."""

    def __init__(self, archive: Any, since: datetime.date = TODAY) -> None:
        self.done = 0
        self.fault: Exception | None = None
        self.look = Look(archive.index, archive.files(), since=since, done=self._done, clock=archive.clock)
        self.look.start()

    async def _done(self) -> None:
        self.done += 1
        if self.fault is not None:
            raise self.fault

    def stop(self) -> list[Any]:
        stopped: list[Any] = []
        Deferred.fromCoroutine(self.look.stop()).addBoth(stopped.append)
        return stopped


def told(log: list[dict[str, Any]]) -> list[str]:
    return [
        f"{event['log_level'].name}: {event['log_format'].format(**event)}"
        for event in log
        if event["log_namespace"] == "sdcc.inspection.look.Look" and event["log_level"].name != "debug"
    ]


def test_it_mends_what_is_harmless_and_names_what_is_left(archive: Any, log: Any) -> None:
    good, altered, gone, newer = (archive.receive(f"1.2.{number}") for number in range(4))
    archive.index.add(good, altered, gone, newer)
    archive.path(altered).write_bytes(archive.path(altered).read_bytes()[:-1] + b"\x55")
    archive.path(gone).unlink()
    older, orphan = archive.receive("1.2.3", name=b"Suzuki^I", age=50), archive.receive("1.2.4")
    nothing = archive.path(good).with_name("1.2.9-x.dcm")
    nothing.write_text("no object")
    looking = Looking(archive)
    assert looking.done == 1
    assert archive.index.rows.keys() == {f"1.2.{number}" for number in range(5)}
    assert archive.index.rows["1.2.3"] == newer
    assert not archive.path(older).exists()
    assert archive.path(orphan).exists()
    assert archive.path(altered).exists()
    assert nothing.exists()
    begin, *findings, end = told(log)
    assert begin == (
        f"info: A server has not stopped in order: looking through what was received since {TODAY - DAY}"
    )
    assert sorted(findings) == sorted(
        [
            f"warn: altered: {altered.file.path} (the Data Set is another)",
            f"warn: missing: {gone.file.path} (left as it is)",
            f"warn: orphan: {older.file.path} (older version of a registered object, removed)",
            f"warn: orphan: {orphan.file.path} (registered)",
            f"warn: no-object: {nothing.relative_to(archive.storage)} "
            "(no DICOM file: the prefix DICM is missing)",
        ]
    )
    assert end == (
        "warn: Looked through: rows 4, files 6, findings 5, mended 2, missing 1, altered 1, orphan 2, "
        "no-object 1; run `sdccctl verify --repair`"
    )


def test_where_nothing_is_wrong_it_says_so(archive: Any, log: Any) -> None:
    archive.index.add(archive.receive("1.2.3"))
    Looking(archive)
    assert told(log)[1:] == ["info: Looked through: rows 1, files 1, findings 0, mended 0"]


def test_days_before_are_left_alone(archive: Any) -> None:
    """But for one, because the clock may have been set back."""
    archive.receive("1.2.3")
    assert Looking(archive, TODAY + 2 * DAY).done == 1
    assert archive.index.rows == {}
    Looking(archive, TODAY + DAY)
    assert archive.index.rows.keys() == {"1.2.3"}


def test_a_day_before_all_days_is_one_as_well(archive: Any) -> None:
    archive.receive("1.2.3")
    assert Looking(archive, datetime.date.min).done == 1
    assert archive.index.rows.keys() == {"1.2.3"}


def test_it_waits_for_the_index(archive: Any, log: Any) -> None:
    archive.receive("1.2.3")
    archive.index.refusal = "index unreachable"
    looking = Looking(archive)
    archive.clock.pump([INTERVAL] * 20)
    assert (looking.done, told(log)) == (0, [])
    archive.index.refusal = None
    archive.clock.advance(INTERVAL)
    assert looking.done == 1


def test_when_the_index_fails_it_begins_anew_later(archive: Any, log: Any) -> None:
    archive.receive("1.2.3")

    def fail() -> None:
        raise OutOfResources("index: away")

    archive.index.before["restore"] = fail
    looking = Looking(archive)
    assert looking.done == 0
    assert told(log)[-1] == "warn: The look has to wait: index: away"
    archive.index.before.clear()
    archive.clock.pump([INTERVAL] * int(PAUSE / INTERVAL))
    assert looking.done == 1
    assert archive.index.rows.keys() == {"1.2.3"}


@pytest.mark.parametrize("waiting_for", ["the index", "a second attempt", "a file to settle"])
def test_a_stop_waits_for_no_more_than_what_is_under_way(
    archive: Any, monkeypatch: pytest.MonkeyPatch, waiting_for: str
) -> None:
    new = archive.receive("1.2.3")
    if waiting_for == "the index":
        archive.index.refusal = "index unreachable"
    elif waiting_for == "a second attempt":

        def fail() -> None:
            raise OutOfResources("index: away")

        archive.index.before["paths"] = fail
    else:
        monkeypatch.setattr("sdcc.inspection.files.SETTLED_AFTER", 1.5)
        archive.now = archive.path(new).stat().st_ctime
    looking = Looking(archive)
    assert looking.done == 0
    stopped = looking.stop()
    archive.clock.advance(INTERVAL)
    assert stopped == [None]
    assert looking.done == 0
    assert archive.index.rows == {}
    assert archive.clock.getDelayedCalls() == []


def test_a_stop_after_its_end_is_one_too(archive: Any) -> None:
    looking = Looking(archive)
    assert (looking.done, looking.stop()) == (1, [None])


def test_of_very_many_findings_only_some_are_named(archive: Any, log: Any) -> None:
    for number in range(NAMED + 5):
        archive.receive(f"1.2.{number}")
    Looking(archive)
    lines = told(log)
    assert len(lines) == NAMED + 2
    assert f"findings {NAMED + 5}, mended {NAMED + 5}" in lines[-1]


def test_a_disk_that_fails_ends_it_and_nothing_else(archive: Any, log: Any) -> None:
    archive.disk.faults = {("entries", "objects"): PermissionError(13, "Permission denied")}
    looking = Looking(archive)
    assert looking.done == 0
    assert told(log)[-1] == (
        "warn: The look has failed: [Errno 13] Permission denied; the next start begins anew"
    )
    assert looking.stop() == [None]


def test_a_fault_of_the_program_ends_it_and_nothing_else(archive: Any, log: Any) -> None:
    archive.receive("1.2.3")

    def fail() -> None:
        raise ZeroDivisionError

    archive.index.before["paths"] = fail
    looking = Looking(archive)
    assert looking.done == 0
    assert log[-1]["log_failure"].check(ZeroDivisionError)
    log.clear()
    assert looking.stop() == [None]


def test_it_reads_one_file_at_a_time(archive: Any) -> None:
    """So that it takes no more than one thread from those who read."""
    for number in range(5):
        archive.receive(f"1.2.{number}")
    waiting: list[Any] = []

    def in_thread(call: Any, *arguments: Any) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        waiting.append((call, arguments, done))
        return done

    files = archive.files(walk_in_thread=in_thread, read_in_thread=in_thread)
    ended: list[None] = []

    async def done() -> None:
        ended.append(None)

    Look(archive.index, files, since=TODAY, done=done, clock=archive.clock).start()
    while waiting:
        assert len(waiting) == 1
        call, arguments, result = waiting.pop()
        result.callback(call(*arguments))
    assert ended == [None]
    assert len(archive.index.rows) == 5
