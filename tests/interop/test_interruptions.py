"""Peers that leave in the middle of an object: nothing of it stays, and nobody else notices."""

from __future__ import annotations

import pytest

from .halves import CONTEXTS, HALF, begin
from .objects import CT, data_set, data_set_of, new_uid
from .server import until
from .wire import COMMAND, DATA, STATUS, p_datas, store_rq


@pytest.mark.parametrize("leave", ["abort", "close", "half_close", "reset"])
def test_leaving_in_the_middle_of_an_object(server, connect, leave):
    """Another association, in the middle of an object of its own, completes it."""
    before = server.objects()
    other, leaver = connect(server.address), connect(server.address)
    other.associate(*CONTEXTS)
    leaver.associate(*CONTEXTS)
    uid, lost = new_uid(), new_uid()
    rest, data = begin(other, uid)
    begin(leaver, lost)
    until(lambda: len(server.incoming()) == 2, "both files are begun")
    getattr(leaver, leave)()
    until(lambda: len(server.incoming()) == 1, "what the leaver sent is removed")
    other.send(rest)
    assert other.response()[STATUS] == 0
    assert other.echo(3) == 0
    other.release()
    assert server.incoming() == set()
    rows = server.instances()
    assert lost not in rows
    assert server.objects() - before == {server.storage / rows[uid]["path"]}
    assert data_set_of(rows[uid]["path"]) == data
    until(lambda: " aborted by " in server.log(), "the log says so")


@pytest.mark.parametrize("leave", ["abort", "close", "reset"])
def test_leaving_between_the_last_byte_and_the_answer(server, connect, leave):
    """The object came whole: it is stored whole or not at all, and the server goes on."""
    uid = new_uid()
    peer = connect(server.address)
    peer.associate(*CONTEXTS)
    peer.send(p_datas(1, COMMAND, store_rq(CT, uid)), p_datas(1, DATA, data_set(instance=uid, pixels=HALF)))
    getattr(peer, leave)()
    until(lambda: not server.incoming(), "nothing is being received")
    other = connect(server.address)
    other.associate(*CONTEXTS)
    assert other.echo(3) == 0
    other.release()


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x01", id="a-byte"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: sdcc\r\n\r\n", id="HTTP"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(506), id="TLS"),
        pytest.param(bytes(range(256)) * 40, id="every-byte"),
        pytest.param(p_datas(1, COMMAND, store_rq(CT, "1.2.3")), id="data-before-an-association"),
    ],
)
def test_what_is_no_association_touches_none(server, connect, stream):
    held, stranger = connect(server.address), connect(server.address)
    held.associate(*CONTEXTS)
    stranger.send(stream)
    assert held.echo(3) == 0
    stranger.close()
    assert held.echo(3) == 0
    held.release()
