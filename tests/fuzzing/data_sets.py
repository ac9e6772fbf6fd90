"""Sound Data Sets in the nine Transfer Syntaxes, in parts."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from struct import Struct
from typing import NamedTuple

from sdcc.archive.attributes import REQUIRED
from sdcc.conformance import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    STORAGE_TRANSFER_SYNTAXES,
)
from sdcc.data_set.text import SPECIFIC_CHARACTER_SET
from sdcc.indexed import ATTRIBUTES, ITEM_ATTRIBUTES

from .parts import BIG_16, BIG_32, LITTLE_16, LITTLE_32, UNDEFINED, Content, Part

SYNTAXES = tuple(STORAGE_TRANSFER_SYNTAXES)
UNCOMPRESSED = (IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN)
CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"

_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PIXEL_DATA = 0x7FE00010
_LONG_VRS = ("OB", "OW", "SQ", "UN", "UT")
#: Between the wanted ones: sequences, whose items hold wanted tags too, and private elements.
_SEQUENCES = (0x00081140, 0x00081199, 0x00321064, 0x00400275)
#: In the items of those that are wanted.
_IN_ITEMS = 0x00400008
_OTHERS = ((0x00090010, "LO"), (0x00091001, "UN"), (0x00101010, "AS"), (0x00181041, "DS"), (0x00209999, "UT"))

#: Values by VR, in a character set of their own where one is named.
_VALUES: dict[str, tuple[str, ...]] = {
    "AS": ("034Y",),
    "CS": ("", "ORIGINAL\\PRIMARY\\AXIAL", "CT", "M"),
    "DA": ("", "20240229", "19700101", "2024.02.29"),
    "DS": ("0.5",),
    "IS": ("", "1", "-12", "512"),
    "LT": ("", "One line\r\nand \\ another"),
    "LO": ("", "Head 5.0", "A\\B", "x" * 64),
    "PN": ("", "Sent^By^Test", "A^B=C^D", "One^A\\Two^B"),
    "SH": ("", "A1", "CT01"),
    "TM": ("", "0930", "093015.25", "235960"),
    "UT": ("", "text" * 500),
}
_IN_CHARACTER_SET = {
    "": (),
    "ISO_IR 100": ("M\xfcller^J\xf6rg".encode("latin-1"),),
    "ISO_IR 192": ("Yamada^Tarou=\u5c71\u7530^\u592a\u90ce".encode(),),
    "\\ISO 2022 IR 87": (b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B",),
}


class DataSet(NamedTuple):
    transfer_syntax: str
    parts: Part
    sop_class: str
    sop_instance: str
    #: How many of the parts end with the last required UID.
    uids_end: int


@dataclass(frozen=True)
class _Writer:
    """Elements of one Transfer Syntax (PS3.5 Annex A)."""

    transfer_syntax: str

    @property
    def is_big(self) -> bool:
        return self.transfer_syntax == EXPLICIT_VR_BIG_ENDIAN

    def tag(self, tag: int) -> bytes:
        return Struct(">HH" if self.is_big else "<HH").pack(*divmod(tag, 0x10000))

    def number(self, number: int) -> bytes:
        return number.to_bytes(2, "big" if self.is_big else "little")

    def element(self, tag: int, vr: str, content: Content, declared: int | None = None) -> Part:
        short, long = (BIG_16, BIG_32) if self.is_big else (LITTLE_16, LITTLE_32)
        head = self.tag(tag)
        if tag >= _ITEM or self.transfer_syntax == IMPLICIT_VR_LITTLE_ENDIAN:
            return Part(head, long, content, declared)
        if vr in _LONG_VRS:
            return Part(head + vr.encode() + b"\0\0", long, content, declared)
        return Part(head + vr.encode(), short, content, declared)

    def text(self, tag: int, vr: str, text: bytes) -> Part:
        return self.element(tag, vr, [text + (b"\0" if vr == "UI" else b" ") * (len(text) % 2)])

    def ended(self, part: Part, delimitation: int) -> Part:
        """The part with an undefined length, and a delimitation after it."""
        part.declared = UNDEFINED
        return Part(content=[part, self.element(delimitation, "", [])])


def new_uid(random: Random) -> str:
    """One of a few, so that objects come again."""
    return f"1.2.826.0.1.3680043.9.7307.5.{random.randrange(64)}"


def data_set(random: Random, transfer_syntax: str, sop_class: str = CT) -> DataSet:
    """A Data Set with the required UIDs, some of the other attributes, and things between them."""
    writer = _Writer(transfer_syntax)
    sop_instance = new_uid(random)
    character_set = random.choice(list(_IN_CHARACTER_SET))
    uids = dict(zip(REQUIRED, (sop_class, sop_instance, new_uid(random), new_uid(random)), strict=True))
    found = {tag: writer.text(tag, "UI", uid.encode()) for tag, uid in uids.items()}
    if character_set or random.randrange(2):
        found[SPECIFIC_CHARACTER_SET] = writer.text(SPECIFIC_CHARACTER_SET, "CS", character_set.encode())
    for tag in random.sample(sorted(ATTRIBUTES.keys() - uids.keys()), random.randrange(20)):
        found[tag] = _attribute(random, writer, tag, character_set)
    for tag, vr in random.sample(_OTHERS, random.randrange(3)):
        found[tag] = writer.text(tag, vr, random.choice(_VALUES.get(vr, ("odd",))).encode())
    for tag in random.sample(_SEQUENCES, random.randrange(3)):
        found[tag] = _sequence(random, writer, tag, depth=random.randrange(4))
    found[_PIXEL_DATA] = _pixels(random, writer)
    ordered = [found[tag] for tag in sorted(found)]
    uids_end = sum(tag <= max(REQUIRED) for tag in found)
    return DataSet(transfer_syntax, Part(content=ordered), sop_class, sop_instance, uids_end)


def _attribute(random: Random, writer: _Writer, tag: int, character_set: str) -> Part:
    vr = ATTRIBUTES[tag].vr
    if vr == "SQ":
        return _known_sequence(random, writer, tag)
    if vr == "US":
        return writer.element(tag, vr, [writer.number(random.choice((0, 1, 258, 0xFFFF)))])
    if vr == "UI":
        return writer.text(tag, vr, new_uid(random).encode())
    values = [value.encode() for value in _VALUES[vr]]
    if vr == "PN":
        values += _IN_CHARACTER_SET[character_set]
    return writer.text(tag, vr, random.choice(values))


def _known_sequence(random: Random, writer: _Writer, tag: int) -> Part:
    """A sequence that is wanted itself, and some attributes of its items."""
    items: Content = []
    for _ in range(random.randrange(4)):
        inside = {
            of_item: writer.text(of_item, vr, random.choice(_VALUES[vr]).encode())
            for of_item, (_, vr) in random.sample([*ITEM_ATTRIBUTES[tag].items()], random.randrange(4))
        }
        if random.randrange(2):
            inside[_IN_ITEMS] = _sequence(random, writer, _IN_ITEMS, depth=random.randrange(2))
        item = writer.element(_ITEM, "", [inside[of_item] for of_item in sorted(inside)])
        items.append(writer.ended(item, _ITEM_END) if random.randrange(2) else item)
    return _perhaps_undefined(random, writer, writer.element(tag, "SQ", items))


def _sequence(random: Random, writer: _Writer, tag: int, depth: int) -> Part:
    """A sequence whose items hold wanted tags, which are not the Data Set's own."""
    items: Content = []
    for _ in range(random.randrange(3)):
        inside: Content = [
            writer.text(0x00100010, "PN", b"Nobody"),
            writer.text(0x0020000D, "UI", b"9.9"),
        ]
        if depth:
            inside.append(_sequence(random, writer, _SEQUENCES[-1], depth - 1))
        item = writer.element(_ITEM, "", inside)
        items.append(writer.ended(item, _ITEM_END) if random.randrange(2) else item)
    return _perhaps_undefined(random, writer, writer.element(tag, "SQ", items))


