"""Sockets that were bound before the process began, and were passed to it: systemd's socket activation.

sd_listen_fds(3) is the contract. A port is taken where a socket of its interface and port was passed, and
opened where none was. Who passes a socket that nothing is configured for is told so.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import count
from typing import Protocol

from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IReactorSocket, IReactorTCP
from twisted.internet.protocol import ServerFactory

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


def descriptors() -> Sequence[int]:
    """Of all sockets that were passed.

    Twisted's endpoints have read the environment as they were imported, and emptied it; so they are asked.
    """
    found: list[int] = []
    for index in count():
        descriptor = named_by(f"systemd:domain=INET:index={index}")
        if descriptor is None:
            break
        found.append(descriptor)
    return found


def named_by(endpoint: str) -> int | None:
    """The descriptor that a `systemd:` endpoint names; None: it names none, or is another kind."""
    kind, _, _ = endpoint.partition(":")
    if kind == "systemd":
        with suppress(
            LookupError, ValueError, TypeError, AttributeError
        ):  # wrong arguments: its user says so
            return int(serverFromString(None, endpoint).fileno)
    return None


def listening(reactor: Reactor, passed: Sequence[int], *, wanted: Iterable[Address], backlog: int) -> Listen:
    """What opens ports, or takes them where they were passed.

    :param passed: the descriptors of sockets.
    :param wanted: what it will be asked for.
    :param backlog: of those that are opened. That of the others was chosen by who opened them.
    :raises CannotAdopt: a socket that was passed is none that listens on TCP, or nobody wants it.
    """
    sockets = _sockets(passed, {_canonical(address) for address in wanted})

    def listen(interface: str, port: int, factory: ServerFactory) -> IListeningPort:
        found = sockets.get(_canonical((interface, port)))
        if found is None:
            return reactor.listenTCP(port, factory, backlog=backlog, interface=interface)
        os.set_blocking(found.descriptor, False)
        return reactor.adoptStreamPort(found.descriptor, found.family, factory)

    return listen


def _sockets(passed: Sequence[int], wanted: set[Address]) -> Mapping[Address, PassedSocket]:
    found: dict[Address, PassedSocket] = {}
    for descriptor in passed:
        which = f"descriptor {descriptor}, passed by LISTEN_FDS,"
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


def _canonical(address: Address) -> Address:
    interface, port = address
    return str(ip_address(interface)), port
