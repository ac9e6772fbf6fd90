"""Many peers at once, in one thread: what a single attacker's machine can do."""

from __future__ import annotations

import contextlib
import errno
import resource
import selectors
import socket
import struct
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from ..interop.server import PATIENCE
from ..interop.wire import ABORT, PDU, pdu
from .streams import described


class Visit(NamedTuple):
    """A connection: what is sent, and how it ends when that has been answered."""

    sent: bytes
    last: bytes = b""
    #: With an RST, which also leaves no port waiting behind.
    reset: bool = True


#: Of one that ends its association as it should not.
ABORTED = pdu(ABORT, bytes(4))


def flood(address, visits, *, width=16, source="127.0.0.2"):
    """Pay all these visits, `width` of them at once; gives how often each answer came.

    :param source: the attacker's address, by which the server's log tells him from others.
    """
    answers = Counter()
    visits = iter(visits)
    with selectors.DefaultSelector() as selector:
        for visit in (visit for _, visit in zip(range(width), visits, strict=False)):
            _call(selector, address, visit, source)
        while selector.get_map():
            ready = selector.select(PATIENCE)
            assert ready, f"no answer any more, after {answers}"
            for key, _ in ready:
                answer = _go_on(selector, key)
                if answer is not None:
                    answers[answer] += 1
                    if (visit := next(visits, None)) is not None:
                        _call(selector, address, visit, source)
    return answers


def _call(selector, address, visit, source):
    caller = socket.socket()
    caller.bind((source, 0))
    caller.setblocking(False)
    assert caller.connect_ex(address) in (0, errno.EINPROGRESS)
    selector.register(caller, selectors.EVENT_WRITE, (visit, bytearray()))


def _go_on(selector, key):
    """Gives the answer, where it is whole."""
    caller, (visit, came) = key.fileobj, key.data
    if key.events == selectors.EVENT_WRITE:
        assert caller.send(visit.sent) == len(visit.sent)
        selector.modify(caller, selectors.EVENT_READ, key.data)
        return None
    try:
        more = caller.recv(4096)
    except ConnectionResetError:
        more = b""
    came += more
    is_whole = len(came) >= 6 and len(came) >= 6 + struct.unpack_from(">L", came, 2)[0]
    if more and not is_whole:
        return None
    selector.unregister(caller)
    if more and visit.last:
        caller.send(visit.last)
    if visit.reset:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    caller.close()
    return described(PDU(came[0], bytes(came[6:]))) if more else "closed"


@contextlib.contextmanager
def silent(address, count):
    """So many connections that say nothing."""
    with contextlib.ExitStack() as callers:
        yield [callers.enter_context(socket.create_connection(address, PATIENCE)) for _ in range(count)]


def is_gone(caller):
    """Whether the other side has closed the connection; waits for that."""
    try:
        return caller.recv(1) == b""
    except ConnectionResetError:
        return True


def descriptors(server):
    """How many files and connections the server has open."""
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


@contextlib.contextmanager
def descriptor_limit(soft):
    """This process, and those it starts meanwhile, may have so many files open."""
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft if hard < 0 else min(soft, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))
