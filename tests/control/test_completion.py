"""`sdccctl completion`: scripts that shells understand, and that complete."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sdcc.control import main
from sdcc.control.completion import SHELLS

#: Completes a command line as bash does when Tab is pressed, and prints what is offered.
COMPLETE = """
source "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
rule=$(complete -p sdccctl)
"$(sed -E 's/.* -F ([^ ]+) .*/\\1/' <<< "$rule")" sdccctl "${!#}" "${@: -2:1}" 2>/dev/null
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["completion", "bash"]) == 0
    path = tmp_path / "completion"
    path.write_text(capsys.readouterr().out)
    return path


def offered(script: Path, *words: str) -> set[str]:
    done = subprocess.run(
        ["bash", "-c", COMPLETE, "bash", script, *words],
        cwd=script.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return {*done.stdout.split()}


def test_bash_takes_the_script(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True)


def test_bash_completes_commands_options_and_values(script: Path) -> None:
    assert offered(script, "sdccctl", "re") == {"reindex", "reload", "remotes"}
    assert offered(script, "sdccctl", "verify", "--re") == {"--repair"}
    assert offered(script, "sdccctl", "completion", "") >= {*SHELLS}


def test_bash_completes_files(script: Path) -> None:
    (script.parent / "image.dcm").touch()
    (script.parent / "sdcc.toml").touch()
    assert offered(script, "sdccctl", "--config", "sd") == {"sdcc.toml"}
    assert offered(script, "sdccctl", "send", "CT01", "im") == {"image.dcm"}


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_has_a_script_with_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "log-level" in capsys.readouterr().out
