"""How an association that SDCC opens can fail, or a request over one: the kinds of AssociationLost."""

from __future__ import annotations

from sdcc.interfaces import AssociationLost
from sdcc.upper_layer.pdu import AssociateRJ


class NotConnected(AssociationLost):
    """No transport connection could be opened."""


class AssociationRejected(AssociationLost):
    """The peer answered A-ASSOCIATE-RJ."""

    def __init__(self, answer: AssociateRJ) -> None:
        super().__init__(f"rejected {answer.why}")
        self.answer = answer


class AssociationAborted(AssociationLost):
    """The association ended before its time."""


class ContextRefused(AssociationLost):
    """The association stands, but not the Presentation Context that was needed."""


class NoResponse(AssociationLost):
    """A step took longer than its timeout."""
