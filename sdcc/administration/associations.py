"""The associations that are open, those that SDCC opened included."""

from __future__ import annotations

from typing import TypeAlias

from zope.interface import implementer

from sdcc.interfaces.administration import Facts
from sdcc.interfaces.observation import (
    AssociationFacts,
    Ending,
    IAssociationWatch,
    IObserver,
    OperationFacts,
    RefusalFacts,
)

#: Whether SDCC opened it, and its number: those that SDCC opens have a series of their own.
Key: TypeAlias = tuple[bool, int]


@implementer(IObserver)
class OpenAssociations:
    """Lists them, and keeps nothing of those that have ended."""

    def __init__(self) -> None:
        self._open: dict[Key, OpenAssociation] = {}

    def opened(self, association: AssociationFacts) -> OpenAssociation:
        opened = OpenAssociation(association, self._open)
        self._open[opened.key] = opened
        return opened

    def refused(self, refusal: RefusalFacts) -> None:
        """It is never open."""

    def not_opened(self, called_ae: str, cause: str) -> None:
        """It is never open."""

    def facts(self) -> list[Facts]:
        """What is known of each, in the order in which they were opened."""
        return [association.facts() for association in self._open.values()]


@implementer(IAssociationWatch)
class OpenAssociation:
    """One of them."""

    __slots__ = ("_association", "_bytes", "_open", "_operations", "key")

    def __init__(self, association: AssociationFacts, among: dict[Key, OpenAssociation]) -> None:
        self.key: Key = (association.is_ours, association.number)
        self._association = association
        self._open = among
        self._operations = 0
        self._bytes = 0

    def performed(self, operation: OperationFacts) -> None:
        self._operations += 1
        self._bytes += operation.size

    def ended(self, ending: Ending, cause: str) -> None:
        self._open.pop(self.key, None)

    def facts(self) -> Facts:
        association = self._association
        return {
            "number": association.number,
            "calling_ae": association.calling_ae,
            "called_ae": association.called_ae,
            "address": association.address,
            "is_ours": association.is_ours,
            "is_secure": association.is_secure,
            "opened_at": association.opened_at.isoformat(timespec="seconds"),
            "operations": self._operations,
            "bytes": self._bytes,
        }
