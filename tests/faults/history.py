"""What was sent, in which order, and how it was answered: so also what a server may show after a fault.

Of one SOP Instance UID there may be many versions. What may stand is a version that no acknowledged one
has followed: one that was answered 0000, or one that was sent and may have been stored unanswered.
"""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Version:
    """One object that was sent. Moments are numbers that grow."""

    uid: str
    sha256: str
    begun: int
    #: When it was answered, or could be no more; None: it still may.
    ended: int | None = None
    is_acknowledged: bool = False


class History:
    """All versions of all objects. Any thread may use it."""

    def __init__(self):
        self._moments = itertools.count()
        self._versions = {}

    def begin(self, uid, data_set):
        """A version, of which no byte has been sent yet."""
        version = Version(uid, hashlib.sha256(data_set).hexdigest(), next(self._moments))
        self._versions.setdefault(uid, []).append(version)
        return version

    def acknowledge(self, version):
        version.is_acknowledged = True
        version.ended = next(self._moments)

    def cut(self):
        """The server is gone: what has not been answered will not be."""
        moment = next(self._moments)
        for versions in self._versions.values():
            for version in versions:
                if version.ended is None:
                    version.ended = moment

    @property
    def acknowledged(self):
        """How many were."""
        return sum(version.is_acknowledged for version in itertools.chain(*self._versions.values()))

    def contradictions(self, shown):
        """What is wrong with what a server shows, in words.

        :param shown: SHA-256 of the Data Set by SOP Instance UID.
        """
        for uid in shown.keys() - self._versions.keys():
            yield f"{uid} was never sent"
        for uid, versions in self._versions.items():
            if uid not in shown:
                if any(version.is_acknowledged for version in versions):
                    yield f"{uid} is lost"
                continue
            found = [version for version in versions if version.sha256 == shown[uid]]
            if not found:
                yield f"{uid} has bytes that were never sent"
            elif not any(_may_stand(version, versions) for version in found):
                yield f"{uid} is an old version again"


def _may_stand(version, versions):
    return not any(
        other.is_acknowledged and version.ended is not None and other.begun > version.ended
        for other in versions
    )
