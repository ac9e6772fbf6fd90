"""`sdccctl verify` beside a server that is receiving, and what is mended while it goes on."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from .objects import CT, data_set, new_uid
from .peers import store
from .server import CONFIGURATION, PATIENCE, SDCCCTL
from .wire import EXPLICIT

ON_EVERY_INDEX = True


@pytest.fixture(scope="module")
def configuration(index):
    return (index or "[index]\n") + "timeout = 0.4\n" + CONFIGURATION


@pytest.fixture
def send(server, associate):
    """Stores an object; gives the row that the index has of it."""
    association = associate(server, (CT, [EXPLICIT]))

    def send(uid, study, pixels=b"\x01\x02"):
        data = data_set(instance=uid, study=study, pixels=pixels)
        assert store(association, data, sop_class=CT, sop_instance=uid).Status == 0
        return data

    return send


@pytest.mark.parametrize("options", [[], ["--repair"]])
def test_objects_that_come_again_and_again_meanwhile_are_no_findings(server, send, options):
    """The server itself, as it stops, must find a row of every file and a file of every row."""
    uids, study = [new_uid() for _ in range(10)], new_uid()
    last = {uid: send(uid, study) for uid in uids}
    command = [*SDCCCTL, "--config", server.configuration, "verify", *options]
    for _ in range(3):
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as verifying:
            rounds = 0
            while verifying.poll() is None:
                rounds += 1
                for uid in uids:
                    last[uid] = send(uid, study, rounds.to_bytes(4, "little"))
            out, err = verifying.communicate(timeout=PATIENCE)
        assert (verifying.returncode, out.count("\n")) == (0, 1), out + err
        assert ", findings 0, mended 0" in out
        assert rounds > 1
    assert {uid: row["sha256"] for uid, row in server.instances(study).items()} == {
        uid: hashlib.sha256(data).hexdigest() for uid, data in last.items()
    }


def test_what_is_mended_can_be_sent_again_to_the_server_that_has_run_on(server, send):
    study = new_uid()
    good, gone, altered, lost = uids = [new_uid() for _ in range(4)]
    data = {uid: send(uid, study) for uid in uids}
    paths = {uid: Path(row["path"]) for uid, row in server.instances(study).items()}
    paths[gone].unlink()
    paths[altered].write_bytes(paths[altered].read_bytes()[:-1] + b"\x55")
    paths[lost].rename(paths[lost].with_name(f"{lost}-anothertoken.dcm"))
    found = server.sdccctl("verify")
    assert found.returncode == 1
    assert {tuple(line.split("\t")[::2][:2]) for line in found.stdout.splitlines()[:-1]} == {
        ("missing", gone),
        ("altered", altered),
        ("missing", lost),
        ("orphan", lost),
    }
    mended = server.sdccctl("verify", "--repair")
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert server.instances(study).keys() == {good, lost}
    kept = server.storage / "quarantine" / paths[altered].relative_to(server.storage)
    assert kept.read_bytes().endswith(b"\x55")
    for uid in (gone, altered):
        assert send(uid, study) == data[uid]
    assert server.instances(study).keys() == {*uids}
    clean = server.sdccctl("verify")
    assert (clean.returncode, clean.stdout.count("\n")) == (0, 1), clean.stdout
