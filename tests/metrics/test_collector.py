"""What Prometheus is shown of the server as it is."""

from __future__ import annotations

import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from sdcc.interfaces import IndexFigures

from .bench import Bench


def test_the_state_is_one_of_four(bench: Bench) -> None:
    assert bench.samples("sdcc_state") == {
        ("ready",): 1,
        ("degraded",): 0,
        ("draining",): 0,
        ("stopping",): 0,
    }
    bench.is_stopping = True
    assert bench.value("sdcc_state", state="ready") == 0
    assert bench.value("sdcc_state", state="stopping") == 1


def test_why_nothing_is_stored_is_told_by_its_cause(bench: Bench) -> None:
    assert bench.samples("sdcc_storage_refused") == {("disk",): 0, ("index",): 0, ("memory",): 0}
    bench.index.refusal = "PostgreSQL is away"
    assert bench.samples("sdcc_storage_refused") == {("disk",): 0, ("index",): 1, ("memory",): 0}
    bench.objects.refusal, bench.index.refusal, bench.waiting.total = "full", None, 1 << 40
    assert bench.samples("sdcc_storage_refused") == {("disk",): 1, ("index",): 0, ("memory",): 1}


def test_free_space_that_is_not_known_yet_is_not_told(bench: Bench) -> None:
    assert bench.value("sdcc_disk_free_bytes") == 5_000
    assert bench.value("sdcc_disk_minimum_free_bytes") == 1_000
    bench.objects.free_bytes = None
    assert bench.value("sdcc_disk_free_bytes") is None


def test_what_waits_is_read_when_it_is_asked_for(bench: Bench) -> None:
    bench.waiting.total, bench.waiting.operations = 123, 4
    bench.waiting.held.append(object())
    assert bench.value("sdcc_waiting_bytes") == 123
    assert bench.value("sdcc_operations_in_progress") == 4
    assert bench.value("sdcc_associations_held") == 1


def test_the_limit_is_the_one_in_effect(bench: Bench) -> None:
    bench.limits.maximum_open = 7
    assert bench.value("sdcc_associations_limit") == 7


def test_groups_of_the_index_are_sorted_by_their_size(bench: Bench) -> None:
    bench.index.figures = IndexFigures({1: 3, 5: 2, 128: 1}, doubts=9)

    def up_to(bound: str) -> float | None:
        return bench.value("sdcc_index_group_objects_bucket", le=bound)

    assert (up_to("1.0"), up_to("4.0"), up_to("8.0"), up_to("128.0")) == (3, 3, 5, 6)
    assert bench.value("sdcc_index_group_objects_sum") == 3 + 10 + 128
    assert bench.value("sdcc_index_group_objects_count") == 6
    assert bench.value("sdcc_index_doubts") == 9


@pytest.mark.parametrize(
    ("write", "read"),
    [(generate_latest, read_text), (openmetrics, read_openmetrics)],
    ids=["text", "openmetrics"],
)
def test_prometheus_own_parsers_read_all_of_it(everything: Bench, write: object, read: object) -> None:
    """The stricter one of OpenMetrics refuses names that clash, and histograms that do not add up."""
    families = {family.name: family for family in read(write(everything.registry).decode())}
    assert all(families[name].samples for name in families if name.startswith("sdcc_"))
    assert families["sdcc_objects_received"].type == "counter"
    assert families["sdcc_store_duration_seconds"].type == "histogram"
    assert {"process_resident_memory_bytes", "python_info"} <= families.keys()


def test_no_two_samples_are_alike(everything: Bench) -> None:
    samples = [
        (sample.name, tuple(sorted(sample.labels.items())))
        for metric in everything.registry.collect()
        for sample in metric.samples
    ]
    assert len(samples) == len(set(samples))
