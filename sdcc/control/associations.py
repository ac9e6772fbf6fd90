"""`sdccctl associations`: asked of every server that runs with the storage directory."""

from __future__ import annotations

import argparse

from sdcc.config import Configuration
from sdcc.control import live
from sdcc.control.arguments import Commands

JSON = (
    "a JSON object a line: process, number, calling_ae, called_ae, address, is_ours, "
    "is_secure, opened_at, operations, bytes, doing, waiting_bytes"
)


def add(commands: Commands) -> None:
    live.add_command(commands, "associations", "list the associations that are open", run, json=JSON)


def run(options: argparse.Namespace, configuration: Configuration) -> int:
    return live.run(options, configuration, "associations")
