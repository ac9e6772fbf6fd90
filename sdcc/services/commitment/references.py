"""The Data Sets of Storage Commitment as bytes: what is asked for, and what is reported (PS3.4 J.3).

Read and written here and not by pydicom, for which the 40,000 references that a message may hold are as many
Data Sets: up to 100 MB of memory and seconds of work. Here they are two UIDs each. Pure functions of bytes.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sdcc.conformance import EXPLICIT_VR_LITTLE_ENDIAN
from sdcc.dimse.status import Status
from sdcc.interfaces import Reference
from sdcc.uid import is_uid

#: References that one request may hold.
MAXIMUM_REFERENCES = 50_000

RETRIEVE_AE_TITLE = 0x00080054
REFERENCED_SOP_CLASS_UID, REFERENCED_SOP_INSTANCE_UID = 0x00081150, 0x00081155
TRANSACTION_UID = 0x00081195
FAILURE_REASON = 0x00081197
FAILED_SOP_SEQUENCE, REFERENCED_SOP_SEQUENCE = 0x00081198, 0x00081199

_WANTED = frozenset(
    {TRANSACTION_UID, REFERENCED_SOP_SEQUENCE, REFERENCED_SOP_CLASS_UID, REFERENCED_SOP_INSTANCE_UID}
)

_ITEM, _ITEM_DELIMITATION, _SEQUENCE_DELIMITATION = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_IMPLICIT = struct.Struct("<HHI")
_EXPLICIT = struct.Struct("<HH2sH")
_LONG = struct.Struct("<I")
_SHORT = struct.Struct("<H")
#: The VRs whose length has 32 bits (PS3.5 7.1.2).
_LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())


class NotAcceptable(Exception):
    """A Data Set that asks for nothing that can be promised. The text is for the Error Comment.

    What is absent is an invalid argument: Missing Attribute (0120, 0121) is no status of an N-ACTION (PS3.7
    10.1.4.1.10).
    """

    def __init__(self, status: Status, comment: str) -> None:
        super().__init__(comment)
        self.status = status


class ActionInformation(NamedTuple):
    """What an N-ACTION-RQ of Action Type 1 asks for (PS3.4 Table J.3-1)."""

    transaction_uid: str
    #: None comes twice.
    references: tuple[Reference, ...]
    #: Of the references.
    digest: bytes


def digest(references: Iterable[Reference]) -> bytes:
    """What tells these references from any others, whatever their order."""
    lines = sorted(f"{reference.sop_class_uid} {reference.sop_instance_uid}\n" for reference in references)
    return hashlib.sha256("".join(lines).encode("ascii")).digest()


class Failure(NamedTuple):
    """A reference that is not committed."""

    reference: Reference
    #: (0008,1197), PS3.3 C.14.1.1.
    reason: int


def read_action_information(data: bytes, transfer_syntax_uid: str) -> ActionInformation:
    """:raises NotAcceptable: it asks for nothing that can be promised."""
    reader = _Reader(data, is_explicit=transfer_syntax_uid == EXPLICIT_VR_LITTLE_ENDIAN)
    try:
        found = reader.wanted(0, len(data))
        transaction_uid = reader.uid(found, TRANSACTION_UID, "Transaction UID")
        sequence = found.get(REFERENCED_SOP_SEQUENCE)
        if sequence is None:
            raise NotAcceptable(
                Status.INVALID_ARGUMENT_VALUE, "Referenced SOP Sequence (0008,1199) is absent"
            )
        references = tuple(dict.fromkeys(reader.references(sequence)))
    except struct.error:
        raise NotAcceptable(
            Status.PROCESSING_FAILURE, "The Data Set ends in the midst of an element"
        ) from None
    if not references:
        raise NotAcceptable(Status.INVALID_ARGUMENT_VALUE, "Referenced SOP Sequence (0008,1199) has no items")
    return ActionInformation(transaction_uid, references, digest(references))


def event_information(
    transaction_uid: str,
    committed: Sequence[Reference],
    failures: Sequence[Failure],
    *,
    retrieve_ae_title: str,
    transfer_syntax_uid: str,
) -> bytes:
    """The Data Set of an N-EVENT-REPORT-RQ (PS3.4 Table J.3-2)."""
    writer = _Writer(is_explicit=transfer_syntax_uid == EXPLICIT_VR_LITTLE_ENDIAN)
    parts = [
        writer.text(RETRIEVE_AE_TITLE, b"AE", retrieve_ae_title, b" "),
        writer.text(TRANSACTION_UID, b"UI", transaction_uid, b"\0"),
    ]
    if failures:
        parts.append(writer.sequence(FAILED_SOP_SEQUENCE, map(writer.failure, failures)))
    if committed:
        parts.append(writer.sequence(REFERENCED_SOP_SEQUENCE, map(writer.reference, committed)))
    return b"".join(parts)


class _Element(NamedTuple):
    tag: int
    #: Where its value is. One of undefined length ends with its delimitation.
    start: int
    end: int


class _Reader:
    """Walks a Data Set of Little Endian (PS3.5 7). What runs past the end is a struct.error."""

    def __init__(self, data: bytes, *, is_explicit: bool) -> None:
        self._data = data
        self._is_explicit = is_explicit

    def wanted(self, at: int, end: int) -> dict[int, _Element]:
        """Those elements of one Data Set that mean something here, up to its end or its delimitation."""
        found = {}
        while at < end:
            tag, start, length = self._header(at)
            if tag == _ITEM_DELIMITATION:
                break
            at = self._after(start, length)
            if at > end:
                raise struct.error
            if tag in _WANTED:
                found[tag] = _Element(tag, start, at)
        return found

    def references(self, sequence: _Element) -> Iterator[Reference]:
        """:raises NotAcceptable: an item is no reference, or there are too many."""
        at, number = sequence.start, 0
        while at < sequence.end:
            tag, start, length = self._header(at)
            if tag == _SEQUENCE_DELIMITATION:
                return
            if tag != _ITEM:
                raise NotAcceptable(
                    Status.PROCESSING_FAILURE, "Referenced SOP Sequence holds what is no item"
                )
            number += 1
            if number > MAXIMUM_REFERENCES:
                raise NotAcceptable(
                    Status.RESOURCE_LIMITATION, f"More than {MAXIMUM_REFERENCES} references in one request"
                )
            at = self._after(start, length)
            if at > sequence.end:
                raise struct.error
            found = self.wanted(start, at)
            yield Reference(
                self.uid(found, REFERENCED_SOP_CLASS_UID, "Referenced SOP Class UID"),
                self.uid(found, REFERENCED_SOP_INSTANCE_UID, "Referenced SOP Instance UID"),
            )

    def uid(self, found: dict[int, _Element], tag: int, name: str) -> str:
        """:raises NotAcceptable: it is absent, empty or no UID."""
        shown = f"{name} ({tag >> 16:04X},{tag & 0xFFFF:04X})"
        element = found.get(tag)
        if element is None:
            raise NotAcceptable(Status.INVALID_ARGUMENT_VALUE, f"{shown} is absent")
        text = self._data[element.start : element.end].decode("latin-1").strip("\0 ")
        if not text:
            raise NotAcceptable(Status.INVALID_ARGUMENT_VALUE, f"{shown} has no value")
        if not is_uid(text):
            raise NotAcceptable(Status.INVALID_ARGUMENT_VALUE, f"{shown} is no UID")
        return text

    def _header(self, at: int) -> tuple[int, int, int]:
        """The tag, where the value begins, its length."""
        group, number, length = _IMPLICIT.unpack_from(self._data, at)
        tag = group << 16 | number
        if not self._is_explicit or group == 0xFFFE:
            return tag, at + 8, length
        _, _, vr, length = _EXPLICIT.unpack_from(self._data, at)
        if vr in _LONG_VRS:
            return tag, at + 12, _LONG.unpack_from(self._data, at + 8)[0]
        return tag, at + 8, length

    def _after(self, at: int, length: int) -> int:
        """Where the value ends that begins there."""
        if length != _UNDEFINED:
            return at + length
        depth = 1
        while depth:
            tag, at, length = self._header(at)
            if tag in (_ITEM_DELIMITATION, _SEQUENCE_DELIMITATION):
                depth -= 1
            elif length == _UNDEFINED:
                depth += 1
            else:
                at += length
        return at


class _Writer:
    """Writes elements of Little Endian, of even length (PS3.5 7.1), and sequences of defined length."""

    def __init__(self, *, is_explicit: bool) -> None:
        self._is_explicit = is_explicit

    def text(self, tag: int, vr: bytes, text: str, padding: bytes) -> bytes:
        value = text.encode("ascii", "replace")
        return self._element(tag, vr, value + padding if len(value) % 2 else value)

    def reference(self, reference: Reference) -> bytes:
        return self.text(REFERENCED_SOP_CLASS_UID, b"UI", reference.sop_class_uid, b"\0") + self.text(
            REFERENCED_SOP_INSTANCE_UID, b"UI", reference.sop_instance_uid, b"\0"
        )

    def failure(self, failure: Failure) -> bytes:
        reason = self._element(FAILURE_REASON, b"US", _SHORT.pack(failure.reason))
        return self.reference(failure.reference) + reason

    def sequence(self, tag: int, items: Iterable[bytes]) -> bytes:
        value = b"".join(_IMPLICIT.pack(_ITEM >> 16, _ITEM & 0xFFFF, len(item)) + item for item in items)
        return self._element(tag, b"SQ", value)

    def _element(self, tag: int, vr: bytes, value: bytes) -> bytes:
        group, number = tag >> 16, tag & 0xFFFF
        if not self._is_explicit:
            return _IMPLICIT.pack(group, number, len(value)) + value
        if vr in _LONG_VRS:
            return _EXPLICIT.pack(group, number, vr, 0) + _LONG.pack(len(value)) + value
        return _EXPLICIT.pack(group, number, vr, len(value)) + value
