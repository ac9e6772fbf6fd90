"""A Storage SCP made of bytes, in a thread of its own: it accepts everything and does what a test says."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import struct
import threading

from . import wire

ASSOCIATE_AC, RELEASE_RP = 2, 6
#: The header of (0000,0110), which no UID of a test looks like.
MESSAGE_ID = struct.pack("<HHL", 0, 0x0110, 2)


def associate_ac(request, maximum_length):
    """Every context accepted with the first of its Transfer Syntaxes."""
    results = b""
    for item_type, body in wire.items(request[68:]):
        if item_type == 0x20:
            syntax = dict(reversed(wire.items(body[4:])))[0x40]
            results += wire.item(0x21, struct.pack(">BxBx", body[0], 0) + wire.item(0x40, syntax))
    user = wire.item(0x50, wire.item(0x51, struct.pack(">L", maximum_length)) + wire.item(0x52, b"1.2.3.4"))
    context = wire.item(0x10, b"1.2.840.10008.3.1.1.1")
    return wire.pdu(ASSOCIATE_AC, request[:68] + context + results + user)


class StorageSCP:
    """
    :param statuses: of its answers, the last of them for ever; None: it never answers that one.
    :param reads: whether it reads on after it has accepted an association.
    """

    def __init__(self, *statuses, reads=True, maximum_length=16384):
        self._statuses = [*(statuses or (0,))]
        self._reads = reads
        self._maximum_length = maximum_length
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._stop = threading.Event()
        self.port = self._listening.getsockname()[1]
        #: The bytes of each Data Set that came whole, and their SHA-256.
        self.sizes = []
        self.hashes = []
        self.releases = 0
        #: An object has come whole; the peer has gone.
        self.has_received = threading.Event()
        self.is_left = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._stop.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(20)
        assert not self._thread.is_alive()

    def _serve(self):
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as stream, contextlib.suppress(OSError):
                self._converse(connection, stream)
            self.is_left.set()

    def _converse(self, connection, stream):
        digest, size = hashlib.sha256(), 0
        while head := stream.read(6):
            kind, length = struct.unpack(">BxL", head)
            body = stream.read(length)
            if kind == wire.ASSOCIATE_RQ:
                connection.sendall(associate_ac(body, self._maximum_length))
                if not self._reads:
                    self._stop.wait()
                    return
            elif kind == wire.P_DATA:
                control, data = body[5], memoryview(body)[6:]
                if control & wire.COMMAND:
                    (self._message_id,) = struct.unpack("<H", bytes(data).partition(MESSAGE_ID)[2][:2])
                    continue
                digest.update(data)
                size += len(data)
                if control & wire.LAST:
                    self.sizes.append(size)
                    self.hashes.append(digest.hexdigest())
                    digest, size = hashlib.sha256(), 0
                    self._answer(connection, body[4])
            elif kind == wire.RELEASE_RQ:
                self.releases += 1
                connection.sendall(wire.pdu(RELEASE_RP, bytes(4)))

    def _answer(self, connection, context_id):
        status = self._statuses[0] if len(self._statuses) == 1 else self._statuses.pop(0)
        self.has_received.set()
        if status is not None:
            response = wire.command_set(
                {0x0100: 0x8001, 0x0120: self._message_id, 0x0800: wire.NO_DATA_SET, 0x0900: status}
                | ({0x0902: "a reason"} if status else {})
            )
            connection.sendall(wire.p_datas(context_id, wire.COMMAND, response))
