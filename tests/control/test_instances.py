"""`sdccctl instances`: the index, as lines for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sdcc.control import main
from sdcc.index.sqlite import PAGE
from sdcc.interfaces import StoredObject

Make = Callable[..., StoredObject]
Register = Callable[..., None]
List = Callable[..., str]


@pytest.fixture
def listed(config: str, capsys: pytest.CaptureFixture[str]) -> List:
    """Runs the command with arguments; gives what it prints."""

    def run(*arguments: str) -> str:
        assert main(["--config", config, "instances", *arguments]) == 0
        return capsys.readouterr().out

    return run


def test_json_has_the_keys_of_the_design(
    listed: List, registered: Register, stored_object: Make, tmp_path: Path
) -> None:
    registered(stored_object("1.2.3", fault="text is not in its character set"))
    (line,) = listed("--json").splitlines()
    assert json.loads(line) == {
        "sop_instance_uid": "1.2.3",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
        "series_instance_uid": "1.2.1.2",
        "study_instance_uid": "1.2.1",
        "patient_id": "4711",
        "patient_name": "Yamada^Tarou",
        "modality": "CT",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "path": f"{tmp_path}/sdcc-data/objects/2024/02/29/1.2.3.dcm",
        "size": 525000,
        "sha256": "abababababababababababababababababababababababababababababababab",
        "received_at": "2024-02-29T13:00:59.000000+00:00",
        "calling_ae": "CT01",
        "called_ae": "SDCC",
        "fault": "text is not in its character set",
    }


def test_json_has_null_where_nothing_is_known(
    listed: List, registered: Register, stored_object: Make
) -> None:
    registered(stored_object("1.2.3", patient_id=None, patient_name=None))
    found = json.loads(listed("--json"))
    assert (found["patient_id"], found["patient_name"], found["fault"]) == (None, None, None)


def test_people_get_a_table(listed: List, registered: Register, stored_object: Make, tmp_path: Path) -> None:
    nameless = stored_object(
        "1.2.4", study_uid="1.9", minute=1, patient_id=None, patient_name=None, fault="odd VR"
    )
    registered(stored_object("1.2.3"), nameless)
    directory = f"{tmp_path}/sdcc-data/objects/2024/02/29"
    assert [line.replace(directory, "DIR") for line in listed().splitlines()] == [
        "received (UTC)       from              mod.  size     patient ID        patient name              "
        "file",
        "2024-02-29 13:00:59  CT01              CT    525 KB   4711              Yamada^Tarou              "
        "DIR/1.2.3.dcm",
        "2024-02-29 13:01:59  CT01              CT    525 KB   -                 -                         "
        "DIR/1.2.4.dcm  (odd VR)",
    ]


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_study_can_be_chosen(
    form: list[str], listed: List, registered: Register, stored_object: Make
) -> None:
    registered(stored_object("1.2.3.1"), stored_object("1.2.3.2", study_uid="1.9"), stored_object("1.2.3.3"))
    out = listed("--study", "1.9", *form)
    assert [uid in out for uid in ("1.2.3.1", "1.2.3.2", "1.2.3.3")] == [False, True, False]


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_the_faulty_can_be_chosen(
    form: list[str], listed: List, registered: Register, stored_object: Make
) -> None:
    registered(
        stored_object("1.2.3.1", fault="odd VR"),
        stored_object("1.2.3.2"),
        stored_object("1.2.3.3", study_uid="1.9", fault="cut"),
    )
    out = listed("--faulty", *form)
    assert [uid in out for uid in ("1.2.3.1", "1.2.3.2", "1.2.3.3")] == [True, False, True]
    out = listed("--faulty", "--study", "1.9", *form)
    assert [uid in out for uid in ("1.2.3.1", "1.2.3.2", "1.2.3.3")] == [False, False, True]
    assert listed("--faulty", "--study", "1.8", *form) == ""


def test_that_none_is_faulty_is_said(
    config: str, registered: Register, stored_object: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    registered(stored_object("1.2.3"))
    assert main(["--config", config, "instances", "--faulty"]) == 0
    assert capsys.readouterr() == ("", "no object is registered as faulty\n")


#: C0, delete, C1, line and paragraph separators, marks that turn the writing direction, byte order mark.
STEERING = [
    *("\x07", "\t", "\n", "\r", "\x1b", "\x7f", "\x80", "\x85", "\x9b", "\u2028", "\u2029"),
    *("\u061c", "\u200e", "\u200f", "\u202a", "\u202e", "\u2066", "\u2069", "\ufeff"),
]


@pytest.mark.parametrize("character", STEERING)
def test_no_text_of_a_stranger_can_steer_the_terminal(
    character: str, listed: List, registered: Register, stored_object: Make
) -> None:
    hostile = f"A{character}B"
    registered(stored_object("1.2.3", patient_id=hostile, patient_name=hostile, fault=hostile))
    for form, count in ([], 2), (["--json"], 1):
        out = listed(*form)
        assert all(c == "\n" or c.isprintable() for c in out)
        assert out.count("\n") == count
    found = json.loads(out)
    assert (found["patient_id"], found["patient_name"], found["fault"]) == (hostile, hostile, hostile)


def test_letters_of_all_languages_are_shown(listed: List, registered: Register, stored_object: Make) -> None:
    registered(stored_object("1.2.3", patient_name="山田^太郎"))
    assert "山田^太郎" in listed()


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_an_empty_index_is_said_to_be_empty(
    form: list[str], config: str, registered: Register, capsys: pytest.CaptureFixture[str]
) -> None:
    registered()
    assert main(["--config", config, "instances", *form]) == 0
    assert capsys.readouterr() == ("", "no object is registered\n")
    assert main(["--config", config, "instances", "--study", "1.9", *form]) == 0
    assert capsys.readouterr() == ("", "no object is registered of study 1.9\n")


def test_a_study_uid_may_be_as_odd_as_a_sender_made_it(
    listed: List, registered: Register, stored_object: Make
) -> None:
    registered(stored_object("1.2.3", study_uid="1.02..STUDY"))
    assert "1.2.3.dcm" in listed("--study", "1.02..STUDY")


def test_no_index_yet_is_an_error_and_none_is_made(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", config, "instances"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"{tmp_path}/sdcc-data/index.sqlite: there is no index yet")
    assert not (tmp_path / "sdcc-data").exists()


def test_another_file_in_its_place_is_an_error(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sdcc-data").mkdir()
    (tmp_path / "sdcc-data" / "index.sqlite").write_text("no database " * 100)
    assert main(["--config", config, "instances"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"{tmp_path}/sdcc-data/index.sqlite: ")


def test_more_than_a_page_is_listed_in_the_order_of_reception(
    listed: List, registered: Register, stored_object: Make
) -> None:
    uids = [f"1.2.3.{number}" for number in range(PAGE + 5)]
    registered(*(stored_object(uid) for uid in uids))
    assert [json.loads(line)["sop_instance_uid"] for line in listed("--json").splitlines()] == uids
