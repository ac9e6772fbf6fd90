"""An inspection beside servers that receive, with an index that fails, and in a process that dies."""

from __future__ import annotations

from typing import Any

import pytest
from zope.interface.verify import verifyObject

from sdcc.inspection.findings import Finding, Kind
from sdcc.inspection.remedies import EVERYTHING, HARMLESS
from sdcc.interfaces import IIndex, LooseRow, OutOfResources, Unstorable

from ..archives import at_the_end

PATIENCE = 15.0


def kinds(findings: list[Finding]) -> list[str]:
    return [finding.kind.value for finding in findings]


def test_the_fake_is_an_index(archive: Any) -> None:
    assert verifyObject(IIndex, archive.index)


# --- while servers receive -------------------------------------------------------------------------


class TestNewFiles:
    """What came less than one and a half timeouts ago may be about to be registered, or removed."""

    @pytest.fixture
    def archive(self, archive: Any) -> Any:
        """With a good object, and now is 5 s after the next one that comes."""
        archive.index.add(archive.receive("1.2.1"))
        return archive

    @staticmethod
    def wait(archive: Any) -> None:
        archive.clock.pump([0.5] * 40)

    @pytest.mark.parametrize("mended", [(), EVERYTHING])
    def test_one_that_is_registered_meanwhile_is_no_finding(self, archive: Any, mended: Any) -> None:
        new = archive.receive("1.2.3")
        archive.now = archive.path(new).stat().st_ctime + 5
        running = archive.inspect(mended)
        archive.clock.pump([0.5] * 19)
        assert (running.ended, archive.findings) == ([], [])
        assert archive.lines == ["waiting for 10 s: a server may be about to register what just came"]
        archive.index.add(new)
        self.wait(archive)
        assert (running.ended, archive.findings) == ([None], [])

    def test_one_that_is_removed_meanwhile_is_no_finding(self, archive: Any) -> None:
        new = archive.receive("1.2.3")
        archive.now = archive.path(new).stat().st_ctime
        running = archive.inspect(EVERYTHING)
        archive.path(new).unlink()
        self.wait(archive)
        assert (running.ended, archive.findings) == ([None], [])

    def test_one_that_is_left_is_a_finding(self, archive: Any) -> None:
        new = archive.receive("1.2.3")
        archive.now = archive.path(new).stat().st_ctime
        archive.inspect()
        self.wait(archive)
        assert [str(finding) for finding in archive.findings] == [f"orphan\t{new.file.path}\t1.2.3\t-"]

    @pytest.mark.parametrize("mended", [(), EVERYTHING])
    def test_a_row_that_is_replaced_meanwhile_is_no_finding(self, archive: Any, mended: Any) -> None:
        """Its file is removed when the row is switched: between the two looks, here."""
        older = archive.receive("1.2.3", age=50)
        archive.index.add(older)
        archive.path(older).unlink()
        running = archive.inspect(mended)
        assert running.ended == []
        archive.index.add(archive.receive("1.2.3"))
        self.wait(archive)
        assert (running.ended, archive.findings) == ([None], [])

    def test_a_row_that_is_replaced_in_the_last_moment_is_no_finding(self, archive: Any) -> None:
        older = archive.receive("1.2.3", age=50)
        archive.index.add(older)
        archive.path(older).unlink()
        archive.index.before["unregister"] = lambda: archive.index.add(archive.receive("1.2.3"))
        archive.inspect(EVERYTHING)
        self.wait(archive)
        assert archive.findings == []
        assert len(archive.index.rows) == 2

    def test_many_are_waited_for_once(self, archive: Any) -> None:
        for number in range(20):
            stored = archive.receive(f"1.3.{number}")
            archive.index.add(stored)
            archive.path(stored).unlink()
        running = archive.inspect()
        self.wait(archive)
        assert running.ended == [None]
        assert kinds(archive.findings) == ["missing"] * 20
        assert len(archive.lines) == 1

    def test_where_no_other_server_lives_nothing_older_is_waited_for(self, archive: Any) -> None:
        new = archive.receive("1.2.3")
        archive.now = archive.path(new).stat().st_ctime + 1
        running = archive.inspect(HARMLESS, settled_before=archive.now)
        assert running.ended == [None]
        assert kinds(archive.findings) == ["orphan"]

    def test_an_interruption_does_not_wait_and_changes_nothing(self, archive: Any) -> None:
        new = archive.receive("1.2.3")
        archive.now = archive.path(new).stat().st_ctime
        running = archive.inspect(EVERYTHING)
        running.files.course.interrupt()
        archive.clock.advance(0.1)
        assert (running.ended, archive.findings) == ([None], [])
        assert archive.index.rows.keys() == {"1.2.1"}

    def test_this_process_s_own_are_none_of_its_business(self, archive: Any) -> None:
        """Whatever the clock says: it registers or removes them itself."""
        own = archive.receive("1.2.3").file.path
        archive.now += 1e6
        archive.inspect(EVERYTHING, is_own=lambda path: path == own)
        assert archive.findings == []
        assert archive.index.rows.keys() == {"1.2.1"}


# --- what is durable before a row names it -----------------------------------------------------------


