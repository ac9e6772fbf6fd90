"""The objects that lie on disk, read back from their files alone, as reception described them.

What a file cannot say: the calling AE's IP address, which is empty then, and the moment of reception, for
which the file's last modification stands. An object is judged as reception judged it and no more
strictly, since what was taken must be found again. Nothing is changed or removed. Everything blocks.
"""

from __future__ import annotations

import datetime
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sdcc.archive import attributes
from sdcc.archive.directories import OBJECTS
from sdcc.archive.filesystem import IFileSystem
from sdcc.archive.part10 import COUNTED_FROM, announced, data_set_offset
from sdcc.archive.partial import Parse
from sdcc.interfaces import Announcement, CannotUnderstand, Kept, StoredFile, StoredObject
from sdcc.printable import printable

#: Asked between two blocks whether reading is to go on, in the thread that reads.
GoesOn = Callable[[], bool]

SUFFIX = ".dcm"
#: The directories from `objects` to a file: year, month, day, Study, Series.
DEPTH = 5
#: Those of them that tell the day.
DAYS_DEPTH = 3
#: Where the walk turns back: so deep is nothing but a link that leads in a circle.
DEEPEST = 32
#: Bytes of a file that are in memory at once.
BLOCK = 1 << 20
#: Bytes of the longest File Meta Information that is read.
LONGEST_META = 1 << 20

#: How names begin that NFS gives to files that were removed while they were open.
SILLY_RENAMED = ".nfs"

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class NoObject(Exception):
    """A file that holds no object, or one that contradicts itself; the text says in what, without a value."""


class Interrupted(OSError):
    """Nobody wants to know any more what is in the file."""

    def __init__(self) -> None:
        super().__init__(errno.EINTR, os.strerror(errno.EINTR))


@dataclass(frozen=True, slots=True)
class FoundFile:
    stored: StoredObject
    #: When its name or its bytes were last touched: not before it came to its path. Seconds since the epoch.
    changed_at: float


def files(
    root: str,
    filesystem: IFileSystem,
    on_error: Callable[[str, OSError], None] = lambda path, error: None,
    *,
    since: datetime.date = datetime.date.min,
) -> Iterator[str]:
    """The paths of all files, relative to the storage directory: by day of reception, then by UID.

    Those too that stand where SDCC puts none. A directory is read when the walk comes to it, and no more
    than one of each depth is in memory.

    :param on_error: told of a directory that cannot be read, which is passed over.
    :param since: the first day of reception.
    :raises OSError: the directory of all objects cannot be read.
    """
    top = sorted(filesystem.entries(f"{root}/{OBJECTS}"))
    first = f"{OBJECTS}/{since.year:04}/{since:%m/%d}"

    def below(directory: str, names: list[str], depth: int) -> Iterator[str]:
        for name in names:
            path = f"{directory}/{name}"
            if (depth < DAYS_DEPTH and path < first[: len(path)]) or name.startswith(SILLY_RENAMED):
                continue
            if depth == DEPTH and name.endswith(SUFFIX):
                yield path
                continue
            try:
                inside = sorted(filesystem.entries(f"{root}/{path}"))
            except FileNotFoundError:
                continue
            except NotADirectoryError:
                yield path
            except OSError as error:
                on_error(path, error)
            else:
                if depth < DEEPEST:
                    yield from below(path, inside, depth + 1)

    return below(OBJECTS, top, 0)


def may_be_object(path: str) -> bool:
    """Whether it has the form that :func:`~sdcc.archive.directories.object_path` gives."""
    top, *parts = path.split("/")
    return (
        top == OBJECTS
        and len(parts) == DEPTH + 1
        and {"", ".", ".."}.isdisjoint(parts)
        and path.endswith(SUFFIX)
    )


def sop_instance_uid(path: str) -> str:
    """The SOP Instance UID that a path was made of, as far as it can stand in one."""
    return os.path.basename(path).rpartition("-")[0]


def status(path: str, root: str, filesystem: IFileSystem) -> os.stat_result:
    """The size and the times of any file.

    :raises OSError: it is not there, or cannot be opened.
    """
    file = filesystem.open_existing(f"{root}/{path}")
    try:
        return filesystem.status(file)
    finally:
        filesystem.close(file)


