"""PDUs that are none, that lie about their length, or that come when they may not."""

from __future__ import annotations

import random
import struct

import pytest

from ..interop.objects import CT, data_set
from ..interop.server import until
from ..interop.wire import (
    ABORT,
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    ASSOCIATE_RQ,
    COMMAND,
    DATA,
    EXPLICIT,
    IMPLICIT,
    LAST_COMMAND,
    MAXIMUM_LENGTH,
    P_DATA,
    RELEASE_RP,
    RELEASE_RQ,
    VERIFICATION,
    associate_rq,
    echo_rq,
    item,
    p_data,
    p_datas,
    pdu,
    store_rq,
    value,
)
from .streams import APPLICATION_CONTEXT, described, outcome, request_of

pytestmark = pytest.mark.usefixtures("unhurt")

CONTEXTS = ((1, CT, EXPLICIT), (3, VERIFICATION, IMPLICIT))
ECHO = p_datas(3, COMMAND, echo_rq())
ANSWER = pdu(
    ASSOCIATE_AC,
    b"\0\1" + bytes(66) + APPLICATION_CONTEXT + item(0x21, b"\1\0\0\0" + item(0x40, IMPLICIT.encode())),
)
#: Whatever a length field can promise and nobody should wait for.
ABSURD = (0xFFFFFFFF, 0xFFFFFFFE, 0x80000000, 0x7FFFFFFF)


def header(pdu_type, length):
    return struct.pack(">BxL", pdu_type, length)


def announced(length, data=b"", pdu_length=None):
    """A P-DATA-TF whose Presentation Data Value says of itself that it is `length` bytes long."""
    body = struct.pack(">LBB", length, 3, LAST_COMMAND) + data
    return header(P_DATA, len(body) if pdu_length is None else pdu_length) + body


# --- before there is an association --------------------------------------------------------

#: What is no A-ASSOCIATE-RQ, and what the log says of it.
NO_REQUEST = {
    "HTTP": (b"GET / HTTP/1.1\r\nHost: sdcc\r\n\r\n", "PDU type 47H is none of"),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "PDU type 50H is none of"),
    "TLS": (
        bytes.fromhex("1603010200010001fc0303") + random.Random(1).randbytes(506),
        "PDU type 16H is none of",
    ),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n", "PDU type 53H is none of"),
    "RDP": (bytes.fromhex("0300001300e000000000000100080003000000"), "of PDU type 03H: 4 to 4 is allowed"),
    "zeros": (bytes(100_000), "PDU type 00H is none of"),
    "random bytes": (b"\xe1" + random.Random(2).randbytes(100_000), "PDU type E1H is none of"),
    "type 08H": (pdu(0x08, bytes(4)), "PDU type 08H is none of"),
    "type FFH": (pdu(0xFF, bytes(4)), "PDU type FFH is none of"),
    **{
        f"PDU type {kind} of {length} bytes": (header(kind, length), f"PDU length {length} of P")
        for kind in range(ASSOCIATE_RQ, ABORT + 1)
        for length in ABSURD
        if kind != P_DATA or length > MAXIMUM_LENGTH
    },
    "an empty A-ASSOCIATE-RQ": (header(ASSOCIATE_RQ, 0), "PDU length 0 of PDU type 01H"),
    "an A-ASSOCIATE-RQ too short": (header(ASSOCIATE_RQ, 67), "PDU length 67 of PDU type 01H"),
    "an A-ASSOCIATE-RQ too long": (header(ASSOCIATE_RQ, 256 * 1024 + 1), "68 to 262144 is allowed"),
    "an A-ASSOCIATE-AC": (ANSWER, "a PDU out of place"),
    "an A-ASSOCIATE-RJ": (pdu(ASSOCIATE_RJ, b"\0\1\1\1"), "a PDU out of place"),
    "a P-DATA-TF": (ECHO, "a PDU out of place"),
    "an A-RELEASE-RQ": (pdu(RELEASE_RQ, bytes(4)), "a PDU out of place"),
    "an A-RELEASE-RP": (pdu(RELEASE_RP, bytes(4)), "a PDU out of place"),
    "a PDV of no length": (announced(0), "Presentation Data Value length 0 "),
}


@pytest.mark.parametrize(("sent", "cause"), NO_REQUEST.values(), ids=NO_REQUEST)
def test_what_is_no_request_is_aborted(server, connect, logged, sent, cause):
    """By AA-1 of PS3.8 9.2.3, whose source is the service-user; the log says what it was."""
    peer = connect(server.address)
    peer.send(sent)
    assert outcome(peer, 1) == ["abort 0/0"]
    until(lambda: "[sdcc.association#warn] 127.0.0.1:" in logged(), "the log says so")
    until(lambda: " aborted before an A-ASSOCIATE-RQ: " in logged(), "the log says so")
    until(lambda: cause in logged(), "the log says so")


@pytest.mark.parametrize("sent", [pdu(ABORT, bytes(4)), pdu(ABORT, b"\0\0\2\6"), pdu(ABORT, b"\xff" * 4)])
def test_an_abort_of_nothing_closes(server, connect, sent):
    peer = connect(server.address)
    peer.send(sent)
    assert outcome(peer, 1) == ["closed"]


