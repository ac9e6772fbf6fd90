"""`sdccctl check`: what the configuration means, and what stands against it on this host.

Nothing is created, and no port of the server's is touched.
"""

from __future__ import annotations

import argparse
import datetime
import ipaddress
import os
import shutil
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from sdcc.config import TLS, Configuration, Local, LogSettings, Manhole, Remote, StudySettings
from sdcc.config.endpoints import Endpoint
from sdcc.control.arguments import Commands, add_json
from sdcc.manhole.authorized_keys import authorized_keys
from sdcc.manhole.guarded import NotGuarded
from sdcc.network.acceptor import STRANGERS_SERVICES
from sdcc.printable import ascii_json, printable
from sdcc.statement import binary_size
from sdcc.tls import NotUsable, contexts, files

UNKNOWN_CALLERS = {
    "accept": "accepted from everywhere; from another host may use "
    f"{', '.join(sorted(STRANGERS_SERVICES))} alone",
    "loopback": "accepted from this host only",
    "reject": "refused",
}


def add(commands: Commands) -> None:
    words = "say what the configuration means, or what is wrong with it"
    command = commands.add_parser("check", help=words, description=words)
    add_json(command, "a JSON object: meanings, problems, warnings")
    command.set_defaults(run=run)


def run(options: argparse.Namespace, configuration: Configuration) -> int:
    found, warnings = list(problems(configuration)), list(tls_concerns(configuration))
    if options.json:
        return show_json(list(meanings(configuration)), found, warnings)
    for name, meaning in meanings(configuration):
        print(f"{name:13} {printable(meaning)}")
    for problem in found:
        print(printable(problem), file=sys.stderr)
    for warning in warnings:
        print(f"warning: {printable(warning)}", file=sys.stderr)
    return 1 if found else 0


def show_json(
    meanings: Sequence[tuple[str, str]], problems: Sequence[str], warnings: Sequence[str] = ()
) -> int:
    """What is found, also where the configuration cannot be read and so means nothing; give the exit code."""
    named = [{"name": name, "meaning": meaning} for name, meaning in meanings]
    print(ascii_json({"meanings": named, "problems": problems, "warnings": warnings}))
    return 1 if problems else 0


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
    if configuration.tls is not None:
        yield "TLS", _tls(configuration.tls)
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
    if configuration.manhole is not None:
        reached = "other hosts can reach it, and whoever logs in has all that the server has"
        yield "manhole", f"on {_place(configuration.manhole.endpoint, reached)}"
        yield "", f"for those whose keys are in {configuration.manhole.authorized_keys}"
    if configuration.http is not None:
        place = _place(configuration.http.endpoint, "other hosts can read them")
        yield "http", f"/metrics and /health on {place}"
    if configuration.audit is not None:
        yield "audit trail", f"to {configuration.audit.destination}"
    yield from _log(configuration.log)


def _log(settings: LogSettings) -> Iterator[tuple[str, str]]:
    levels = ", ".join(f"{logger} {level}" for logger, level in settings.levels)
    yield "log", f"{settings.file or 'where twistd writes'}, as {settings.format}; levels: {levels or 'none'}"
    causes = [f"larger than {binary_size(settings.rotate_size)}"] if settings.rotate_size else []
    if settings.rotate_every != "never":
        causes.append(f"of another {settings.rotate_every}")
    if causes:
        yield "", f"a file is put aside when {' or '.join(causes)}, and {settings.keep} of those are kept"


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
    over = " over TLS" if local.tls else ""
    return (
        f"{local.ae_title} on {local.interface}, port {port}{over}{reach}; "
        f"{local.max_associations} open at once"
    )


def _tls(settings: TLS) -> str:
    callers = settings.client_authorities
    peers = settings.server_authorities or callers
    return (
        f"with {settings.certificate}; callers "
        + (f"need a certificate by {callers}" if callers else "need no certificate")
        + f"; who is called needs one by {peers or 'an authority of this system'}"
    )


def _place(text: str, if_public: str) -> str:
    """Where an endpoint is.

    :param if_public: what it means that others than this host can reach it.
    """
    endpoint = Endpoint.read(text)
    port = "any free port" if endpoint.place == "0" else f"port {endpoint.place}"
    if not endpoint.is_private:
        return f"{endpoint.interface or 'every address'}, {port}; {if_public}"
    if endpoint.interface:
        return f"{endpoint.interface}, {port} (this host only)"
    return f"the socket {endpoint.place}" if endpoint.place else f"what systemd hands over: {endpoint}"


def _remote(remote: Remote, *, check_address: bool) -> str:
    where = "never called, having no port" if remote.port is None else f"port {remote.port}"
    where += f" over TLS as {remote.tls_name or remote.address}" if remote.tls else ""
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
    if configuration.tls is not None:
        yield from _tls_problems(configuration.tls)
    yield from _directory_problems("[storage].directory", configuration.storage.directory)
    index = configuration.index_path
    if index is not None and index.parent != configuration.storage.directory:
        yield from _directory_problems("[index].url", index.parent)
    command = configuration.study.command
    if command and shutil.which(command[0]) is None:
        yield f"[study].command: {command[0]} is no program that this user may run"
    for key, path in _made(configuration):
        if not path.parent.is_dir():
            yield f"{key}: {path.parent} is no directory"
    if configuration.manhole is not None:
        yield from _key_problems(configuration.manhole, configuration.storage.directory)


def _made(configuration: Configuration) -> Iterator[tuple[str, Path]]:
    """By their keys the files and sockets that the server makes, each in a directory that must be there."""
    if configuration.log.file is not None:
        yield "[log].file", configuration.log.file
    if configuration.audit is not None and configuration.audit.destination.startswith("/"):
        yield "[audit].destination", Path(configuration.audit.destination)
    for key, table in (("[manhole]", configuration.manhole), ("[http]", configuration.http)):
        if table is not None and (endpoint := Endpoint.read(table.endpoint)).kind == "unix":
            yield f"{key}.endpoint", Path(endpoint.place)


def tls_concerns(configuration: Configuration) -> Iterator[str]:
    """What should be seen to of the certificates, where they can be used at all."""
    if configuration.tls is not None:
        with suppress(NotUsable):
            yield from files.concerns(files.read(configuration.tls), datetime.datetime.now(datetime.UTC))


def _tls_problems(settings: TLS) -> Iterator[str]:
    try:
        contexts.check(files.read(settings))
    except NotUsable as error:
        yield from str(error).splitlines()


def _key_problems(manhole: Manhole, storage: Path) -> Iterator[str]:
    """The server runs as the owner of its storage directory, who need not be the one that asks."""
    path = manhole.authorized_keys
    try:
        keys = authorized_keys(path, storage.stat().st_uid if storage.exists() else None)
    except NotGuarded as error:
        yield f"[manhole].authorized_keys: {error}"
        return
    except OSError as error:
        yield f"[manhole].authorized_keys: {path}: {error.strerror}"
        return
    for key in keys:
        if key.fault:
            yield f"[manhole].authorized_keys: {path}, line {key.number}: {key.fault}"
    if not keys:
        yield f"[manhole].authorized_keys: {path} holds no key"


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
