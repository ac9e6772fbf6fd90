"""Sequences that are asked for, and answered (PS3.4 C.2.2.2.6)."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.datadict import keyword_for_tag

from sdcc.data_set.elements import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    LONGEST_VALUE,
    UNDEFINED,
)
from sdcc.dimse.status import Status
from sdcc.queries import Level, SequenceMatching, SingleValue, UIDList, WildCard
from sdcc.services.query_retrieve import sequence_keys
from sdcc.services.query_retrieve.identifiers import BadIdentifier
from sdcc.services.query_retrieve.keys import LONGEST_CHARACTER_SET

from ...data_set.test_elements import Writer
from .asking import EXPLICIT, IMPLICIT, RELATIONAL, ask, conditions, identifier, refused
from .test_answers import announced, answer, read

WRITERS = {EXPLICIT: Writer(EXPLICIT_VR_LITTLE_ENDIAN), IMPLICIT: Writer(IMPLICIT_VR_LITTLE_ENDIAN)}
CODES, REQUESTS = "ProcedureCodeSequence", "RequestAttributesSequence"
EMPTY_ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0)


def item(keys, syntax=EXPLICIT, *, undefined=False):
    """An item with these keys, as those of an Identifier are given."""
    return WRITERS[syntax].item(identifier(keys, syntax), undefined=undefined)


def asked(key, content, *, level="STUDY", syntax=EXPLICIT, **others):
    return ask({"level": level, key: content, **others}, syntax=syntax, extended=RELATIONAL)


def of_item(question, field="procedure_code_sequence"):
    """How each attribute of the item must match."""
    matching = conditions(question)[field]
    assert isinstance(matching, SequenceMatching)
    return {condition.field: condition.matching for condition in matching.conditions}


# --- what is asked --------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("undefined", [False, True])
def test_the_keys_of_the_item_with_a_value_are_conditions(syntax, undefined):
    content = item(
        {"CodeValue": "C1", "CodeMeaning": "CT*", "CodingSchemeDesignator": ""}, syntax, undefined=undefined
    )
    question = asked(CODES, content, syntax=syntax)

    assert of_item(question) == {"code_value": SingleValue("C1"), "code_meaning": WildCard("CT*")}
    assert question.query.wanted == {"procedure_code_sequence"}
    assert question.is_supported


def test_a_request_is_asked_for_by_its_ids():
    content = item({"ScheduledProcedureStepID": "S1\\S2", "RequestedProcedureID": "R1"})
    question = asked(REQUESTS, content, level="SERIES")

    assert of_item(question, "request_attributes_sequence") == {
        "scheduled_procedure_step_id": UIDList(("S1", "S2")),
        "requested_procedure_id": SingleValue("R1"),
    }


def test_a_sequence_of_vr_un_is_in_implicit_vr():
    question = asked((0x00081032, "UN"), item({"CodeValue": "C1"}, IMPLICIT))
    assert of_item(question) == {"code_value": SingleValue("C1")}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        EMPTY_ITEM,
        WRITERS[EXPLICIT].item(b"", undefined=True),
        item({"CodeValue": "", "CodeMeaning": "*", "CodingSchemeDesignator": "  "}),
        item({(0x00080000, "UL"): b"\0\0\0\0", (0x00090010, "LO"): "ACME"}),
    ],
)
def test_without_a_value_in_its_item_a_sequence_matches_everything(content):
    question = asked(CODES, content)

    assert conditions(question) == {}
    assert question.query.wanted == {"procedure_code_sequence"}
    assert question.is_supported


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize(
    "keys",
    [
        {"MappingResource": ""},
        {"ContextUID": "1.2"},
        {"ScheduledProcedureStepID": "S1"},
        {"EquivalentCodeSequence": EMPTY_ITEM},
    ],
)
def test_a_key_of_the_item_that_is_not_supported_is_told_of_and_the_others_match(keys, syntax):
    question = asked(CODES, item({"CodeValue": "C1", **keys}, syntax), syntax=syntax)

    assert not question.is_supported
    assert of_item(question) == {"code_value": SingleValue("C1")}


def test_a_sequence_of_a_level_below_is_not_asked_about():
    question = asked(REQUESTS, item({"RequestedProcedureID": "R1"}), level="STUDY")

    assert not question.is_supported
    assert question.query.conditions == ()


def test_a_sequence_of_a_level_above_is():
    question = asked(CODES, item({"CodeValue": "C1"}), level="SERIES")
    assert question.query.level is Level.SERIES
    assert of_item(question) == {"code_value": SingleValue("C1")}


def test_text_is_in_the_identifiers_character_set_or_the_items_own():
    latin = {"SpecificCharacterSet": "ISO_IR 100"}
    assert of_item(asked(CODES, item({"CodeMeaning": b"\xc4\xe4"}), **latin)) == {
        "code_meaning": SingleValue("\xc4\xe4")
    }
    own = item({"SpecificCharacterSet": "ISO_IR 144", "CodeMeaning": b"\xb6\xc4"})
    assert of_item(asked(CODES, own, **latin)) == {"code_meaning": SingleValue("\u0416\u0424")}
    long = {"SpecificCharacterSet": b"ISO_IR 144".ljust(LONGEST_CHARACTER_SET + 2)}
    assert of_item(asked(CODES, item({"CodeMeaning": b"\xc4\xe4", **long}), **latin)) == {
        "code_meaning": SingleValue("\xc4\xe4")
    }


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (item({"CodeValue": "C1"}) + item({"CodeValue": "C2"}), "one item is allowed"),
        (EMPTY_ITEM * 2, "one item is allowed"),
        (item({"CodeMeaning": b"\xff\xff"}), "(0008,0104) bytes outside its character set"),
        (item({"CodeValue": "C1\\C?"}), "(0008,0100) a wild card in one of several values"),
        (item({"CodeValue": "C1"})[:-1], "(FFFE,E000) runs past the end"),
        (item({"CodeValue": "C1"}, undefined=True)[:-8], "(FFFE,E000) has no end"),
        (b"C1  ", "(FFFE,E000) no whole item follows"),
        (b"CODE IS C1", "(FFFE,E000) item out of place"),
        (WRITERS[EXPLICIT].item(b"\x08\0\0\x01SH\x04\0C1"), "(0008,0100) runs past the end"),
        (WRITERS[EXPLICIT].item(b"\x08\0\0\x01??\x02\0C1"), "(0008,0100) has no valid VR"),
        (WRITERS[EXPLICIT].nested(20), "(FFFE,E000) item out of place"),
        (EMPTY_ITEM[:4] + struct.pack("<I", UNDEFINED), "(FFFE,E000) has no end"),
    ],
)
def test_a_sequence_with_which_nothing_can_be_compared_is_refused(content, reason):
    fault = refused({"level": "STUDY", CODES: content})

    assert (fault.status, fault.tag) == (Status.IDENTIFIER_DOES_NOT_MATCH, 0x00081032)
    assert str(fault) == f"{CODES}: {reason}"


def test_an_item_is_small_as_every_item_of_every_answer_repeats_it():
    many = {(0x00090000 + number, "LO"): "" for number in range(1, sequence_keys.MOST_KEYS + 1)}
    assert asked(CODES, item(many)).query.wanted
    assert str(refused({"level": "STUDY", CODES: item({"CodeValue": "", **many})})) == (
        f"{CODES}: 64 keys are allowed"
    )
    content = item({"CodeValue": "C1", (0x00091001, "UT"): b"x" * (LONGEST_VALUE - 30)})
    assert len(content) == LONGEST_VALUE
    assert asked(CODES, content).is_supported
    longer = item({"CodeValue": "C1", (0x00091001, "UT"): b"x" * (LONGEST_VALUE - 28)})
    assert str(refused({"level": "STUDY", CODES: longer})) == f"{CODES}: 4096 bytes are allowed"


def test_what_is_no_sequence_is_refused():
    fault = refused({"level": "STUDY", (0x00081032, "LO"): "C1"})
    assert str(fault) == f"{CODES}: not a sequence"


@given(st.lists(st.sampled_from([EMPTY_ITEM, b"\x08\0\0\x01SH\x02\0C1", b"\xff" * 4, b"\0", b"\xfe\xff"])))
@settings(max_examples=200)
def test_any_content_asks_something_or_is_refused(parts):
    try:
        question = asked(CODES, b"".join(parts))
    except BadIdentifier as fault:
        status = fault.status
    else:
        status = None
        assert question.query.wanted == {"procedure_code_sequence"}
    assert status in (None, 0xA900)


# --- what is answered -----------------------------------------------------------------------

ITEMS = [
    {"code_value": "C1", "coding_scheme_designator": "LOCAL", "code_meaning": "CT of the abdomen"},
    {"code_value": "C22", "code_meaning": "Schädel"},
]
MATCH = {"procedure_code_sequence": json.dumps(ITEMS)}


def answered(content, match=MATCH, *, syntax=EXPLICIT, **others):
    """The items of the answer, each as keywords and values."""
    data = answer({"level": "STUDY", CODES: content, **others}, match, syntax=syntax)
    return [
        {keyword_for_tag(element.tag): element.value for element in each}
        for each in read(data, syntax).ProcedureCodeSequence
    ]


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("undefined", [False, True])
def test_items_have_what_was_asked_for_and_nothing_else(syntax, undefined):
    """PS3.4 C.2.2.2.6; what an item lacks is empty."""
    keys = {"CodeMeaning": "*", "CodingSchemeDesignator": "", "ContextUID": "", "MappingResource": ""}
    assert answered(item(keys, syntax, undefined=undefined), syntax=syntax) == [
        {
            **{"CodingSchemeDesignator": "LOCAL", "CodeMeaning": "CT of the abdomen"},
            **{"MappingResource": "", "ContextUID": ""},
        },
        {
            **{"CodingSchemeDesignator": "", "CodeMeaning": "Schädel"},
            **{"MappingResource": "", "ContextUID": ""},
        },
    ]


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("content", [b"", EMPTY_ITEM])
def test_where_nothing_is_named_the_entire_sequence_is_answered(content, syntax):
    assert answered(content, syntax=syntax) == [
        {
            "CodeValue": "C1",
            "CodingSchemeDesignator": "LOCAL",
            "CodeMeaning": "CT of the abdomen",
        },
        {"CodeValue": "C22", "CodeMeaning": "Schädel"},
    ]


def test_a_sequence_that_is_absent_is_empty():
    for content in (b"", EMPTY_ITEM, item({"CodeValue": ""})):
        assert answered(content, {"procedure_code_sequence": None}) == []


def test_every_byte():
    items = json.dumps([{"code_value": "C1", "code_meaning": "A"}, {"code_meaning": "BC"}])
    keys = {"level": "STUDY", CODES: item({"CodeValue": "", "CodeMeaning": ""})}

    assert answer(keys, {"procedure_code_sequence": items}).endswith(
        b"\x08\x00\x32\x10SQ\x00\x00\x36\x00\x00\x00"
        b"\xfe\xff\x00\xe0\x14\x00\x00\x00"
        b"\x08\x00\x00\x01SH\x02\x00C1"
        b"\x08\x00\x04\x01LO\x02\x00A "
        b"\xfe\xff\x00\xe0\x12\x00\x00\x00"
        b"\x08\x00\x00\x01SH\x00\x00"
        b"\x08\x00\x04\x01LO\x02\x00BC"
    )


def test_items_are_in_the_character_set_of_the_answer():
    keys = {"level": "STUDY", CODES: EMPTY_ITEM, "SpecificCharacterSet": "ISO_IR 100"}
    data = answer(keys, MATCH)
    assert announced(data) == "ISO_IR 100"
    assert "Schädel".encode("latin-1") in data

    data = answer(keys, {"procedure_code_sequence": '[{"code_meaning": "頭部"}]'})
    assert announced(data) == "ISO_IR 192"
    assert "頭部".encode() in data
