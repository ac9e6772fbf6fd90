"""Two files of one object: which one stays registered, and what becomes of the other."""

from __future__ import annotations

from typing import Any

import pytest

from sdcc.inspection.findings import Finding, Kind
from sdcc.inspection.remedies import EVERYTHING, HARMLESS


@pytest.mark.usefixtures("settled")
class TestTwoVersions:
    """The one that is registered, and another that no row names; which came first is the clocks' word."""

    REGISTERED, OTHER = b"Yamada^T", b"Suzuki^I"

    def inspect(self, archive: Any, mended: Any) -> Finding:
        archive.inspect(mended)
        [finding] = (finding for finding in archive.findings if finding.kind != Kind.MISSING)
        return finding

    def after(self, archive: Any, registered: Any, other: Any) -> tuple[str, set[str]]:
        """Which file the row names, and which there are."""
        names = {registered.file.path: "registered", other.file.path: "other"}
        quarantined = {f"quarantine/{path}": f"{name} aside" for path, name in names.items()}
        present = {
            (names | quarantined)[path] for path in archive.contents() if not path.endswith(".row.json")
        }
        return names[archive.index.rows["1.1"].file.path], present

    def two(self, archive: Any, *, is_later: bool, name: bytes = OTHER) -> tuple[Any, Any]:
        registered = archive.receive("1.1", name=self.REGISTERED, age=50 if is_later else None)
        other = archive.receive("1.1", name=name, age=None if is_later else 50)
        archive.index.add(registered)
        return registered, other

    def test_the_look_leaves_what_came_later(self, archive: Any) -> None:
        """It was never acknowledged, or the index is an old backup; or the clock was set back in between."""
        two = self.two(archive, is_later=True)
        finding = self.inspect(archive, HARMLESS)
        assert (finding.kind, finding.is_mended) == (Kind.LATER, False)
        assert finding.words == ["received later than what is registered; left as it is"]
        assert self.after(archive, *two) == ("registered", {"registered", "other"})

    def test_the_look_removes_what_came_earlier(self, archive: Any) -> None:
        two = self.two(archive, is_later=False)
        finding = self.inspect(archive, HARMLESS)
        assert (finding.kind, finding.is_mended) == (Kind.ORPHAN, True)
        assert self.after(archive, *two) == ("registered", {"registered"})
        assert two[1].file.path in archive.index.gone

    @pytest.mark.parametrize("mended", [HARMLESS, EVERYTHING - {Kind.ALTERED}])
    def test_where_the_registered_file_is_damaged_the_other_stays(self, archive: Any, mended: Any) -> None:
        """It may be the only whole one that there is."""
        registered, other = self.two(archive, is_later=False)
        file = archive.path(registered)
        file.write_bytes(file.read_bytes()[:-1] + b"\x55")
        archive.inspect(mended)
        altered, orphan = archive.findings
        assert (altered.kind, orphan.kind) == (Kind.ALTERED, Kind.ORPHAN)
        assert orphan.words == ["kept because the registered file is not what was received"]
        assert self.after(archive, registered, other) == ("registered", {"registered", "other"})

    def test_where_a_third_is_registered_meanwhile_that_one_counts(self, archive: Any) -> None:
        """Before the row of the second can be read."""
        _, other = self.two(archive, is_later=False)
        third = archive.receive("1.1", name=b"Tanaka^H")

        def switch() -> None:
            if ("restore", "") in archive.calls:
                archive.index.add(third)

        archive.index.before["instances"] = switch
        archive.inspect(HARMLESS)
        [finding] = (finding for finding in archive.findings if finding.path == other.file.path)
        assert finding.is_mended
        assert archive.index.rows["1.1"].file.path == third.file.path
        assert other.file.path not in archive.contents()

    def test_a_repair_registers_what_came_later_and_keeps_the_other(self, archive: Any) -> None:
        two = self.two(archive, is_later=True)
        finding = self.inspect(archive, EVERYTHING)
        assert (finding.kind, finding.is_mended) == (Kind.LATER, True)
        assert finding.words == [
            "registered",
            f"another version moved to quarantine/{two[0].file.path}",
        ]
        assert self.after(archive, *two) == ("other", {"registered aside", "other"})

    def test_a_repair_keeps_what_came_earlier(self, archive: Any) -> None:
        """Perhaps it was replaced by a repair that was killed, for a clock's sake."""
        two = self.two(archive, is_later=False)
        assert self.inspect(archive, EVERYTHING).is_mended
        assert self.after(archive, *two) == ("registered", {"registered", "other aside"})

    @pytest.mark.parametrize("mended", [HARMLESS, EVERYTHING])
    @pytest.mark.parametrize("is_later", [False, True])
    def test_a_copy_is_removed(self, archive: Any, mended: Any, is_later: bool) -> None:
        two = self.two(archive, is_later=is_later, name=self.REGISTERED)
        finding = self.inspect(archive, mended)
        assert finding.words == ["a copy of a registered object, removed"]
        assert self.after(archive, *two) == ("registered", {"registered"})

    @pytest.mark.parametrize("mended", [HARMLESS, EVERYTHING])
    @pytest.mark.parametrize("is_later", [False, True])
    def test_where_the_registered_file_is_gone_the_other_takes_its_place(
        self, archive: Any, mended: Any, is_later: bool
    ) -> None:
        two = self.two(archive, is_later=is_later)
        archive.path(two[0]).unlink()
        finding = self.inspect(archive, mended)
        assert (finding.words, finding.is_mended) == (["registered"], True)
        assert self.after(archive, *two) == ("other", {"other"})

    @pytest.mark.parametrize("is_later", [False, True])
    def test_where_the_registered_file_is_not_whole_the_look_leaves_both(
        self, archive: Any, is_later: bool
    ) -> None:
        two = self.two(archive, is_later=is_later)
        archive.path(two[0]).write_bytes(b"cut short")
        archive.inspect(HARMLESS)
        orphan = archive.findings[-1]
        assert (orphan.kind, orphan.is_mended) == (Kind.ORPHAN, False)
        assert self.after(archive, *two) == ("registered", {"registered", "other"})

    def test_what_is_acknowledged_meanwhile_stays_registered(self, archive: Any) -> None:
        """Also where the clock says that it came before the orphan."""
        orphan, acknowledged = archive.receive("1.1"), archive.receive("1.1", name=self.OTHER, age=50)
        archive.index.before["restore"] = lambda: archive.index.add(acknowledged)
        archive.inspect(HARMLESS)
        assert archive.path(acknowledged).exists()
        assert archive.index.rows["1.1"] == acknowledged
        assert archive.path(orphan).exists()

    def test_a_version_that_had_been_replaced_is_not_registered_for_a_clock(self, archive: Any) -> None:
        registered, replaced = self.two(archive, is_later=True)
        archive.index.gone.add(replaced.file.path)
        self.inspect(archive, EVERYTHING)
        assert self.after(archive, registered, replaced) == ("registered", {"registered", "other aside"})
