"""Which studies are to be quiet next."""

from __future__ import annotations

from sdcc.completion.watched import Watched


def test_studies_are_taken_in_the_order_of_their_last_objects() -> None:
    watched = Watched(9)
    for uid, now in (("a", 1.0), ("b", 2.0), ("a", 3.0), ("c", 4.0)):
        watched.note(uid, now)
    assert watched.oldest == 2.0
    assert watched.take(3.0, limit=9) == ["b", "a"]
    assert watched.oldest == 4.0


def test_what_is_too_new_stays() -> None:
    watched = Watched(9)
    watched.note("a", 1.0)
    assert watched.take(0.9, limit=9) == []
    assert watched.take(1.0, limit=9) == ["a"]
    assert watched.oldest is None


def test_no_more_are_taken_than_asked_for() -> None:
    watched = Watched(9)
    for uid in "abc":
        watched.note(uid, 1.0)
    assert watched.take(1.0, limit=2) == ["a", "b"]
    assert watched.take(1.0, limit=2) == ["c"]


def test_memory_is_bounded_and_known_studies_stay_known() -> None:
    watched = Watched(2)
    for uid, now in (("a", 1.0), ("b", 2.0), ("c", 3.0), ("a", 4.0)):
        watched.note(uid, now)
    assert watched.take(9.0, limit=9) == ["b", "a"]
