"""Certificates made for a test: an authority, and what it signs."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

#: Certificates have whole seconds.
NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
DAY = datetime.timedelta(days=1)


def pem(private_key: Any, password: bytes | None = None) -> bytes:
    encryption = NoEncryption() if password is None else BestAvailableEncryption(password)
    written: bytes = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return written


class Authority:
    """Signs certificates, and writes all of them into a directory.

    :ivar path: of its own certificate.
    """

    def __init__(self, directory: Path, name: str = "authority", issuer: Authority | None = None) -> None:
        """:param issuer: who has signed it; None: itself."""
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = issuer or self
        self.certificate = signer._signed(self._name, self._key.public_key(), [], is_authority=True)
        self.path = directory / f"{name}.crt"
        self.path.write_bytes(self.certificate.public_bytes(Encoding.PEM))

    def sign(
        self,
        name: str,
        *alternative_names: str,
        key: Any = None,
        password: bytes | None = None,
        with_authority: bool = False,
        **dates: int,
    ) -> Path:
        """The path of a certificate; its private key lies beside it, with the suffix ".key".

        :param alternative_names: host names and IP addresses that it is for.
        :param with_authority: the authority's own certificate stands after it in the file.
        :param dates: `begin` and `end`, in days from now.
        """
        key = key or ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._signed(subject, key.public_key(), alternative_names, **dates)
        path = self._directory / f"{name}.crt"
        chain = (certificate, self.certificate) if with_authority else (certificate,)
        path.write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in chain))
        private_key = path.with_suffix(".key")
        private_key.write_bytes(pem(key, password))
        private_key.chmod(0o600)
        return path

    def _signed(
        self,
        subject: x509.Name,
        public_key: Any,
        alternative_names: Any,
        *,
        begin: int = -1,
        end: int = 365,
        is_authority: bool = False,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW + begin * DAY)
            .not_valid_after(NOW + end * DAY)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if alternative_names:
            names = [_general_name(name) for name in alternative_names]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def give_no_version(certificate: Path) -> None:
    """The one after the last that there is; OpenSSL reads it all the same."""
    der = ssl.PEM_cert_to_DER_cert(certificate.read_text())
    version_3, version_4 = b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x03"
    assert der.count(version_3) == 1
    certificate.write_text(ssl.DER_cert_to_PEM_cert(der.replace(version_3, version_4)))
