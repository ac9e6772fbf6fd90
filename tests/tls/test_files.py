"""The files of `[tls]`: what cannot be used, and what should be seen to, each in a sentence."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sdcc.config import TLS
from sdcc.tls import NotUsable
from sdcc.tls.files import common_name, concerns, read

from ..certificates import DAY, NOW, Authority, give_no_version, pem, rsa_key


def problems(settings: TLS) -> list[str]:
    with pytest.raises(NotUsable) as raised:
        read(settings)
    return str(raised.value).splitlines()


def test_all_that_is_named_is_read(settings: TLS, authority: Authority) -> None:
    found = read(settings)
    assert [common_name(one) for one in found.certificates] == ["server"]
    assert found.client_authorities == found.server_authorities == (authority.certificate,)
    assert list(concerns(found, NOW)) == []


def test_the_authorities_of_peers_that_are_called_may_be_others(settings: TLS, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    found = read(replace(settings, server_authorities=other.path))
    assert found.server_authorities == (other.certificate,)
    assert read(replace(settings, client_authorities=None)).server_authorities == ()


def test_a_chain_is_read_whole(settings: TLS, authority: Authority) -> None:
    path = authority.sign("server", with_authority=True)
    assert read(settings).certificates[1:] == (authority.certificate,)
    assert path == settings.certificate


def a_request(settings: TLS) -> str:
    settings.certificate.write_text(
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----"
    )
    return f"[tls].certificate: {settings.certificate} is no certificate in PEM"


def no_version(settings: TLS) -> str:
    give_no_version(settings.certificate)
    return (
        f"[tls].certificate: {settings.certificate} holds a certificate that cannot be read: "
        "3 is not a valid X509 version"
    )


def nothing(settings: TLS) -> str:
    settings.certificate.write_bytes(b"")
    return f"[tls].certificate: {settings.certificate} is no certificate in PEM"


def missing(settings: TLS) -> str:
    settings.certificate.unlink()
    return f"[tls].certificate: {settings.certificate} cannot be read: No such file or directory"


def no_authority(settings: TLS) -> str:
    assert settings.client_authorities is not None
    settings.client_authorities.write_bytes(b"\x30\x82 in DER")
    return f"[tls].client_authorities: {settings.client_authorities} is no certificate in PEM"


def key_missing(settings: TLS) -> str:
    settings.private_key.unlink()
    return f"[tls].private_key: {settings.private_key} cannot be read: No such file or directory"


def no_key(settings: TLS) -> str:
    settings.private_key.write_bytes(settings.certificate.read_bytes())
    return f"[tls].private_key: {settings.private_key} is no private key in PEM"


def another_key(settings: TLS) -> str:
    settings.private_key.write_bytes(pem(rsa_key(2048)))
    return (
        f"[tls].private_key: {settings.private_key} is not the key of the first certificate in "
        f"{settings.certificate}"
    )


def an_encrypted_key(settings: TLS) -> str:
    settings.private_key.write_bytes(pem(rsa_key(2048), b"secret"))
    return (
        f"[tls].private_key: {settings.private_key} is encrypted; allowed: a key without a password, in a "
        "file that others cannot read"
    )


SPOILING = [
    a_request,
    no_version,
    nothing,
    missing,
    no_authority,
    key_missing,
    no_key,
    another_key,
    an_encrypted_key,
]


@pytest.mark.parametrize("spoil", SPOILING)
def test_a_file_that_cannot_be_used_is_named_with_its_key(settings: TLS, spoil: Callable[[TLS], str]) -> None:
    expected = spoil(settings)
    assert problems(settings) == [expected]


def test_all_that_is_wrong_is_said_at_once(settings: TLS) -> None:
    expected = [missing(settings), an_encrypted_key(settings), no_authority(settings)]
    assert problems(settings) == expected


# --- concerns ---


@pytest.mark.parametrize(
    ("mode", "is_exposed"), [(0o600, False), (0o640, False), (0o644, True), (0o602, True)]
)
def test_a_key_that_all_users_may_read_is_a_concern(settings: TLS, mode: int, *, is_exposed: bool) -> None:
    settings.private_key.chmod(mode)
    found = list(concerns(read(settings), NOW))
    expected = f"[tls].private_key: all users of this host may read or change {settings.private_key}"
    assert found == ([expected] if is_exposed else [])


@pytest.mark.parametrize(
    ("days", "what"),
    [
        (-2, "is not valid before {begin} UTC: peers refuse it"),
        (0, None),
        (334, None),
        (336, "ends on {end} UTC, days left: 29"),
        (364.5, "ends on {end} UTC, days left: 0"),
        (366, "has expired on {end} UTC: peers refuse it"),
    ],
)
def test_dates_are_looked_at(settings: TLS, authority: Authority, days: float, what: str | None) -> None:
    """Certificates of the tests are valid from a day ago until in a year."""
    begin, end = (f"{NOW + count * DAY:%Y-%m-%d %H:%M}" for count in (-1, 365))
    found = concerns(read(settings), NOW + datetime.timedelta(days=days))
    assert list(found) == (
        []
        if what is None
        else [
            f"[tls].{key}: the certificate of {name!r} in {path} {what.format(begin=begin, end=end)}"
            for key, name, path in (
                ("certificate", "server", settings.certificate),
                ("client_authorities", "authority", authority.path),
            )
        ]
    )
