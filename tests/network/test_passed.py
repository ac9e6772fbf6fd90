"""Sockets that were passed: which port each one is for, and which are for nobody."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys

import pytest
from twisted.internet.protocol import ServerFactory
from twisted.internet.testing import MemoryReactorClock

from sdcc.network.passed import CannotAdopt, listening, named_by


@pytest.fixture
def bound():
    """Makes sockets that live as long as the test; they listen unless told otherwise."""
    with contextlib.ExitStack() as sockets:

        def bound(address=("127.0.0.1", 0), *, kind=socket.SOCK_STREAM, family=socket.AF_INET, listens=True):
            made = sockets.enter_context(socket.socket(family, kind))
            made.bind(address)
            if listens:
                made.listen()
            return made

        yield bound


def passed(*sockets):
    return [each.fileno() for each in sockets]


def listen_on(given, *wanted, reactor=None):
    return listening(reactor or MemoryReactorClock(), given, wanted=wanted, backlog=50)


def test_a_port_is_taken_where_its_socket_was_passed_and_opened_where_none_was(bound):
    reactor, factory, one = MemoryReactorClock(), ServerFactory(), bound()
    taken, free = one.getsockname(), ("127.0.0.1", 104)
    listen = listen_on(passed(one), taken, free, reactor=reactor)
    listen(*taken, factory)
    listen(*free, factory)
    assert reactor.adoptedPorts == [(one.fileno(), socket.AF_INET, factory)]
    assert reactor.tcpServers == [(104, factory, 50, "127.0.0.1")]


def test_a_socket_that_waits_is_made_one_that_does_not(bound):
    """accept() on the one that systemd makes would hold the reactor."""
    one = bound()
    assert os.get_blocking(one.fileno())
    listen_on(passed(one), one.getsockname())(*one.getsockname(), ServerFactory())
    assert not os.get_blocking(one.fileno())


def test_ipv6_is_the_same_address_however_it_is_written(bound):
    try:
        one = bound(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("there is no IPv6 here")
    reactor, port = MemoryReactorClock(), one.getsockname()[1]
    listen = listen_on(passed(one), ("0:0:0:0:0:0:0:1", port), reactor=reactor)
    listen("0:0:0:0:0:0:0:1", port, ServerFactory())
    [(descriptor, family, _)] = reactor.adoptedPorts
    assert (descriptor, family) == (one.fileno(), socket.AF_INET6)


def test_with_no_socket_passed_every_port_is_opened():
    reactor = MemoryReactorClock()
    listen_on([], ("127.0.0.1", 0), reactor=reactor)("127.0.0.1", 0, ServerFactory())
    assert [port for port, *_ in reactor.tcpServers] == [0]


def test_a_socket_that_nothing_is_configured_for_is_named(bound):
    one = bound()
    place = "{}:{}".format(*one.getsockname())
    expected = rf"descriptor {one.fileno()}, .* listens on {place}, .* no \[\[local\]\]"
    with pytest.raises(CannotAdopt, match=expected):
        listen_on(passed(one), ("0.0.0.0", one.getsockname()[1]), ("127.0.0.1", 104))


def test_two_sockets_of_one_port_are_one_too_many(bound):
    one = bound()
    again = os.dup(one.fileno())
    try:
        with pytest.raises(CannotAdopt, match=rf"descriptor {again},.* as another one does"):
            listen_on([one.fileno(), again], one.getsockname())
    finally:
        os.close(again)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"kind": socket.SOCK_DGRAM, "listens": False}, "it is no TCP socket"),
        ({"address": "\0sdcc-tests-passed", "family": socket.AF_UNIX}, "it is no TCP socket"),
        ({"listens": False}, "it does not listen"),
    ],
)
def test_what_does_not_listen_on_tcp_is_told_apart(bound, made, words):
    one = bound(**made)
    with pytest.raises(CannotAdopt, match=words):
        listen_on(passed(one), ("127.0.0.1", 104))


def test_a_descriptor_that_is_not_open_is_named():
    with pytest.raises(CannotAdopt, match=r"descriptor 99999,.* Bad file descriptor"):
        listen_on([99999])


def test_a_process_knows_what_it_was_passed_however_late_it_asks(bound):
    """By index and by name; Twisted's endpoints read the environment as they are imported, and empty it."""
    program = """
import os
os.environ["LISTEN_PID"] = str(os.getpid())
import twisted.internet.endpoints
from sdcc.network.passed import descriptors, named_by
assert "LISTEN_FDS" not in os.environ
print(descriptors(), [named_by(f"systemd:domain=INET:{name}") for name in ("index=1", "name=http", "name=x")])
"""
    passing = os.environ | {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "dicom:http"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=passing, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("[3, 4] [4, 4, None]\n", "")


@pytest.mark.parametrize(
    "endpoint", ["tcp:11180", "systemd:domain=INET", "systemd:index=0", "systemd:domain=INET:index=x"]
)
def test_an_endpoint_that_names_no_socket_names_none(endpoint):
    assert named_by(endpoint) is None
