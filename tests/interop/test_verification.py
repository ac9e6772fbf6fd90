"""C-ECHO: DCMTK to SDCC, and `sdccctl echo` to SDCC and to nobody."""

from __future__ import annotations

import contextlib
import socket

import pytest

from .server import run


def test_echoscu_is_answered(server, dcmtk):
    done = run(dcmtk("echoscu"), "-v", "-aec", "SDCC", "127.0.0.1", server.port)
    assert done.returncode == 0, done.stderr
    assert "Received Echo Response (Success)" in done.stderr + done.stdout


def test_one_association_takes_many_echoes(server, dcmtk):
    done = run(dcmtk("echoscu"), "-v", "--repeat", "10", "-aec", "SDCC", "127.0.0.1", server.port)
    assert done.returncode == 0, done.stderr
    assert (done.stderr + done.stdout).count("Received Echo Response (Success)") == 10


def test_echoscu_is_told_that_the_called_title_is_wrong(server, dcmtk):
    done = run(dcmtk("echoscu"), "-aec", "WRONG", "127.0.0.1", server.port)
    assert done.returncode == 1
    assert "Rejected Permanent, Source: Service User" in done.stderr + done.stdout
    assert "Called AE Title Not Recognized" in done.stderr + done.stdout


def test_sdccctl_echo_is_answered(server):
    done = server.sdccctl("echo", f"SDCC@127.0.0.1:{server.port}")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"SDCC@127.0.0.1:{server.port} answered C-ECHO with 0000 in ")


def test_sdccctl_echo_says_that_it_was_rejected(server):
    done = server.sdccctl("echo", f"WRONG@127.0.0.1:{server.port}")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"WRONG@127.0.0.1:{server.port}: rejected 1/1/7 (")
    assert "1/1/7" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("listens", "reason"),
    [
        pytest.param(False, "refused", id="nobody-listens"),
        pytest.param(True, "no answer to A-ASSOCIATE-RQ within 0.2 s", id="the-listener-is-silent"),
    ],
)
def test_sdccctl_echo_says_that_nobody_answers(server, listens, reason):
    with contextlib.closing(socket.socket()) as peer:
        peer.bind(("127.0.0.1", 0))
        if listens:
            peer.listen()
        title = f"NOBODY@127.0.0.1:{peer.getsockname()[1]}"
        done = server.sdccctl("echo", title, "--timeout", "0.2")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{title}: ")
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1
