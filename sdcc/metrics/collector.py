"""The figures as metrics of Prometheus, made when they are asked for.

Names and units follow Prometheus' practice: base units, `_total` for what only grows. Every label's values
are bounded by the configuration or the standard. `docs/metrics.rst` has each metric with its meaning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from sdcc import __version__
from sdcc.dimse.command import CommandField
from sdcc.health import State
from sdcc.metrics.counts import CLASS_OF_STATUSES, NOT_ANSWERED, OTHER, Parties, Traffic
from sdcc.metrics.histogram import Histogram
from sdcc.metrics.sources import Sources

#: Label values, and what is counted under them.
Rows: TypeAlias = Iterable[tuple[Sequence[str], float]]
Histograms: TypeAlias = Iterable[tuple[Sequence[str], Histogram]]

#: Of all that is counted between two Application Entities.
PARTIES = ("calling_ae", "called_ae", "requestor")
#: Bounds of the objects in one transaction of the index.
GROUPS = (1, 2, 4, 8, 16, 32, 64, 128)


def counter(name: str, text: str, labels: Sequence[str], rows: Rows) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, count in rows:
        family.add_metric(values, count)
    return family


def gauge(name: str, text: str, labels: Sequence[str], rows: Rows) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


def single(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def histogram(name: str, text: str, labels: Sequence[str], histograms: Histograms) -> Metric:
    family = HistogramMetricFamily(name, text, labels=labels)
    for values, each in histograms:
        buckets = [(floatToGoString(bound), count) for bound, count in each.buckets()]
        family.add_metric(values, buckets, each.sum)
    return family


def side(is_ours: bool) -> str:
    return "sdcc" if is_ours else "peer"


def command_name(command_field: int) -> str:
    """As PS3.7 names the service: C-STORE."""
    return str(CommandField(command_field)).removesuffix("-RQ") if command_field else OTHER


def status_name(status: int) -> str:
    """Four hexadecimal digits, one and `xxx` for all that begin with it, or `none`."""
    if status == NOT_ANSWERED:
        return "none"
    return f"{(status & 0xFFFF) >> 12:X}xxx" if status & CLASS_OF_STATUSES else f"{status:04X}"


class SDCCCollector(Collector):
    """Collects everything but what the library itself knows of the process."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Metric]:
        traffic = [(labels(parties), each) for parties, each in self._sources.counts.traffic.items()]
        yield from self._server()
        yield from self._associations(traffic)
        yield from self._operations(traffic)
        yield from self._objects(traffic)
        yield from self._index()

    def _server(self) -> Iterator[Metric]:
        sources = self._sources
        build = ([__version__, sources.index_engine], 1)
        yield gauge("sdcc_build_info", "What runs; always 1.", ("version", "index"), [build])
        current = sources.health.condition().state
        yield gauge(
            "sdcc_state",
            "1 for the state that the server is in, 0 for the others.",
            ("state",),
            [((state,), state is current) for state in State],
        )
        yield histogram(
            "sdcc_reactor_lag_seconds",
            "How late a timer of the reactor was, looked at twice a second.",
            (),
            [((), sources.lag.seconds)],
        )
        yield gauge(
            "sdcc_storage_refused",
            "1 where this is why no object is taken at present.",
            ("cause",),
            [
                (("disk",), sources.objects.refusal is not None),
                (("index",), sources.index.refusal is not None),
                (("memory",), sources.waiting.refusal is not None),
            ],
        )
        if (free := sources.objects.free_bytes) is not None:
            yield single("sdcc_disk_free_bytes", "Free in the storage directory.", free)
        yield single(
            "sdcc_disk_minimum_free_bytes",
            "[storage] minimum_free: with less, no object is taken.",
            sources.minimum_free(),
        )

    def _associations(self, traffic: Sequence[tuple[Sequence[str], Traffic]]) -> Iterator[Metric]:
        sources = self._sources
        yield gauge(
            "sdcc_associations_open",
            "Associations that are open.",
            PARTIES,
            [(parties, each.open) for parties, each in traffic],
        )
        yield single(
            "sdcc_associations_limit",
            "[association] maximum_open: so many peers may have open at once.",
            sources.limits.maximum_open,
        )
        yield counter(
            "sdcc_associations_opened",
            "Associations that were established: SDCC accepted those that a peer requested.",
            PARTIES,
            [(parties, each.opened) for parties, each in traffic],
        )
        yield counter(
            "sdcc_associations_ended",
            "Associations that have ended, by how.",
            (*PARTIES, "ending"),
            [
                ((*parties, ending), count)
                for parties, each in traffic
                for ending, count in each.endings.items()
            ],
        )
        yield counter(
            "sdcc_associations_refused",
            "Associations that SDCC rejected: result/source/reason of the A-ASSOCIATE-RJ, and the rule.",
            ("calling_ae", "called_ae", "codes", "rule"),
            sources.counts.refusals.items(),
        )
        yield counter(
            "sdcc_associations_not_opened",
            "Associations that SDCC requested in vain.",
            ("called_ae",),
            [((called_ae,), count) for called_ae, count in sources.counts.vain.items()],
        )
        yield single(
            "sdcc_associations_held",
            "Associations that nothing is read from, because too much of theirs waits to be written.",
            len(sources.waiting.held),
        )
        yield single(
            "sdcc_waiting_bytes",
            "Bytes of Data Sets that wait in memory to be written.",
            sources.waiting.total,
        )

    def _operations(self, traffic: Sequence[tuple[Sequence[str], Traffic]]) -> Iterator[Metric]:
        yield single(
            "sdcc_operations_in_progress",
            "Operations of peers that are being performed.",
            self._sources.waiting.operations,
        )
        yield counter(
            "sdcc_operations",
            "Operations that have ended, by who invoked them, their command and their status.",
            (*PARTIES, "invoker", "command", "status"),
            [
                ((*parties, side(is_ours), command_name(field), status_name(status)), count)
                for parties, each in traffic
                for (field, status, is_ours), count in each.operations.items()
            ],
        )
        yield histogram(
            "sdcc_operation_duration_seconds",
            "From the whole Command Set of a request to its response; of SDCC's own, from its turn.",
            ("command", "invoker"),
            [
                ((command_name(field), side(is_ours)), each)
                for (field, is_ours), each in self._sources.counts.durations.items()
                if not each.is_empty
            ],
        )

    def _objects(self, traffic: Sequence[tuple[Sequence[str], Traffic]]) -> Iterator[Metric]:
        names = self._sources.names
        for way, text in (
            ("received", "that were stored here"),
            ("sent", "that SDCC sent and a peer has stored"),
        ):
            transfers = [(parties, getattr(each, way)) for parties, each in traffic]
            yield counter(
                f"sdcc_objects_{way}",
                f"Objects {text}.",
                (*PARTIES, "sop_class"),
                [
                    ((*parties, names.get(uid, uid)), count)
                    for parties, each in transfers
                    for uid, count in each.objects.items()
                ],
            )
            yield counter(
                f"sdcc_{way}_bytes",
                f"Bytes of the Data Sets of objects {text}.",
                PARTIES,
                [(parties, each.bytes) for parties, each in transfers],
            )
        yield histogram(
            "sdcc_store_duration_seconds",
            "Each stage of a C-STORE that stored an object: receiving, syncing, registering.",
            (*PARTIES, "stage"),
            [
                ((*parties, stage), each)
                for parties, traffic_of in traffic
                for stage, each in traffic_of.stages.items()
                if not each.is_empty
            ],
        )

    def _index(self) -> Iterator[Metric]:
        figures = self._sources.index.figures
        groups = Histogram(GROUPS)
        for size, times in figures.groups.items():
            groups.observe(size, times)
        yield histogram(
            "sdcc_index_group_objects", "Objects in one transaction of the index.", (), [((), groups)]
        )
        yield single(
            "sdcc_index_doubts",
            "Objects of which nobody knows at present whether they are registered.",
            figures.doubts,
        )


def labels(parties: Parties) -> tuple[str, str, str]:
    """The values of :data:`PARTIES`."""
    return parties.calling_ae, parties.called_ae, side(parties.is_ours)


def registry(sources: Sources) -> CollectorRegistry:
    """All metrics of this process: a registry of its own, so that nothing else is in it."""
    found = CollectorRegistry()
    found.register(SDCCCollector(sources))
    ProcessCollector(registry=found)
    PlatformCollector(registry=found)
    GCCollector(registry=found)
    return found
