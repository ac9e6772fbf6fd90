"""The commands that ask the servers that run: whom they ask, and what they say where nobody answers."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sdcc.administration import place
from sdcc.administration.place import address
from sdcc.control import main

#: What a server answers to a command: a result, or one of these.
Error = type("Error", (str,), {})
Raw = type("Raw", (bytes,), {})

Serve = Callable[..., list[Any]]
Ask = Callable[..., int]


@pytest.fixture
def serve(storage: Path) -> Iterator[Serve]:
    """Starts a server that gives canned answers; gives the requests that it gets."""
    with ExitStack() as ends:

        def serve(process: str, /, **answers: Any) -> list[Any]:
            requests: list[Any] = []

            class Answers(socketserver.StreamRequestHandler):
                def handle(self) -> None:
                    for line in self.rfile:
                        requests.append(json.loads(line))
                        answer = answers[requests[-1]["command"]]
                        if isinstance(answer, Raw):
                            self.wfile.write(answer)
                            return
                        key = "error" if isinstance(answer, Error) else "result"
                        self.wfile.write(f"{json.dumps({key: answer})}\n".encode())

            folder = storage / "incoming" / f"{process}-t0k3n"
            folder.mkdir(parents=True)
            name = ends.enter_context(address(str(folder)))
            server = ends.enter_context(socketserver.UnixStreamServer(name, Answers))
            threading.Thread(target=server.serve_forever, args=(0.01,)).start()
            ends.callback(server.shutdown)
            return requests

        yield serve


@pytest.fixture
def ask(config: str) -> Ask:
    return lambda *arguments: main(["--config", config, *arguments])


def left_behind(storage: Path, process: str) -> None:
    """The socket of a process that was killed."""
    folder = storage / "incoming" / f"{process}-t0k3n"
    folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as left, address(str(folder)) as name:
        left.bind(name)


ABORTED = {"aborted": 17}
DRAINING = {"state": "draining", "open": 2}
LEVELS = [{"name": "sdcc", "level": "info"}, {"name": "sdcc.index", "level": "debug"}]


#: By what is typed: what a server is asked, what it answers, and what is shown of that.
ASKED: dict[str, tuple[str, Any, Any, str]] = {
    "abort 17": ("abort", {"number": 17}, ABORTED, "association 17 is aborted\n"),
    "drain": ("drain", {"is_on": True}, DRAINING, "draining, associations open: 2\n"),
    "drain --undo": ("drain", {"is_on": False}, DRAINING, "draining, associations open: 2\n"),
    "log-level": ("log_level", {}, LEVELS, "logger      level\nsdcc        info\nsdcc.index  debug\n"),
    "log-level sdcc.index debug": (
        "log_level",
        {"name": "sdcc.index", "level": "debug"},
        LEVELS[1:],
        "logger      level\nsdcc.index  debug\n",
    ),
    "reload": ("reload", {}, {"changed": ["[access]"], "after_restart": []}, "changed  [access]\n"),
}


@pytest.mark.parametrize("line", ASKED)
def test_a_command_is_what_the_server_is_asked(
    line: str, serve: Serve, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    command, arguments, answer, shown = ASKED[line]
    requests = serve("host-1", **{command: answer})
    assert ask(*line.split()) == 0
    assert requests == [{"command": command, "arguments": arguments}]
    assert capsys.readouterr() == (shown, "")


def test_json_is_an_object_or_one_a_line_each_with_its_process(
    serve: Serve, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    serve("host-1", drain=DRAINING, log_level=LEVELS)
    assert ask("drain", "--json") == 0
    assert ask("log-level", "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [{"process": "host-1", **facts} for facts in (DRAINING, *LEVELS)]


def test_several_processes_are_asked_in_turn(
    serve: Serve, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    for process in ("a-1", "b-2"):
        serve(process, drain=DRAINING)
    assert ask("drain") == 0
    assert capsys.readouterr().out == "".join(
        f"{process}:\ndraining, associations open: 2\n" for process in ("a-1", "b-2")
    )


@pytest.mark.parametrize("name", ["b-2", "b-2-t0k3n"])
def test_one_process_is_asked_by_its_name(
    name: str, serve: Serve, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = serve("a-1"), serve("b-2", abort=ABORTED)
    assert ask("abort", "17", "--process", name) == 0
    assert (first, len(second)) == ([], 1)
    assert ask("abort", "17", "--process", "c-3") == 1
    assert capsys.readouterr().err.endswith("; there are: a-1, b-2\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("abort", "17"),
        ("explain", "--live", "--calling", "A", "--called", "SDCC", "--address", "::1"),
    ],
)
def test_what_names_a_thing_of_one_process_is_not_asked_of_several(
    arguments: tuple[str, ...], serve: Serve, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    requests = [serve(process) for process in ("a-1", "b-2")]
    assert ask(*arguments) == 2
    assert requests == [[], []]
    assert capsys.readouterr() == ("", "several processes run: a-1, b-2; say which with --process NAME\n")


def test_what_a_server_cannot_do_is_said_and_the_others_are_asked(
    serve: Serve, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    serve("a-1", reload=Error("sdcc.toml: not TOML\nat all"))
    serve("b-2", reload={"changed": [], "after_restart": []})
    assert ask("reload") == 1
    assert capsys.readouterr() == ("b-2:\nnothing has changed\n", "a-1: sdcc.toml: not TOML\nat all\n")
    assert ask("reload", "--process", "a-1") == 1
    assert capsys.readouterr().err == "sdcc.toml: not TOML\nat all\n"


@pytest.mark.parametrize(("answer", "code"), [("accepted", 0), ("refused", 1)])
def test_an_explanation_of_the_server_has_the_exit_code_of_ours(
    answer: str, code: int, serve: Serve, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = {"answer": answer, "codes": "", "rule": "", "context_result": "", "but": ""}
    serve("a-1", explain=facts)
    assert ask("explain", "--live", "--calling", "A", "--called", "SDCC", "--address", "::1") == code
    assert capsys.readouterr() == (f"{answer}\n", "")


# --- where nobody answers ---


def test_where_no_server_runs_the_directory_is_named(
    ask: Ask, storage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"no server runs with the storage directory {storage}: nothing answers in {storage}/incoming\n"
    for arguments in (("status",), ("drain",), ("abort", "1"), ("status", "--process", "a-1")):
        assert ask(*arguments) == 1
        assert capsys.readouterr() == ("", words)
    assert not storage.exists()


def test_what_a_killed_server_left_is_told_apart_from_one_that_runs(
    ask: Ask, serve: Serve, storage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left_behind(storage, "dead-1")
    dead = "dead-1: it is dead, or runs on another host\n"
    assert ask("drain") == 1
    out, err = capsys.readouterr()
    assert (out, err.startswith(dead)) == ("", True)
    assert "no server runs" in err
    serve("live-2", drain=DRAINING)
    assert ask("drain") == 0
    assert capsys.readouterr() == ("draining, associations open: 2\n", dead)


def test_a_directory_that_cannot_be_read_is_an_error(
    ask: Ask, storage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    storage.mkdir()
    (storage / "incoming").write_text("")
    assert ask("status") == 1
    assert capsys.readouterr().err == f"{storage}/incoming: Not a directory\n"


@pytest.mark.parametrize("answer", [Raw(b""), Raw(b'{"result": ')])
def test_a_server_that_ends_in_the_middle_has_not_answered(
    answer: bytes, ask: Ask, serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    serve("host-1", drain=answer)
    assert ask("drain") == 1
    assert capsys.readouterr() == ("", "host-1: it has closed the connection without an answer\n")


@pytest.mark.parametrize(
    "answer",
    [
        Raw(b"no JSON\n"),
        Raw(b"17\n"),
        Raw(b"{}\n"),
        Raw(b"[" * 100_000 + b"\n"),
        {"state": "draining"},
        ["draining"],
        None,
    ],
)
def test_the_answer_of_another_version_is_said_to_be_one(
    answer: Any, ask: Ask, serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after an upgrade, until the server is started anew."""
    serve("host-1", drain=answer)
    assert ask("drain") == 1
    out, err = capsys.readouterr()
    assert (out, err.startswith("host-1: its answer is not understood by sdccctl ")) == ("", True)


def test_ctrl_c_ends_the_wait_with_a_word(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(directory: str) -> dict[str, str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(place, "processes", interrupted)
    assert ask("status") == 130
    assert capsys.readouterr() == ("", "interrupted\n")


def test_a_server_that_hangs_is_not_waited_for_longer_than_said(
    ask: Ask, storage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The kernel takes the connection though nobody accepts it."""
    folder = storage / "incoming" / "host-1-t0k3n"
    folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as hanging, address(str(folder)) as name:
        hanging.bind(name)
        hanging.listen()
        assert ask("status", "--timeout", "0.1") == 1
    assert capsys.readouterr() == ("", "host-1: no answer within 0.1 s\n")


@pytest.mark.parametrize("arguments", [("abort", "0"), ("abort", "x"), ("log-level", "sdcc", "loud")])
def test_arguments_that_no_server_takes_are_not_sent(
    arguments: tuple[str, ...], ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        ask(*arguments)
    assert end.value.code == 2
    assert "usage: sdccctl" in capsys.readouterr().err
