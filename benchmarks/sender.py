"""A requestor that costs as little as it can, since it has the receiver's processors to share.

What it sends is encoded beforehand; one thread without blocking calls has all associations. Each association
is synchronous: when a request is answered, it takes the next of those that all associations share.
An answer's time is from just before the request's first byte is given to the kernel until the response has
been read. Statuses are looked at when all is over.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from dataclasses import dataclass

from tests.interop.wire import (
    ASSOCIATE_AC,
    LAST_COMMAND,
    MAXIMUM_LENGTH,
    P_DATA,
    STATUS,
    Peer,
    elements,
    items,
)

#: Seconds without anything from the receiver, or room for anything more.
PATIENCE = 60


class Failed(Exception):
    """The receiver has not done what it was asked to."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of many requests."""

    #: From the first byte to the last answer.
    seconds: float
    #: That each answer took.
    answer_seconds: list[float]
    #: Of the answers.
    statuses: list[int]


class Association:
    """One that is open, and has at most one request to be answered."""

    def __init__(self, address, called, *contexts):
        self.peer = Peer(address, PATIENCE)
        try:
            self._open(called, contexts)
        except BaseException:
            self.peer.close()
            raise
        self.socket = self.peer.socket
        self.begun = 0.0
        self._to_send = []
        self._received = b""

    def _open(self, called, contexts):
        answer = self.peer.associate(*contexts, called=called)
        if answer is None or answer.type != ASSOCIATE_AC:
            raise Failed(f"no association: {answer}")
        if any(result for result, _ in answer.contexts.values()):
            raise Failed(f"not all contexts are accepted: {answer.contexts}")
        maximum = maximum_length(answer.body)
        if 0 < maximum < MAXIMUM_LENGTH:
            raise Failed(f"PDUs of {MAXIMUM_LENGTH} bytes are too long for a maximum of {maximum}")

    def begin(self, message):
        """:returns: whether all of it is the kernel's now."""
        self._to_send = message.copy()
        self._received = b""
        self.begun = time.perf_counter()
        return self.go_on()

    def go_on(self):
        parts = self._to_send
        try:
            while parts:
                sent = self.socket.sendmsg(parts)
                while parts and sent >= len(parts[0]):
                    sent -= len(parts.pop(0))
                if sent:
                    parts[0] = parts[0][sent:]
        except BlockingIOError:
            return False
        return True

    def close(self):
        """In order."""
        self.peer.release()
        self.peer.close()

    def answer(self):
        """The bytes of the response, once it is there as a whole."""
        data = self.socket.recv(65536)
        if not data:
            raise Failed("the receiver has closed the connection")
        if self._to_send:
            raise Failed("an answer came before the end of what it is to")
        self._received += data
        return self._received if is_whole(self._received) else None


def is_whole(data):
    """Whether a response's last P-DATA-TF PDU is there; anything but P-DATA is a failure."""
    while len(data) >= 6:
        pdu_type, length = struct.unpack_from(">BxL", data)
        if pdu_type != P_DATA:
            raise Failed(f"PDU {pdu_type} instead of an answer: {data[:10].hex()}")
        if len(data) < 6 + length:
            break
        if data[11] & LAST_COMMAND == LAST_COMMAND:
            return True
        data = data[6 + length :]
    return False


def status(answer):
    """That a whole response has."""
    command = b""
    while answer:
        (length,) = struct.unpack_from(">L", answer, 2)
        command += answer[12 : 6 + length]
        answer = answer[6 + length :]
    return elements(command)[STATUS]


def maximum_length(body):
    """The peer's, of an A-ASSOCIATE-AC's body; 0: any. It counts what follows a PDU's header (PS3.8 D.1)."""
    (user,) = (content for kind, content in items(body[68:]) if kind == 0x50)
    (maximum,) = (struct.unpack(">L", content)[0] for kind, content in items(user) if kind == 0x51)
    return maximum


def send(associations, messages):
    """All messages, over all associations at once."""
    return _Sending(messages).over(associations)


class _Sending:
    def __init__(self, messages):
        self._messages = iter(messages)
        self._answer_seconds = []
        self._answers = []
        self._waiting = set()

    def over(self, associations):
        by_number = {association.socket.fileno(): association for association in associations}
        with select.epoll() as self._poll:
            for number, association in by_number.items():
                association.socket.setblocking(False)
                self._poll.register(number, select.EPOLLIN)
            begun = time.perf_counter()
            for association in associations:
                self._begin_next(association)
            while self._waiting:
                ready = self._poll.poll(PATIENCE)
                if not ready:
                    raise Failed(f"nothing for {PATIENCE} seconds")
                for number, events in ready:
                    self._go_on(by_number[number], events)
            seconds = time.perf_counter() - begun
        for association in associations:
            association.socket.settimeout(PATIENCE)
        return Sent(seconds, self._answer_seconds, [status(answer) for answer in self._answers])

    def _begin_next(self, association):
        message = next(self._messages, None)
        if message is None:
            self._waiting.discard(association)
            return
        self._waiting.add(association)
        if not association.begin(message):
            self._poll.modify(association.socket, select.EPOLLIN | select.EPOLLOUT)

    def _go_on(self, association, events):
        if events & ~select.EPOLLOUT and (answer := association.answer()):
            self._answer_seconds.append(time.perf_counter() - association.begun)
            self._answers.append(answer)
            self._begin_next(association)
        elif events & select.EPOLLOUT and association.go_on():
            self._poll.modify(association.socket, select.EPOLLIN)


def open_and_release(address, called, message, context, count):
    """Associations one after another, each with one C-ECHO; an answer's time is that of a whole cycle."""
    took, statuses = [], []
    begun = time.perf_counter()
    for _ in range(count):
        cycle = time.perf_counter()
        association = Association(address, called, context)
        association.begin(message)
        while not (answer := association.answer()):
            pass
        association.close()
        took.append(time.perf_counter() - cycle)
        statuses.append(answer)
    return Sent(time.perf_counter() - begun, took, [status(answer) for answer in statuses])


def is_listening(address):
    try:
        socket.create_connection(address, 1).close()
    except OSError:
        return False
    return True
