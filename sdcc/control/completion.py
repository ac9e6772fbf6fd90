"""`sdccctl completion`: a script by which a shell completes what is typed after `sdccctl`."""

from __future__ import annotations

import argparse

import shtab

from sdcc.config import Configuration
from sdcc.control.arguments import Commands

SHELLS = ("bash", "zsh", "tcsh")

DESCRIPTION = """\
Print a script by which a shell completes commands, options and files after sdccctl. For bash, one of

    eval "$(sdccctl completion bash)"
    sdccctl completion bash > ~/.local/share/bash-completion/completions/sdccctl

for the shell that runs, or for all to come. For zsh, write it to a file _sdccctl in a directory of $fpath;
for tcsh, to one that ~/.tcshrc reads with source."""


def add(commands: Commands) -> None:
    command = commands.add_parser(
        "completion",
        help="print a script by which a shell completes what is typed after sdccctl",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("shell", choices=SHELLS, help="the shell")
    command.set_defaults(run=run)


def run(options: argparse.Namespace, configuration: Configuration) -> int:
    print(shtab.complete(options.parser, options.shell))
    return 0
