"""A service whose application logs by SDCC's own log, in the place of what `twistd` would take.

`twistd` opens its log before it forks, becomes another user or changes its directory. SDCC's is opened
after all that, so that its file belongs to the user that the server stays; what is logged until then waits.
"""

from __future__ import annotations

import atexit
import pwd
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from twisted.application.service import IServiceCollection, MultiService, Service
from twisted.internet.interfaces import IReactorCore, IReactorFromThreads
from twisted.logger import ILogObserver
from twisted.python.components import Componentized
from twisted.python.util import switchUID

from sdcc.config import LogSettings
from sdcc.logs.log import Destination, Log, ToStandardOutput, ToSyslog
from sdcc.service import CannotStart

#: twistd's own.
DAEMONS_FILE = "twistd.log"


class Reactor(IReactorCore, IReactorFromThreads):
    """What is used of a reactor."""


class Logged(MultiService):
    """Started before the service that it holds, and the last to end.

    :param become: becomes the user that the server stays.
    """

    def __init__(self, service: Service, log: Log, reactor: Reactor, become: Callable[[], object]) -> None:
        super().__init__()
        self._log = log
        self._reactor = reactor
        self._become = become
        service.setServiceParent(self)

    def setServiceParent(self, parent: IServiceCollection) -> None:
        """`twistd` asks its application for the log, once this has returned."""
        if isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self._log)
            atexit.register(self._log.stop)  # where it could not start, or ends by a fault
        super().setServiceParent(parent)

    def privilegedStartService(self) -> None:
        """What keeps it from starting is written by the user that the log is to belong to.

        :raises CannotStart: of the service.
        """
        try:
            super().privilegedStartService()
        except BaseException:
            self._become()
            raise

    def startService(self) -> None:
        """:raises CannotStart: the log cannot be written, or of the service."""
        try:
            self._log.begin()
        except OSError as error:
            raise CannotStart(f"the log cannot be written: {error}") from None
        self._reactor.addSystemEventTrigger("after", "shutdown", self._log.stop)
        # also where there is no file to reopen: left alone, the signal would end the process at once
        if signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL:
            signal.signal(signal.SIGUSR1, lambda *_: self._reactor.callFromThread(self._log.reopen))
        super().startService()
        self._log.start()


def become_user(twistd: Mapping[str, Any]) -> None:
    """What `twistd` does once the ports are open; nothing, if it was asked for no user.

    :param twistd: its options.
    """
    uid, gid = twistd.get("uid"), twistd.get("gid")
    if uid is not None and gid is None:
        gid = pwd.getpwuid(uid).pw_gid
    switchUID(uid, gid, bool(twistd.get("euid")))


def destination(settings: LogSettings, twistd: Mapping[str, Any]) -> Destination:
    """Where the log goes. What `twistd` was asked for goes before the configuration.

    :param twistd: its options; relative paths start at the current directory.
    :raises ValueError: a daemon has no standard output.
    """
    is_daemon = not (twistd.get("nodaemon") or twistd.get("debug"))
    if twistd.get("syslog"):
        return ToSyslog(twistd.get("prefix") or "")
    file = twistd.get("logfile")
    if file == "-" and is_daemon:
        raise ValueError("--logfile=-: a daemon has no standard output; allowed: a file, or --nodaemon")
    if file and file != "-":
        return Path(file).absolute()
    if not file and settings.file is not None:
        return settings.file
    return Path(DAEMONS_FILE).absolute() if is_daemon else ToStandardOutput()
