"""`sdccctl shell`: the prompt of a running server, by the system's ssh."""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sdcc.config import Configuration
from sdcc.config.endpoints import Endpoint
from sdcc.control.arguments import Commands
from sdcc.manhole import HOST_KEY, USER

#: What ssh gives where it has not come to a session.
NOT_CONNECTED = 255
#: Each with the address by which this host reaches itself.
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}
#: A person's own settings for other hosts do not hold for this one. The first value of each option counts.
OPTIONS = {
    "ClearAllForwardings": "yes",
    "ControlPath": "none",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "PreferredAuthentications": "publickey",
}


class NoShell(Exception):
    """There is no prompt to be opened; the text says why."""


def add(commands: Commands) -> None:
    words = "open the Python prompt of the running server, over SSH"
    command = commands.add_parser("shell", help=words, description=words)
    command.add_argument(
        *("-c", "--command"),
        dest="expression",
        metavar="EXPRESSION",
        help="evaluate this alone, such as `status()`",
    )
    command.add_argument(
        "ssh", nargs="*", metavar="ARGUMENT", help="arguments for ssh, after `--`, such as `-- -i KEY`"
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace, configuration: Configuration) -> int:
    try:
        ssh, endpoint = _needed(configuration)
        place = reached(endpoint)
    except NoShell as error:
        print(error, file=sys.stderr)
        return 2
    with known_hosts(configuration.storage.directory, endpoint) as known:
        settings = [word for name, value in known.items() for word in ("-o", f"{name}={value}")]
        expression = [] if options.expression is None else [options.expression]
        command = [ssh, *options.ssh, *settings, *place, *expression]
        code = subprocess.run(command, check=False).returncode
    return 2 if code == NOT_CONNECTED else code


def _needed(configuration: Configuration) -> tuple[str, Endpoint]:
    """
    :raises NoShell: something that it takes is not there.
    """
    if configuration.manhole is None:
        raise NoShell("no [manhole] is in the configuration")
    ssh = shutil.which("ssh")
    if ssh is None:
        raise NoShell("ssh is not installed (on Debian: apt-get install openssh-client)")
    return ssh, Endpoint.read(configuration.manhole.endpoint)


def reached(endpoint: Endpoint) -> list[str]:
    """ssh's arguments for where the server listens; whatever follows them is no option, but an expression.

    :raises NoShell: that cannot be told from the configuration.
    """
    settings = [word for name, value in OPTIONS.items() for word in ("-o", f"{name}={value}")]
    user = ["-l", USER]
    if endpoint.kind == "unix":
        proxy = shlex.join([sys.executable, "-m", "sdcc.manhole.proxy", endpoint.place]).replace("%", "%%")
        by_file = ["-o", "ProxyUseFdpass=yes", "-o", f"ProxyCommand={proxy}"]
        return [*settings, *by_file, *user, "--", "sdcc"]
    if not endpoint.place or endpoint.place == "0":
        raise NoShell(
            f"[manhole] endpoint {str(endpoint)!r} does not say which port it is; with the one that the "
            f"server has: ssh -l {USER} -p PORT HOST"
        )
    host = WILDCARDS.get(endpoint.interface, endpoint.interface)
    return [*settings, "-o", "ProxyCommand=none", *user, "-p", endpoint.place, "--", host]


@contextmanager
def known_hosts(directory: Path, endpoint: Endpoint) -> Iterator[dict[str, str]]:
    """Options by which ssh knows the server: by its own key, where this user may read that, else by the
    first that it is shown."""
    from twisted.conch.ssh.keys import BadKeyError, Key  # noqa: PLC0415  # for this command alone

    alias = f"sdcc-{endpoint.kind}-{endpoint.place.replace('/', '-').replace(' ', '-')}"
    try:
        key = Key.fromString((directory / HOST_KEY).read_bytes()).public().toString("OPENSSH").decode()
    except (OSError, BadKeyError):
        yield {"HostKeyAlias": alias, "StrictHostKeyChecking": "accept-new"}
        return
    with tempfile.NamedTemporaryFile("w", prefix="sdccctl-", suffix=".known_hosts") as file:
        file.write(f"{alias} {key}\n")
        file.flush()
        yield {
            "HostKeyAlias": alias,
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": file.name,
            "GlobalKnownHostsFile": "/dev/null",
        }
