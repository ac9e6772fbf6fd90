"""Connections over TLS that peers open: on memory transports, with Python's own TLS at the other end."""

from __future__ import annotations

import ssl
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.address import IPv4Address

from sdcc.config import TLS, Access
from sdcc.interfaces import Ending, Outcome
from sdcc.network.exchange import REQUEST_SHARE, TURN
from sdcc.network.protocol import READ_SIZE
from sdcc.network.security import security
from sdcc.tls import NotUsable
from sdcc.upper_layer.pdu import Abort, AssociateAC, ReleaseRP, ReleaseRQ

from ..certificates import NOW, Authority, give_no_version
from .calls import STORE, Awaited
from .recording import Recorder, observers
from .test_watching import end
from .tls import Far, context, reloaded


@pytest.fixture
def port(tmp_path, new_world, build):
    """A port with TLS that asks for certificates; keywords are the world's."""

    def make(**configured: Any) -> SimpleNamespace:
        authority = Authority(tmp_path)
        server = authority.sign("server", "sdcc.example.org")
        settings = TLS(
            certificate=server, private_key=server.with_suffix(".key"), client_authorities=authority.path
        )
        world = new_world(**configured)
        secured = security(settings, world.clock, lambda: NOW)
        secured.load()
        factory = secured.accepting(world.server.port(world.locals))
        shown = authority.sign("CT scanner")

        def connect(
            client: ssl.SSLContext | None = None, address: str = "192.0.2.7", **options: Any
        ) -> Far | None:
            protocol = factory.buildProtocol(IPv4Address("TCP", address, 40000))
            if protocol is None:
                return None
            transport = build.Transport(peerAddress=IPv4Address("TCP", address, 40000))
            protocol.makeConnection(transport)
            client = client or context(authority.path, shown)
            return Far(client, protocol, transport, server_hostname="sdcc.example.org", **options)

        return SimpleNamespace(
            world=world, security=secured, authority=authority, settings=settings, connect=connect
        )

    yield make
    Awaited.give_all_up()


@pytest.fixture
def open_port(port):
    """One that takes associations from everywhere."""
    return port(access=Access(unknown_callers="accept"))


# --- an association ---


def test_an_association_over_tls_is_like_any_other(open_port, build, lines):
    far = open_port.connect().shake()
    far.send(build.request())
    [answer] = far.received()
    assert isinstance(answer, AssociateAC)
    assert far.protocol.wrappedProtocol.is_secure
    assert lines == [
        "SDCC<-CT01(1) opened from 192.0.2.7 over TLS, certificate of 'CT scanner', 2 of 2 contexts accepted"
    ]
    far.send(build.echo())
    far.send(ReleaseRQ())
    *_, last = far.received()
    assert isinstance(last, ReleaseRP)


def test_a_name_in_a_certificate_cannot_break_the_log(open_port, build, lines):
    shown = open_port.authority.sign("evil\nline")
    open_port.connect(context(open_port.authority.path, shown)).shake().send(build.request())
    assert "certificate of 'evil\\nline'," in lines[0]


def test_without_authorities_no_certificate_is_asked_for(open_port, build, lines):
    settings = TLS(certificate=open_port.settings.certificate, private_key=open_port.settings.private_key)
    assert reloaded(open_port.security, settings).is_there
    far = open_port.connect(context(open_port.authority.path)).shake()
    far.send(build.request())
    assert isinstance(far.received()[0], AssociateAC)
    assert "from 192.0.2.7 over TLS, 2 of 2" in lines[-1]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_are_spoken_and_no_session_is_kept(open_port, build, version):
    client = context(open_port.authority.path, open_port.settings.certificate)
    client.maximum_version = version
    first = open_port.connect(client).shake()
    first.send(build.request())
    assert isinstance(first.received()[0], AssociateAC)
    assert first.tls.version() == version.name.replace("_", ".")
    assert first.tls.compression() is None
    again = open_port.connect(client, session=first.tls.session).shake()
    again.read()
    assert not again.tls.session_reused


def test_authorities_between_are_shown(open_port, tmp_path):
    """By a peer that knows only the first of them."""
    between = Authority(tmp_path, "between", issuer=open_port.authority)
    path = between.sign("server", "sdcc.example.org", with_authority=True)
    settings = TLS(certificate=path, private_key=path.with_suffix(".key"))
    assert reloaded(open_port.security, settings).is_there
    assert name(open_port.connect(context(open_port.authority.path)).shake()) == "server"


