"""Which objects an Identifier asks for: by unique keys, as the Information Model has them."""

from __future__ import annotations

import struct

import pytest

from sdcc.conformance import PATIENT_ROOT_MOVE, STUDY_ROOT_GET
from sdcc.dimse.status import Status
from sdcc.queries import Level, Query, SingleValue, UIDList
from sdcc.services.retrieve_identifier import (
    LONGEST_IDENTIFIER,
    BadIdentifier,
    GatheredIdentifier,
    read_retrieval,
)
from sdcc.upper_layer.negotiation import PresentationContext

from .retrieving import EXPLICIT, IMPLICIT, Retrieving, elements

LEVEL, PATIENT, STUDY, SERIES, IMAGE = 0x00080052, 0x00100020, 0x0020000D, 0x0020000E, 0x00080018


def asked(*pairs, root=STUDY_ROOT_GET, relational=False, syntax=IMPLICIT):
    context = PresentationContext(
        id=1, abstract_syntax=root, transfer_syntax=syntax, extended=b"\1" if relational else b""
    )
    query = read_retrieval(elements(sorted(pairs), explicit=syntax == EXPLICIT), context)
    assert query == Query(level=Level.IMAGE, conditions=query.conditions)
    return {condition.field: condition.matching for condition in query.conditions}


def refused(*pairs, **settings):
    with pytest.raises(BadIdentifier) as raised:
        asked(*pairs, **settings)
    return raised.value.status, raised.value.tag


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT])
def test_one_of_each_level_down_to_its_own(syntax):
    assert asked(
        (LEVEL, "IMAGE"), (PATIENT, "P1"), (STUDY, "1.2"), (SERIES, "1.3"), (IMAGE, "1.4"),
        root=PATIENT_ROOT_MOVE, syntax=syntax,
    ) == {
        "patient_id": SingleValue("P1"),
        "study_instance_uid": SingleValue("1.2"),
        "series_instance_uid": SingleValue("1.3"),
        "sop_instance_uid": SingleValue("1.4"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("level", "pairs"),
    [
        ("STUDY", []),
        ("SERIES", [(STUDY, "1.2")]),
        ("IMAGE", [(STUDY, "1.2"), (SERIES, "1.3")]),
    ],
)
def test_a_list_of_uids_at_the_level(level, pairs):
    tag = {"STUDY": STUDY, "SERIES": SERIES, "IMAGE": IMAGE}[level]
    found = asked((LEVEL, level), *pairs, (tag, "1.5\\1.6"))
    assert list(found.values())[-1] == UIDList(("1.5", "1.6"))


def test_the_patient_is_none_of_the_study_root():
    assert asked((LEVEL, "STUDY"), (PATIENT, "P1"), (STUDY, "1.2")) == {
        "study_instance_uid": SingleValue("1.2")
    }


def test_keys_below_the_level_and_others_are_let_be():
    assert asked((LEVEL, "STUDY"), (STUDY, "1.2"), (SERIES, "1.3"), (0x00080060, "CT")) == {
        "study_instance_uid": SingleValue("1.2")
    }


def test_relational_needs_no_key_above_and_takes_lists_there():
    assert asked((LEVEL, "IMAGE"), (IMAGE, "1.4"), relational=True) == {
        "sop_instance_uid": SingleValue("1.4")
    }
    assert asked((LEVEL, "IMAGE"), (STUDY, "1.1\\1.2"), (IMAGE, "1.4"), relational=True) == {
        "study_instance_uid": UIDList(("1.1", "1.2")),
        "sop_instance_uid": SingleValue("1.4"),
    }


@pytest.mark.parametrize(
    ("pairs", "tag"),
    [
        ([(STUDY, "1.2")], LEVEL),
        ([(LEVEL, ""), (STUDY, "1.2")], LEVEL),
        ([(LEVEL, "WORLD"), (STUDY, "1.2")], LEVEL),
        ([(LEVEL, "PATIENT"), (PATIENT, "P1")], LEVEL),
        ([(LEVEL, "STUDY")], STUDY),
        ([(LEVEL, "STUDY"), (STUDY, "")], STUDY),
        ([(LEVEL, "STUDY"), (STUDY, "*")], STUDY),
        ([(LEVEL, "STUDY"), (STUDY, "1.?")], STUDY),
        ([(LEVEL, "SERIES"), (SERIES, "1.3")], STUDY),
        ([(LEVEL, "SERIES"), (STUDY, "1.1\\1.2"), (SERIES, "1.3")], STUDY),
        ([(LEVEL, "IMAGE"), (STUDY, "1.2"), (IMAGE, "1.4")], SERIES),
    ],
)
def test_what_does_not_fit_the_model_is_named(pairs, tag):
    assert refused(*pairs) == (Status.IDENTIFIER_DOES_NOT_MATCH, tag)


def test_several_patients_are_no_list_of_uids():
    assert refused((LEVEL, "PATIENT"), (PATIENT, "P1\\P2"), root=PATIENT_ROOT_MOVE)[1] == PATIENT


def test_relational_still_needs_the_key_of_the_level():
    assert refused((LEVEL, "IMAGE"), (STUDY, "1.2"), relational=True)[1] == IMAGE


def test_what_is_no_data_set():
    context = PresentationContext(id=1, abstract_syntax=STUDY_ROOT_GET, transfer_syntax=IMPLICIT)
    broken = struct.pack("<HHI", 0x0008, 0x0052, 100) + b"short"
    with pytest.raises(BadIdentifier) as raised:
        read_retrieval(broken, context)
    assert raised.value.status in (Status.CANNOT_UNDERSTAND, Status.IDENTIFIER_DOES_NOT_MATCH)


def test_an_identifier_is_gathered_as_long_as_it_is_not_too_long():
    session = Retrieving().session(STUDY_ROOT_GET)
    gathered = GatheredIdentifier(session)
    gathered.write(memoryview(bytes(LONGEST_IDENTIFIER)))
    assert len(gathered.whole()) == gathered.size == LONGEST_IDENTIFIER
    gathered.write(memoryview(b"x"))
    with pytest.raises(BadIdentifier, match="256 KiB are allowed"):
        gathered.whole()
    assert gathered.size == LONGEST_IDENTIFIER + 1
