"""`sdccctl`, the administrator's tool: its arguments and its exit codes.

A command is a module with `add`, which describes its arguments, and `run`, which performs it. Some ask the
server that runs; the others need none, and disturb none.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sdcc import __version__
from sdcc.config import ConfigurationError, load
from sdcc.control import (
    abort,
    associations,
    check,
    completion,
    conformance,
    drain,
    echo,
    explain,
    instances,
    limits,
    log_level,
    reindex,
    reload,
    remotes,
    send,
    shell,
    status,
    verify,
)
from sdcc.control.arguments import completed_as_file
from sdcc.control.synchronous import INTERRUPTED

#: In the order of the help.
COMMANDS = (
    *(check, instances, verify, reindex, conformance, echo, send, explain),
    *(status, associations, abort, drain, reload, remotes, limits, log_level),
    *(shell, completion),
)

#: The command could not be tried, as argparse has it for wrong arguments.
NOT_TRIED = 2

EPILOG = """\
exit codes: 0 done, or yes; 1 failed, or no; 2 not tried, because of the arguments or the configuration;
130 interrupted.
With no --config, every default holds and relative paths start at the current directory."""


def parser() -> argparse.ArgumentParser:
    """What may be written after `sdccctl`."""
    top = argparse.ArgumentParser(
        prog="sdccctl",
        description="Look after SDCC, a DICOM server.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    config = top.add_argument(
        "--config", metavar="FILE", type=Path, help="the configuration that the server runs with"
    )
    completed_as_file(config)
    top.add_argument("--version", action="version", version=f"SDCC {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(commands)
    top.set_defaults(parser=top)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Perform what the command line asks for; give the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # what the terminal has no letters for
    options = parser().parse_args(arguments)
    try:
        configuration = load(options.config)
    except ConfigurationError as error:
        if options.run is check.run and options.json:
            return check.show_json([], error.problems)
        print(error, file=sys.stderr)
        return 1 if options.run is check.run else NOT_TRIED
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
