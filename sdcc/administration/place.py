"""Where a server can be asked: a socket in the folder of each process.

It lies in `incoming/<process>/` of the storage directory, which `sdccctl` knows from the same configuration:
there is nothing to configure. Several processes, on several hosts, may share the directory, and each has a
folder there already, which another one removes with all that is in it when the process is dead.
Where the file system takes no sockets, the server runs all the same.

An address of a socket has room for 107 bytes, and a path may be longer. Then the folder is opened, and the
address goes through its descriptor.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeAlias

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IProtocolFactory

from sdcc.archive.incoming import INCOMING

#: The socket's name in a process's folder.
CONTROL = "control"
#: Nobody but the server's user, and root, may connect.
MODE = 0o600
#: `sun_path` of unix(7), without the byte that ends it.
LONGEST_ADDRESS = 107

#: Ends what :func:`listen` began.
Close: TypeAlias = Callable[[], Deferred[None]]


@contextmanager
def address(folder: str) -> Iterator[str]:
    """The socket's address in a folder, for as long as the block lasts.

    :raises OSError: there is no such folder.
    """
    path = f"{folder}/{CONTROL}"
    if len(os.fsencode(path)) <= LONGEST_ADDRESS:
        yield path
        return
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{CONTROL}"
    finally:
        os.close(descriptor)


def processes(directory: str) -> dict[str, str]:
    """Folders by the name of their process, host and process ID, of all processes that have a socket."""
    try:
        folders = sorted(os.listdir(f"{directory}/{INCOMING}"))
    except FileNotFoundError:
        return {}
    found: dict[str, str] = {}
    for name in folders:
        folder = f"{directory}/{INCOMING}/{name}"
        if _has_socket(folder):
            process = name.rpartition("-")[0]  # behind it is what no other process's folder ever had
            found[name if process in found or not process else process] = folder
    return found


def _has_socket(folder: str) -> bool:
    """Or may have one, as far as this user can see."""
    try:
        return stat.S_ISSOCK(os.lstat(f"{folder}/{CONTROL}").st_mode)
    except PermissionError:
        return True
    except OSError:
        return False


def listen(reactor: Any, folder: str, factory: IProtocolFactory) -> Close:
    """Listen in a folder.

    :param reactor: an `IReactorUNIX`.
    :raises OSError: that is not possible.
    """
    with ExitStack() as ends:
        name = ends.enter_context(address(folder))
        try:
            port = reactor.listenUNIX(name, factory, mode=MODE)  # set before anybody can connect
        except CannotListenError as error:
            raise error.socketError from None
        held = ends.pop_all()

    async def close() -> None:
        with held:  # the name by which the port removes the socket
            try:
                await maybeDeferred(port.stopListening)
            except FileNotFoundError:
                port.socket.close()  # somebody has removed it already, or all of the folder

    return lambda: Deferred.fromCoroutine(close())
