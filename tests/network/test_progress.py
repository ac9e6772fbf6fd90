"""A peer that gets on is left alone, one that does not is found out in time."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from sdcc.network.progress import LEAST_PROGRESS, ProgressWatch

TIMEOUT = 300


class Watched:
    def __init__(self) -> None:
        self.clock = Clock()
        self.is_ours = False
        self.expired = 0
        self.watch = ProgressWatch(self.clock, TIMEOUT, is_our_turn=lambda: self.is_ours, expired=self.expire)

    def expire(self) -> None:
        self.expired += 1


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_silence_expires_once_and_not_before_its_time(watched: Watched) -> None:
    watched.clock.advance(TIMEOUT - 1)
    assert not watched.expired
    watched.clock.advance(1)
    assert watched.expired == 1
    watched.clock.advance(10 * TIMEOUT)
    assert watched.expired == 1


def test_a_byte_between_messages_is_progress(watched: Watched) -> None:
    for _ in range(5):
        watched.clock.advance(TIMEOUT - 1)
        watched.watch.received(1, inside_message=False)
    assert not watched.expired
    watched.clock.advance(TIMEOUT - 1)
    assert not watched.expired
    watched.clock.advance(1)
    assert watched.expired


def test_inside_a_message_a_few_bytes_are_none(watched: Watched) -> None:
    for _ in range(4):
        watched.clock.advance(TIMEOUT / 5)
        watched.watch.received(LEAST_PROGRESS // 4 - 1, inside_message=True)
    watched.clock.advance(TIMEOUT / 5)
    assert watched.expired


def test_inside_a_message_enough_bytes_are(watched: Watched) -> None:
    for _ in range(20):
        watched.clock.advance(TIMEOUT / 5)
        watched.watch.received(LEAST_PROGRESS // 4, inside_message=True)
    assert not watched.expired


def test_while_it_is_our_turn_nothing_expires(watched: Watched) -> None:
    watched.is_ours = True
    watched.clock.advance(3 * TIMEOUT)
    watched.is_ours = False
    watched.clock.advance(TIMEOUT - 1)
    assert not watched.expired
    watched.clock.advance(TIMEOUT)
    assert watched.expired


def test_stopped_it_leaves_nothing_behind(watched: Watched) -> None:
    watched.watch.stop()
    assert watched.clock.getDelayedCalls() == []
