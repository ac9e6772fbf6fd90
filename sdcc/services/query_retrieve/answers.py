"""A match as the Identifier of a C-FIND-RSP (PS3.4 C.4.1.1.3.2).

All answers to one question have the same elements: what differs is worked out for each, the rest once.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from sdcc import conformance
from sdcc.data_set.elements import SHORT_VRS
from sdcc.data_set.text import SPECIFIC_CHARACTER_SET, Repertoire, repertoire
from sdcc.data_set.written_text import encode
from sdcc.queries import Match
from sdcc.services.query_retrieve.keys import INSTANCE_AVAILABILITY, QUERY_RETRIEVE_LEVEL, RETRIEVE_AE_TITLE
from sdcc.services.query_retrieve.matching import IN_CHARACTER_SETS
from sdcc.services.query_retrieve.questions import Question

#: What holds every text.
UTF_8 = b"ISO_IR 192"

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
        self._parts: list[tuple[bytes, str, _Write, _Frame]] = []
        before: list[bytes] = []
        for tag, vr in question.returned.items():
            frame = self._frame(tag, vr)
            if (field := question.fields.get(tag)) is None:
                before.append(frame(constants.get(tag, b"")))
            else:
                self._parts.append((b"".join(before), field, _WRITERS.get(vr.decode(), _ascii), frame))
                before.clear()
        self._rest = b"".join(before)

    def identifier(self, match: Match) -> bytes:
        """The Identifier of one match, in the question's character sets where they can hold it."""
        for announced, characters in self._choices:
            if (written := self._written(match, characters)) is not None:
                return announced + written
        raise AssertionError("no text of the index is beyond UTF-8")

    def _written(self, match: Match, characters: Repertoire) -> bytes | None:
        pieces: list[bytes] = []
        for before, field, write, frame in self._parts:
            value = match[field]
            if value is None:
                pieces += (before, frame(b""))
            elif (coded := write(value, characters)) is not None:
                pieces += (before, frame(coded))
            else:
                return None
        pieces.append(self._rest)
        return b"".join(pieces)

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
