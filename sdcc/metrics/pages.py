"""What each page of `[http]` says. Knows nothing of sockets."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from twisted.internet.defer import DeferredLock
from twisted.internet.interfaces import IReactorTime

from sdcc.health import Health
from sdcc.interfaces import RunInThread

PLAIN = "text/plain; charset=utf-8"
METHODS = ("GET", "HEAD")

ROOT = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>SDCC</title></head>
<body>
<h1>SDCC</h1>
<ul>
<li><a href="/health">/health</a>: whether it takes associations and stores objects</li>
<li><a href="/metrics">/metrics</a>: what it did, for Prometheus</li>
</ul>
</body>
</html>
"""

#: Seconds for which the metrics that were made last are given again: to make them takes the reactor's time,
#: and nobody may have more of it by asking more often.
FRESH = 1.0
#: Formats that are kept for so long; a peer can name any number of them.
MAXIMUM_FORMATS = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; to HEAD it is the same without the body."""

    status: HTTPStatus
    body: bytes
    content_type: str = PLAIN


def plain(status: HTTPStatus, text: str) -> Answer:
    return Answer(status, f"{text}\n".encode())


class _Collected(Collector):
    """Metrics as they were at one moment."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = [*metrics]

    def collect(self) -> Iterable[Metric]:
        return self._metrics


class Pages:
    """Answers requests that have no body.

    :param run_in_thread: for writing the metrics down, which takes far longer than to collect them.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        health: Health,
        clock: IReactorTime,
        run_in_thread: RunInThread,
    ) -> None:
        self._registry = registry
        self._health = health
        self._clock = clock
        self._run_in_thread = run_in_thread
        self._making = DeferredLock()
        #: The metrics by their Content-Type, since when they stand.
        self._made: dict[str, Answer] = {}
        self._made_at = float("-inf")
        self._pages: Mapping[str, Callable[[str], Awaitable[Answer]]] = {
            "/": self.root,
            "/health": self.health,
            "/metrics": self.metrics,
        }

    async def answer(self, method: str, target: str, accept: str) -> Answer:
        """
        :param target: of the request, as it came.
        :param accept: the header; empty: there is none.
        """
        path, question_mark, _ = target.partition("?")
        page = self._pages.get(path)
        if page is None:
            return plain(HTTPStatus.NOT_FOUND, f"Not found; there are {', '.join(self._pages)}")
        if method not in METHODS:
            return plain(HTTPStatus.METHOD_NOT_ALLOWED, f"Allowed: {', '.join(METHODS)}")
        if question_mark:
            return plain(HTTPStatus.BAD_REQUEST, f"{path} takes no parameters")
        return await page(accept)

    async def root(self, accept: str) -> Answer:
        return Answer(HTTPStatus.OK, ROOT.encode(), "text/html; charset=utf-8")

    async def health(self, accept: str) -> Answer:
        condition = self._health.condition()
        facts = {"state": condition.state, "reasons": condition.reasons}
        status = HTTPStatus.OK if condition.is_fit else HTTPStatus.SERVICE_UNAVAILABLE
        return Answer(status, f"{json.dumps(facts)}\n".encode(), "application/json")

    async def metrics(self, accept: str) -> Answer:
        """In the format that is asked for, if there is one such; else in Prometheus' plainest."""
        try:
            encode, content_type = choose_encoder(accept)
        except (TypeError, ValueError):  # a version that is none
            encode, content_type = choose_encoder("")
        async with self._making:
            if self._clock.seconds() - self._made_at >= FRESH:
                self._made.clear()
                self._made_at = self._clock.seconds()
            if content_type not in self._made and len(self._made) >= MAXIMUM_FORMATS:
                encode, content_type = choose_encoder("")
            if (made := self._made.get(content_type)) is None:
                page = await self._run_in_thread(encode, _Collected(self._registry.collect()))
                made = self._made[content_type] = Answer(HTTPStatus.OK, page, content_type)
            return made
