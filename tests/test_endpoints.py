"""Endpoints in writing: what they mean, and that they stay private unless they say otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.endpoints import (
    TCP4ServerEndpoint,
    TCP6ServerEndpoint,
    UNIXServerEndpoint,
    serverFromString,
)
from twisted.internet.testing import MemoryReactor

from sdcc.config.endpoints import Endpoint


@pytest.mark.parametrize(
    ("text", "written", "is_private"),
    [
        ("tcp:11122", "tcp:11122:interface=127.0.0.1", True),
        ("tcp:0:interface=127.0.0.2", "tcp:0:interface=127.0.0.2", True),
        ("tcp:11122:interface=0.0.0.0", "tcp:11122:interface=0.0.0.0", False),
        ("tcp:11122:interface=archive.example", "tcp:11122:interface=archive.example", False),
        ("tcp:11122:interface=", "tcp:11122:interface=", False),
        ("tcp6:11122", r"tcp6:11122:interface=\:\:1", True),
        (r"tcp6:11122:interface=\:\:", r"tcp6:11122:interface=\:\:", False),
        ("unix:/run/manhole", "unix:/run/manhole:mode=600", True),
        (r"unix:a\:b\=c:mode=660", r"unix:a\:b\=c:mode=660", True),
        ("systemd:name=manhole", "systemd:domain=INET:name=manhole", True),
    ],
)
def test_what_is_left_out_has_the_careful_default(text: str, written: str, is_private: bool) -> None:
    endpoint = Endpoint.read(text)
    assert str(endpoint) == written
    assert Endpoint.read(written) == endpoint
    assert endpoint.is_private == is_private


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", ""),
        ("11122", ""),
        ("ssl:11122", ""),
        ("tcp", "a port is from 0 to 65535"),
        ("tcp:65536", "a port is from 0 to 65535"),
        ("tcp:ssh", "a port is from 0 to 65535"),
        ("tcp:11122:127.0.0.1", "tcp takes interface, backlog, as name=value"),
        ("tcp:11122:interfaces=127.0.0.1", "tcp takes interface, backlog, as name=value"),
        ("unix:", ""),
        ("systemd:0", "systemd takes domain, index, name, as name=value"),
        ("systemd:index=first", "'first' is no index"),
        ("systemd:domain=IPX:index=0", "'IPX' is no domain"),
        ("unix:a:mode=888", "'888' is no mode"),
        ("unix:a:lockfile=1", "unix takes mode, backlog, as name=value"),
        ("tcp:1:backlog=0", "'0' is no backlog"),
    ],
)
def test_what_is_none_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{reason}$"):
        Endpoint.read(text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("tcp:11122", TCP4ServerEndpoint),
        ("tcp6:11122", TCP6ServerEndpoint),
        ("unix:a b=c", UNIXServerEndpoint),
    ],
)
def test_twisted_reads_it_as_it_is_written(text: str, kind: type) -> None:
    try:
        written = str(Endpoint.read(text))
    except ValueError:
        written = str(Endpoint.read(text.replace("=", r"\=")))
    assert isinstance(serverFromString(MemoryReactor(), written), kind)


def test_a_relative_path_is_made_absolute() -> None:
    assert str(Endpoint.read("unix:run/manhole").below(Path("/srv"))) == "unix:/srv/run/manhole:mode=600"
    assert Endpoint.read("tcp:1").below(Path("/srv")) == Endpoint.read("tcp:1")
