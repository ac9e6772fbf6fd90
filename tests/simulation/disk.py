"""A disk in memory that knows what of it is durable, and what a power cut may leave of the rest.

A file is durable as far as it was synced, a directory's entries as far as the directory was. At a power cut
each write and each change of an entry that was not synced survives or not, independently of all others: files
without a name, names without their bytes, bytes that were written last without those before them. No real
file system is as bad; what holds here holds on all.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from random import Random


def failure(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@dataclass(slots=True, eq=False)
class File:
    """Bytes, and of which of them it is certain that they stay."""

    data: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    #: Offset and length of what was written since the last sync.
    writes: list[tuple[int, int]] = field(default_factory=list)
    #: Who holds the lock (flock).
    locked_by: object = None
    #: Seconds since the epoch.
    changed_at: float = 0.0

    def append(self, data: bytes) -> None:
        self.writes.append((len(self.data), len(data)))
        self.data += data

    def sync(self) -> None:
        self.durable = bytes(self.data)
        self.writes.clear()

    def after_power_cut(self, random: Random) -> File:
        survived = bytearray(self.durable)
        for offset, length in self.writes:
            written = self.data[offset : offset + length]
            match random.randrange(4):
                case 0:
                    continue
                case 1:
                    written = written[: random.randint(0, length)]
                case 2:
                    written = bytearray(length)  # its size came to the disk, its bytes did not
            survived += bytes(max(0, offset - len(survived)))
            survived[offset : offset + len(written)] = written
        return File(survived, bytes(survived), changed_at=self.changed_at)


@dataclass(slots=True, eq=False)
class Directory:
    """Entries, and of which of them it is certain that they stay."""

    entries: dict[str, Node] = field(default_factory=dict)
    durable: dict[str, Node] = field(default_factory=dict)
    #: The changes since the last sync: a name, and what it names or None.
    changes: list[tuple[str, Node | None]] = field(default_factory=list)

    def link(self, name: str, node: Node) -> None:
        if name in self.entries:
            raise failure(errno.EEXIST)
        self.entries[name] = node
        self.changes.append((name, node))

    def unlink(self, name: str) -> None:
        if name not in self.entries:
            raise failure(errno.ENOENT)
        del self.entries[name]
        self.changes.append((name, None))

    def sync(self) -> None:
        self.durable = dict(self.entries)
        self.changes.clear()

    def survivors(self, random: Random, chance: float) -> dict[str, Node]:
        survived = dict(self.durable)
        for name, node in self.changes:
            if random.random() >= chance:
                continue
            if node is None:
                survived.pop(name, None)
            else:
                survived[name] = node
        return survived


Node = File | Directory


class Disk:
    """The tree of all files.

    :ivar free: bytes that can still be written.
    :ivar is_broken: every call fails.
    """

    PLENTY = 1 << 40

    def __init__(self) -> None:
        self.root = Directory()
        self.free = self.PLENTY
        self.is_broken = False

    def directory(self, path: str) -> Directory:
        node: Node = self.root
        for name in filter(None, path.split("/")):
            if not isinstance(node, Directory):
                raise failure(errno.ENOTDIR)
            if name not in node.entries:
                raise failure(errno.ENOENT)
            node = node.entries[name]
        if not isinstance(node, Directory):
            raise failure(errno.ENOTDIR)
        return node

    def place(self, path: str) -> tuple[Directory, str]:
        """The directory that holds, or would hold, what lies at a path, and its name there."""
        above, _, name = path.rpartition("/")
        return self.directory(above), name

    def file(self, path: str) -> File:
        directory, name = self.place(path)
        if name not in directory.entries:
            raise failure(errno.ENOENT)
        node = directory.entries[name]
        if not isinstance(node, File):
            raise failure(errno.EISDIR)
        return node

    def find(self, path: str) -> File | None:
        """The file at a path; None: there is none."""
        try:
            return self.file(path)
        except OSError:
            return None

    def names(self, path: str) -> list[str]:
        """What is in a directory; nothing where there is none."""
        try:
            return sorted(self.directory(path).entries)
        except OSError:
            return []

    def files(self, path: str) -> dict[str, File]:
        """All files below a directory, by their whole paths; none where there is no such directory."""
        try:
            top = self.directory(path)
        except OSError:
            return {}
        found: dict[str, File] = {}

        def walk(directory: Directory, above: str) -> None:
            for name, node in sorted(directory.entries.items()):
                if isinstance(node, File):
                    found[f"{above}/{name}"] = node
                else:
                    walk(node, f"{above}/{name}")

        walk(top, path)
        return found

    def power_cut(self, random: Random) -> None:
        """From now on the disk is what the power cut left."""
        chance = random.choice((0.0, 0.5, 0.9))
        survived: dict[Node, Node] = {}

        def copy(node: Node) -> Node:
            if node not in survived:
                if isinstance(node, File):
                    survived[node] = node.after_power_cut(random)
                else:
                    fresh = survived[node] = Directory()
                    fresh.entries = {
                        name: copy(entry) for name, entry in node.survivors(random, chance).items()
                    }
                    fresh.durable = dict(fresh.entries)
            return survived[node]

        root = copy(self.root)
        assert isinstance(root, Directory)
        self.root = root
