"""The sender understands its answers, and what it has sent is what a server has."""

from __future__ import annotations

import pytest

from benchmarks.messages import CONTEXTS, Template, echoes
from benchmarks.objects import CT, SHAPES, Shape, uid
from benchmarks.processes import peak_memory, processor_seconds
from benchmarks.sender import Association, Failed, is_whole, maximum_length, open_and_release, send, status

from ..interop.objects import data_set_of
from ..interop.server import running
from ..interop.wire import (
    ABORT,
    COMMAND,
    LAST_COMMAND,
    command_set,
    item,
    p_data,
    p_datas,
    pdu,
    value,
)

RESPONSE = command_set({0x0100: 0x8001, 0x0120: 1, 0x0800: 0x0101, 0x0900: 0xA700})
IN_ONE = p_datas(1, COMMAND, RESPONSE)
IN_TWO = p_data(value(1, COMMAND, RESPONSE[:20])) + p_data(value(1, LAST_COMMAND, RESPONSE[20:]))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.mark.parametrize("answer", [IN_ONE, IN_TWO], ids=["one PDU", "two PDUs"])
def test_an_answer_is_waited_for_until_its_last_byte(answer):
    assert [is_whole(answer[:end]) for end in range(len(answer))] == [False] * len(answer)
    assert is_whole(answer)
    assert status(answer) == 0xA700


def test_an_abort_is_no_answer():
    with pytest.raises(Failed, match="PDU 7"):
        is_whole(pdu(ABORT, bytes(4)))


def test_the_peers_maximum_length_is_read():
    user = item(0x52, b"1.2.3.4") + item(0x51, bytes((0, 0, 0x40, 0)))
    assert maximum_length(bytes(68) + item(0x10, b"1.2") + item(0x50, user)) == 16384


@pytest.mark.parametrize("associations", [1, 3])
def test_everything_is_sent_once_and_answered(server, associations):
    """An object is more than fits into the kernel's buffers."""
    template = Template(Shape(CT, 2000, 2000, 16))
    opened = [Association(server.address, "SDCC", *CONTEXTS) for _ in range(associations)]
    sent = send(opened, template.messages(4, study=associations))
    for association in opened:
        association.close()
    assert sent.statuses == [0] * 4
    assert len(sent.answer_seconds) == 4
    assert 0 < max(sent.answer_seconds) <= sent.seconds
    files = [path for path in server.objects() if f"{associations:020}" in str(path)]
    assert {data_set_of(path) for path in files} == {
        template.data_set(associations, associations * 1000 + number, associations * 100_000 + number)
        for number in range(4)
    }


def test_what_is_refused_is_counted_as_such(server):
    association = Association(server.address, "SDCC", *CONTEXTS)
    (message,) = Template(SHAPES["warm-up"]).message(1, 1, 2, 3)
    # the Command Set comes first, and now names another object than the Data Set
    other = bytes(message).replace(uid(3, 3).encode(), uid(3, 4).encode(), 1)
    sent = send([association], [[memoryview(other)]])
    association.close()
    assert sent.statuses == [0xA900]


def test_an_association_that_is_refused_is_no_association(server):
    with pytest.raises(Failed, match="no association"):
        Association(server.address, "NOBODY", *CONTEXTS)


def test_cycles_are_timed_one_by_one(server):
    (message,) = echoes(1)
    sent = open_and_release(server.address, "SDCC", message, CONTEXTS[0], 3)
    assert sent.statuses == [0, 0, 0]
    assert sum(sent.answer_seconds) <= sent.seconds


def test_what_a_server_costs_is_seen(server):
    before = processor_seconds(server.process.pid)
    (message,) = echoes(1)
    open_and_release(server.address, "SDCC", message, CONTEXTS[0], 3)
    assert processor_seconds(server.process.pid) > before > 0
    assert peak_memory(server.process.pid) == server.peak_rss()
