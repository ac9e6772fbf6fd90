"""Where files go that cannot stay under `objects` and must not be lost.

A file keeps its path, below another top. Beside it stands what its row said, when it had one: without that
nobody could prove any more what had been received. Nothing is ever moved over a file, or removed. Blocks.
"""

from __future__ import annotations

import json
import os.path
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import count
from typing import TypeVar

from sdcc.archive.directories import make_durable
from sdcc.archive.filesystem import IFileSystem
from sdcc.interfaces import StoredObject

T = TypeVar("T")

#: The part of the storage directory where such files lie.
QUARANTINE = "quarantine"
#: Names that are tried for a file, where others have come to the same path before.
ATTEMPTS = 1000
#: What the name of a row's record ends with, behind the file's.
RECORD = ".row.json"
#: Bytes of a record that are read.
LONGEST_RECORD = 1 << 20


def set_aside(path: str, root: str, filesystem: IFileSystem) -> str:
    """Move a file; give its new path, which is durable.

    :param path: relative to the storage directory, as the result is.
    :raises OSError: it is still where it was.
    """
    _sync(f"{root}/{path}", filesystem)

    def move_to(new: str) -> str:
        move(path, new, root, filesystem)
        return new

    return _at_a_free_path(path, "", root, filesystem, move_to)


def record(stored: StoredObject, root: str, filesystem: IFileSystem) -> None:
    """Write down what a row says that is about to be removed; return when it is durable.

    :raises OSError: it is not, and the row is to stay.
    """
    path = stored.file.path
    if stored.file.sha256 in _recorded_hashes(path, root, filesystem):
        return
    text = json.dumps(asdict(stored), default=str, indent=1)

    def write(new: str) -> None:
        file = filesystem.create(f"{root}/{new}")
        try:
            filesystem.write(file, [f"{text}\n".encode("utf-8", "backslashreplace")])
            filesystem.sync(file)
        finally:
            filesystem.close(file)
        filesystem.sync_directory(os.path.dirname(f"{root}/{new}"))

    _at_a_free_path(path, RECORD, root, filesystem, write)


def is_another(stored: StoredObject, root: str, filesystem: IFileSystem) -> bool:
    """Whether there was a row for a file of this path, and it was about another Data Set.

    :raises OSError: what was written down of it cannot be read.
    """
    hashes = _recorded_hashes(stored.file.path, root, filesystem)
    return bool(hashes) and stored.file.sha256 not in hashes


def _recorded_hashes(path: str, root: str, filesystem: IFileSystem) -> set[str]:
    hashes: set[str] = set()
    for new in _candidates(path, RECORD):
        try:
            file = filesystem.open_existing(f"{root}/{new}")
        except (FileNotFoundError, NotADirectoryError):
            break
        try:
            hashes.add(json.loads(filesystem.read(file, 0, LONGEST_RECORD))["file"]["sha256"])
        except (ValueError, LookupError, TypeError):
            pass  # cut off by a crash: its row was still there after it
        finally:
            filesystem.close(file)
    return hashes


def _candidates(path: str, ending: str) -> Iterator[str]:
    for number in count():
        yield f"{QUARANTINE}/{path}" + (f".{number}" if number else "") + ending


def _at_a_free_path(path: str, ending: str, root: str, filesystem: IFileSystem, put: Callable[[str], T]) -> T:
    """Put something at the first path where nothing lies."""
    for number, new in enumerate(_candidates(path, ending)):
        make_durable(filesystem, os.path.dirname(f"{root}/{new}"))
        try:
            return put(new)
        except FileExistsError:
            if number == ATTEMPTS:
                raise
    raise AssertionError("there is always another path")


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
