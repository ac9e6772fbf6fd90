"""A-ASSOCIATE-RQ with items that are wrong, or far too many."""

from __future__ import annotations

import struct

import pytest

from ..interop.objects import CT, data_set, new_uid
from ..interop.server import until
from ..interop.wire import (
    COMMAND,
    EXPLICIT,
    IMPLICIT,
    LAST,
    P_DATA,
    STATUS,
    VERIFICATION,
    echo_rq,
    elements,
    item,
    p_datas,
)
from .streams import APPLICATION_CONTEXT, USER_INFORMATION, context, described, outcome, request_of

pytestmark = pytest.mark.usefixtures("unhurt")

#: The greatest body of an A-ASSOCIATE-RQ, and of an item.
LONGEST, LONGEST_ITEM = 256 * 1024, 0xFFFF
VERIFIES = item(0x30, VERIFICATION.encode())
PLAIN = item(0x40, IMPLICIT.encode())
CONTEXT = context(1, VERIFIES, PLAIN)
MAXIMUM = item(0x51, struct.pack(">L", 16384))


def lying(item_type, length, body=b""):
    """An item that says of itself that it is `length` bytes long."""
    return struct.pack(">BxH", item_type, length) + body


def counted(data):
    return struct.pack(">H", len(data)) + data


def role(uid, scu=1, scp=0):
    return item(0x54, counted(uid) + bytes((scu, scp)))


def nested(depth):
    """A Presentation Context in a Presentation Context, and so on."""
    inner = VERIFIES
    for _ in range(depth):
        inner = context(1, inner)
    return inner


#: What lies around the items under test: 128 Presentation Contexts and all that belongs there.
def around(*user_information, contexts=(CONTEXT,)):
    return (APPLICATION_CONTEXT, *contexts, item(0x50, MAXIMUM + b"".join(user_information)))


#: Items of an A-ASSOCIATE-RQ, and what the log says of what is wrong with them.
MALFORMED = {
    "a context with the ID 0": ((context(0, VERIFIES, PLAIN),), "Presentation-context-ID is 0, odd ones"),
    "a context with an even ID": ((context(2, VERIFIES, PLAIN),), "Presentation-context-ID is 2, odd ones"),
    "a context ID twice": ((CONTEXT, CONTEXT), "Presentation-context-ID 1 comes again"),
    "129 contexts": (
        tuple(context((2 * number + 1) & 0xFF, VERIFIES, PLAIN) for number in range(129)),
        "Presentation-context-ID 1 comes again",
    ),
    "a context of nothing": ((item(0x20, b""),), "Presentation-context-ID should have 4 bytes"),
    "a context without an Abstract Syntax": ((context(1, PLAIN),), "1 has no Abstract Syntax"),
    "two Abstract Syntaxes": ((context(1, VERIFIES, VERIFIES, PLAIN),), "AbstractSyntax comes 2 times"),
    "an Abstract Syntax of bytes": ((context(1, item(0x30, b"\xff\0\x1b[2J")),), "UID is b'"),
    "an answered context": ((item(0x21, b"\1\0\0\0" + PLAIN),), "does not belong there"),
    "a context in a context": ((nested(2),), "presentation context rq does not belong there"),
    "contexts nested as deep as they go": ((nested(8000),), "presentation context rq does not belong there"),
    "a sub-item outside its item": ((VERIFIES,), "abstract syntax does not belong there"),
    "user information in itself": ((item(0x50, item(0x50, MAXIMUM)),), "user information does not belong"),
    "user information twice": ((USER_INFORMATION, USER_INFORMATION), "UserInformation comes 2 times"),
    "two application contexts": ((APPLICATION_CONTEXT,), "ApplicationContext comes 2 times"),
    "an item longer than the rest": ((lying(0x20, 0xFFFF, b"\1\0\0\0"),), "should have 65535 bytes"),
    "an unknown item longer than the rest": ((lying(0x99, 9, b"12345678"),), "should have 9 bytes"),
    "a sub-item longer than its item": (
        (context(1, VERIFIES, lying(0x40, 100, IMPLICIT.encode())), USER_INFORMATION),
        "should have 100 bytes",
    ),
    "an item shorter than its sub-items": (
        (lying(0x20, 10, b"\1\0\0\0" + VERIFIES + PLAIN), USER_INFORMATION),
        "should have 17 bytes",
    ),
    "a byte after the last item": ((CONTEXT, b"\x20"), "an item's header should have 4 bytes, 1 are left"),
    "a maximum length of three bytes": ((item(0x50, item(0x51, bytes(3))),), "should have 4 bytes"),
    "a maximum length of five bytes": ((item(0x50, item(0x51, bytes(5))),), "1 more than its fields"),
    "two maximum lengths": ((item(0x50, MAXIMUM * 2),), "MaximumLength comes 2 times"),
    "a role whose UID is too long": (
        (item(0x50, item(0x54, struct.pack(">H", 0xFFFF) + b"1.2")),),
        "SOP-class-uid should have 65535 bytes",
    ),
    "an identity that ends in its length": (
        (item(0x50, item(0x58, b"\1\0" + counted(b"who") + b"\0")),),
        "length of Secondary-field",
    ),
    "related classes that lie about their length": (
        (item(0x50, item(0x57, counted(b"1") + counted(b"2") + counted(b"\0\xff1.2"))),),
        "should have 255 bytes",
    ),
}


