"""`sdccctl log-level`: which events the running server's log has."""

from __future__ import annotations

import argparse

from sdcc.config import Configuration
from sdcc.config.kinds import LOG_LEVELS
from sdcc.control import live
from sdcc.control.arguments import Commands

JSON = "a JSON object a line: process, name, level"


def add(commands: Commands) -> None:
    words = "show the levels of the running server's loggers, or set one until the next reload or restart"
    command = live.add_command(commands, "log-level", words, run, json=JSON)
    command.add_argument("name", metavar="NAME", nargs="?", help="of a logger, as sdcc.association")
    command.add_argument("level", metavar="LEVEL", nargs="?", choices=LOG_LEVELS, help=", ".join(LOG_LEVELS))


def run(options: argparse.Namespace, configuration: Configuration) -> int:
    asked = {"name": options.name, "level": options.level}
    return live.run(options, configuration, "log_level", {key: text for key, text in asked.items() if text})
