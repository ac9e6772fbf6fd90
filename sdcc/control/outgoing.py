"""The files that a command is to send: found, their File Meta Information read, put into associations.

Everything that touches the disk blocks. Knows no network.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from sdcc.archive.part10 import COUNTED_FROM, announced, data_set_offset
from sdcc.uid import is_uid
from sdcc.upper_layer.items import ProposedContext

#: Bytes of the longest File Meta Information that is read.
LONGEST_META = 1 << 20
#: PS3.4 Annex B knows no such object: it lists those of a medium.
MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
#: What the standard calls the file of it (PS3.10 8.6).
DICOMDIR = "DICOMDIR"

#: A SOP Class UID and a Transfer Syntax UID.
Pair: TypeAlias = tuple[str, str]


class NotSendable(Exception):
    """A file that cannot be sent; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingFile:
    """A DICOM file, as its File Meta Information describes it."""

    path: str
    pair: Pair
    sop_instance_uid: str
    #: Bytes of its Data Set.
    size: int


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What was found."""

    files: list[OutgoingFile] = field(default_factory=list)
    #: Path and reason of each that cannot be sent.
    faulty: list[tuple[str, str]] = field(default_factory=list)

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


def find(paths: Iterable[str], goes_on: Callable[[], bool] = lambda: True) -> Outgoing:
    """Look at files, and at those in directories however deep, in the order of their names.

    :param goes_on: asked between two files.
    """
    found = Outgoing()
    for path in _files(paths, lambda path, error: found.faulty.append((path, _words(error)))):
        if not goes_on():
            break
        try:
            found.files.append(look(path))
        except NotSendable as fault:
            found.faulty.append((path, str(fault)))
        except OSError as error:
            found.faulty.append((path, _words(error)))
    return found


def _files(paths: Iterable[str], on_error: Callable[[str, OSError], None]) -> Iterator[str]:
    for path in paths:
        if not os.path.isdir(path):
            yield path
            continue
        for directory, subdirectories, names in os.walk(
            path, onerror=lambda error: on_error(os.fspath(error.filename), error)
        ):
            subdirectories.sort()
            yield from (os.path.join(directory, name) for name in sorted(names) if name != DICOMDIR)


def look(path: str) -> OutgoingFile:
    """
    :raises NotSendable: it is no DICOM file, or holds no object.
    :raises OSError: it cannot be read.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise NotSendable("no regular file")
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            start = data_set_offset(file.read(COUNTED_FROM))
            if start - COUNTED_FROM > LONGEST_META:
                raise ValueError(f"the File Meta Information is longer than {LONGEST_META} bytes")
            announcement = announced(file.read(start - COUNTED_FROM))
        except ValueError as error:
            raise NotSendable(str(error)) from None
    uids = (
        announcement.sop_class_uid,
        announcement.sop_instance_uid,
        announcement.transfer_syntax_uid,
    )
    if wrong := [uid for uid in uids if not is_uid(uid)]:
        raise NotSendable(f"the File Meta Information has {wrong[0][:64]!r} for a UID, which is none")
    if announcement.sop_class_uid == MEDIA_DIRECTORY:
        raise NotSendable("the directory of a medium, which is no object to be stored")
    if start >= size:
        raise NotSendable("there is no Data Set in it")
    return OutgoingFile(
        path=path,
        pair=(announcement.sop_class_uid, announcement.transfer_syntax_uid),
        sop_instance_uid=announcement.sop_instance_uid,
        size=size - start,
    )


def _words(error: OSError) -> str:
    return error.strerror or str(error)


# --- put into associations -----------------------------------------------------------------


def batches(files: Sequence[OutgoingFile], maximum_contexts: int) -> Iterator[list[OutgoingFile]]:
    """The files of each association: their pairs are as many as it has contexts."""
    numbers: dict[Pair, int] = {}
    for file in files:
        numbers.setdefault(file.pair, len(numbers))
    for first in range(0, len(numbers), maximum_contexts):
        yield [file for file in files if first <= numbers[file.pair] < first + maximum_contexts]


def contexts(files: Iterable[OutgoingFile]) -> list[ProposedContext]:
    """One for each pair, so that the peer can refuse each by itself."""
    return [
        ProposedContext(id=2 * number + 1, abstract_syntax=sop_class, transfer_syntaxes=(transfer_syntax,))
        for number, (sop_class, transfer_syntax) in enumerate(dict.fromkeys(file.pair for file in files))
    ]
