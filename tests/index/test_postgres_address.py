"""Where a database is: what is looked up before libpq would, and what of its messages may be shown."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from sdcc.index import postgres_address
from sdcc.index.postgres_address import hosts, resolve, without_quotations, without_secrets
from sdcc.index.postgres_session import Lost, Refused, Unreachable, reason

ADDRESSES = {"db": ["192.0.2.1"], "both": ["2001:db8::1", "192.0.2.2", "192.0.2.2"]}


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(name: str, *_: Any, **__: Any) -> list[Any]:
        if name not in ADDRESSES:
            raise socket.gaierror(-2, "Name or service not known")
        return [(None, None, None, "", (address, 0)) for address in ADDRESSES[name]]

    monkeypatch.setattr(postgres_address.socket, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize(
    ("parameters", "environment", "expected"),
    [
        ({"host": "db"}, {}, [("db", "5432")]),
        ({"host": "db", "port": "5433"}, {"PGHOST": "other", "PGPORT": "1"}, [("db", "5433")]),
        ({}, {"PGHOST": "db", "PGPORT": "5433"}, [("db", "5433")]),
        ({"host": "db"}, {"PGPORT": "5433"}, [("db", "5433")]),
        ({"host": "a,b", "port": "1,2"}, {}, [("a", "1"), ("b", "2")]),
        ({"host": "a,b", "port": "1,"}, {}, [("a", "1"), ("b", "5432")]),
        ({"host": "a,b", "port": "1"}, {}, [("a", "1"), ("b", "1")]),
        ({}, {}, []),
        ({"host": "/run/postgresql"}, {}, []),
        ({"host": "@abstract"}, {}, []),
        ({"host": "db", "hostaddr": "192.0.2.9"}, {}, []),
        ({"host": "db"}, {"PGHOSTADDR": "192.0.2.9"}, []),
        ({"service": "sdcc"}, {"PGHOST": "other"}, []),
        ({}, {"PGSERVICE": "sdcc", "PGHOST": "other"}, []),
        ({"service": "sdcc", "host": "db"}, {}, [("db", "5432")]),
    ],
)
def test_hosts_are_those_that_libpq_would_look_up(
    parameters: dict[str, str], environment: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    assert hosts(parameters, environment) == expected


def test_every_address_of_every_host_is_tried_in_order_once() -> None:
    assert resolve([("both", "1"), ("db", "2")]) == {
        "host": "both,both,db",
        "hostaddr": "2001:db8::1,192.0.2.2,192.0.2.1",
        "port": "1,1,2",
    }


def test_a_host_that_is_not_known_is_passed_over_unless_it_is_the_only_one() -> None:
    assert resolve([("nowhere", "1"), ("db", "2")])["host"] == "db"
    with pytest.raises(OSError, match=r"^host nowhere: Name or service not known$"):
        resolve([("nowhere", "1")])


@pytest.mark.parametrize(
    ("parameters", "environment"),
    [
        ({"password": "s3"}, {}),
        ({"sslpassword": "s3"}, {}),
        ({}, {"PGPASSWORD": "s3"}),
        ({"password": ""}, {"PGPASSWORD": "s3"}),
    ],
)
def test_passwords_are_taken_out_of_messages(parameters: dict[str, str], environment: dict[str, str]) -> None:
    text = without_secrets('no "s3"\n\tIs it s3?\n', parameters, environment)
    assert text == 'no "***"; Is it ***?'


def test_a_message_about_a_url_quotes_nothing_of_it() -> None:
    """Not even where the URL has quotation marks itself."""
    assert without_quotations('cannot read "postgresql://u:se"cret@[h"') == 'cannot read "***"'
    assert without_quotations('invalid integer value "s3" for connection option "port"\n') == (
        'invalid integer value "***"'
    )


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Lost("no answer within 10 s"), "index unreachable: no answer within 10 s"),
        (
            Lost("server closed the connection unexpectedly\n\tThis probably"),
            "index unreachable: server closed the connection unexpectedly",
        ),
        (
            Unreachable(
                'connection to server at "db" (192.0.2.1), port 5432 failed: FATAL:  no more clients'
            ),
            "index unreachable: no more clients",
        ),
        (Unreachable("Connection refused; Is the server running"), "index unreachable: Connection refused"),
        (
            Refused("53100", "could not extend file: No space left on device"),
            "index: could not extend file: No space left on device",
        ),
        (ValueError("x" * 80), "index: " + "x" * 57),
    ],
)
def test_a_reason_is_short_and_names_no_host(error: Exception, expected: str) -> None:
    assert reason(error) == expected
