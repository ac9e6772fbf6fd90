"""How PDUs are written: fields in a row, and items in a row, each with its type and length.

A length that promises more than is there is the peer's fault, and is named so; a value that does
not fit into its field is ours. Nothing here knows which fields or items a PDU has.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct
from types import MappingProxyType
from typing import Any, ClassVar, Self, TypeVar

from sdcc.upper_layer.codes import ItemType
from sdcc.upper_layer.errors import invalid_value, unexpected_parameter

#: Type, reserved, length of the value.
_ITEM_HEADER = Struct(">BxH")
_LENGTH = Struct(">H")
#: What pads UIDs and names, though the standard has UIDs without padding here (PS3.8 Annex F).
_PADDING = b"\0 "
#: Of the known types, for errors.
_NAMES: Mapping[int, str] = MappingProxyType({kind: kind.name.lower().replace("_", " ") for kind in ItemType})
#: How much of a peer's text an error or a line of the log shows.
SHOWN = 64
#: What a peer sends again is remembered if its value is no longer than this, in bytes.
REMEMBERED_LENGTH = 512


class Fields:
    """What is left of the fields of one PDU or item.

    :ivar name: of that PDU or item, for errors.
    """

    __slots__ = ("_data", "_position", "name")

    def __init__(self, name: str, data: memoryview | bytes) -> None:
        self.name = name
        self._data = memoryview(data)
        self._position = 0

    def __len__(self) -> int:
        return len(self._data) - self._position

    def _advance(self, length: int, field: str) -> int:
        """Step over the next field; give the position of its first byte."""
        position = self._position
        if length > len(self._data) - position:
            raise invalid_value(f"{self.name}: {field} should have {length} bytes, {len(self)} are left")
        self._position = position + length
        return position

    def take(self, length: int, field: str) -> memoryview:
        """The next `length` bytes."""
        position = self._advance(length, field)
        return self._data[position : position + length]

    def unpack(self, layout: Struct, field: str) -> tuple[Any, ...]:
        """The next fields, those of `layout`."""
        return layout.unpack_from(self._data, self._advance(layout.size, field))

    def counted(self, field: str) -> bytes:
        """The next field, which its length in 16 bits precedes."""
        (length,) = self.unpack(_LENGTH, f"length of {field}")
        return bytes(self.take(length, field))

    def counted_uid(self, field: str) -> str:
        """The next field, a UID that its length in 16 bits precedes."""
        return self.uid(self.counted(field), field)

    def rest(self) -> bytes:
        """All that is left."""
        return bytes(self.take(len(self), "rest"))

    def uid(self, data: bytes, field: str) -> str:
        """`data` as the text of a UID, without padding.

        Printable text that is no UID stays what it is: it names nothing that anybody supports.
        """
        text = data.rstrip(_PADDING).decode("latin-1")
        if not (text.isascii() and text.isprintable()):
            raise invalid_value(f"{self.name}: {field} is {data[:SHOWN]!r}, digits and '.' are allowed")
        return text

    def end(self) -> None:
        """Nothing may be left."""
        if self:
            raise invalid_value(f"{self.name}: its length is {len(self)} more than its fields have")


def unpadded(data: bytes) -> str:
    """A name of no significance, which any bytes may spell."""
    return data.rstrip(_PADDING).decode("latin-1")


def pack(layout: Struct, *values: int | bytes) -> bytes:
    """:raises ValueError: a value does not fit into its field."""
    try:
        return layout.pack(*values)
    except struct.error as error:
        raise ValueError(f"{values} cannot be encoded: {error}") from error


def counted(data: bytes) -> bytes:
    """`data` after its length in 16 bits."""
    return pack(_LENGTH, len(data)) + data


def counted_uid(uid: str) -> bytes:
    """A UID after its length in 16 bits, without padding."""
    return counted(uid.encode("ascii"))


# --- items ---------------------------------------------------------------------------------


class Item(ABC):
    """An item or sub-item: its type, its length and a value of so many bytes."""

    __slots__ = ()

    item_type: int
    #: The same ones are sent in every association, and nothing in them is secret: they are remembered.
    comes_again: ClassVar[bool] = False

    @abstractmethod
    def encode_value(self) -> bytes:
        """:raises ValueError: something does not fit into its field."""

    def encode(self) -> bytes:
        """:raises ValueError: something does not fit into its field."""
        return (_remembered_encoded if self.comes_again else _encode)(self)


def _encode(item: Item) -> bytes:
    value = item.encode_value()
    return pack(_ITEM_HEADER, item.item_type, len(value)) + value


#: Our own items: few, and short.
_remembered_encoded = lru_cache(maxsize=1024)(_encode)


@dataclass(frozen=True, slots=True)
class UnknownItem(Item):
    """An item of a type that the standard does not have, or not yet."""

    item_type: int
    data: bytes

    def encode_value(self) -> bytes:
        return self.data


class KnownItem(Item):
    """An item of one of the types in :class:`ItemType`."""

    __slots__ = ()

    @classmethod
    @abstractmethod
    def decode_value(cls, fields: Fields) -> Self:
        """Take the value's fields, all of them.

        :raises PeerError: the value is malformed.
        """


ItemT = TypeVar("ItemT", bound=Item)


def registry(*kinds: type[KnownItem]) -> Mapping[int, type[KnownItem]]:
    """The kinds of item that a container may hold, by their type byte."""
    return MappingProxyType({kind.item_type: kind for kind in kinds})


def decode_items(fields: Fields, kinds: Mapping[int, type[KnownItem]]) -> list[Item]:
    """All the items that are left in their container, in the order in which they came.

    :raises PeerError: an item is malformed, longer than its container, or known and none of `kinds`.
    """
    items: list[Item] = []
    while fields:
        number, length = fields.unpack(_ITEM_HEADER, "an item's header")
        value = fields.take(length, "an item's value")
        name = _NAMES.get(number)
        if name is None:
            items.append(UnknownItem(number, bytes(value)))
            continue
        kind = kinds.get(number)
        if kind is None:
            raise unexpected_parameter(f"{fields.name}: {name} does not belong there")
        is_remembered = kind.comes_again and length <= REMEMBERED_LENGTH
        items.append((_remembered_decoded if is_remembered else _decode)(kind, bytes(value)))
    return items


def _decode(kind: type[KnownItem], value: bytes) -> KnownItem:
    fields = Fields(_NAMES[kind.item_type], value)
    item = kind.decode_value(fields)
    fields.end()
    return item


_remembered_decoded = lru_cache(maxsize=1024)(_decode)


def of_kind(items: Iterable[Item], kind: type[ItemT]) -> tuple[ItemT, ...]:
    """Those of `items` that are of one kind; kinds have no kinds below them."""
    return tuple([item for item in items if type(item) is kind])


def single(items: Iterable[Item], kind: type[ItemT], container: str) -> ItemT | None:
    """The one item of a kind that may come only once; None where it is missing.

    :raises PeerError: it came more than once.
    """
    found = of_kind(items, kind)
    if len(found) > 1:
        raise unexpected_parameter(f"{container}: {kind.__name__} comes {len(found)} times, it may come once")
    return found[0] if found else None
