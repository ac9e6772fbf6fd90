"""What each page says, without a socket."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.defer import Deferred

from sdcc.metrics.pages import FRESH, MAXIMUM_FORMATS, Answer, Pages

from .bench import Bench, association

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@pytest.fixture
def pages(bench: Bench) -> Pages:
    return Pages(bench.registry, bench.health, bench.clock, bench.at_once)


def get(pages: Pages, target: str, accept: str = "", method: str = "GET") -> Answer:
    found: list[Answer] = []
    Deferred.fromCoroutine(pages.answer(method, target, accept)).addCallback(found.append)
    [answer] = found
    return answer


def opened(answer: Answer) -> float:
    """How many associations a page of metrics counts."""
    families = {family.name: family for family in text_string_to_metric_families(answer.body.decode())}
    return sum(sample.value for sample in families["sdcc_associations_opened"].samples)


@pytest.mark.parametrize(
    ("refusal", "is_stopping", "told"),
    [
        (None, False, (200, {"state": "ready", "reasons": []})),
        ("full", False, (503, {"state": "degraded", "reasons": ["nothing is stored: full"]})),
        (None, True, (503, {"state": "stopping", "reasons": ["the server stops"]})),
    ],
)
def test_health_tells_a_balancer_whether_to_send_here(
    bench: Bench, pages: Pages, refusal: str | None, is_stopping: bool, told: object
) -> None:
    bench.objects.refusal, bench.is_stopping = refusal, is_stopping
    answer = get(pages, "/health")
    assert (answer.status, json.loads(answer.body)) == told
    assert answer.content_type == "application/json"


def test_the_first_page_leads_to_the_others(pages: Pages) -> None:
    answer = get(pages, "/")
    assert answer.status == HTTPStatus.OK
    assert b'href="/health"' in answer.body
    assert b'href="/metrics"' in answer.body


@pytest.mark.parametrize(
    "target", ["/nothing", "", "/metrics/", "//metrics", "*", "/../metrics", "/%6detrics"]
)
def test_there_are_no_other_pages(pages: Pages, target: str) -> None:
    answer = get(pages, target)
    assert (answer.status, answer.content_type) == (HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "get", "X" * 1000])
def test_nothing_can_be_done_but_read(pages: Pages, method: str) -> None:
    assert get(pages, "/health", method=method).status == HTTPStatus.METHOD_NOT_ALLOWED


@pytest.mark.parametrize("target", ["/health?", "/metrics?name[]=up"])
def test_parameters_are_not_passed_over_in_silence(pages: Pages, target: str) -> None:
    assert get(pages, target).status == HTTPStatus.BAD_REQUEST


def test_metrics_come_in_the_format_that_is_asked_for(pages: Pages) -> None:
    plain, open_ = get(pages, "/metrics"), get(pages, "/metrics", OPENMETRICS)
    assert plain.content_type.startswith("text/plain; version=0.0.4")
    assert open_.content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert not plain.body.endswith(b"# EOF\n")
    assert open_.body.endswith(b"# EOF\n")


@pytest.mark.parametrize("accept", ["text/plain; version=one", "application/openmetrics-text; version=x.y"])
def test_a_version_that_is_none_gets_the_plainest_format(pages: Pages, accept: str) -> None:
    answer = get(pages, "/metrics", accept)
    assert (answer.status, answer.content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")


def test_who_asks_again_at_once_is_given_the_same(bench: Bench, pages: Pages) -> None:
    """The reactor's time for it is bounded, however often somebody asks."""
    first = get(pages, "/metrics")
    bench.counts.opened(association())
    bench.clock.advance(FRESH - 0.1)
    assert get(pages, "/metrics") is first
    bench.clock.advance(0.1)
    assert (opened(first), opened(get(pages, "/metrics"))) == (0, 1)


def test_who_asks_for_ever_new_formats_is_soon_given_the_plainest(bench: Bench, pages: Pages) -> None:
    made = {
        get(pages, "/metrics", f"application/openmetrics-text; version=1.0.{number}").content_type
        for number in range(100)
    }
    assert len(made) == MAXIMUM_FORMATS + 1
    assert len(pages._made) == MAXIMUM_FORMATS + 1
    bench.clock.advance(FRESH)
    assert get(pages, "/metrics", OPENMETRICS).content_type.startswith("application/openmetrics-text")
    assert len(pages._made) == 1


def test_while_a_page_is_being_written_down_whoever_asks_too_waits_for_the_same(bench: Bench) -> None:
    """It shows what was when it was asked for, though more has happened since."""
    threads: list[Deferred[None]] = []

    async def later(call: Any, *arguments: Any) -> Any:
        threads.append(Deferred())
        await threads[-1]
        return call(*arguments)

    pages = Pages(bench.registry, bench.health, bench.clock, later)
    found: list[Answer] = []
    for _ in range(3):
        Deferred.fromCoroutine(pages.answer("GET", "/metrics", "")).addCallback(found.append)
    assert (len(threads), found) == (1, [])
    bench.counts.opened(association())
    threads[0].callback(None)
    assert len(threads) == 1
    assert len(found) == 3
    assert {opened(answer) for answer in found} == {0}
