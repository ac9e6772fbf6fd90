"""`[http]` of a process, from its opening to its end. It takes prometheus_client and twisted.web along."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from sdcc.interfaces import RunInThread
from sdcc.metrics.collector import registry
from sdcc.metrics.pages import Pages
from sdcc.metrics.site import Site
from sdcc.metrics.sources import Sources
from sdcc.network.listening import listen, place

#: Not of a class, whose name would take the place of this one.
log = Logger(namespace="sdcc.http")


class Web:
    """Listens on an endpoint, and measures the reactor's lag meanwhile."""

    def __init__(self, endpoint: str, sources: Sources, reactor: Any, run_in_thread: RunInThread) -> None:
        self._endpoint = endpoint
        self._lag = sources.lag
        self._reactor = reactor
        pages = Pages(registry(sources), sources.health, reactor, run_in_thread)
        self._site = Site(pages, reactor)
        self._port: IListeningPort | None = None

    def open(self) -> None:
        """:raises CannotListen: the endpoint cannot be listened on."""
        self._port = listen(self._endpoint, self._site, self._reactor)
        self._lag.start()
        log.info("HTTP on {place}", place=place(self._port))

    async def close(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            self._lag.stop()
            await maybeDeferred(port.stopListening)
            self._site.close()
