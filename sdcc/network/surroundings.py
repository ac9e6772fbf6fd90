"""What all associations that peers open have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime

from sdcc.config import AssociationSettings
from sdcc.conformance import SOPClass
from sdcc.network.acceptor import Acceptor
from sdcc.network.gathering import Gathering
from sdcc.network.limits import AssociationLimits, WaitingBytes
from sdcc.network.observers import Observers
from sdcc.network.refusals import RefusalLog
from sdcc.services.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Of a process."""

    acceptor: Acceptor
    registry: Registry
    sop_classes: Mapping[str, SOPClass]
    limits: AssociationLimits
    waiting: WaitingBytes
    settings: AssociationSettings
    clock: IReactorTime
    refusals: RefusalLog
    gathering: Gathering
    observers: Observers
    #: Numbers the associations of this process, for the log.
    next_number: Callable[[], int]
