"""`sdccctl`, the administrator's tool: its arguments and its exit codes.

A command is a module with `add`, which describes its arguments, and `run`, which performs it. Some ask the
server that runs; the others need none, and disturb none.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path

import sdcc.lean  # noqa: F401, before all that imports pydicom
from sdcc import __version__
from sdcc.config import ConfigurationError, load
from sdcc.control.arguments import completed_as_file
from sdcc.control.synchronous import INTERRUPTED

#: In the order of the help; each is a module.
COMMANDS = (
    *("check", "instances", "verify", "reindex", "conformance", "echo", "send", "explain"),
    *("status", "associations", "abort", "drain", "reload", "remotes", "limits", "log-level"),
    *("shell", "completion"),
)

#: The command could not be tried, as argparse has it for wrong arguments.
NOT_TRIED = 2

EPILOG = """\
exit codes: 0 done, or yes; 1 failed, or no; 2 not tried, because of the arguments or the configuration;
130 interrupted.
With no --config, every default holds and relative paths start at the current directory."""


def parser(commands: Iterable[str] = COMMANDS) -> argparse.ArgumentParser:
    """What may be written after `sdccctl`, or as much of it as these commands are."""
    top = argparse.ArgumentParser(
        prog="sdccctl",
        description="Look after SDCC, a DICOM server.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    completed_as_file(_add_config(top))
    top.add_argument("--version", action="version", version=f"SDCC {__version__}")
    added = top.add_subparsers(title="commands", metavar="COMMAND", dest="asked", required=True)
    for command in commands:
        import_module(f"sdcc.control.{command.replace('-', '_')}").add(added)
    top.set_defaults(parser=top)
    return top


def _add_config(top: argparse.ArgumentParser) -> argparse.Action:
    return top.add_argument(
        "--config", metavar="FILE", type=Path, help="the configuration that the server runs with"
    )


def _wanted(arguments: Sequence[str]) -> Iterable[str]:
    """The commands whose modules are needed: the one that is asked for, because all cost half a second."""
    before = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    _add_config(before)
    try:
        _, rest = before.parse_known_args(arguments)
    except argparse.ArgumentError:  # which the whole parser says better
        return COMMANDS
    is_enough = rest and rest[0] in COMMANDS and rest[0] != "completion"  # which is of all of them
    return rest[:1] if is_enough else COMMANDS


def main(arguments: Sequence[str] | None = None) -> int:
    """Perform what the command line asks for; give the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # what the terminal has no letters for
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser(_wanted(arguments)).parse_args(arguments)
    try:
        configuration = load(options.config)
    except ConfigurationError as error:
        if options.asked == "check" and options.json:
            from sdcc.control.check import show_json  # noqa: PLC0415  # as it is loaded now

            return show_json([], error.problems)
        print(error, file=sys.stderr)
        return 1 if options.asked == "check" else NOT_TRIED
    try:
        code: int = options.run(options, configuration)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has seen enough. What is still buffered must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:  # of what waits without a reactor
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    return code
