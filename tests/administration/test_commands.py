"""What may be asked from another process, and how what may not is answered."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest
from twisted.internet.defer import ensureDeferred

from sdcc.administration.administration import Administration
from sdcc.administration.commands import COMMANDS, perform, read
from sdcc.interfaces.administration import CannotDo, IAdministration

FROM_CT01 = {"calling": "CT01", "called": "SDCC", "address": "192.168.10.21"}


def test_each_method_of_the_contract_is_a_command_and_nothing_else_is() -> None:
    assert {*IAdministration.names()} == {*COMMANDS}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_takes_what_its_method_takes(name: str) -> None:
    parameters = inspect.signature(getattr(Administration, name)).parameters
    defaults = {key: each.default for key, each in parameters.items() if key != "self"}
    command = COMMANDS[name]
    assert {*command.required} == {
        key for key, default in defaults.items() if default is inspect.Parameter.empty
    }
    assert {**command.required, **command.optional}.keys() == defaults.keys()
    assert all(type(defaults[key]) is kind for key, kind in command.optional.items())


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("status", {}),
        ("associations", {}),
        ("remotes", {}),
        ("limits", {}),
        ("reload", {}),
        ("drain", {"is_on": False}),
        ("log_level", {"name": "sdcc", "level": "debug"}),
        ("explain", FROM_CT01),
    ],
)
def test_a_command_is_its_method(
    name: str, arguments: dict[str, Any], administered: Any, new_administered: Any
) -> None:
    wanted = read(json.dumps({"command": name, "arguments": arguments}).encode())
    answer = ensureDeferred(perform(wanted, administered.administration)).result
    other = new_administered()
    direct = getattr(other.administration, name)(**arguments)
    assert answer == (ensureDeferred(direct).result if inspect.isawaitable(direct) else direct)
    assert administered.asked == other.asked


@pytest.mark.parametrize(
    ("name", "arguments", "acts"),
    [
        ("status", {}, False),
        ("log_level", {}, False),
        ("log_level", {"name": "sdcc"}, False),
        ("log_level", {"name": "sdcc", "level": "debug"}, True),
        ("abort", {"number": 1}, True),
        ("drain", {}, True),
        ("reload", {}, True),
        ("explain", FROM_CT01, False),
    ],
)
def test_what_does_more_than_look_is_known(name: str, arguments: dict[str, Any], acts: bool) -> None:
    assert read(json.dumps({"command": name, "arguments": arguments}).encode()).acts is acts


ALLOWED = ", ".join(COMMANDS)
SHAPE = 'allowed: {"command": …, "arguments": {…}}'


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", "no JSON"),
        (b"status", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 60_000, "no JSON"),
        (b"[]", SHAPE),
        (b"null", SHAPE),
        (b'{"command": "status", "more": 1}', SHAPE),
        (b"{}", f"unknown command; allowed: {ALLOWED}"),
        (b'{"command": 7}', f"unknown command; allowed: {ALLOWED}"),
        (b'{"command": ["status"]}', f"unknown command; allowed: {ALLOWED}"),
        (b'{"command": "__class__"}', f"unknown command; allowed: {ALLOWED}"),
        (b'{"command": "status", "arguments": []}', "status: allowed arguments: none"),
        (b'{"command": "status", "arguments": {"self": 1}}', "status: allowed arguments: none"),
        (b'{"command": "abort"}', "abort: allowed arguments: number (a whole number)"),
        (
            b'{"command": "abort", "arguments": {"number": "1"}}',
            "abort: allowed arguments: number (a whole number)",
        ),
        (
            b'{"command": "abort", "arguments": {"number": true}}',
            "abort: allowed arguments: number (a whole number)",
        ),
        (
            b'{"command": "drain", "arguments": {"is_on": 1}}',
            "drain: allowed arguments: is_on (true or false, may be left out)",
        ),
    ],
)
def test_what_is_not_allowed_is_answered_with_what_is(line: bytes, words: str) -> None:
    with pytest.raises(CannotDo) as refused:
        read(line)
    assert str(refused.value) == words
