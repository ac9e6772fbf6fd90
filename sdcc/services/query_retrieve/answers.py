"""A match as the Identifier of a C-FIND-RSP (PS3.4 C.4.1.1.3.2).

All answers to one question have the same elements: what differs is worked out for each, the rest once.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from sdcc import conformance
from sdcc.data_set.elements import ITEM, SHORT_VRS
from sdcc.data_set.text import SPECIFIC_CHARACTER_SET, Repertoire, repertoire
from sdcc.data_set.written_text import encode
from sdcc.queries import Match
from sdcc.services.query_retrieve.keys import INSTANCE_AVAILABILITY, QUERY_RETRIEVE_LEVEL, RETRIEVE_AE_TITLE
from sdcc.services.query_retrieve.matching import IN_CHARACTER_SETS
from sdcc.services.query_retrieve.questions import Question
from sdcc.services.query_retrieve.sequence_keys import SequenceKey

#: What holds every text.
UTF_8 = b"ISO_IR 192"

#: In both Transfer Syntaxes.
_ITEM_HEADER = struct.Struct("<HHI")

#: A value that is there, in a repertoire; None: the repertoire cannot hold it.
_Write = Callable[[Any, Repertoire], bytes | None]
#: The value's bytes with what comes before them.
_Frame = Callable[[bytes], bytes]


def _ascii(value: Any, _: Repertoire) -> bytes:
    return str(value).encode("ascii", "replace")


def _without(separator: str) -> _Write:
    """What ISO 8601 separates, joined."""
    return lambda value, _: value.isoformat().replace(separator, "").encode()


def _unsigned_short(value: int, _: Repertoire) -> bytes:
    return struct.pack("<H", value)


_WRITERS: Mapping[str, _Write] = {
    **dict.fromkeys(IN_CHARACTER_SETS, encode),
    "PN": partial(encode, person_name=True),
    "DA": _without("-"),
    "TM": _without(":"),
    "US": _unsigned_short,
}


class _Part(NamedTuple):
    """A field, and what comes before it."""

    before: bytes
    field: str
    write: _Write
    frame: _Frame


def _written(parts: Sequence[_Part], values: Mapping[str, Any], characters: Repertoire) -> bytes | None:
    """None: the characters cannot hold a value. One that is absent is empty."""
    pieces: list[bytes] = []
    for before, field, write, frame in parts:
        value = values.get(field)
        if value is None:
            pieces += (before, frame(b""))
        elif (coded := write(value, characters)) is not None:
            pieces += (before, frame(coded))
        else:
            return None
    return b"".join(pieces)


def _writer(vr: bytes) -> _Write:
    return _WRITERS.get(vr.decode(), _ascii)


class Answers:
    """Makes the Identifiers that answer a question.

    :param transfer_syntax_uid: Implicit or Explicit VR Little Endian.
    :param retrieve_ae: the AE title from which the objects can be had.
    """

    def __init__(self, question: Question, *, transfer_syntax_uid: str, retrieve_ae: str) -> None:
        identifier = question.identifier
        self._is_implicit = transfer_syntax_uid == conformance.IMPLICIT_VR_LITTLE_ENDIAN
        self._choices = [
            (self._announced(character_set), repertoire(character_set))
            for character_set in dict.fromkeys((identifier.character_set, UTF_8))
        ]
        constants = {
            QUERY_RETRIEVE_LEVEL: identifier.level.encode(),
            RETRIEVE_AE_TITLE: retrieve_ae.encode("ascii", "replace"),
            INSTANCE_AVAILABILITY: b"ONLINE",
        }
        #: What never differs, and the field that follows it.
        self._parts: list[_Part] = []
        before: list[bytes] = []
        for tag, vr in question.returned.items():
            frame = self._frame(tag, vr)
            if (field := question.fields.get(tag)) is None:
                before.append(frame(constants.get(tag, b"")))
            else:
                sequence = question.sequences.get(tag)
                write = _writer(vr) if sequence is None else self._items(sequence)
                self._parts.append(_Part(b"".join(before), field, write, frame))
                before.clear()
        self._rest = b"".join(before)

    def identifier(self, match: Match) -> bytes:
        """The Identifier of one match, in the question's character sets where they can hold it."""
        for announced, characters in self._choices:
            if (written := _written(self._parts, match, characters)) is not None:
                return announced + written + self._rest
        raise AssertionError("no text of the index is beyond UTF-8")

    def _items(self, sequence: SequenceKey) -> _Write:
        """Writes what the index has of a sequence."""
        parts = [
            _Part(b"", sequence.fields.get(tag, ""), _writer(vr), self._frame(tag, vr))
            for tag, vr in sequence.returned.items()
        ]

        def write(text: str, characters: Repertoire) -> bytes | None:
            written: list[bytes] = []
            for item in json.loads(text):
                present = [part for part in parts if part.field in item] if sequence.is_whole else parts
                if (content := _written(present, item, characters)) is None:
                    return None
                written += (_ITEM_HEADER.pack(*divmod(ITEM, 0x10000), len(content)), content)
            return b"".join(written)

        return write

    def _announced(self, character_set: bytes) -> bytes:
        return self._frame(SPECIFIC_CHARACTER_SET, b"CS")(character_set) if character_set else b""

    def _frame(self, tag: int, vr: bytes) -> _Frame:
        """Puts the header before a value of an attribute, and padding after it (PS3.5 6.2, 7.1)."""
        padding = b"\0" if vr == b"UI" else b" "
        header = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
        if self._is_implicit:
            pack_length = struct.Struct("<I").pack
        elif vr in SHORT_VRS:
            header, pack_length = header + vr, struct.Struct("<H").pack
        else:
            header, pack_length = header + vr + b"\0\0", struct.Struct("<I").pack

        def frame(value: bytes) -> bytes:
            if len(value) % 2:
                value += padding
            return header + pack_length(len(value)) + value

        return frame
