"""What state the server is in."""

from __future__ import annotations

from typing import Any

import pytest

from sdcc.health import Condition, Health, State

FULL = "free space is under minimum_free"
NOT_STORED = f"nothing is stored: {FULL}"
CROWDED = "[association] maximum_open is reached"


def condition(*, stopping: bool = False, draining: bool = False, **others: Any) -> Condition:
    return Health(
        is_stopping=lambda: stopping,
        is_draining=lambda: draining,
        storage_refusal=lambda: others.get("refusal"),
        is_crowded=lambda: others.get("crowded", False),
    ).condition()


def test_a_server_that_nothing_keeps_from_its_work_is_ready() -> None:
    assert condition() == Condition(State.READY, (), is_fit=True)


@pytest.mark.parametrize(
    ("facts", "state", "reasons", "is_fit"),
    [
        ({"refusal": FULL}, State.DEGRADED, (NOT_STORED,), False),
        ({"crowded": True}, State.DEGRADED, (CROWDED,), True),
        ({"refusal": FULL, "crowded": True}, State.DEGRADED, (NOT_STORED, CROWDED), False),
        ({"draining": True}, State.DRAINING, ("an administrator drains it",), False),
        ({"draining": True, "crowded": True}, State.DRAINING, ("an administrator drains it", CROWDED), False),
        ({"stopping": True}, State.STOPPING, ("the server stops",), False),
        (
            {"stopping": True, "draining": True, "refusal": FULL},
            State.STOPPING,
            ("the server stops", "an administrator drains it", NOT_STORED),
            False,
        ),
    ],
)
def test_every_reason_is_told_and_the_gravest_names_the_state(
    facts: dict[str, Any], state: State, reasons: tuple[str, ...], is_fit: bool
) -> None:
    """A balancer sends elsewhere what would not be stored here; a crowd alone passes by itself."""
    assert condition(**facts) == Condition(state, reasons, is_fit)


def test_the_facts_are_asked_for_anew_each_time() -> None:
    refusals = iter([FULL, None])
    health = Health(
        is_stopping=lambda: False,
        is_draining=lambda: False,
        storage_refusal=lambda: next(refusals),
        is_crowded=lambda: False,
    )
    assert [health.condition().state, health.condition().state] == [State.DEGRADED, State.READY]
