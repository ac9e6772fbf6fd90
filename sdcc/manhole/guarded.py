"""Files that decide who may log in, read only where nobody but their owner can have written them.

The rule is that of `StrictModes` of OpenSSH's server. All of this blocks.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

#: More than a file of keys ever needs.
MAXIMUM_SIZE = 1 << 20
_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class NotGuarded(Exception):
    """A file is not to be relied on; the text says why, and what to do."""


def read_guarded(path: Path, *, user: int | None = None, is_secret: bool = False) -> bytes:
    """The bytes of a file that only its owner, who is root or the user of the server, can write.

    :param user: of the server; None: this process's.
    :param is_secret: nobody but the owner may read it either.
    :raises NotGuarded: others can.
    :raises OSError: it cannot be read.
    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise NotGuarded(f"{path} is no file")
        if status.st_size > MAXIMUM_SIZE:
            raise NotGuarded(f"{path} has {status.st_size} bytes; allowed: {MAXIMUM_SIZE}")
        _check(path, status, user)
        if is_secret and stat.S_IMODE(status.st_mode) & 0o077:
            raise NotGuarded(f"{path} can be read by others: chmod 600 {path}")
        check_directory(path.parent, user=user)
        return os.read(file, MAXIMUM_SIZE)
    finally:
        os.close(file)


def check_directory(path: Path, *, user: int | None = None) -> None:
    """
    :raises NotGuarded: others could put a file of theirs in the place of one in it.
    :raises OSError: it is not there.
    """
    _check(path, os.stat(path), user)


def _check(path: Path, status: os.stat_result, user: int | None) -> None:
    if status.st_uid not in (0, os.geteuid() if user is None else user):
        raise NotGuarded(f"{path} belongs to user {status.st_uid}; allowed: root and the user of the server")
    if status.st_mode & _BY_OTHERS:
        raise NotGuarded(f"{path} can be written by others than its owner: chmod go-w {path}")
