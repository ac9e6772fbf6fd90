"""The objects on disk, and one on its way there."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

from zope.interface import Attribute, Interface

from sdcc.interfaces.objects import Announcement, Kept, StoredObject


class IReception(Interface):
    """One object on its way to the disk. Called from the reactor's thread; none of it blocks."""

    def write(data: memoryview) -> None:
        """Take the next bytes of the Data Set, copying them.

        Never raises: a fault of the disk is kept for :meth:`complete`, and the bytes that
        follow it are let go. `on_written` is called with the number of bytes as soon as they
        no longer wait in memory.
        """

    async def complete() -> StoredObject:
        """Make the object durable under its final path: file and directory entries synced.

        :raises OutOfResources: the disk failed or is full, or the object is too large.
        :raises DataSetMismatch: see there.
        :raises CannotUnderstand: see there.

        After an exception nothing of the object is on disk.
        """

    async def abandon() -> None:
        """Remove what was written. Never raises; may be called at any time before `complete`."""


class IScratchFile(Interface):
    """A file that is of use to this process alone, and no object's."""

    path = Attribute("str: absolute")

    def read() -> AsyncGenerator[bytes | bytearray, None]:
        """All its bytes, as :meth:`IObjectStore.read` gives them.

        :raises OSError: it cannot be read.
        """

    async def remove() -> None:
        """Remove it, also while it is being read. Never raises."""


class IObjectStore(Interface):
    """The objects on disk."""

    free_bytes = Attribute("int | None: of the disk, known to two seconds; None: not yet.")
    refusal = Attribute(
        "str | None: why no object can be taken at present (free-space floor, not started); "
        "None while objects are taken. Known to 2 seconds."
    )

    def prepare() -> None:
        """Create the storage directory, remove what dead processes left. Blocks; raises OSError."""

    async def stop() -> None:
        """Leave nothing of this process in `incoming`. Receptions still open are abandoned."""

    def begin(announcement: Announcement, on_written: Callable[[int], None]) -> IReception:
        """Open a reception. Touches no disk yet."""

    async def remove(path: str) -> None:
        """Remove a file that no row names (any more). A file that is not there is no error;
        another failure is logged, and leaves an orphan for `sdccctl verify`."""

    def absolute(path: str) -> str:
        """The absolute path of a :attr:`StoredFile.path`."""

    def read(path: str, data_set_size: int) -> AsyncGenerator[bytes | bytearray, None]:
        """The Data Set in a file, as it lies, in blocks read by a worker thread when they are asked for.

        The file is opened at the first block and closed at the end, also where the reader closes it early.

        :param data_set_size: :attr:`StoredFile.data_set_size`; the Data Set is the end of the file.
        :raises OSError: it cannot be read, or its Data Set is not of this size.
        """

    def scratch() -> IScratchFile:
        """A file that is not there yet and that another process may make: it goes when it is removed, and
        with this process.

        :raises OutOfResources: nothing can be taken at present.
        """

    async def difference(kept: Kept, goes_on: Callable[[], bool]) -> str | None:
        """In what a registered object's file is not what was received; None: in nothing.

        The whole file is read, by one worker thread, with pauses while objects are being received.

        :param goes_on: asked by that thread after each block whether anybody still wants to know.
        :raises OSError: the file is not there, or cannot be read, or reading did not go on.
        """
