"""What a stranger can make the process do: work in proportion to the bytes that he sends, and no more.

It is counted in calls, Python's and C's, so that it is the same on every machine.
"""

from __future__ import annotations

import struct
import sys

import pytest

from sdcc.archive.attributes import parse
from sdcc.config import Configuration, Local
from sdcc.dimse.command import CommandError
from sdcc.dimse.fragments import MessageAssembler
from sdcc.interfaces import CannotUnderstand
from sdcc.upper_layer import negotiation
from sdcc.upper_layer.framing import Framer

from ..interop.objects import CT
from ..interop.wire import COMMAND, EXPLICIT, IMPLICIT, item, p_data, value
from .streams import APPLICATION_CONTEXT, context, request_of

SOP_CLASSES = Configuration(locals=(Local(),)).sop_classes
ABSTRACT_SYNTAX = item(0x30, CT.encode())


def calls(work):
    """How many calls it takes."""
    count = 0

    def called(frame, event, argument):
        nonlocal count
        count += event.endswith("call")

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def negotiated(*items):
    """An A-ASSOCIATE-RQ from its bytes to its answer."""
    stream = request_of(APPLICATION_CONTEXT, *items)

    def work():
        (request,) = Framer(16384).feed(stream)
        answer = negotiation.accept(request, SOP_CLASSES, maximum_length=16384)
        negotiation.accepted_contexts(request, answer)
        answer.encode()

    return work


def received(*pieces):
    """Segments of an association, to the Command Set that they hold or do not hold."""

    def work():
        framer, assembler = Framer(16384), MessageAssembler({1})
        try:
            for piece in pieces:
                for fragments in framer.feed(piece):
                    for fragment in fragments:
                        assembler.add(*fragment)
        except CommandError:
            pass

    return work


def looked_through(data, syntax):
    def work():
        with pytest.raises(CannotUnderstand):
            parse(lambda offset, length: data[offset : offset + length], len(data), syntax)

    return work


def command_element(number):
    """None that the standard has."""
    return struct.pack("<HHL", 0, 0x2000 + number, 0)


EMPTY_ELEMENT = struct.pack("<HH2sH", 0x0009, 0x1001, b"LO", 0)
NESTED = struct.pack("<HHLHHL", 0x0009, 0x1001, 0xFFFFFFFF, 0xFFFE, 0xE000, 0xFFFFFFFF)
#: From a number to work on so many things.
WORK = {
    "unknown items": lambda count: negotiated(item(0x99, b"") * count),
    "Transfer Syntaxes": lambda count: negotiated(context(1, ABSTRACT_SYNTAX, item(0x40, b"1.2") * count)),
    "Transfer Syntaxes of 128 contexts": lambda count: negotiated(
        *(context(number, ABSTRACT_SYNTAX, item(0x40, b"1") * (count // 128)) for number in range(1, 256, 2))
    ),
    "roles": lambda count: negotiated(
        item(0x50, b"".join(item(0x54, struct.pack(">H4sBB", 4, b"%04d" % n, 1, 0)) for n in range(count)))
    ),
    "related classes": lambda count: negotiated(
        item(0x50, item(0x57, bytes(4) + struct.pack(">H", 2 * count) + bytes(2 * count)))
    ),
    "elements of a Command Set": lambda count: received(
        p_data(value(1, COMMAND, b"".join(map(command_element, range(count // 2)))))
        + p_data(value(1, COMMAND | 2, b"".join(map(command_element, range(count // 2, count)))))
    ),
    "fragments of a byte": lambda count: received(p_data(value(1, COMMAND, b"a")) * count),
    "fragments of nothing": lambda count: received(p_data(value(1, COMMAND, b"")) * count),
    "segments of a byte": lambda count: received(
        *(bytes((byte,)) for byte in p_data(value(1, COMMAND, bytes(count))))
    ),
    "elements of a Data Set": lambda count: looked_through(EMPTY_ELEMENT * count, EXPLICIT),
    "sequences in sequences": lambda count: looked_through(NESTED * count, IMPLICIT),
}


@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
def test_twice_as_much_costs_twice_as_much(work):
    once, twice = calls(work(2048)), calls(work(4096))
    assert once > 100
    assert twice < 2.1 * once
