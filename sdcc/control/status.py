"""`sdccctl status`: asked of every server that runs with the storage directory."""

from __future__ import annotations

import argparse

from sdcc.config import Configuration
from sdcc.control import live
from sdcc.control.arguments import Commands

JSON = (
    "a JSON object: process, state, reasons, version, configuration, started_at, uptime, "
    "ports, associations, waiting_bytes, operations, free_bytes, minimum_free, directory, "
    "index, index_refusal, storage_refusal"
)


def add(commands: Commands) -> None:
    live.add_command(commands, "status", "show the running server in one look", run, json=JSON)


def run(options: argparse.Namespace, configuration: Configuration) -> int:
    return live.run(options, configuration, "status")
