"""How a running server is reached by others than DICOM peers: the control socket, the manhole, `[http]`.

What the last two need is imported where they are configured alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdcc.administration.control_socket import ControlFactory, ControlSocket
from sdcc.administration.tables import shown
from sdcc.config import HTTP, Configuration, Manhole
from sdcc.health import Health
from sdcc.interfaces.administration import IAdministration
from sdcc.metrics.lag import Lag
from sdcc.metrics.sources import Sources
from sdcc.network.listening import CannotListen
from sdcc.parts import Parts
from sdcc.threads import LooseThreads
from sdcc.world import Reactor, World

if TYPE_CHECKING:
    from sdcc.manhole.server import ManholeServer
    from sdcc.metrics.web import Web


class CannotOpen(Exception):
    """A door that is configured cannot be opened; the text names its key."""


class Doors:
    """
    :param administration: what is asked for through the control socket and the manhole.
    :param health: what `[http]` tells.
    """

    def __init__(
        self,
        configuration: Configuration,
        parts: Parts,
        *,
        administration: IAdministration,
        health: Health,
        reactor: Reactor,
        world: World,
    ) -> None:
        self._storage = configuration.storage.directory
        self._parts = parts
        self._administration = administration
        self._reactor = reactor
        self._control = ControlSocket(ControlFactory(administration, reactor), reactor, world.listen_control)
        self._manhole: ManholeServer | None = None
        if configuration.manhole is not None:
            self._manhole = self._make_manhole(configuration.manhole)
        self._web: Web | None = None
        if configuration.http is not None:
            self._web = self._make_web(configuration.http, health, configuration)

    def _make_manhole(self, settings: Manhole) -> ManholeServer:
        from sdcc.manhole.server import ManholeServer  # noqa: PLC0415

        return ManholeServer(
            settings,
            self._storage,
            self._administration,
            shown=shown,
            reactor=self._reactor,
            run_in_thread=LooseThreads(self._reactor, "manhole").run,
        )

    def _make_web(self, settings: HTTP, health: Health, configuration: Configuration) -> Web:
        from sdcc.metrics.web import Web  # noqa: PLC0415

        parts = self._parts
        assert parts.counts is not None, "which are counted for [http]"
        sources = Sources(
            counts=parts.counts,
            lag=Lag(self._reactor),
            health=health,
            limits=parts.limits,
            waiting=parts.waiting,
            objects=parts.objects,
            index=parts.index,
            index_engine="PostgreSQL" if configuration.index_path is None else "SQLite",
            minimum_free=lambda: parts.configuration.storage.minimum_free,
            names=parts.sop_class_names,
        )
        return Web(settings.endpoint, sources, self._reactor, LooseThreads(self._reactor, "metrics").run)

    # --- from the first to the last ---

    def open_web(self) -> None:
        """With the privileges that the process may still have.

        :raises CannotOpen: its endpoint cannot be listened on.
        """
        if self._web is not None:
            try:
                self._web.open()
            except CannotListen as error:
                raise CannotOpen(f"[http] endpoint: {error}") from None

    def open_manhole(self) -> None:
        """When the storage directory is ready, where its host key is.

        :raises CannotOpen: its endpoint cannot be listened on, or its host key not be had.
        """
        if self._manhole is not None:
            from sdcc.manhole import server  # noqa: PLC0415

            try:
                self._manhole.start()
            except server.CannotOpen as error:
                raise CannotOpen(f"[manhole] {error}") from None

    def open_control(self) -> None:
        """When all is ready. Without it the server runs on, and the log says why there is none."""
        self._control.open(self._parts.objects.own_folder)

    async def close_manhole(self) -> None:
        if self._manhole is not None:
            await self._manhole.stop()

    async def close_control(self) -> None:
        await self._control.stop()

    async def close_web(self) -> None:
        if self._web is not None:
            await self._web.close()
