"""`sdccctl check`: what a configuration means, and what stands against it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from sdcc.config import Configuration, Storage
from sdcc.control import main
from sdcc.control.check import problems

from ..certificates import Authority


def test_it_says_what_the_configuration_means(
    configured: Callable[[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = configured(
        """
        local = [{ max_associations = 4 }, { ae_title = "A2", port = 0, interface = "::" }]
        [[remote]]
        ae_title = "CT01"
        address = "192.168.10.21"
        port = 104
        max_associations = 3
        [[remote]]
        ae_title = "WS"
        address = "ws.example.org"
        services = []
        [access]
        unknown_callers = "reject"
        [storage]
        minimum_free = 0
        additional_sop_classes = ["1.2.3"]
        [index]
        url = "sqlite:///index.db"
        """
    )
    assert main(["--config", path, "check"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.splitlines() == [
        f"configuration {path}",
        "local AE      SDCC on 127.0.0.1, port 11112 (this host only); 4 open at once",
        "local AE      A2 on ::, port any free port; 1 open at once",
        "remote AE     CT01 at 192.168.10.21, port 104; "
        "may use commitment, query, retrieve, storage, verification; 3 open at once",
        "remote AE     WS at ws.example.org, never called, having no port; may use nothing",
        "other AEs     refused",
        "SOP classes   39",
        f"objects       in {tmp_path}/sdcc-data",
        "              of up to 16 GiB, written by 8 threads",
        "              taken until the disk is full",
        f"index         SQLite, in {tmp_path}/index.db",
        "              a registration may take 10 s",
        "queries       answered without a limit",
        "studies       complete after 60 s without a new object",
        "associations  200 in all, with P-DATA-TF of 16384 bytes",
        "timers        ARTIM 30 s, idle 300 s, drain 30 s",
        "log           where twistd writes, as text; levels: sdcc info",
        "              a file is put aside when larger than 100 MiB or of another day, "
        "and 30 of those are kept",
    ]


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        (
            'file = "sdcc.log"\nformat = "json"\nrotate_size = 0\nrotate_every = "hour"\nlevels = {}',
            [
                "log           {directory}/sdcc.log, as json; levels: none",
                "              a file is put aside when of another hour, and 30 of those are kept",
            ],
        ),
        (
            'rotate_size = 0\nrotate_every = "never"\nlevels = { sdcc = "info", twisted = "warn" }',
            ["log           where twistd writes, as text; levels: sdcc info, twisted warn"],
        ),
    ],
)
def test_the_log_in_words(
    configured: Callable[[str], str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    settings: str,
    lines: list[str],
) -> None:
    assert main(["--config", configured(f"[log]\n{settings}\n"), "check"]) == 0
    found = capsys.readouterr().out.splitlines()
    said = found[next(n for n, line in enumerate(found) if line.startswith("log ")) :]
    assert said == [line.format(directory=tmp_path) for line in lines]


def test_a_log_file_needs_a_directory(
    configured: Callable[[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", configured('[log]\nfile = "none/sdcc.log"\n'), "check"]) == 1
    assert capsys.readouterr().err == f"[log].file: {tmp_path}/none is no directory\n"


@pytest.mark.parametrize(
    ("access", "lines"),
    [
        ("unknown_callers = 'loopback'", ["other AEs     accepted from this host only"]),
        (
            "unknown_callers = 'accept'",
            [
                "other AEs     accepted from everywhere; "
                "from another host may use storage, verification alone",
            ],
        ),
        (
            "check_address = false",
            [
                "remote AE     A at ::1, never called, having no port; accepted from everywhere; "
                "may use commitment, query, retrieve, storage, verification",
            ],
        ),
    ],
)
def test_it_says_who_may_call(
    access: str, lines: list[str], configured: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(
            [
                "--config",
                configured(f"remote = [{{ ae_title = 'A', address = '::1' }}]\n[access]\n{access}"),
                "check",
            ]
        )
        == 0
    )
    assert set(lines) <= set(capsys.readouterr().out.splitlines())


def test_it_says_how_many_answers_a_query_may_have(
    configured: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", configured("query.maximum_answers = 500"), "check"]) == 0
    assert "queries       at most 500 answers to each" in capsys.readouterr().out.splitlines()


def test_it_says_where_the_audit_trail_goes(
    configured: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--config", configured("audit.destination = 'udp:logs.example:514'"), "check"])
    assert "audit trail   to udp:logs.example:514\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("log.file = 'none/sdcc.log'", "[log].file"),
        ("audit.destination = 'none/audit.log'", "[audit].destination"),
        ("http.endpoint = 'unix:none/http'", "[http].endpoint"),
        ("manhole = { endpoint = 'unix:none/manhole', authorized_keys = 'keys' }", "[manhole].endpoint"),
    ],
)
def test_a_file_or_socket_that_has_no_directory_is_a_problem(
    configured: Callable[[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, key: str
) -> None:
    assert f"{key}: {tmp_path}/none is no directory" in said_problems(configured(text), capsys)


def test_it_says_where_metrics_and_health_are(
    configured: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--config", configured("http.endpoint = 'unix:/run/sdcc/http'"), "check"])
    assert "http          /metrics and /health on the socket /run/sdcc/http\n" in capsys.readouterr().out
    main(["--config", configured("http.endpoint = 'tcp:0:interface='"), "check"])
    words = "/metrics and /health on every address, any free port; other hosts can read them\n"
    assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    ("study", "line"),
    [
        ("{ stable_after = 0 }", "never taken for complete"),
        (
            "{ stable_after = 5, command = ['true', 'x'], post = 'https://host.example/?key=secret' }",
            "complete after 5 s without a new object; told to the command true; told to host.example",
        ),
    ],
)
def test_it_says_who_is_told_of_complete_studies(
    study: str, line: str, configured: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", configured(f"study = {study}"), "check"]) == 0
    assert f"studies       {line}" in capsys.readouterr().out.splitlines()


def test_a_command_that_is_not_there_is_a_problem(
    configured: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", configured("study = { command = ['/nowhere/at-all'] }"), "check"]) == 1
    assert "[study].command: /nowhere/at-all is no program that this user may run" in capsys.readouterr().err


def test_nothing_is_created(
    configured: Callable[[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", configured("storage.directory = 'a/b/c'"), "check"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["sdcc.toml"]


def said_problems(path: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What stands against a configuration; its meaning is said all the same."""
    assert main(["--config", path, "check"]) == 1
    captured = capsys.readouterr()
    assert captured.out.startswith(f"configuration {path}\n")
    return captured.err.splitlines()


