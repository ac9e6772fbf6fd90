"""kill -9 at any instant under load loses nothing that was acknowledged, and shows no half object.

SDCC_KILLS sets how many kills each test does. The seed of a run is printed; SDCC_SEED repeats its choices.
"""

from __future__ import annotations

import os
import random
import time

import pytest

from ..interop.objects import data_set_sha256
from ..interop.server import CONFIGURATION, until
from .history import History
from .storm import Storm, few, fresh

KILLS = int(os.environ.get("SDCC_KILLS", "7"))
#: How many of them come while the server starts, and how long a server is let live at most, in seconds.
STARTING_SHARE = 0.2
LIFE, START = 0.4, 0.5


class Archive:
    """What is found of an archive after each kill. A file once found whole is never written again."""

    def __init__(self, server, history):
        self._server = server
        self._history = history
        self._whole = {}

    def check(self):
        server = self._server
        until(lambda: server.takes_objects, "objects are taken, with no help")
        (folder,) = (server.storage / "incoming").iterdir()
        left = {path.name for path in folder.iterdir()} - {"control"}
        assert left == {"lock"}, "something of the dead is left"
        rows = server.registered()
        for path, sha256 in rows.items() - self._whole.items():
            assert data_set_sha256(path) == sha256, path
        self._whole = rows
        files = server.objects()
        assert files.issuperset(rows), "a row has no file"
        shown = {path.name.rpartition("-")[0]: sha256 for path, sha256 in rows.items()}
        assert len(shown) == len(rows), "two rows of one SOP Instance UID"
        assert [*self._history.contradictions(shown)] == []

    def left(self):
        """The files that no row names when a server has looked: they came later than those of the rows."""
        self._server.looked_through()
        rows = {path.name.rpartition("-")[0]: path for path in self._server.registered()}
        left = self._server.objects().difference(rows.values())
        for path in left:
            registered = rows[path.name.rpartition("-")[0]]
            assert path.stat().st_mtime_ns > registered.stat().st_mtime_ns, path
        return left


@pytest.mark.parametrize("uids", [fresh, few], ids=["new-objects", "overwritten-objects"])
def test_nothing_acknowledged_is_lost(engine, start, uids):
    seed = os.environ.get("SDCC_SEED") or f"{random.randrange(1 << 32)}"
    print(f"SDCC_SEED={seed}")
    chosen = random.Random(seed)
    sent = uids(seed)
    server = start(engine.configuration + CONFIGURATION)
    history = History()
    archive = Archive(server, history)
    for number in range(KILLS):
        if chosen.random() < STARTING_SHARE:
            server.kill()
            server.spawn()
            time.sleep(chosen.uniform(0, START))
            server.kill()
        else:
            until(lambda: server.takes_objects, "objects are taken")
            storm = Storm(server, history, sent, f"{seed} {number}")
            time.sleep(chosen.uniform(0, LIFE))
            storm.kill()
        until(engine.has_settled, "the database has settled")
        server.start()
        archive.check()
    left = archive.left()
    print(f"kills: {KILLS}, acknowledged: {history.acknowledged}, lost: 0, files without a row: {len(left)}")
    if uids is fresh:
        assert not left
    assert history.acknowledged > KILLS
    listed = server.instances().values()
    assert {(row["path"], row["sha256"]) for row in listed} == {
        (str(path), sha256) for path, sha256 in server.registered().items()
    }
    # so that what is left after the stop is what the rows name, exactly
    for path in left:
        path.unlink()
