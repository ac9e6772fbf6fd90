"""Peers in numbers: connections that say nothing, and associations asked for at full speed."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from itertools import cycle, islice
from pathlib import Path

import pytest

from ..interop.objects import CT
from ..interop.server import until
from ..interop.wire import ABORT, EXPLICIT, IMPLICIT, VERIFICATION, Peer, associate_rq, item, pdu
from .crowd import ABORTED, Visit, descriptor_limit, descriptors, flood, is_gone, silent
from .streams import described, request_of

MIB = 1 << 20
CONTEXTS = ((1, CT, EXPLICIT), (3, VERIFICATION, IMPLICIT))
#: Seconds of ARTIM: within them the crowd must have come.
ARTIM = 5

CONFIGURATION = f"""
[[local]]
port = 0
max_associations = 6
[[local]]
ae_title = "SMALL"
port = 0
max_associations = 2
[[local]]
ae_title = "LARGE"
port = 0
max_associations = 100
[[remote]]
ae_title = "LIMITED"
address = "127.0.0.1"
max_associations = 1
[access]
check_address = false
[association]
maximum_open = 9
artim_timeout = {ARTIM}
[storage]
minimum_free = 0
"""


@pytest.fixture(scope="module")
def configuration():
    return CONFIGURATION


def request(called="SDCC", calling="FLOOD"):
    return associate_rq(*CONTEXTS, called=called, calling=calling)


# --- silence -------------------------------------------------------------------------------


@pytest.mark.usefixtures("unhurt")
def test_a_thousand_silent_connections_cost_little_and_delay_nobody(server, bystander):
    crowd = 1000
    with descriptor_limit(4 * crowd):
        memory, files = server.rss(), descriptors(server)
        with silent(server.address, crowd) as callers:
            until(lambda: descriptors(server) >= files + crowd, "all are accepted")
            bystander.goes_on()
            assert server.rss() - memory < 40 * MIB
            assert descriptors(server) >= files + crowd, "and all were there meanwhile"
            assert all(map(is_gone, callers)), "after ARTIM"
        until(lambda: descriptors(server) <= files, "their descriptors are free again")


@pytest.mark.usefixtures("unhurt")
def test_too_many_silent_connections_are_closed_at_once(server, bystander, logged):
    """Two thousand, or half of what may be open, are borne; whoever has an association does not notice."""
    files = descriptors(server)
    most = min(2000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 2)
    ours = len(os.listdir("/proc/self/fd"))  # tests before this one may have left some open
    with descriptor_limit(ours + most + 100), silent(server.address, most + 50) as callers:
        assert is_gone(callers[-1])
        until(
            lambda: (
                logged().count(f"new connections are closed: {most} are open without an association") == 1
            ),
            "the log says so",
        )
        bystander.goes_on()
    until(lambda: descriptors(server) <= files, "they have left")
    with Peer(server.address) as peer:
        assert described(peer.associate(*CONTEXTS)) == "accepted"
        peer.release()


@pytest.mark.usefixtures("unhurt")
def test_requests_that_never_end_do_not_gather_in_memory(server, bystander, logged):
    """A request may be long, but many long ones are not waited for. One of ordinary length always is."""
    crowd = 400
    half = request_of(*[item(0x99, bytes(0xFFFF))] * 3, item(0x99, bytes(0xFF00)))[:-1]
    memory = server.rss()
    with silent(server.address, crowd) as callers:
        for caller in callers:
            with contextlib.suppress(ConnectionError):
                caller.sendall(half)
        with Peer(server.address) as peer:
            assert described(peer.associate(*CONTEXTS)) == "accepted"
            bystander.goes_on()
            peer.release()
        assert server.rss() - memory < 70 * MIB, "of the 100 that were sent"
        until(lambda: "requests that are not whole take more than 32 MiB" in logged(), "the log says so")


@pytest.mark.usefixtures("unhurt")
def test_a_burst_of_connections_waits_while_the_server_is_busy(server):
    """None is overheard, which would cost its peer a second or more. What keeps it busy here is a SIGSTOP."""
    burst = min(500, int(Path("/proc/sys/net/core/somaxconn").read_text()) - 1)
    with descriptor_limit(burst + 500):
        server.process.send_signal(signal.SIGSTOP)
        try:
            with silent(server.address, burst) as callers:
                server.process.send_signal(signal.SIGCONT)
                for caller in callers:
                    caller.sendall(b"GET / HTTP/1.1\r\n\r\n")
                assert {caller.recv(10) for caller in callers} == {pdu(ABORT, bytes(4))}
        finally:
            server.process.send_signal(signal.SIGCONT)


# --- floods --------------------------------------------------------------------------------


def meanwhile(act, visits):
    """The visits, with something else done among them, while others of them are under way."""
    for number, visit in enumerate(visits):
        if number % 100 == 50:
            act()
        yield visit


#: The titles, how many may come, the rule that refuses the others, and the address of one who floods.
LIMITS = {
    "a local AE": ({"called": "SMALL"}, 2, "max_associations = 2 of [[local]] 'SMALL' reached", "127.0.0.3"),
    "a remote AE": (
        {"calling": "LIMITED"},
        1,
        "max_associations = 1 of [[remote]] 'LIMITED' reached",
        "127.0.0.4",
    ),
    "the default AE": ({}, 5, "max_associations = 6 of [[local]] 'SDCC' reached", "127.0.0.5"),
    "all AEs": ({"called": "LARGE"}, 8, "[association] maximum_open = 9 reached", "127.0.0.6"),
}


@pytest.mark.usefixtures("unhurt")
@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
def test_beyond_a_limit_all_are_refused_at_once_and_the_admitted_go_on(server, bystander, logged, limit):
    titles, room, rule, source = limit
    address = server.addresses[titles.get("called", "SDCC")]
    with contextlib.ExitStack() as peers:
        admitted = [peers.enter_context(Peer(address)) for _ in range(room)]
        for peer in admitted:
            assert described(peer.associate(*CONTEXTS, **titles)) == "accepted"
        visits = meanwhile(lambda: admitted[0].echo(3), [Visit(request(**titles))] * 500)
        assert flood(address, visits, source=source) == {"rejected 2/3/2": 500}
        until(lambda: logged().count(rule) >= 200, "the log has the first refusals")
        assert logged().count(rule) <= 400, "a line for each would fill the disk"
        bystander.goes_on()
        for peer in admitted:
            assert peer.echo(3) == 0
            peer.release()


#: Ten thousand associations are made of these.
VISITS = (
    Visit(request(), ABORTED),
    Visit(request("SMALL")),
    Visit(request("NOBODY")),
    Visit(request("NOBODY"), reset=False),
    Visit(request()),
    Visit(b"GET / HTTP/1.1\r\n\r\n"),
    Visit(request(calling="LIMITED"), ABORTED),
    Visit(request("SMALL"), ABORTED, reset=False),
)


@pytest.mark.usefixtures("unhurt")
def test_ten_thousand_associations_leave_no_trace_in_memory(server, bystander):
    """Opened, refused, aborted, reset, and what was none."""
    visits = (
        visit._replace(sent=visit.sent.replace(b"FLOOD".ljust(16), f"FLOOD{number}".ljust(16).encode()))
        for number, visit in enumerate(cycle(VISITS))
    )
    flood(server.address, islice(visits, 2000))
    bystander.check()
    memory, files = server.rss(), descriptors(server)
    answers = flood(server.address, meanwhile(bystander.goes_on, islice(visits, 10_000)))
    bystander.check()
    assert answers.keys() == {"accepted", "rejected 1/1/7", "rejected 2/3/2", "abort 0/0"}
    assert sum(answers.values()) == 10_000
    until(lambda: descriptors(server) <= files, "the descriptors are free again")
    assert server.rss() - memory < 3 * MIB
