"""Where the figures come from, each read when somebody asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sdcc.health import Health
from sdcc.interfaces import IIndex, IObjectStore
from sdcc.metrics.counts import Counts
from sdcc.metrics.lag import Lag
from sdcc.network.limits import AssociationLimits, WaitingBytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """All that is shown."""

    counts: Counts
    lag: Lag
    health: Health
    limits: AssociationLimits
    waiting: WaitingBytes
    objects: IObjectStore
    index: IIndex
    #: "SQLite" or "PostgreSQL".
    index_engine: str
    #: Asked at each look: the configuration may change.
    minimum_free: Callable[[], int]
    #: Of SOP Classes, by UID.
    names: Mapping[str, str]
