"""What OpenSSL is told."""

from __future__ import annotations

from contextlib import suppress

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


def test_a_peer_is_told_whose_certificates_count(settings: TLS, authority: Authority) -> None:
    """Which of several it shows depends on that."""
    server = Connection(server_context(read(settings)))
    client = Connection(client_context(read(settings)))
    server.set_accept_state()
    client.set_connect_state()
    for one, other in ((client, server), (server, client)):
        with suppress(SSL.WantReadError):
            one.do_handshake()
        other.bio_write(one.bio_read(1 << 16))
    client.do_handshake()
    assert [name.CN for name in client.get_client_ca_list()] == ["authority"]
