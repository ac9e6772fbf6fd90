"""A requestor made of bytes: as much of PS3.8 and PS3.7 as the tests send, typed by hand.

It is independent of SDCC and of every toolkit, and sends whatever a test says, right or wrong.
"""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
VERIFICATION = "1.2.840.10008.1.1"

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)
#: PS3.8 E.2: the two bits of the message control header.
DATA, COMMAND, LAST = 0, 1, 2
LAST_COMMAND = COMMAND | LAST

ECHO_RQ, STORE_RQ = 0x0030, 0x0001
NO_DATA_SET = 0x0101
STATUS, ERROR_COMMENT = 0x0900, 0x0902
#: The elements of a response that are numbers: UL Command Group Length, and US Command Field,
#: Message ID Being Responded To, Command Data Set Type and Status.
NUMBERS = {0x0000: "<L", 0x0100: "<H", 0x0120: "<H", 0x0800: "<H", STATUS: "<H"}

#: What the server announces.
MAXIMUM_LENGTH = 16384


def item(item_type, body):
    return struct.pack(">BxH", item_type, len(body)) + body


def items(data):
    """(type, body) of each item or sub-item in a row."""
    found = []
    while data:
        item_type, length = struct.unpack_from(">BxH", data)
        found.append((item_type, data[4 : 4 + length]))
        data = data[4 + length :]
    return found


def pdu(pdu_type, body):
    return struct.pack(">BxL", pdu_type, len(body)) + body


def pdus(data):
    """PDUs in a row, one by one."""
    found = []
    while data:
        (length,) = struct.unpack_from(">L", data, 2)
        found.append(data[: 6 + length])
        data = data[6 + length :]
    return found


def associate_rq(
    *contexts,
    called="SDCC",
    calling="BYTES",
    application_context="1.2.840.10008.3.1.1.1",
    protocol_version=1,
):
    """:param contexts: (Presentation-context-ID, Abstract Syntax, Transfer Syntax …) each."""
    proposed = b"".join(
        item(
            0x20,
            struct.pack(">B3x", number)
            + item(0x30, abstract.encode())
            + b"".join(item(0x40, syntax.encode()) for syntax in syntaxes),
        )
        for number, abstract, *syntaxes in contexts
    )
    user = item(0x51, struct.pack(">L", MAXIMUM_LENGTH)) + item(0x52, b"1.2.3.4")
    head = struct.pack(
        ">H2x16s16s32x", protocol_version, called.ljust(16).encode(), calling.ljust(16).encode()
    )
    return pdu(ASSOCIATE_RQ, head + item(0x10, application_context.encode()) + proposed + item(0x50, user))


def value(context_id, control, data):
    """A Presentation Data Value item."""
    return struct.pack(">LBB", len(data) + 2, context_id, control) + data


def p_data(*values):
    return pdu(P_DATA, b"".join(values))


def p_datas(context_id, control, data, size=MAXIMUM_LENGTH - 6):
    """A Command Set or Data Set as P-DATA-TF PDUs of one fragment each, the last one marked so."""
    pieces = [data[start : start + size] for start in range(0, len(data), size)] or [b""]
    return b"".join(
        p_data(value(context_id, control | (LAST if number == len(pieces) else 0), piece))
        for number, piece in enumerate(pieces, 1)
    )


def command_set(elements):
    """:param elements: element number to an integer, which is a US, or to text, which is a UI or LO."""
    body = b""
    for number, content in sorted(elements.items()):
        if isinstance(content, int):
            data = struct.pack("<H", content)
        else:
            data = content.encode()
            data += b"\0" * (len(data) % 2)
        body += struct.pack("<HHL", 0, number, len(data)) + data
    return struct.pack("<HHLL", 0, 0, 4, len(body)) + body


def echo_rq(message_id=1):
    return command_set({0x0002: VERIFICATION, 0x0100: ECHO_RQ, 0x0110: message_id, 0x0800: NO_DATA_SET})


def store_rq(sop_class, sop_instance, message_id=1):
    return command_set(
        {
            0x0002: sop_class,
            0x0100: STORE_RQ,
            0x0110: message_id,
            0x0700: 0,
            0x0800: 1,
            0x1000: sop_instance,
        }
    )


def elements(data):
    """A response's values by element number: :data:`NUMBERS` as integers, others as text."""
    found = {}
    while data:
        group, number, length = struct.unpack_from("<HHL", data)
        raw = data[8 : 8 + length]
        assert (group, length % 2, len(raw)) == (0, 0, length), data
        if number in NUMBERS:
            (found[number],) = struct.unpack(NUMBERS[number], raw)
        else:
            found[number] = raw.decode("ascii").rstrip(" \0")
        data = data[8 + length :]
    return found


class PDU(NamedTuple):
    """What came."""

    type: int
    body: bytes

    @property
    def codes(self):
        """Of A-ASSOCIATE-RJ: result/source/reason. Of A-ABORT: 0/source/reason."""
        assert self.type in (ASSOCIATE_RJ, ABORT), self
        return "/".join(map(str, self.body[1:4]))

    @property
    def contexts(self):
        """Of A-ASSOCIATE-AC: Presentation-context-ID to result, and to Transfer Syntax where accepted."""
        assert self.type == ASSOCIATE_AC, self
        found = {}
        for item_type, body in items(self.body[68:]):
            if item_type == 0x21:
                syntax = dict(items(body[4:])).get(0x40, b"").decode()
                found[body[0]] = (body[2], syntax) if body[2] == 0 else (body[2], None)
        return found


class Peer:
    """One connection. Each answer must come within `timeout` seconds.

    :param tls: the :class:`ssl.SSLContext` of a connection over TLS.
    """

    def __init__(self, address, timeout=20, tls=None):
        self.socket = socket.create_connection(address, timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname=address[0])

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self.socket.close()

    def half_close(self):
        """Send no more, and go on listening."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """Leave with an RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, *parts):
        self.socket.sendall(b"".join(parts))

    def receive(self):
        """The next PDU; None: the end of the stream."""
        head = self._read(6)
        if head is None:
            return None
        pdu_type, length = struct.unpack(">BxL", head)
        return PDU(pdu_type, self._read(length))

    def _read(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                assert not data, f"the stream ended inside a PDU, after {data!r}"
                return None
            data += more
        return data

    def associate(self, *contexts, **fields):
        """What A-ASSOCIATE-RQ is answered with."""
        self.send(associate_rq(*contexts, **fields))
        return self.receive()

    def response(self):
        """The next response's Command Set, as :func:`elements` has it."""
        answer = self.receive()
        assert answer is not None, "the connection was closed"
        assert answer.type == P_DATA, answer
        return elements(answer.body[6:])

    def echo(self, context_id=1):
        """The status of a C-ECHO."""
        self.send(p_datas(context_id, COMMAND, echo_rq()))
        return self.response()[STATUS]

    def store(self, context_id, sop_class, sop_instance, data_set):
        """The response to a C-STORE."""
        self.send(
            p_datas(context_id, COMMAND, store_rq(sop_class, sop_instance)),
            p_datas(context_id, DATA, data_set),
        )
        return self.response()

    def release(self):
        self.send(pdu(RELEASE_RQ, bytes(4)))
        answer = self.receive()
        assert answer is not None
        assert answer.type == RELEASE_RP, answer

    def abort(self):
        """A-ABORT, source service-user."""
        self.send(pdu(ABORT, bytes(4)))
        self.close()
