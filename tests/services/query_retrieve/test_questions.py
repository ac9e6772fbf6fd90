"""What a C-FIND asks, key by key and level by level (PS3.4 C.4.1)."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.datadict import keyword_for_tag

from sdcc.dimse.status import Status
from sdcc.queries import Condition, DateTimeCondition, Level, PersonName, SingleValue, UIDList
from sdcc.services.query_retrieve.identifiers import BadIdentifier
from sdcc.services.query_retrieve.keys import KEYS
from sdcc.services.query_retrieve.questions import read_question

from .asking import (
    COMBINED,
    EXPLICIT,
    IMPLICIT,
    PATIENT_ROOT,
    RELATIONAL,
    STUDY_ROOT,
    ask,
    conditions,
    context,
    identifier,
    refused,
)

#: One value of each Unique Key.
ABOVE = {"PatientID": "P1", "StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.3"}
UNIQUE = {
    "PATIENT": "PatientID",
    "STUDY": "StudyInstanceUID",
    "SERIES": "SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}


# --- what is asked --------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_keys_with_a_value_are_conditions_and_all_are_wanted(syntax):
    question = ask(
        {
            "level": "STUDY",
            "PatientName": "DOE*",
            "StudyDate": "20240229",
            "StudyDescription": "",
            "PatientID": " ",
        },
        syntax=syntax,
    )

    assert question.query.level is Level.STUDY
    assert conditions(question) == {
        "patient_name": PersonName(("DOE*",)),
        "study_date": SingleValue(date(2024, 2, 29)),
    }
    assert question.query.wanted == {"patient_name", "study_date", "study_description", "patient_id"}
    assert question.is_supported


def test_every_key_of_every_level_can_be_asked_for():
    every = {keyword_for_tag(tag): "" for tag in KEYS}
    question = ask({"level": "IMAGE", **every}, extended=RELATIONAL)

    assert question.is_supported
    assert question.query.conditions == ()
    assert question.query.wanted == {key.field for key in KEYS.values()}


def test_answers_have_level_and_source_and_everything_that_was_asked_for_in_order():
    question = ask({"StudyDate": "", "level": "STUDY", "InstanceAvailability": "", "ReasonForStudy": "x"})

    assert [keyword_for_tag(tag) for tag in question.returned] == [
        "StudyDate",
        "QueryRetrieveLevel",
        "RetrieveAETitle",
        "InstanceAvailability",
        "ReasonForStudy",
    ]


@pytest.mark.parametrize(
    ("keys", "is_supported"),
    [
        ({"StudyDate": ""}, True),
        ({"InstanceAvailability": "", "RetrieveAETitle": ""}, True),
        ({"NumberOfStudyRelatedSeries": ""}, True),
        ({"ModalitiesInStudy": "CT", "SOPClassesInStudy": "1.2"}, True),
        # No key of any level, and a sequence
        ({"ReasonForStudy": ""}, False),
        ({"ReferencedStudySequence": ""}, False),
        ({"ReferencedStudySequence": b"\xfe\xff\x00\xe0\0\0\0\0"}, False),
        # of a level below
        ({"Modality": "CT"}, False),
        ({"Modality": ""}, False),
        # a value that nothing is compared with
        ({"NumberOfStudyRelatedSeries": "3"}, False),
        ({"RetrieveAETitle": "SDCC"}, False),
        # and what is no key at all
        ({"TimezoneOffsetFromUTC": "+0100"}, True),
        ({"QueryRetrieveView": "CLASSIC"}, True),
        ({(0x00090010, "LO"): "ACME"}, True),
        ({(0x00080000, "UL"): b"\0\0\0\0"}, True),
        ({(0x00080001, "UL"): b"\0\0\0\0"}, True),
    ],
)
def test_keys_that_are_not_supported_ask_for_nothing_and_are_told_of(keys, is_supported):
    question = ask({"level": "STUDY", **keys})

    assert question.is_supported is is_supported
    if not is_supported:
        assert question.query.conditions == ()


def test_what_is_no_key_is_not_returned():
    keys = {(0x00090010, "LO"): "ACME", (0x00100000, "UL"): b"\0\0\0\0", "TimezoneOffsetFromUTC": "+0100"}
    assert len(ask({"level": "STUDY", **keys}).returned) == 2


def test_keys_of_the_levels_above_are_conditions_too():
    question = ask({"level": "SERIES", "StudyInstanceUID": "1.2", "PatientName": "DOE", "Modality": "CT\\MR"})

    assert conditions(question) == {
        "study_instance_uid": SingleValue("1.2"),
        "patient_name": PersonName(("DOE",)),
        "modality": UIDList(("CT", "MR")),
    }
    assert question.is_supported


def test_in_the_study_root_the_patients_attributes_are_the_studys():
    keys = {"level": "STUDY", "PatientBirthDate": "", "NumberOfPatientRelatedStudies": ""}
    assert ask(keys).is_supported
    assert ask({**keys, "PatientID": "P1"}, model=PATIENT_ROOT).is_supported


# --- the hierarchy (PS3.4 C.4.1.2) ----------------------------------------------------------


@pytest.mark.parametrize("model", [PATIENT_ROOT, STUDY_ROOT])
@pytest.mark.parametrize("level", Level)
def test_one_value_is_needed_of_the_unique_key_of_each_level_above(model, level):
    levels = list(Level) if model == PATIENT_ROOT else list(Level)[1:]
    if level not in levels:
        return
    above = [UNIQUE[other] for other in levels[: levels.index(level)]]
    keys = {"level": level, **{keyword: ABOVE[keyword] for keyword in above}}

    assert len(ask(keys, model=model).query.conditions) == len(above)
    for keyword in above:
        for value in ("", "*", "1.2\\1.3", *(["P*"] if keyword == "PatientID" else [])):
            fault = refused({**keys, keyword: value}, model=model)
            assert fault.status == Status.IDENTIFIER_DOES_NOT_MATCH
            assert keyword_for_tag(fault.tag) == keyword
            assert str(fault) == f"{keyword}: one value is needed at {level} level"
        del keys[keyword]
        assert keyword_for_tag(refused(keys, model=model).tag) == keyword
        keys[keyword] = ABOVE[keyword]


def test_the_unique_key_of_the_querys_own_level_may_be_anything():
    for value in ("", "1.2", "1.2\\1.3"):
        assert ask({"level": "STUDY", "StudyInstanceUID": value})
    assert ask({"level": "PATIENT", "PatientID": "P*"}, model=PATIENT_ROOT)


def test_a_relational_query_needs_none():
    question = ask({"level": "IMAGE", "Modality": "CT"}, extended=RELATIONAL)

    assert conditions(question) == {"modality": SingleValue("CT")}
    assert refused({"level": "IMAGE", "Modality": "CT"}, extended=b"\0\1").tag == 0x0020000D


# --- date and time --------------------------------------------------------------------------

DATES, TIMES = "20240101-20240229", "1000-1800"


def test_ranges_of_date_and_time_are_two_conditions_unless_combination_was_agreed_to():
    keys = {"level": "STUDY", "StudyDate": DATES, "StudyTime": TIMES}

    assert conditions(ask(keys)).keys() == {"study_date", "study_time"}
    assert conditions(ask(keys, extended=RELATIONAL)).keys() == {"study_date", "study_time"}


@pytest.mark.parametrize(
    ("dates", "times", "first", "last"),
    [
        (DATES, TIMES, datetime(2024, 1, 1, 10), datetime(2024, 2, 29, 18, 0, 59, 999_999)),
        ("20240101-", TIMES, datetime(2024, 1, 1, 10), None),
        ("-20240229", TIMES, None, datetime(2024, 2, 29, 18, 0, 59, 999_999)),
        (DATES, "1000-", datetime(2024, 1, 1, 10), datetime(2024, 2, 29, 23, 59, 59, 999_999)),
        (DATES, "-18", datetime(2024, 1, 1), datetime(2024, 2, 29, 18, 59, 59, 999_999)),
    ],
)
def test_where_it_was_agreed_to_they_are_instants(dates, times, first, last):
    question = ask(
        {"level": "STUDY", "StudyDate": dates, "StudyTime": times, "PatientID": "P1"}, extended=COMBINED
    )
    assert question.query.conditions == (
        DateTimeCondition(date_field="study_date", time_field="study_time", first=first, last=last),
        Condition("patient_id", SingleValue("P1")),
    )


@pytest.mark.parametrize(
    ("dates", "times"), [("20240101", TIMES), (DATES, "10"), (DATES, ""), ("", TIMES), (DATES, "*")]
)
def test_only_ranges_are_combined(dates, times):
    keys = {"level": "STUDY", "StudyDate": dates, "StudyTime": times}
    assert ask(keys, extended=COMBINED).query == ask(keys).query


def test_each_date_has_its_own_time():
    keys = {"level": "STUDY", "StudyDate": DATES, "SeriesTime": TIMES}
    assert ask(keys, extended=COMBINED).query == ask(keys).query
    pairs = {"AcquisitionDate": DATES, "AcquisitionTime": TIMES, "ContentDate": DATES, "ContentTime": TIMES}
    question = ask({"level": "IMAGE", **pairs}, extended=b"\1\1")
    assert {condition.date_field for condition in question.query.conditions} == {
        "acquisition_date",
        "content_date",
    }


# --- what is refused ------------------------------------------------------------------------


def test_a_value_that_is_none_names_its_key_and_nothing_of_itself():
    fault = refused({"level": "STUDY", "StudyDate": "DOE^JANE"})

    assert (fault.status, fault.tag) == (Status.IDENTIFIER_DOES_NOT_MATCH, 0x00080020)
    assert str(fault) == "StudyDate: not a date or a range of dates"


def test_a_value_of_a_key_that_is_not_compared_is_not_judged():
    assert ask({"level": "STUDY", "SeriesDate": "none", "NumberOfStudyRelatedSeries": "many"})


# --- anything -------------------------------------------------------------------------------

#: Not `binary`: hypothesis compares its choices, and bytes are not to be compared with numbers.
VALUES = st.one_of(
    st.lists(st.integers(0, 255), max_size=12).map(bytes),
    st.sampled_from([b"", b"*", b"1.2", b"20240101-", b"10-12", b"A^B=C"]),
)


@given(
    st.dictionaries(st.sampled_from([keyword_for_tag(tag) for tag in KEYS]), VALUES, max_size=8),
    st.sampled_from(["PATIENT", "STUDY", "SERIES", "IMAGE"]),
    st.sampled_from([EXPLICIT, IMPLICIT]),
    st.sampled_from([b"", b"\1", b"\1\1"]),
)
@settings(max_examples=300)
def test_any_identifier_asks_something_or_is_refused_with_a_status_of_the_standard(
    keys, level, syntax, extended
):
    try:
        question = ask({"level": level, **keys}, model=PATIENT_ROOT, syntax=syntax, extended=extended)
    except BadIdentifier as fault:
        status = fault.status
    else:
        status = None
        assert len(question.query.conditions) <= len(keys)
        assert all(
            not isinstance(c, Condition) or c.field in question.query.wanted
            for c in question.query.conditions
        )
    assert status in (None, 0xA900, 0xC000)


@given(st.binary(max_size=120), st.sampled_from([EXPLICIT, IMPLICIT]))
@settings(max_examples=200)
def test_any_bytes_are_an_identifier_or_are_refused(data, syntax):
    begin = identifier({"level": "STUDY"}, syntax)
    try:
        question = read_question(begin + data, context(syntax=syntax))
    except BadIdentifier as fault:
        status = fault.status
    else:
        status = None
        assert question.returned.keys() >= {0x00080052, 0x00080054}
    assert status in (None, 0xA900, 0xC000)
