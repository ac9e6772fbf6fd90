"""Peers that are slow on purpose: each is gone in its time, and no other peer waits for it."""

from __future__ import annotations

import socket
import time

import pytest

from ..interop.objects import CT, data_set, new_uid
from ..interop.server import PATIENCE, until
from ..interop.wire import (
    ABORT,
    COMMAND,
    DATA,
    EXPLICIT,
    IMPLICIT,
    LAST_COMMAND,
    RELEASE_RP,
    RELEASE_RQ,
    STATUS,
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


def ends_of(slow, bystander, *, enough=lambda came: False):
    """What came for each of these peers, until the server closed its connection or until it was enough.

    Meanwhile a byte went out at a time, and nobody was heard out.

    :param slow: (the peer, what it sends) by name.
    """
    came = dict.fromkeys(slow, b"")
    left = {name: data for name, (_, data) in slow.items()}
    waiting = set(slow)
    deadline = time.monotonic() + 10 * TIMEOUT
    while waiting:
        assert time.monotonic() < deadline, f"still there: {waiting}"
        bystander.goes_on()
        time.sleep(BETWEEN_BYTES)
        for name in sorted(waiting):
            more = _exchanged(slow[name][0].socket, left[name][:1])
            left[name] = left[name][1:]
            came[name] += more or b""
            if more == b"" or enough(came[name]):
                waiting.remove(name)
    assert all(left[name] for name, (_, data) in slow.items() if data)
    return came


def _exchanged(caller, data):
    """Send; gives what has come; None: nothing yet, empty: the connection is closed."""
    caller.setblocking(False)
    try:
        caller.send(data)
        return caller.recv(4096)
    except BlockingIOError:
        return None
    except ConnectionError:
        return b""


# --- without an association ----------------------------------------------------------------

ABORTED, BY_USER = pdu(ABORT, b"\0\0\2\1"), pdu(ABORT, bytes(4))
RELEASED = pdu(RELEASE_RP, bytes(4))


#: What comes a byte at a time where an A-ASSOCIATE-RQ is awaited.
UNHEARD = {
    "nothing": b"",
    "a request": associate_rq(*CONTEXTS),
    "the longest request there is": b"\1\0\0\3\xff\xff" + bytes(1000),
    "data": ECHO,
}
#: What ends an association, and its answer.
ENDS = {"what is no PDU": (pdu(0x42, bytes(4)), ABORTED), "a release": (pdu(RELEASE_RQ, bytes(4)), RELEASED)}


@pytest.mark.usefixtures("unhurt")
def test_peers_that_have_no_association_are_closed_without_a_word(connect, bystander, logged):
    """By ARTIM, which no byte starts anew."""
    slow = {name: (connect(bystander.address), data) for name, data in UNHEARD.items()}
    assert ends_of(slow, bystander) == dict.fromkeys(UNHEARD, b"")
    until(lambda: logged().count(" left before its A-ASSOCIATE-RQ was whole") == 3, "not of who said nothing")


@pytest.mark.usefixtures("unhurt")
def test_peers_that_do_not_close_after_the_end_are_closed(connect, bystander):
    """By ARTIM, whatever they say then."""
    slow = {name: (connect(bystander.address), p_datas(3, COMMAND, bytes(1000))) for name in ENDS}
    for name, (last, _) in ENDS.items():
        slow[name][0].associate(*CONTEXTS)
        slow[name][0].send(last)
    assert ends_of(slow, bystander) == {name: answer for name, (_, answer) in ENDS.items()}


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
def test_associations_that_get_on_a_byte_at_a_time_are_aborted(connect, bystander, logged):
    slow = {name: (connect(bystander.address), slowly) for name, (_, slowly) in DRIPPED.items()}
    for name, (at_once, _) in DRIPPED.items():
        slow[name][0].associate(*CONTEXTS)
        slow[name][0].send(at_once)
    assert slow["what follows a message"][0].response()[STATUS] == 0
    assert ends_of(slow, bystander, enough=bool) == dict.fromkeys(DRIPPED, BY_USER)
    until(
        lambda: logged().count(f" aborted source 0: no progress for {TIMEOUT:g} s") == len(DRIPPED),
        "the log says so",
    )


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
    until(lambda: f" aborted source 0: no progress for {TIMEOUT:g} s" in logged(), "the log says so")
    assert sent > len(requests), "thousands of them"
    assert most - before < 8 * MIB


@pytest.mark.usefixtures("unhurt")
@pytest.mark.parametrize(
    "begun",
    [b"", STORE[:30], STORE, STORE + p_data(value(1, DATA, bytes(999)))],
    ids=["nothing", "half a Command Set", "a Command Set", "half a Data Set"],
)
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
        bystander.is_answered()
    bystander.check()


@pytest.mark.parametrize("way", [("close", 1), ("reset", 7)], ids=["close", "reset"])
def test_leaving_at_every_byte_of_an_object_leaves_nothing_of_it(server, bystander, logged, way):
    leave, step = way
    before = server.objects()
    for length in range(0, len(MESSAGE), step):
        with Peer(server.address) as peer:
            peer.associate(*CONTEXTS)
            peer.send(MESSAGE[:length])
            getattr(peer, leave)()
        bystander.is_answered()
    bystander.check()
    lost = len(range(0, len(MESSAGE), step))
    until(lambda: logged().count(" aborted by the loss of its connection") == lost, "the log says so")
    assert not any(path.name.startswith(f"{UID}-") for path in server.objects() - before)


def test_aborting_at_every_byte_of_an_object_leaves_nothing_of_it(server, bystander, logged):
    """With an A-ABORT, which takes the place of the PDU that would be next."""
    before = server.objects()
    for count in range(len(IN_SINGLE_BYTES) + 1):
        with Peer(server.address) as peer:
            peer.associate(*CONTEXTS)
            peer.send(*IN_SINGLE_BYTES[:count])
            peer.abort()
        bystander.is_answered()
    bystander.check()
    until(
        lambda: logged().count(" aborted by the peer, source 0, reason 0") == len(IN_SINGLE_BYTES) + 1,
        "the log says so",
    )
    assert not any(path.name.startswith(f"{UID}-") for path in server.objects() - before)
