"""`sdccctl conformance`: the conformance statement of the configuration."""

from __future__ import annotations

import argparse

from sdcc.config import Configuration
from sdcc.control.arguments import Commands
from sdcc.statement import conformance_statement


def add(commands: Commands) -> None:
    words = "print the DICOM conformance statement of the configuration, in reStructuredText"
    commands.add_parser("conformance", help=words, description=words).set_defaults(run=run)


def run(options: argparse.Namespace, configuration: Configuration) -> int:
    print(conformance_statement(configuration), end="")
    return 0
