"""Ports by the description of an endpoint, as :mod:`sdcc.config.endpoints` writes them."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.python.failure import Failure


class CannotListen(Exception):
    """An endpoint cannot be listened on; the text names it and says why."""


def listen(description: str, factory: IProtocolFactory, reactor: Any) -> IListeningPort:
    """Listen at once.

    :raises CannotListen: it cannot be.
    """
    found: list[IListeningPort | Failure] = []
    try:
        serverFromString(reactor, description).listen(factory).addBoth(found.append)
    except Exception:  # a description may be wrong in many ways, and each has a type of its own
        found.append(Failure())
    [outcome] = found  # no server endpoint of Twisted takes its time
    if isinstance(outcome, Failure):
        raise CannotListen(f"cannot listen on {description}: {_reason(description, outcome.value)}")
    return outcome


def _reason(description: str, fault: BaseException | None) -> str:
    if isinstance(fault, LookupError) and description.startswith("systemd:"):
        return "systemd has handed over no such socket"
    cause = fault.socketError if isinstance(fault, CannotListenError) else fault
    return str((isinstance(cause, OSError) and cause.strerror) or cause)


def place(port: IListeningPort) -> str:
    """Where it listens, for the log."""
    address = port.getHost()
    if isinstance(address, IPv4Address | IPv6Address):
        return f"{address.host}:{address.port}"
    return os.fsdecode(address.name) if isinstance(address, UNIXAddress) and address.name else str(address)