def _perhaps_undefined(random: Random, writer: _Writer, sequence: Part) -> Part:
    """An undefined length is counted by who is around, and the delimitation belongs to the content."""
    if random.randrange(2):
        return writer.ended(sequence, _SEQUENCE_END)
    return sequence


def _pixels(random: Random, writer: _Writer) -> Part:
    pixels = random.randbytes(16) * random.choice((1, 8, 64))
    if writer.transfer_syntax in UNCOMPRESSED:
        return writer.element(_PIXEL_DATA, "OW", [pixels])
    frames = [writer.element(_ITEM, "", [b""]), writer.element(_ITEM, "", [pixels])]
    return writer.ended(writer.element(_PIXEL_DATA, "OB", [*frames]), _SEQUENCE_END)


def file_head(random: Random) -> Part:
    """What stands before the Data Set in a file (PS3.10 7.1), of some maker."""
    writer = _Writer(EXPLICIT_VR_LITTLE_ENDIAN)
    texts = [(0x00020002, "UI", CT), (0x00020003, "UI", new_uid(random)), (0x00020010, "UI", SYNTAXES[1])]
    more = [(0x00020012, "UI", "1.2.3"), (0x00020013, "SH", "MAKER"), (0x00020016, "AE", "CT01")]
    texts += random.sample([*more, (0x00020018, "AE", "SDCC")], random.randrange(5))
    group = Part(content=[writer.text(tag, vr, text.encode()) for tag, vr, text in sorted(texts)])
    group.content.insert(0, writer.element(0x00020001, "OB", [b"\0\1"]))
    # the group length counts what follows, as a part's length counts its content
    counted = Part(writer.tag(0x00020000) + b"UL\4\0", LITTLE_32, [group])
    return Part(content=[bytes(128), b"DICM", counted])
