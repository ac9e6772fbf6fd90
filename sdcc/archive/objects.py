"""The objects on disk: where each is received, where it lies, and when none can be taken.

It does not know which objects exist: the index alone decides that. An object's file appears
under its final path whole and durable, is never written again, and goes when the index names it no more.
"""

from __future__ import annotations

import datetime
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from pathlib import Path
from time import sleep

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from sdcc.archive import attributes, reading, stored_files
from sdcc.archive.directories import OBJECTS, Directories, make_durable
from sdcc.archive.filesystem import IFileSystem
from sdcc.archive.incoming import INCOMING, Incoming, host_and_pid
from sdcc.archive.partial import Parse, PartialFile
from sdcc.archive.reception import Reception
from sdcc.archive.scratch import ScratchFile
from sdcc.archive.space import FreeSpace
from sdcc.interfaces import Announcement, IObjectStore, Kept, OutOfResources, RunInThread

#: Seconds that a check of stored files pauses after each block while objects are being received: a modality
#: waits for its answers, and nobody for the check.
PAUSE = 0.01


@implementer(IObjectStore)
class ObjectStore:
    """See :class:`sdcc.interfaces.IObjectStore`.

    :param directory: the storage directory. Created if missing, by :meth:`prepare` only:
        if it vanishes later, a file system that is not mounted is not written to in its place.
    :param read_in_thread: for what may take longer.
    :param minimum_free: bytes; 0: no floor.
    :param maximum_object_size: bytes of a Data Set.
    :param new_token: gives a part of a file name that was never used before, of letters and digits.
    :param now: the time, aware, UTC.
    """

    _log = Logger()

    def __init__(
        self,
        directory: Path,
        *,
        filesystem: IFileSystem,
        run_in_thread: RunInThread,
        read_in_thread: RunInThread,
        clock: IReactorTime,
        minimum_free: int,
        maximum_object_size: int,
        new_token: Callable[[], str],
        now: Callable[[], datetime.datetime],
        parse: Parse = attributes.parse,
        process: Callable[[], str] = host_and_pid,
    ) -> None:
        self._root = str(directory.absolute())
        self._fs = filesystem
        self._run_in_thread = run_in_thread
        self._read_in_thread = read_in_thread
        self._maximum_object_size = maximum_object_size
        self._new_token = new_token
        self._now = now
        self._parse = parse
        self._incoming = Incoming(
            self._root, filesystem=filesystem, new_name=lambda: f"{process()}-{new_token()}", now=now
        )
        self._directories = Directories(self._root, filesystem=filesystem)
        self._space = FreeSpace(
            self._root,
            filesystem=filesystem,
            run_in_thread=run_in_thread,
            clock=clock,
            minimum_free=minimum_free,
        )
        self._closing = reading.Closing(run_in_thread, clock)
        #: In the order in which they were begun: so a stop abandons them.
        self._receptions: dict[Reception, None] = {}
        self._idle: str | None = "not started"

    def reconfigure(self, *, minimum_free: int, maximum_object_size: int) -> None:
        """Keep so much free from now on, and take objects of such a size from the next one on."""
        self._maximum_object_size = maximum_object_size
        self._space.reconfigure(minimum_free=minimum_free)

    @property
    def refusal(self) -> str | None:
        return self._idle or self._space.shortage

    @property
    def free_bytes(self) -> int | None:
        """Of the disk, known to two seconds; None: not yet."""
        return self._space.free

    @property
    def own_folder(self) -> str | None:
        """Of this process alone; whatever it leaves there the next one removes. None: there is none."""
        return self._incoming.folder

    def prepare(self) -> None:
        make_durable(self._fs, self._root)
        for name in (OBJECTS, INCOMING):
            with suppress(FileExistsError):
                self._fs.make_directory(f"{self._root}/{name}")
        self._fs.sync_directory(self._root)
        self._space.check()
        self._incoming.claim()
        self._idle = None

    def unprepare(self) -> None:
        """Leave no folder in `incoming` to a start that fails: the next one would take this for a crash."""
        self._incoming.release()

    def start(self) -> None:
        """Watch the free space; called in the reactor's thread, after :meth:`prepare`."""
        self._space.start()

    async def stop(self) -> None:
        self._idle = "stopping"
        for reception in tuple(self._receptions):
            await reception.abandon(self._idle)
        await self._closing.close_all()
        await self._space.stop()
        await self._run_in_thread(self._incoming.release)

    @property
    def doubtful_since(self) -> datetime.date | None:
        """The first day of reception from which on files and index may disagree; None: they do not."""
        return self._incoming.doubtful_since

    def doubt(self) -> None:
        """Files and index may disagree when this process has stopped."""
        self._incoming.doubt()

    @property
    def was_alone(self) -> bool:
        """Whether no other process had the storage directory when this one began."""
        return self._incoming.was_alone

    async def looked_through(self) -> None:
        """Files and index have been compared since that day.

        :raises OSError: this cannot be written down; the next process may compare them again.
        """
        await self._run_in_thread(self._incoming.looked_through)

    def begin(self, announcement: Announcement, on_written: Callable[[int], None]) -> Reception:
        reception = Reception(
            PartialFile(
                announcement,
                root=self._root,
                token=self._new_token(),
                filesystem=self._fs,
                incoming=self._incoming,
                directories=self._directories,
                parse=self._parse,
            ),
            run_in_thread=self._run_in_thread,
            now=self._now,
            space=self._space,
            maximum_size=self._maximum_object_size,
            refusal=self.refusal,
            on_written=on_written,
            closed=lambda reception: self._receptions.pop(reception, None),
        )
        self._receptions[reception] = None
        return reception

    async def remove(self, path: str) -> None:
        """:raises ValueError: this is no path of an object."""
        top, *below = path.split("/")
        if top != OBJECTS or not below or not {"", ".", ".."}.isdisjoint(below):
            raise ValueError(f"{path!r} does not lie under {OBJECTS}/")
        try:
            await self._run_in_thread(self._fs.remove, self.absolute(path))
        except FileNotFoundError:
            pass
        except OSError as error:
            self._log.warn("A file could not be removed and is an orphan now: {error}", error=error.strerror)
            self._log.debug("The orphan is {path}", path=path)

    async def difference(self, kept: Kept, goes_on: Callable[[], bool]) -> str | None:
        def goes_on_gently() -> bool:
            if self._receptions:
                sleep(PAUSE)
            return goes_on()

        return await self._read_in_thread(stored_files.difference, kept, self._root, self._fs, goes_on_gently)

    def absolute(self, path: str) -> str:
        return f"{self._root}/{path}"

    def read(self, path: str, data_set_size: int) -> AsyncGenerator[bytes | bytearray, None]:
        return reading.data_set(
            self.absolute(path),
            data_set_size,
            filesystem=self._fs,
            run_in_thread=self._run_in_thread,
            closing=self._closing,
        )

    def scratch(self) -> ScratchFile:
        if (refusal := self.refusal) is not None:
            raise OutOfResources(refusal)
        return ScratchFile(
            self._incoming.path(self._new_token()), filesystem=self._fs, run_in_thread=self._run_in_thread
        )
