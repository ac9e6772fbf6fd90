"""Counts what happens on associations, cheaply: it is within the hot path of a C-STORE.

Everything is in the reactor's thread. What strangers can make up, such as their AE titles, is never a key:
the memory that this takes is bounded by the configuration.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from typing import NamedTuple

from zope.interface import implementer

from sdcc.dimse.command import CommandField
from sdcc.dimse.status import Status, is_warning
from sdcc.interfaces import (
    AssociationFacts,
    Durations,
    Ending,
    IAssociationWatch,
    IObserver,
    OperationFacts,
    RefusalFacts,
)
from sdcc.metrics.histogram import Histogram

#: In place of an AE title that is no `[[remote]]`, or no `[[local]]` of the port.
UNKNOWN = "(unknown)"
#: In place of a SOP Class that is none of the table, and of a Command Field that is no request's.
OTHER = "(other)"

#: Added to the first digit of a status that is none of SDCC's own: peers may answer with any of 65,536.
CLASS_OF_STATUSES = 0x10000

#: In place of the status of an operation of ours that was never answered: 0110 is what peers answer.
NOT_ANSWERED = 0x20000

_STATUSES = frozenset({*map(int, Status), NOT_ANSWERED})
_REQUESTS = frozenset(int(field) for field in CommandField if not field & 0x8000)
_STORE = int(CommandField.C_STORE_RQ)


class Kind(NamedTuple):
    """What tells operations apart."""

    #: Of the request; 0: none that there is.
    command_field: int
    #: One of SDCC's own, a :data:`CLASS_OF_STATUSES`, or :data:`NOT_ANSWERED`.
    status: int
    #: Whether SDCC invoked it.
    is_ours: bool


def _kind(command_field: int, status: int, is_ours: bool) -> Kind:
    return Kind(
        command_field if command_field in _REQUESTS else 0,
        status if status in _STATUSES else CLASS_OF_STATUSES | status & 0xF000,
        is_ours,
    )


class Transfers:
    """Objects that went one way."""

    __slots__ = ("bytes", "objects")

    def __init__(self) -> None:
        #: By SOP Class UID, or :data:`OTHER`.
        self.objects: Counter[str] = Counter()
        #: Of their Data Sets.
        self.bytes = 0

    def count(self, sop_class_uid: str, size: int) -> None:
        self.objects[sop_class_uid] += 1
        self.bytes += size


class Stages:
    """How long the parts of each C-STORE took that stored an object."""

    __slots__ = ("receiving", "registering", "syncing")

    def __init__(self) -> None:
        self.receiving = Histogram()
        self.syncing = Histogram()
        self.registering = Histogram()

    def observe(self, durations: Durations) -> None:
        self.receiving.observe(durations.receiving)
        self.syncing.observe(durations.syncing)
        self.registering.observe(durations.registering)

    def items(self) -> tuple[tuple[str, Histogram], ...]:
        """Each by its name."""
        return (
            ("receiving", self.receiving),
            ("syncing", self.syncing),
            ("registering", self.registering),
        )


class Parties(NamedTuple):
    """Two Application Entities, as labels: no stranger's text is among them."""

    calling_ae: str
    called_ae: str
    #: Whether SDCC is the requestor.
    is_ours: bool


class Traffic:
    """All that was counted between two parties."""

    __slots__ = ("endings", "open", "opened", "operations", "received", "sent", "stages")

    def __init__(self) -> None:
        self.opened = 0
        self.open = 0
        self.endings: Counter[Ending] = Counter()
        self.operations: dict[tuple[int, int, bool], int] = {}
        self.received = Transfers()
        self.sent = Transfers()
        self.stages = Stages()


class Refusal(NamedTuple):
    """What tells refusals apart."""

    calling_ae: str
    called_ae: str
    codes: str
    rule: str


@implementer(IObserver)
class Counts:
    """What there was since the start of the process.

    What is counted under a `[[remote]]` stays, though the next configuration may not have it any more.

    :param sop_classes: the UIDs that are told apart.
    """

    def __init__(self, sop_classes: Container[str]) -> None:
        self._sop_classes = sop_classes
        self.traffic: dict[Parties, Traffic] = {}
        self.refusals: Counter[Refusal] = Counter()
        #: Associations that SDCC asked a `[[remote]]` for and did not get, by its AE title.
        self.vain: Counter[str] = Counter()
        #: As :attr:`~sdcc.interfaces.OperationFacts.seconds` has it, by the Command Field of the request
        #: and whether SDCC invoked it: a peer's slowness is none of ours.
        self.durations: dict[tuple[int, bool], Histogram] = {
            (field, is_ours): Histogram() for field in (0, *sorted(_REQUESTS)) for is_ours in (False, True)
        }

    def opened(self, association: AssociationFacts) -> IAssociationWatch:
        peer = association.peer_ae if association.is_remote else UNKNOWN
        parties = (
            Parties(association.calling_ae, peer, True)
            if association.is_ours
            else Parties(peer, association.called_ae, False)
        )
        traffic = self.traffic.get(parties)
        if traffic is None:
            traffic = self.traffic[parties] = Traffic()
        traffic.opened += 1
        traffic.open += 1
        return _Watch(traffic, self.durations, self._sop_classes)

    def refused(self, refusal: RefusalFacts) -> None:
        calling_ae = refusal.calling_ae if refusal.is_remote else UNKNOWN
        called_ae = refusal.called_ae if refusal.is_local else UNKNOWN
        self.refusals[Refusal(calling_ae, called_ae, refusal.codes, refusal.rule)] += 1

    def not_opened(self, called_ae: str, cause: str) -> None:
        self.vain[called_ae] += 1


@implementer(IAssociationWatch)
class _Watch:
    """Holds what it counts in: nothing is looked up by the parties any more."""

    __slots__ = ("_durations", "_sop_classes", "_traffic")

    def __init__(
        self,
        traffic: Traffic,
        durations: dict[tuple[int, bool], Histogram],
        sop_classes: Container[str],
    ) -> None:
        self._traffic = traffic
        self._durations = durations
        self._sop_classes = sop_classes

    def performed(self, operation: OperationFacts) -> None:
        traffic = self._traffic
        is_ours = operation.is_ours
        status = NOT_ANSWERED if is_ours and not operation.is_answered else operation.status
        kind = (operation.command_field, status, is_ours)
        if kind not in traffic.operations:
            kind = _kind(*kind)
            traffic.operations.setdefault(kind, 0)
        traffic.operations[kind] += 1
        self._durations[kind[0], is_ours].observe(operation.seconds)
        if kind[0] == _STORE and (status == 0 or is_warning(status)):
            uid = operation.sop_class_uid
            transfers = traffic.sent if is_ours else traffic.received
            transfers.count(uid if uid in self._sop_classes else OTHER, operation.size)
            if operation.durations is not None:
                traffic.stages.observe(operation.durations)

    def ended(self, ending: Ending, cause: str) -> None:
        self._traffic.open -= 1
        self._traffic.endings[ending] += 1
