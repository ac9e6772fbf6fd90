"""The system's ssh and a manhole: who is let in, and what they can do then."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import pytest_twisted
from twisted.logger import LogEvent, globalLogPublisher

from sdcc.interfaces.administration import CannotDo
from sdcc.manhole.commands import COMMANDS
from sdcc.manhole.prompt import GREETING

from .conftest import KINDS, Opened

REFUSED = "sdcc@127.0.0.1: Permission denied (publickey)."

# --- who is let in ---


@pytest.mark.parametrize("name", KINDS)
@pytest_twisted.ensureDeferred
async def test_a_key_of_each_kind_opens_it(opened: Opened, name: str) -> None:
    opened.let_in(*KINDS)
    assert await opened.ssh("status()", key=name) == ("<status: 2>\n", "", 0)


@pytest_twisted.ensureDeferred
async def test_another_key_does_not(
    opened: Opened, lines: list[str], keys: dict[str, Path], fingerprint_of: Callable[[Path], str]
) -> None:
    said = await opened.ssh("status()", key="bert")
    assert (said.output, said.errors.strip(), said.code) == ("", REFUSED, 255)
    name = fingerprint_of(keys["bert"])
    assert lines == [f"Manhole: {name} from 127.0.0.1 is refused: it is not in {opened.authorized_keys}"]


@pytest_twisted.ensureDeferred
async def test_who_may_log_in_is_read_anew_each_time(opened: Opened) -> None:
    opened.let_in("bert")
    assert (await opened.ssh("status()", key="bert")).code == 0
    opened.let_in("anna")
    assert (await opened.ssh("status()", key="bert")).code == 255


@pytest_twisted.ensureDeferred
async def test_no_other_user_name_is_known(opened: Opened, lines: list[str]) -> None:
    assert (await opened.ssh("status()", user="root")).code == 255
    assert lines[0].endswith("is refused: the user name is not 'sdcc'")


@pytest_twisted.ensureDeferred
async def test_a_password_is_not_even_asked_for(opened: Opened, lines: list[str]) -> None:
    methods = "PreferredAuthentications=none,password,keyboard-interactive"
    said = await opened.ssh("status()", options=("-o", methods, "-o", "LogLevel=DEBUG1"))
    assert said.code == 255
    told = [line.strip() for line in said.errors.splitlines() if "Authentications that can continue" in line]
    assert told == ["debug1: Authentications that can continue: publickey"]


@pytest.mark.parametrize(("which", "mode"), [("keys", 0o620), ("keys", 0o602), (".", 0o770), (".", 0o707)])
@pytest_twisted.ensureDeferred
async def test_a_file_of_keys_that_others_can_write_lets_nobody_in(
    opened: Opened, lines: list[str], which: str, mode: int
) -> None:
    (opened.directory / which).chmod(mode)
    try:
        assert (await opened.ssh("status()")).code == 255
    finally:
        opened.directory.chmod(0o700)
    path = opened.directory / which
    assert lines[0].endswith(f"{path} can be written by others than its owner: chmod go-w {path}")


@pytest.mark.parametrize("options", ['from="10.0.0.0/8" ', "restrict ", 'command="a b",no-pty '])
@pytest_twisted.ensureDeferred
async def test_a_line_with_options_lets_nobody_in(opened: Opened, lines: list[str], options: str) -> None:
    opened.let_in("anna", options=options)
    assert (await opened.ssh("status()")).code == 255
    assert lines[0].endswith(
        f"{opened.authorized_keys}, line 1: its options are not known here, and are not ignored"
    )


@pytest_twisted.ensureDeferred
async def test_without_the_file_nobody_is_let_in(opened: Opened, lines: list[str]) -> None:
    opened.authorized_keys.unlink()
    assert (await opened.ssh("status()")).code == 255
    assert lines[0].endswith(
        f"[manhole] authorized_keys: {opened.authorized_keys}: No such file or directory"
    )


# --- expressions ---


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("associations()", ("<associations: 2>\n", "", 0)),
        ("[a['number'] for a in associations() if a['bytes']]", ("[8]\n", "", 0)),
        ("print('ü')", ("ü\n", "", 0)),
        ("abort(7)", ("<abort: 1>\n", "", 0)),
        ("abort(9)", ("", "no association has the number 9\n", 1)),
        (
            "1 / 0",
            (
                "",
                'Traceback (most recent call last):\n  File "<manhole>", line 1, in <module>\n'
                "ZeroDivisionError: division by zero\n",
                1,
            ),
        ),
        ("help(limits)", (f"limits()\n    {COMMANDS['limits'][1]}\n", "", 0)),
    ],
)
@pytest_twisted.ensureDeferred
async def test_an_expression_is_answered(opened: Opened, expression: str, said: tuple[str, str, int]) -> None:
    assert await opened.ssh(expression) == said


@pytest_twisted.ensureDeferred
async def test_an_expression_is_waited_for(opened: Opened, lines: list[str]) -> None:
    asked = opened.ssh("reload()")
    await opened.until(lambda: lines and lines[-1].endswith("reload()"))
    opened.administration.reloading.errback(CannotDo("the file is bad"))
    assert await asked == ("", "the file is bad\n", 1)


# --- the prompt ---


@pytest_twisted.ensureDeferred
async def test_the_prompt_shows_tables_and_sentences(opened: Opened) -> None:
    typed = "status()\rabort(9)\r1/0\rfor n in range(2): print(n)\r\r_['state']\rassoc\t\rexit\r"
    said = await opened.ssh(options=("-tt",), typed=typed)
    assert said.code == 0
    shown = said.output.replace("\r\n", "\n")
    assert shown.startswith(GREETING)
    for answer in (
        "status()\n<status: 2>\n>>>",
        "abort(9)\nno association has the number 9\n>>>",
        '1/0\nTraceback (most recent call last):\n  File "<manhole>", line 1, in <module>\nZeroDivisionError',
        "\n0\n1\n>>>",
        "_['state']\n'ready'\n>>>",
        "associations",
    ):
        assert answer in shown, shown
    assert "Failure" not in shown


@pytest.mark.parametrize("end", ["\x04", "exit\r", "quit\r", "exit()\r", "raise SystemExit\r", ""])
@pytest_twisted.ensureDeferred
async def test_a_session_ends_in_order(opened: Opened, lines: list[str], end: str) -> None:
    """The last one is the end of what ssh reads."""
    said = await opened.ssh(options=("-tt",), typed=end)
    assert (said.errors, said.code) == ("", 0)
    assert "Traceback" not in said.output + "".join(lines)


@pytest_twisted.ensureDeferred
async def test_the_prompt_needs_a_terminal(opened: Opened) -> None:
    said = await opened.ssh(typed="status()\n")
    assert (said.output, said.code) == ("", 1)
    assert said.errors == "The prompt needs a terminal: ssh -t, or an expression as the command.\n"


# --- what else SSH has ---


@pytest_twisted.ensureDeferred
async def test_no_port_is_forwarded(opened: Opened) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        there = f"127.0.0.1:{other.getsockname()[1]}"
        said = await opened.ssh(options=("-W", there, "-o", "LogLevel=INFO"))
    assert (said.output, said.code) == ("", 255)
    assert "this is not provided" in said.errors
    back = ("-N", "-R", "0:127.0.0.1:1", "-o", "ExitOnForwardFailure=yes")
    said = await opened.ssh(options=back)
    assert said.code == 255
    assert "remote port forwarding failed" in said.errors


@pytest_twisted.ensureDeferred
async def test_there_is_no_subsystem(opened: Opened) -> None:
    said = await opened.ssh("sftp", options=("-s",))
    assert (said.output, said.code) == ("", 255)
    assert "subsystem request failed" in said.errors


# --- the log ---


@pytest_twisted.ensureDeferred
async def test_the_log_says_who_came_and_what_they_typed_and_no_more(
    opened: Opened, keys: dict[str, Path], fingerprint_of: Callable[[Path], str]
) -> None:
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)
    try:
        await opened.ssh(f"len('{'x' * 250}')")
        await opened.until(lambda: not opened.is_used)
    finally:
        globalLogPublisher.removeObserver(events.append)
    who = f"{fingerprint_of(keys['anna'])} (anna@example)"
    assert [(event["log_level"].name, event["log_format"].format(**event)) for event in events] == [
        ("info", f"Manhole: {who} has logged in from 127.0.0.1"),
        ("info", f"Manhole: {who} from 127.0.0.1: len('{'x' * 195}..."),
        ("info", f"Manhole: {who} from 127.0.0.1 has left"),
    ]
