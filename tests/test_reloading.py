"""The file read again: all that may change does, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import LogEvent, capturedLogs, formatEvent
from twisted.python.failure import Failure

from sdcc.config import Configuration, ConfigurationError, Remote, load
from sdcc.interfaces.administration import CannotDo
from sdcc.reloading import Reloading

REMOTE = '[[remote]]\nae_title = "CT01"\naddress = "10.0.0.1"\n'


@dataclass
class Scene:
    """A server that was started with an empty file.

    :ivar files: jobs of the thread that reads, run by :meth:`read`.
    """

    path: Path
    prepare: list[Any] = field(default_factory=list)
    files: list[Callable[[], None]] = field(default_factory=list)
    in_effect: list[Configuration] = field(default_factory=list)
    told: list[tuple[str, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.path.write_text("")
        self.begin(load(self.path))

    def begin(self, configuration: Configuration) -> None:
        self.reloading = Reloading(
            configuration,
            read=load,
            run_in_thread=self.run_in_thread,
            prepare=self.prepare,
            reconfigure=self.in_effect.append,
            changed=lambda keys: self.told.append(tuple(keys)),
        )

    def run_in_thread(self, call: Any, *arguments: Any) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()

        def work() -> None:
            try:
                done.callback(call(*arguments))
            except ConfigurationError:
                done.errback(Failure())

        self.files.append(work)
        return done

    def ask(self, text: str | None = None) -> list[Any]:
        """Ask for a reload, of other text if any; gives a list that its outcome comes into."""
        if text is not None:
            self.path.write_text(text)
        outcome: list[Any] = []
        Deferred.fromCoroutine(self.reloading.reload()).addBoth(outcome.append)
        return outcome

    def read(self) -> None:
        """The thread reads the file."""
        self.files.pop(0)()

    def reload(self, text: str | None = None) -> Any:
        outcome = self.ask(text)
        if self.files:
            self.read()
        [result] = outcome
        if isinstance(result, Failure):
            result.raiseException()
        return result


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "sdcc.toml")


@pytest.fixture
def logged() -> Iterator[list[LogEvent]]:
    with capturedLogs() as events:
        yield events


def lines(logged: list[LogEvent]) -> list[tuple[str, str | None]]:
    return [(event["log_level"].name, formatEvent(event)) for event in logged]


def test_what_may_change_is_in_effect_and_what_may_not_is_named(scene: Scene, logged: list[LogEvent]) -> None:
    changes = scene.reload(REMOTE + "[storage]\nthreads = 9\n[association]\nmaximum_open = 7\n")
    now = ("[[remote]] CT01", "[association] maximum_open")
    assert (changes.at_once, changes.after_restart) == (now, ("[storage] threads",))
    [configuration] = scene.in_effect
    assert configuration is scene.reloading.configuration
    assert configuration.association.maximum_open == 7
    assert configuration.remotes == (Remote(ae_title="CT01", address="10.0.0.1"),)
    assert configuration.storage.threads == 8
    assert lines(logged) == [
        (
            "info",
            "The configuration was read again: in effect now: [[remote]] CT01, [association] maximum_open",
        ),
        ("warn", "The configuration takes effect after a restart only in: [storage] threads"),
    ]
    assert scene.told == [now]


def test_a_file_that_is_the_same_changes_nothing_and_is_no_news_to_the_audit(
    scene: Scene, logged: list[LogEvent]
) -> None:
    changes = scene.reload()
    assert (changes.at_once, changes.after_restart) == ((), ())
    assert lines(logged) == [("info", "The configuration was read again: nothing has changed")]
    assert scene.told == []


def test_a_bad_file_changes_nothing_and_each_problem_is_a_line(scene: Scene, logged: list[LogEvent]) -> None:
    before = scene.reloading.configuration
    problems = (
        f"{scene.path}: [association].maximum_open = 0: allowed: a whole number from 1 to 100000",
        f"{scene.path}: storge: unknown",
    )
    with pytest.raises(CannotDo) as refused:
        scene.reload(REMOTE + "[association]\nmaximum_open = 0\n[storge]\n")
    for problem, told in zip(problems, str(refused.value).splitlines(), strict=True):
        assert told.startswith(problem)
    assert lines(logged) == [
        ("error", f"The configuration stays as it is: {line}") for line in str(refused.value).splitlines()
    ]
    assert scene.reloading.configuration is before
    assert (scene.in_effect, scene.told) == ([], [])
    scene.reload(REMOTE)
    assert len(scene.in_effect) == 1


def test_a_file_that_is_gone_is_named(scene: Scene) -> None:
    scene.path.unlink()
    with pytest.raises(CannotDo, match=r"sdcc\.toml: cannot be read: No such file"):
        scene.reload()


def test_without_a_file_there_is_a_sentence(scene: Scene) -> None:
    scene.begin(replace(Configuration(), source=None))
    with pytest.raises(CannotDo, match="SDCC was started without a configuration file"):
        scene.reload()


def test_what_can_fail_is_tried_before_anything_changes(scene: Scene, logged: list[LogEvent]) -> None:
    """Whichever of several it is that fails."""
    seen: list[str] = []

    def preparing(name: str, fault: str | None) -> Any:
        async def prepare(configuration: Configuration) -> Any:
            seen.append(f"{name} tried {len(configuration.remotes)}")
            if fault:
                raise ConfigurationError([fault, "and more"])
            return lambda: seen.append(f"{name} in effect")

        return prepare

    scene.prepare[:] = [preparing("one", None), preparing("other", "no certificate")]
    with pytest.raises(CannotDo, match="no certificate\nand more"):
        scene.reload(REMOTE)
    assert seen == ["one tried 1", "other tried 1"]
    assert scene.in_effect == []
    assert [line for _, line in lines(logged)] == [
        "The configuration stays as it is: no certificate",
        "The configuration stays as it is: and more",
    ]
    seen.clear()
    scene.prepare[:] = [preparing("one", None), preparing("other", None)]
    scene.reload()
    assert seen == ["one tried 1", "other tried 1", "one in effect", "other in effect"]
    assert len(scene.in_effect) == 1


def test_two_reloads_at_once_are_one_after_the_other(scene: Scene) -> None:
    """The second reads what the file says when its turn comes."""
    first, second = scene.ask(REMOTE), scene.ask()
    assert len(scene.files) == 1
    scene.path.write_text(REMOTE + "[query]\nmaximum_answers = 5\n")
    scene.read()
    assert first[0].at_once == ("[[remote]] CT01", "[query] maximum_answers")
    scene.path.write_text("")
    scene.read()
    assert second[0].at_once == ("[[remote]] CT01", "[query] maximum_answers")
    assert scene.reloading.configuration.remotes == ()


def test_a_reload_after_one_that_failed_has_its_turn(scene: Scene) -> None:
    first, second = scene.ask("nonsense"), scene.ask()
    scene.read()
    scene.path.write_text("")
    scene.read()
    assert first[0].check(CannotDo)
    assert second[0].at_once == ()


def test_once_it_stops_nothing_changes_any_more(scene: Scene) -> None:
    outcome = scene.ask(REMOTE)
    scene.reloading.stop()
    scene.read()
    assert "SDCC is stopping" in str(outcome[0].value)
    assert scene.in_effect == []
