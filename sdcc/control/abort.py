"""`sdccctl abort`: an association ended at once."""

from __future__ import annotations

import argparse

from sdcc.config import Configuration
from sdcc.control import arguments, live
from sdcc.control.arguments import Commands

JSON = "a JSON object: process, aborted"


def add(commands: Commands) -> None:
    words = "abort an association that a peer has opened"
    command = live.add_command(commands, "abort", words, run, json=JSON)
    command.add_argument(
        "number",
        metavar="N",
        type=arguments.number,
        help="its number, in the log and in `sdccctl associations`",
    )


def run(options: argparse.Namespace, configuration: Configuration) -> int:
    return live.run(options, configuration, "abort", {"number": options.number}, one=True)
