"""The file of one object, from its first byte to its final path: what worker threads do for it.

Nothing of the reactor and no timing in here: each call blocks, and there is never more than one
call for an object at a time.
"""

from __future__ import annotations

import datetime
import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from twisted.logger import Logger

from sdcc.archive.attributes import ParsedDataSet
from sdcc.archive.directories import Directories, object_path
from sdcc.archive.filesystem import Buffer, IFileSystem
from sdcc.archive.incoming import Incoming
from sdcc.archive.part10 import file_head
from sdcc.data_set.elements import Read
from sdcc.interfaces import Announcement, DataSetMismatch, StoredFile, StoredObject

#: How a Data Set is parsed: how to read it, its size, its Transfer Syntax UID.
Parse = Callable[[Read, int, str], ParsedDataSet]

#: A block of so many bytes is sent on its way to the disk at once; for fewer, that costs more than it spares.
WORTH_WRITING_OUT = 64 * 1024


class _NotYetThere(Exception):
    """More of the Data Set is wanted than has come."""


class PartialFile:
    """An object on its way to its final path. After an exception nothing of it is on disk."""

    _log = Logger()

    def __init__(
        self,
        announcement: Announcement,
        *,
        root: str,
        token: str,
        filesystem: IFileSystem,
        incoming: Incoming,
        directories: Directories,
        parse: Parse,
    ) -> None:
        self._announcement = announcement
        self._root = root
        self._token = token
        self._fs = filesystem
        self._incoming = incoming
        self._directories = directories
        self._parse = parse
        self._head = file_head(announcement)
        self._hash = hashlib.sha256()
        self._size = 0
        #: Where the first block told it all.
        self._parsed: ParsedDataSet | None = None
        #: Where it lies at present, while it is ours to remove.
        self._path: str | None = None
        self._file: int | None = None

    @property
    def exists(self) -> bool:
        """Whether there is something to discard."""
        return self._path is not None

    def append(self, block: Buffer) -> None:
        """Write the next bytes of the Data Set, and hash them; of the first, read what the index needs."""
        with self._nothing_left_behind():
            self._append(block)
            if len(block) == self._size:
                self._parse_beginning(block)

    def finish(self, block: Buffer, received_at: datetime.datetime) -> StoredObject:
        """Write the last bytes of the Data Set and make the object durable under its final path.

        :param received_at: aware, UTC.
        :raises CannotUnderstand: from the parser.
        :raises DataSetMismatch: see there.
        """
        with self._nothing_left_behind():
            file = self._append(block)
            parsed = self._parsed or self._parse(
                self._reader(file, block), self._size, self._announcement.transfer_syntax_uid
            )
            self._check(parsed)
            self._fs.sync(file)
            self._close()
            path = object_path(
                received_at=received_at,
                study_uid=parsed.study.study_instance_uid,
                series_uid=parsed.series.series_instance_uid,
                instance_uid=parsed.instance.sop_instance_uid,
                token=self._token,
            )
            self._move(path)
        return StoredObject(
            study=parsed.study,
            series=parsed.series,
            instance=parsed.instance,
            file=StoredFile(
                path=path,
                size=len(self._head) + self._size,
                data_set_size=self._size,
                sha256=self._hash.hexdigest(),
                transfer_syntax_uid=self._announcement.transfer_syntax_uid,
                received_at=received_at,
                provenance=self._announcement.provenance,
            ),
            fault=parsed.fault,
        )

    def discard(self) -> None:
        """Close the file and remove it. Never raises; where there is no file, does nothing."""
        try:
            self._close()
        except OSError as error:
            self._log.warn("An object's file could not be closed: {error}", error=error.strerror)
        path, self._path = self._path, None
        try:
            if path is not None:
                self._fs.remove(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            self._log.warn("A file could not be removed and is an orphan now: {error}", error=error.strerror)
            self._log.debug("The orphan is {path}", path=path)

    @contextmanager
    def _nothing_left_behind(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.discard()
            raise

    def _append(self, block: Buffer) -> int:
        """Gives the file."""
        head: tuple[bytes, ...] = ()
        if self._file is None:
            self._path, self._file = self._incoming.create(self._token)
            head = (self._head,)
        self._fs.write(self._file, (*head, block))
        if len(block) >= WORTH_WRITING_OUT:
            self._fs.begin_write_out(self._file, len(self._head) + self._size, len(block))
        self._hash.update(block)
        self._size += len(block)
        return self._file

    def _parse_beginning(self, block: Buffer) -> None:
        """Parse while the rest comes, where the first block is enough for it."""
        view = memoryview(block)

        def read(offset: int, length: int) -> bytes:
            if offset + length > len(view):
                raise _NotYetThere
            return bytes(view[offset : offset + length])

        with suppress(Exception):  # whatever it is, `finish` parses again and meets it
            self._parsed = self._parse(read, sys.maxsize, self._announcement.transfer_syntax_uid)

    def _reader(self, file: int, last: Buffer) -> Read:
        """Reads the Data Set: from memory where the last block is all of it, else from the file."""
        if len(last) == self._size:
            view = memoryview(last)
            return lambda offset, length: bytes(view[offset : offset + length])
        start = len(self._head)
        return lambda offset, length: self._fs.read(file, start + offset, length)

    def _check(self, parsed: ParsedDataSet) -> None:
        for name, announced, found in (
            ("SOP Class UID", self._announcement.sop_class_uid, parsed.instance.sop_class_uid),
            ("SOP Instance UID", self._announcement.sop_instance_uid, parsed.instance.sop_instance_uid),
        ):
            if found != announced:
                raise DataSetMismatch(f"{name} of the Data Set is not the Command Set's")

    def _move(self, path: str) -> None:
        """To the final path, relative to the storage directory; returns when it is durable."""
        assert self._path is not None
        final = f"{self._root}/{path}"
        unsynced = self._directories.rename(self._path, final)
        self._path = final
        self._directories.sync(unsynced)
        self._path = None

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            self._fs.close(file)
