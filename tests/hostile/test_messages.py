"""Command Sets that are none, fragments of something else, Data Sets that nobody announced."""

from __future__ import annotations

import random
import struct

import pytest

from ..interop.objects import CT, data_set, new_uid
from ..interop.server import until
from ..interop.wire import (
    COMMAND,
    DATA,
    ECHO_RQ,
    ERROR_COMMENT,
    EXPLICIT,
    IMPLICIT,
    LAST,
    LAST_COMMAND,
    NO_DATA_SET,
    STATUS,
    VERIFICATION,
    command_set,
    echo_rq,
    p_data,
    p_datas,
    store_rq,
    value,
)
from .streams import outcome

pytestmark = pytest.mark.usefixtures("unhurt")

KIB = 1024


@pytest.fixture
def peer(server, connect):
    """Context 1 is for CT, 3 for Verification; 5 was not accepted, 7 not even proposed."""
    peer = connect(server.address)
    peer.associate((1, CT, EXPLICIT), (3, VERIFICATION, IMPLICIT), (5, "1.2.3", IMPLICIT))
    return peer


def command(data, context_id=3):
    return p_datas(context_id, COMMAND, data)


def element(number, data, group=0, length=None):
    return struct.pack("<HHL", group, number, len(data) if length is None else length) + data


def us(number, content):
    return element(number, struct.pack("<H", content))


CLASS = element(0x0002, b"1.2.840.10008.1.1\0")
FIELD = us(0x0100, ECHO_RQ)
MESSAGE_ID = us(0x0110, 1)
NOTHING_FOLLOWS = us(0x0800, NO_DATA_SET)
ECHO = CLASS + FIELD + MESSAGE_ID + NOTHING_FOLLOWS
RESPONSE = command_set({0x0002: VERIFICATION, 0x0100: 0x8030, 0x0120: 1, 0x0800: NO_DATA_SET, STATUS: 0})


def echo_with(tail, before=b""):
    """A sound C-ECHO-RQ but for what comes before or after it."""
    return before + ECHO + tail


# --- Command Sets --------------------------------------------------------------------------

#: What cannot be a request, and what the log says of it.
MALFORMED = {
    "nothing": (b"", "(0000,0100) Command Field is absent"),
    "a byte": (b"\0", "ends with 1 bytes"),
    "an element cut off in its header": (echo_with(b"\0\0\1\x09\0"), "ends with 5 bytes"),
    "an element cut off in its value": (echo_with(element(0x0902, b"abc", length=9)), "has length 9: 3 "),
    "an element of 4 GB": (echo_with(element(0x1000, b"1.2", length=0xFFFFFFFF)), "length 4294967295: 3 "),
    "an element of undefined length": (element(0x0000, b"", length=0xFFFFFFFF) + ECHO, "length 4294967295"),
    "another group at the end": (echo_with(element(0x0010, b"x ", group=8)), "(0008,0010) in a Command Set"),
    "another group alone": (element(0x0018, b"1.2.3\0", group=8), "(0008,0018) in a Command Set"),
    "big endian": (
        struct.pack(">HHLL", 0, 0, 4, 10) + struct.pack(">HHLH", 0, 0x100, 2, ECHO_RQ),
        "has length 67108864",
    ),
    "explicit VR": (b"\0\0\2\0UI\x12\0" + b"1.2.840.10008.1.1\0", "(0000,0002) has length 1198421"),
    "an element twice": (CLASS + FIELD + FIELD + MESSAGE_ID + NOTHING_FOLLOWS, "tags must increase"),
    "tags that fall": (FIELD + CLASS + MESSAGE_ID + NOTHING_FOLLOWS, "tags must increase"),
    "a group length at the end": (echo_with(element(0, bytes(4))), "tags must increase"),
    "no Command Field": (CLASS + MESSAGE_ID + NOTHING_FOLLOWS, "Command Field is absent"),
    "no Message ID": (CLASS + FIELD + NOTHING_FOLLOWS, "(0000,0110) Message ID is absent"),
    "no SOP Class": (FIELD + MESSAGE_ID + NOTHING_FOLLOWS, "Affected SOP Class UID is absent"),
    "no word of a Data Set": (CLASS + FIELD + MESSAGE_ID, "Command Data Set Type is absent"),
    "a Command Field of four bytes": (element(0x0100, bytes(4)), "US takes 2 bytes"),
    "a Command Field of no bytes": (element(0x0100, b""), "US takes 2 bytes"),
    "a Message ID of text": (CLASS + FIELD + element(0x0110, b"one "), "US takes 2 bytes"),
    "a group length of two bytes": (element(0, bytes(2)) + ECHO, "UL takes 4 bytes"),
    "an Offending Element of three bytes": (echo_with(element(0x0901, b"abc")), "AT takes 4 bytes"),
    "a response to nothing": (RESPONSE, "to no request of ours"),
    "a C-CANCEL with a Data Set": (
        us(0x0100, 0x0FFF) + us(0x0120, 1) + us(0x0800, 1),
        "only 0101H is allowed",
    ),
    "64 KiB and a byte": (
        echo_with(element(0x1005, bytes(64 * KIB + 1 - len(ECHO) - 8))),
        "longer than 65536 bytes",
    ),
    "a megabyte of zeros": (bytes(KIB * KIB), "longer than 65536 bytes"),
    "random bytes": (random.Random(3).randbytes(10_000), "in a Command Set: only group 0000"),
}


