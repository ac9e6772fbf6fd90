"""What is stored can be found and is given back whole, or the benchmark says that it was not."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from benchmarks import giving_back
from benchmarks.archives import (
    ARCHIVES,
    DESTINATION,
    GivingDcmqrscp,
    GivingOrthanc,
    GivingSDCC,
)
from benchmarks.giving_back import query_table, retrieval_table, retrieving, store
from benchmarks.objects import uid
from benchmarks.sender import Failed
from benchmarks.studies import QUERIES, finding, many_studies
from sdcc.archive.cached import is_answered, read_cached

from ..interop.server import running

#: Few of them: what is tested is that they come.
OBJECTS = 3


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """A server that has some of the studies."""
    with running(tmp_path_factory.mktemp("server")) as server:
        receiver = SimpleNamespace(address=server.address, title="SDCC")
        store(receiver, many_studies(10))
        receiver.stored = [*server.instances().values()]
        yield receiver


# --- studies ---


def test_studies_are_as_long_as_each_other_and_are_different_patients(archive):
    assert len({len(data) for (data,) in many_studies(100)}) == 1
    assert len(archive.stored) == 10
    for key in ("study_instance_uid", "series_instance_uid", "patient_id", "patient_name"):
        assert len({each[key] for each in archive.stored}) == 10
    assert not any(each["fault"] for each in archive.stored)


def test_a_query_finds_the_study_that_it_is_for_and_no_other(archive):
    wanted = archive.stored[4]["patient_id"]
    answers, first, last = finding(archive, QUERIES["patient ID"] | {"PatientID": wanted})
    assert answers == 1
    assert 0 < first <= last


@pytest.mark.parametrize(("key", "value", "answers"), [("PatientName", "N*", 10), ("PatientID", "none", 0)])
def test_every_answer_is_counted(archive, key, value, answers):
    assert finding(archive, QUERIES["patient ID"] | {"PatientID": "", key: value})[0] == answers


def test_each_query_asks_for_one_thing_beside_what_is_returned():
    conditions = [{key for key, value in query.items() if value} for query in QUERIES.values()]
    assert conditions == [{"QueryRetrieveLevel", key} for key in ("PatientID", "PatientName", "StudyDate")], (
        "in this order"
    )


def test_a_query_that_fails_is_no_result(archive):
    with pytest.raises(Failed, match="A900"):
        finding(archive, QUERIES["date range"] | {"QueryRetrieveLevel": "NONE"})


def test_what_is_not_stored_is_no_archive(archive):
    """Here the request names another object than its Data Set."""
    [[message]] = many_studies(1)
    own = uid(3, 10**9).encode()
    with pytest.raises(Failed, match=str(0xA900)):
        store(archive, [[memoryview(bytes(message).replace(own, own[:-1] + b"1", 1))]])


# --- archives ---


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """An archive that is not started, and the text of its configuration's file."""

    def configure(archive, file):
        monkeypatch.setattr(archive, "_start", lambda self, associations: None)
        monkeypatch.setattr(archive, "destination", ("127.0.0.1", 11113))
        monkeypatch.setattr(archive, "path", lambda *_: "/usr/bin/program")
        (tmp_path / "objects").mkdir()
        made = archive(tmp_path, 1)
        made.port = 11112
        made.command(1)
        return (tmp_path / file).read_text()

    return configure


def test_dcmqrscp_is_told_where_the_destination_is(configured):
    assert f"({DESTINATION}, 127.0.0.1, 11113)" in configured(GivingDcmqrscp, "dcmqrscp.cfg")


def test_orthanc_lets_everyone_ask_and_is_told_where_the_destination_is(configured):
    chosen = json.loads(configured(GivingOrthanc, "orthanc.json"))
    assert chosen["DicomModalities"] == {"sink": [DESTINATION, "127.0.0.1", 11113]}
    assert all(chosen[f"DicomAlwaysAllow{what}"] for what in ("Find", "Get", "Move"))


# --- retrieval ---


@pytest.fixture
def few(monkeypatch, dcmtk):
    for program in ("getscu", "movescu", "storescp"):
        dcmtk(program)
    monkeypatch.setattr(giving_back, "OBJECTS", OBJECTS)


@pytest.mark.usefixtures("few")
def test_both_programs_get_the_series_from_sdcc():
    found = retrieving({"sdcc": GivingSDCC}, 1)
    assert set(found) == {"sdcc getscu", "sdcc movescu"}
    assert all(len(seconds) == 1 and seconds[0] > 0 for seconds in found.values())


@pytest.mark.usefixtures("few")
def test_several_at_once_are_one_round():
    found = retrieving({"sdcc": GivingSDCC}, 2, at_once=3, is_cold=True)
    assert [len(seconds) for seconds in found.values()] == [2, 2]


def test_one_of_several_that_gets_nothing_is_no_result(monkeypatch, dcmtk):
    dcmtk("storescp")
    asked = []

    def retrieve(program, receiver, keys):
        asked.append(keys)
        if len(asked) == 2:
            raise Failed("it did not come")

    monkeypatch.setattr(giving_back, "_retrieve", retrieve)
    with pytest.raises(Failed, match="it did not come"):
        retrieving({"sdcc": GivingSDCC}, 1, at_once=3)


def test_what_is_forgotten_is_not_in_memory(tmp_path):
    path = tmp_path / "directory" / "file"
    path.parent.mkdir()
    path.write_bytes(bytes(100_000))
    with path.open("rb") as file:
        if not is_answered(file.fileno()):
            pytest.skip("this disk does not tell what the kernel has in memory")
        assert len(read_cached(file.fileno(), 0, 100_000)) == 100_000
        giving_back._forget(tmp_path)
        assert read_cached(file.fileno(), 0, 100_000) == b""


@pytest.mark.parametrize("program", ["getscu", "movescu"])
def test_what_does_not_come_is_no_result(archive, program, few):
    """To an unknown destination nothing is moved; of a study that is not there nothing is got."""
    with pytest.raises(Failed, match=program):
        giving_back._retrieve(program, archive, ("1.2.3", "1.2.3.4"))


def test_another_archive_is_first_in_each_round():
    receivers = dict.fromkeys("abc")
    turns = ["".join(name for name, _ in giving_back._from(receivers, number)) for number in range(-1, 3)]
    assert turns == ["cab", "abc", "bca", "cab"]


# --- tables ---


def test_ratios_of_retrieval_are_to_the_first_archive():
    found = {"a getscu": [1.0, 3.0, 2.0], "a movescu": [1.0], "b getscu": [4.0], "b movescu": [0.5]}
    assert retrieval_table(found, ["a", "b"])[1:] == [
        ["a", "2.000", "1.00", "1.000", "1.00"],
        ["b", "4.000", "0.50", "0.500", "2.00"],
    ]


def test_each_query_has_a_row_for_each_archive():
    found = {f"a {query}": [(7, 0.001, 0.002)] for query in QUERIES}
    found |= {f"b {query}": [(7, 0.001, 0.01)] for query in QUERIES}
    rows = query_table(found, ["a", "b"])[1:]
    assert [row[:2] for row in rows] == [[query, name] for query in QUERIES for name in "ab"]
    assert rows[:2] == [
        ["patient ID", "a", "7", "1.00", "2.00", "1.000"],
        ["patient ID", "b", "7", "1.00", "10.00", "0.200"],
    ]


def test_sdcc_on_both_databases_is_among_the_archives_and_first():
    assert list(ARCHIVES)[:2] == ["sdcc-sqlite", "sdcc-postgresql"]
