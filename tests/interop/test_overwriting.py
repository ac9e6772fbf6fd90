"""The same SOP Instance UID again: the newest object is the object."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from .objects import CT, MR, data_set, data_set_of, new_uid
from .peers import store
from .server import until
from .wire import EXPLICIT

ON_EVERY_INDEX = True


@pytest.fixture
def send(server, associate):
    """Stores an object; gives its Data Set."""
    association = associate(server, (CT, [EXPLICIT]), (MR, [EXPLICIT]))

    def send(**values):
        data = data_set(**values)
        response = store(
            association, data, sop_class=values.get("sop_class", CT), sop_instance=values["instance"]
        )
        assert response.Status == 0
        return data

    return send


def files_of(server, uid):
    return {path for path in server.objects() if path.name.startswith(f"{uid}-")}


def test_other_bytes_take_the_place_of_the_old_ones(server, send):
    uid, study = new_uid(), new_uid()
    send(instance=uid, study=study, pixels=b"old!" * 100)
    old = server.instances(study)[uid]
    new_data = send(instance=uid, study=study, pixels=b"new!" * 5000)
    rows = server.instances(study)
    assert rows.keys() == {uid}
    new = rows[uid]
    assert new["path"] != old["path"]
    assert new["sha256"] == hashlib.sha256(new_data).hexdigest() != old["sha256"]
    assert data_set_of(new["path"]) == new_data
    until(lambda: files_of(server, uid) == {Path(new["path"])}, "the old file is removed")


def test_the_same_bytes_again_are_one_object(server, send):
    uid = new_uid()
    data = [send(instance=uid) for _ in range(5)][-1]
    row = server.instances()[uid]
    assert data_set_of(row["path"]) == data
    until(lambda: files_of(server, uid) == {Path(row["path"])}, "the old files are removed")


@pytest.mark.parametrize("level", ["study", "series", "both"])
def test_an_object_moves_to_the_study_and_series_that_it_now_names(server, send, level):
    uid, study, series = new_uid(), new_uid(), new_uid()
    other_study = study if level == "series" else new_uid()
    other_series = series if level == "study" else new_uid()
    send(instance=uid, study=study, series=series)
    data = send(instance=uid, study=other_study, series=other_series)
    (row,) = server.instances(other_study).values()
    assert (row["study_instance_uid"], row["series_instance_uid"]) == (other_study, other_series)
    assert data_set_of(row["path"]) == data
    if study != other_study:
        assert server.instances(study) == {}, "a study that nothing is left of"
    until(lambda: files_of(server, uid) == {Path(row["path"])}, "the old file is removed")


def test_an_object_may_come_again_as_another_class(server, send):
    uid, study = new_uid(), new_uid()
    send(instance=uid, study=study)
    send(instance=uid, study=study, sop_class=MR)
    (row,) = server.instances(study).values()
    assert row["sop_class_uid"] == MR


def test_others_of_the_study_stay(server, send):
    uid, sibling, study = new_uid(), new_uid(), new_uid()
    kept = send(instance=sibling, study=study)
    send(instance=uid, study=study)
    send(instance=uid, study=new_uid())
    (row,) = server.instances(study).values()
    assert row["sop_instance_uid"] == sibling
    assert data_set_of(row["path"]) == kept


def test_who_holds_the_old_file_open_keeps_reading_it(server, send):
    uid, study = new_uid(), new_uid()
    data = send(instance=uid, study=study, pixels=b"old!" * 100_000)
    old = Path(server.instances(study)[uid]["path"])
    with old.open("rb") as reader:
        beginning = reader.read(1000)
        send(instance=uid, study=study, pixels=b"new!" * 100_000)
        until(lambda: not old.exists(), "the old file is removed")
        assert (beginning + reader.read()).endswith(data)
