"""Sequences that the index holds: which items, in which text, and what is wrong with them."""

from __future__ import annotations

import json

import pytest

from sdcc.archive import attributes, sequences
from sdcc.conformance import EXPLICIT_VR_BIG_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from sdcc.data_set import elements
from sdcc.data_set.elements import UNDEFINED

from ..data_set.test_elements import Writer
from .test_attributes import parse_bytes

CODES, REQUESTS, STUDY = 0x00081032, 0x00400275, 0x0020000D
VALUE, SCHEME, MEANING, STEP, PROCEDURE = 0x00080100, 0x00080102, 0x00080104, 0x00400009, 0x00401001
ENCODINGS = {
    IMPLICIT_VR_LITTLE_ENDIAN: elements.IMPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN: elements.EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN: elements.EXPLICIT_VR_BIG_ENDIAN,
}
IMPLICIT, EXPLICIT, BIG = map(Writer, ENCODINGS.values())


def data_set(writer, *parts):
    """The four UIDs and other elements, each a tag and the bytes of all of it."""
    uids = {0x00080016: b"1.2\0", 0x00080018: b"1.3\0", 0x0020000D: b"1.4\0", 0x0020000E: b"1.5\0"}
    every = {tag: writer.element(tag, "UI", uid) for tag, uid in uids.items()} | dict(parts)
    return b"".join(every[tag] for tag in sorted(every))


def parsed(writer, *parts):
    (syntax,) = [uid for uid, encoding in ENCODINGS.items() if encoding is writer.encoding]
    return parse_bytes(data_set(writer, *parts), syntax)


def codes(content, writer=EXPLICIT, vr="SQ"):
    """The items read from the content of a Procedure Code Sequence, and what was wrong."""
    return read((CODES, writer.element(CODES, vr, content)), writer=writer)


def read(*parts, writer=EXPLICIT):
    found = parsed(writer, *parts)
    text = found.study.procedure_code_sequence
    return (json.loads(text) if text else None), found.fault


def code(value, meaning=b"", writer=EXPLICIT):
    return writer.element(VALUE, "SH", value) + (writer.element(MEANING, "LO", meaning) if meaning else b"")


ONE = EXPLICIT.item(code(b"C1"))


@pytest.mark.parametrize("writer", [IMPLICIT, EXPLICIT, BIG], ids=["implicit", "explicit", "big endian"])
@pytest.mark.parametrize("undefined_item", [False, True])
@pytest.mark.parametrize("undefined", [False, True])
def test_items_are_read_however_they_are_delimited(writer, undefined, undefined_item):
    """What is nested in an item is none of its own."""
    nested = writer.sequence(writer.item(code(b"NO", writer=writer), undefined=True), tag=0x00400008)
    content = b"".join(
        writer.item(
            nested + writer.element(STEP, "SH", step) + writer.element(PROCEDURE, "SH", b"R1"),
            undefined=undefined_item,
        )
        for step in (b"S1", b"S2")
    )
    sequence = (
        writer.sequence(content, tag=REQUESTS) if undefined else writer.element(REQUESTS, "SQ", content)
    )
    found = parsed(writer, (REQUESTS, sequence), (0x00401001, writer.element(0x00401001, "SH", b"RX")))

    assert found.fault is None
    assert json.loads(found.series.request_attributes_sequence) == [
        {"scheduled_procedure_step_id": "S1", "requested_procedure_id": "R1"},
        {"scheduled_procedure_step_id": "S2", "requested_procedure_id": "R1"},
    ]


@pytest.mark.parametrize("undefined", [False, True])
def test_a_sequence_of_vr_un_is_in_implicit_vr(undefined):
    """PS3.5 6.2.2: as who did not know it passed it on."""
    content = IMPLICIT.item(code(b"C1", writer=IMPLICIT))
    sequence = EXPLICIT.element(CODES, "UN", content)
    if undefined:
        sequence = EXPLICIT.sequence(content, vr="UN", tag=CODES)

    assert read((CODES, sequence)) == ([{"code_value": "C1"}], None)


def test_a_sequence_behind_much_else_is_read_where_it_lies():
    """Its end is sought beyond what is at hand by then."""
    nested = EXPLICIT.element(0x00091001, "OB", bytes(elements.FIRST_READ))
    inside = EXPLICIT.item(code(b"C1")) + EXPLICIT.item(nested, undefined=True)
    found, fault = read((CODES, EXPLICIT.sequence(inside, tag=CODES)))

    assert (found, fault) == ([{"code_value": "C1"}], "ProcedureCodeSequence (0008,1032): too long, cut")


@pytest.mark.parametrize("inside", range(0, 90, 3))
def test_a_sequence_is_whole_wherever_what_is_at_hand_ends(inside):
    """By the time its delimitation is found, its begin may be gone."""
    sequence = EXPLICIT.sequence(ONE * 4, tag=CODES)
    filler, after = 0x00080300, EXPLICIT.element(0x00091001, "OB", bytes(elements.FIRST_READ))
    before = len(data_set(EXPLICIT)) - 2 * len(EXPLICIT.element(STUDY, "UI", b"1.4\0"))  # two UIDs come later
    length = elements.FIRST_READ - before - len(EXPLICIT.header(filler, "OB", 0)) - inside
    found, fault = read(
        (filler, EXPLICIT.element(filler, "OB", bytes(length))), (CODES, sequence), (0x00091001, after)
    )
    assert len(sequence) > inside
    assert (found, fault) == ([{"code_value": "C1"}] * 4, None)


