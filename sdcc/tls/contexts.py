"""What OpenSSL is told to do, and not to do: DICOM PS3.15 B.12, which is BCP 195 (RFC 8996, RFC 9325).

TLS 1.2 and 1.3; of 1.2 only the suites with ECDHE and AEAD. RFC 9325 4.2 recommends those with AES-GCM;
ChaCha20-Poly1305 of RFC 7905 is as strong and faster where a modality's processor has no AES instructions.
DHE is left out: its parameters cannot be negotiated (RFC 9325 4.2), and each handshake costs much. Security
level 2 refuses RSA keys of less than 2048 bits, curves of less than 224, and signatures with SHA-1 (4.5).
"""

from __future__ import annotations

from OpenSSL import SSL
from OpenSSL.crypto import X509, X509Store, X509StoreFlags

from sdcc.tls import NotUsable, reasons
from sdcc.tls.files import Credentials, common_name

#: Of TLS 1.2, the one that is preferred first; those of 1.3 are OpenSSL's, of which all are AEAD.
SUITES = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
)
SECURITY_LEVEL = 2
#: RFC 9325 3.3 (compression), 3.4 (resumption), 3.5 (renegotiation). A DICOM association lasts long and
#: opens one connection: a session that is resumed would spare little, and a ticket's key would have to be
#: changed again and again to keep what was said secret.
OPTIONS = SSL.OP_NO_COMPRESSION | SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE


def check(credentials: Credentials) -> None:
    """
    :raises NotUsable: no contexts can be made of these.
    """
    server_context(credentials)
    client_context(credentials)


class Connection(SSL.Connection):
    """One end of a connection, in memory: without a socket."""

    #: What was found against the peer's certificate, in words; empty: nothing.
    verdict = ""

    def __init__(self, context: SSL.Context) -> None:
        super().__init__(context, None)
        #: What ends the stream after what was given last.
        self._end: SSL.Error | None = None

    def recv(self, bufsiz: int, flags: int | None = None) -> bytes:
        """All that has come, of however many records.

        Twisted takes what this gives as one piece. A record at a time it would be hundreds in one turn of the
        reactor, and who shares out turns by what is received would give hundreds of shares.
        """
        if self._end is not None:
            raise self._end
        records = [super().recv(bufsiz, flags)]
        try:
            while True:
                records.append(super().recv(bufsiz, flags))
        except SSL.WantReadError:
            pass
        except SSL.Error as end:
            self._end = end
        return b"".join(records)

    def do_handshake(self) -> None:
        """Twisted knows no peer that takes leave, by close_notify, before the end: it is one that is gone."""
        try:
            super().do_handshake()
        except SSL.ZeroReturnError:
            raise SSL.SysCallError(-1, "Unexpected EOF") from None


def server_context(credentials: Credentials) -> SSL.Context:
    """For connections that peers open.

    :raises NotUsable: OpenSSL finds the certificate or its key too weak.
    """
    context = _context(SSL.TLS_SERVER_METHOD, credentials)
    if credentials.client_authorities:
        _trust(context, credentials.client_authorities)
        for authority in credentials.client_authorities:  # a peer with several certificates chooses by these
            context.add_client_ca(authority)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _verified)
    else:
        context.set_verify(SSL.VERIFY_NONE)
    return context


def client_context(credentials: Credentials) -> SSL.Context:
    """For connections that SDCC opens. Whose certificate it is that comes, the caller has to look at.

    :raises NotUsable: OpenSSL finds the certificate or its key too weak.
    """
    context = _context(SSL.TLS_CLIENT_METHOD, credentials)
    if credentials.server_authorities:
        _trust(context, credentials.server_authorities)
    else:
        context.set_default_verify_paths()
    context.set_verify(SSL.VERIFY_PEER, _verified)
    return context


def name_of(certificate: X509) -> str:
    """The name in a peer's certificate, of which OpenSSL takes some that cannot be read any further."""
    try:
        return common_name(certificate.to_cryptography())
    except Exception:  # of many types, and raised within OpenSSL it would end more than this handshake
        return "(unreadable)"


def _context(method: int, credentials: Credentials) -> SSL.Context:
    context = SSL.Context(method)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(OPTIONS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_cipher_list(f"{':'.join(SUITES)}:@SECLEVEL={SECURITY_LEVEL}".encode())
    own, *between = credentials.certificates
    try:
        context.use_certificate(own)
        context.use_privatekey(credentials.private_key)  # type: ignore[arg-type]  # a kind that it refuses
        for certificate in between:
            context.add_extra_chain_cert(certificate)
    except (SSL.Error, TypeError) as error:
        why = reasons.of_error(error) if isinstance(error, SSL.Error) else "not a key for TLS"
        raise NotUsable(
            f"[tls].certificate: OpenSSL does not take {credentials.settings.certificate}: {why}"
        ) from None
    return context


def _trust(context: SSL.Context, authorities: tuple[object, ...]) -> None:
    """These, and no others. One that is itself signed by another is enough."""
    store = context.get_cert_store()
    assert isinstance(store, X509Store)
    for authority in authorities:
        store.add_cert(X509.from_cryptography(authority))  # type: ignore[arg-type]
    store.set_flags(X509StoreFlags.PARTIAL_CHAIN)


def _verified(connection: SSL.Connection, certificate: X509, code: int, depth: int, is_good: int) -> bool:
    """OpenSSL's judgement of one certificate in a chain stands; what it was is kept for the log."""
    if not is_good:
        assert isinstance(connection, Connection)
        connection.verdict = reasons.of_certificate(code, name_of(certificate))
    return bool(is_good)
