"""What `twistd sdcc` takes and makes."""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from types import TracebackType
from typing import cast

from twisted.application.service import IService
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

import sdcc.lean  # noqa: F401, before all that imports pydicom
from sdcc import __version__
from sdcc.config import Configuration, ConfigurationError, load
from sdcc.service import SDCC, CannotStart
from sdcc.world import Reactor


class Options(UsageOptions):
    """The command line of `twistd sdcc`; everything else is in the configuration."""

    synopsis = "[--config FILE]"
    longdesc = "A DICOM server that receives, keeps and gives back images."
    optParameters = [
        ("config", "c", None, "the configuration, a TOML file; without it every default holds"),
    ]
    configuration: Configuration

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


def makeService(options: Options) -> IService:
    """The service that twistd runs. Called before it forks, changes directory or drops privileges.

    The process may then open as many files as it is allowed to: each connection is one.
    """
    from twisted.internet import reactor  # noqa: PLC0415  # twistd has chosen one by now

    sys.excepthook = plainly
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return SDCC(options.configuration, cast(Reactor, reactor))


def plainly(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Show what keeps SDCC from starting as a sentence; everything else as ever."""
    if isinstance(error, CannotStart):
        print(f"sdcc: {error}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)
