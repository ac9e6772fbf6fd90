"""Where files go that cannot stay under `objects` and must not be lost.

A file keeps its path, below another top. Nothing is ever moved over another file, or removed. Blocks.
"""

from __future__ import annotations

import os.path
from itertools import count

from sdcc.archive.directories import make_durable
from sdcc.archive.filesystem import IFileSystem

#: The part of the storage directory where such files lie.
QUARANTINE = "quarantine"
#: Names that are tried for a file, where others have come to the same path before.
ATTEMPTS = 1000


def set_aside(path: str, root: str, filesystem: IFileSystem) -> str:
    """Move a file; give its new path, which is durable.

    :param path: relative to the storage directory, as the result is.
    :raises OSError: it is still where it was.
    """
    _sync(f"{root}/{path}", filesystem)
    for number in count():
        new = f"{QUARANTINE}/{path}" + (f".{number}" if number else "")
        make_durable(filesystem, os.path.dirname(f"{root}/{new}"))
        try:
            move(path, new, root, filesystem)
        except FileExistsError:
            if number == ATTEMPTS:
                raise
        else:
            break
    return new


def move(path: str, new: str, root: str, filesystem: IFileSystem) -> None:
    """Give a file another path, durably, in a directory that exists.

    :raises FileExistsError: something lies there.
    """
    filesystem.rename(f"{root}/{path}", f"{root}/{new}")
    for directory in dict.fromkeys((os.path.dirname(new), os.path.dirname(path))):
        filesystem.sync_directory(f"{root}/{directory}")


def _sync(path: str, filesystem: IFileSystem) -> None:
    file = filesystem.open_existing(path)
    try:
        filesystem.sync(file)
    finally:
        filesystem.close(file)