def durable(archive: Any) -> list[list[str]]:
    """Of each call of `restore`, what was synced since the one before, relative to the storage directory."""
    synced: list[list[str]] = [[]]
    for name, path in archive.calls:
        if name in ("sync", "sync_directory"):
            synced[-1].append(str(path).removeprefix(f"{archive.storage}/"))
        elif name == "restore":
            synced.append([])
    return synced


@pytest.mark.usefixtures("settled")
def test_a_file_and_its_name_are_durable_before_a_row_names_them(archive: Any) -> None:
    """Who put it there may have been killed between the link and the syncs; a power cut would take it."""
    orphans = [archive.receive("1.1"), archive.receive("1.2"), archive.receive("1.3", study="1.9")]
    archive.calls.clear()
    archive.inspect(HARMLESS)
    assert archive.index.rows.keys() == {"1.1", "1.2", "1.3"}
    first, second, third = (stored.file.path for stored in orphans)
    chain = [first.rsplit("/", number)[0] for number in range(1, 7)]
    assert chain[-1] == "objects"
    other = third.rsplit("/", 1)[0]
    assert durable(archive) == [
        [first, *chain],
        [second],
        [third, other, other.rsplit("/", 1)[0], chain[2]],
        [],
    ]


@pytest.mark.usefixtures("settled")
def test_a_second_walk_syncs_what_came_since_the_first(archive: Any) -> None:
    files = archive.files()

    async def walk() -> None:
        async for paths in files.batches():
            for path in paths:
                await files.read_durably(path)

    stored = archive.receive("1.1")
    directory = f"{archive.storage}/{stored.file.path.rpartition('/')[0]}"
    for _ in range(2):
        archive.calls.clear()
        at_the_end(walk())
        assert ("sync_directory", directory) in archive.calls


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("call", ["sync", "sync_directory"])
def test_what_cannot_be_made_durable_is_not_registered(archive: Any, call: str) -> None:
    archive.receive("1.1")
    archive.disk.faults = {(call, ""): OSError(5, "Input/output error")}
    archive.inspect(EVERYTHING)
    assert archive.index.rows == {}
    assert [(finding.kind, finding.words) for finding in archive.findings] == [
        (Kind.UNREADABLE, ["Input/output error"])
    ]


@pytest.mark.usefixtures("settled")
def test_where_nothing_is_mended_nothing_is_synced(archive: Any) -> None:
    archive.receive("1.1")
    archive.calls.clear()
    archive.inspect()
    assert {name for name, _ in archive.calls}.isdisjoint({"sync", "sync_directory"})


# --- what is given up --------------------------------------------------------------------------------


@pytest.mark.usefixtures("settled")
class TestAPathThatWasGivenUp:
    @pytest.fixture
    def orphan(self, archive: Any) -> Any:
        archive.index.add(archive.receive("1.2.1"))
        orphan = archive.receive("1.2.3")
        archive.index.gone.add(orphan.file.path)
        return orphan

    def test_its_object_is_registered_under_another_name(self, archive: Any, orphan: Any) -> None:
        data = archive.path(orphan).read_bytes()
        archive.inspect(EVERYTHING, new_token=lambda: "fresh")
        [finding] = archive.findings
        new = orphan.file.path.rpartition("-")[0] + "-fresh.dcm"
        assert (finding.kind, finding.words, finding.is_mended) == (
            Kind.GIVEN_UP,
            [f"registered as {new}"],
            True,
        )
        assert archive.index.rows["1.2.3"].file.path == new
        assert archive.contents()[new] == data
        assert not archive.path(orphan).exists()

    def test_the_server_leaves_it_to_the_administrator(self, archive: Any, orphan: Any) -> None:
        archive.inspect(HARMLESS)
        assert [(finding.kind, finding.is_mended) for finding in archive.findings] == [(Kind.GIVEN_UP, False)]
        assert archive.path(orphan).exists()

    def test_a_server_that_is_about_to_remove_it_is_waited_for(
        self, archive: Any, orphan: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        archive.now = archive.path(orphan).stat().st_ctime + 100
        monkeypatch.setattr("sdcc.inspection.files.SETTLED_AFTER", 1.5)
        running = archive.inspect(EVERYTHING)
        assert running.ended == []
        archive.path(orphan).unlink()
        archive.clock.pump([0.5] * 31)
        assert (running.ended, archive.findings) == ([None], [])


# --- an index or a disk that fails -------------------------------------------------------------------


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    "call", ["paths", "instances", "restore", "disown", "unregister", "loose_rows", "remove_loose"]
)
def test_an_index_that_fails_ends_it_and_what_was_done_is_told(archive: Any, call: str) -> None:
    good, bad = archive.receive("1.2.1"), archive.receive("1.2.2")
    archive.index.add(good, bad)
    archive.path(bad).write_bytes(b"something else")
    archive.receive("1.2.3")
    archive.receive("1.2.1", age=50)
    archive.index.loose = [LooseRow(level="study", key=1, uid="1.9", path=None, is_empty=True)]

    def fail() -> None:
        raise OutOfResources("index: away")

    archive.index.before[call] = fail
    running = archive.inspect(EVERYTHING)
    assert running.ended == [None]
    assert running.files.course.index_failure == "index: away"
    unfinished = [finding for finding in archive.findings if "not finished" in finding.words]
    assert all(not finding.is_mended for finding in unfinished)
    if call == "unregister":
        [finding] = unfinished
        assert finding.words == [f"moved to quarantine/{bad.file.path}", "not finished"]
    archive.index.before.clear()
    archive.inspect(EVERYTHING)
    archive.inspect()
    assert archive.findings == []
    assert archive.index.rows.keys() == {"1.2.1", "1.2.3"}


