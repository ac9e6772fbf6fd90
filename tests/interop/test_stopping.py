"""SIGTERM: what is under way is finished, what is idle ends, nobody new comes in."""

from __future__ import annotations

import pytest

from .objects import CT, data_set, data_set_of, new_uid
from .server import CONFIGURATION, until
from .wire import (
    ABORT,
    COMMAND,
    DATA,
    EXPLICIT,
    IMPLICIT,
    STATUS,
    VERIFICATION,
    Peer,
    p_data,
    p_datas,
    store_rq,
    value,
)

CONTEXTS = ((1, CT, EXPLICIT), (3, VERIFICATION, IMPLICIT))


def test_an_object_half_sent_is_finished_and_stored(start, connect):
    server = start()
    idle, busy = connect(server.address), connect(server.address)
    silent = connect(server.address)
    idle.associate(*CONTEXTS)
    busy.associate(*CONTEXTS)
    uid = new_uid()
    data = data_set(instance=uid, pixels=b"\x01\x02" * 200_000)
    busy.send(p_datas(1, COMMAND, store_rq(CT, uid)), p_data(value(1, DATA, data[:10_000])))
    assert idle.echo(3) == 0, "by now the server has begun with the object"

    server.ask_to_stop()
    answer = idle.receive()
    assert (answer.type, answer.codes) == (ABORT, "0/0/0")
    assert idle.receive() is None
    assert silent.receive() is None, "a connection on which nothing was requested"
    with pytest.raises(ConnectionRefusedError):
        Peer(server.address)

    busy.send(p_datas(1, DATA, data[10_000:]))
    assert busy.response()[STATUS] == 0
    answer = busy.receive()
    assert (answer.type, answer.codes) == (ABORT, "0/0/0")
    server.stopped()
    row = server.instances()[uid]
    assert data_set_of(row["path"]) == data


def test_an_object_that_does_not_come_to_its_end_is_given_up(start, connect):
    """After drain_timeout; nothing of it stays."""
    server = start(CONFIGURATION + "[association]\ndrain_timeout = 0.3\n")
    peer = connect(server.address)
    peer.associate(*CONTEXTS)
    uid = new_uid()
    peer.send(p_datas(1, COMMAND, store_rq(CT, uid)), *20 * [p_data(value(1, DATA, bytes(16000)))])
    until(server.incoming, "the object's file is begun")
    server.ask_to_stop()
    server.stopped()
    assert server.instances() == {}


def test_what_was_stored_is_there_after_a_restart(start, connect):
    server = start()
    peer = connect(server.address)
    peer.associate(*CONTEXTS)
    uid = new_uid()
    assert peer.store(1, CT, uid, data_set(instance=uid))[STATUS] == 0
    server.stop()
    before = server.instances()
    server.start()
    assert server.instances() == before
    peer = connect(server.address)
    peer.associate(*CONTEXTS)
    again = new_uid()
    assert peer.store(1, CT, again, data_set(instance=again))[STATUS] == 0
    assert server.instances().keys() == {uid, again}
