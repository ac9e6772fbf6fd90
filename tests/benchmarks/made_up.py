"""Results that nobody has measured."""

from __future__ import annotations


def result(receiver, *, seconds=1.0, work="a", associations=1, **values):
    """A cell of 100 objects."""
    return {
        "receiver": receiver,
        "work": work,
        "associations": associations,
        "round": 1,
        "seconds": seconds,
        "answer_p50": 0.01,
        "answer_p99": 0.02,
        "acknowledged": 100,
        "refused": [],
        "bytes": 50_000_000,
        "processor_seconds": 0.5,
        "sender_processor_seconds": 0.1,
        "peak_memory": 60_000_000,
        "files": 100,
    } | values