def test_an_interface_must_be_an_address_of_this_host(
    configured: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Once for each interface; 192.0.2.0/24 is nobody's (RFC 5737)."""
    path = configured('local = [{ interface = "192.0.2.1" }, { ae_title = "B", interface = "192.0.2.1" }]')
    assert said_problems(path, capsys) == [
        "[[local]].interface: 192.0.2.1 is no address of this host (Cannot assign requested address)"
    ]


def test_a_port_in_use_is_no_problem(
    configured: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """It is the server's own while that runs."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        path = configured(f"local = [{{ port = {server.getsockname()[1]} }}]")
        assert main(["--config", path, "check"]) == 0


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("storage.directory = 'file'", "[storage].directory"),
        ("index.url = 'sqlite:///file/i'", "[index].url"),
    ],
)
def test_a_directory_must_not_be_a_file(
    text: str, key: str, configured: Callable[[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert said_problems(configured(text), capsys) == [f"{key}: {tmp_path}/file is no directory"]


@pytest.mark.parametrize(("directory", "words"), [("locked", "be written"), ("locked/a/b", "hold a new a/b")])
def test_a_directory_must_be_writable(
    directory: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where the tests are run by root, who may write everywhere."""
    locked = tmp_path / "locked"
    locked.mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: path != locked)
    configuration = Configuration(storage=Storage(directory=tmp_path / directory))
    assert list(problems(configuration)) == [f"[storage].directory: {locked} cannot {words} by this user"]


def test_no_file_name_can_steer_the_terminal(
    configured: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", configured('storage.directory = "a\\u001b[2J\\u202e"'), "check"]) == 0
    assert r"/a\x1b[2J\u202e" in capsys.readouterr().out


def test_programs_get_the_same_as_people(
    configured: Callable[[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    path = configured("[storage]\ndirectory = 'file'\n")
    assert main(["--config", path, "check"]) == 1
    out, err = capsys.readouterr()
    assert main(["--config", path, "check", "--json"]) == 1
    line, nothing = capsys.readouterr()
    found = json.loads(line)
    assert "".join(f"{each['name']:13} {each['meaning']}\n" for each in found["meanings"]) == out
    assert [f"{problem}\n" for problem in found["problems"]] == [err]
    assert found["warnings"] == []
    assert nothing == ""


# --- TLS ---

TLS_PORT = """
local = [{ tls = true }]
remote = [{ ae_title = "A", address = "::1", port = 104, tls = true, tls_name = "a.example.org" }]
[tls]
certificate = "server.crt"
private_key = "server.key"
client_authorities = "authority.crt"
"""


def test_it_says_what_has_tls(
    configured: Callable[[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Authority(tmp_path).sign("server")
    assert main(["--config", configured(TLS_PORT), "check"]) == 0
    said, error = capsys.readouterr()
    assert error == ""
    assert [line for line in said.splitlines() if "TLS" in line] == [
        "local AE      SDCC on 127.0.0.1, port 11112 over TLS (this host only); 1 open at once",
        "remote AE     A at ::1, port 104 over TLS as a.example.org; "
        "may use commitment, query, retrieve, storage, verification",
        f"TLS           with {tmp_path}/server.crt; callers need a certificate by {tmp_path}/authority.crt; "
        f"who is called needs one by {tmp_path}/authority.crt",
    ]


def test_certificates_that_cannot_be_used_are_problems(
    configured: Callable[[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Authority(tmp_path).sign("server", password=b"secret").unlink()
    certificate, key = said_problems(configured(TLS_PORT), capsys)
    assert (
        certificate == f"[tls].certificate: {tmp_path}/server.crt cannot be read: No such file or directory"
    )
    assert key.startswith(f"[tls].private_key: {tmp_path}/server.key is encrypted")


def test_certificates_that_want_attention_are_warned_of(
    configured: Callable[[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Authority(tmp_path).sign("server", end=3)
    path.with_suffix(".key").chmod(0o644)
    assert main(["--config", configured(TLS_PORT), "check"]) == 0
    exposed, ending = capsys.readouterr().err.splitlines()
    assert exposed.startswith("warning: [tls].private_key: all users of this host may read")
    assert ending.startswith("warning: [tls].certificate: the certificate of 'server' in")
    assert main(["--config", configured(TLS_PORT), "check", "--json"]) == 0
    line, nothing = capsys.readouterr()
    assert nothing == ""
    found = json.loads(line)
    assert found["problems"] == []
    assert [f"warning: {warning}" for warning in found["warnings"]] == [exposed, ending]
