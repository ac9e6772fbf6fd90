"""What a line looks like, whatever the event holds."""

from __future__ import annotations

import json
import math
import time
from pathlib import PurePosixPath

import pytest
from twisted.logger import textFileLogObserver
from twisted.python import log as older_log
from twisted.python.failure import Failure

from sdcc.logs.lines import LONGEST, as_json, dated, plain, with_priority


@pytest.fixture(autouse=True)
def of_tokyo(monkeypatch):
    monkeypatch.setenv("TZ", "JST-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def failure():
    try:
        raise KeyError("no such thing")
    except KeyError:
        return Failure()


class Text:
    """What an observer of Twisted's writes to."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass


def twistds(event):
    stream = Text()
    textFileLogObserver(stream)(event)
    return stream.text


def test_a_line_for_people_is_that_which_twistd_writes(event):
    for each in (
        event("{line}", line="SDCC<-CT01(17) opened"),
        event("AE {titles} on {interface}:{port}", titles="A, B", interface="::1", port=104),
        event("the host name {host!r} has {x.real} and {call()}", host="h", x=1.5, call=lambda: "called"),
        event("{line} {missing}", line="unformattable"),
        event("braces {{}}", "critical"),
        event("{line}", line=7),
        event("", "warn"),
        event("a {line}", line="system", log_system="older"),
    ):
        expected = twistds(each)
        assert dated(each) == expected
        if expected:
            assert plain(each) == expected.removeprefix("2026-11-27T03:33:43+0900 ")


def test_the_lines_of_a_traceback_begin_with_a_tab(event, failure):
    lines = plain(event("it failed", "critical", log_failure=failure)).splitlines()
    assert lines[0] == "[sdcc.association#critical] it failed"
    assert lines[1] == "\tTraceback (most recent call last):"
    assert lines[-1] == "\tbuiltins.KeyError: 'no such thing'"
    assert all(line.startswith("\t") for line in lines[1:])


def test_nothing_that_is_no_printable_character_leaves_its_line(event):
    hostile = "CT\x1b[2J\r\x00\u202e\u2028\x85 \ud800"
    text = event("{line}", line=hostile)
    assert plain(text) == ("[sdcc.association#info] CT\\x1b[2J\\r\\x00\\u202e\\u2028\\x85 \\ud800\n")
    line = as_json(text)
    assert line.isascii()
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    assert json.loads(line)["message"] == hostile


def test_an_object_has_time_level_logger_message_and_its_own_fields(event):
    line = as_json(event("AE {title} on {port}", "warn", title="SDCC", port=104, peers=["A", {"b": None}]))
    assert json.loads(line) == {
        "time": "2026-11-26T18:33:43.250Z",
        "level": "warn",
        "logger": "sdcc.association",
        "message": "AE SDCC on 104",
        "fields": {"title": "SDCC", "port": 104, "peers": ["A", {"b": None}]},
    }


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, PurePosixPath("/x"), b"x", {1: 2}, [object()], ValueError("x"), "x" * (LONGEST + 1)],
    ids=lambda value: type(value).__name__,
)
def test_a_field_that_is_no_json_as_it_is_is_left_out(event, value):
    assert json.loads(as_json(event("told", value=value, n=1)))["fields"] == {"n": 1}


def test_a_field_that_is_the_message_is_not_said_twice(event):
    assert "fields" not in json.loads(as_json(event("{line}", line="C-STORE CT 1.2.3 0000")))


def test_a_traceback_is_a_field(event, failure):
    line = as_json(event("it failed", "critical", log_failure=failure))
    assert line.count("\n") == 1
    found = json.loads(line)
    assert found["message"] == "it failed"
    assert found["traceback"].startswith("Traceback (most recent call last):\n")
    assert found["traceback"].endswith("builtins.KeyError: 'no such thing'\n")


def test_an_event_without_a_text_is_no_line(event):
    for line_of in (plain, dated, as_json, with_priority(plain), with_priority(as_json)):
        assert line_of(event("")) == ""


def test_each_line_has_the_priority_of_its_level(event, failure):
    line_of = with_priority(plain)
    found = {
        level: line_of(event("told", level))[:3] for level in ("debug", "info", "warn", "error", "critical")
    }
    assert found == {"debug": "<7>", "info": "<6>", "warn": "<4>", "error": "<3>", "critical": "<2>"}
    lines = line_of(event("it failed", "critical", log_failure=failure)).splitlines()
    assert len(lines) > 2
    assert all(line.startswith("<2>") for line in lines)
    assert with_priority(as_json)(event("told")).startswith('<6>{"time": ')


@pytest.mark.parametrize(
    ("texts", "fields", "text", "own"),
    [(("a", "b"), {}, "a b", None), ((), {"format": "%(n)d", "n": 7}, "7", {"n": 7})],
)
def test_messages_of_the_older_twisted_log_are_lines_too(texts, fields, text, own):
    events = []
    publisher = older_log.LogPublisher(observerPublisher=events.append, publishPublisher=events.append)
    publisher.msg(*texts, **fields)
    [found] = events
    assert plain(found) == f"[-] {text}\n"
    line = json.loads(as_json(found))
    assert (line["logger"], line["message"], line.get("fields")) == ("log_legacy", text, own)


def test_a_text_is_cut_at_its_end_and_a_traceback_at_its_beginning(event):
    class Long:
        def getTraceback(self):
            return "first" + "x" * LONGEST + "last"

    for line_of in (plain, as_json):
        line = line_of(event("{line}", line="y" * 10 * LONGEST, log_failure=Long()))
        assert len(line) < 2 * LONGEST + 300
        assert "last" in line
        assert "first" not in line
    assert json.loads(line)["message"] == "y" * LONGEST + " … cut"


def test_a_failure_without_a_traceback_does_not_cost_the_line(event):
    class Strange:
        def getTraceback(self):
            raise RuntimeError

    assert plain(event("it failed", log_failure=Strange())) == (
        "[sdcc.association#info] it failed\n\t(no traceback: RuntimeError)\n"
    )
