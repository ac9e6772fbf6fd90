"""A server whose socket was bound before it began, as systemd does it: what comes meanwhile is answered."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from .server import CONFIGURATION, TWISTD, run, running
from .wire import IMPLICIT, VERIFICATION, Peer, associate_rq

ECHO = (1, VERIFICATION, IMPLICIT)
#: Does what systemd does between fork and exec; its argument is the descriptor of a socket.
LAUNCHER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "sdcc.socket"}
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.fixture
def bound():
    with socket.create_server(("127.0.0.1", 0)) as bound:
        os.set_inheritable(bound.fileno(), True)
        yield bound


def launched(bound):
    return sys.executable, "-c", LAUNCHER, str(bound.fileno())


def answered(peer):
    """Its request is, and it can go on."""
    with peer:
        assert peer.receive().contexts == {1: (0, IMPLICIT)}
        assert peer.echo() == 0x0000
        peer.release()


def test_a_restart_loses_no_connection_attempt(bound, tmp_path):
    """They wait before the first start, and from the stop to the next start."""
    address = bound.getsockname()
    configuration = CONFIGURATION.replace("port = 0", f"port = {address[1]}")
    early = Peer(address)
    early.send(associate_rq(ECHO))
    with running(tmp_path, configuration, under=launched(bound), passed=[bound.fileno()]) as server:
        answered(early)
        server.stop()
        between = Peer(address)
        between.send(associate_rq(ECHO))
        server.start()
        answered(between)


def test_a_socket_for_nobody_keeps_it_from_starting(bound, tmp_path):
    (tmp_path / "sdcc.toml").write_text(CONFIGURATION)
    command = (*launched(bound), TWISTD, "--nodaemon", "--pidfile=", "sdcc", "--config", "sdcc.toml")
    done = run(*command, cwd=tmp_path, pass_fds=[bound.fileno()])
    assert done.returncode == 1
    place = "{}:{}".format(*bound.getsockname())
    assert f"sdcc: descriptor 3, passed by LISTEN_FDS, listens on {place}, " in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
