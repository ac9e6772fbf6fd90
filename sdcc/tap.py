"""What `twistd sdcc` takes and makes."""

from __future__ import annotations

import resource
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import cast

from twisted.application.service import IService
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

import sdcc.lean  # noqa: F401, before all that imports pydicom
from sdcc import __version__
from sdcc.config import Configuration, ConfigurationError, load
from sdcc.config.kinds import LOG_FORMATS
from sdcc.logged import Logged, become_user, destination
from sdcc.logged import Reactor as LogReactor
from sdcc.logs.log import Log
from sdcc.service import SDCC, CannotStart
from sdcc.world import Reactor


class Options(UsageOptions):
    """The command line of `twistd sdcc`; everything else is in the configuration."""

    synopsis = "[--config FILE] [--log-format FORMAT]"
    longdesc = "A DICOM server that receives, keeps and gives back images."
    optParameters = [
        ("config", "c", None, "the configuration, a TOML file; without it every default holds"),
        ("log-format", None, None, "text or json, whatever [log] format is"),
    ]
    configuration: Configuration
    #: None: `twistd` was given a logger by name, which takes its place.
    log: Log | None

    def opt_version(self) -> None:
        """Print SDCC's version and exit."""
        print(f"SDCC {__version__}")
        sys.exit(0)

    def postOptions(self) -> None:
        path = self["config"]
        try:
            self.configuration = load(Path(path) if path else None)
        except ConfigurationError as error:
            raise UsageError(str(error)) from None
        self.log = self._log()

    def _log(self) -> Log | None:
        settings, form = self.configuration.log, self["log-format"]
        if form not in (None, *LOG_FORMATS):
            raise UsageError(f"--log-format={form}: allowed: {' or '.join(LOG_FORMATS)}")
        twistd = {"nodaemon": True} if self.parent is None else self.parent
        if twistd.get("logger"):
            return None
        try:
            where = destination(settings, twistd)
        except ValueError as error:
            raise UsageError(str(error)) from None
        return Log(settings if form is None else replace(settings, format=form), where)


def makeService(options: Options) -> IService:
    """The service that twistd runs. Called before it forks, changes directory or drops privileges.

    The process may then open as many files as it is allowed to: each connection is one.
    """
    from twisted.internet import reactor  # noqa: PLC0415  # twistd has chosen one by now

    sys.excepthook = partial(plainly, log=options.log)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    service = SDCC(options.configuration, cast(Reactor, reactor), own_log=options.log)
    if options.log is None:
        return service
    become = partial(become_user, options.parent or {})
    return Logged(service, options.log, cast(LogReactor, reactor), become)


def plainly(
    kind: type[BaseException],
    error: BaseException,
    traceback: TracebackType | None,
    *,
    log: Log | None = None,
) -> None:
    """Show what keeps SDCC from starting as a sentence; everything else as ever.

    :param log: where `twistd` makes a line of what is written to standard error.
    """
    if not isinstance(error, CannotStart):
        sys.__excepthook__(kind, error, traceback)
        return
    sentence = f"sdcc: {error}"
    print(sentence, file=sys.stderr)
    if log is not None and log.is_elsewhere:
        log.stop()
        if log.fault is None:  # or it has gone to standard error for want of a log
            print(sentence, file=sys.__stderr__)
