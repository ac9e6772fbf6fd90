"""The manhole as the service starts and stops it."""

from __future__ import annotations

import ipaddress
from functools import partial
from pathlib import Path
from typing import Any

from twisted.conch.ssh.factory import SSHFactory
from twisted.conch.ssh.keys import Key
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.logger import Logger

from sdcc.config import Manhole as Settings
from sdcc.config.endpoints import Endpoint
from sdcc.interfaces import RunInThread
from sdcc.interfaces.administration import IAdministration
from sdcc.manhole.authorized_keys import authorized_keys, fingerprint
from sdcc.manhole.commands import Shown, namespace
from sdcc.manhole.connection import MAXIMUM_WAITING, Channels, Connection, Surroundings
from sdcc.manhole.guarded import NotGuarded
from sdcc.manhole.host_key import host_key
from sdcc.manhole.login import Login
from sdcc.manhole.quiet import QUIET
from sdcc.network.listening import CannotListen, listen, place

log = Logger(namespace="sdcc.manhole")


class CannotOpen(Exception):
    """The manhole cannot be reached as it is configured; the text says why."""


class ConnectionFactory(SSHFactory):
    """Builds the connections, as long as there are not too many."""

    noisy = False
    _log = QUIET
    primes = None
    services = {b"ssh-userauth": Login, b"ssh-connection": Channels}

    def __init__(self, key: Key, surroundings: Surroundings) -> None:
        self.privateKeys = {key.sshType(): key}
        self.publicKeys = {key.sshType(): key.public()}
        self.surroundings = surroundings
        self.connections: set[Connection] = set()
        self.protocol = partial(Connection, surroundings, self.connections)

    def buildProtocol(self, address: IAddress | None) -> Any:
        waiting = sum(not connection.is_logged_in for connection in self.connections)
        if waiting >= MAXIMUM_WAITING:
            log.warn("Manhole: a connection is refused: {waiting} wait to log in", waiting=waiting)
            return None
        return super().buildProtocol(address)


class ManholeServer:
    """
    :param directory: where the host key is, or is to be made.
    :param shown: shows what a method of the administration has given.
    """

    def __init__(
        self,
        settings: Settings,
        directory: Path,
        administration: IAdministration,
        *,
        shown: Shown,
        reactor: Any,
        run_in_thread: RunInThread,
    ) -> None:
        self._endpoint = Endpoint.read(settings.endpoint)
        self._directory = directory
        self._reactor = reactor
        self._port: IListeningPort | None = None
        self._factory: ConnectionFactory | None = None
        self._surroundings = Surroundings(
            authorized_keys=settings.authorized_keys,
            read_keys=partial(run_in_thread, authorized_keys, settings.authorized_keys),
            namespace=partial(namespace, administration, shown),
            clock=reactor,
        )

    def start(self) -> None:
        """Listen. This blocks, but nothing else runs yet.

        :raises CannotOpen: there is no host key to rely on, or the place is taken.
        """
        try:
            key = host_key(self._directory)
        except NotGuarded as error:
            raise CannotOpen(f"host key: {error}") from None
        except OSError as error:
            raise CannotOpen(f"host key in {self._directory}: {error.strerror or error}") from None
        self._factory = ConnectionFactory(key, self._surroundings)
        try:
            self._port = listen(str(self._endpoint), self._factory, self._reactor)
        except CannotListen as error:
            raise CannotOpen(f"endpoint: {error}") from None
        log.info(
            "Manhole on {place}, host key {name}", place=self.place, name=fingerprint(key.public().blob())
        )
        if not self._is_private:
            log.warn("Manhole: other hosts can reach it, and whoever logs in has all that the server has")

    @property
    def _is_private(self) -> bool:
        """As it turns out, also where systemd has chosen the place."""
        assert self._port is not None, "started"
        address = self._port.getHost()
        if isinstance(address, IPv4Address | IPv6Address):
            return ipaddress.ip_address(address.host).is_loopback
        return True

    @property
    def place(self) -> str:
        assert self._port is not None, "started"
        return place(self._port)

    async def stop(self) -> None:
        """Listen no more, and end what is open without waiting for it."""
        if self._port is None or self._factory is None:
            return
        await maybeDeferred(self._port.stopListening)
        for connection in tuple(self._factory.connections):
            connection.end("SDCC is stopping")
            connection.abort()
