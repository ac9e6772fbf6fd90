"""`sdccctl`: its arguments, its exit codes, and how it ends."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sdcc import __version__
from sdcc.config import Configuration
from sdcc.control import main
from sdcc.interfaces import StoredObject
from sdcc.statement import conformance_statement

SDCCCTL = [sys.executable, "-m", "sdcc.control"]
COMMANDS = (
    *("check", "instances", "verify", "reindex", "conformance", "echo", "send", "explain"),
    *("status", "associations", "abort", "drain", "reload", "remotes", "limits", "log-level"),
    "shell",
    "completion",
)


def exit_code(*arguments: str) -> int:
    """Of :func:`main`, whichever way it ends."""
    with pytest.raises(SystemExit) as end:
        sys.exit(main(arguments))
    return int(str(end.value.code))


def test_help_names_every_command_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("--help") == 0
    listed = capsys.readouterr().out.partition("  COMMAND\n")[2].partition("\n\n")[0]
    assert [
        line.split()[0] for line in listed.splitlines() if line.startswith("    ") and line[4] != " "
    ] == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(command, "--help") == 0
    assert capsys.readouterr().out.startswith(f"usage: sdccctl {command} ")


def test_the_version_is_the_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("--version") == 0
    assert capsys.readouterr().out == f"SDCC {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("unheard-of",),
        ("reindex", "more"),
        ("check", "more"),
        ("verify", "--mend"),
        ("instances", "--study"),
        ("echo",),
        ("send", "CT01"),
        ("send", "CT01", "file", "--timeout", "0"),
        ("echo", "CT01", "--timeout", "0"),
        ("echo", "CT01", "--timeout", "nan"),
        ("echo", "CT01", "--timeout", "soon"),
        ("explain", "--calling", "A", "--called", "SDCC"),
    ],
)
def test_wrong_arguments_are_explained_with_exit_2(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("usage: sdccctl")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("check",), 1),
        (("instances",), 2),
        (("reindex",), 2),
        (("conformance",), 2),
        (("echo", "CT01"), 2),
        (("explain", "--calling", "A", "--called", "B", "--address", "::1"), 2),
    ],
)
def test_what_is_wrong_with_the_configuration_is_said_by_every_command(
    command: tuple[str, ...],
    code: int,
    configured: Callable[[str], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = configured("[storage]\nthreads = 0\n[query]\nmaximum_answers = -1\n")
    assert main(["--config", path, *command]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        f"{path}: [storage].threads = 0: allowed: a whole number from 1 to 256",
        f"{path}: [query].maximum_answers = -1: allowed: a whole number from 0 to 1000000000 (0: no limit)",
    ]


def test_what_is_wrong_is_said_to_programs_by_check_alone(
    configured: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = configured("[storage]\nthreads = 0\n")
    problem = f"{path}: [storage].threads = 0: allowed: a whole number from 1 to 256"
    assert main(["--config", path, "check", "--json"]) == 1
    out, err = capsys.readouterr()
    assert (json.loads(out), err) == ({"meanings": [], "problems": [problem], "warnings": []}, "")
    assert main(["--config", path, "conformance", "--json"]) == 2
    assert capsys.readouterr() == ("", f"{problem}\n")


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("completion", "shell")])
def test_each_command_speaks_json(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """But for those that speak shell, and Python."""
    assert exit_code(command, "--help") == 0
    assert " --json " in capsys.readouterr().out


def test_a_configuration_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", str(tmp_path / "none.toml"), "check"]) == 1
    assert capsys.readouterr().err == f"{tmp_path}/none.toml: cannot be read: No such file or directory\n"


def test_conformance_gives_programs_the_same_statement(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance"]) == 0
    text = capsys.readouterr().out
    assert main(["conformance", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"format": "reStructuredText", "statement": text}


def test_conformance_prints_the_statement_of_the_configuration(
    configured: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", configured("association.maximum_open = 77"), "conformance"]) == 0
    statement = capsys.readouterr().out
    assert statement != conformance_statement(Configuration())
    assert statement.replace("in all                    77", "in all                    200") == (
        conformance_statement(Configuration())
    )


# --- as a process --------------------------------------------------------------------------


def test_the_program_runs_by_itself(tmp_path: Path) -> None:
    """With no file every default holds, and nothing is left behind."""
    done = subprocess.run([*SDCCCTL, "check"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{tmp_path}/sdcc-data" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_has_seen_enough_ends_the_program_quietly(
    tmp_path: Path, registered: Callable[..., None], stored_object: Callable[..., StoredObject]
) -> None:
    """As `sdccctl instances | head -1` does."""
    registered(*(stored_object(f"1.2.3.{number}") for number in range(1000)))
    process = subprocess.Popen(
        [*SDCCCTL, "instances", "--json"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b'{"sop_instance_uid": "1.2.3.0"')
    process.stdout.close()
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, b"")


def test_a_terminal_without_the_letters_gets_escapes(
    config: str,
    registered: Callable[..., None],
    stored_object: Callable[..., StoredObject],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registered(stored_object("1.2.3", patient_name="Müller^Jörg"))
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, "ascii"))
    assert main(["--config", config, "instances"]) == 0
    assert rb"M\xfcller^J\xf6rg" in shown.getvalue()


@pytest.mark.parametrize(
    "arguments", [("instances",), ("--config", "check", "instances"), ("--config=check", "instances")]
)
def test_a_command_waits_for_no_other_to_be_imported(arguments: tuple[str, ...], tmp_path: Path) -> None:
    program = "import sys\nfrom sdcc.control import main\ntry:\n    main()\nfinally:\n    print(*sys.modules)"
    (tmp_path / "check").write_text("")
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    loaded = {name for name in done.stdout.split() if name.startswith("sdcc.control.")}
    assert "sdcc.control.instances" in loaded
    assert not loaded & {f"sdcc.control.{name}" for name in ("check", "echo", "send", "status", "shell")}
