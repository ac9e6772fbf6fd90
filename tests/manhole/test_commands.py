"""The names at the prompt, without SSH."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from sdcc.control.synchronous import result
from sdcc.interfaces.administration import CannotDo, IAdministration
from sdcc.manhole.commands import COMMANDS, namespace
from sdcc.manhole.expression import evaluated

from .conftest import Administration, shown


def test_all_of_the_administration_is_there() -> None:
    assert set(COMMANDS) == set(IAdministration)
    assert set(namespace(Administration(), shown)) == {*COMMANDS, "help", "exit", "quit"}


def test_a_result_is_a_table_and_data() -> None:
    names = namespace(Administration(), shown)
    assert repr(names["status"]()) == "<status: 2>"
    assert names["status"]()["associations"] == {"open": 1, "maximum": 200}
    assert repr(names["associations"]()) == "<associations: 2>"
    assert names["associations"]()[1] == {"number": 8, "bytes": 525}


def test_a_result_that_is_still_to_come_is_one_too() -> None:
    administration = Administration()
    result = namespace(administration, shown)["reload"]()
    assert isinstance(result, Deferred)
    administration.reloading.callback({"changed": ["access"], "after_restart": []})
    assert repr(result.result) == "<reload: 2>"
    assert result.result["changed"] == ["access"]


def test_wrong_arguments_are_told_how_to_be_written() -> None:
    names = namespace(Administration(), shown)
    with pytest.raises(TypeError, match=r"missing a required argument: 'number'; write abort\(number\)"):
        names["abort"]()
    with pytest.raises(CannotDo):
        names["abort"](9)


def test_a_word_is_not_taken_for_yes() -> None:
    names = namespace(Administration(), shown)
    with pytest.raises(TypeError, match=r"^is_on is 'off', which is no bool; write drain\(is_on=True\)$"):
        names["drain"]("off")
    assert names["drain"](False)["state"] == "ready"


def test_wrong_arguments_show_what_was_typed_and_nothing_of_ours() -> None:
    names = namespace(Administration(), shown)
    _, errors, _ = result(evaluated("abort('7')", names))
    assert errors == (
        'Traceback (most recent call last):\n  File "<manhole>", line 1, in <module>\n'
        "TypeError: number is '7', which is no int; write abort(number)\n"
    )


def test_a_name_without_parentheses_says_what_it_is_for() -> None:
    names = namespace(Administration(), shown)
    assert repr(names["limits"]) == f"limits()\n    {COMMANDS['limits'][1]}"
    assert repr(names["help"](names["limits"])) == repr(names["limits"])


def test_help_lists_every_name_with_its_arguments() -> None:
    text = repr(namespace(Administration(), shown)["help"])
    for usage, _ in COMMANDS.values():
        assert f"\n{usage}\n" in f"\n{text}\n"
    assert "exit or Ctrl-D ends the session" in text