@pytest.mark.parametrize(("sent", "cause"), MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("size", [16000, 251], ids=["in large fragments", "in small fragments"])
def test_a_malformed_command_set_is_aborted(peer, logged, size, sent, cause):
    peer.send(p_datas(3, COMMAND, sent, size))
    assert outcome(peer, 1) == ["abort 0/0"]
    until(lambda: " aborted source 0: " in logged(), "the log says so")
    until(lambda: cause in logged(), "the log says so")


#: What is a request all the same, because nothing of it is in doubt.
SOUND = {
    "no group length": ECHO,
    "a group length that lies": element(0, b"\xff" * 4) + ECHO,
    "elements that the standard does not have": echo_with(
        element(0x4321, bytes(100)) + element(0xFFFF, b""), before=element(0x0001, b"odd")
    ),
    "text of odd length": element(0x0002, b"1.2.840.10008.1.1") + FIELD + MESSAGE_ID + NOTHING_FOLLOWS,
    "elements of another command": echo_with(element(0x1000, b"../../escaped\0") + us(0x1031, 1)),
    "64 KiB": echo_with(element(0x4321, bytes(64 * KIB - len(ECHO) - 8))),
}


@pytest.mark.parametrize("sent", SOUND.values(), ids=SOUND)
@pytest.mark.parametrize("size", [16000, 1], ids=["in large fragments", "in fragments of a byte"])
def test_a_command_set_that_can_be_understood_is_answered(peer, size, sent):
    peer.send(p_datas(3, COMMAND, sent, size))
    assert outcome(peer, 1) == ["status 0000"]


# --- fragments -----------------------------------------------------------------------------

HALF_ECHO = p_data(value(3, COMMAND, ECHO[:9]))
STORE = command(store_rq(CT, "1.2.3.4"), 1)
PART = p_data(value(1, DATA, bytes(100)))
#: Fragments that do not belong where they come, and what the log says of them.
MISPLACED = {
    "a Data Set that nobody announced": (p_datas(1, DATA, bytes(100)), "where a Command Set must come"),
    "an end of nothing": (p_data(value(1, DATA | LAST, b"")), "where a Command Set must come"),
    "a Command Set where a Data Set is due": (STORE + command(ECHO), "inside the Data Set of Presentation C"),
    "another context in a Data Set": (
        STORE + PART + p_data(value(3, DATA, bytes(9))),
        "a Data Set fragment for Presentation Context 3 inside the Data Set of Presentation Context 1",
    ),
    "a command of another context in a Data Set": (
        STORE + PART + command(ECHO),
        "a Command Set fragment for Presentation Context 3 inside the Data Set of Presentation Context 1",
    ),
    "another context in a Command Set": (
        HALF_ECHO + p_data(value(1, COMMAND, ECHO[9:])),
        "Presentation Context 1 inside the Command Set of Presentation Context 3",
    ),
    "a Data Set in a Command Set": (
        HALF_ECHO + p_data(value(3, DATA, bytes(9))),
        "a Data Set fragment for Presentation Context 3 inside the Command Set",
    ),
    "a context that was refused": (command(ECHO, 5), "Presentation Context 5, which was not accepted"),
    "a context that was not proposed": (command(ECHO, 7), "Presentation Context 7, which was not accepted"),
    "context 0": (command(ECHO, 0), "Presentation Context 0, which was not accepted"),
    "an even context": (command(ECHO, 2), "Presentation Context 2, which was not accepted"),
    "context 255": (command(ECHO, 255), "Presentation Context 255, which was not accepted"),
    "a refused context in a Data Set": (
        STORE + PART + p_data(value(5, DATA, b"a")),
        "Presentation Context 5, which was not accepted",
    ),
    "a refused context beside a sound one": (
        p_data(value(1, COMMAND, b"\0\0"), value(5, COMMAND, b"\0\0")),
        "Presentation Context 5, which was not accepted",
    ),
}


@pytest.mark.parametrize(("sent", "cause"), MISPLACED.values(), ids=MISPLACED)
def test_a_fragment_out_of_place_is_aborted(peer, logged, sent, cause):
    peer.send(sent)
    assert outcome(peer, 1) == ["abort 0/0"]
    until(lambda: " aborted source 0: " in logged(), "the log says so")
    until(lambda: cause in logged(), "the log says so")


EMPTY = value(1, COMMAND, b"")
#: Fragments of nothing by the thousand around what they do not change.
EMPTY_ONES = {
    "before a message": (p_data(*[EMPTY] * 2000) * 5, b"", b""),
    "of contexts that are not there": (p_data(*[value(9, DATA, b"")] * 2000) * 5, b"", b""),
    "in a Command Set": (b"", p_data(*[EMPTY] * 2000) * 5, b""),
    "in a Data Set": (b"", b"", p_data(*[value(1, DATA, b"")] * 2000) * 5),
    "one in each PDU": (p_data(EMPTY) * 10_000, b"", b""),
}


@pytest.mark.parametrize("empty", EMPTY_ONES.values(), ids=EMPTY_ONES)
def test_fragments_of_nothing_change_nothing(server, peer, empty):
    before, in_command, in_data_set = empty
    uid = new_uid()
    request, data = store_rq(CT, uid), data_set(instance=uid)
    peer.send(before, p_data(value(1, COMMAND, request[:20])), in_command)
    peer.send(p_data(value(1, LAST_COMMAND, request[20:])), p_data(value(1, DATA, data[:50])), in_data_set)
    peer.send(p_data(value(1, DATA | LAST, data[50:])))
    assert outcome(peer, 1) == ["status 0000"]
    assert [path for path in server.objects() if path.name.startswith(f"{uid}-")]


# --- Data Sets announced and not -----------------------------------------------------------


def test_an_echo_that_announces_a_data_set_waits_for_it_and_for_no_other(peer, logged):
    peer.send(command(command_set({0x0002: VERIFICATION, 0x0100: ECHO_RQ, 0x0110: 1, 0x0800: 1})))
    peer.send(p_datas(3, DATA, bytes(100_000)))
    assert peer.response()[STATUS] == 0
    peer.send(p_datas(3, DATA, bytes(100_000)))
    assert outcome(peer, 1) == ["abort 0/0"]
    until(lambda: "where a Command Set must come" in logged(), "the log says so")


def test_a_store_that_announces_no_data_set_is_refused_and_one_that_comes_is_aborted(peer, logged):
    request = {0x0002: CT, 0x0100: 1, 0x0110: 1, 0x0700: 0, 0x0800: NO_DATA_SET, 0x1000: "1.2.3.4"}
    peer.send(command(command_set(request), 1))
    response = peer.response()
    assert response[STATUS] == 0xC000
    assert response[ERROR_COMMENT] == "C-STORE-RQ without a Data Set"
    peer.send(p_datas(1, DATA, data_set(instance="1.2.3.4")))
    assert outcome(peer, 1) == ["abort 0/0"]
    until(lambda: "where a Command Set must come" in logged(), "the log says so")


@pytest.mark.parametrize("field", [0x0000, 0x0020, 0x0FFE, 0x1234, 0x7FFF])
@pytest.mark.parametrize("follows", [NO_DATA_SET, 0, 1, 0xFFFF], ids=lambda value: f"{value:04X}")
def test_any_command_is_answered_that_it_is_not_performed(peer, field, follows):
    """A Data Set comes where the Command Set says so, by any value but 0101H."""
    peer.send(command(command_set({0x0002: VERIFICATION, 0x0100: field, 0x0110: 1, 0x0800: follows})))
    if follows != NO_DATA_SET:
        peer.send(p_datas(3, DATA, bytes(1000)))
    assert outcome(peer, 1) == ["status 0211"]


def test_thousands_of_cancels_for_nothing_are_passed_over(peer):
    cancel = command(command_set({0x0100: 0x0FFF, 0x0120: 1, 0x0800: NO_DATA_SET}))
    peer.send(cancel * 5000, command(echo_rq()))
    assert outcome(peer, 1) == ["status 0000"]


# --- what is logged and answered of it -----------------------------------------------------


@pytest.mark.parametrize(
    "uid", ["\x1b[2J" * 12_000, "\r\n" * 30_000, "9" * 65_000, "../" * 20_000, "\0" * 60_000 + "1"]
)
def test_a_line_of_the_log_is_short_whatever_the_uid(peer, logged, uid):
    """Or a peer could fill the disk with it, 64 KB for a request, and four times that where it is escaped."""
    peer.send(command(store_rq(CT, uid), 1), p_datas(1, DATA, data_set(instance="1.2.3")))
    response = peer.response()
    assert response[STATUS] == 0x0117
    assert 0x1000 not in response
    until(lambda: " 0117 " in logged(), "the answer is followed by its line")
    assert max(map(len, logged().splitlines())) < 500
    assert all(line.isprintable() for line in logged().splitlines())
    peer.release()
