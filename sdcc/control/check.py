"""`sdccctl check`: what the configuration means, and what stands against it on this host.

Nothing is created, and no port of the server's is touched.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from sdcc.config import Configuration, Local, Remote, StudySettings
from sdcc.control.arguments import Commands
from sdcc.network.acceptor import STRANGERS_SERVICES
from sdcc.printable import printable
from sdcc.statement import binary_size

UNKNOWN_CALLERS = {
    "accept": "accepted from everywhere; from another host may use "
    f"{', '.join(sorted(STRANGERS_SERVICES))} alone",
    "loopback": "accepted from this host only",
    "reject": "refused",
}


def add(commands: Commands) -> None:
    words = "say what the configuration means, or what is wrong with it"
    commands.add_parser("check", help=words, description=words).set_defaults(run=run)


def run(options: argparse.Namespace, configuration: Configuration) -> int:
    for name, meaning in meanings(configuration):
        print(f"{name:13} {printable(meaning)}")
    found = list(problems(configuration))
    for problem in found:
        print(printable(problem), file=sys.stderr)
    return 1 if found else 0


def meanings(configuration: Configuration) -> Iterator[tuple[str, str]]:
    """The configuration in words."""
    access, storage, association = configuration.access, configuration.storage, configuration.association
    yield "configuration", str(configuration.source or "no file: every default")
    for local in configuration.locals:
        yield "local AE", _local(local)
    for remote in configuration.remotes:
        yield "remote AE", _remote(remote, check_address=access.check_address)
    yield "other AEs", UNKNOWN_CALLERS[access.unknown_callers]
    yield "SOP classes", f"{len(configuration.sop_classes)}"
    yield "objects", f"in {storage.directory}"
    yield "", f"of up to {binary_size(storage.maximum_object_size)}, written by {storage.threads} threads"
    if storage.minimum_free:
        yield "", f"refused when less than {binary_size(storage.minimum_free)} are free"
    else:
        yield "", "taken until the disk is full"
    yield "index", configuration.index_name
    yield "", f"a registration may take {configuration.index.timeout:g} s"
    yield "queries", _queries(configuration.query.maximum_answers)
    yield "studies", _studies(configuration.study)
    yield (
        "associations",
        f"{association.maximum_open} in all, with P-DATA-TF of {association.maximum_pdu_length} bytes",
    )
    yield (
        "timers",
        f"ARTIM {association.artim_timeout:g} s, idle {association.idle_timeout:g} s, "
        f"drain {association.drain_timeout:g} s",
    )


def _queries(maximum_answers: int) -> str:
    return f"at most {maximum_answers} answers to each" if maximum_answers else "answered without a limit"


def _studies(study: StudySettings) -> str:
    """Nothing of what may be secret."""
    if not study.stable_after:
        return "never taken for complete"
    told = [f"complete after {study.stable_after:g} s without a new object"]
    if study.command:
        told.append(f"told to the command {study.command[0]}")
    if study.post:
        told.append(f"told to {urlsplit(study.post).hostname}")
    return "; ".join(told)


def _local(local: Local) -> str:
    reach = " (this host only)" if ipaddress.ip_address(local.interface).is_loopback else ""
    port = local.port or "any free port"
    return f"{local.ae_title} on {local.interface}, port {port}{reach}; {local.max_associations} open at once"


def _remote(remote: Remote, *, check_address: bool) -> str:
    where = "never called, having no port" if remote.port is None else f"port {remote.port}"
    parts = [f"{remote.ae_title} at {remote.address}, {where}"]
    if not check_address:
        parts.append("accepted from everywhere")
    parts.append(f"may use {', '.join(sorted(remote.services)) or 'nothing'}")
    if remote.max_associations:
        parts.append(f"{remote.max_associations} open at once")
    return "; ".join(parts)


def problems(configuration: Configuration) -> Iterator[str]:
    """What the server would fail on, as far as this user can see it without doing it."""
    for interface in dict.fromkeys(local.interface for local in configuration.locals):
        if (error := _binding_error(interface)) is not None:
            yield f"[[local]].interface: {interface} is no address of this host ({error})"
    yield from _directory_problems("[storage].directory", configuration.storage.directory)
    index = configuration.index_path
    if index is not None and index.parent != configuration.storage.directory:
        yield from _directory_problems("[index].url", index.parent)
    command = configuration.study.command
    if command and shutil.which(command[0]) is None:
        yield f"[study].command: {command[0]} is no program that this user may run"


def _binding_error(interface: str) -> str | None:
    family = socket.AF_INET6 if ":" in interface else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.bind((interface, 0))
    except OSError as error:
        return error.strerror
    return None


def _directory_problems(key: str, directory: Path) -> Iterator[str]:
    # unlike Path.exists, not raising where a directory may not be searched
    nearest = next(path for path in (directory, *directory.parents) if os.path.exists(path))
    if not nearest.is_dir():
        yield f"{key}: {nearest} is no directory"
    elif not os.access(nearest, os.W_OK | os.X_OK):
        purpose = "be written" if nearest == directory else f"hold a new {directory.relative_to(nearest)}"
        yield f"{key}: {nearest} cannot {purpose} by this user"
