"""A running server and those who look after it, over its control socket."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
from dataclasses import dataclass

import pytest

from sdcc.administration.place import address
from sdcc.control import main

from .objects import CT, data_set, new_uid
from .server import CONFIGURATION, until
from .wire import ABORT, EXPLICIT, IMPLICIT, STATUS, VERIFICATION, Peer

REMOTE = """
[[remote]]
ae_title = "CT01"
address = "127.0.0.1"
port = 104
max_associations = 3
"""


@pytest.fixture(scope="module")
def configuration():
    return CONFIGURATION + REMOTE


@dataclass
class Done:
    """What a command has ended with."""

    code: int
    out: str
    err: str

    @property
    def objects(self):
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def sdccctl(server, capsys):
    """Runs it in this process, which spares a second each time."""

    def run(*arguments):
        capsys.readouterr()
        code = main(["--config", str(server.configuration), *arguments])
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture
def peer(server):
    with Peer(server.address) as peer:
        peer.associate((1, VERIFICATION, IMPLICIT), (3, CT, EXPLICIT), calling="CT01")
        yield peer


def test_the_program_itself_asks_the_server(server):
    done = server.sdccctl("status")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("state          ready\n")


def test_the_socket_is_its_owners_alone(server):
    [folder] = (server.storage / "incoming").iterdir()
    status = (folder / "control").lstat()
    assert stat.S_ISSOCK(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert status.st_uid == os.geteuid()


def test_the_status_is_that_of_this_server(server, sdccctl, peer):
    [status] = sdccctl("status", "--json").objects
    assert status["state"] == "ready"
    assert status["process"].endswith(f"-{server.process.pid}")
    assert status["configuration"] == str(server.configuration)
    assert status["directory"] == str(server.storage)
    assert [(port["ae_titles"], port["port"]) for port in status["ports"]] == [(["SDCC"], server.address[1])]
    assert status["associations"] == {"open": 1, "maximum": 200}
    assert f"127.0.0.1:{server.port} for SDCC" in sdccctl("status").out


def test_an_association_is_listed_and_aborted(server, sdccctl, peer):
    uid = new_uid()
    assert peer.store(3, CT, uid, data_set(instance=uid))[STATUS] == 0
    [association] = sdccctl("associations", "--json").objects
    assert {**association, "calling_ae": "CT01", "address": "127.0.0.1", "operations": 1} == association
    assert association["bytes"] == len(data_set(instance=uid))
    number = str(association["number"])
    assert re.search(rf"^ *{number}  CT01 +SDCC +127.0.0.1 ", sdccctl("associations").out, re.MULTILINE)
    assert sdccctl("abort", number).out == f"association {number} is aborted\n"
    assert peer.receive()[0] == ABORT
    until(lambda: sdccctl("associations").out == "no association is open\n")
    until(lambda: f"SDCC<-CT01({number}) aborted source 0: an administrator asked for it" in server.log())
    until(lambda: f"asks: abort number={number}" in server.log())
    again = sdccctl("abort", number)
    assert (again.code, again.err) == (1, f"no association {number} of a peer's is open; open: none\n")


def test_remotes_and_limits_count_what_is_open(sdccctl, peer):
    [remote] = sdccctl("remotes", "--json").objects
    assert (remote["ae_title"], remote["port"], remote["open"]) == ("CT01", 104, 1)
    assert re.search(r"^CT01 +127.0.0.1 +104 +no +1 +3 ", sdccctl("remotes").out, re.MULTILINE)
    limits = {limit["name"]: limit for limit in sdccctl("limits", "--json").objects}
    assert limits["[[remote]] 'CT01' max_associations"]["used"] == 1
    assert "   1        3  [[remote]] 'CT01' max_associations\n" in sdccctl("limits").out


def test_an_explanation_is_that_of_the_moment(server, sdccctl):
    asked = ("explain", "--calling", "CT01", "--called", "SDCC", "--address", "127.0.0.1")
    assert sdccctl(*asked, "--live").out == sdccctl(*asked).out == "accepted\n"
    with Peer(server.address) as one, Peer(server.address) as two, Peer(server.address) as three:
        for peer in (one, two, three):
            peer.associate((1, VERIFICATION, IMPLICIT), calling="CT01")
        live = sdccctl(*asked, "--live")
        rule = "max_associations = 3 of [[remote]] 'CT01' reached"
        assert (live.code, live.out) == (1, f"refused 2/3/2: {rule}\n")
        assert sdccctl(*asked).out == "accepted\n"
        for peer in (one, two, three):
            peer.release()


def test_what_no_command_sends_is_answered_with_what_is_allowed(server):
    """And the server serves on."""
    [folder] = (server.storage / "incoming").iterdir()
    with (
        address(str(folder)) as path,
        socket.socket(socket.AF_UNIX) as client,
        client.makefile("rw") as stream,
    ):
        client.settimeout(10)
        client.connect(path)
        for line in ("", "\0", '{"command": "stop"}', '{"command": "abort", "arguments": {"number": 1e99}}'):
            stream.write(f"{line}\n")
            stream.flush()
            assert json.loads(stream.readline()).keys() == {"error"}
        stream.write('{"command": "limits"}\n')
        stream.flush()
        assert json.loads(stream.readline()).keys() == {"result"}


# --- what other parts of the server do ---


def test_a_server_is_drained_and_takes_associations_again(server, sdccctl, peer):
    assert sdccctl("drain").out.startswith("draining, associations open: ")
    assert sdccctl("status", "--json").objects[0]["state"] == "draining"
    with Peer(server.address) as refused:
        assert refused.associate((1, VERIFICATION, IMPLICIT)).codes == "2/3/1"
    [undone] = sdccctl("drain", "--undo", "--json").objects
    assert undone["state"] == "ready"


def test_the_configuration_is_read_again_or_refused_with_its_own_words(server, sdccctl):
    before = server.configuration.read_text()
    server.configuration.write_text(before.replace("max_associations = 3", "max_associations = 4"))
    [changed] = sdccctl("reload", "--json").objects
    assert len(changed["changed"]) == 1
    assert changed["after_restart"] == []
    assert sdccctl("remotes", "--json").objects[0]["max_associations"] == 4
    limits = [limit for limit in sdccctl("limits", "--json").objects if "CT01" in limit["name"]]
    assert [limit["limit"] for limit in limits] == [4]
    server.configuration.write_text(before)
    assert sdccctl("reload").code == 0
    assert sdccctl("reload").out == "nothing has changed\n"


def test_the_level_of_a_logger_is_set(sdccctl):
    assert sdccctl("log-level", "sdcc.association", "debug").code == 0
    levels = {each["name"]: each["level"] for each in sdccctl("log-level", "--json").objects}
    assert levels["sdcc.association"] == "debug"