@pytest.mark.parametrize(("items", "cause"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_request_is_aborted(server, connect, logged, items, cause):
    peer = connect(server.address)
    peer.send(request_of(APPLICATION_CONTEXT, *items))
    assert outcome(peer, 1) == ["abort 0/0"]
    until(lambda: cause in logged(), "the log says so")


MANY_SYNTAXES = [f"1.2.840.10008.1.2.4.{number}".encode() for number in range(60)]
#: All that one Presentation Context of 128 has room for in a request.
ROOM = (LONGEST - 1000) // 128 - 40
#: Items of an A-ASSOCIATE-RQ that is extreme and yet sound, and the contexts accepted.
EXTREME = {
    "no contexts at all": (around(contexts=()), set()),
    "the ID 255": (around(contexts=(context(255, VERIFIES, PLAIN),)), {255}),
    "128 contexts with 60 Transfer Syntaxes each, the supported one last": (
        around(
            contexts=[
                context(number, item(0x30, CT.encode()), *(item(0x40, uid) for uid in MANY_SYNTAXES), PLAIN)
                for number in range(1, 256, 2)
            ]
        ),
        set(range(1, 256, 2)),
    ),
    "128 contexts with as many empty Transfer Syntaxes as fit": (
        around(
            contexts=[
                context(number, item(0x30, CT.encode()), item(0x40, b"") * (ROOM // 4 - 10), PLAIN)
                for number in range(1, 256, 2)
            ]
        ),
        set(range(1, 256, 2)),
    ),
    "one Transfer Syntax again and again": (around(contexts=(context(1, VERIFIES, PLAIN * 2900),)), {1}),
    "as many unknown items as fit": (
        (*around(), item(0x99, b"") * ((LONGEST - 500) // 4)),
        {1},
    ),
    "unknown sub-items everywhere": (
        around(item(0x99, b"?") * 9000, contexts=(context(1, item(0x99, b"?") * 9000, VERIFIES, PLAIN),)),
        {1},
    ),
    "items in reverse": (tuple(reversed(around())), {1}),
    "thousands of roles of one class": (around(role(VERIFICATION.encode()) * 2500), {1}),
    "thousands of roles of nothing": (around(role(b"") * 8000), {1}),
    "a role for each of thousands of classes": (
        around(*(role(f"1.2.{number}".encode()) for number in range(3500))),
        {1},
    ),
    "a user identity of 64 KB": (
        around(item(0x58, b"\2\1" + counted(b"u" * 32000) + counted(b"\xff" * 33000))),
        {1},
    ),
    "thousands of related classes": (
        around(item(0x57, counted(b"1") + counted(b"2") + counted(b"\0\0" * 32000))),
        {1},
    ),
    "an implementation's name of 60,000 escapes": (around(item(0x55, b"\x1b[2J" * 15000)), {1}),
}


@pytest.mark.parametrize(("items", "accepted"), EXTREME.values(), ids=EXTREME)
def test_an_extreme_request_is_answered(server, connect, items, accepted):
    """And the association is as good as any: what is not understood in it is left aside."""
    request = request_of(*items)
    assert len(request) <= 6 + LONGEST
    peer = connect(server.address)
    peer.send(request)
    answer = peer.receive()
    assert described(answer) == "accepted"
    assert {number for number, (result, _) in answer.contexts.items() if result == 0} == accepted
    if 1 in accepted and answer.contexts[1] == (0, IMPLICIT) and len(accepted) == 1:
        assert peer.echo() == 0
    peer.release()


@pytest.mark.parametrize("length", [0, 8, 9, 0xFFFFFFFF])
def test_answers_fit_whatever_the_peer_takes(server, connect, length):
    """An answer of two bytes in a fragment is possible from 8 on; 0: no limit."""
    peer = connect(server.address)
    peer.send(
        request_of(APPLICATION_CONTEXT, CONTEXT, item(0x50, item(0x51, struct.pack(">L", length)))),
    )
    assert described(peer.receive()) == "accepted"
    peer.send(p_datas(1, COMMAND, echo_rq()))
    answer, is_whole = b"", False
    while not is_whole:
        received = peer.receive()
        assert received.type == P_DATA
        assert len(received.body) <= (length or LONGEST)
        answer += received.body[6:]
        is_whole = received.body[5] & LAST
    assert elements(answer)[STATUS] == 0
    peer.release()


@pytest.mark.parametrize("length", [1, 6, 7])
def test_a_peer_that_can_take_no_answer_is_aborted(server, connect, logged, length):
    peer = connect(server.address)
    peer.send(
        request_of(APPLICATION_CONTEXT, CONTEXT, item(0x50, item(0x51, struct.pack(">L", length)))),
    )
    assert described(peer.receive()) == "accepted"
    peer.send(p_datas(1, COMMAND, echo_rq()))
    assert outcome(peer, 1) == ["abort 0/0"]
    until(lambda: f"maximum length {length}: 8 or more is needed" in logged(), "the log says so")


# --- names -----------------------------------------------------------------------------------

#: AE titles that mean something to a file system, a terminal, a database or a log.
TITLES = {
    "a path": b"../../escaped",
    "an absolute path": b"/escaped",
    "dots": b"..",
    "a backslash": b"..\\escaped",
    "nothing": b"",
    "NULs": b"\0" * 16,
    "a NUL within": b"A\0../escaped",
    "line breaks": b"A\r\nforged line",
    "an escape sequence": b"\x1b[2J\x1b]0;x\x07",
    "SQL": b"';DROP TABLE--",
    "a pattern": b"{log_format}%s%n",
    "high bytes": bytes(range(0x80, 0x90)),
    "a direction mark": "a\u00ad\u00a0".encode("latin-1"),
}


STORAGE = context(1, item(0x30, CT.encode()), item(0x40, EXPLICIT.encode()))


@pytest.mark.parametrize("title", TITLES.values(), ids=TITLES)
def test_a_calling_title_steers_nothing(server, connect, logged, title):
    """An object is stored where it would be from anybody else, and every line of the log is one line."""
    uid = new_uid()
    peer = connect(server.address)
    peer.send(request_of(*around(contexts=(STORAGE,)), calling=title))
    assert described(peer.receive()) == "accepted"
    assert peer.store(1, CT, uid, data_set(instance=uid))[STATUS] == 0
    peer.release()
    (path,) = [path for path in server.objects() if path.name.startswith(f"{uid}-")]
    assert path.parts[-3:-1] == ("1.2.3", "1.2.3.1")
    until(lambda: " released, " in logged(), "all lines are there")
    assert sum(" opened from " in line for line in logged().splitlines()) == 1
    assert all(line.isprintable() and "[sdcc." in line for line in logged().splitlines())


def test_callers_are_listed_as_they_can_be_shown(server, connect):
    for title in TITLES.values():
        uid = new_uid()
        peer = connect(server.address)
        peer.send(request_of(*around(contexts=(STORAGE,)), calling=title))
        assert described(peer.receive()) == "accepted"
        assert peer.store(1, CT, uid, data_set(instance=uid))[STATUS] == 0
        peer.release()
    listed = server.sdccctl("instances").stdout
    assert all(line.isprintable() for line in listed.split("\n"))
    assert "../../escaped" in listed
    assert "A??forged line" in listed


@pytest.mark.parametrize("title", TITLES.values(), ids=TITLES)
def test_a_called_title_must_be_ours(server, connect, logged, title):
    peer = connect(server.address)
    peer.send(request_of(*around(), called=title))
    assert outcome(peer, 1) == ["rejected 1/1/7"]
    until(lambda: "is no [[local]] of this port" in logged(), "the log says so")
    assert all(line.isprintable() for line in logged().splitlines())


@pytest.mark.parametrize(
    ("name", "end"),
    [
        (b"1.2." * 15000, "rejected 1/1/2"),
        (b"%(x)s {y}" * 6000, "rejected 1/1/2"),
        (b"\x1b" * 60000, "abort 0/0"),
    ],
    ids=["digits", "words", "escapes"],
)
def test_a_line_of_the_log_is_short_whatever_the_application_context(server, connect, logged, name, end):
    """Or a peer could fill the disk with it, 64 KB for a request."""
    peer = connect(server.address)
    peer.send(request_of(item(0x10, name), CONTEXT, USER_INFORMATION))
    assert outcome(peer, 1) == [end]
    until(logged, "the log has its line")
    assert max(map(len, logged().splitlines())) < 500