def test_an_authority_between_is_enough_to_be_known_by(open_port, tmp_path, build):
    between = Authority(tmp_path, "between", issuer=open_port.authority)
    settings = replace(open_port.settings, client_authorities=between.path)
    assert reloaded(open_port.security, settings).is_there
    far = open_port.connect(context(open_port.authority.path, between.sign("CT"))).shake()
    far.send(build.request())
    assert isinstance(far.received()[0], AssociateAC)


# --- what is refused, and how the log says it ---


def refused(port: SimpleNamespace, client: ssl.SSLContext) -> None:
    far = port.connect(client)
    with pytest.raises(ssl.SSLError):
        far.shake().read()  # with TLS 1.3 it is the first answer that tells the client
    assert far.is_gone
    far.lose()


def test_certificates_are_checked_and_what_is_wrong_is_one_line(open_port, tmp_path, lines):
    authority, other = open_port.authority, Authority(tmp_path, "other")
    for shown in (
        None,
        authority.sign("old", begin=-9, end=-2),
        authority.sign("new", begin=2),
        other.sign("foreign"),
    ):
        refused(open_port, context(authority.path, shown))
    assert lines == [
        f"192.0.2.7:40000 refused, TLS: {cause}"
        for cause in (
            "the peer shows no certificate (peer did not return a certificate)",
            "the certificate of 'old' has expired",
            "the certificate of 'new' is not valid yet",
            "the certificate of 'foreign' is signed by none of the authorities",
        )
    ]


def test_who_counts_or_records_is_told_of_a_peer_that_is_not_let_in(port):
    """Node authentication is what the certificates are for."""
    recorder = Recorder()
    at = port(observers=observers(recorder))
    refused(at, context(at.authority.path))
    [refusal] = recorder.refusals
    assert (refusal.address, refusal.rule, refusal.codes) == ("192.0.2.7", "tls", "")
    assert (refusal.calling_ae, refusal.is_local, refusal.is_remote) == ("", False, False)
    assert refusal.cause.startswith("the peer shows no certificate")
    at.connect().lose()
    assert recorder.refusals == [refusal], "who says nothing is a balancer that looks"


def test_a_strangers_certificate_that_cannot_be_read_is_refused_like_others(open_port, tmp_path, lines):
    """A PrintableString has no "@": OpenSSL takes it nevertheless."""
    shown = Authority(tmp_path, "other").sign("STR@NGER")
    der = ssl.PEM_cert_to_DER_cert(shown.read_text())
    utf8, printable = (tag + b"\x08STR@NGER" for tag in (b"\x0c", b"\x13"))
    assert der.count(utf8) == 1
    shown.write_text(ssl.DER_cert_to_PEM_cert(der.replace(utf8, printable)))
    refused(open_port, context(open_port.authority.path, shown))
    assert lines == [
        "192.0.2.7:40000 refused, TLS: the certificate of '(unreadable)' is signed by none of the authorities"
    ]


def test_a_strangers_certificate_of_no_version_that_there_is_is_refused_like_others(
    open_port, tmp_path, lines
):
    shown = Authority(tmp_path, "other").sign("V4")
    give_no_version(shown)
    refused(open_port, context(open_port.authority.path, shown))
    [line] = lines
    assert line.startswith("192.0.2.7:40000 refused, TLS: the certificate of '(unreadable)' is ")


