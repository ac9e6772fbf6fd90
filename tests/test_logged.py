"""Where the log goes, and that it is there before the service and after it."""

from __future__ import annotations

import atexit
import signal

import pytest
from twisted.application.service import Application, IService, MultiService, Service
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import ILogObserver, Logger

from sdcc.config import LogSettings
from sdcc.logged import Logged, become_user, destination
from sdcc.logs.log import Log, ToStandardOutput, ToSyslog
from sdcc.service import CannotStart

FOREGROUND = {"nodaemon": 1}


@pytest.mark.parametrize(
    ("twistd", "file", "expected"),
    [
        (FOREGROUND, None, ToStandardOutput()),
        ({"debug": True}, None, ToStandardOutput()),
        (FOREGROUND | {"logfile": "-"}, None, ToStandardOutput()),
        (FOREGROUND | {"logfile": "-"}, "own.log", ToStandardOutput()),
        (FOREGROUND | {"logfile": "asked.log"}, None, "asked.log"),
        (FOREGROUND, "own.log", "own.log"),
        (FOREGROUND | {"logfile": "asked.log"}, "own.log", "asked.log"),
        ({}, None, "twistd.log"),
        ({}, "own.log", "own.log"),
        ({"logfile": "asked.log"}, "own.log", "asked.log"),
        ({"syslog": True, "prefix": "sdcc"}, "own.log", ToSyslog("sdcc")),
        (FOREGROUND | {"syslog": True}, None, ToSyslog("")),
    ],
)
def test_what_twistd_was_asked_for_goes_before_the_configuration(
    tmp_path, monkeypatch, twistd, file, expected
):
    monkeypatch.chdir(tmp_path)
    settings = LogSettings(file=file and tmp_path / file)
    assert destination(settings, twistd) == (tmp_path / expected if isinstance(expected, str) else expected)


class Talking(Service):
    """Says what it does, or cannot start."""

    def __init__(self, log, *, fault=None, privileged_fault=None):
        self._privileged_fault = privileged_fault
        self._logger = Logger(namespace="sdcc", observer=log)
        self._fault = fault

    def privilegedStartService(self):
        super().privilegedStartService()
        if self._privileged_fault is not None:
            raise self._privileged_fault

    def startService(self):
        super().startService()
        self._logger.info("starting")
        if self._fault is not None:
            raise self._fault


class Reactor(MemoryReactorClock):
    """With the calls that threads ask for."""

    def __init__(self):
        super().__init__()
        self.from_threads = []

    def callFromThread(self, call):
        self.from_threads.append(call)


class Rig:
    def __init__(self, path, **options):
        self.path = path
        self.log = Log(LogSettings(), path)
        self.reactor = Reactor()
        self.said = Logger(namespace="sdcc", observer=self.log)
        #: What the log's file was when the process was to become its user.
        self.became = []
        self.service = Logged(Talking(self.log, **options), self.log, self.reactor, self._become)

    def _become(self):
        self.became.append(self.path.exists())

    @property
    def lines(self):
        return [line.partition("] ")[2] for line in self.path.read_text().splitlines()]


@pytest.fixture(autouse=True)
def own_signal():
    before = signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.fixture
def rig(tmp_path):
    rig = Rig(tmp_path / "sdcc.log")
    yield rig
    rig.log.stop()


def test_the_application_logs_by_it_and_all_is_written_however_it_ends(rig, monkeypatch):
    registered = []
    monkeypatch.setattr(atexit, "register", registered.append)
    application = Application("sdcc")
    rig.service.setServiceParent(application)
    assert ILogObserver(application) is rig.log
    assert [*IService(application)] == [rig.service]
    rig.said.info("what is logged before it starts")
    assert not rig.path.exists()
    [at_exit] = registered
    at_exit()
    assert rig.lines == ["what is logged before it starts"]


def test_it_may_be_part_of_any_service(rig):
    parent = MultiService()
    rig.service.setServiceParent(parent)
    assert [*parent] == [rig.service]


def test_it_is_there_before_the_service_starts_and_after_all_has_stopped(rig):
    rig.said.info("before")
    rig.service.startService()
    assert rig.lines == ["before", "starting"], "when it has started, it can be read"
    rig.said.info("while it runs")
    [(stop, _, _)] = rig.reactor.triggers["after"]["shutdown"]
    stop()
    rig.said.info("Server Shut Down.")
    assert rig.lines == ["before", "starting", "while it runs", "Server Shut Down."]


def test_a_log_that_cannot_be_written_keeps_it_from_starting(tmp_path):
    rig = Rig(tmp_path / "none" / "sdcc.log")
    with pytest.raises(CannotStart, match=r"the log cannot be written: .*none/sdcc.log"):
        rig.service.startService()


def test_a_service_that_does_not_start_has_its_lines_written(tmp_path):
    rig = Rig(tmp_path / "sdcc.log", fault=CannotStart("no"))
    with pytest.raises(CannotStart, match="no"):
        rig.service.startService()
    assert rig.lines == ["starting"]


def test_no_file_of_a_start_that_fails_is_made_by_root(tmp_path):
    """It would keep the next start, as the user that it is for, from writing it."""
    rig = Rig(tmp_path / "sdcc.log", privileged_fault=CannotStart("the port is taken"))
    rig.said.info("before")
    with pytest.raises(CannotStart, match="the port is taken"):
        rig.service.privilegedStartService()
    assert rig.became == [False], "the user is there before the file is"
    rig.log.stop()
    assert rig.lines == ["before"]
    good = Rig(tmp_path / "good.log")
    good.service.privilegedStartService()
    assert not good.became, "twistd sees to it"


@pytest.mark.parametrize(
    ("twistd", "ids"),
    [
        ({}, (None, None, False)),
        ({"uid": 0}, (0, 0, False)),
        ({"uid": 0, "gid": 5, "euid": 1}, (0, 5, True)),
        ({"gid": 5}, (None, 5, False)),
    ],
)
def test_it_becomes_the_user_that_twistd_would(monkeypatch, twistd, ids):
    became = []
    monkeypatch.setattr("sdcc.logged.switchUID", lambda *ids: became.append(ids))
    become_user(twistd)
    assert became == [ids]


def test_the_signal_of_twistd_reopens_the_file_and_another_ones_is_let_alone(rig):
    rig.service.startService()
    rig.path.rename(rig.path.with_name("moved"))
    signal.raise_signal(signal.SIGUSR1)
    assert not rig.path.exists(), "not within a signal's own time"
    [reopen] = rig.reactor.from_threads
    reopen()
    rig.log.stop()
    assert rig.path.exists()
    others = Rig(rig.path)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    others.service.startService()
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN
    others.log.stop()


def test_the_signal_ends_no_server_that_has_no_file_to_reopen(tmp_path):
    """As where a rotation signals whatever runs, and the log goes to standard output."""
    with (tmp_path / "out").open("wb") as out:
        rig = Rig(ToStandardOutput(out.fileno()))
        rig.service.startService()
        assert signal.getsignal(signal.SIGUSR1) is not signal.SIG_DFL
        signal.raise_signal(signal.SIGUSR1)
        [reopen] = rig.reactor.from_threads
        reopen()
        rig.said.info("goes on")
        rig.log.stop()
    assert (tmp_path / "out").read_text().endswith(" goes on\n")
