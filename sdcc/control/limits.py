"""`sdccctl limits`: asked of every server that runs with the storage directory."""

from __future__ import annotations

import argparse

from sdcc.config import Configuration
from sdcc.control import live
from sdcc.control.arguments import Commands

JSON = "a JSON object a line: process, name, limit, used, unit"


def add(commands: Commands) -> None:
    live.add_command(commands, "limits", "show each limit, and what is used of it", run, json=JSON)


def run(options: argparse.Namespace, configuration: Configuration) -> int:
    return live.run(options, configuration, "limits")
