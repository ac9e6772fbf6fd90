"""Sockets that were bound before the process began, and were passed to it: systemd's socket activation.

sd_listen_fds(3) is the contract. A port is taken where a socket of its interface and port was passed, and
opened where none was. Who passes a socket that nothing is configured for is told so.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol

from twisted.internet.interfaces import IListeningPort, IReactorSocket, IReactorTCP
from twisted.internet.protocol import ServerFactory
from twisted.python.systemd import ListenFDs

#: Interface and port.
Address = tuple[str, int]


class CannotAdopt(Exception):
    """A socket that was passed cannot be used; the text says which, and why."""


class Reactor(IReactorTCP, IReactorSocket):
    """What is used of a reactor."""


@dataclass(frozen=True, slots=True)
class PassedSocket:
    """A TCP socket that listens."""

    descriptor: int
    family: socket.AddressFamily


class Listen(Protocol):
    """Has a factory listen on an interface and port."""

    def __call__(self, interface: str, port: int, factory: ServerFactory) -> IListeningPort: ...


def listening(
    reactor: Reactor, passed: ListenFDs, *, wanted: Iterable[Address], endpoints: Iterable[str], backlog: int
) -> Listen:
    """What opens ports, or takes them where they were passed.

    :param wanted: that it will be asked for.
    :param endpoints: of other parts of the server. As `systemd:domain=INET:name=http` they take what they
        name by themselves.
    :param backlog: of those that are opened. That of the others was chosen by who opened them.
    :raises CannotAdopt: a socket that was passed is none that listens on TCP, or nobody wants it.
    """
    sockets = _sockets(passed, {_canonical(address) for address in wanted}, {*_named(passed, endpoints)})

    def listen(interface: str, port: int, factory: ServerFactory) -> IListeningPort:
        found = sockets.get(_canonical((interface, port)))
        if found is None:
            return reactor.listenTCP(port, factory, backlog=backlog, interface=interface)
        os.set_blocking(found.descriptor, False)
        return reactor.adoptStreamPort(found.descriptor, found.family, factory)

    return listen


def _sockets(passed: ListenFDs, wanted: set[Address], elsewhere: set[int]) -> Mapping[Address, PassedSocket]:
    found: dict[Address, PassedSocket] = {}
    names = {descriptor: name for name, descriptor in passed.inheritedNamedDescriptors().items()}
    for descriptor in passed.inheritedDescriptors():
        if descriptor in elsewhere:
            continue
        which = f"descriptor {descriptor} ({names.get(descriptor, 'unnamed')}), passed by LISTEN_FDS,"
        try:
            address, family = _bound_to(descriptor)
        except (OSError, ValueError) as error:
            raise CannotAdopt(f"{which} cannot be used: {error}") from None
        shown = "{}:{}".format(*address)
        if address not in wanted:
            raise CannotAdopt(f"{which} listens on {shown}, which is interface and port of no [[local]]")
        if address in found:
            raise CannotAdopt(f"{which} listens on {shown} as another one does")
        found[address] = PassedSocket(descriptor, family)
    return found


def _bound_to(descriptor: int) -> tuple[Address, socket.AddressFamily]:
    with socket.socket(fileno=os.dup(descriptor)) as passed:
        if passed.family not in (socket.AF_INET, socket.AF_INET6) or passed.type != socket.SOCK_STREAM:
            raise ValueError("it is no TCP socket")
        if not passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise ValueError("it does not listen (Accept=no is what SDCC needs)")
        return _canonical(passed.getsockname()[:2]), socket.AddressFamily(passed.family)


def _named(passed: ListenFDs, endpoints: Iterable[str]) -> Iterable[int]:
    """The descriptors that `systemd:` endpoints name. One that names none is its own reader's to refuse."""
    descriptors = passed.inheritedDescriptors()
    by_index = {str(index): descriptor for index, descriptor in enumerate(descriptors)}
    by_name = passed.inheritedNamedDescriptors()
    for endpoint in endpoints:
        kind, *arguments = endpoint.split(":")
        given = dict(argument.partition("=")[::2] for argument in arguments)
        if kind == "systemd":
            named = by_index.get(given.get("index", "")), by_name.get(given.get("name", ""))
            yield from (descriptor for descriptor in named if descriptor is not None)


def _canonical(address: Address) -> Address:
    interface, port = address
    return str(ip_address(interface)), port
