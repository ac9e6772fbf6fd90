"""How outputs of an association reach a socket."""

from __future__ import annotations

import pytest
from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IWriteDescriptor
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from zope.interface import implementer

from sdcc.network.connection import Connection
from sdcc.upper_layer.association import Association
from sdcc.upper_layer.machine import Role


@implementer(IWriteDescriptor)
class Socket(StringTransport):
    """A transport that the reactor would have write, and what was asked of it."""

    bufferSize = 123

    def __init__(self):
        super().__init__()
        self.asked = []

    def setTcpNoDelay(self, enabled):
        pass

    def setTcpKeepAlive(self, enabled):
        pass

    def write(self, data):
        self.asked.append((data, self.bufferSize))

    def doWrite(self):
        self.asked.append("now")


@pytest.fixture
def connection():
    return Connection(Association(Role.ACCEPTOR, maximum_length=16384), Clock(), artim_timeout=30)


def test_what_is_to_be_sent_is_sent_before_anything_else_is_done(connection):
    socket = Socket()
    connection.makeConnection(socket)
    connection.indicate = socket.asked.append
    connection.perform([b"first", "an indication", b"second"])
    assert [entry[0] if isinstance(entry, tuple) else entry for entry in socket.asked] == [
        *(b"first", "now"),
        "an indication",
        *(b"second", "now"),
    ]


def test_the_size_of_a_read_is_not_the_limit_of_what_stays_unread(connection):
    socket = Socket()
    connection.makeConnection(socket)
    connection.perform([b"answer"])
    assert socket.asked == [(b"answer", 64 * 1024), "now"]
    assert socket.bufferSize == 123


def test_what_comes_after_the_close_was_asked_for_is_left_to_the_reactor(connection):
    """Whoever writes the last of it has to close, and only the reactor can."""
    socket = Socket()
    connection.makeConnection(socket)
    socket.loseConnection()
    connection.perform([b"late"])
    assert socket.asked == [(b"late", 64 * 1024)]


def test_a_pdu_of_128_kib_goes_out_in_one_call_with_its_header(connection):
    """Twisted's own limit would leave the last six bytes to another turn of the reactor."""
    socket = Socket()
    connection.makeConnection(socket)
    assert FileDescriptor.SEND_LIMIT < 6 + 128 * 1024 <= socket.SEND_LIMIT
