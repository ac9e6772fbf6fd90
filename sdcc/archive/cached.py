"""What the kernel has in memory, asked for without waiting: a file's name, and its bytes.

Linux can be asked to open and to read only what needs no disk (openat2 with RESOLVE_CACHED, since 5.12;
preadv2 with RWF_NOWAIT, since 4.14). Who may not block, and would otherwise give every small read to a
thread, asks here first. None is the answer wherever the disk would have to be waited for, and wherever the
system does not know of such questions; nothing is raised.

Of file systems those of a local disk know them (ext4, XFS, btrfs), and others do not (tmpfs, overlayfs, NFS,
FUSE). Where another host has the file, to open it waits for that host whatever is asked for: so nothing is
to be opened here before a file of the same file system was asked with :func:`is_answered`.
"""

from __future__ import annotations

import ctypes
import errno
import os

#: As nearly all machines number it. On the others (MIPS, alpha) it is none, or one that fails.
_OPENAT2 = 437
_RESOLVE_CACHED = 0x20
_AT_FDCWD = -100


class _OpenHow(ctypes.Structure):
    """struct open_how of <linux/openat2.h>."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_HOW = _OpenHow(os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, 0, _RESOLVE_CACHED)
#: The call waits for nothing, so it may keep the interpreter to itself.
_syscall = ctypes.PyDLL(None).syscall
_syscall.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.POINTER(_OpenHow), ctypes.c_size_t)
_syscall.restype = ctypes.c_long
#: Absent where Python was built without it.
_NOWAIT: int | None = getattr(os, "RWF_NOWAIT", None)


def open_cached(path: str) -> int | None:
    """Open a file for reading, all of whose directories are in memory; None also where it is not there."""
    if _NOWAIT is None:
        return None
    file: int = _syscall(_OPENAT2, _AT_FDCWD, os.fsencode(path), _HOW, ctypes.sizeof(_HOW))
    return file if file >= 0 else None


def read_cached(file: int, offset: int, length: int) -> bytearray | None:
    """The bytes from an offset on that are in memory, perhaps none, and no more than there are.

    None: the file system does not know of such questions, or this is no regular file.
    """
    if _NOWAIT is None:
        return None
    data = bytearray(length)
    try:
        read = os.preadv(file, [data], offset, _NOWAIT)
    except OSError as error:  # EAGAIN; what is wrong with the file shows where it is waited for
        if error.errno == errno.EOPNOTSUPP:
            return None
        read = 0
    del data[read:]
    return data


def is_answered(file: int) -> bool:
    """Whether the file system of a file that is open knows of such questions."""
    return read_cached(file, 0, 1) is not None
