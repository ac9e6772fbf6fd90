"""Calls over TLS, on memory transports: who is called must be who answers, and within the time."""

from __future__ import annotations

import ssl
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtensionOID
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError

from sdcc.config import TLS, Remote
from sdcc.network.lost import NotConnected
from sdcc.network.security import security
from sdcc.upper_layer.pdu import AssociateRQ

from ..certificates import NOW, Authority
from .calls import CONTEXT, Awaited, Line, accept
from .tls import Far, context

PEER = Remote(ae_title="PEER", address="127.0.0.1", port=104, tls=True)


class SecureLine(Line):
    """A caller that shows a certificate of one authority, which is the one that it believes."""

    def __init__(self, transport: type[Any], authority: Authority, remote: Remote = PEER) -> None:
        own = authority.sign("SDCC")
        settings = TLS(
            certificate=own, private_key=own.with_suffix(".key"), client_authorities=authority.path
        )

        def secured(reactor: Any) -> Any:
            made = security(settings, reactor, lambda: NOW)
            made.load()
            return made

        super().__init__(transport, remote, security=secured)
        self.opened = Awaited(self.caller.open("PEER", "SDCC", (CONTEXT,)))

    def reached(self, server: ssl.SSLContext) -> Far:
        """The peer takes the connection, and TLS begins."""
        *_, (_, _, factory, _, _) = self.reactor.tcpClients
        protocol = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 104))
        transport = self._transport()
        protocol.makeConnection(transport)
        self.far = Far(server, protocol, transport, server_side=True)
        self.far.pull()
        return self.far

    @property
    def why_not(self) -> str:
        return self.opened.error(NotConnected)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def call(build, authority):
    yield lambda remote=PEER: SecureLine(build.Transport, authority, remote)
    Awaited.give_all_up()


def server(authority: Authority, *names: str, **sides: Any) -> ssl.SSLContext:
    return context(authority.path, authority.sign("PACS", *names, **sides), of_server=True)


@pytest.mark.parametrize(
    ("names", "remote"),
    [
        (("127.0.0.1",), PEER),
        (("pacs.example.org",), replace(PEER, tls_name="pacs.example.org")),
        (("::1", "192.0.2.1"), replace(PEER, tls_name="192.0.2.1")),
        (("fe80::1",), replace(PEER, address="fe80::1%eth0")),
    ],
)
def test_who_shows_the_expected_name_or_address_is_asked_for_an_association(call, authority, names, remote):
    line = call(remote)
    far = line.reached(server(authority, *names)).shake()
    [request] = far.received()
    assert isinstance(request, AssociateRQ)
    far.send(accept())
    assert line.opened.value.is_secure


@pytest.mark.parametrize(
    ("names", "remote", "expected"),
    [
        (("192.0.2.1",), PEER, "127.0.0.1"),
        (("localhost",), PEER, "127.0.0.1"),
        ((), PEER, "127.0.0.1"),
        (("127.0.0.1",), replace(PEER, tls_name="pacs.example.org"), "pacs.example.org"),
        (("*.org",), replace(PEER, tls_name="pacs.example.org"), "pacs.example.org"),
    ],
)
def test_who_shows_another_is_told_nothing(call, authority, names, remote, expected):
    line = call(remote)
    far = line.reached(server(authority, *names)).shake()
    assert far.is_gone
    assert line.why_not == (
        f"no connection to 127.0.0.1:104: TLS: the certificate of 'PACS' is not for {expected}"
    )


def test_who_shows_a_name_of_a_kind_that_nobody_reads_is_told_nothing(call, authority, monkeypatch):
    """An ediPartyName, which OpenSSL takes."""
    edi_party = x509.UnrecognizedExtension(
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"\x30\x07\xa5\x05\xa1\x03\x0c\x01A"
    )
    monkeypatch.setattr(x509, "SubjectAlternativeName", lambda names: edi_party)
    line = call()
    far = line.reached(server(authority, "127.0.0.1")).shake()
    assert far.is_gone
    assert line.why_not.endswith("TLS: the certificate of 'PACS' is not for 127.0.0.1")


@pytest.mark.parametrize(
    ("dates", "why"),
    [({"end": -1, "begin": -2}, "has expired"), ({"begin": 1}, "is not valid yet")],
)
def test_dates_of_the_peers_certificate_count(call, authority, dates, why):
    line = call()
    far = line.reached(server(authority, "127.0.0.1", **dates))
    with pytest.raises(ssl.SSLError):
        far.shake()
    far.lose()
    assert line.why_not.endswith(f"TLS: the certificate of 'PACS' {why}")


def test_a_certificate_of_another_authority_does_not_count(call, tmp_path):
    line = call()
    far = line.reached(server(Authority(tmp_path, "other"), "127.0.0.1"))
    with pytest.raises(ssl.SSLError):
        far.shake()
    far.lose()
    assert line.why_not.endswith(
        "TLS: the certificate of 'other' is that of an authority which is none of ours"
    )


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_peer_that_refuses_our_certificate_is_quoted(call, authority, tmp_path, version):
    """With TLS 1.3 it does so when our A-ASSOCIATE-RQ is under way."""
    line = call()
    asks = context(Authority(tmp_path, "other").path, authority.sign("PACS", "127.0.0.1"), of_server=True)
    asks.verify_mode, asks.maximum_version = ssl.CERT_REQUIRED, version
    far = line.reached(asks)
    with pytest.raises(ssl.SSLError):
        far.shake()
    far.lose()
    assert line.why_not.endswith("the peer does not know who has signed our certificate (alert: unknown ca)")


def test_a_peer_without_tls_is_told_apart(call, authority):
    line = call()
    far = line.reached(server(authority, "127.0.0.1"))
    far.protocol.dataReceived(b"\x07\0\0\0\0\4\0\0\2\1")  # A-ABORT, for what it did not understand
    far.lose()
    assert line.why_not.endswith("TLS: the peer speaks no TLS")


def test_a_peer_that_leaves_within_the_handshake_is_not_connected(call, authority):
    line = call()
    line.reached(server(authority, "127.0.0.1")).lose()
    assert line.why_not.endswith("TLS: the peer closed the connection")


def test_the_handshake_is_within_the_time_of_the_connection(call, authority):
    line = call()
    line.reactor.advance(5)
    far = line.reached(server(authority, "127.0.0.1"))
    line.reactor.advance(2.9)
    assert not line.opened.is_there
    line.reactor.advance(0.1)
    assert line.why_not == "no connection to 127.0.0.1:104: no answer in time"
    assert far.is_gone


def test_a_stop_ends_the_handshake(call, authority):
    line = call()
    far = line.reached(server(authority, "127.0.0.1"))
    line.caller.stop()
    assert line.why_not == "SDCC is stopping"
    assert far.is_gone


def test_whoever_gives_up_ends_the_handshake(call, authority):
    line = call()
    far = line.reached(server(authority, "127.0.0.1"))
    line.opened.deferred.cancel()
    line.opened.error(CancelledError)
    assert far.is_gone
