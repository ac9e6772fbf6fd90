"""Files beside the objects that arrive, which this process uses for a while."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from twisted.logger import Logger
from zope.interface import implementer

from sdcc.archive import reading
from sdcc.archive.filesystem import IFileSystem
from sdcc.interfaces import IScratchFile, RunInThread


@implementer(IScratchFile)
class ScratchFile:
    """See :class:`sdcc.interfaces.IScratchFile`."""

    _log = Logger()

    def __init__(self, path: str, *, filesystem: IFileSystem, run_in_thread: RunInThread) -> None:
        self.path = path
        self._fs = filesystem
        self._run_in_thread = run_in_thread

    def read(self) -> AsyncGenerator[bytes | bytearray, None]:
        return reading.whole(self.path, filesystem=self._fs, run_in_thread=self._run_in_thread)

    async def remove(self) -> None:
        try:
            await self._run_in_thread(self._fs.remove, self.path)
        except FileNotFoundError:
            pass  # it was never made
        except OSError as error:
            self._log.warn(
                "{path} stays until this process ends: {error}", path=self.path, error=error.strerror
            )
