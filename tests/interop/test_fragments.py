"""However a message is cut into fragments, PDUs and segments, the Data Set stored is the one sent."""

from __future__ import annotations

import hashlib

import pytest

from .objects import CT, data_set, data_set_of, new_uid
from .wire import (
    COMMAND,
    DATA,
    ERROR_COMMENT,
    EXPLICIT,
    IMPLICIT,
    LAST,
    LAST_COMMAND,
    MAXIMUM_LENGTH,
    STATUS,
    VERIFICATION,
    echo_rq,
    p_data,
    p_datas,
    store_rq,
    value,
)

#: Of odd length, and not all the same, so that a fragment lost, repeated or misplaced shows.
PIXELS = bytes(range(256)) * 130 + b"odd"
#: What fits in a fragment that has a P-DATA-TF to itself.
ROOM = MAXIMUM_LENGTH - 6


def cut(data, size):
    return [data[start : start + size] for start in range(0, len(data), size)]


def values(control, pieces):
    """Presentation Data Values of context 1, the last one marked as the last."""
    last = len(pieces) - 1
    return [value(1, control | (LAST if number == last else 0), piece) for number, piece in enumerate(pieces)]


def each_alone(values):
    return [p_data(each) for each in values]


def command_and_data_in_one(command, data):
    return [
        p_data(value(1, LAST_COMMAND, command), value(1, DATA, data[:1000])),
        *each_alone(values(DATA, cut(data[1000:], ROOM))),
    ]


def everything_in_one(command, data):
    """As far as one PDU holds it: only the last fragments stand alone."""
    return [
        p_data(
            *values(COMMAND, cut(command, 9)),
            value(1, DATA, b""),
            value(1, DATA, data[:5]),
            value(1, DATA, data[5:4001]),
        ),
        *each_alone(values(DATA, cut(data[4001:], ROOM))),
    ]


#: From a Command Set and a Data Set to what is sent, in pieces that go out one by one.
CUTS = {
    "as-large-as-they-may-be": lambda command, data: [
        *each_alone(values(COMMAND, [command])),
        *each_alone(values(DATA, cut(data, ROOM))),
    ],
    "odd-lengths": lambda command, data: [
        *each_alone(values(COMMAND, cut(command, 51))),
        *each_alone(values(DATA, cut(data, 4093))),
    ],
    "a-byte-each": lambda command, data: [
        b"".join(each_alone(values(COMMAND, cut(command, 1)))),
        b"".join(each_alone(values(DATA, cut(data, 1)))),
    ],
    "several-fragments-a-pdu": lambda command, data: [
        p_data(*values(COMMAND, cut(command, 7))),
        *(p_data(*four) for four in cut(values(DATA, cut(data, 3001)), 4)),
    ],
    "command-and-data-in-one-pdu": command_and_data_in_one,
    "fragments-of-all-kinds-in-one-pdu": everything_in_one,
    "empty-fragments-first": lambda command, data: [
        *each_alone(values(COMMAND, [b"", b"", command])),
        *each_alone(values(DATA, [b"", b"", *cut(data, ROOM)])),
    ],
    "empty-fragments-between": lambda command, data: [
        *each_alone(values(COMMAND, [command[:9], b"", command[9:]])),
        *each_alone(values(DATA, [each for piece in cut(data, ROOM) for each in (piece, b"")][:-1])),
    ],
    "empty-fragments-last": lambda command, data: [
        *each_alone(values(COMMAND, [command, b""])),
        *each_alone(values(DATA, [*cut(data, ROOM), b"", b""])),
    ],
    "pdus-across-segments": lambda command, data: cut(
        b"".join([*each_alone(values(COMMAND, [command])), *each_alone(values(DATA, cut(data, ROOM)))]), 1009
    ),
    "headers-a-byte-a-segment": lambda command, data: [
        *cut(p_data(*values(COMMAND, [command])), 1),
        *(
            piece
            for each in each_alone(values(DATA, cut(data, ROOM)))
            for piece in (*cut(each[:14], 1), each[14:])
        ),
    ],
    "all-in-one-segment": lambda command, data: [
        b"".join([*each_alone(values(COMMAND, [command])), *each_alone(values(DATA, cut(data, ROOM)))])
    ],
}


@pytest.fixture
def peer(server, connect):
    peer = connect(server.address)
    peer.associate((1, CT, EXPLICIT), (3, VERIFICATION, IMPLICIT))
    return peer


@pytest.mark.parametrize("way", CUTS)
def test_a_message_cut_so_is_stored_whole(server, peer, way):
    uid = new_uid()
    data = data_set(instance=uid, pixels=PIXELS)
    for piece in CUTS[way](store_rq(CT, uid), data):
        peer.send(piece)
    assert peer.response()[STATUS] == 0
    (path,) = [path for path in server.objects() if path.name.startswith(f"{uid}-")]
    assert data_set_of(path) == data
    assert peer.echo(3) == 0
    peer.release()


def test_requests_sent_all_at_once_are_served_in_turn(server, peer):
    """A peer that does not wait for the answers gets each of them, in order, and its release at last."""
    uids = [new_uid() for _ in range(20)]
    stream = b"".join(
        p_datas(1, COMMAND, store_rq(CT, uid, message_id=number))
        + p_datas(1, DATA, data_set(instance=uid, pixels=PIXELS))
        + p_datas(3, COMMAND, echo_rq(message_id=100 + number))
        for number, uid in enumerate(uids)
    )
    peer.send(stream)
    answers = [peer.response() for _ in range(2 * len(uids))]
    assert [(answer[0x0100], answer[0x0120], answer[STATUS]) for answer in answers] == [
        answer for number in range(len(uids)) for answer in ((0x8001, number, 0), (0x8030, 100 + number, 0))
    ]
    peer.release()
    rows = server.instances()
    for uid in uids:
        sent = data_set(instance=uid, pixels=PIXELS)
        assert rows[uid]["sha256"] == hashlib.sha256(sent).hexdigest()
        assert data_set_of(rows[uid]["path"]) == sent


def test_a_data_set_of_no_bytes_is_not_understood(server, peer):
    before = server.objects()
    response = peer.store(1, CT, new_uid(), b"")
    assert response[STATUS] == 0xC000
    assert "SOPClassUID" in response[ERROR_COMMENT]
    assert (server.objects(), server.incoming()) == (before, set())
    assert peer.echo(3) == 0
    peer.release()
