"""What an administrator sees of a server that cannot start."""

from __future__ import annotations

import socket

import pytest

from .server import TWISTD, run, until


@pytest.fixture
def taken_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


#: Configuration, and what the one line says.
FAULTS = {
    "port-in-use": ("[[local]]\nport = {taken_port}\n", "cannot listen on 127.0.0.1:{taken_port}"),
    "address-of-another-host": (
        '[[local]]\nport = 0\ninterface = "192.0.2.1"\n',
        "cannot listen on 192.0.2.1:0",
    ),
    "directory-below-a-file": (
        '[[local]]\nport = 0\n[storage]\ndirectory = "sdcc.toml/data"\n',
        "[storage] directory {directory}/sdcc.toml/data: Not a directory",
    ),
    "directory-is-a-file": (
        '[[local]]\nport = 0\n[storage]\ndirectory = "sdcc.toml"\n',
        "[storage] directory {directory}/sdcc.toml: ",
    ),
    "index-below-a-file": (
        '[[local]]\nport = 0\n[index]\nurl = "sqlite:///sdcc.toml/index"\n',
        "[index] {directory}/sdcc.toml/index",
    ),
    "index-is-no-database": (
        '[[local]]\nport = 0\n[index]\nurl = "sqlite:///no-database"\n',
        "[index] {directory}/no-database",
    ),
    "broken-toml": ("[[local]\n", "sdcc.toml: not TOML: "),
    "unknown-key": ("[[local]]\nprot = 104\n", "sdcc.toml: [[local]][1].prot: "),
    "not-allowed": ("[association]\nmaximum_open = 0\n", "sdcc.toml: [association].maximum_open = 0"),
}


def check(done, line):
    output = done.stdout + done.stderr
    assert done.returncode == 1, output
    assert len([each for each in output.splitlines() if line in each]) == 1, output
    assert "Traceback" not in output
    assert "Unhandled" not in output


@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_that_cannot_start_says_why_in_a_line(tmp_path, taken_port, fault):
    configuration, line = FAULTS[fault]
    facts = {"taken_port": taken_port, "directory": tmp_path}
    (tmp_path / "sdcc.toml").write_text(configuration.format(**facts))
    (tmp_path / "no-database").write_bytes(b"This is no database. " * 100)
    done = run(TWISTD, "--nodaemon", "--pidfile=", "sdcc", "--config", "sdcc.toml", cwd=tmp_path)
    check(done, line.format(**facts))


def test_a_configuration_that_is_not_there(tmp_path):
    done = run(TWISTD, "--nodaemon", "--pidfile=", "sdcc", "--config", "none.toml", cwd=tmp_path)
    check(done, "none.toml: cannot be read: No such file or directory")


def test_a_daemon_that_cannot_start_says_so_before_it_is_one(tmp_path, taken_port):
    """The command fails, and no process file is left that would name somebody else's process one day."""
    (tmp_path / "sdcc.toml").write_text(f"[[local]]\nport = {taken_port}\n")
    done = run(
        TWISTD, "--pidfile=sdcc.pid", "--logfile=sdcc.log", "sdcc", "--config", "sdcc.toml", cwd=tmp_path
    )
    check(done, f"cannot listen on 127.0.0.1:{taken_port}")
    # twistd's child tells its parent first, and then removes it
    until(lambda: not (tmp_path / "sdcc.pid").exists(), "no process file is left")
    log = tmp_path / "sdcc.log"
    line = f"cannot listen on 127.0.0.1:{taken_port}"
    until(lambda: log.exists() and line in log.read_text(), "the log says it too")
    assert "Traceback" not in log.read_text()
