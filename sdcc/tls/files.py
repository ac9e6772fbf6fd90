"""The PEM files that `[tls]` names, read and checked.

What makes them unusable is an error; what an administrator should see to, but TLS works with, is a concern.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509 import Certificate, InvalidVersion, load_pem_x509_certificates
from cryptography.x509.oid import NameOID

from sdcc.config import TLS
from sdcc.tls import NotUsable

#: Characters of a Common Name (RFC 5280, ub-common-name).
LONGEST_NAME = 64
#: A certificate that ends within so many days is a concern.
DAYS_OF_WARNING = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What SDCC shows to a peer, and by what it knows one."""

    settings: TLS
    #: SDCC's own first, then those of the authorities between it and the one that peers know.
    certificates: tuple[Certificate, ...]
    private_key: PrivateKeyTypes
    #: Whether all users of the host may read the file of the private key.
    is_key_exposed: bool
    #: Empty: a peer that calls is asked for no certificate.
    client_authorities: tuple[Certificate, ...]
    #: Empty: the system's.
    server_authorities: tuple[Certificate, ...]


def read(settings: TLS) -> Credentials:
    """Read all of the files. Blocks.

    :raises NotUsable: with everything that is wrong with them.
    """
    reading = _Reading()
    certificates = reading.certificates("certificate", settings.certificate)
    private_key = reading.private_key(settings.private_key)
    client_authorities = reading.certificates("client_authorities", settings.client_authorities)
    server_authorities = reading.certificates("server_authorities", settings.server_authorities)
    if private_key is not None and certificates and not _fits(private_key, certificates[0]):
        reading.problems.append(
            f"[tls].private_key: {settings.private_key} is not the key of the first certificate in "
            f"{settings.certificate}"
        )
    if reading.problems:
        raise NotUsable("\n".join(reading.problems))
    assert private_key is not None, "or there is a problem"
    return Credentials(
        settings=settings,
        certificates=certificates,
        private_key=private_key,
        is_key_exposed=bool(settings.private_key.stat().st_mode & 0o007),
        client_authorities=client_authorities,
        server_authorities=server_authorities or client_authorities,
    )


class _Reading:
    """
    :ivar problems: what is wrong so far, a sentence each.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []

    def certificates(self, key: str, path: Path | None) -> tuple[Certificate, ...]:
        if path is None or (data := self._bytes(key, path)) is None:
            return ()
        try:
            return tuple(load_pem_x509_certificates(data))
        except (ValueError, InvalidVersion) as error:
            is_pem = b"-----BEGIN CERTIFICATE-----" in data
            problem = (
                f"holds a certificate that cannot be read: {error}" if is_pem else "is no certificate in PEM"
            )
            self.problems.append(f"[tls].{key}: {path} {problem}")
            return ()

    def private_key(self, path: Path) -> PrivateKeyTypes | None:
        data = self._bytes("private_key", path)
        if data is None:
            return None
        try:
            return load_pem_private_key(data, password=None)
        except TypeError:
            problem = "is encrypted; allowed: a key without a password, in a file that others cannot read"
        except (ValueError, UnsupportedAlgorithm):
            problem = "is no private key in PEM"
        self.problems.append(f"[tls].private_key: {path} {problem}")
        return None

    def _bytes(self, key: str, path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except OSError as error:
            self.problems.append(f"[tls].{key}: {path} cannot be read: {error.strerror}")
            return None


def _fits(key: PrivateKeyTypes, certificate: Certificate) -> bool:
    try:
        own, certified = (
            public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            for public in (key.public_key(), certificate.public_key())
        )
    except (ValueError, UnsupportedAlgorithm):  # a kind of key that is none for TLS either
        return False
    return own == certified


def concerns(credentials: Credentials, now: datetime.datetime) -> Iterator[str]:
    """What the administrator should see to, a sentence each.

    :param now: aware.
    """
    settings = credentials.settings
    if credentials.is_key_exposed:
        yield f"[tls].private_key: all users of this host may read or change {settings.private_key}"
    yield from _dates("certificate", settings.certificate, credentials.certificates, now)
    yield from _dates("client_authorities", settings.client_authorities, credentials.client_authorities, now)
    if settings.server_authorities is not None:
        yield from _dates(
            "server_authorities", settings.server_authorities, credentials.server_authorities, now
        )


def _dates(
    key: str, path: Path | None, certificates: tuple[Certificate, ...], now: datetime.datetime
) -> Iterator[str]:
    for certificate in certificates:
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        which = f"[tls].{key}: the certificate of {common_name(certificate)!r} in {path}"
        if now < begin:
            yield f"{which} is not valid before {begin:%Y-%m-%d %H:%M} UTC: peers refuse it"
        elif now > end:
            yield f"{which} has expired on {end:%Y-%m-%d %H:%M} UTC: peers refuse it"
        elif (left := (end - now).days) < DAYS_OF_WARNING:
            yield f"{which} ends on {end:%Y-%m-%d %H:%M} UTC, days left: {left}"


def common_name(certificate: Certificate) -> str:
    """The subject's Common Name, or all of the subject where it has none; for the log, and so cut.

    :raises ValueError: it cannot be read.
    """
    subject = certificate.subject
    names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return (str(names[0].value) if names else subject.rfc4514_string())[:LONGEST_NAME]
