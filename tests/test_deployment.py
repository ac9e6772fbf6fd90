"""What etc/ has for systemd, logrotate, HAProxy and containers: it is sound, and agrees with SDCC and itself.

The programs that it is for are asked where they are installed.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sysconfig
from configparser import ConfigParser
from pathlib import Path

import pytest
from twisted.scripts.twistd import ServerOptions

from sdcc.config import Configuration, load
from sdcc.network.server import BACKLOG

TREE = Path(__file__).parent.parent
ETC = TREE / "etc"
#: Where the unit and the documentation have the programs, and where they are here.
PROGRAMS = "/opt/sdcc/current/bin"
SCRIPTS = sysconfig.get_path("scripts")


def program(name):
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") or pytest.skip(f"{name} is not here")


def checked(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def unit(name):
    """The settings of each section; of those that stand several times, the last."""
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read_string((ETC / name).read_text("utf-8"))
    return parser


@pytest.fixture
def units(tmp_path):
    """Copies whose programs are there."""
    for name in ("sdcc.service", "sdcc.socket"):
        (tmp_path / name).write_text((ETC / name).read_text("utf-8").replace(PROGRAMS, SCRIPTS))
    return [str(tmp_path / "sdcc.service"), str(tmp_path / "sdcc.socket")]


# --- systemd ---


def test_systemd_has_nothing_to_say_against_the_units(units):
    assert checked(program("systemd-analyze"), "verify", *units) == ""


def test_the_service_may_do_as_little_as_the_documentation_says(units):
    """By the judgement of one version of systemd: others weigh differently."""
    page = (TREE / "docs" / "installing.rst").read_text("utf-8")
    version, level = re.search(r"systemd (\d+) gives\s+it (\d\.\d) of 10", page).groups()
    analyze = program("systemd-analyze")
    if not checked(analyze, "--version").startswith(f"systemd {version} "):
        pytest.skip(f"this is not systemd {version}")
    said = checked(analyze, "security", "--no-pager", "--offline=true", units[0])
    assert f"Overall exposure level for sdcc.service: {level} " in said


def test_the_service_is_given_the_time_that_a_stop_may_take():
    settings = Configuration()
    needed = settings.association.drain_timeout + settings.index.timeout + 5
    assert float(unit("sdcc.service")["Service"]["TimeoutStopSec"]) >= needed


def test_the_socket_waits_for_as_many_as_sdccs_own():
    assert int(unit("sdcc.socket")["Socket"]["Backlog"]) == BACKLOG


@pytest.mark.parametrize("place", ["unit", "container"])
def test_twistd_takes_the_command_line(place):
    if place == "unit":
        words = shlex.split(unit("sdcc.service")["Service"]["ExecStart"])
    else:
        words = [*json.loads(told("ENTRYPOINT")), *json.loads(told("CMD"))]
    command, *_, file = words
    options = ServerOptions()
    options.parseOptions([*words[1:-1], str(ETC / "container.toml")])
    assert (Path(command).name, file) == ("twistd", "/etc/sdcc/sdcc.toml")
    assert (options.subCommand, options["nodaemon"], options["pidfile"]) == ("sdcc", True, "")
    assert options.subOptions.configuration == load(ETC / "container.toml")


# --- logrotate, HAProxy ---


def test_logrotate_takes_its_file(tmp_path):
    text = (ETC / "logrotate").read_text("utf-8").replace("/var/log/sdcc", str(tmp_path))
    (tmp_path / "conf").write_text(text.replace("su sdcc sdcc", ""))
    (tmp_path / "conf").chmod(0o644)
    (tmp_path / "sdcc.log").write_text("a line\n")
    said = checked(
        program("logrotate"), "--debug", "--state", str(tmp_path / "state"), str(tmp_path / "conf")
    )
    assert "error" not in said
    assert f"considering log {tmp_path}/sdcc.log" in said


def test_haproxy_takes_its_file():
    checked(program("haproxy"), "-c", "-f", str(ETC / "haproxy.cfg"))


def test_the_balancer_leaves_it_to_sdcc_to_end_what_is_idle():
    timeouts = re.findall(r"timeout (?:client|server) (\d+)s", (ETC / "haproxy.cfg").read_text("utf-8"))
    assert len(timeouts) == 2
    assert min(map(int, timeouts)) > Configuration().association.idle_timeout


# --- the container ---


def instructions():
    """(instruction, its arguments) of the Containerfile, in order."""
    text = re.sub(r"^\s*#.*\n", "", (ETC / "Containerfile").read_text("utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [tuple(line.split(None, 1)) for line in lines if line.strip()]


def told(instruction):
    """The arguments of the last one, in the last stage."""
    return [arguments for name, arguments in instructions() if name == instruction][-1]


def test_a_linter_has_nothing_to_say_against_the_containerfile():
    checked(program("hadolint"), str(ETC / "Containerfile"))


def test_the_container_runs_sdcc_itself_as_somebody_who_is_not_root():
    """Its first process gets the signals: no shell stands in between."""
    entry = json.loads(told("ENTRYPOINT"))
    assert (entry[0], entry[-1]) == ("twistd", "sdcc")
    assert json.loads(told("HEALTHCHECK").partition(" CMD ")[2])[0] == "sdccctl"
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", told("USER"))


def test_the_container_is_built_on_a_python_that_sdcc_supports():
    base = re.search(r"BASE=\S+/python:3\.(\d+)-slim-\w+$", told("ARG"))
    assert base, told("ARG")
    assert int(base[1]) >= 11


def test_what_is_built_is_let_in_and_nothing_else_is_needed():
    """All that setuptools reads, and the configuration; but no data and no environment of the tree."""
    rules = [
        line for line in (TREE / ".dockerignore").read_text("utf-8").splitlines() if line[:1] not in ("", "#")
    ]

    def is_let_in(path):
        let_in = True
        for rule in rules:
            parts = [path, *map(str, Path(path).parents)][:-1]
            if any(fnmatch.fnmatch(part, rule.lstrip("!").removeprefix("**/")) for part in parts):
                let_in = rule.startswith("!")
        return let_in

    needed = ["setup.cfg", "pyproject.toml", "README.rst", "LICENSE", "etc/container.toml"]
    sources = [path.relative_to(TREE).as_posix() for path in (TREE / "sdcc").rglob("*.py")]
    assert [
        path for path in [*needed, *sources, "twisted/plugins/sdcc_plugin.py"] if not is_let_in(path)
    ] == []
    kept_out = [".git/config", ".venv/bin/python", "sdcc-data/index.sqlite", "sdcc.toml", "tests/conftest.py"]
    assert [path for path in kept_out if is_let_in(path)] == []


def test_the_containers_own_configuration_is_one_and_fits():
    """It is reached at the port that is exposed, and keeps its data in the volume."""
    configuration = load(ETC / "container.toml")
    assert [(local.interface, local.port) for local in configuration.locals] == [
        ("0.0.0.0", int(told("EXPOSE")))
    ]
    assert str(configuration.storage.directory) == told("VOLUME") == told("WORKDIR")
