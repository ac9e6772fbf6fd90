"""Why an object is not kept: each reason is a class of statuses of C-STORE."""

from __future__ import annotations

from collections.abc import Awaitable

from sdcc.interfaces.objects import Registered


class NotStored(Exception):
    """An object was not kept. The text is for the Error Comment and the log: no patient data in it."""


class OutOfResources(NotStored):
    """The disk or the index could not take the object (PS3.4 Table B.2-1, A7xx)."""


class Unstorable(OutOfResources):
    """The index works, but cannot hold what it would have to of this object."""


class DataSetMismatch(NotStored):
    """The Data Set's SOP Class or Instance UID differs from the Command Set's (A9xx)."""


class CannotUnderstand(NotStored):
    """The Data Set cannot be parsed as far as its UIDs, or lacks one of them (Cxxx)."""


class OutcomeUnknown(OutOfResources):
    """Whether the registration was committed is not known yet; the object's file must stay.

    :ivar settled: fires with the :class:`Registered` when the commit turns out to have
        happened, with None when it certainly did not and never will, whoever has found
        the file meanwhile (the caller removes it).
    """

    def __init__(self, reason: str, settled: Awaitable[Registered | None]) -> None:
        super().__init__(reason)
        self.settled = settled
