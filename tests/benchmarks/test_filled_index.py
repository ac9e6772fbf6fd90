"""An index with many rows is one that SDCC itself could have."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from itertools import pairwise

from benchmarks.filled_index import INSTANCES, SERIES, fill
from benchmarks.messages import CONTEXTS, Template
from benchmarks.objects import SHAPES
from benchmarks.sender import Association, send

from ..interop.server import running


def test_an_index_is_filled_with_rows_that_differ_in_what_is_unique(tmp_path):
    with running(tmp_path) as server:
        association = Association(server.address, "SDCC", *CONTEXTS)
        assert send([association], Template(SHAPES["warm-up"]).messages(1, study=1)).statuses == [0]
        association.close()
        server.stop()
        copy = shutil.copy(server.storage / "index.sqlite", tmp_path)
    with contextlib.closing(sqlite3.connect(copy)) as index:
        found = fill(index, "?", 1500)
        rows = index.execute(
            "SELECT sop_instance_uid, path, series_instance_uid, study_instance_uid, sha256 FROM instance"
            " JOIN series USING (series_key) JOIN study USING (study_key) ORDER BY instance_key"
        ).fetchall()
        assert index.execute("PRAGMA foreign_key_check").fetchall() == []
    assert len(rows) == found >= 1500
    uids, paths, series, studies, hashes = (set(column) for column in zip(*rows, strict=True))
    assert (len(uids), len(paths), len(hashes)) == (found, found, 1)
    assert len(studies) == 3
    assert len(series) == len(studies) * SERIES + 1
    assert found == len(series) * INSTANCES + 1
    assert {len(uid) for uid in uids} == {48}
    assert {len(path) for path in paths} == {len(rows[0][1])}
    ascending = sum(one < other for (one, *_), (other, *_) in pairwise(rows))
    assert 0.4 < ascending / found < 0.6
