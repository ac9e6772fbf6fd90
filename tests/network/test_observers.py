"""Several observers as one, and none."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.logger import capturedLogs
from zope.interface.verify import verifyObject

from sdcc.interfaces import AssociationFacts, Ending, IAssociationWatch, IObserver, OperationFacts
from sdcc.network.observers import NOBODY

from .recording import NOW, Recorder, observers

FACTS: dict[str, Any] = {
    "number": 7,
    "calling_ae": "CT01",
    "called_ae": "SDCC",
    "address": "192.0.2.1",
    "is_ours": False,
    "is_remote": True,
    "is_secure": False,
}
OPERATION = OperationFacts(command_field=0x30, sop_class_uid="1.2", status=0, size=0, seconds=0.5)


class Failing(Recorder):
    """An observer, or what it keeps of an association, that fails as often as it is told anything."""

    def opened(self, association: AssociationFacts) -> Any:
        watch = super().opened(association)
        watch.performed = watch.ended = self._fail
        return watch

    def refused(self, refusal: Any) -> None:
        self._fail()

    not_opened = refused

    def _fail(self, *facts: object) -> None:
        raise RuntimeError("a fault of an observer")


class Blind(Recorder):
    def opened(self, association: AssociationFacts) -> Any:
        raise RuntimeError("a fault of an observer")


def test_the_contracts_are_kept() -> None:
    recorder = Recorder()
    watch = observers(recorder).opened(**FACTS)
    assert verifyObject(IObserver, recorder)
    assert verifyObject(IAssociationWatch, watch)


def test_every_observer_is_told_everything_in_order() -> None:
    recorders = [Recorder(), Recorder()]
    all_of_them = observers(*recorders)
    watch = all_of_them.opened(**FACTS)
    assert watch is not None
    watch.performed(OPERATION)
    watch.ended(Ending.RELEASED, "the peer released it")
    all_of_them.refused(lambda: "refusal")
    all_of_them.not_opened("PACS", "no answer in time")
    for recorder in recorders:
        assert recorder.watch.facts == AssociationFacts(**FACTS, opened_at=NOW)
        assert recorder.watch.operations == [OPERATION]
        assert recorder.watch.endings == [(Ending.RELEASED, "the peer released it")]
        assert recorder.refusals == ["refusal"]
        assert recorder.failures == [("PACS", "no answer in time")]


def test_with_no_observer_nothing_is_made() -> None:
    assert NOBODY.opened(**FACTS) is None
    NOBODY.refused(lambda: pytest.fail("nobody wants the facts"))
    NOBODY.not_opened("PACS", "no answer in time")


@pytest.mark.parametrize("kind", [Failing, Blind])
def test_an_observer_that_fails_hurts_nobody_and_is_logged_once(kind: type[Recorder]) -> None:
    recorder = Recorder()
    all_of_them = observers(kind(), recorder)
    with capturedLogs() as events:
        for _ in range(3):
            watch = all_of_them.opened(**FACTS)
            assert watch is not None
            watch.performed(OPERATION)
            watch.ended(Ending.TIMEOUT, "no progress")
        all_of_them.not_opened("PACS", "no answer in time")
    assert [each.endings for each in recorder.watches] == [[(Ending.TIMEOUT, "no progress")]] * 3
    assert recorder.failures == [("PACS", "no answer in time")]
    assert [event["observer"] for event in events] == [kind.__name__]