def read(
    path: str,
    root: str,
    filesystem: IFileSystem,
    parse: Parse = attributes.parse,
    *,
    durably: bool = False,
    goes_on: GoesOn = lambda: True,
) -> FoundFile:
    """Read a file whole, in bounded memory.

    :param path: relative to the storage directory.
    :param durably: return when the bytes that were read are durable; the file's name need not be.
    :raises NoObject: see there.
    :raises OSError: it cannot be read.
    """
    with _opened(path, root, filesystem, goes_on) as reading:
        found = reading.object(parse)
        if durably:
            reading.sync()
    return found


def difference(kept: Kept, root: str, filesystem: IFileSystem, goes_on: GoesOn = lambda: True) -> str | None:
    """In what a registered object's file is not what was received; None: in nothing.

    The Data Set is not parsed: its hash proves it, whatever this program's parser thinks of it.

    :raises OSError: the file is not there, or cannot be read.
    """
    try:
        with _opened(kept.path, root, filesystem, goes_on) as reading:
            return reading.difference(kept)
    except NoObject as fault:
        return str(fault)


@contextmanager
def _opened(path: str, root: str, filesystem: IFileSystem, goes_on: GoesOn) -> Iterator[_Reading]:
    """:raises NoObject: also from the block, for what says there that the file is none."""
    if printable(path) != path:
        raise NoObject("no name that SDCC gives")
    file = filesystem.open_existing(f"{root}/{path}")
    try:
        yield _Reading(path, file, filesystem, goes_on)
    except (ValueError, CannotUnderstand) as error:
        raise NoObject(str(error)) from None
    finally:
        filesystem.close(file)


class _Reading:
    """A file that is open."""

    def __init__(self, path: str, file: int, filesystem: IFileSystem, goes_on: GoesOn) -> None:
        self._path = path
        self._file = file
        self._fs = filesystem
        self._goes_on = goes_on
        self._status = filesystem.status(file)
        if not stat.S_ISREG(self._status.st_mode):
            raise ValueError("no regular file")
        self._start = data_set_offset(filesystem.read(file, 0, COUNTED_FROM))
        if self._start - COUNTED_FROM > LONGEST_META:
            raise ValueError(f"the File Meta Information is longer than {LONGEST_META} bytes")
        if self._start > self._status.st_size:
            raise ValueError("the File Meta Information is cut short")

    def object(self, parse: Parse) -> FoundFile:
        """:raises ValueError: the File Meta Information is broken, or another object's."""
        announcement = self._announcement()
        size = self._status.st_size - self._start
        parsed = parse(self._read, size, announcement.transfer_syntax_uid)
        for name, meta, found in (
            ("SOP Class UID", announcement.sop_class_uid, parsed.instance.sop_class_uid),
            ("SOP Instance UID", announcement.sop_instance_uid, parsed.instance.sop_instance_uid),
        ):
            if found != meta:
                raise ValueError(f"{name} of the Data Set is not the File Meta Information's")
        stored = StoredObject(
            study=parsed.study,
            series=parsed.series,
            instance=parsed.instance,
            file=StoredFile(
                path=self._path,
                size=self._status.st_size,
                data_set_size=size,
                sha256=self._sha256(size),
                transfer_syntax_uid=announcement.transfer_syntax_uid,
                received_at=_EPOCH + datetime.timedelta(microseconds=self._status.st_mtime_ns // 1000),
                provenance=announcement.provenance,
            ),
            fault=parsed.fault,
        )
        return FoundFile(stored, self._status.st_ctime)

    def difference(self, kept: Kept) -> str | None:
        """:raises ValueError: the File Meta Information is broken."""
        announcement = self._announcement()
        received = (kept.sop_class_uid, kept.sop_instance_uid, kept.transfer_syntax_uid)
        if self._sha256(self._status.st_size - self._start) != kept.sha256:
            return "the Data Set is another"
        if received != (
            announcement.sop_class_uid,
            announcement.sop_instance_uid,
            announcement.transfer_syntax_uid,
        ):
            return "the File Meta Information is another's"
        return None

    def sync(self) -> None:
        """By the descriptor that has read the bytes: it is told of those that the disk did not take."""
        self._fs.sync(self._file)

    def _announcement(self) -> Announcement:
        return announced(self._fs.read(self._file, COUNTED_FROM, self._start - COUNTED_FROM))

    def _read(self, offset: int, length: int) -> bytes:
        """The Data Set's bytes."""
        return self._fs.read(self._file, self._start + offset, length)

    def _sha256(self, size: int) -> str:
        digest = hashlib.sha256()
        for offset in range(0, size, BLOCK):
            digest.update(self._read(offset, BLOCK))
            if not self._goes_on():
                raise Interrupted
        return digest.hexdigest()
