"""`sdccctl log-level`: which events the running server's log has."""

from __future__ import annotations

import argparse

from sdcc.config import Configuration
from sdcc.control import live
from sdcc.control.arguments import Commands

JSON = "a JSON object a line: process, name, level"
#: As twisted.logger has them; the server knows too.
LEVELS = ("debug", "info", "warn", "error", "critical")


def add(commands: Commands) -> None:
    words = "show the levels of the running server's loggers, or set one until the next reload or restart"
    command = live.add_command(commands, "log-level", words, run, json=JSON)
    command.add_argument("name", metavar="NAME", nargs="?", help="of a logger, as sdcc.association")
    command.add_argument("level", metavar="LEVEL", nargs="?", choices=LEVELS, help=", ".join(LEVELS))


def run(options: argparse.Namespace, configuration: Configuration) -> int:
    asked = {"name": options.name, "level": options.level}
    return live.run(options, configuration, "log_level", {key: text for key, text in asked.items() if text})
