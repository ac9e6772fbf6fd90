"""Requests of an administrator as they come from another process, in JSON.

`{"command": "abort", "arguments": {"number": 17}}` is answered with `{"result": …}` or `{"error": "…"}`. What
may be asked is data, which a test holds to :class:`~sdcc.interfaces.administration.IAdministration`.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from sdcc.interfaces.administration import CannotDo, IAdministration


@dataclass(frozen=True, slots=True)
class Command:
    """A method of the contract; each argument with its type in JSON."""

    required: Mapping[str, type] = field(default_factory=dict)
    optional: Mapping[str, type] = field(default_factory=dict)
    #: Whether it does more than look: then it is logged who asked for it.
    acts: bool = False

    @property
    def usage(self) -> str:
        parts = [f"{name} ({_NAMES[kind]})" for name, kind in self.required.items()]
        parts += [f"{name} ({_NAMES[kind]}, may be left out)" for name, kind in self.optional.items()]
        return ", ".join(parts) or "none"


_NAMES = {bool: "true or false", int: "a whole number", str: "a text"}

COMMANDS: Mapping[str, Command] = {
    "status": Command(),
    "associations": Command(),
    "abort": Command({"number": int}, acts=True),
    "remotes": Command(),
    "limits": Command(),
    "reload": Command(acts=True),
    "drain": Command(optional={"is_on": bool}, acts=True),
    "log_level": Command(optional={"name": str, "level": str}, acts=True),
    "explain": Command(
        {"calling": str, "called": str, "address": str},
        {"abstract": str, "transfer_syntax": str, "port": int},
    ),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A command with its arguments, all of them allowed."""

    name: str
    arguments: Mapping[str, object]

    @property
    def acts(self) -> bool:
        return COMMANDS[self.name].acts and (self.name != "log_level" or bool(self.arguments.get("level")))

    def __str__(self) -> str:
        return " ".join([self.name, *(f"{name}={value!r}" for name, value in self.arguments.items())])


def read(line: bytes) -> Wanted:
    """
    :raises CannotDo: it is no request, or not one that is allowed.
    """
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        raise CannotDo("no JSON") from None
    if not isinstance(request, dict) or not request.keys() <= {"command", "arguments"}:
        raise CannotDo('allowed: {"command": …, "arguments": {…}}')
    name, arguments = request.get("command"), request.get("arguments", {})
    if not isinstance(name, str) or name not in COMMANDS:
        raise CannotDo(f"unknown command; allowed: {', '.join(COMMANDS)}")
    command = COMMANDS[name]
    if not isinstance(arguments, dict) or not _are_allowed(arguments, command):
        raise CannotDo(f"{name}: allowed arguments: {command.usage}")
    return Wanted(name, arguments)


def _are_allowed(arguments: Mapping[str, object], command: Command) -> bool:
    kinds = {**command.required, **command.optional}
    return command.required.keys() <= arguments.keys() and all(
        type(value) is kinds.get(name) for name, value in arguments.items()
    )


async def perform(wanted: Wanted, administration: IAdministration) -> object:
    """
    :raises CannotDo: as the contract has it.
    """
    result: object = getattr(administration, wanted.name)(**wanted.arguments)
    return await result if inspect.isawaitable(result) else result
