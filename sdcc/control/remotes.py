"""`sdccctl remotes`: asked of every server that runs with the storage directory."""

from __future__ import annotations

import argparse

from sdcc.config import Configuration
from sdcc.control import live
from sdcc.control.arguments import Commands

JSON = "a JSON object a line: process, ae_title, address, port, tls, max_associations, open, services"


def add(commands: Commands) -> None:
    words = "list the remote AEs that the running server knows, and their associations"
    live.add_command(commands, "remotes", words, run, json=JSON)


def run(options: argparse.Namespace, configuration: Configuration) -> int:
    return live.run(options, configuration, "remotes")
