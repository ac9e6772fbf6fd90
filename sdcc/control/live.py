"""Questions to the servers that run, over their control sockets.

What only looks is asked of every process that has the storage directory, and so is what an administrator
means for all of them; what names a thing of one process is asked of one.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sdcc import __version__
from sdcc.administration import place, tables
from sdcc.archive.incoming import INCOMING
from sdcc.config import Configuration
from sdcc.control import arguments
from sdcc.control.arguments import Commands
from sdcc.interfaces.administration import CannotDo
from sdcc.printable import ascii_json, printable

#: Seconds that an answer may take.
DEFAULT_TIMEOUT = 30.0
#: Bytes of an answer.
LONGEST_ANSWER = 256 * 1024 * 1024

NO_SERVER = "no server runs with the storage directory {directory}: nothing answers in {directory}/{incoming}"
SEVERAL = "several processes run: {names}; say which with --process NAME"
#: As where one of them was upgraded, and the other still runs.
NOT_UNDERSTOOD = (
    f"its answer is not understood by sdccctl {__version__}: does the server run another version? "
    "Its log names it where it began"
)
#: What comes of reading such an answer as one of this version.
STRANGE = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
UNKNOWN_PROCESS = "no process {name} runs with the storage directory {directory}; there are: {names}"


class NoAnswer(Exception):
    """A server cannot be asked, or does not answer; the text says why."""


class Server:
    """A connection to one process.

    :raises NoAnswer: there is none to be had.
    """

    def __init__(self, folder: str, timeout: float) -> None:
        self._timeout = timeout
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        try:
            with place.address(folder) as address:
                self._socket.connect(address)
        except OSError as error:
            self._socket.close()
            raise NoAnswer(_why(error)) from None

    def close(self) -> None:
        self._socket.close()

    def ask(self, command: str, arguments: Mapping[str, object]) -> Any:
        """
        :raises NoAnswer: it does not answer.
        :raises CannotDo: it says why not.
        """
        try:
            self._socket.sendall(f"{ascii_json({'command': command, 'arguments': arguments})}\n".encode())
            with self._socket.makefile("rb") as answers:
                line = answers.readline(LONGEST_ANSWER)
        except TimeoutError:
            raise NoAnswer(f"no answer within {self._timeout:g} s") from None
        except OSError as error:
            raise NoAnswer(_why(error)) from None
        if not line.endswith(b"\n"):
            raise NoAnswer("it has closed the connection without an answer")
        try:
            answer: dict[str, Any] = json.loads(line)
            if "error" in answer:
                raise CannotDo(str(answer["error"]))
            return answer["result"]
        except STRANGE:
            raise NoAnswer(NOT_UNDERSTOOD) from None


def _why(error: OSError) -> str:
    match error:
        case ConnectionRefusedError():
            return "it is dead, or runs on another host"
        case PermissionError():
            return "only root and the user that it runs as may ask it"
    return error.strerror or str(error)


# --- as commands -----------------------------------------------------------------------------


def add_command(
    commands: Commands,
    name: str,
    words: str,
    run: Callable[[argparse.Namespace, Configuration], int],
    *,
    json: str,
) -> argparse.ArgumentParser:
    """A command that asks the servers that run.

    :param json: what --json gives, beside the process.
    """
    command = commands.add_parser(name, help=words, description=words)
    add(command, json)
    command.set_defaults(run=run)
    return command


def add(command: argparse.ArgumentParser, json: str) -> None:
    """Let it be said which server is asked, and how its answer is shown."""
    command.add_argument(
        "--process", metavar="NAME", help="the process to ask, as `sdccctl status` names it (all that run)"
    )
    command.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=arguments.seconds,
        default=DEFAULT_TIMEOUT,
        help="for the server's answer (%(default)g)",
    )
    arguments.add_json(command, json)


def run(
    options: argparse.Namespace,
    configuration: Configuration,
    command: str,
    arguments: Mapping[str, object] | None = None,
    *,
    one: bool = False,
    code: Callable[[Any], int] = lambda result: 0,
) -> int:
    """Ask, and show what is answered; give the exit code.

    :param one: only one process can be meant.
    :param code: gives the exit code of an answer.
    """
    directory = configuration.storage.directory
    with ExitStack() as ends:
        try:
            servers = _servers(directory, options.process, options.timeout, ends)
        except NoAnswer as error:
            return _failed(str(error))
        if one and len(servers) > 1:
            _failed(SEVERAL.format(names=", ".join(servers)))
            return 2
        codes = []
        for name, server in servers.items():
            try:
                result = server.ask(command, arguments or {})
                text = _json(name, result) if options.json else _table(command, result)
                codes.append(code(result))
            except NoAnswer as error:
                codes.append(_failed(f"{name}: {error}"))
            except CannotDo as error:
                codes.append(_failed(f"{name}: {error}" if len(servers) > 1 else str(error)))
            else:
                heading = [f"{name}:"] if len(servers) > 1 and not options.json else []
                print(*heading, *text, sep="\n", end="\n" if text else "")
    return max(codes)


def _servers(directory: Path, wanted: str | None, timeout: float, ends: ExitStack) -> dict[str, Server]:
    """Those that can be asked, by the name of their process; others are named on standard error.

    :raises NoAnswer: there is none.
    """
    try:
        folders = place.processes(str(directory))
    except OSError as error:
        raise NoAnswer(f"{directory}/{INCOMING}: {error.strerror}") from None
    if wanted is not None and folders:
        names, folders = (
            folders,
            {name: folder for name, folder in folders.items() if _is(name, folder, wanted)},
        )
        if not folders:
            raise NoAnswer(UNKNOWN_PROCESS.format(name=wanted, directory=directory, names=", ".join(names)))
    servers: dict[str, Server] = {}
    for name, folder in folders.items():
        try:
            servers[name] = server = Server(folder, timeout)
            ends.callback(server.close)
        except NoAnswer as error:
            _failed(f"{name}: {error}")
    if not servers:
        raise NoAnswer(NO_SERVER.format(directory=directory, incoming=INCOMING))
    return servers


def _is(name: str, folder: str, wanted: str) -> bool:
    return wanted in (name, os.path.basename(folder))


def _table(command: str, result: Any) -> list[str]:
    """
    :raises NoAnswer: it is not as this version has it.
    """
    try:
        return [tables.shown(command, result)]
    except STRANGE:
        raise NoAnswer(NOT_UNDERSTOOD) from None


def _json(process: str, result: Any) -> list[str]:
    """An object, or each of several in a line, with the name of the process that says so."""
    several = result if isinstance(result, list) else [result]
    return [ascii_json({"process": process, **facts}) for facts in several]


def _failed(text: str) -> int:
    for line in text.splitlines():
        print(printable(line), file=sys.stderr)
    return 1