def test_one_address_cannot_fill_the_log(open_port, lines):
    for _ in range(250):
        refused(open_port, context(open_port.authority.path))
    assert len(lines) == 200
    open_port.world.clock.advance(10)
    assert lines[200:] == ["50 more peers were not let in within 10 s, 50 of them from 192.0.2.7"]


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"\x01\0\0\0\1\0\0\1", "the peer speaks DICOM without TLS"),
        (b"GET / HTTP/1.1\r\n\r\n", "the peer speaks no TLS"),
        (b"\x16\x03\x01\0\x10", "the peer left within the handshake"),
    ],
)
def test_who_speaks_no_tls_is_told_apart(open_port, lines, data, cause):
    far = open_port.connect()
    far.protocol.dataReceived(data)
    far.lose()
    assert lines == [f"192.0.2.7:40000 refused, TLS: {cause}"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_who_takes_leave_within_the_handshake_has_left_within_it(open_port, lines, version):
    client = context(open_port.authority.path)
    client.maximum_version = version
    far = open_port.connect(client)
    with pytest.raises(ssl.SSLWantReadError):
        far.tls.do_handshake()
    far.pump()
    far.protocol.dataReceived(b"\x15\x03\x03\0\2\1\0")  # close_notify
    far.lose()
    assert lines == ["192.0.2.7:40000 refused, TLS: the peer left within the handshake"]


def test_who_says_nothing_leaves_no_line(open_port, lines):
    open_port.connect().lose()
    assert lines == []


# --- what a connection costs ---


@pytest.mark.parametrize("data", [b"", b"\x16\x03\x01\0\x10"])
def test_a_handshake_that_never_ends_is_ended_by_artim(open_port, data):
    far = open_port.connect()
    if data:
        far.protocol.dataReceived(data)
    open_port.world.clock.advance(29)
    assert not far.is_gone
    open_port.world.clock.advance(1)
    assert far.is_gone


def test_handshakes_count_among_the_connections_without_an_association(port):
    few = port(maximum_waiting=2)
    assert few.connect() is not None
    assert few.connect() is not None
    assert few.connect() is None


def test_a_stop_ends_connections_in_their_handshake(open_port):
    far = open_port.connect()
    far.protocol.dataReceived(b"\x16\x03\x01\0\x10")
    stopped = Awaited(open_port.world.server.stop())
    assert far.is_gone
    far.lose()
    assert stopped.is_there


# --- how an association ends ---


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def watched(port, recorder):
    """A port, and one observer of its associations."""
    return port(access=Access(unknown_callers="accept"), observers=observers(recorder))


def as_plain(far: Far) -> SimpleNamespace:
    """A peer as it is without TLS."""
    return SimpleNamespace(send=far.send, lose=far.lose, protocol=far.protocol.wrappedProtocol)


@pytest.mark.parametrize("ending", [*Ending])
def test_each_ending_over_tls_is_told_once_by_its_kind(watched, build, recorder, ending):
    far = watched.connect(address="127.0.0.1").shake()  # from elsewhere it may not retrieve
    far.send(build.asking())
    assert recorder.watch.facts.is_secure
    far.received()
    world, peer = watched.world, as_plain(far)
    end(world, peer, build, ending)
    assert recorder.watch.ending is ending
    if ending not in (Ending.RELEASED, Ending.PEER_ABORT, Ending.CONNECTION_LOST):
        assert isinstance(far.received()[-1], Abort)
    if (
        not far.is_gone and ending is not Ending.CONNECTION_LOST
    ):  # until ARTIM expires, for the peer to close it
        world.clock.advance(30)
        assert far.is_gone
    if ending is not Ending.CONNECTION_LOST:
        far.lose()
    assert len(recorder.watch.endings) == 1
    assert world.clock.getDelayedCalls() == []
    assert world.server.associations == {}


@pytest.mark.parametrize("is_cut", [False, True])
def test_what_has_come_whole_is_told_before_the_end_of_a_stop(watched, build, recorder, is_cut):
    far = watched.connect().shake()
    far.send(build.request(), build.store())
    far.received()
    stopped = Awaited(watched.world.server.stop())
    if is_cut:
        watched.world.server.cut()
        assert far.is_gone
        far.lose()
    assert recorder.watch.endings == []
    watched.world.storage.operations[0].done.callback(Outcome(status=0))
    [operation] = recorder.watch.operations
    assert operation.is_answered is not is_cut
    assert recorder.watch.ending is Ending.STOPPING
    if not is_cut:
        assert isinstance(far.received()[-1], Abort)
        far.lose()
    assert stopped.is_there


def test_a_handshake_that_artim_ends_was_not_ended_by_the_peer(open_port, lines):
    far = open_port.connect()
    far.protocol.dataReceived(b"\x16\x03\x01\0\x10")
    open_port.world.clock.advance(30)
    far.lose()
    assert lines == ["192.0.2.7:40000 refused, TLS: the handshake had not ended"]


# --- the flow ---


def test_the_socket_is_read_in_large_pieces_as_soon_as_there_is_an_association(open_port, build):
    far = open_port.connect().shake()
    far.send(build.request())
    assert far.transport.bufferSize == READ_SIZE


def test_requests_in_many_records_are_served_in_many_turns(open_port, build):
    """As those in one piece are: else a burst of them would hold up everybody."""
    far = open_port.connect().shake()
    far.send(build.request())
    far.received()
    for _ in range(300):
        far.tls.write(build.echo())
    far.protocol.dataReceived(far._out.read())
    answered = sum(map(len, far.received()))
    assert answered <= TURN / REQUEST_SHARE
    open_port.world.clock.advance(0)
    assert sum(map(len, far.received())) == 300 - answered


def test_answers_ahead_are_heard_in_one_turn(open_port, build):
    """They do not let more be sent than one does: here they are aborted for."""

    async def many(talk):
        while True:
            await talk.requests.request(3, STORE, build.chunks(bytes(700 << 10)))

    open_port.world.retrieve.script = many
    far = open_port.connect(address="127.0.0.1").shake()
    far.send(build.asking(), build.get())
    assert len(far.read()) > 700 << 10
    for number in range(1, 20):
        far.tls.write(build.answer(replace(STORE, message_id=number)))
    far.protocol.dataReceived(far._out.read())
    assert len(far.read()) < 2 << 20


def test_who_does_not_read_answers_is_read_from_no_more(open_port, build):
    far = open_port.connect().shake()
    far.send(build.request())
    far.received()
    far.transport.unread_limit = 0
    far.tls.write(build.echo())
    far.protocol.dataReceived(far._out.read())
    assert far.transport.producerState == "paused"
    far.transport.unread_limit = None
    assert far.read()


def test_who_does_not_read_what_tls_itself_answers_is_read_from_no_more(open_port, build):
    """Of alerts that answer a renegotiation, say, and before there is an association to be idle."""
    far = open_port.connect()
    far.transport.unread_limit = 0
    with pytest.raises(ssl.SSLWantReadError):
        far.tls.do_handshake()
    far.protocol.dataReceived(far._out.read())
    assert far.transport.producerState == "paused"
    far.shake().send(build.request())
    assert isinstance(far.received()[0], AssociateAC)
    assert far.transport.producerState == "producing"


def test_a_close_waits_neither_for_the_producer_nor_for_the_peers_alert(open_port, build):
    far = open_port.connect().shake()
    far.send(build.request())
    far.received()
    far.protocol.wrappedProtocol.drain("SDCC is stopping")
    assert far.is_gone
    assert far.read().startswith(b"\x07")  # A-ABORT
    assert far.tls.read(1) == b""  # which no end of the stream but the alert close_notify gives


@pytest.mark.parametrize(
    "ends", [("loseConnection",), ("abortConnection",), ("abortConnection", "loseConnection")]
)
def test_a_connection_that_is_lost_can_be_ended_as_often_as_one_likes(open_port, build, ends):
    """As a stop does with those whose last operation is still under way."""
    far = open_port.connect().shake()
    far.send(build.request())
    protocol, transport = far.protocol.wrappedProtocol, far.protocol
    getattr(transport, ends[0])()
    far.lose()
    for name in ends:
        getattr(transport, name)()
    protocol.cut()
    protocol.drained()


# --- reading again ---


def test_an_association_goes_on_while_new_ones_see_the_new_certificate(open_port, build):
    old = open_port.connect().shake()
    old.send(build.request())
    old.received()
    open_port.authority.sign("renewed", "sdcc.example.org")
    path = open_port.settings.certificate.with_name("renewed.crt")
    renewed = TLS(
        certificate=path,
        private_key=path.with_suffix(".key"),
        client_authorities=open_port.authority.path,
    )
    assert reloaded(open_port.security, renewed).is_there
    new = open_port.connect().shake()
    assert [name(far) for far in (old, new)] == ["server", "renewed"]
    old.send(build.echo())
    assert old.received()


def test_what_cannot_be_used_is_refused_with_the_sentence_of_the_start(open_port):
    open_port.settings.certificate.unlink()
    error = reloaded(open_port.security).error(NotUsable)
    assert (
        error
        == f"[tls].certificate: {open_port.settings.certificate} cannot be read: No such file or directory"
    )
    assert name(open_port.connect().shake()) == "server"


def name(far: Far) -> Any:
    return dict(pair for names in far.tls.getpeercert()["subject"] for pair in names)["commonName"]
