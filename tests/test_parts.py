"""What the parts are given of each other."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.testing import MemoryReactorClock

from sdcc.config import Configuration, Remote, Storage, StudySettings
from sdcc.parts import Parts
from sdcc.standard_classes import private_storage_class
from sdcc.world import World


@pytest.fixture
def threads() -> dict[str, int]:
    """How many of each name were asked for."""
    return {}


@pytest.fixture
def parts(threads: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parts:
    def new_threads(reactor: Any, name: str, count: int) -> Any:
        threads[name] = count
        return SimpleNamespace(run=None, name=name)

    monkeypatch.chdir(tmp_path)
    world = World(threads=new_threads)
    return Parts(Configuration(), MemoryReactorClock(), world, is_stopping=lambda: False)


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
    study: StudySettings, means: list[str] | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    world = World(threads=lambda *_: SimpleNamespace(run=None))  # type: ignore[arg-type, return-value]
    parts = Parts(Configuration(study=study), MemoryReactorClock(), world, is_stopping=lambda: False)
    found = None if parts.completion is None else [each.means for each in parts.completion._notices]
    assert found == means
