"""`sdccctl echo`: whether a peer answers C-ECHO."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from twisted.internet import task
from twisted.internet.defer import Deferred

from sdcc.config import Configuration
from sdcc.config_reading import AE_TITLE, HOST, NotAllowed
from sdcc.control import arguments
from sdcc.dimse.status import Status
from sdcc.network import requestor
from sdcc.printable import printable

DEFAULT_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Whom to call, and where."""

    ae_title: str
    address: str
    port: int

    def __str__(self) -> str:
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.ae_title}@{address}:{self.port}"


class NoPeer(Exception):
    """It is not known whom to call, or where. The text says what is."""


def add(commands: arguments.Commands) -> None:
    words = "verify the connection to another Application Entity with C-ECHO"
    command = commands.add_parser("echo", help=words, description=words)
    command.add_argument("ae", metavar="AE", help="the title of a [[remote]], or TITLE@host:port")
    command.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=arguments.seconds,
        default=DEFAULT_TIMEOUT,
        help="for the connection, and for each answer (%(default)g)",
    )
    command.set_defaults(run=run)


def run(
    options: argparse.Namespace,
    configuration: Configuration,
    *,
    echo: Callable[..., Awaitable[requestor.EchoResult]] = requestor.echo,
    react: Callable[[Callable[..., Coroutine[Deferred[None], object, None]]], NoReturn] = task.react,
) -> int:
    """
    :param react: runs a coroutine function with a reactor, then raises SystemExit.
    """
    try:
        called = peer(options.ae, configuration)
    except NoPeer as error:
        print(printable(str(error)), file=sys.stderr)
        return 2
    code = 1

    async def verify(reactor: Any) -> None:
        nonlocal code
        answer = echo(
            reactor,
            address=called.address,
            port=called.port,
            called_ae=called.ae_title,
            calling_ae=configuration.locals[0].ae_title,
            artim_timeout=configuration.association.artim_timeout,
            timeout=options.timeout,
            maximum_pdu_length=configuration.association.maximum_pdu_length,
        )
        code = await verified(called, answer)

    with suppress(SystemExit):
        react(verify)
    return code


async def verified(called: Peer, answer: Awaitable[requestor.EchoResult]) -> int:
    """Say how a C-ECHO ends; give the exit code."""
    try:
        result = await answer
    except requestor.RequestorError as error:
        print(f"{called}: {printable(str(error))}", file=sys.stderr)
        return 1
    words = f"{called} answered C-ECHO with {result.status:04X} in {result.seconds * 1000:.1f} ms"
    if result.status != Status.SUCCESS:
        print(words, file=sys.stderr)
        return 1
    print(words)
    return 0


def peer(text: str, configuration: Configuration) -> Peer:
    """Who is meant: a configured remote by its title, or `TITLE@host:port`.

    :raises NoPeer: nobody.
    """
    for remote in configuration.remotes:
        if remote.ae_title == text.strip(" "):
            if remote.port is None:
                raise NoPeer(f"[[remote]] {text!r} has no port to be called on")
            return Peer(ae_title=remote.ae_title, address=remote.address, port=remote.port)
    ae_title, _, address = text.rpartition("@")
    host, _, port = address.rpartition(":")
    try:
        return Peer(
            ae_title=str(AE_TITLE.read(ae_title)),
            address=str(HOST.read(host.removeprefix("[").removesuffix("]"))),
            port=arguments.port(port),
        )
    except (NotAllowed, argparse.ArgumentTypeError):
        known = ", ".join(repr(remote.ae_title) for remote in configuration.remotes) or "none"
        raise NoPeer(f"{text!r} is no [[remote]] and no TITLE@host:port; known: {known}") from None
