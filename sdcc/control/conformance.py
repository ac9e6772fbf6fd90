"""`sdccctl conformance`: the conformance statement of the configuration."""

from __future__ import annotations

import argparse

from sdcc.config import Configuration
from sdcc.control.arguments import Commands, add_json
from sdcc.printable import ascii_json
from sdcc.statement import conformance_statement


def add(commands: Commands) -> None:
    words = "print the DICOM conformance statement of the configuration, in reStructuredText"
    command = commands.add_parser("conformance", help=words, description=words)
    add_json(command, "a JSON object: format, statement")
    command.set_defaults(run=run)


def run(options: argparse.Namespace, configuration: Configuration) -> int:
    statement = conformance_statement(configuration)
    if options.json:
        print(ascii_json({"format": "reStructuredText", "statement": statement}))
    else:
        print(statement, end="")
    return 0
