"""What a C-MOVE or C-GET asks for (PS3.4 C.4.2.1.4, C.4.2.2.1, C.4.2.2.2): unique keys, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO

from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from sdcc.conformance import IMPLICIT_VR_LITTLE_ENDIAN, PATIENT_ROOT_GET, PATIENT_ROOT_MOVE
from sdcc.dimse.status import Status
from sdcc.interfaces import Session
from sdcc.queries import Condition, Level, Query, SingleValue, UIDList
from sdcc.upper_layer.negotiation import PresentationContext

#: Bytes of an Identifier: a list of four thousand UIDs.
LONGEST_IDENTIFIER = 256 * 1024

_QUERY_RETRIEVE_LEVEL = 0x00080052
#: By level, its unique key and what the index calls that.
_UNIQUE_KEYS: Mapping[Level, tuple[int, str]] = {
    Level.PATIENT: (0x00100020, "patient_id"),
    Level.STUDY: (0x0020000D, "study_instance_uid"),
    Level.SERIES: (0x0020000E, "series_instance_uid"),
    Level.IMAGE: (0x00080018, "sop_instance_uid"),
}
_PATIENT_ROOT = frozenset({PATIENT_ROOT_MOVE, PATIENT_ROOT_GET})


class BadIdentifier(Exception):
    """An Identifier that is not performed. The text is for an Error Comment: nothing of a value is in it.

    :ivar status: of the response.
    :ivar tag: of the offending element; None: all of it.
    """

    def __init__(self, status: Status, tag: int | None, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.tag = tag


class GatheredIdentifier:
    """The bytes of a request's Identifier, as long as they are not too many.

    :ivar size: of all that came.
    """

    def __init__(self, session: Session) -> None:
        self._on_written = session.on_written
        self._data = bytearray()
        self.size = 0

    def write(self, data: memoryview) -> None:
        self.size += len(data)
        if self.size <= LONGEST_IDENTIFIER:
            self._data += data
        else:
            self._data.clear()
        self._on_written(len(data))

    def whole(self) -> bytes:
        """:raises BadIdentifier: it was too long."""
        if self.size > LONGEST_IDENTIFIER:
            allowed = f"Identifier: {LONGEST_IDENTIFIER >> 10} KiB are allowed"
            raise BadIdentifier(Status.CANNOT_UNDERSTAND, None, allowed)
        return bytes(self._data)


def read_retrieval(data: bytes, context: PresentationContext) -> Query:
    """Which objects are asked for, as a query of IMAGE level that wants nothing yet.

    Keys other than the unique keys are let be: they could only make less of it.

    :raises BadIdentifier: see there.
    """
    found = _parsed(data, context)
    levels = tuple(Level) if context.abstract_syntax in _PATIENT_ROOT else tuple(Level)[1:]
    level = _level(found, levels)
    above = levels[: levels.index(level)]
    is_relational = context.extended[:1] == b"\1"
    return Query(level=Level.IMAGE, conditions=tuple(_conditions(found, level, above, is_relational)))


def _parsed(data: bytes, context: PresentationContext) -> Dataset:
    tags = [_QUERY_RETRIEVE_LEVEL, *(tag for tag, _ in _UNIQUE_KEYS.values())]
    is_implicit = context.transfer_syntax == IMPLICIT_VR_LITTLE_ENDIAN
    try:
        return read_dataset(BytesIO(data), is_implicit, True, specific_tags=tags)
    except Exception:  # whatever pydicom thinks of a stranger's bytes
        raise BadIdentifier(
            Status.CANNOT_UNDERSTAND, None, "Identifier: the Data Set cannot be parsed"
        ) from None


def _level(found: Dataset, levels: Sequence[Level]) -> Level:
    (text,) = _values(found, _QUERY_RETRIEVE_LEVEL)[:1] or ("",)
    if text not in levels:
        reason = f"{', '.join(levels[:-1])} or {levels[-1]}" if text else "absent"
        raise _mismatch(_QUERY_RETRIEVE_LEVEL, reason)
    return Level(text)


def _conditions(
    found: Dataset, level: Level, above: Sequence[Level], is_relational: bool
) -> Iterator[Condition]:
    for each in (*above, level):
        tag, field = _UNIQUE_KEYS[each]
        values = _values(found, tag)
        if not values:
            if each is level or not is_relational:
                raise _mismatch(tag, f"a value is needed at {level} level")
            continue
        if any(c in value for value in values for c in "*?"):
            raise _mismatch(tag, "a wild card is not allowed")
        if len(values) == 1:
            yield Condition(field, SingleValue(values[0]))
        elif each is Level.PATIENT or (each is not level and not is_relational):
            raise _mismatch(tag, f"one value is needed at {level} level")
        else:
            yield Condition(field, UIDList(values))


def _values(found: Dataset, tag: int) -> tuple[str, ...]:
    element = found.get_item(tag)
    raw = b"" if element is None else element.value or b""
    text = raw.decode("utf-8", "replace").strip(" \0") if isinstance(raw, bytes) else ""
    return tuple(filter(None, (value.strip(" \0") for value in text.split("\\"))))


def _mismatch(tag: int, reason: str) -> BadIdentifier:
    return BadIdentifier(Status.IDENTIFIER_DOES_NOT_MATCH, tag, f"{keyword_for_tag(tag)}: {reason}")