def test_a_request_of_the_greatest_length_is_answered(server, connect):
    """One byte more is among what is no request, above."""
    room = 256 * 1024 - (len(request_of(APPLICATION_CONTEXT)) - 6)
    unknown = item(0x99, bytes(0x8000))
    filling = [unknown] * (room // len(unknown)) + [item(0x99, bytes(room % len(unknown) - 4))]
    request = request_of(APPLICATION_CONTEXT, *filling)
    assert len(request) == 6 + 256 * 1024
    peer = connect(server.address)
    peer.send(request)
    assert outcome(peer, 1) == ["accepted"]


# --- within an association -----------------------------------------------------------------


@pytest.fixture
def peer(server, connect):
    peer = connect(server.address)
    peer.associate(*CONTEXTS)
    return peer


HALF_COMMAND = p_data(value(1, COMMAND, store_rq(CT, "1.2.3.4")[:40]))
HALF_DATA_SET = p_datas(1, COMMAND, store_rq(CT, "1.2.3.4")) + p_data(value(1, DATA, bytes(40)))
STORE = p_datas(1, COMMAND, store_rq(CT, "1.2.3.4")) + p_datas(1, DATA, data_set(instance="1.2.3.4"))
RELEASE = pdu(RELEASE_RQ, bytes(4))
PDUS = {
    "A-ASSOCIATE-RQ": associate_rq(*CONTEXTS),
    "A-ASSOCIATE-AC": ANSWER,
    "A-ASSOCIATE-RJ": pdu(ASSOCIATE_RJ, b"\0\1\1\1"),
    "P-DATA-TF": ECHO,
    "A-RELEASE-RQ": RELEASE,
    "A-RELEASE-RP": pdu(RELEASE_RP, bytes(4)),
    "A-ABORT": pdu(ABORT, bytes(4)),
    "type 42H": pdu(0x42, bytes(4)),
}
OUT_OF_PLACE = ["abort 2/2"]
#: What a PDU that is out of place brings about wherever there is an association.
ELSEWHERE = {**{name: OUT_OF_PLACE for name in PDUS}, "A-ABORT": ["closed"], "type 42H": ["abort 2/1"]}
#: What an association has come to by what was sent before, and how it ends then, by what is sent next.
ENDS = {
    "established": (b"", {"P-DATA-TF": ["status 0000"], "A-RELEASE-RQ": ["released"]}),
    "in a Command Set": (HALF_COMMAND, {"P-DATA-TF": ["abort 0/0"], "A-RELEASE-RQ": ["released"]}),
    "in a Data Set": (HALF_DATA_SET, {"P-DATA-TF": ["abort 0/0"], "A-RELEASE-RQ": ["released"]}),
    "performing": (
        STORE,
        {"P-DATA-TF": ["status 0000", "status 0000"], "A-RELEASE-RQ": ["status 0000", "released"]},
    ),
    "to be released": (STORE + RELEASE, {}),
    "aborted by the peer": (PDUS["A-ABORT"], {name: ["closed"] for name in PDUS}),
}
#: Of an association that has ended, but not its connection: by what, and how that was answered.
ENDED = {"released": (RELEASE, "released"), "aborted": (PDUS["A-RELEASE-RP"], "abort 2/2")}


@pytest.mark.parametrize("name", PDUS)
@pytest.mark.parametrize("state", ENDS)
def test_every_pdu_in_every_state(peer, state, name):
    """As PS3.8 Table 9-10 has it. All comes in one piece, so that a C-STORE is still being performed."""
    before, ends = ENDS[state]
    end = {**ELSEWHERE, **ends}[name]
    peer.send(before, PDUS[name])
    assert outcome(peer, len(end)) == end


@pytest.mark.parametrize("name", PDUS)
@pytest.mark.parametrize("state", ENDED)
def test_every_pdu_after_the_end(peer, state, name):
    """In Sta13 all is ignored but what asks for an association, is none of the seven, or aborts."""
    last, answer = ENDED[state]
    peer.send(last)
    assert described(peer.receive()) == answer
    peer.send(PDUS[name])
    end = {"A-ASSOCIATE-RQ": OUT_OF_PLACE, "type 42H": ["abort 2/1"], "A-ABORT": ["closed"]}.get(name, [])
    assert outcome(peer, len(end)) == end


#: P-DATA-TF and values whose lengths cannot be, and what the log says of them.
LENGTHS = {
    "a PDV of 0": (announced(0), "Presentation Data Value length 0 "),
    "a PDV of 1": (announced(1, b"a"), "Presentation Data Value length 1 "),
    "a PDV past its PDU": (announced(9, b"abcdef"), "Presentation Data Value length 9 "),
    "a PDV that leaves a byte": (announced(4, b"abc"), "Presentation Data Value length 4 "),
    "a second PDV past its PDU": (
        header(P_DATA, 14) + struct.pack(">LBB", 3, 3, COMMAND) + b"a" + struct.pack(">LBB", 4, 3, COMMAND),
        "Presentation Data Value length 4 ",
    ),
    **{f"a PDV of {length}": (announced(length), f"length {length} does not fit") for length in ABSURD},
    **{
        f"a P-DATA-TF of {length}": (header(P_DATA, length), f"PDU length {length} of P-DATA-TF")
        for length in (*range(6), MAXIMUM_LENGTH + 1025, *ABSURD)
    },
}


@pytest.mark.parametrize(("sent", "cause"), LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("before", [b"", HALF_DATA_SET], ids=["at first", "in a Data Set"])
def test_lengths_that_cannot_be_are_aborted(peer, logged, before, sent, cause):
    peer.send(before, sent)
    assert outcome(peer, 1) == ["abort 2/6"]
    until(lambda: " aborted source 2, reason 6: " in logged(), "the log says so")
    until(lambda: cause in logged(), "the log says so")
