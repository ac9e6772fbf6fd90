"""What the commands' arguments may be, by the rules of the configuration."""

from __future__ import annotations

import argparse
from typing import TypeAlias, cast

import shtab

from sdcc.config.reading import AE_TITLE, IP_ADDRESS, Kind, NotAllowed
from sdcc.uid import is_uid

#: What a command adds itself to.
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def completed_as_file(argument: argparse.Action) -> None:
    """A shell completes it with the names of files."""
    argument.complete = shtab.FILE  # type: ignore[attr-defined]  # it is shtab's own


def add_json(command: argparse.ArgumentParser, words: str) -> None:
    """
    :param words: what there is then on standard output.
    """
    command.add_argument("--json", action="store_true", help=words)


def ae_title(text: str) -> str:
    return _of_kind(AE_TITLE, text)


def ip_address(text: str) -> str:
    return _of_kind(IP_ADDRESS, text)


def number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: a number from 1")
    return int(text)


def port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: a port from 1 to 65535")
    return int(text)


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0.1 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: seconds from 0.1 to 3600")
    return value


def uid(text: str) -> str:
    if not is_uid(text):
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: a UID")
    return text


def _of_kind(kind: Kind, text: str) -> str:
    try:
        return cast(str, kind.read(text))
    except NotAllowed:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: {kind.allowed}") from None
