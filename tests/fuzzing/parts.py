"""Bytes with the structure that they have on the wire: headers, lengths, and what the lengths count.

A part that is changed keeps the parts around it sound, so that what is wrong is reached: a lie about
the length of one element of one item of one sequence is no lie about the PDU that it came in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from struct import Struct
from typing import TypeAlias

BYTE_LENGTHS = tuple(Struct(layout) for layout in (">B", ">H", "<H", ">I", "<I"))
_, BIG_16, LITTLE_16, BIG_32, LITTLE_32 = BYTE_LENGTHS

UNDEFINED = 0xFFFFFFFF
#: A part that grows by repetition gets no longer than this, nor does a stream get many times more parts.
LONGEST_CONTENT = 16 * 1024
MOST_COPIES = 40

Content: TypeAlias = "list[Part | bytes]"


@dataclass(slots=True)
class Part:
    """A header that ends with a length, and what follows it."""

    #: What precedes the length: a type, a tag.
    head: bytes = b""
    #: None: nothing counts the content.
    length: Struct | None = None
    content: Content = field(default_factory=list)
    #: What the length says where that is not the content's own.
    declared: int | None = None

    def encode(self) -> bytes:
        body = b"".join(part if isinstance(part, bytes) else part.encode() for part in self.content)
        if self.length is None:
            return self.head + body
        declared = len(body) if self.declared is None else self.declared
        return self.head + self.length.pack(declared & (1 << 8 * self.length.size) - 1) + body

    def copy(self) -> Part:
        """The same, of which nothing is shared."""
        return Part(self.head, self.length, _copies(self.content), self.declared)

    def places(self) -> Iterator[tuple[Part, int]]:
        """Every place where something lies: the part around it, and its index there."""
        for index, part in enumerate(self.content):
            yield self, index
            if isinstance(part, Part):
                yield from part.places()

    def parts(self) -> list[Part]:
        """Those in it, however deep."""
        found = (around.content[index] for around, index in self.places())
        return [part for part in found if isinstance(part, Part)]


def mutated(random: Random, stream: Part, other: Part) -> bytes:
    """The bytes of a stream with up to four things wrong, some of them perhaps out of another stream."""
    changed = stream.copy()
    for _ in range(random.randint(0, 3)):
        random.choice(STRUCTURAL)(random, changed, other)
    data = changed.encode()
    if random.randint(0, 3) == 0:
        data = random.choice(BYTEWISE)(random, data)
    return data


def segments(random: Random, data: bytes) -> list[bytes]:
    """The same bytes as a transport might give them.

    Mostly the first PDU comes by itself, as its sender waits for the answer: what comes with it is
    out of place.
    """
    cuts = [random.randint(0, len(data)) for _ in range(random.randint(0, 6))]
    if random.randint(0, 7):
        cuts.append(first_pdu_length(data))
    cuts.sort()
    pieces = [data[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    return [piece for piece in pieces if piece]


def first_pdu_length(data: bytes) -> int:
    """As it says of itself, and no more than there is."""
    return min(len(data), 6 + int.from_bytes(data[2:6], "big"))


# --- what goes wrong with parts ------------------------------------------------------------


def lie(random: Random, stream: Part, other: Part) -> None:
    """A length says what it should not."""
    if counted := [part for part in stream.parts() if part.length is not None]:
        part = random.choice(counted)
        own = len(part.encode()) - len(part.head)
        part.declared = random.choice([0, 1, 2, 3, own - 1, own + 1, own + 100, 0xFFFF, 1 << 31, UNDEFINED])


def retype(random: Random, stream: Part, other: Part) -> None:
    """A part says that it is another, or has a bit of its header turned."""
    if headed := [part for part in stream.parts() if part.head]:
        part = random.choice(headed)
        if random.randint(0, 1):
            part.head = _with_a_bit_turned(random, part.head)
        else:
            part.head = random.choice([one for one in (*headed, *other.parts()) if one.head]).head


def drop(random: Random, stream: Part, other: Part) -> None:
    around, index = _place(random, stream)
    del around.content[index : index + 1]


def repeat(random: Random, stream: Part, other: Part) -> None:
    """A part comes again, perhaps many times."""
    around, index = _place(random, stream)
    again = around.content[index : index + 1]
    copies = random.choice([1, 2, MOST_COPIES])
    if sum(map(len, map(_bytes, again))) * copies <= LONGEST_CONTENT:
        around.content[index:index] = _copies(again * copies)


def swap(random: Random, stream: Part, other: Part) -> None:
    """Two parts side by side change places."""
    around, index = _place(random, stream)
    around.content[index : index + 2] = around.content[index : index + 2][::-1]


def splice(random: Random, stream: Part, other: Part) -> None:
    """A part of another stream comes in, beside a part or in its place."""
    around, index = _place(random, stream)
    beyond, at = _place(random, other)
    around.content[index : index + random.randint(0, 1)] = _copies(beyond.content[at : at + 1])


def cross(random: Random, stream: Part, other: Part) -> None:
    """The beginning of one stream and the end of another."""
    here, there = (random.randint(0, len(one.content)) for one in (stream, other))
    stream.content[here:] = _copies(other.content[there:])


def nest(random: Random, stream: Part, other: Part) -> None:
    """A part comes within parts of its own kind."""
    if counted := [(at, i) for at, i in stream.places() if isinstance(at.content[i], Part)]:
        around, index = random.choice(counted)
        for _ in range(random.choice([1, 2, MOST_COPIES])):
            inner = around.content[index]
            assert isinstance(inner, Part)
            around.content[index] = Part(inner.head, inner.length, [inner], inner.declared)


def spoil(random: Random, stream: Part, other: Part) -> None:
    """The bytes that a part holds are others."""
    if plain := [(at, i) for at, i in stream.places() if isinstance(at.content[i], bytes)]:
        around, index = random.choice(plain)
        around.content[index] = random.choice(BYTEWISE)(random, _bytes(around.content[index]))


STRUCTURAL = (lie, retype, drop, repeat, swap, splice, cross, nest, spoil, spoil)


def _place(random: Random, stream: Part) -> tuple[Part, int]:
    """Where something lies; the end of a stream that holds nothing."""
    return random.choice(list(stream.places()) or [(stream, 0)])


def _copies(content: Content) -> Content:
    return [part if isinstance(part, bytes) else part.copy() for part in content]


def _bytes(part: Part | bytes) -> bytes:
    return part if isinstance(part, bytes) else part.encode()


# --- what goes wrong with bytes ------------------------------------------------------------


def _with_a_bit_turned(random: Random, data: bytes) -> bytes:
    if not data:
        return data
    at = random.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]


def _cut_short(random: Random, data: bytes) -> bytes:
    return data[: random.randint(0, len(data))]


def _with_more(random: Random, data: bytes) -> bytes:
    at = random.randint(0, len(data))
    return data[:at] + random.randbytes(random.randint(1, 20)) + data[at:]


def _with_less(random: Random, data: bytes) -> bytes:
    at = random.randint(0, len(data))
    return data[:at] + data[at + random.randint(1, 20) :]


def _with_an_extreme(random: Random, data: bytes) -> bytes:
    at = random.randint(0, len(data))
    layout: Sequence[Struct] = BYTE_LENGTHS
    number = random.choice(layout).pack(0) if random.randint(0, 1) else b"\xff" * random.choice((1, 2, 4))
    return data[:at] + number + data[at + len(number) :]


#: What text should not hold: escape sequences of character sets and of terminals, what ends a line of a
#: log or a text, what leads elsewhere, what turns the writing direction, no characters.
_ILL_TEXT = (b"\x1b$B", b"\x1b[2J", b"\r\n", b"\0", b"\\", b"../../", "\u202e".encode(), b"\xff\xfe")


def _with_text(random: Random, data: bytes) -> bytes:
    at = random.randint(0, len(data))
    return data[:at] + random.choice(_ILL_TEXT) + data[at:]


def _grown(random: Random, data: bytes) -> bytes:
    """What holds more than there is room for elsewhere."""
    return data * min(random.choice((20, 1000)), LONGEST_CONTENT // max(1, len(data)))


BYTEWISE = (_with_a_bit_turned, _cut_short, _with_more, _with_less, _with_an_extreme, _with_text, _grown)
