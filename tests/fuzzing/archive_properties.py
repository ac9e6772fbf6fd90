"""What holds of any bytes that come as a Data Set, or stand at the head of a file."""

from __future__ import annotations

import io
import unicodedata
import warnings
from dataclasses import replace

import pydicom
from pydicom.filereader import read_dataset

from sdcc.archive import attributes, part10
from sdcc.archive.attributes import LONGEST_FAULT, ParsedDataSet, parse
from sdcc.conformance import EXPLICIT_VR_BIG_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from sdcc.data_set import elements
from sdcc.dimse.messages import MAXIMUM_COMMENT_LENGTH, error_comment
from sdcc.indexed import ITEM_ATTRIBUTES
from sdcc.interfaces import Announcement, CannotUnderstand, Provenance
from sdcc.printable import AE_LENGTH, ae_value

from ..archive.readings import fields, wanted
from .wire_properties import fits_a_line


class Source:
    """A Data Set that counts how often, and how much, is read of it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.count = 0
        self.amount = 0

    def read(self, offset: int, length: int) -> bytes:
        assert 0 <= offset <= len(self.data)
        assert 0 <= length <= elements.LONGEST_READ
        self.count += 1
        self.amount += length
        return self.data[offset : offset + length]


def a_data_set_is_understood_or_refused(data: bytes, transfer_syntax: str) -> ParsedDataSet | None:
    """In words that fit where they go, and in a walk that goes on with every step."""
    source = Source(data)
    try:
        parsed = parse(source.read, len(data), transfer_syntax)
        words, limit = parsed.fault, LONGEST_FAULT
    except CannotUnderstand as refusal:
        parsed, words, limit = None, str(refusal), MAXIMUM_COMMENT_LENGTH
        assert error_comment(words) == words
    assert words is None or (0 < len(words) <= limit and words.isascii() and words.isprintable())
    if parsed is not None:
        texts = [value for value in fields(parsed).values() if isinstance(value, str)]
        assert [text for text in texts if not can_be_kept(text)] == []
    # once in search of headers, once for wanted values, and once more where windows overlap
    assert source.amount <= 3 * len(data)
    _each_header_is_read_once_but_for_those_at_a_windows_end(data, transfer_syntax)
    return parsed


def can_be_kept(text: str) -> bool:
    """PS3.5 6.1.3, and what no database takes."""
    return not any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\t\n\f\r" for c in text)


def _each_header_is_read_once_but_for_those_at_a_windows_end(data: bytes, transfer_syntax: str) -> None:
    source = Source(data)
    encoding = attributes._ENCODINGS.get(transfer_syntax, elements.EXPLICIT_VR_LITTLE_ENDIAN)
    steps = 0

    def counted(window: bytes, at: int) -> tuple[int, bytes, int, int]:
        nonlocal steps
        steps += 1
        assert at >= 0
        return encoding.read_header(window, at)

    elements.read_leading_elements(
        source.read,
        len(data),
        replace(encoding, read_header=counted),
        attributes._WANTED,
        frozenset(attributes.REQUIRED),
        sequences=frozenset(ITEM_ATTRIBUTES),
    )
    assert steps <= len(data) // 8 + source.count + 1


def an_object_is_kept_whose_uids_come_before_the_damage(
    data: bytes, transfer_syntax: str, sop_instance: str
) -> None:
    parsed = a_data_set_is_understood_or_refused(data, transfer_syntax)
    assert parsed is not None
    assert parsed.instance.sop_instance_uid == sop_instance


def a_sound_data_set_is_read_as_pydicom_reads_it(data: bytes, transfer_syntax: str) -> None:
    parsed = a_data_set_is_understood_or_refused(data, transfer_syntax)
    assert parsed is not None
    assert parsed.fault is None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data_set = read_dataset(
            io.BytesIO(data),
            is_implicit_VR=transfer_syntax == IMPLICIT_VR_LITTLE_ENDIAN,
            is_little_endian=transfer_syntax != EXPLICIT_VR_BIG_ENDIAN,
            stop_when=lambda tag, vr, length: tag >= 0x7FE00010,
        )
        expected = wanted(pydicom.Dataset(data_set))
    assert fields(parsed) == expected


# --- files ---------------------------------------------------------------------------------


def a_files_head_is_understood_or_refused(head: bytes) -> None:
    """What was understood makes a head that says the same."""
    try:
        offset = part10.data_set_offset(head[: part10.COUNTED_FROM])
        announcement = part10.announced(head[part10.COUNTED_FROM : offset])
    except ValueError as error:
        fits_a_line(error)
        return
    try:
        again = part10.file_head(announcement)
    except ValueError:
        assert len(head) > 0xFFFE
        return
    said = part10.announced(again[part10.COUNTED_FROM :])
    assert said.provenance == announcement.provenance
    assert part10.data_set_offset(again[: part10.COUNTED_FROM]) == len(again)


def a_title_becomes_one_that_a_file_can_hold(title: str) -> None:
    value = ae_value(title)
    assert len(value) <= AE_LENGTH
    assert value.isascii()
    assert value.isprintable()
    assert ae_value(value) == value
    sent = Announcement(
        sop_class_uid="1.2",
        sop_instance_uid="1.2.3",
        transfer_syntax_uid=IMPLICIT_VR_LITTLE_ENDIAN,
        provenance=Provenance(calling_ae=title, called_ae=title, calling_address=""),
    )
    head = part10.file_head(sent)
    assert part10.announced(head[part10.COUNTED_FROM :]).provenance.calling_ae == value
