"""The ports on which DICOM peers are awaited: opened at the start, closed first at the stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import DeferredList, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger

from sdcc.administration.administration import OpenPort
from sdcc.config import Configuration, Local, ports
from sdcc.network.passed import CannotAdopt, listening, named_by
from sdcc.network.security import Security
from sdcc.network.server import BACKLOG, AssociationServer
from sdcc.world import Reactor

#: Not of a class, whose name would take the place of this one.
log = Logger(namespace="sdcc")


class CannotListen(Exception):
    """A port cannot be opened; the text names the AEs that it is for."""


class Ports:
    """
    :param security: for those with TLS; None: none of them has.
    :param passed: descriptors of sockets that the process was started with, those of other endpoints
    included. They are taken now, before `twistd` forks: what was passed was passed to this process.
    """

    def __init__(
        self,
        configuration: Configuration,
        server: AssociationServer,
        security: Security | None,
        reactor: Reactor,
        *,
        passed: Sequence[int],
    ) -> None:
        self._ports = ports(configuration.locals)
        others = (configuration.manhole, configuration.http)
        theirs = {named_by(other.endpoint) for other in others if other is not None}
        self._passed = [descriptor for descriptor in passed if descriptor not in theirs]
        self._server = server
        self._security = security
        self._reactor = reactor
        #: With the AEs of each, by title.
        self._open: list[tuple[IListeningPort, Mapping[str, Local]]] = []

    def __bool__(self) -> bool:
        """Whether they are open."""
        return bool(self._open)

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Interface and port of each, in the configuration's order."""
        return tuple(_address_of(port) for port, _ in self._open)

    @property
    def facts(self) -> Sequence[OpenPort]:
        return [OpenPort(tuple(aes), *_address_of(port), _is_tls(aes)) for port, aes in self._open]

    def open(self) -> None:
        """Open each, or take it as it was passed.

        :raises CannotListen: one cannot be, or nobody wants what was passed.
        """
        try:
            listen = listening(
                self._reactor, self._passed, wanted=[address for address, _ in self._ports], backlog=BACKLOG
            )
        except CannotAdopt as error:
            raise CannotListen(str(error)) from None
        for (interface, port), aes in self._ports:
            titles = ", ".join(aes)
            factory: ServerFactory = self._server.port(aes)
            if _is_tls(aes):
                assert self._security is not None, "there is a [tls] where a port has TLS"
                factory = self._security.accepting(factory)
            try:
                opened = listen(interface, port, factory)
            except CannotListenError as error:
                reason = f"AE {titles}: cannot listen on {interface}:{port}: {error.socketError}"
                raise CannotListen(reason) from None
            self._open.append((opened, aes))
            log.info(
                "AE {titles} on {interface}:{port}{tls}",
                titles=titles,
                interface=interface,
                port=_address_of(opened)[1],
                tls=" over TLS" if _is_tls(aes) else "",
            )

    async def close(self) -> None:
        """Await nobody any more."""
        await DeferredList([maybeDeferred(port.stopListening) for port, _ in self._open])


def _address_of(port: IListeningPort) -> tuple[str, int]:
    address = port.getHost()
    assert isinstance(address, IPv4Address | IPv6Address)
    return address.host, address.port


def _is_tls(aes: Mapping[str, Local]) -> bool:
    """Whether the port of these has TLS: all of one agree."""
    return any(local.tls for local in aes.values())
