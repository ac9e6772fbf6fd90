"""C-FIND over real sockets: PS3.4 C.2.2.2, case by case, asked by DCMTK's findscu and by pynetdicom."""

from __future__ import annotations

import re

import pydicom
import pytest

from .asking import find, find_extended, store_all
from .queries import (
    CT_CODE,
    KANJI_CODE,
    QUERIES,
    REFUSED,
    ROOT,
    SC_CODE,
    STUDIES,
    UNIQUE_KEYS,
    Asked,
    study,
)
from .server import CONFIGURATION, until

ON_EVERY_INDEX = True


@pytest.fixture(autouse=True)
def any_value(monkeypatch):
    """What a query may hold, an object may not."""
    monkeypatch.setattr(pydicom.config.settings, "writing_validation_mode", pydicom.config.IGNORE)
    monkeypatch.setattr(pydicom.config.settings, "reading_validation_mode", pydicom.config.IGNORE)


@pytest.fixture(scope="module")
def archive(server, dcmtk, tmp_path_factory):
    """The server, when it has every object of the table."""
    count = store_all(dcmtk("storescu"), server.address, "SDCC", tmp_path_factory.mktemp("objects"))
    assert len(server.instances()) == count
    return server


@pytest.fixture
def ask(archive, dcmtk, tmp_path):
    def ask(asked):
        if getattr(asked, "extended", b""):
            return find_extended(asked, archive.address, "SDCC")
        return find(dcmtk("findscu"), asked, archive.address, "SDCC", tmp_path)

    return ask


@pytest.mark.parametrize("asked", QUERIES, ids=lambda asked: asked.name)
def test_a_query_finds_what_the_standard_says(ask, asked):
    answers, status = ask(asked)

    assert asked.answers(answers) == asked.found
    assert status == 0x0000
    for answer in answers:
        assert answer.QueryRetrieveLevel == asked.level
        assert answer.RetrieveAETitle == "SDCC"


@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused.name)
def test_a_query_that_breaks_the_hierarchy_is_refused(ask, refused):
    assert ask(refused) == ([], refused.status)


def test_an_answer_has_what_was_stored_and_what_was_reckoned(ask):
    wanted = {
        **{"StudyDate": "20240101", "StudyTime": "101530.250000", "AccessionNumber": "A1", "StudyID": "1"},
        **{
            "ModalitiesInStudy": ["CT", "OT"],
            "NumberOfStudyRelatedSeries": 3,
            "NumberOfStudyRelatedInstances": 5,
        },
        **{"NumberOfPatientRelatedStudies": 2, "NumberOfPatientRelatedSeries": 4},
        **{"NumberOfPatientRelatedInstances": 7, "PatientName": "DOE^JANE", "PatientBirthDate": "19600304"},
        **{"InstanceAvailability": "ONLINE", "StudyDescription": "CT ABDOMEN 100%"},
    }
    question = Asked("", {**dict.fromkeys(wanted, None), "StudyInstanceUID": study(1)}, "1")

    [answer], _ = ask(question)

    assert {keyword: answer[keyword].value for keyword in wanted} == wanted
    assert sorted(answer.dir()) == sorted(
        {*wanted, "StudyInstanceUID", "QueryRetrieveLevel", "RetrieveAETitle"}
    )


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ([], {"1": [CT_CODE, SC_CODE], "5": [KANJI_CODE]}),
        ([{}], {"1": [CT_CODE, SC_CODE], "5": [KANJI_CODE]}),
        ([{"CodeValue": "C1"}], {"1": [{"CodeValue": "C1"}], "5": [{"CodeValue": "C1"}]}),
        (
            [{"CodeValue": "", "CodeMeaning": "R*"}],
            {"1": [{"CodeValue": "C2", "CodeMeaning": "Report"}]},
        ),
    ],
)
def test_an_answer_has_the_items_that_match_with_what_was_asked_for(ask, asked, expected):
    answers, _ = ask(Asked("", {"ProcedureCodeSequence": asked}, ""))

    found = {
        answer.StudyInstanceUID.removeprefix(f"{ROOT}."): [
            {element.keyword: element.value for element in item} for item in answer.ProcedureCodeSequence
        ]
        for answer in answers
    }
    assert {study: items for study, items in found.items() if items} == expected


def test_the_numbers_below_a_series(ask):
    keys = {"StudyInstanceUID": study(1), "NumberOfSeriesRelatedInstances": None, "SeriesDescription": None}
    answers, _ = ask(Asked("", keys, "", "SERIES"))

    found = {
        answer.SeriesInstanceUID.removeprefix(f"{ROOT}."): (
            answer.NumberOfSeriesRelatedInstances,
            answer.SeriesDescription or None,
        )
        for answer in answers
    }
    assert found == {"1.1": (3, "THIN"), "1.2": (1, "THICK"), "1.3": (1, None)}


@pytest.mark.parametrize("character_set", [None, "ISO_IR 100", "ISO_IR 192", "GB18030"])
def test_names_of_all_the_world_arrive_whatever_set_was_named(ask, character_set):
    named = {"SpecificCharacterSet": character_set} if character_set else {}
    answers, _ = ask(Asked("", {"PatientName": None, **named}, ""))

    assert {str(answer.PatientName) for answer in answers} == {
        attributes["PatientName"] for attributes, _ in STUDIES.values()
    }


def test_the_limit_on_answers_is_kept_and_told(start, dcmtk, tmp_path):
    server = start(CONFIGURATION + "[query]\nmaximum_answers = 2\n")
    store_all(dcmtk("storescu"), server.address, "SDCC", tmp_path)

    answers, status = find(dcmtk("findscu"), Asked("", {}, ""), server.address, "SDCC", tmp_path)

    assert (len(answers), status) == (2, 0xA700)
    until(lambda: " C-FIND " in server.log(), "the log says so")
    line = next(line for line in server.log().splitlines() if " C-FIND " in line)
    assert re.search(
        r"SDCC<-FINDSCU\(\d+\) C-FIND A700 \d+ B [0-9.]+ ms after 2 pending: "
        r"More than 2 match, which is the limit; STUDY level$",
        line,
    )


def test_every_level_has_its_unique_key():
    assert set(UNIQUE_KEYS) == {asked.level for asked in QUERIES}
