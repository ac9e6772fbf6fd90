"""The prompt of a real server, opened by the system's ssh."""

from __future__ import annotations

import re
import subprocess

import pytest

from sdcc.control import main

from ..programs import required
from .server import CONFIGURATION, SDCCCTL, Server, until

MANHOLE = '\n[manhole]\nendpoint = "unix:manhole"\nauthorized_keys = "keys"\n'
#: The configuration for sdccctl, which would not use a bad one.
OURS = "sdccctl.toml"
KEYGEN = "/usr/bin/ssh-keygen"


@pytest.fixture(scope="module")
def manhole(tmp_path_factory):
    """A server with a manhole, and what comes after `sdccctl shell --` to be let in."""
    directory = tmp_path_factory.mktemp("manhole")
    keygen = required(KEYGEN, "install Debian's package openssh-client")
    key = directory / "anna"
    subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-C", "anna", "-f", key], check=True)
    (directory / "keys").write_text(key.with_suffix(".pub").read_text())
    (directory / OURS).write_text(CONFIGURATION + MANHOLE)
    server = Server(directory, CONFIGURATION + MANHOLE)
    yield server, ("-F", "/dev/null", "-i", str(key))
    server.discard()


@pytest.fixture
def evaluated(manhole, capfd):
    """What an expression gives at the prompt: exit code, output and errors.

    `sdccctl` runs in this process, which spares a second each time.
    """
    server, ssh = manhole

    def evaluate(expression):
        capfd.readouterr()
        code = main(["--config", str(server.directory / OURS), "shell", "-c", expression, "--", "-n", *ssh])
        return code, *capfd.readouterr()

    return evaluate


def test_the_log_has_the_fingerprint_of_the_host_key(manhole):
    server, _ = manhole
    host_key = server.storage / "manhole_host_key"
    told = subprocess.run([KEYGEN, "-l", "-f", host_key], capture_output=True, text=True, check=True)
    line = f"Manhole on {server.directory}/manhole, host key {told.stdout.split()[1]}"
    until(lambda: line in server.log())


def test_the_prompt_is_that_of_the_running_server(manhole, evaluated):
    server, _ = manhole
    code, output, errors = evaluated("status()")
    assert (code, errors) == (0, "")
    assert output.startswith("state ")
    assert f"127.0.0.1:{server.port} for SDCC" in output
    assert evaluated("abort(99)") == (1, "", "no association 99 of a peer's is open; open: none\n")


def test_a_server_is_drained_from_the_prompt_and_the_log_says_by_whom(manhole, evaluated):
    server, _ = manhole
    assert evaluated("drain()") == (0, "draining, associations open: 0\n", "")
    assert evaluated("status()['reasons']")[1] == "['an administrator drains it']\n"
    assert evaluated("drain(False)") == (0, "ready, associations open: 0\n", "")
    until(lambda: re.search(r"SHA256:\S+ \(anna\) from a local socket: drain\(\)$", server.log(), re.M))
    until(lambda: "SDCC takes associations again" in server.log())


def test_a_level_holds_until_the_configuration_is_read_again(evaluated):
    shown = "logger      level\nsdcc.index  debug\n"
    assert evaluated("log_level('sdcc.index', 'debug')") == (0, shown, "")
    assert evaluated("reload()") == (0, "nothing has changed\n", "")
    assert evaluated("log_level()") == (0, "logger  level\nsdcc    info\n", "")


def test_what_may_change_changes_and_a_bad_file_changes_nothing(manhole, evaluated):
    server, _ = manhole
    before = server.configuration.read_text()
    changed = (0, "changed  [association] maximum_open\n", "")
    try:
        server.configuration.write_text(before + "[association]\nmaximum_open = 77\n")
        assert evaluated("reload()") == changed
        server.configuration.write_text(before + "[association]\nmaximum_open = 'many'\n")
        code, output, errors = evaluated("reload()")
        assert (code, output) == (1, "")
        assert '[association].maximum_open = "many": allowed: ' in errors
        assert evaluated("limits()[0]['limit']") == (0, "77\n", "")
    finally:
        server.configuration.write_text(before)
    assert evaluated("reload()") == changed


def test_a_prompt_that_was_left_open_does_not_keep_the_server_from_stopping(manhole):
    """The last one: the server ends here. And by the program itself, as the documentation has it."""
    server, ssh = manhole
    shell = [*SDCCCTL, "--config", server.configuration, "shell", "--", *ssh, "-tt"]
    with subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as left_open:
        left_open.stdin.write(b"remotes()\r")
        left_open.stdin.flush()
        until(lambda: "remotes()" in server.log(), "the prompt is open")
        server.stop()
        left_open.communicate(timeout=30)
