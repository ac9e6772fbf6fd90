"""Whether an address is a peer's own: IP addresses compared, host names resolved."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import TypeAlias

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from sdcc.interfaces import RunInThread

#: How long a resolved host name is believed, and how long its resolution may take, in seconds.
NAME_LIFETIME = 60.0
LOOKUP_TIMEOUT = 10.0

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve: TypeAlias = Callable[[str], Awaitable[frozenset[IPAddress]]]


@lru_cache(maxsize=256)
def ip_address(text: str) -> IPAddress:
    """An IP address; one that IPv6 maps from IPv4, or that names an interface, as itself alone.

    :raises ValueError: it is no IP address.
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def literal(host: str) -> frozenset[IPAddress] | None:
    """The address that `host` is; None where it is a name."""
    try:
        return frozenset({ip_address(host)})
    except ValueError:
        return None


def resolve_blocking(host: str) -> frozenset[IPAddress]:
    """The addresses of a host name; empty where it has none. Blocks."""
    if (known := literal(host)) is not None:
        return known
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return frozenset()
    return frozenset(ip_address(str(sockaddr[0])) for *_, sockaddr in found)


class Resolver:
    """Addresses of host names, asked for in a thread and remembered for a minute.

    Only names of the configuration are asked for, so their number is bounded.
    """

    _log = Logger()

    def __init__(self, run_in_thread: RunInThread, clock: IReactorTime) -> None:
        self._run_in_thread = run_in_thread
        self._clock = clock
        self._known: dict[str, tuple[float, frozenset[IPAddress]]] = {}
        self._asked: dict[str, list[Deferred[frozenset[IPAddress]]]] = {}

    async def __call__(self, host: str) -> frozenset[IPAddress]:
        if (known := literal(host)) is not None:
            return known
        until, addresses = self._known.get(host, (0.0, frozenset()))
        if self._clock.seconds() < until:
            return addresses
        answer: Deferred[frozenset[IPAddress]] = Deferred()
        if host in self._asked:
            self._asked[host].append(answer)
        else:
            self._asked[host] = [answer]
            ensureDeferred(self._ask(host))
        return await answer

    def forget(self) -> None:
        """Ask anew for every name from now on."""
        self._known.clear()

    async def _ask(self, host: str) -> None:
        addresses: frozenset[IPAddress] = frozenset()
        try:
            lookup = Deferred.fromCoroutine(self._lookup(host))
            addresses = await lookup.addTimeout(LOOKUP_TIMEOUT, self._clock)
        except DeferredTimeout:
            self._log.warn("the host name {host!r} of a [[remote]] is not resolved in time", host=host)
        except Exception:  # the boundary: whoever asked must be answered
            self._log.failure("the host name {host!r} of a [[remote]] cannot be resolved", host=host)
        else:
            if addresses:
                self._known[host] = (self._clock.seconds() + NAME_LIFETIME, addresses)
            else:
                self._log.warn("the host name {host!r} of a [[remote]] has no address", host=host)
        for answer in self._asked.pop(host):
            answer.callback(addresses)

    async def _lookup(self, host: str) -> frozenset[IPAddress]:
        return await self._run_in_thread(resolve_blocking, host)
