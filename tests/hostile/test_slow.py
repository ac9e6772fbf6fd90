"""Peers that are slow on purpose: each is gone in its time, and no other peer waits for it."""

from __future__ import annotations

import socket
import time

import pytest

from ..interop.objects import CT, data_set, new_uid
from ..interop.server import PATIENCE
from ..interop.wire import (
    ABORT,
    COMMAND,
    DATA,
    EXPLICIT,
    IMPLICIT,
    LAST_COMMAND,
    RELEASE_RP,
    RELEASE_RQ,
    VERIFICATION,
    Peer,
    associate_rq,
    echo_rq,
    p_data,
    p_datas,
    pdu,
    store_rq,
    value,
)
from .bystander import Bystander

#: Seconds: of ARTIM and of the idle timer, and between two bytes of a slow peer, who is to send a few.
TIMEOUT = 1.0
BETWEEN_BYTES = 0.1
CONTEXTS = ((1, CT, EXPLICIT), (3, VERIFICATION, IMPLICIT))
ECHO = p_datas(3, COMMAND, echo_rq())
MIB = 1 << 20


@pytest.fixture(scope="module")
def configuration():
    return f"""
[[local]]
port = 0
max_associations = 100
[association]
artim_timeout = {TIMEOUT}
idle_timeout = {TIMEOUT}
[storage]
minimum_free = 0
"""


@pytest.fixture
def bystander(server):
    """As idle as others it would be aborted too, so each test has its own."""
    with Peer(server.address) as peer:
        bystander = Bystander(server, peer)
        yield bystander
        bystander.leave()


def end_of(peer, bystander, slowly=b"", *, enough=lambda came: False):
    """What came until the server closed the connection, or until it was enough, while `slowly` went out a
    byte at a time, of which not all was taken."""
    peer.socket.settimeout(BETWEEN_BYTES)
    came = b""
    position = 0
    deadline = time.monotonic() + 10 * TIMEOUT
    while not enough(came):
        assert time.monotonic() < deadline, "it is still there"
        bystander.goes_on()
        try:
            position += peer.socket.send(slowly[position : position + 1])
            more = peer.socket.recv(4096)
        except TimeoutError:
            continue
        except ConnectionError:
            break
        if not more:
            break
        came += more
    assert position <= 0.9 * len(slowly)
    return came


# --- without an association ----------------------------------------------------------------

ABORTED, BY_USER = pdu(ABORT, b"\0\0\2\1"), pdu(ABORT, bytes(4))
RELEASED = pdu(RELEASE_RP, bytes(4))


@pytest.mark.usefixtures("unhurt")
def test_a_peer_that_says_nothing_is_closed_without_a_word(connect, bystander, logged):
    assert end_of(connect(bystander.address), bystander) == b""
    assert "127.0.0.1:" not in logged(), "load balancers look in all day"


@pytest.mark.usefixtures("unhurt")
@pytest.mark.parametrize(
    "data",
    [associate_rq(*CONTEXTS), b"\1\0\0\3\xff\xff" + bytes(1000), ECHO],
    ids=["a request", "the longest request there is", "data"],
)
def test_what_comes_a_byte_at_a_time_is_closed(connect, bystander, data):
    """By ARTIM, which no byte starts anew."""
    assert end_of(connect(bystander.address), bystander, data) == b""


@pytest.mark.usefixtures("unhurt")
@pytest.mark.parametrize(
    ("last", "answer"), [(pdu(0x42, bytes(4)), ABORTED), (pdu(RELEASE_RQ, bytes(4)), RELEASED)]
)
def test_a_peer_that_does_not_close_after_the_end_is_closed(connect, bystander, last, answer):
    """Whatever it says then."""
    peer = connect(bystander.address)
    peer.associate(*CONTEXTS)
    peer.send(last)
    assert end_of(peer, bystander, p_datas(3, COMMAND, bytes(1000))) == answer


# --- within an association -----------------------------------------------------------------

STORE = p_datas(1, COMMAND, store_rq(CT, "1.2.3.4"))
#: What is sent at once, and what follows a byte at a time.
DRIPPED = {
    "nothing": (b"", b""),
    "a PDU's header": (b"", p_datas(3, COMMAND, bytes(40_000))),
    "an A-ASSOCIATE-RQ": (b"", b"\1\0\0\3\xff\xff" + bytes(1000)),
    "a Command Set": (STORE[:20], STORE[20:-1]),
    "a Data Set": (STORE, p_data(value(1, DATA, bytes(1000)))),
    "fragments of a byte": (STORE, p_data(value(1, DATA, b"\0")) * 50),
    "what follows a message": (ECHO, p_datas(3, COMMAND, bytes(1000))),
}


