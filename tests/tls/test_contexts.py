"""What OpenSSL is told."""

from __future__ import annotations

from contextlib import suppress

import pytest
from OpenSSL import SSL

from sdcc.config import TLS
from sdcc.tls.contexts import Connection, client_context, server_context
from sdcc.tls.files import read

from ..certificates import Authority


def test_of_tls_1_2_only_suites_with_ecdhe_and_aead_are_spoken(settings: TLS) -> None:
    credentials = read(settings)
    for context in (server_context(credentials), client_context(credentials)):
        suites = Connection(context).get_cipher_list()
        assert len(suites) == 9
        assert all(
            name.startswith(("ECDHE-", "TLS_")) and ("GCM" in name or "POLY1305" in name) for name in suites
        )


def test_no_session_is_kept(settings: TLS) -> None:
    assert server_context(read(settings)).get_session_cache_mode() == SSL.SESS_CACHE_OFF


def pair(settings: TLS) -> tuple[Connection, Connection]:
    """A client and a server whose handshake is done."""
    server = Connection(server_context(read(settings)))
    client = Connection(client_context(read(settings)))
    server.set_accept_state()
    client.set_connect_state()
    for one, other in ((client, server), (server, client), (client, server)):
        with suppress(SSL.WantReadError):
            one.do_handshake()
        other.bio_write(one.bio_read(1 << 16))
    server.do_handshake()
    return client, server


def test_a_peer_is_told_whose_certificates_count(settings: TLS, authority: Authority) -> None:
    """Which of several it shows depends on that."""
    client, _ = pair(settings)
    assert [name.CN for name in client.get_client_ca_list()] == ["authority"]


def test_what_has_come_is_given_in_one_piece(settings: TLS) -> None:
    """However many records it came in."""
    client, server = pair(settings)
    for number in range(300):
        client.send(b"%03d" % number)
    server.bio_write(client.bio_read(1 << 20))
    assert server.recv(1 << 15) == b"".join(b"%03d" % number for number in range(300))
    for _ in range(2):
        with pytest.raises(SSL.WantReadError):
            server.recv(1 << 15)
    client.send(b"more")
    server.bio_write(client.bio_read(1 << 20))
    assert server.recv(1 << 15) == b"more"


@pytest.mark.parametrize("is_broken", [False, True])
def test_the_end_comes_after_what_came_before_it(settings: TLS, is_broken: bool) -> None:
    """Whether the peer takes leave, or nobody can read what it sends."""
    client, server = pair(settings)
    client.send(b"the last")
    if is_broken:
        server.bio_write(client.bio_read(1 << 20) + b"\x17\x03\x03\x00\x40" + bytes(64))
    else:
        client.shutdown()
        server.bio_write(client.bio_read(1 << 20))
    assert server.recv(1 << 15) == b"the last"
    for _ in range(2):
        with pytest.raises(SSL.Error) as ended:
            server.recv(1 << 15)
        assert isinstance(ended.value, SSL.ZeroReturnError) is not is_broken
        assert not isinstance(ended.value, SSL.WantReadError)
