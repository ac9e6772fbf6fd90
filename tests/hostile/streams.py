"""What hostile peers send: pieces that :mod:`..interop.wire` has no reason to make, and what comes back."""

from __future__ import annotations

import struct

from ..interop.wire import (
    ABORT,
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    ASSOCIATE_RQ,
    MAXIMUM_LENGTH,
    P_DATA,
    RELEASE_RP,
    STATUS,
    elements,
    item,
    pdu,
)

APPLICATION_CONTEXT = item(0x10, b"1.2.840.10008.3.1.1.1")
USER_INFORMATION = item(0x50, item(0x51, struct.pack(">L", MAXIMUM_LENGTH)))


def request_of(*items, called=b"SDCC", calling=b"BYTES"):
    """A-ASSOCIATE-RQ of items as they are given, well-formed or not."""
    return pdu(
        ASSOCIATE_RQ, struct.pack(">H2x16s16s32x", 1, called.ljust(16), calling.ljust(16)) + b"".join(items)
    )


def context(number, *sub_items):
    """A Presentation Context item of sub-items as they are given."""
    return item(0x20, struct.pack(">B3x", number) + b"".join(sub_items))


def described(answer):
    """What came, in two words at most: A-ABORT with source/reason, a response with its status."""
    if answer is None:
        return "closed"
    if answer.type == ABORT:
        return f"abort {answer.codes[2:]}"
    if answer.type == ASSOCIATE_RJ:
        return f"rejected {answer.codes}"
    if answer.type == P_DATA:
        return f"status {elements(answer.body[6:])[STATUS]:04X}"
    return {ASSOCIATE_AC: "accepted", RELEASE_RP: "released"}[answer.type]


def outcome(peer, count):
    """The next `count` answers, described; there are no more once the peer sends no more."""
    answers = [described(peer.receive()) for _ in range(count)]
    if answers[-1:] != ["closed"]:
        peer.half_close()
        assert peer.receive() is None
    return answers
