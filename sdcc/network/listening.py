"""Ports by the description of an endpoint, as :mod:`sdcc.config.endpoints` writes them."""

from __future__ import annotations

import errno
import os
import socket
import stat
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
        serverFromString(_Listening(reactor), description).listen(factory).addBoth(found.append)
    except Exception:  # a description may be wrong in many ways, and each has a type of its own
        found.append(Failure())
    [outcome] = found  # no server endpoint of Twisted takes its time
    if isinstance(outcome, Failure):
        raise CannotListen(f"cannot listen on {description}: {_reason(description, outcome.value)}")
    return outcome


class _Listening:
    """A reactor, but for how it listens on a socket file.

    Twisted knows a file that a killed process has left by a process ID beside it, which another process may
    have by now: after a loss of power, or in a container, where it is always the same. Then nothing would
    ever listen there again. Whether somebody listens, the socket itself says.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenUNIX(
        self, path: str, factory: IProtocolFactory, *, backlog: int, mode: int, wantPID: bool
    ) -> IListeningPort:
        try:
            _make_room(path)
        except OSError as error:
            raise CannotListenError(None, path, error) from None
        port: IListeningPort = self._reactor.listenUNIX(path, factory, backlog, mode)
        return port


def _make_room(path: str) -> None:
    """Remove a socket on which nobody listens any more.

    :raises OSError: it is none, or the directory is not there.
    """
    os.stat(os.path.dirname(path) or ".")
    try:
        if stat.S_ISSOCK(os.lstat(path).st_mode) and not _is_listened_on(path):
            os.unlink(path)
            return
    except FileNotFoundError:
        return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _is_listened_on(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as caller:
        caller.setblocking(False)
        try:
            caller.connect(path)
        except ConnectionRefusedError:
            return False
        except BlockingIOError:
            """Somebody does, who has more callers than he can take."""
    return True


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
