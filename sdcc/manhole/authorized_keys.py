"""Whose keys open the prompt: a file such as OpenSSH's `authorized_keys`.

A line may have no options: none of them is known here, and one that was ignored would let in whom it is
to keep out.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sdcc.manhole.guarded import read_guarded
from sdcc.printable import printable

#: Key types, and the algorithms of their signatures. Not DSA, and not SHA-1, which are broken; not those of
#: hardware keys, whose presence of a person nothing here checks.
SIGNATURES = {
    b"ssh-ed25519": (b"ssh-ed25519",),
    b"ecdsa-sha2-nistp256": (b"ecdsa-sha2-nistp256",),
    b"ecdsa-sha2-nistp384": (b"ecdsa-sha2-nistp384",),
    b"ecdsa-sha2-nistp521": (b"ecdsa-sha2-nistp521",),
    b"ssh-rsa": (b"rsa-sha2-512", b"rsa-sha2-256"),
}
_TYPES = ", ".join(name.decode() for name in SIGNATURES)


def fingerprint(blob: bytes) -> str:
    """Of a public key, as `ssh-keygen -l` shows it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizedKey:
    """A line of the file.

    :ivar blob: the public key in SSH's encoding.
    :ivar fault: why it opens nothing, in words; "": it does.
    """

    number: int
    blob: bytes
    comment: str
    fault: str

    def __str__(self) -> str:
        """For the log."""
        name = fingerprint(self.blob)
        return f"{name} ({printable(self.comment)})" if self.comment else name


def authorized_keys(path: Path, user: int | None = None) -> list[AuthorizedKey]:
    """The keys of a file, those that open nothing included. Blocks.

    :param user: whom the file may belong to beside root; None: the user of this process.
    :raises NotGuarded: others could have written it.
    :raises OSError: it cannot be read.
    """
    return list(_lines(read_guarded(path, user=user)))


def _lines(content: bytes) -> Iterator[AuthorizedKey]:
    for number, line in enumerate(content.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith(b"#"):
            continue
        yield _key(number, words)


def _key(number: int, words: list[bytes]) -> AuthorizedKey:
    """A key behind options is found, too, so that its refusal can say why."""
    at = next((at for at, word in enumerate(words[:-1]) if word in SIGNATURES), None)
    if at is None:
        fault = f"it is no key of a type that is taken; allowed: {_TYPES}"
        return AuthorizedKey(number=number, blob=b"", comment="", fault=fault)
    name, encoded, *comment = words[at:]
    fault = "its options are not known here, and are not ignored" if at else ""
    try:
        blob = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        blob = b""
    if not blob.startswith(len(name).to_bytes(4, "big") + name):
        blob, fault = b"", "its key is damaged"
    return AuthorizedKey(
        number=number, blob=blob, comment=b" ".join(comment).decode("utf-8", "replace"), fault=fault
    )
