"""The prompt on a terminal in memory."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.conch.insults.insults import ServerProtocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from sdcc.interfaces.administration import CannotDo
from sdcc.manhole.commands import namespace
from sdcc.manhole.prompt import MAXIMUM_HISTORY, Prompt

from .conftest import Administration, shown


class Terminal:
    """A prompt, and what it shows of what is typed."""

    def __init__(self) -> None:
        self.administration = Administration()
        self.typed: list[str] = []
        self.ends = 0
        self.prompt = Prompt(namespace(self.administration, shown), self.typed.append, self.end)
        self._transport = StringTransport()
        self._terminal = ServerProtocol(lambda: self.prompt)
        self._terminal.makeConnection(self._transport)
        self.shown()

    def end(self) -> None:
        self.ends += 1

    def type(self, text: str) -> str:
        self._terminal.dataReceived(text.encode())
        return self.shown()

    def shown(self) -> str:
        text = self._transport.value().decode().replace("\r\n", "\n").replace("\x1bE", "\n")
        self._transport.clear()
        return text


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"changed": [], "after_restart": []}, "<reload: 2>\n"),
        (Failure(CannotDo("the file is bad")), "the file is bad\n"),
    ],
)
def test_what_takes_its_time_is_shown_when_it_is_there(terminal: Terminal, result: Any, text: str) -> None:
    """Above the line that is being typed, which stays."""
    assert terminal.type("reload()\r") == "reload()\n>>> "
    terminal.type("rem")
    terminal.administration.reloading.callback(result)
    assert terminal.shown().endswith(f"{text}>>> rem")
    assert terminal.type("otes()\r") == "otes()\n<remotes: 0>\n>>> "


def test_the_cursor_stays_where_it_is_in_that_line(terminal: Terminal) -> None:
    terminal.type("reload()\r")
    terminal.type("remotes\x1b[D\x1b[D")
    terminal.administration.reloading.callback({})
    terminal.type("\x7f")
    assert terminal.prompt.currentLineBuffer() == (b"remo", b"es")


def test_what_is_there_at_once_is_shown_at_once(terminal: Terminal) -> None:
    terminal.administration.reloading.callback({"changed": []})
    assert terminal.type("reload()\r") == "reload()\n<reload: 1>\n>>> "
    assert terminal.type("_['changed']\r") == "_['changed']\n[]\n>>> "


def test_what_comes_after_the_end_is_dropped(terminal: Terminal) -> None:
    terminal.type("reload()\r")
    terminal.type("exit\r")
    terminal.administration.reloading.callback({})
    assert terminal.shown() == ""
    assert terminal.ends == 1


@pytest.mark.parametrize(
    ("before", "completed"),
    [
        ("sta\t", "status"),
        ("re\t", "re"),
        ("len(ass\t", "len(associations"),
        ("unknown\t", "unknown"),
        ("\t", ""),
    ],
)
def test_the_tabulator_completes_what_is_certain(terminal: Terminal, before: str, completed: str) -> None:
    shown_then = terminal.type(before)
    assert b"".join(terminal.prompt.lineBuffer).decode() == completed
    assert ("reload  remotes" in shown_then) == (before == "re\t")


def test_each_line_is_told_and_so_many_are_remembered(terminal: Terminal) -> None:
    for number in range(MAXIMUM_HISTORY + 10):
        terminal.type(f"{number}\r")
    terminal.type("\r")
    assert len(terminal.typed) == MAXIMUM_HISTORY + 10
    assert len(terminal.prompt.historyLines) == MAXIMUM_HISTORY
    terminal.type("\x1b[A")
    assert b"".join(terminal.prompt.lineBuffer) == b"%d" % (MAXIMUM_HISTORY + 9)


def test_the_screen_is_never_cleared(terminal: Terminal) -> None:
    """Neither at the beginning nor when its size changes, nor at the end."""
    everything = Terminal().type("1\r")
    terminal.prompt.terminalSize(120, 40)
    everything += terminal.type("exit\r")
    assert "\x1bc" not in everything
    assert "\x1b[2J" not in everything


def test_a_fault_in_what_is_typed_shows_no_line_of_ours(terminal: Terminal) -> None:
    shown_then = terminal.type("abort()\r")
    assert "write abort(number)" in shown_then
    assert "expression.py" not in shown_then
    assert "twisted" not in shown_then
