"""Associations refused: by which code, and by whose limit."""

from __future__ import annotations

import contextlib
import socket

import pytest

from .server import until
from .wire import ASSOCIATE_AC, ASSOCIATE_RJ, IMPLICIT, VERIFICATION, Peer

CONTEXT = (1, VERIFICATION, IMPLICIT)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def configuration():
    """Two AEs on one port and a third on another; who calls must be known, and call from where it is."""
    port = free_port()
    return f"""
[[local]]
ae_title = "FIRST"
port = {port}
max_associations = 3
[[local]]
ae_title = "SECOND"
port = {port}
[[local]]
ae_title = "OTHER"
port = 0
max_associations = 9
[[remote]]
ae_title = "HERE"
address = "127.0.0.1"
[[remote]]
ae_title = "HERE TOO"
address = "localhost"
[[remote]]
ae_title = "LIMITED"
address = "127.0.0.1"
max_associations = 1
[[remote]]
ae_title = "ELSEWHERE"
address = "192.0.2.1"
[access]
unknown_callers = "reject"
[association]
maximum_open = 4
[storage]
minimum_free = 0
"""


@pytest.fixture
def call(server):
    """Requests an association for Verification; gives the peer and what it was answered."""
    with contextlib.ExitStack() as peers:

        def call(called="OTHER", calling="HERE", **fields):
            peer = peers.enter_context(Peer(server.addresses.get(called, server.addresses["FIRST"])))
            return peer, peer.associate(CONTEXT, called=called, calling=calling, **fields)

        yield call
    until(lambda: all_have_ended(server.log()), "the next test is to find no association open")


def all_have_ended(log):
    return log.count(" opened ") == log.count(" released, ") + log.count(" aborted ")


def accepted(called):
    peer, answer = called
    assert answer.type == ASSOCIATE_AC, answer
    assert peer.echo() == 0
    return peer


def refused(called, codes):
    """The peer is left to close the connection (PS3.8 9.2.3, AE-8)."""
    _, answer = called
    assert answer.type == ASSOCIATE_RJ, answer
    assert answer.codes == codes


@pytest.mark.parametrize("called", ["FIRST", "SECOND", "OTHER"])
@pytest.mark.parametrize("calling", ["HERE", "HERE TOO", " HERE"])
def test_each_local_ae_answers_who_is_known(call, called, calling):
    accepted(call(called, calling)).release()


@pytest.mark.parametrize(
    ("fields", "codes", "rule"),
    [
        pytest.param({"called": "NOBODY"}, "1/1/7", "called AE title 'NOBODY'", id="called-title"),
        pytest.param(
            {"called": "first"}, "1/1/7", "called AE title 'first'", id="called-title-in-lower-case"
        ),
        pytest.param({"called": ""}, "1/1/7", "called AE title ''", id="no-called-title"),
        pytest.param({"calling": "STRANGER"}, "1/1/3", "unknown_callers = 'reject'", id="calling-title"),
        pytest.param({"calling": "ELSEWHERE"}, "1/1/3", "192.0.2.1", id="calling-address"),
        pytest.param(
            {"application_context": "1.2.840.10008.3.1.1.2"},
            "1/1/2",
            "application context",
            id="application-context",
        ),
        pytest.param({"protocol_version": 2}, "1/2/2", "protocol version", id="protocol-version"),
    ],
)
def test_who_may_not_talk_is_told_by_code(server, call, fields, codes, rule):
    before = len(server.log())
    refused(call(**fields), codes)
    until(lambda: f"refused {codes}: " in server.log()[before:], "the log has the codes")
    assert rule in server.log()[before:]


def test_a_protocol_version_is_its_bit_0(call):
    """Other bits are for versions to come (PS3.8 9.3.2)."""
    accepted(call(protocol_version=3)).release()


def test_an_ae_of_another_port_is_not_recognized(server, connect):
    peer = connect(server.addresses["OTHER"])
    assert peer.associate(CONTEXT, called="FIRST", calling="HERE").codes == "1/1/7"


def test_the_limit_of_a_local_ae(call):
    """One association of SECOND, which is the default; FIRST, on the same port, has its own limit."""
    held = accepted(call("SECOND"))
    refused(call("SECOND"), "2/3/2")
    accepted(call("FIRST")).release()
    held.release()
    accepted(call("SECOND")).release()


def test_the_limit_of_a_remote_ae(call):
    held = accepted(call("OTHER", "LIMITED"))
    refused(call("FIRST", "LIMITED"), "2/3/2")
    accepted(call("FIRST", "HERE")).release()
    held.release()
    accepted(call("FIRST", "LIMITED")).release()


def test_the_limit_of_all(server, call):
    held = [accepted(call("OTHER")) for _ in range(4)]
    refused(call("OTHER"), "2/3/2")
    refused(call("FIRST", "HERE TOO"), "2/3/2")
    held.pop().release()
    accepted(call("FIRST")).release()
    for peer in held:
        peer.release()


@pytest.mark.parametrize("leave", ["abort", "close", "half_close", "reset"])
def test_a_slot_is_free_again_however_the_peer_leaves(call, leave):
    getattr(accepted(call("SECOND")), leave)()
    until(lambda: call("SECOND")[1].type == ASSOCIATE_AC)