@pytest.mark.usefixtures("unhurt")
@pytest.mark.parametrize(("at_once", "slowly"), DRIPPED.values(), ids=DRIPPED)
def test_an_association_that_gets_on_a_byte_at_a_time_is_aborted(connect, bystander, logged, at_once, slowly):
    peer = connect(bystander.address)
    peer.associate(*CONTEXTS)
    peer.send(at_once)
    if at_once == ECHO:
        peer.response()
    assert end_of(peer, bystander, slowly, enough=bool) == BY_USER
    assert f" aborted source 0: no progress for {TIMEOUT:g} s" in logged()


@pytest.mark.usefixtures("unhurt")
def test_a_peer_that_does_not_read_our_answers_is_read_no_more_and_aborted(
    server, connect, bystander, logged
):
    """Neither its requests nor the answers gather in memory."""
    peer = connect(server.address)
    peer.associate(*CONTEXTS)
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    before = server.rss()
    requests = ECHO * 1000
    peer.socket.settimeout(BETWEEN_BYTES)
    most = sent = 0
    deadline = time.monotonic() + PATIENCE
    while "no progress" not in logged() and time.monotonic() < deadline:
        bystander.goes_on()
        most = max(most, server.rss())
        try:
            sent += peer.socket.send(requests)
        except TimeoutError:
            continue
        except ConnectionError:
            break
    assert f" aborted source 0: no progress for {TIMEOUT:g} s" in logged()
    assert sent > len(requests), "thousands of them"
    assert most - before < 8 * MIB


@pytest.mark.usefixtures("unhurt")
@pytest.mark.parametrize("begun", [b"", STORE[:30], STORE, STORE + p_data(value(1, DATA, bytes(999)))])
def test_a_half_closed_association_ends_at_once(server, connect, begun):
    """Long before the idle timer: nothing more can come."""
    peer = connect(server.address)
    peer.associate(*CONTEXTS)
    peer.send(begun)
    peer.half_close()
    assert peer.receive() is None


# --- leaving at every byte -----------------------------------------------------------------

UID = new_uid()
DATA_SET = data_set(instance=UID, pixels=b"\1\2\3\4")
MESSAGE = p_datas(1, COMMAND, store_rq(CT, UID)) + p_datas(1, DATA, DATA_SET)
#: The same with a Presentation Data Value for each byte, so that a PDU can come after any of them.
IN_SINGLE_BYTES = [
    *(p_data(value(1, COMMAND, byte)) for byte in [bytes((b,)) for b in store_rq(CT, UID)]),
    p_data(value(1, LAST_COMMAND, b"")),
    *(p_data(value(1, DATA, byte)) for byte in [bytes((b,)) for b in DATA_SET]),
]


def test_leaving_at_every_byte_of_a_request_leaves_nothing(server, bystander):
    request = associate_rq(*CONTEXTS)
    for length in range(len(request)):
        with Peer(server.address) as peer:
            peer.send(request[:length])
            if length % 7 == 0:
                peer.reset()
        bystander.goes_on()
    bystander.check()


@pytest.mark.parametrize(("leave", "step"), [("close", 1), ("reset", 7)])
def test_leaving_at_every_byte_of_an_object_leaves_nothing_of_it(server, bystander, leave, step):
    before = server.objects()
    for length in range(0, len(MESSAGE), step):
        with Peer(server.address) as peer:
            peer.associate(*CONTEXTS)
            peer.send(MESSAGE[:length])
            getattr(peer, leave)()
        bystander.goes_on()
    bystander.check()
    assert not any(path.name.startswith(f"{UID}-") for path in server.objects() - before)


def test_aborting_at_every_byte_of_an_object_leaves_nothing_of_it(server, bystander, logged):
    """With an A-ABORT, which takes the place of the PDU that would be next."""
    before = server.objects()
    for count in range(len(IN_SINGLE_BYTES) + 1):
        with Peer(server.address) as peer:
            peer.associate(*CONTEXTS)
            peer.send(*IN_SINGLE_BYTES[:count])
            peer.abort()
        bystander.goes_on()
    bystander.check()
    assert logged().count(" aborted by the peer, source 0, reason 0") == len(IN_SINGLE_BYTES) + 1
    assert not any(path.name.startswith(f"{UID}-") for path in server.objects() - before)
