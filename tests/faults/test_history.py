"""The judge of what a server shows after a fault lets nothing wrong pass, and accuses nobody who is right."""

from __future__ import annotations

import hashlib

import pytest

from .history import History

#: What happened to the versions a, b, c of one object, and what may be shown.
CASES = [
    pytest.param("send a", {"", "a"}, id="sent"),
    pytest.param("send a, acknowledge a", {"a"}, id="acknowledged"),
    pytest.param("send a, acknowledge a, send b", {"a", "b"}, id="acknowledged-then-another-sent"),
    pytest.param("send a, acknowledge a, send b, acknowledge b", {"b"}, id="both-acknowledged"),
    pytest.param("send a, send b, acknowledge b, acknowledge a", {"a", "b"}, id="both-at-once"),
    pytest.param("send a, cut, send b", {"", "a", "b"}, id="cut-and-sent-again"),
    pytest.param("send a, cut, send b, acknowledge b", {"b"}, id="cut-and-acknowledged-later"),
    pytest.param("send a, send b, acknowledge b, cut", {"a", "b"}, id="cut-while-another-was-acknowledged"),
    pytest.param("send a, acknowledge a, cut, send b, cut, send c, cut", {"a", "b", "c"}, id="cut-twice"),
]


def history(events):
    found, versions = History(), {}
    for event in events.split(", "):
        verb, _, name = event.partition(" ")
        if verb == "send":
            versions[name] = found.begin("1.2.3", name.encode())
        elif verb == "acknowledge":
            found.acknowledge(versions[name])
        else:
            found.cut()
    return found


@pytest.mark.parametrize(("events", "right"), CASES)
def test_what_may_be_shown_after_what_happened(events, right):
    """The empty name stands for nothing at all."""
    shown = {
        name: {"1.2.3": hashlib.sha256(name.encode()).hexdigest()} if name else {} for name in ["", *"abc"]
    }
    judged = history(events)
    assert {name for name in shown if not [*judged.contradictions(shown[name])]} == right


def test_what_was_never_sent_is_none_of_it():
    assert [*history("send a").contradictions({"1.2.4": "0"})] == ["1.2.4 was never sent"]


def test_acknowledged_versions_are_counted():
    assert history("send a, acknowledge a, send b, send c, acknowledge c").acknowledged == 2
