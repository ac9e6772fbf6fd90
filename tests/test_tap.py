"""What `twistd sdcc` takes, and how it says what is wrong."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from twisted.application.service import IService
from twisted.logger import Logger
from twisted.python.usage import UsageError

from sdcc import __version__
from sdcc.config import LogSettings
from sdcc.logs.log import Log, ToStandardOutput
from sdcc.service import SDCC, CannotStart
from sdcc.tap import Options, makeService, plainly


def test_without_a_file_every_default_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = Options()
    options.parseOptions([])
    [local] = options.configuration.locals
    assert (local.ae_title, local.interface, local.port) == ("SDCC", "127.0.0.1", 11112)
    assert options.configuration.storage.directory == tmp_path / "sdcc-data"


def test_a_wrong_file_is_an_error_of_usage_that_names_the_key(tmp_path: Path) -> None:
    wrong = tmp_path / "sdcc.toml"
    wrong.write_text("[[local]]\nport = 70000\n")
    with pytest.raises(UsageError, match=r"local.*port = 70000"):
        Options().parseOptions(["--config", str(wrong)])


def test_the_service_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    options = Options()
    options.parseOptions([])
    assert IService.providedBy(makeService(options))


@pytest.mark.parametrize("arguments", [("--log-format", "json"), ("--log-format=text",), ()])
def test_the_log_has_a_format(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sdcc.toml").write_text('[log]\nfile = "sdcc.log"\nformat = "json"\n')
    options = Options()
    options.parseOptions(["--config=sdcc.toml", *arguments])
    assert options.log is not None
    Logger(namespace="sdcc", observer=options.log).warn("told")
    options.log.stop()
    assert (tmp_path / "sdcc.log").read_text().startswith("{") is ("--log-format=text" not in arguments)


def test_a_format_that_there_is_not_is_an_error_of_usage() -> None:
    with pytest.raises(UsageError, match="--log-format=xml: allowed: text or json"):
        Options().parseOptions(["--log-format", "xml"])


def below(**twistds: object) -> Options:
    """Options as twistd, of those options, gives them to read."""
    options = Options()
    options.parent = twistds
    return options


def test_a_daemon_cannot_log_to_standard_output() -> None:
    with pytest.raises(UsageError, match="a daemon has no standard output"):
        below(logfile="-").parseOptions([])


def test_a_logger_that_twistd_was_given_takes_the_place_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    options = below(logger=lambda: None)
    options.parseOptions([])
    assert options.log is None
    assert isinstance(makeService(options), SDCC)


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        Options().parseOptions(["--version"])
    assert capsys.readouterr().out == f"SDCC {__version__}\n"


def test_what_keeps_it_from_starting_is_seen_in_the_terminal_too_where_the_log_is_a_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is the first to have it, as a line of its own."""
    terminal = io.StringIO()
    monkeypatch.setattr(sys, "__stderr__", terminal)
    for settings, where, seen in (
        (LogSettings(), tmp_path / "sdcc.log", "sdcc: the port is taken\n"),
        (LogSettings(), ToStandardOutput(), ""),
        (LogSettings(), tmp_path / "none" / "sdcc.log", ""),  # the log itself goes to standard error then
    ):
        terminal.truncate(0)
        terminal.seek(0)
        log = Log(settings, where)
        Logger(namespace="stderr", observer=log).error("a line")
        plainly(CannotStart, CannotStart("the port is taken"), None, log=log)
        assert terminal.getvalue() == seen
        log.stop()
    assert (tmp_path / "sdcc.log").read_text().endswith("[stderr#error] a line\n")
    assert "[stderr#error] a line\n" in capfd.readouterr().err


def test_what_keeps_it_from_starting_is_a_sentence_and_no_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plainly(CannotStart, CannotStart("the port is taken"), None)
    assert capsys.readouterr().err == "sdcc: the port is taken\n"
    plainly(KeyError, KeyError("a fault of the program"), None)
    assert "KeyError" in capsys.readouterr().err
