"""The key by which a client knows the server again."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from twisted.conch.ssh.keys import BadKeyError, EncryptedKeyError, Key

from sdcc.manhole import HOST_KEY
from sdcc.manhole.guarded import NotGuarded, check_directory, read_guarded

_MODE = 0o600


def host_key(directory: Path) -> Key:
    """The key that a directory holds; it is made where there is none. Blocks.

    :raises NotGuarded: somebody else may know or have written it, or it is no Ed25519 key.
    :raises OSError: it can neither be read nor made.
    """
    path = directory / HOST_KEY
    with suppress(FileNotFoundError):
        return read(path)
    check_directory(directory)
    _make(path)
    return read(path)


def read(path: Path) -> Key:
    """
    :raises NotGuarded: as :func:`host_key`.
    :raises OSError: it cannot be read.
    """
    try:
        key: Key = Key.fromString(read_guarded(path, is_secret=True))
    except (BadKeyError, EncryptedKeyError, ValueError, IndexError):
        raise NotGuarded(
            f"{path} is no private key without a passphrase; without it SDCC makes one"
        ) from None
    if key.isPublic() or key.type() != "Ed25519":
        raise NotGuarded(f"{path} is no private Ed25519 key; without it SDCC makes one")
    return key


def _make(path: Path) -> None:
    """A new key, which has its name once it is durable. One that another process has made meanwhile stays."""
    content = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    # of nobody else's: processes on other hosts and in other containers may have the same ID
    new = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)
    try:
        os.fchmod(file, _MODE)
        os.write(file, content)
        os.fsync(file)
    finally:
        os.close(file)
    try:
        with suppress(FileExistsError):
            os.link(new, path)
    finally:
        os.unlink(new)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
