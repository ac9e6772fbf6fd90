"""`sdccctl echo`: whether a peer answers C-ECHO."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from twisted.internet import task

from sdcc.config import Configuration
from sdcc.control import peer
from sdcc.control.arguments import Commands, add_json
from sdcc.control.peer import NoPeer, Peer, caller
from sdcc.control.synchronous import React, with_reactor
from sdcc.dimse.status import Status
from sdcc.interfaces import AssociationLost
from sdcc.network import requestor
from sdcc.network.requestor import EchoResult
from sdcc.printable import ascii_json, printable


def add(commands: Commands) -> None:
    words = "verify the connection to another Application Entity with C-ECHO"
    command = commands.add_parser("echo", help=words, description=words)
    peer.add(command, timeout="for the connection, and for each answer")
    add_json(
        command,
        "a JSON object: ae_title, address, port, status (hexadecimal, or null), milliseconds, comment",
    )
    command.set_defaults(run=run)


def run(
    options: argparse.Namespace,
    configuration: Configuration,
    *,
    echo: Callable[..., Awaitable[EchoResult]] = requestor.echo,
    react: React = task.react,
) -> int:
    """
    :param react: runs a coroutine function with a reactor, then raises SystemExit.
    """

    async def verify(called: Peer, reactor: Any) -> int:
        answer = echo(
            caller(called, configuration, reactor, timeout=options.timeout),
            reactor,
            called_ae=called.ae_title,
            calling_ae=configuration.locals[0].ae_title,
        )
        return await verified(called, answer, as_json=options.json)

    try:
        called = peer.peer(options.ae, configuration, tls=options.tls)
        return with_reactor(partial(verify, called), react)
    except NoPeer as error:
        return peer.not_tried(error)


async def verified(called: Peer, answer: Awaitable[EchoResult], *, as_json: bool = False) -> int:
    """Say how a C-ECHO ends; give the exit code."""
    try:
        result = await answer
    except AssociationLost as error:
        if as_json:
            print(json_line(called, comment=str(error)))
        else:
            print(f"{called}: {printable(str(error))}", file=sys.stderr)
        return 1
    if as_json:
        print(json_line(called, result))
        return int(result.status != Status.SUCCESS)
    words = f"{called} answered C-ECHO with {result.status:04X} in {result.seconds * 1000:.1f} ms"
    if result.status != Status.SUCCESS:
        print(words, file=sys.stderr)
        return 1
    print(words)
    return 0


def json_line(called: Peer, result: EchoResult | None = None, comment: str = "") -> str:
    """
    :param result: None: there is none, and the comment says why.
    """
    return ascii_json(
        {
            "ae_title": called.ae_title,
            "address": called.address,
            "port": called.port,
            "status": None if result is None else f"{result.status:04X}",
            "milliseconds": None if result is None else round(result.seconds * 1000, 1),
            "comment": comment,
        }
    )
