"""The certificates in use: read again they are others, or nothing has changed; their end is told in time."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from sdcc.config import TLS
from sdcc.control.synchronous import at_once
from sdcc.tls import NotUsable
from sdcc.tls.certificates import DAY, Certificates

from ..certificates import NOW, Authority, rsa_key


@pytest.fixture
def lines() -> Iterator[list[str]]:
    found: list[str] = []

    def observe(event: LogEvent) -> None:
        found.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield found
    globalLogPublisher.removeObserver(observe)


@pytest.fixture
def certificates(settings: TLS) -> Certificates:
    clock = Clock()
    made = Certificates(
        settings,
        clock,
        now=lambda: NOW + datetime.timedelta(seconds=clock.seconds()),
    )
    made.clock = clock
    made.load()
    return made


def reload(certificates: Certificates, settings: TLS | None = None) -> None:
    failures: list[BaseException] = []
    done = ensureDeferred(certificates.renewed(at_once, settings))
    done.addCallback(lambda use: use())
    done.addErrback(lambda failure: failures.append(failure.value))
    for failure in failures:
        raise failure


def context(certificates: Certificates) -> object:
    return certificates.server_connection().get_context()


def test_read_again_they_are_those_of_the_connections_that_come(
    certificates: Certificates, authority: Authority, lines: list[str]
) -> None:
    before = context(certificates)
    authority.sign("server", end=20)
    reload(certificates)
    assert context(certificates) is not before
    assert lines[0].startswith("the certificates of [tls] were read: 'server', valid until ")


def test_files_that_cannot_be_used_change_nothing(
    certificates: Certificates, settings: TLS, lines: list[str]
) -> None:
    before = context(certificates)
    settings.private_key.write_text("in the middle of being written")
    with pytest.raises(NotUsable, match="is no private key in PEM"):
        reload(certificates)
    assert context(certificates) is before
    assert lines == []


def test_other_files_may_be_named(certificates: Certificates, authority: Authority, tmp_path: Path) -> None:
    path = authority.sign("other")
    reload(certificates, TLS(certificate=path, private_key=path.with_suffix(".key")))
    before = context(certificates)
    path.unlink()
    with pytest.raises(NotUsable, match=str(path)):
        reload(certificates)
    assert context(certificates) is before


def test_their_end_is_told_each_day_from_thirty_days_before_it(
    certificates: Certificates, lines: list[str]
) -> None:
    clock = certificates.clock
    certificates.watch()
    for _ in range(334):
        clock.advance(DAY)
    assert lines == []
    clock.advance(2 * DAY)
    assert [line.rpartition(" ")[2] for line in lines] == ["29", "29"]
    clock.advance(DAY)
    assert [line.rpartition(" ")[2] for line in lines[2:]] == ["28", "28"]
    certificates.stop()
    assert clock.getDelayedCalls() == []


def test_new_ones_are_looked_at_at_once(
    certificates: Certificates, authority: Authority, lines: list[str]
) -> None:
    certificates.watch()
    authority.sign("server", end=3)
    reload(certificates)
    assert "days left: 3" in lines[1]
    certificates.stop()
    assert certificates.clock.getDelayedCalls() == []


def test_a_key_that_is_too_weak_cannot_be_used(settings: TLS, authority: Authority) -> None:
    authority.sign("server", key=rsa_key(1024))
    with pytest.raises(NotUsable, match=r"OpenSSL does not take .*: ee key too small"):
        Certificates(settings, Clock(), now=lambda: NOW).load()
