"""Addresses are compared as addresses, and names are asked for once a minute at most."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock

from sdcc.network.addresses import (
    LOOKUP_TIMEOUT,
    NAME_LIFETIME,
    Resolver,
    ip_address,
    literal,
    resolve_blocking,
)

HOME = ipaddress.ip_address("192.168.10.21")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.168.10.21", "192.168.10.21"),
        ("::ffff:192.168.10.21", "192.168.10.21"),
        ("::1", "::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_an_address_is_the_same_however_it_is_written(text: str, address: str) -> None:
    assert ip_address(text) == ipaddress.ip_address(address)


def test_a_name_is_no_literal() -> None:
    assert literal("ct01.example") is None
    assert literal("192.168.10.21") == {HOME}


def test_a_name_without_an_address_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror("unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert resolve_blocking("nowhere.example") == frozenset()
    assert resolve_blocking("192.168.10.21") == {HOME}


class Threads:
    def __init__(self) -> None:
        self.jobs: list[tuple[str, Deferred[Any]]] = []

    def __call__(self, call: Callable[..., Any], /, *arguments: Any) -> Deferred[Any]:
        job: Deferred[Any] = Deferred()
        self.jobs.append((arguments[0], job))
        return job


def test_calls_at_once_share_a_question_and_its_answer_lasts_a_minute() -> None:
    threads, clock = Threads(), Clock()
    resolver = Resolver(threads, clock)
    answers = [ensureDeferred(resolver("ct01")) for _ in range(3)]
    [(host, job)] = threads.jobs
    assert host == "ct01"
    job.callback(frozenset({HOME}))
    assert [answer.result for answer in answers] == [{HOME}] * 3
    clock.advance(NAME_LIFETIME - 1)
    assert ensureDeferred(resolver("ct01")).result == {HOME}
    assert len(threads.jobs) == 1
    clock.advance(2)
    ensureDeferred(resolver("ct01"))
    assert len(threads.jobs) == 2


def test_what_was_answered_may_be_forgotten() -> None:
    threads = Threads()
    resolver = Resolver(threads, Clock())
    ensureDeferred(resolver("ct01"))
    threads.jobs[0][1].callback(frozenset({HOME}))
    resolver.forget()
    answer = ensureDeferred(resolver("ct01"))
    threads.jobs[1][1].callback(frozenset({literal("10.0.0.1")}))
    assert answer.result == {literal("10.0.0.1")}


def test_a_failed_question_is_asked_again_next_time() -> None:
    threads = Threads()
    resolver = Resolver(threads, Clock())
    answer = ensureDeferred(resolver("ct01"))
    threads.jobs[0][1].callback(frozenset())
    assert answer.result == frozenset()
    ensureDeferred(resolver("ct01"))
    assert len(threads.jobs) == 2


@pytest.mark.parametrize("how", ["fails", "hangs"])
def test_a_lookup_that_fails_or_hangs_keeps_nobody_waiting(how: str) -> None:
    threads, clock = Threads(), Clock()
    resolver = Resolver(threads, clock)
    answer = ensureDeferred(resolver("ct01"))
    if how == "fails":
        threads.jobs[0][1].errback(RuntimeError("no more threads"))
    else:
        clock.advance(LOOKUP_TIMEOUT)
    assert answer.result == frozenset()
    again = ensureDeferred(resolver("ct01"))
    threads.jobs[1][1].callback(frozenset({HOME}))
    assert again.result == {HOME}
    assert clock.getDelayedCalls() == []


def test_an_address_is_never_asked_for() -> None:
    threads = Threads()
    assert ensureDeferred(Resolver(threads, Clock())("192.168.10.21")).result == {HOME}
    assert threads.jobs == []
