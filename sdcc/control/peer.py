"""Whom a command calls, and how: what `echo` and `send` have in common."""

from __future__ import annotations

import argparse
import datetime
import sys
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sdcc.config import Configuration, Remote
from sdcc.config.reading import AE_TITLE, HOST, NotAllowed
from sdcc.control import arguments
from sdcc.network.addresses import resolve_blocking
from sdcc.network.caller import Caller
from sdcc.network.security import security
from sdcc.network.timeouts import Timeouts
from sdcc.printable import printable
from sdcc.threads import LooseThreads
from sdcc.tls import NotUsable

DEFAULT_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Whom to call, and where."""

    ae_title: str
    address: str
    port: int
    tls: bool = False
    tls_name: str | None = None

    def __str__(self) -> str:
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.ae_title}@{address}:{self.port}"


class NoPeer(Exception):
    """It is not known whom to call, or where, or nobody can be called. The text says what is."""


def add(command: argparse.ArgumentParser, *, timeout: str, default: float = DEFAULT_TIMEOUT) -> None:
    """Let it be said whom to call.

    :param timeout: what the seconds of `--timeout` are for.
    """
    command.add_argument("ae", metavar="AE", help="the title of a [[remote]], or TITLE@host:port")
    command.add_argument("--tls", action="store_true", help="over TLS; a [[remote]] has its own tls = true")
    command.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=arguments.seconds,
        default=default,
        help=f"{timeout} (%(default)g)",
    )


def peer(text: str, configuration: Configuration, *, tls: bool = False) -> Peer:
    """Who is meant: a configured remote by its title, or `TITLE@host:port`.

    :param tls: call over TLS whatever the configuration says.

    :raises NoPeer: nobody.
    """
    found = _peer(text, configuration)
    if tls and configuration.tls is None:
        raise NoPeer("--tls: there is no [tls] in the configuration, which names certificate and private key")
    return replace(found, tls=found.tls or tls)


def _peer(text: str, configuration: Configuration) -> Peer:
    for remote in configuration.remotes:
        if remote.ae_title == text.strip(" "):
            if remote.port is None:
                raise NoPeer(f"[[remote]] {text!r} has no port to be called on")
            return Peer(
                ae_title=remote.ae_title,
                address=remote.address,
                port=remote.port,
                tls=remote.tls,
                tls_name=remote.tls_name,
            )
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


def not_tried(error: NoPeer) -> int:
    """Say why nobody is called; give the exit code."""
    for line in str(error).splitlines():
        print(printable(line), file=sys.stderr)
    return 2


def caller(called: Peer, configuration: Configuration, reactor: Any, *, timeout: float) -> Caller:
    """What opens associations to this peer alone.

    :param timeout: seconds for each step.

    :raises NoPeer: it is to be called over TLS, and the certificates cannot be used.
    """
    remote = Remote(
        ae_title=called.ae_title,
        address=called.address,
        port=called.port,
        tls=called.tls,
        tls_name=called.tls_name,
    )
    tls = configuration.tls if called.tls else None
    secured = None if tls is None else security(tls, reactor, _now)
    try:
        if secured is not None:
            secured.load()
    except NotUsable as error:
        raise NoPeer(str(error)) from None
    return Caller(
        (remote,),
        reactor,
        security=secured,
        resolve=partial(LooseThreads(reactor, "lookup").run, resolve_blocking),
        maximum_pdu_length=configuration.association.maximum_pdu_length,
        timeouts=Timeouts(
            connection=timeout, acse=timeout, dimse=timeout, artim=configuration.association.artim_timeout
        ),
    )


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
