"""The page about `sdccctl` says what the program's help says."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from docutils.core import publish_string
from docutils.utils import Reporter
from docutils.writers import manpage

from sdcc.control import parser
from sdcc.control.page import page

PAGE = Path(__file__).parent.parent.parent / "docs" / "sdccctl.rst"


def commands() -> dict[str, argparse.ArgumentParser]:
    [found] = (action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    return dict(found.choices)


def test_the_page_that_is_there_is_the_programs() -> None:
    """`python -m sdcc.control.page > docs/sdccctl.rst` makes it anew."""
    assert PAGE.read_text("utf-8") == page()


@pytest.mark.parametrize("name", commands())
def test_each_option_of_each_command_is_there(name: str) -> None:
    section = page().partition(f"\n{name}\n{'-' * len(name)}\n")[2].partition("\n---")[0]
    options = [option for action in commands()[name]._actions for option in action.option_strings]
    assert [option for option in options if option.startswith("--") and option != "--help"] == [
        option for option in options if f"\n{option}" in section
    ]


def test_every_option_has_help() -> None:
    """The page has nothing else to say of it."""
    for name, command in commands().items():
        assert [action.dest for action in command._actions if not action.help] == [], name


def test_it_is_a_page_for_man() -> None:
    halt = {"halt_level": Reporter.WARNING_LEVEL}
    manual = publish_string(page(), writer=manpage.Writer(), settings_overrides=halt).decode()
    assert '.TH "sdccctl" "1"' in manual
    assert ".SH Exit codes" in manual
