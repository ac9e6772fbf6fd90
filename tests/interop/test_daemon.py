"""twistd as an init system uses it: in the background, and with privileges that are dropped."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import tempfile
from pathlib import Path

import pytest

from .objects import CT, data_set, new_uid
from .server import CONFIGURATION, TWISTD, run, until
from .wire import EXPLICIT, IMPLICIT, STATUS, VERIFICATION, Peer

USER = "nobody"


@pytest.fixture
def daemon(tmp_path):
    """Its directory, when the command that starts it has returned."""
    (tmp_path / "sdcc.toml").write_text(CONFIGURATION)
    done = run(
        *(TWISTD, "--pidfile=sdcc.pid", f"--logfile={tmp_path}/sdcc.log", "--rundir=/"),
        *("sdcc", "--config", "sdcc.toml"),
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    process = int((tmp_path / "sdcc.pid").read_text())
    yield tmp_path
    if (tmp_path / "sdcc.pid").exists():
        os.kill(process, signal.SIGKILL)


def test_a_daemon_serves_until_it_is_told_to_stop(daemon):
    log, pid_file = daemon / "sdcc.log", daemon / "sdcc.pid"
    process = int(pid_file.read_text())
    assert os.getsid(process) != os.getsid(0), "it has left the terminal's session"
    assert "is ready" in log.read_text(), "the command returns when the server is ready"
    (port,) = re.findall(r"AE SDCC on 127\.0\.0\.1:([0-9]+)$", log.read_text(), re.MULTILINE)
    with Peer(("127.0.0.1", int(port))) as peer:
        peer.associate((1, VERIFICATION, IMPLICIT), (3, CT, EXPLICIT))
        assert peer.echo() == 0
        uid = new_uid()
        assert peer.store(3, CT, uid, data_set(instance=uid))[STATUS] == 0
        peer.release()
    assert Path(f"/proc/{process}/cwd").resolve() == Path("/")
    os.kill(process, signal.SIGHUP)
    until(lambda: "was read again: nothing has changed" in log.read_text(), "it finds its file from anywhere")
    os.kill(process, signal.SIGTERM)
    until(lambda: not pid_file.exists(), "the pid file is removed")
    until(lambda: "Server Shut Down" in log.read_text(), "it has stopped in order")
    assert not re.search("Unhandled|Traceback", log.read_text())
    with pytest.raises(ConnectionRefusedError):
        Peer(("127.0.0.1", int(port)))


@pytest.fixture
def users_directory():
    """A directory that the other user may enter and write to; pytest's own are for who runs it alone."""
    if os.geteuid() != 0:
        pytest.skip("privileges can be dropped by root alone")
    user = pwd.getpwnam(USER)
    directory = Path(tempfile.mkdtemp())
    try:
        os.chown(directory, user.pw_uid, user.pw_gid)
        yield directory
    finally:
        shutil.rmtree(directory)


def privileged_port():
    for port in range(1023, 600, -1):
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    pytest.skip("no port below 1024 is free, or none may be bound")


def test_privileges_are_dropped_when_the_port_is_bound(users_directory, start, connect):
    user = pwd.getpwnam(USER)
    port = privileged_port()
    server = start(
        CONFIGURATION.replace("port = 0", f"port = {port}"),
        directory=users_directory,
        options=("--uid", USER, "--gid", str(user.pw_gid)),
    )
    assert server.address == ("127.0.0.1", port)
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    assert re.search(rf"^Uid:\t({user.pw_uid}\s+){{4}}", status, re.MULTILINE), (
        "real, effective, saved, file system"
    )
    assert re.search(rf"^Gid:\t({user.pw_gid}\s+){{4}}", status, re.MULTILINE)
    (groups,) = re.findall(r"^Groups:(.*)$", status, re.MULTILINE)
    assert "0" not in groups.split(), "root's groups are gone too"
    peer = connect(server.address)
    peer.associate((1, CT, EXPLICIT))
    uid = new_uid()
    assert peer.store(1, CT, uid, data_set(instance=uid))[STATUS] == 0
    peer.release()
    owners = {path.stat().st_uid for path in (server.storage, *server.storage.rglob("*"))}
    assert owners == {user.pw_uid}
