"""`sdccctl drain`: no new associations, on every server that runs with the storage directory."""

from __future__ import annotations

import argparse

from sdcc.config import Configuration
from sdcc.control import live
from sdcc.control.arguments import Commands

JSON = "a JSON object: process, state, open"


def add(commands: Commands) -> None:
    words = "let no new association in, and end those that are open as they become idle; the server goes on"
    command = live.add_command(commands, "drain", words, run, json=JSON)
    command.add_argument("--undo", action="store_true", help="let associations in again")


def run(options: argparse.Namespace, configuration: Configuration) -> int:
    return live.run(options, configuration, "drain", {"is_on": not options.undo})
