"""What the parts are given of each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.testing import MemoryReactorClock

from sdcc.config import TLS, Configuration, ConfigurationError, Local, Remote, Storage, StudySettings, compare
from sdcc.control.synchronous import at_once, result
from sdcc.parts import Parts
from sdcc.standard_classes import private_storage_class
from sdcc.tls.certificates import DAY
from sdcc.world import World

from .certificates import Authority


@pytest.fixture
def threads() -> dict[str, int]:
    """How many of each name were asked for."""
    return {}


@pytest.fixture
def new_parts(
    threads: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Configuration], Parts]:
    def new_threads(reactor: Any, name: str, count: int) -> Any:
        threads[name] = count
        return SimpleNamespace(run=None, name=name)

    monkeypatch.chdir(tmp_path)
    world = World(threads=new_threads)
    return lambda configuration: Parts(configuration, MemoryReactorClock(), world, is_stopping=lambda: False)


@pytest.fixture
def parts(new_parts: Callable[[Configuration], Parts]) -> Parts:
    return new_parts(Configuration())


def test_every_sop_class_of_the_statement_has_its_provider(parts: Parts) -> None:
    assert parts.server._surroundings.sop_classes == Configuration().sop_classes


def test_all_threads_are_started_and_stopped(parts: Parts, threads: dict[str, int]) -> None:
    """Of the index there is one: transactions go one after the other."""
    assert threads == {"storage": Configuration().storage.threads, "index": 1, "reading": 2}
    assert [each.name for each in parts.threads] == [*threads]


def test_other_remotes_are_looked_up_and_told_what_is_owed_at_once(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names are looked up anew whatever has changed: a reload is how an administrator asks for that."""
    done: list[str] = []
    monkeypatch.setattr(parts._resolver, "forget", lambda: done.append("forget"))
    monkeypatch.setattr(parts.transactions, "retry", lambda: done.append("retry"))
    remotes = (Remote(ae_title="CT01", address="10.0.0.1", port=104),)
    parts.reconfigure(Configuration(remotes=remotes))
    assert done == ["forget", "retry"]
    assert parts.caller.may_call("CT01")
    parts.reconfigure(Configuration(remotes=remotes))
    assert done == ["forget", "retry", "forget"]


def test_no_two_sop_classes_have_the_same_name(parts: Parts) -> None:
    """As labels of metrics two would be one sample twice, which Prometheus takes no page with."""

    def with_private(*uids: str) -> Configuration:
        classes = tuple(map(private_storage_class, uids))
        return Configuration(storage=Storage(additional_sop_classes=classes))

    parts.reconfigure(with_private("1.2.3.1"))
    parts.reconfigure(with_private("1.2.3.2", "1.2.3.3"))
    names = parts.sop_class_names
    assert len(set(names.values())) == len(names)
    assert names["1.2.3.1"] == "1.2.3.1"
    assert names["1.2.840.10008.5.1.4.1.1.2"] == "CT Image Storage"


@pytest.mark.usefixtures("parts")
def test_making_the_parts_touches_no_disk(tmp_path: Path) -> None:
    """Ports are bound first, by a user who may be another than the one who owns the data."""
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("study", "means"),
    [
        (StudySettings(stable_after=0), None),
        (StudySettings(), []),
        (StudySettings(command=("true",), post="http://127.0.0.1/"), ["command", "post"]),
    ],
)
def test_the_site_is_told_of_studies_by_what_is_configured(
    study: StudySettings, means: list[str] | None, new_parts: Callable[[Configuration], Parts]
) -> None:
    parts = new_parts(Configuration(study=study))
    found = None if parts.completion is None else [each.means for each in parts.completion._notices]
    assert found == means


# --- TLS ---


@pytest.fixture
def tls(tmp_path: Path) -> TLS:
    authority = Authority(tmp_path)
    own = authority.sign("SDCC")
    return TLS(certificate=own, private_key=own.with_suffix(".key"), client_authorities=authority.path)


def called_over_tls(tls: TLS | None) -> Configuration:
    return Configuration(remotes=(Remote(ae_title="CT01", address="10.0.0.1", port=104, tls=True),), tls=tls)


def reload(parts: Parts, configuration: Configuration) -> None:
    """As :class:`~sdcc.reloading.Reloading` does it, in this thread."""
    parts.run_loosely = at_once
    wanted = compare(parts.configuration, configuration).effective
    result(parts.prepare_security(wanted))()
    parts.reconfigure(wanted)


def looks(parts: Parts) -> int:
    """How many times somebody will look at the certificates' dates."""
    return len([call for call in parts._reactor.getDelayedCalls() if call.getTime() == DAY])


def test_a_reload_may_bring_tls_for_the_remotes_that_come_with_it(parts: Parts, tls: TLS) -> None:
    """Also where there was none before, and no OpenSSL."""
    reload(parts, called_over_tls(tls))
    assert parts.security is not None
    assert parts.caller.security is parts.security
    assert parts.security._certificates.client_connection()
    assert looks(parts) == 1


def test_each_reload_reads_the_certificates_again(parts: Parts, tls: TLS) -> None:
    reload(parts, called_over_tls(tls))
    secured = parts.security
    before = secured._certificates.client_connection().get_context()
    reload(parts, called_over_tls(tls))
    assert parts.security is secured
    assert secured._certificates.client_connection().get_context() is not before
    assert looks(parts) == 1


def test_certificates_that_cannot_be_used_keep_a_configuration_from_taking_effect(
    parts: Parts, tls: TLS
) -> None:
    tls.private_key.unlink()
    with pytest.raises(ConfigurationError, match=r"\[tls\].private_key: .* cannot be read: No such file"):
        reload(parts, called_over_tls(tls))
    assert parts.security is None
    assert not parts.caller.may_call("CT01")


def test_certificates_that_are_not_used_any_more_are_not_watched(parts: Parts, tls: TLS) -> None:
    """Though who is about to be called over TLS still is."""
    reload(parts, called_over_tls(tls))
    tls.certificate.unlink()
    reload(parts, Configuration())
    assert looks(parts) == 0
    assert parts.caller.security is not None


def test_ports_that_have_tls_until_the_restart_keep_their_certificates_when_tls_goes(
    new_parts: Callable[[Configuration], Parts], tls: TLS
) -> None:
    """Whose files may be gone by then."""
    parts = new_parts(Configuration(locals=(Local(tls=True),), tls=tls))
    parts.security.load()
    parts.security.watch()
    tls.certificate.unlink()
    reload(parts, Configuration())
    assert parts.security._certificates.server_connection()
    assert looks(parts) == 1
