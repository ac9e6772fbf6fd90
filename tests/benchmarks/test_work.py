"""A cell leaves nothing behind that the next one would have to pay for."""

from __future__ import annotations

from benchmarks import work
from benchmarks.bare_loop import Loop


def test_a_cells_files_are_emptied_and_not_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(work, "_directories", lambda: tmp_path)
    found = [work.measure(Loop, "b", 4, 5) for _ in range(2)]
    assert [each["files"] for each in found] == [5, 5]
    objects = list(tmp_path.rglob("*.dcm"))
    assert len(objects) == 10
    assert {path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()} == {0}
