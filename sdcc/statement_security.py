"""What the conformance statement says of TLS and of the audit trail."""

from __future__ import annotations

from collections.abc import Iterable

from sdcc.config import Audit, Configuration
from sdcc.restructuredtext import literal

PROFILES = """\
SDCC supports the BCP 195 RFC 8996, 9325 TLS Secure Transport Connection Profile (PS3.15 B.12), and talks to
peers of the retired Non-Downgrading and Extended BCP 195 profiles. It never falls back to a connection
without TLS, nor takes one at a port that has TLS."""

PROVIDED = """\
TLS 1.2 and TLS 1.3 are offered. The cipher suites of TLS 1.2 are those of ECDHE with AES-GCM and
ChaCha20-Poly1305, for certificates with RSA and ECDSA keys; SDCC's own order decides. There is no
compression, no renegotiation and no resumption of sessions. RSA keys of less than 2048 bits and signatures
with SHA-1 are refused.

The certificate of a peer decides whether there is a connection, and not which AE titles the peer may use:
these are for section 2.3 alone. Revocation lists and OCSP are not used."""

AUDIT = """\
SDCC supports the Audit Trail Message Format Profile (PS3.15 A.5) and, of the profiles for its transmission,
that by SYSLOG-UDP (A.7); that by SYSLOG-TLS (A.6) is not provided. The messages are Application Activity,
DICOM Instances Transferred, Query and Security Alert."""

#: How the messages go, by what `[audit] destination` begins with.
TRANSMISSIONS = {
    "udp": "are sent to a collector by SYSLOG-UDP",
    "tcp": "are sent to a collector by syslog over TCP (RFC 6587), which is none of the profiles",
    "unix": "are given to the syslog of SDCC's host",
}


def security_profiles(configuration: Configuration) -> str:
    """By what the configuration has of both."""
    return f"{_tls(configuration)}\n\n{AUDIT}\n\n{_audit(configuration.audit)}"


def _audit(settings: Audit | None) -> str:
    if settings is None:
        return "In this configuration there is no audit trail."
    kind, _, _ = settings.destination.partition(":")
    return f"In this configuration they {TRANSMISSIONS.get(kind, 'are written to a file')}."


def _tls(configuration: Configuration) -> str:
    if not configuration.uses_tls or configuration.tls is None:
        return f"{PROFILES}\n\nIn this configuration no connection is over TLS."
    locals_ = _titles(local.ae_title for local in configuration.locals if local.tls)
    remotes = _titles(remote.ae_title for remote in configuration.remotes if remote.tls)
    callers = (
        "A peer that calls must show a certificate that a configured authority has signed"
        if configuration.tls.client_authorities is not None
        else "A peer that calls is asked for no certificate"
    )
    has_own = configuration.tls.server_authorities or configuration.tls.client_authorities
    authority = "a configured authority" if has_own is not None else "an authority of SDCC's host"
    paragraphs = (
        PROFILES,
        f"Over TLS are the ports of the local AEs {locals_}, and the associations that SDCC opens to the "
        f"remote AEs {remotes}. {callers}. A peer that SDCC calls must show one that {authority} has signed, "
        "for the name or IP address that it is configured with.",
        PROVIDED,
    )
    return "\n\n".join(paragraphs)


def _titles(titles: Iterable[str]) -> str:
    return ", ".join(literal(title) for title in titles) or "(none)"
