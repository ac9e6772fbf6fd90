"""What is counted, without a server."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry
from twisted.internet.task import Clock

from sdcc.config import Configuration
from sdcc.health import Health
from sdcc.interfaces import (
    AssociationFacts,
    Durations,
    Ending,
    IndexFigures,
    OperationFacts,
    RefusalFacts,
)
from sdcc.metrics.collector import registry
from sdcc.metrics.counts import Counts
from sdcc.metrics.lag import Lag
from sdcc.metrics.sources import Sources
from sdcc.network.limits import AssociationLimits, WaitingBytes

CT = "1.2.840.10008.5.1.4.1.1.2"
NAMES = {uid: known.name for uid, known in Configuration().sop_classes.items()}


def association(**facts: Any) -> AssociationFacts:
    """CT01's to SDCC."""
    return AssociationFacts(
        **{
            "number": 1,
            "calling_ae": "CT01",
            "called_ae": "SDCC",
            "address": "192.0.2.1",
            "is_ours": False,
            "is_remote": True,
            "opened_at": datetime.datetime(2026, 7, 4, tzinfo=datetime.UTC),
            **facts,
        }
    )


def refusal(**facts: Any) -> RefusalFacts:
    return RefusalFacts(
        **{
            "calling_ae": "CT01",
            "called_ae": "SDCC",
            "address": "192.0.2.1",
            "codes": "2/3/2",
            "rule": "association_limits",
            "cause": "full",
            "is_local": True,
            "is_remote": True,
            **facts,
        }
    )


def store(**facts: Any) -> OperationFacts:
    """A C-STORE that a peer invoked, and that succeeded."""
    return OperationFacts(
        **{
            "command_field": 0x0001,
            "sop_class_uid": CT,
            "status": 0x0000,
            "size": 1000,
            "seconds": 0.06,
            "durations": Durations(receiving=0.03, syncing=0.02, registering=0.01),
            **facts,
        }
    )


class Objects:
    refusal: str | None = None
    free_bytes: int | None = 5_000


class Index:
    refusal: str | None = None
    figures = IndexFigures({1: 3, 5: 2}, doubts=4)


class Bench:
    """Sources that a test changes, and what Prometheus would be shown of them."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.counts = Counts(NAMES)
        self.lag = Lag(self.clock)
        self.limits = AssociationLimits(200)
        self.waiting = WaitingBytes()
        self.objects = Objects()
        self.index = Index()
        self.is_stopping = False
        self.health = Health(
            is_stopping=lambda: self.is_stopping,
            is_draining=lambda: False,
            storage_refusal=lambda: self.objects.refusal or self.index.refusal,
            is_crowded=lambda: False,
        )
        self.registry: CollectorRegistry = registry(
            Sources(
                counts=self.counts,
                lag=self.lag,
                health=self.health,
                limits=self.limits,
                waiting=self.waiting,
                objects=self.objects,
                index=self.index,
                index_engine="SQLite",
                minimum_free=lambda: 1_000,
                names=NAMES,
            )
        )

    async def at_once(self, call: Callable[..., Any], *arguments: object) -> Any:
        """Runs what a thread would."""
        return call(*arguments)

    def value(self, name: str, **labels: str) -> float | None:
        """Of one sample; None: there is none."""
        return self.registry.get_sample_value(name, labels)

    def samples(self, name: str) -> dict[tuple[str, ...], float]:
        """Every sample of a name by the values of its labels, in the order of the labels' names."""
        return {
            tuple(value for _, value in sorted(sample.labels.items())): sample.value
            for metric in self.registry.collect()
            for sample in metric.samples
            if sample.name == name
        }


class Everything(Bench):
    """Each metric has at least one sample."""

    def __init__(self) -> None:
        super().__init__()
        watch = self.counts.opened(association())
        watch.performed(store())
        ours = self.counts.opened(association(calling_ae="SDCC", called_ae="PACS", is_ours=True))
        ours.performed(store(is_ours=True, durations=None))

        for each in (watch, ours):
            each.ended(Ending.RELEASED, "")
        self.counts.refused(refusal())
        self.counts.not_opened("PACS", "nobody answers")
