"""The observer: what is logged through Twisted comes out, chosen and shaped as the settings say."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace

import pytest
from twisted.logger import ILogObserver, Logger, LogPublisher
from zope.interface.verify import verifyObject

from sdcc.config import LogSettings
from sdcc.logs.log import Log, ToStandardOutput, ToSyslog

SETTINGS = LogSettings()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sdcc.log"


def logger_to(log, namespace="sdcc.association"):
    return Logger(namespace=namespace, observer=LogPublisher(log))


def test_the_default_is_dated_lines_from_info_on(path):
    log = Log(SETTINGS, path)
    verifyObject(ILogObserver, log)
    log.begin()
    logger = logger_to(log)
    logger.debug("1.2.840.1 is not sent")
    logger.info("released")
    logger.info("")
    assert re.fullmatch(
        r"[-0-9]{10}T[:0-9]{8}[+-][0-9]{4} \[sdcc.association#info\] released\n", path.read_text()
    )
    log.stop()


def test_levels_change_while_it_runs_until_it_is_configured_anew(path):
    log = Log(SETTINGS, path)
    log.begin()
    logger = logger_to(log)
    log.set_level("sdcc.association", "debug")
    assert log.levels() == {"sdcc": "info", "sdcc.association": "debug"}
    logger.debug("told")
    log.reconfigure(replace(SETTINGS, levels=(("sdcc", "error"),)))
    for say in (logger.debug, logger.info, logger.warn):
        say("not told")
    with pytest.raises(ValueError, match="allowed: debug, info, warn, error, critical"):
        log.set_level("sdcc", "all")
    assert log.levels() == {"sdcc": "error"}
    log.stop()
    assert [line.partition("] ")[2] for line in path.read_text().splitlines()] == ["told"]


def test_rotation_changes_while_it_runs(path):
    log = Log(SETTINGS, path)
    log.begin()
    logger = logger_to(log)
    logger.info("first")
    log.reconfigure(replace(SETTINGS, rotate_size=1))
    logger.info("second")
    assert path.read_text().endswith(" second\n")
    assert len([*path.parent.iterdir()]) == 2
    log.stop()


def test_json_is_an_object_a_line_wherever_it_goes(path):
    log = Log(replace(SETTINGS, format="json"), path)
    log.begin()
    logger_to(log).warn("{name} aborted", name="SDCC<-CT01(1)")
    log.stop()
    line = json.loads(path.read_text())
    assert (line["level"], line["message"]) == ("warn", "SDCC<-CT01(1) aborted")


def test_standard_output_has_dates_and_the_journal_has_priorities_instead(pipe):
    reading, writing = pipe
    status = os.fstat(writing)
    journal = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
    for settings, environment, expected in (
        (SETTINGS, {}, r"[-0-9]{10}T.* \[sdcc.association#warn\] aborted\n"),
        (SETTINGS, journal, r"<4>\[sdcc.association#warn\] aborted\n"),
        (replace(SETTINGS, format="json"), journal, r'<4>{"time": .*}\n'),
    ):
        log = Log(settings, ToStandardOutput(writing), environment=environment)
        log.begin()
        logger_to(log).warn("aborted")
        log.stop()
        assert re.fullmatch(expected, os.read(reading, 1000).decode())


def test_syslog_has_priorities_and_no_dates(monkeypatch):
    said = []
    monkeypatch.setattr("sdcc.logs.outlets.Syslog.open", lambda self: None)
    monkeypatch.setattr("sdcc.logs.outlets.Syslog.write", lambda self, data: said.append(data) or len(data))
    log = Log(SETTINGS, ToSyslog("sdcc"))
    log.begin()
    logger_to(log).error("it failed")
    log.stop()
    assert said == [b"<3>[sdcc.association#error] it failed\n"]


def test_a_file_that_cannot_be_put_aside_is_told_in_the_log_itself(path, monkeypatch):
    log = Log(replace(SETTINGS, rotate_size=1), path)
    log.begin()
    logger = logger_to(log)
    logger.info("first")

    def rename(old, new):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(log._file._calls, "rename", rename)
    logger.info("second")
    log.stop()
    texts = [line.partition(" ")[2] for line in path.read_text().splitlines()]
    assert texts[1:] == [
        "[sdcc.association#info] second",
        f"[sdcc.logs#warn] {path} cannot be put aside and is written on: Permission denied",
    ]


def test_what_cannot_be_written_at_the_end_is_on_standard_error(tmp_path, capfd):
    log = Log(SETTINGS, tmp_path / "none" / "sdcc.log")
    logger_to(log).error("cannot listen")
    log.stop()
    assert capfd.readouterr().err.endswith("[sdcc.association#error] cannot listen\n")
    assert log.fault == "No such file or directory"


def test_a_file_that_was_moved_away_is_left_when_it_is_told_so(path):
    log = Log(SETTINGS, path)
    log.begin()
    logger = logger_to(log)
    logger.info("first")
    path.rename(path.with_name("moved"))
    log.reopen()
    logger.info("second")
    log.stop()
    assert path.read_text().endswith(" second\n")
