"""What the peers know: every version of every object that was sent, and which of them were acknowledged.

This is the oracle. It knows what went over the wire and nothing of what the server made of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from .schedule import Schedule

FOREVER = float("inf")


@dataclass(slots=True, eq=False)
class Version:
    """One Data Set that was sent under a SOP Instance UID."""

    uid: str
    number: int
    #: Of the server that it was sent to.
    port: int
    data_set: bytes
    sha256: str
    #: When its sender began.
    begun: float
    #: Its last byte was sent, so that it may be registered.
    is_whole: bool = False
    #: When Success had come; None: no such answer came.
    acknowledged: float | None = None
    #: From when on it cannot be registered any more: it was, or its server has died.
    over: float = FOREVER

    def __str__(self) -> str:
        return f"{self.uid} version {self.number}"

    def was_certainly_before(self, other: Version) -> bool:
        """Whether it was over when the other began."""
        return self.over < other.begun


@dataclass(slots=True)
class History:
    """
    :param on_acknowledgement: called with each Success that reaches its peer.
    """

    schedule: Schedule
    on_acknowledgement: Callable[[], None]
    versions: dict[str, list[Version]] = field(default_factory=dict)
    #: Of all Successes that have come.
    count: int = 0

    def begin(self, uid: str, port: int, data_set: bytes) -> Version:
        versions = self.versions.setdefault(uid, [])
        digest = hashlib.sha256(data_set).hexdigest()
        version = Version(uid, len(versions), port, data_set, digest, self.schedule.now)
        versions.append(version)
        return version

    def acknowledge(self, version: Version) -> None:
        self.schedule.note("Success has come for", version)
        version.acknowledged = version.over = self.schedule.now
        self.count += 1
        self.on_acknowledgement()

    def server_died(self, port: int) -> None:
        """What was sent to a server that is no more, and not acknowledged, ends with it."""
        for versions in self.versions.values():
            for version in versions:
                if version.port == port:
                    version.over = min(version.over, self.schedule.now)

    def acknowledged(self) -> Iterator[tuple[str, list[Version]]]:
        """The UIDs of which any version was acknowledged, with those versions."""
        for uid, versions in self.versions.items():
            known = [version for version in versions if version.acknowledged is not None]
            if known:
                yield uid, known

    def sent_as(self, uid: str, sha256: str) -> Version | None:
        """The version with this Data Set; None: nobody sent such a one."""
        for version in self.versions.get(uid, ()):
            if version.is_whole and version.sha256 == sha256:
                return version
        return None
