"""Sound associations as a requestor speaks them, in parts: PDUs, items, messages, Data Sets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from random import Random
from struct import Struct
from typing import NamedTuple

from sdcc.conformance import IMPLICIT_VR_LITTLE_ENDIAN, VERIFICATION

from .data_sets import CT, MR, SYNTAXES, data_set, new_uid
from .parts import BIG_16, BIG_32, LITTLE_32, Content, Part

#: What the server announces, less the header of a Presentation Data Value.
ROOM = 16384 - 6
_FIXED = Struct(">H2x16s16s32s")
_TAG, _NUMBER = Struct("<HH"), Struct("<H")
_COMMAND, _LAST = 1, 2
_DATA_SET, _NO_DATA_SET = 0x0001, 0x0101
#: Study Root Query/Retrieve - FIND, which is not provided.
_QUERY = "1.2.840.10008.5.1.4.1.2.2.1"
#: Command Fields and what is peculiar to them: C-ECHO, C-CANCEL, N-GET, a response to nothing.
_WITHOUT_DATA_SET: tuple[tuple[int, Mapping[int, int | str]], ...] = (
    (0x0030, {}),
    (0x0030, {}),
    (0x0FFF, {0x0120: 1}),
    (0x0110, {0x1001: "1.2.3"}),
    (0x8001, {0x0120: 1, 0x0900: 0}),
)


class Context(NamedTuple):
    """A Presentation Context that is proposed with one Transfer Syntax."""

    id: int
    abstract_syntax: str
    transfer_syntax: str


def association(random: Random) -> Part:
    """A stream of PDUs: a request, messages, and one of the ends."""
    contexts = _contexts(random)
    pdus: Content = [_associate_rq(random, contexts)]
    for number in range(random.choice((1, 2, 3, 5))):
        pdus += _message(random, random.choice(contexts), number + 1)
    pdus += random.choice(([pdu(5, bytes(4))], [pdu(7, bytes(4))], [pdu(7, b"\0\0\2\1")], []))
    return Part(content=pdus)


def messages(random: Random) -> Part:
    """What follows the request."""
    return Part(content=association(random).content[1:])


def answered_association(random: Random) -> Part:
    """What an acceptor says: its answer, responses, and one of the ends."""
    contexts = _contexts(random)
    pdus: Content = [random.choice((_associate_ac(random, contexts), pdu(3, b"\0\1\1\7")))]
    for number in range(random.randrange(3)):
        response = _command_set(0x8030, _NO_DATA_SET, VERIFICATION.uid, number, {0x0120: number, 0x0900: 0})
        pdus += _fragments(random, 1, _COMMAND, [response])
    pdus += random.choice(([pdu(6, bytes(4))], [pdu(5, bytes(4))], [pdu(7, bytes(4))], []))
    return Part(content=pdus)


def pdu(pdu_type: int, *content: Part | bytes) -> Part:
    return Part(bytes((pdu_type, 0)), BIG_32, [*content])


def item(item_type: int, *content: Part | bytes) -> Part:
    return Part(bytes((item_type, 0)), BIG_16, [*content])


# --- A-ASSOCIATE -----------------------------------------------------------------------------


def _contexts(random: Random) -> list[Context]:
    first = Context(1, VERIFICATION.uid, IMPLICIT_VR_LITTLE_ENDIAN)
    others = [
        Context(3 + 2 * index, random.choice((CT, CT, CT, MR, MR, MR, _QUERY)), random.choice(SYNTAXES))
        for index in range(random.randint(1, 4))
    ]
    return [first, *others]


def _associate_rq(random: Random, contexts: list[Context]) -> Part:
    proposed = (
        item(
            0x20,
            bytes((context.id, 0, 0, 0)),
            item(0x30, context.abstract_syntax.encode()),
            item(0x40, context.transfer_syntax.encode()),
        )
        for context in contexts
    )
    return _associate(random, 1, proposed, _more_sub_items(contexts[-1]))


def _associate_ac(random: Random, contexts: list[Context]) -> Part:
    answered = (
        item(
            0x21,
            bytes((context.id, 0, random.choice((0, 0, 3)), 0)),
            item(0x40, context.transfer_syntax.encode()),
        )
        for context in contexts
    )
    return _associate(random, 2, answered, [item(0x59, Part(b"", BIG_16, [b"ticket"]))])


def _associate(random: Random, pdu_type: int, contexts: Iterable[Part], more_sub_items: list[Part]) -> Part:
    titles = (b"SDCC".ljust(16), random.choice((b"CT01", b"MR 2", b"x" * 16)).ljust(16))
    sub_items = [item(0x51, BIG_32.pack(random.choice((0, 4096, 16384)))), item(0x52, b"1.2.3.4")]
    sub_items += random.sample(more_sub_items, random.randint(0, min(3, len(more_sub_items))))
    return pdu(
        pdu_type,
        _FIXED.pack(1, *titles, bytes(32)),
        item(0x10, b"1.2.840.10008.3.1.1.1"),
        *contexts,
        item(0x50, *sub_items),
    )


def _more_sub_items(context: Context) -> list[Part]:
    """PS3.7 D.3.3: version name, operations window, roles, extended negotiation, identity; an unknown one."""
    uid = Part(b"", BIG_16, [context.abstract_syntax.encode()])
    return [
        item(0x53, b"\0\1\0\1"),
        item(0x54, uid, b"\1\0"),
        item(0x55, b"FUZZING"),
        item(0x56, uid, b"\1\2\3"),
        item(0x57, uid, Part(b"", BIG_16, [b"1.2.840.10008.4.2"]), Part(b"", BIG_16, [uid])),
        item(0x58, b"\2\0", Part(b"", BIG_16, [b"user"]), Part(b"", BIG_16, [b"secret"])),
        item(0x5F, b"?"),
    ]


# --- messages ------------------------------------------------------------------------------


def _message(random: Random, context: Context, number: int) -> Iterator[Part]:
    """A C-STORE-RQ with its Data Set, or a message of another kind."""
    if context.abstract_syntax != VERIFICATION.uid and random.randrange(4):
        sent = data_set(random, context.transfer_syntax, context.abstract_syntax)
        elements = {0x0700: 0, 0x1000: sent.sop_instance, **random.choice(({}, {0x1030: "MOVER", 0x1031: 7}))}
        command = _command_set(0x0001, _DATA_SET, context.abstract_syntax, number, elements)
        yield from _fragments(random, context.id, _COMMAND, [command])
        yield from _fragments(random, context.id, 0, [sent.parts])
    else:
        field, elements = random.choice(_WITHOUT_DATA_SET)
        command = _command_set(field, _NO_DATA_SET, context.abstract_syntax, number, elements)
        yield from _fragments(random, context.id, _COMMAND, [command])


def command_set(random: Random) -> Part:
    """A Command Set by itself, of any kind and with any of the elements that messages have."""
    field = random.choice((0x0001, 0x0010, 0x0020, 0x0021, 0x0030, 0x0110, 0x0140, 0x0FFF, 0x8001, 0x8030))
    elements = {
        **{0x0120: 1, 0x0900: 0xA700, 0x0901: "\0\0\2\0\0\0\0\1", 0x0902: "out of resources"},
        **{0x1000: new_uid(random), 0x1001: "1.2", 0x1030: "MOVER"},
    }
    chosen = {tag: elements[tag] for tag in random.sample(list(elements), random.randrange(5))}
    return _command_set(
        field, random.choice((_DATA_SET, _NO_DATA_SET)), CT, random.randrange(0x10000), chosen
    )


def _command_set(
    field: int, data_set_type: int, sop_class: str, number: int, elements: Mapping[int, int | str]
) -> Part:
    """PS3.7 6.3.1, with the elements that every message has."""
    common = {0x0002: sop_class, 0x0100: field, 0x0110: number, 0x0800: data_set_type}
    parts: Content = []
    for tag, value in sorted({**common, **elements}.items()):
        content = _NUMBER.pack(value) if isinstance(value, int) else value.encode()
        parts.append(Part(_TAG.pack(0, tag), LITTLE_32, [content + b"\0" * (len(content) % 2)]))
    length = len(Part(content=parts).encode())
    return Part(content=[Part(_TAG.pack(0, 0), LITTLE_32, [LITTLE_32.pack(length)]), *parts])


def _fragments(random: Random, context_id: int, kind: int, content: Content) -> Iterator[Part]:
    """P-DATA-TF PDUs: one with the parts as they are, or several with their bytes in pieces."""
    if random.randrange(2):
        yield pdu(4, _value(context_id, kind | _LAST, content))
        return
    data = Part(content=content).encode()
    size = max(1, min(ROOM, random.choice((len(data) // 3, len(data) // 2, 100, ROOM))))
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    values = [_value(context_id, kind, [piece]) for piece in pieces[:-1]]
    values.append(_value(context_id, kind | _LAST, [pieces[-1]]))
    if random.randrange(2) and len(data) < ROOM // 2:
        yield pdu(4, *values)
    else:
        yield from (pdu(4, value) for value in values)


def _value(context_id: int, control: int, content: Content) -> Part:
    """A Presentation Data Value, whose length counts its context ID and its message control header."""
    return Part(b"", BIG_32, [bytes((context_id, control)), *content])