@pytest.mark.usefixtures("settled")
def test_what_the_index_cannot_hold_is_said_and_stays(archive: Any) -> None:
    orphan = archive.receive("1.2.3")

    def refuse() -> None:
        raise Unstorable("index: number out of range")

    archive.index.before["restore"] = refuse
    running = archive.inspect(EVERYTHING)
    assert running.files.course.index_failure is None
    [finding] = archive.findings
    assert (finding.words, finding.is_mended) == (["index: number out of range"], False)
    assert archive.path(orphan).exists()


@pytest.mark.usefixtures("settled")
def test_what_the_disk_does_not_give_is_said_and_left(archive: Any) -> None:
    good, bad, orphan = (
        archive.receive("1.2.1"),
        archive.receive("1.2.2"),
        archive.receive("1.2.3", study="1.9"),
    )
    archive.index.add(good, bad)
    archive.disk.faults = {
        ("open_existing", bad.file.path): OSError(5, "Input/output error"),
        ("entries", "1.9"): PermissionError(13, "Permission denied"),
    }
    before = archive.contents()
    archive.inspect(EVERYTHING)
    assert [(finding.kind, finding.words) for finding in archive.findings] == [
        (Kind.UNREADABLE, ["Input/output error"]),
        (Kind.UNREADABLE, ["Permission denied"]),
    ]
    assert archive.contents() == before
    assert archive.index.rows.keys() == {"1.2.1", "1.2.2"}
    assert archive.path(orphan).exists()


@pytest.mark.usefixtures("settled")
def test_a_fault_of_the_program_is_raised(archive: Any) -> None:
    archive.receive("1.2.3")

    def fail() -> None:
        raise ZeroDivisionError

    archive.index.before["restore"] = fail
    running = archive.inspect(EVERYTHING)
    assert running.ended[0].check(ZeroDivisionError)


@pytest.mark.parametrize("is_registered", [True, False])
@pytest.mark.usefixtures("settled")
def test_an_interruption_in_the_middle_of_a_file_is_no_finding(archive: Any, *, is_registered: bool) -> None:
    """Though half of a file is another Data Set than all of it."""
    stored = archive.receive("1.2.3")
    if is_registered:
        archive.index.add(stored)

    def interrupt() -> None:
        archive.running.files.course.interrupt()

    archive.disk.before["read"] = interrupt
    archive.inspect(EVERYTHING)
    assert archive.findings == []
    assert archive.contents().keys() == {stored.file.path}
    assert archive.index.gone == set()


# --- a process that dies -----------------------------------------------------------------------------


@pytest.mark.usefixtures("settled")
def test_a_kill_at_any_call_of_a_repair_loses_nothing_and_the_next_completes_it(
    new_archive: Any, killed: type[BaseException]
) -> None:
    """Every kind of finding at once; the process dies at the first call, at the second, and so on."""
    for end in range(500):
        archive = new_archive()
        good, gone, altered, newer = (archive.receive(f"1.{name}") for name in range(4))
        older, orphan, given_up, replaced = (
            archive.receive(f"1.{name}", name=b"Suzuki^I", age=50) for name in (3, 5, 6, 7)
        )
        replacement = archive.receive("1.7")
        copy = archive.receive("1.0", age=50)
        archive.index.add(good, gone, altered, newer, replaced)
        archive.index.gone.add(given_up.file.path)
        archive.path(gone).unlink()
        archive.path(altered).write_bytes(archive.path(altered).read_bytes()[:-1] + b"\x55")
        (archive.storage / "objects" / "stray").write_text("stray")
        before = set(archive.contents().values())

        archive.life.calls, archive.life.end = 0, end
        [result] = archive.inspect(EVERYTHING).ended
        is_whole = result is None
        assert is_whole or result.check(killed)

        archive.life.end = float("inf")
        archive.inspect(EVERYTHING)
        assert all(finding.is_mended for finding in archive.findings), archive.findings
        archive.inspect()
        assert archive.findings == []
        assert archive.index.rows.keys() == {"1.0", "1.3", "1.5", "1.6", "1.7"}
        assert archive.index.rows["1.7"].file.path == replacement.file.path
        contents = archive.contents()
        files = {data for path, data in contents.items() if not path.endswith(".row.json")}
        assert before == files, "of all that was there, a copy alone is gone"
        assert not {older.file.path, replaced.file.path, copy.file.path} & contents.keys()
        assert {newer.file.path, orphan.file.path} <= contents.keys()
        if is_whole:
            break
    assert 50 < end < 499
