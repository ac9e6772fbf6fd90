"""What state the server is in, and why: one judgement for `/health`, the metrics and the administrator.

It is asked for anew each time, of parts that know already: nothing here waits or measures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """The later one prevails where two hold."""

    #: Associations are let in, and objects are stored.
    READY = "ready"
    #: Associations are let in, but nothing is stored; or no more of them are let in until one ends.
    DEGRADED = "degraded"
    #: No new associations are let in, until an administrator says otherwise.
    DRAINING = "draining"
    #: The process ends.
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class Condition:
    """How the server is."""

    state: State
    #: Sentences for an administrator, without patient data; empty when ready.
    reasons: tuple[str, ...] = ()
    #: Whether new associations should be sent here, if there is a choice. A crowded server stays fit: it is
    #: crowded for a moment, and taking it out of a balancer's list would only crowd the next one.
    is_fit: bool = True


class Health:
    """Judges by what it is given, each asked at every look.

    :param storage_refusal: why nothing can be stored at present; None: objects are taken.
    :param is_crowded: whether as many associations are open as may be.
    """

    def __init__(
        self,
        *,
        is_stopping: Callable[[], bool],
        is_draining: Callable[[], bool],
        storage_refusal: Callable[[], str | None],
        is_crowded: Callable[[], bool],
    ) -> None:
        self._is_stopping = is_stopping
        self._is_draining = is_draining
        self._storage_refusal = storage_refusal
        self._is_crowded = is_crowded

    def condition(self) -> Condition:
        """The state at this moment, with every reason for it."""
        refusal = self._storage_refusal()
        reasons = {
            "the server stops": self._is_stopping(),
            "an administrator drains it": self._is_draining(),
            f"nothing is stored: {refusal}": refusal is not None,
            "[association] maximum_open is reached": self._is_crowded(),
        }
        stopping, draining, refusing, crowded = reasons.values()
        if stopping:
            state = State.STOPPING
        elif draining:
            state = State.DRAINING
        else:
            state = State.DEGRADED if refusing or crowded else State.READY
        return Condition(
            state,
            tuple(reason for reason, holds in reasons.items() if holds),
            is_fit=not (stopping or draining or refusing),
        )
