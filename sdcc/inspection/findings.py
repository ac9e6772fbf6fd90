"""What an inspection finds, in words that hold no patient's data."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from sdcc.printable import printable


class Kind(StrEnum):
    """What is wrong. The values are what people and programs read."""

    #: A registered object whose file is not there,
    MISSING = "missing"
    #: nor its directory: its disk may be one that is not mounted.
    DIRECTORY_MISSING = "directory-missing"
    #: has another size than its row says,
    WRONG_SIZE = "wrong-size"
    #: or is not what was received any more.
    ALTERED = "altered"
    #: A whole object in a file that no row names,
    ORPHAN = "orphan"
    #: or one that was received later than what the object's row names, as far as clocks can tell,
    LATER = "later"
    #: or one whose path the index has given up, so that no row ever can.
    GIVEN_UP = "given-up"
    #: A file that no row names and that is no object,
    NO_OBJECT = "no-object"
    #: or that stands where SDCC puts none.
    STRAY = "stray"
    #: A row with no row above it.
    NO_PARENT = "no-parent"
    #: A study or series without an object.
    EMPTY = "empty"
    #: The disk does not give it.
    UNREADABLE = "unreadable"


@dataclass(slots=True, kw_only=True)
class Finding:
    """One thing that is wrong."""

    kind: Kind
    #: Relative to the storage directory; empty: it is of no file.
    path: str = ""
    #: The SOP Instance UID, or of a study's or series' row its own; empty: not known.
    uid: str = ""
    #: What it is, and what was done about it or why nothing was; parts of a sentence.
    words: list[str] = field(default_factory=list)
    is_mended: bool = False
    #: A registered object is no more, unless it is sent again.
    is_lost: bool = False

    def mended(self, words: str) -> None:
        self.words.append(words)
        self.is_mended = True

    def __str__(self) -> str:
        """Kind, path, UID and words, between tabs."""
        cells = (self.kind, self.path or "-", self.uid or "-", "; ".join(self.words) or "-")
        return "\t".join(map(printable, cells))


@dataclass(slots=True)
class Counts:
    """What an inspection has looked at, and found."""

    rows: int = 0
    files: int = 0
    findings: Counter[Kind] = field(default_factory=Counter)
    mended: int = 0
    lost: int = 0

    def add(self, finding: Finding) -> None:
        self.findings[finding.kind] += 1
        self.mended += finding.is_mended
        self.lost += finding.is_lost

    @property
    def left(self) -> int:
        """Findings that are not mended."""
        return self.findings.total() - self.mended

    def __str__(self) -> str:
        parts = [
            f"rows {self.rows}, files {self.files}, findings {self.findings.total()}, mended {self.mended}"
        ]
        if self.lost:
            parts.append(f"to be sent again {self.lost}")
        parts += [f"{kind} {count}" for kind in Kind if (count := self.findings[kind])]
        return ", ".join(parts)
