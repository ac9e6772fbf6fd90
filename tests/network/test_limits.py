"""Associations are counted per local AE, per caller and in all; waiting bytes, each and in all."""

from __future__ import annotations

import pickle

from sdcc.config import Local, Remote
from sdcc.network.limits import OPERATION_COST, Account, AssociationLimits, WaitingBytes

LOCAL = Local(ae_title="SDCC", max_associations=2)
OTHER = Local(ae_title="OTHER", max_associations=9)
REMOTE = Remote(ae_title="CT01", address="10.0.0.1", max_associations=1)


def test_a_local_ae_has_its_own_limit_and_a_released_slot_is_free_again() -> None:
    limits = AssociationLimits(100)
    first = limits.take("SDCC", "A")
    limits.take("SDCC", "B")
    assert limits.exceeded(LOCAL, None) == "max_associations = 2 of [[local]] 'SDCC' reached"
    assert limits.exceeded(OTHER, None) is None
    limits.release(first)
    assert limits.exceeded(LOCAL, None) is None


def test_a_remote_has_its_own_limit_and_zero_is_none() -> None:
    limits = AssociationLimits(100)
    limits.take("OTHER", "CT01")
    assert "[[remote]] 'CT01'" in str(limits.exceeded(OTHER, REMOTE))
    unlimited = Remote(ae_title="CT01", address="10.0.0.1")
    assert limits.exceeded(OTHER, unlimited) is None


def test_all_together_have_a_limit() -> None:
    limits = AssociationLimits(1)
    slot = limits.take("OTHER", "X")
    assert "maximum_open = 1" in str(limits.exceeded(LOCAL, None))
    limits.release(slot)
    assert limits.total == 0


def test_callers_that_have_left_are_forgotten() -> None:
    """They are strangers, and may call themselves differently each time."""
    limits = AssociationLimits(100)
    before = pickle.dumps(limits)
    for number in range(100):
        limits.release(limits.take("SDCC", f"CALLER{number}"))
    assert pickle.dumps(limits) == before


def account(waiting: WaitingBytes, calls: list[str], name: str) -> Account:
    return Account(waiting, lambda: calls.append(f"pause {name}"), lambda: calls.append(f"resume {name}"))


def test_an_association_is_held_over_its_limit_until_half_is_written() -> None:
    calls: list[str] = []
    one = account(WaitingBytes(of_one=100, of_all=1000), calls, "one")
    one.add(100)
    assert calls == []
    one.add(1)
    one.add(1)
    assert calls == ["pause one"]
    one.remove(51)
    assert calls == ["pause one"]
    one.remove(1)
    assert calls == ["pause one", "resume one"]


def test_over_the_common_limit_whoever_adds_is_held_until_half_of_all_is_written() -> None:
    calls: list[str] = []
    waiting = WaitingBytes(of_one=100, of_all=150, spared=10)
    one, two = account(waiting, calls, "one"), account(waiting, calls, "two")
    one.add(90)
    two.add(70)
    assert calls == ["pause two"]
    two.remove(50)
    assert calls == ["pause two"], "110 of 150 still wait"
    one.remove(40)
    assert calls == ["pause two", "resume two"]
    one.remove(50)
    two.remove(20)
    assert waiting.total == 0


def test_an_association_with_little_waiting_is_never_held_for_the_others() -> None:
    """What performs its operation may be waiting for more; nobody would ever write."""
    calls: list[str] = []
    waiting = WaitingBytes(of_one=1000, of_all=100, spared=50)
    accounts = [account(waiting, calls, str(number)) for number in range(10)]
    for one in accounts:
        one.add(50)
    assert (waiting.total, calls) == (500, [])
    accounts[0].add(1)
    assert calls == ["pause 0"]
    accounts[0].remove(1)
    assert calls == ["pause 0", "resume 0"]


def test_at_twice_the_common_limit_nothing_new_is_stored() -> None:
    """Who has little waiting is never held, and what is performed for those who left is still there."""
    waiting = WaitingBytes(of_one=1000, of_all=100, spared=50)
    accounts = [account(waiting, [], str(number)) for number in range(5)]
    for one in accounts[:4]:
        one.add(50)
    assert waiting.refusal is None
    accounts[4].add(1)
    assert waiting.refusal == "too much waits to be written"
    accounts[0].remove(50)
    assert waiting.refusal is None


def test_operations_count_however_small_they_are() -> None:
    waiting = WaitingBytes(of_all=2 * OPERATION_COST)
    one = account(waiting, [], "one")
    for _ in range(4):
        one.begin_operation()
    assert waiting.refusal is None
    one.begin_operation()
    assert waiting.refusal is not None
    one.end_operation()
    assert waiting.refusal is None
