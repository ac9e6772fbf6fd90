"""The directories of the archive, and how a name in them becomes durable.

A name is durable once the directory that holds it is synced, and so on up to one that is known
durable itself. Which ones are known is remembered here, in bounded memory. Nothing here knows
what the files hold. Nobody else removes a directory of a running archive; where it happens
all the same, an object in it is not acknowledged, and the next one finds the directory remade.
"""

from __future__ import annotations

import datetime
import hashlib
import os.path
import threading
from contextlib import suppress

from sdcc.archive.filesystem import IFileSystem
from sdcc.uid import is_uid

#: The part of the storage directory where objects lie.
OBJECTS = "objects"
#: How many directories are remembered as durable: those in use by far, a few hundred bytes each.
REMEMBERED = 4096


def component(uid: str) -> str:
    """A stranger's UID as a part of a path: as it came where that is safe, else a hash of it."""
    if is_uid(uid):
        return uid
    return hashlib.sha256(uid.encode("utf-8", "backslashreplace")).hexdigest()


def object_path(
    *, received_at: datetime.datetime, study_uid: str, series_uid: str, instance_uid: str, token: str
) -> str:
    """Where an object lies, relative to the storage directory.

    :param received_at: aware, UTC.
    """
    return (
        f"{OBJECTS}/{received_at:%Y/%m/%d}/{component(study_uid)}/{component(series_uid)}"
        f"/{component(instance_uid)}-{token}.dcm"
    )


def make_durable(filesystem: IFileSystem, path: str) -> None:
    """Create a directory, and those above it that are missing, with durable entries."""
    above = os.path.dirname(path)
    try:
        filesystem.make_directory(path)
    except FileNotFoundError:
        make_durable(filesystem, above)
        with suppress(FileExistsError):  # another has only just made it
            filesystem.make_directory(path)
    except FileExistsError:
        # Perhaps only just made by another process. Where its parent is not ours to read, it was not.
        with suppress(PermissionError):
            filesystem.sync_directory(above)
        return
    filesystem.sync_directory(above)


class Directories:
    """The tree below `objects`, which itself exists and is durable. Called from any worker thread."""

    def __init__(self, root: str, *, filesystem: IFileSystem, remembered: int = REMEMBERED) -> None:
        self._top = f"{root}/{OBJECTS}"
        self._fs = filesystem
        self._remembered = remembered
        #: Known durable, in order of last use.
        self._durable: dict[str, None] = {}
        self._mutex = threading.Lock()

    def rename(self, file: str, path: str) -> list[str]:
        """Give a file its final path, in directories made as needed.

        :return: the directories to give to :meth:`sync`, without which the path is not durable.
        :raises FileExistsError: something lies at that path.
        """
        directory = os.path.dirname(path)
        try:
            return self._rename(file, path, directory)
        except FileNotFoundError:  # a directory known durable is gone
            self._forget(directory)
            return self._rename(file, path, directory)

    def sync(self, directories: list[str]) -> None:
        """Make what :meth:`rename` did durable."""
        for directory in directories:
            self._fs.sync_directory(directory)
        self._remember(directories[:-1])

    def make_durable(self, path: str) -> None:
        """Make the name of a file durable that was found, whoever gave it that name.

        What was given later in the same directory is not durable yet.
        """
        self.sync(self._up_to_a_durable_one(os.path.dirname(path)))

    def _rename(self, file: str, path: str, directory: str) -> list[str]:
        *unknown, known = self._up_to_a_durable_one(directory)
        for missing in reversed(unknown):
            with suppress(FileExistsError):  # which does not say that its entry is durable yet
                self._fs.make_directory(missing)
        self._fs.rename(file, path)
        return [*unknown, known]

    def _up_to_a_durable_one(self, directory: str) -> list[str]:
        chain = [directory]
        with self._mutex:
            while chain[-1] != self._top and chain[-1] not in self._durable:
                chain.append(os.path.dirname(chain[-1]))
        self._remember(chain[-1:])
        return chain

    def _remember(self, directories: list[str]) -> None:
        with self._mutex:
            for directory in reversed(directories):
                self._durable.pop(directory, None)
                self._durable[directory] = None
            while len(self._durable) > self._remembered:
                del self._durable[next(iter(self._durable))]

    def _forget(self, directory: str) -> None:
        with self._mutex:
            while directory != self._top:
                self._durable.pop(directory, None)
                directory = os.path.dirname(directory)
