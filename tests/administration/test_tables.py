"""What people see of an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet.defer import ensureDeferred

from sdcc.administration.commands import COMMANDS
from sdcc.administration.tables import TABLES, shown, span, table

from ..network.conftest import request, store


def test_every_command_has_its_table() -> None:
    assert TABLES.keys() == COMMANDS.keys()


@pytest.mark.parametrize("name", ["status", "associations", "remotes", "limits", "log_level"])
def test_plain_json_is_enough(name: str, administered: Any) -> None:
    facts = getattr(administered.administration, name)()
    assert shown(name, json.loads(json.dumps(facts))) == shown(name, facts)


def test_the_status(administered: Any) -> None:
    administered.condition.state, administered.condition.reasons = (
        "degraded",
        ("nothing is stored: disk full",),
    )
    administered.world.storage_refusal, administered.index_refusal = "disk full", "away"
    status = administered.administration.status() | {"version": "1.1.0", "uptime": 93_784}
    assert shown("status", status).splitlines() == [
        "state          degraded",
        "               nothing is stored: disk full",
        "version        1.1.0",
        "process        host-17",
        "configuration  /etc/sdcc.toml",
        "started        2026-07-03 10:00:00 UTC, 1 d 2 h ago",
        "port           [::]:11112 for SDCC, A2",
        "associations   0 open of 5",
        "operations     0 under way",
        "waiting        0 B to be written",
        "disk           7 GB free; 1.07 GB must be",
        "objects        /data; refused: disk full",
        "index          SQLite, in /data/index.sqlite; refused: away",
    ]
    status |= {"configuration": None, "free_bytes": None, "minimum_free": 0}
    text = shown("status", status)
    assert "configuration  no file: every default\n" in text
    assert "disk           free space is not known\n" in text


def test_associations(administered: Any) -> None:
    peer = administered.world.peer("127.0.0.1")
    peer.send(request(calling="ANY"))
    administered.world.storage.are_fast = False
    peer.send(store(b"0123456789"))
    ours = {
        **administered.administration.associations()[0],
        "number": 11,
        "is_ours": True,
        "is_secure": True,
        "doing": None,
        "bytes": 1_234_567,
    }
    lines = shown("associations", [*administered.administration.associations(), ours]).splitlines()
    assert lines == [
        "no.  calling     called  address          opened (UTC)         ended    bytes  waiting  doing",
        "  1  ANY         SDCC    127.0.0.1        2026-07-03 10:00:00      0      0 B     10 B  "
        "C-STORE CT 1.2.3",
        " 11  ANY (ours)  SDCC    127.0.0.1 (TLS)  2026-07-03 10:00:00      0  1.23 MB     10 B  -",
    ]
    assert shown("associations", []) == "no association is open"


def test_remotes_and_limits(administered: Any) -> None:
    assert shown("remotes", administered.administration.remotes()).splitlines() == [
        "AE title  address         port  TLS  open  at most  services",
        "CT01      192.168.10.21    104  no      0        2  "
        "commitment, query, retrieve, storage, verification",
        "WS        ws.example.org     -  no      0        -  query",
    ]
    assert shown("remotes", []) == "the configuration has no [[remote]]"
    assert shown("limits", administered.administration.limits()).splitlines() == [
        "used    limit  of",
        "   0        5  [association] maximum_open",
        "   0        4  [[local]] 'SDCC' max_associations",
        "   0        2  [[remote]] 'CT01' max_associations",
        " 0 B   134 MB  bytes waiting to be written",
        "   -  17.2 GB  [storage] maximum_object_size",
    ]


def test_acts() -> None:
    assert shown("abort", {"aborted": 7}) == "association 7 is aborted"
    assert shown("drain", {"state": "draining", "open": 3}) == "draining, associations open: 3"
    assert shown("reload", {"changed": [], "after_restart": []}) == "nothing has changed"
    assert shown(
        "reload", {"changed": ["[[remote]]"], "after_restart": ["[index].url", "x"]}
    ).splitlines() == [
        "changed          [[remote]]",
        "after a restart  [index].url",
        "after a restart  x",
    ]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("CT01", "SDCC", "192.168.10.21"), "accepted"),
        (("CT01", "SDCC", "192.168.10.21", "1.2.3"), None),
        (
            ("CT01", "X", "192.168.10.21"),
            "refused 1/1/7: called AE title 'X' is no [[local]] of this port: it has 'SDCC'",
        ),
    ],
)
def test_explanations(arguments: tuple[str, ...], text: str | None, administered: Any) -> None:
    facts = ensureDeferred(administered.administration.explain(*arguments)).result
    assert shown("explain", facts) == (
        text or "refused, context result 3 (abstract-syntax-not-supported): 1.2.3 is not provided"
    )


def test_no_text_of_a_strangers_steers_the_terminal(administered: Any) -> None:
    """Also where another program than SDCC answers."""
    row = {"name": "\x1b[31msdcc\n", "level": "\u202einfo"}
    assert shown("log_level", [row]).splitlines()[1] == r"\x1b[31msdcc\n  \u202einfo"
    assert (
        shown("explain", {"answer": "\x1b", "context_result": "", "codes": "", "rule": "", "but": ""})
        == r"\x1b"
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.9, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3661, "1 h 1 min"),
        (86_400 * 400 + 60, "400 d"),
    ],
)
def test_spans_have_their_two_largest_units(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_columns_are_as_wide_as_what_is_in_them() -> None:
    assert table((">n", "x"), [(1, "long"), (1000, "s")]).splitlines() == ["   n  x", "   1  long", "1000  s"]