@pytest.mark.parametrize(
    "sequence",
    [
        EXPLICIT.element(CODES, "SQ", b""),
        EXPLICIT.sequence(b"", tag=CODES),
        EXPLICIT.element(CODES, "SQ", EXPLICIT.item(b"") + EXPLICIT.item(b"", undefined=True)),
        EXPLICIT.element(CODES, "SQ", EXPLICIT.item(code(b"  "))),
        EXPLICIT.element(CODES, "SQ", EXPLICIT.item(EXPLICIT.element(0x00080105, "CS", b"DCMR"))),
    ],
)
def test_nothing_to_hold_is_nothing(sequence):
    assert read((CODES, sequence)) == (None, None)


def test_text_is_in_the_data_sets_character_set_or_the_items_own():
    latin = (0x00080005, EXPLICIT.element(0x00080005, "CS", b"ISO_IR 100"))
    own = EXPLICIT.element(0x00080005, "CS", b"ISO_IR 144")
    content = EXPLICIT.item(code(b"1 ", b"\xc4\xe4")) + EXPLICIT.item(own + code(b"2 ", b"\xb6\xc4"))
    found, fault = read(latin, (CODES, EXPLICIT.element(CODES, "SQ", content)))

    assert fault is None
    assert found == [
        {"code_value": "1", "code_meaning": "\xc4\xe4"},
        {"code_value": "2", "code_meaning": "\u0416\u0424"},
    ]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (ONE + ONE[:-1], "(FFFE,E000) runs past the end"),
        (ONE + ONE[:7], "(FFFE,E000) no whole item follows"),
        (ONE + code(b"C2"), "(FFFE,E000) item out of place"),
        (ONE + EXPLICIT.header(0xFFFEE000, "", UNDEFINED) + code(b"C2"), "(FFFE,E000) has no end"),
        (ONE + EXPLICIT.item(code(b"C2")[:-1]), "in an item, CodeValue runs past the end"),
        (
            ONE + EXPLICIT.item(EXPLICIT.element(0x00080099, "CS", b"") + b"\0"),
            "in an item, (0008,0099) no whole element follows",
        ),
        (
            ONE + EXPLICIT.item(EXPLICIT.element(MEANING, "LO", b"\xff\xff")),
            "in an item, CodeMeaning bytes outside its character set",
        ),
        (EXPLICIT.item(code(b"C1") + code(b"C2")), "in an item, CodeValue is there twice"),
        (
            EXPLICIT.item(EXPLICIT.element(0x00080005, "CS", b"KLINGON ") + code(b"C1")),
            "in an item, SpecificCharacterSet unknown term",
        ),
    ],
)
def test_what_is_wrong_with_an_item_is_told_and_the_others_are_kept(content, fault):
    found, words = codes(content)

    assert found[0] == {"code_value": "C1"}
    assert {item.get("code_value", "C1") for item in found} == {"C1"}
    assert words == f"ProcedureCodeSequence (0008,1032): {fault}"


def test_what_is_no_sequence_is_not_kept():
    assert codes(ONE, vr="OB") == (None, "ProcedureCodeSequence (0008,1032): not a sequence")


def test_only_so_many_items_are_kept():
    found, fault = codes(ONE * (sequences.MOST_ITEMS + 1))

    assert len(found) == sequences.MOST_ITEMS
    assert fault == "ProcedureCodeSequence (0008,1032): too many items, cut"
    assert codes(ONE * sequences.MOST_ITEMS) == (found, None)


def test_of_a_long_sequence_the_first_items_are_kept():
    many = EXPLICIT.item(code(b"C1", b"x" * 64)) * 60
    assert len(many) > elements.LONGEST_VALUE
    for sequence in (EXPLICIT.element(CODES, "SQ", many), EXPLICIT.sequence(many, tag=CODES)):
        found, fault = read((CODES, sequence))
        assert len(found) == elements.LONGEST_VALUE // (len(many) // 60)
        assert fault == "ProcedureCodeSequence (0008,1032): too long, cut"


@pytest.mark.parametrize("writer", [IMPLICIT, EXPLICIT, BIG], ids=["implicit", "explicit", "big endian"])
def test_nesting_however_deep_is_passed(writer):
    found, fault = codes(
        writer.item(code(b"C1", writer=writer) + writer.nested(60), undefined=True), writer=writer
    )
    assert (found, fault) == ([{"code_value": "C1"}], None)


def test_a_control_character_and_a_delimiter_are_what_they_are_in_json():
    found, _ = codes(EXPLICIT.item(code(b'A"B\\{', b"\xff\t\\u0041 ")))
    assert found == [{"code_value": 'A"B\\{', "code_meaning": "\ufffd\t\\u0041"}]


def test_the_same_bytes_are_another_text_in_another_character_set():
    """Sequences are remembered, as those of a series are alike."""
    sequence = (CODES, EXPLICIT.element(CODES, "SQ", EXPLICIT.item(code(b"1 ", b"\xc4 "))))
    texts = [
        read((0x00080005, EXPLICIT.element(0x00080005, "CS", character_set)), sequence)[0][0]["code_meaning"]
        for character_set in (b"ISO_IR 100", b"ISO_IR 144", b"ISO_IR 100")
    ]
    assert texts == ["\xc4", "\u0424", "\xc4"]


def test_only_so_many_are_kept_in_memory():
    """A peer may send as many different ones as it likes."""
    kept = attributes._SEQUENCE_READERS[CODES].cache_info
    for number in range(sequences.REMEMBERED + 10):
        codes(EXPLICIT.item(code(b"%04d" % number)))

    assert kept().currsize == kept().maxsize == sequences.REMEMBERED
