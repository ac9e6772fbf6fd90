"""`sdccctl reload`: the configuration read again, by every server that runs with the storage directory."""

from __future__ import annotations

import argparse

from sdcc.config import Configuration
from sdcc.control import live
from sdcc.control.arguments import Commands

JSON = "a JSON object: process, changed, after_restart"


def add(commands: Commands) -> None:
    words = "let the running server read its configuration again, and say what has changed"
    live.add_command(commands, "reload", words, run, json=JSON)


def run(options: argparse.Namespace, configuration: Configuration) -> int:
    return live.run(options, configuration, "reload")
