"""`sdccctl reindex` beside a server that is receiving: neither spoils what the other registers."""

from __future__ import annotations

import hashlib
import subprocess

import pytest

from .objects import CT, data_set, new_uid
from .peers import store
from .server import CONFIGURATION, PATIENCE, SDCCCTL
from .wire import EXPLICIT

ON_EVERY_INDEX = True


@pytest.fixture(scope="module")
def configuration(index):
    return (index or "[index]\n") + "timeout = 1.0\n" + CONFIGURATION


def test_objects_that_come_again_meanwhile_are_registered_as_they_came_last(server, associate):
    """The server itself, as it stops, must find a row of every file and a file of every row."""
    association = associate(server, (CT, [EXPLICIT]))
    uids, study = [new_uid() for _ in range(10)], new_uid()
    command = [*SDCCCTL, "--config", server.configuration, "reindex"]
    last = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as reindexing:
        rounds = 0
        while reindexing.poll() is None or rounds < 2:
            rounds += 1
            for uid in uids:
                last[uid] = data_set(instance=uid, study=study, pixels=rounds.to_bytes(4, "little"))
                assert store(association, last[uid], sop_class=CT, sop_instance=uid).Status == 0
        out, err = reindexing.communicate(timeout=PATIENCE)
    assert reindexing.returncode == 0, err
    assert out.startswith("registered 0, ")
    rows = server.instances(study)
    assert {uid: row["sha256"] for uid, row in rows.items()} == {
        uid: hashlib.sha256(data).hexdigest() for uid, data in last.items()
    }
