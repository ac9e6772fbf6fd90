"""How outputs of an association reach a socket."""

from __future__ import annotations

import os
import sys

import pytest
from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IWriteDescriptor
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactor, StringTransport
from zope.interface import implementer

from sdcc.network.connection import UNREAD_LIMIT, Connection
from sdcc.network.security import ISecured
from sdcc.upper_layer.association import Association
from sdcc.upper_layer.machine import Effect, Role


class Connected:
    """What TCP alone has."""

    def setTcpNoDelay(self, enabled):
        pass

    def setTcpKeepAlive(self, enabled):
        pass


class Paused:
    """A producer, and whether it is."""

    is_paused = False

    def pauseProducing(self):
        self.is_paused = True

    def resumeProducing(self):
        self.is_paused = False


@implementer(IWriteDescriptor)
class Socket(Connected, StringTransport):
    """A transport that the reactor would have write, and what was asked of it and of its socket."""

    bufferSize = 123
    #: What waits in its buffer.
    dataBuffer = b""
    offset = 0

    def __init__(self, takes=0):
        """:param takes: how many bytes the socket takes now, or the failure."""
        super().__init__()
        self.takes = takes
        self.asked = []
        self.socket = self

    def sendmsg(self, pieces):
        assert len(pieces) <= os.sysconf("SC_IOV_MAX")
        self.asked.append(("some", *map(bytes, pieces)))
        if isinstance(self.takes, Exception):
            raise self.takes
        return min(self.takes, sum(map(len, pieces)))

    def write(self, data):
        self.asked.append((data, self.bufferSize))

    def doWrite(self):
        self.asked.append("now")


@pytest.fixture
def connection():
    return Connection(Association(Role.ACCEPTOR, maximum_length=16384), Clock(), artim_timeout=30)


def test_what_is_to_be_sent_is_sent_before_anything_else_is_done(connection):
    socket = Socket(takes=100)
    connection.makeConnection(socket)
    connection.indicate = socket.asked.append
    connection.perform([b"first", "an indication", b"second"])
    assert socket.asked == [("some", b"first"), "an indication", ("some", b"second")]


def test_what_the_socket_does_not_take_waits_and_its_limit_is_not_the_size_of_a_read(connection):
    socket = Socket(takes=2)
    connection.makeConnection(socket)
    connection.perform([b"answer"])
    assert socket.asked == [("some", b"answer"), (b"swer", 64 * 1024), "now"]
    assert socket.bufferSize == 123


def test_pieces_go_out_in_one_call(connection):
    """None of them copied: a Data Set leaves from where it was read to."""
    socket = Socket(takes=100)
    connection.makeConnection(socket)
    connection.perform([[b"header", memoryview(b"of the Data Set"), bytearray(b"the last")]])
    assert socket.asked == [("some", b"header", b"of the Data Set", b"the last")]


@pytest.mark.parametrize("takes", [0, 3, 6, 8, 20])
def test_what_the_socket_does_not_take_of_pieces_waits_in_one(connection, takes):
    socket = Socket(takes=takes)
    connection.makeConnection(socket)
    connection.perform([[b"header", memoryview(b"of the Data Set")]])
    assert socket.asked[1:] == [(b"headerof the Data Set"[takes:], 64 * 1024), "now"]


def test_more_pieces_than_a_call_can_have_are_made_one(connection):
    """A peer may take two bytes a PDU."""
    socket = Socket(takes=100_000)
    connection.makeConnection(socket)
    connection.perform([[b"piece"] * 5000])
    assert socket.asked == [("some", b"piece" * 5000)]


@implementer(ISecured)
class TLS(Socket):
    """Over a socket of its own."""

    def __init__(self):
        super().__init__(takes=100)
        self.tcp = Socket(takes=100)

    def why(self, reason):
        return "the peer speaks no TLS"


def test_nothing_goes_past_tls(connection):
    """Also where the transport passes off the interfaces of the socket under it as its own."""
    tls = TLS()
    connection.makeConnection(tls)
    connection.perform([b"answer"])
    assert connection.is_secure
    assert tls.asked == [(b"answer", 64 * 1024)], "given to TLS, which encrypts it"
    assert tls.tcp.asked == ["now"]


def test_a_socket_that_is_to_be_closed_under_tls_is_left_to_the_reactor(connection):
    """TLS closes it by itself where the peer has ended the stream."""
    tls = TLS()
    connection.makeConnection(tls)
    tls.tcp.disconnecting = True
    connection.perform([b"late"])
    assert tls.tcp.asked == []


def test_what_waits_goes_first(connection):
    socket = Socket(takes=100)
    socket.dataBuffer, socket.offset = b"gone, and not gone", len(b"gone")
    connection.makeConnection(socket)
    connection.perform([b"answer"])
    assert socket.asked == [(b"answer", 64 * 1024), "now"]


@pytest.mark.parametrize("failure", [BrokenPipeError(), BlockingIOError()])
def test_a_failure_is_left_to_the_reactor_with_all_that_was_to_be_sent(connection, failure):
    socket = Socket(takes=failure)
    connection.makeConnection(socket)
    connection.perform([b"answer"])
    assert socket.asked == [("some", b"answer"), (b"answer", 64 * 1024), "now"]


def test_over_a_connection_that_is_gone_nothing_is_sent_directly(connection):
    socket = Socket(takes=100)
    connection.makeConnection(socket)
    socket.connected = False
    connection.perform([b"answer"])
    assert socket.asked == [(b"answer", 64 * 1024), "now"]


def test_what_comes_after_the_close_was_asked_for_is_left_to_the_reactor(connection):
    """Whoever writes the last of it has to close, and only the reactor can."""
    socket = Socket()
    connection.makeConnection(socket)
    socket.loseConnection()
    connection.perform([b"late"])
    assert socket.asked == [(b"late", 64 * 1024)]


class Full(Connected, FileDescriptor):
    """Twisted's own, whose socket takes nothing until it is told to."""

    takes = 0

    def writeSomeData(self, data):
        return min(self.takes, len(data))

    def sendmsg(self, pieces):
        raise BlockingIOError

    def abortConnection(self):
        raise AssertionError("it is closed before")


def test_who_closes_has_no_producer_that_would_be_asked_for_more(connection):
    """Twisted asks a producer that is paused before it closes, and never again if that gives nothing."""
    full = Full(MemoryReactor())
    full.socket = full
    full.connected = True
    full.registerProducer(producer := Paused(), True)
    connection.makeConnection(full)
    connection.perform([bytes(UNREAD_LIMIT + 1)])
    assert producer.is_paused
    connection.perform([Effect.CLOSE_TRANSPORT])
    assert full.doWrite() is None
    full.takes = sys.maxsize
    assert full.doWrite() is CONNECTION_DONE


def test_a_pdu_of_128_kib_goes_out_in_one_call_with_its_header(connection):
    """Twisted's own limit would leave the last six bytes to another turn of the reactor."""
    socket = Socket()
    connection.makeConnection(socket)
    assert FileDescriptor.SEND_LIMIT < 6 + 128 * 1024 <= socket.SEND_LIMIT
