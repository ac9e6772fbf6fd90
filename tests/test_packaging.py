"""What a newcomer meets first: the README's commands, what CI runs, what pip installs."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from configparser import ConfigParser
from pathlib import Path

import pytest

TREE = Path(__file__).parent.parent
README = (TREE / "README.rst").read_text("utf-8")
CI_RUN = TREE / ".ci" / "run"

#: The first words of both commands that do all the set-up.
SET_UP = "python3 -m venv .venv && .venv/bin/pip install -q "


def configuration(name):
    parser = ConfigParser()
    parser.read_string((TREE / name).read_text("utf-8"))
    return parser


def commands(text):
    """The lines of a text that set up and run something, without their indentation."""
    return [line.strip() for line in text.splitlines() if line.strip().startswith(SET_UP)]


def test_the_readme_has_one_command_for_the_server_and_one_for_the_tests():
    server, tests = commands(README)
    assert server.endswith(" && .venv/bin/twistd -n sdcc")
    assert tests.endswith(" && .venv/bin/tox")


def test_ci_runs_the_readmes_test_command():
    """And nothing after it: CI's answer is its exit code."""
    _, tests = commands(README)
    assert commands(CI_RUN.read_text("utf-8")) == [tests]
    assert CI_RUN.read_text("utf-8").endswith(f"\n{tests}\n")


def test_ci_can_be_started():
    assert os.access(CI_RUN, os.X_OK)
    subprocess.run(["bash", "-n", CI_RUN], check=True)


def test_files_that_the_readme_names_exist():
    named = re.findall(r"(?<![\w./-])((?:\.ci|docs|etc|sdcc|tests|twisted)/[\w./-]*[\w/])", README)
    assert "etc/sdcc.toml" in named
    assert [path for path in named if not (TREE / path).exists()] == []


def test_every_page_is_in_the_readmes_list():
    """And only there does a reader look for it."""
    pages = {path.relative_to(TREE).as_posix() for path in (TREE / "docs").glob("*.rst")}
    _, _, listed = README.partition("\nPages\n=====\n")
    assert set(re.findall(r"`[^`<]+ <(docs/[^>]+)>`_", listed.partition("\nDevelopment\n")[0])) == pages


def test_the_tests_are_the_last_thing_that_tox_runs():
    """So that what they say is what a reader of the output finds at its end."""
    tox = configuration("tox.ini")
    environments = tox["tox"]["env_list"].split(", ")
    assert environments[-1] == "tests"
    assert {f"testenv:{name}" for name in environments} == {name for name in tox if ":" in name}


def test_the_plugin_is_packaged():
    """`twisted.plugins` is everybody's: an `__init__.py` there would hide the others'."""
    packages = configuration("setup.cfg")["options.packages.find"]["include"].split()
    assert packages == ["sdcc*", "twisted.plugins"]
    assert [path.name for path in (TREE / "twisted").rglob("*.py")] == ["sdcc_plugin.py"]


def test_pyproject_names_the_build_system_and_no_more():
    assert list(tomllib.loads((TREE / "pyproject.toml").read_text("utf-8"))) == ["build-system"]


@pytest.mark.parametrize("environment", ["lint", "types", "docs", "tests"])
def test_what_tox_installs_is_an_extra(environment):
    extras = configuration("setup.cfg")["options.extras_require"]
    assert configuration("tox.ini")[f"testenv:{environment}"]["extras"] in extras
