"""The prompt of a real server, opened by the system's ssh."""

from __future__ import annotations

import subprocess

from ..programs import required
from .server import CONFIGURATION, SDCCCTL, running, until

MANHOLE = '\n[manhole]\nendpoint = "unix:manhole"\nauthorized_keys = "keys"\n'


def test_an_administrator_looks_after_a_running_server(tmp_path):
    """As the documentation has it. A prompt that was left open does not keep the server from stopping."""
    keygen = required("/usr/bin/ssh-keygen", "install Debian's package openssh-client")
    key = tmp_path / "anna"
    subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-C", "anna", "-f", key], check=True)
    (tmp_path / "keys").write_text(key.with_suffix(".pub").read_text())
    with running(tmp_path, CONFIGURATION + MANHOLE) as server:
        host_key = server.storage / "manhole_host_key"
        told = subprocess.run([keygen, "-l", "-f", host_key], capture_output=True, text=True, check=True)
        assert f"Manhole on {tmp_path}/manhole, host key {told.stdout.split()[1]}" in server.log()
        arguments = ("--", "-F", "/dev/null", "-i", str(key))
        done = server.sdccctl("shell", "-c", "status()", *arguments)
        assert (done.stderr, done.returncode) == ("", 0)
        assert done.stdout.startswith("state ")
        assert f"127.0.0.1:{server.port} for SDCC" in done.stdout
        done = server.sdccctl("shell", "-c", "abort(99)", *arguments)
        assert (done.stdout, done.returncode) == ("", 1)
        assert "99" in done.stderr
        shell = [*SDCCCTL, "--config", server.configuration, "shell", *arguments, "-tt"]
        with subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as left_open:
            left_open.stdin.write(b"remotes()\r")
            left_open.stdin.flush()
            until(lambda: "remotes()" in server.log(), "the prompt is open")
            server.stop()
            left_open.communicate(timeout=30)
