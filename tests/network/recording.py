"""An observer that keeps what it is told."""

from __future__ import annotations

import datetime
from typing import Any

from zope.interface import implementer

from sdcc.interfaces import (
    AssociationFacts,
    Ending,
    IAssociationWatch,
    IObserver,
    OperationFacts,
    RefusalFacts,
)
from sdcc.network.observers import Observers

NOW = datetime.datetime(2026, 2, 28, 12, tzinfo=datetime.UTC)


@implementer(IAssociationWatch)
class Watch:
    def __init__(self, facts: AssociationFacts) -> None:
        self.facts = facts
        self.operations: list[OperationFacts] = []
        self.endings: list[tuple[Ending, str]] = []

    def performed(self, operation: OperationFacts) -> None:
        assert not self.endings, "the end is told last"
        self.operations.append(operation)

    def ended(self, ending: Ending, cause: str) -> None:
        self.endings.append((ending, cause))

    @property
    def ending(self) -> Ending:
        [(ending, _)] = self.endings
        return ending


@implementer(IObserver)
class Recorder:
    """
    :ivar watches: of the associations that were opened, in their order.
    """

    def __init__(self) -> None:
        self.watches: list[Watch] = []
        self.refusals: list[RefusalFacts] = []
        self.failures: list[tuple[str, str]] = []

    def opened(self, association: AssociationFacts) -> Watch:
        self.watches.append(Watch(association))
        return self.watches[-1]

    def refused(self, refusal: RefusalFacts) -> None:
        self.refusals.append(refusal)

    def not_opened(self, called_ae: str, cause: str) -> None:
        self.failures.append((called_ae, cause))

    @property
    def watch(self) -> Watch:
        [watch] = self.watches
        return watch


def observers(*watching: Any) -> Observers:
    return Observers(watching, lambda: NOW)
